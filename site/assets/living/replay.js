/* 重放一次训练：拖动轮次，看曲线走到哪里、第一层的卷积核、同一张图像的特征图与各类的概率。
 *
 * 影片由 deepcnn/training/film.py 拍下，读者点过（按钮是 frame.js 的）才取；在那之前原来的曲线图留着。 */
(() => {
  const { make, draw, calm, chart, line, film } = Living
  const PAUSE = 700 // 播放时一幕停多少毫秒
  const TILE = 66 // 一个通道画多大，像素
  const GAP = 1 // 卷积核之间空一个像素
  const ACROSS = 16 // 一行几个卷积核

  /* 叫法同实验台；影片里 DenseNet 只有稠密块。 */
  const placeName = (place, dense, number = Number(place.at(-1))) => (place === 'stem' ? '入口'
    : dense ? `稠密块 ${number / 2 + 1}` : `第 ${number + 1} 段`)
  const percent = (value) => `${(100 * value).toFixed(1)}%`

  customElements.define('living-replay', class extends Living.LivingElement {
    async build(panel, state) {
      await this.open(await Living.data(`replay-${this.dataset.network}`))
      panel.append(...this.parts())
      this.go(this.epochIn(state))
    }

    /* 放在图的位置；图注留着。 */
    show(panel) {
      this.picture.after(panel)
      this.classList.add('living--pictured')
    }

    async open(data) {
      this.data = data
      this.kernels = await film.open(data.kernels)
      this.maps = await Promise.all(data.maps.map(film.open))
    }

    get epochs() {
      return this.data.train_loss.length
    }

    epochIn({ epoch }) {
      const asked = Number(epoch)
      return Number.isInteger(asked) && asked >= 0 && asked <= this.epochs ? asked : this.epochs
    }

    parts() {
      this.slider = make('input', { type: 'range', min: 0, max: this.epochs, step: 1,
        'aria-label': '第几轮', oninput: () => this.seek(Number(this.slider.value)) })
      this.output = make('output', { className: 'living__numbers', 'aria-live': 'off' }) // 读屏念滑块自己的话
      this.play = make('button', { type: 'button', onclick: () => this.toggle() }, '播放')
      const controls = make('div', { className: 'replay__controls' }, this.play, this.slider, this.output)
      return [controls, this.curves(), this.kernelPart(), ...this.mapParts(), this.probabilityPart()]
    }

    /* 读者自己移动：停下播放，记进网址。 */
    seek(epoch) {
      this.stop()
      this.go(epoch)
      this.remember({ epoch })
    }

    toggle() {
      if (this.timer) return this.stop()
      if (calm()) return this.seek(this.epochs)
      if (this.epoch === this.epochs) this.go(0)
      this.play.textContent = '暂停'
      this.timer = setInterval(() => {
        this.go(this.epoch + 1)
        if (this.epoch === this.epochs) this.stop()
      }, PAUSE)
    }

    /* 播放时不写网址，停下来再写。 */
    stop() {
      if (this.timer) this.remember({ epoch: this.epoch })
      clearInterval(this.timer)
      this.timer = null
      this.play.textContent = '播放'
    }

    go(epoch) {
      this.epoch = epoch
      this.slider.value = epoch
      const words = this.words(epoch)
      this.output.textContent = words
      this.slider.setAttribute('aria-valuetext', words)
      for (const move of this.cursors) move(epoch)
      this.drawKernels()
      this.drawMaps()
      this.drawProbabilities()
    }

    words(epoch) {
      if (!epoch) return '训练之前'
      const { train_loss: loss, test_accuracy: accuracy } = this.data
      return `第 ${epoch} 轮：损失 ${loss[epoch - 1].toFixed(3)}，测试准确率 ${percent(accuracy[epoch - 1])}`
    }

    /* 两幅曲线，各有一条随轮次移动的竖线。 */
    curves() {
      const { train_loss: loss, train_accuracy: trained, test_accuracy: tested } = this.data
      const step = Math.max(Math.ceil(this.epochs / 5), 1)
      const ticks = Array.from({ length: Math.floor(this.epochs / step) + 1 }, (_, i) => i * step)
      const x = { low: 0, high: this.epochs, ticks, name: '轮' }
      const points = (values) => values.map((value, i) => [i + 1, value])
      const scale = (values, steps, text) => {
        const [low, high] = [Math.floor(Math.min(...values) * steps), Math.ceil(Math.max(...values) * steps)]
        const apart = Math.max(Math.ceil((high - low) / 5), 1)
        const marks = Array.from({ length: Math.floor((high - low) / apart) + 1 }, (_, i) => (low + i * apart) / steps)
        return { low: low / steps, high: high / steps, ticks: marks, text }
      }
      const lossChart = chart({ label: '每轮的训练损失', x, y: scale(loss, 20, (one) => one.toFixed(2)) })
      lossChart.layer.append(line(lossChart, points(loss), { class: 'series series--now' }))
      const accuracy = chart({ label: '每轮的训练与测试准确率', x,
        y: scale([...trained, ...tested], 50, (one) => `${(100 * one).toFixed(0)}%`) })
      accuracy.layer.append(line(accuracy, points(trained), { class: 'series series--now' }),
        line(accuracy, points(tested), { class: 'series series--before' }))
      this.cursors = [lossChart, accuracy].map((one) => cursor(one))
      return make('div', { className: 'chart__pair' },
        make('div', {}, title('训练损失'), lossChart.svg),
        make('div', {}, title('准确率：实线是训练集，虚线是测试集'), accuracy.svg))
    }

    kernelPart() {
      const { count, width, height } = this.kernels
      const rows = Math.ceil(count / ACROSS)
      const size = { width: ACROSS * (width + GAP) - GAP, height: rows * (height + GAP) - GAP }
      const room = Math.min(this.clientWidth - 30, 520)
      this.kernelCanvas = canvas(size, Math.max(Math.floor(room / size.width), 1))
      this.kernelTitle = title('')
      return make('div', {}, this.kernelTitle, this.kernelCanvas)
    }

    drawKernels() {
      const { count, width, height, at, range } = this.kernels
      for (let index = 0; index < count; index++) {
        film.paint(this.kernelCanvas, at(this.epoch, index), width, height,
          (index % ACROSS) * (width + GAP), Math.floor(index / ACROSS) * (height + GAP))
      }
      this.kernelTitle.textContent = `第一层的 ${count} 个卷积核，±${range(this.epoch).toPrecision(2)}`
      this.kernelCanvas.setAttribute('aria-label', this.kernelTitle.textContent)
    }

    mapParts() {
      const { classes, label, pixels } = this.data
      const input = make('canvas', { width: 28, height: 28, role: 'img', 'aria-label': `送进网络的图像：${classes[label]}` })
      grey(input, Living.bytes(pixels))
      input.style.width = '84px'
      this.mapTiles = this.maps.map(({ count, width, height }, place) => {
        const times = Math.max(Math.floor(TILE / width), 1)
        return Array.from({ length: count }, (_, i) => {
          const tile = canvas({ width, height }, times)
          tile.setAttribute('aria-label', `通道 ${this.data.maps[place].channels[i]} 的特征图`)
          return tile
        })
      })
      this.mapTitles = this.maps.map(() => title(''))
      const rows = this.maps.map((_, i) => make('div', {}, this.mapTitles[i],
        make('div', { className: 'replay__tiles' }, ...this.mapTiles[i])))
      return [make('div', {}, title(`同一张测试图像（${classes[label]}）在各处的特征图；图像放大过再送进网络`), input), ...rows]
    }

    drawMaps() {
      this.maps.forEach(({ width, height, at, range }, place) => {
        this.mapTiles[place].forEach((tile, index) =>
          film.paint(tile, at(this.epoch, index), width, height))
        const { place: name, channels } = this.data.maps[place]
        this.mapTitles[place].textContent =
          `${placeName(name, this.dataset.network === 'densenet')}（${height}×${width}），通道 ${channels.join('、')}，±${range(this.epoch).toPrecision(2)}`
      })
    }

    probabilityPart() {
      this.bars = make('ul', { className: 'replay__bars living__numbers' })
      return make('div', {}, title('十类的概率'), this.bars)
    }

    drawProbabilities() {
      const { classes, label, probabilities } = this.data
      this.bars.replaceChildren(...probabilities[this.epoch].map((value, i) => {
        const bar = make('span', { className: 'replay__bar' })
        bar.style.width = `${100 * value}%`
        return make('li', { className: i === label ? 'replay__true' : '' },
          make('span', {}, classes[i]), make('span', { className: 'replay__track' }, bar), percent(value))
      }))
    }
  })

  const title = (text) => make('p', { className: 'chart__title' }, text)

  /* 一块画布，一个数占 times × times 个像素。 */
  function canvas({ width, height }, times) {
    const made = make('canvas', { width, height, role: 'img', className: 'replay__canvas' })
    made.style.width = `${width * times}px`
    return made
  }

  function grey(target, pixels) {
    const image = new ImageData(28, 28)
    pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i))
    target.getContext('2d').putImageData(image, 0, 0)
  }

  /* 返回移动竖线的函数。 */
  function cursor({ layer, X, top, bottom }) {
    const made = draw('line', { y1: top, y2: bottom, class: 'replay__cursor' })
    layer.append(made)
    return (epoch) => {
      made.setAttribute('x1', X(epoch))
      made.setAttribute('x2', X(epoch))
    }
  }
})()
