/* 叠起来的窗口：最上面一个单元，在下面各层与输入里看到多大一片。每层都取窗口里的平均，
 * 只为各层的图看得见；看到哪一片与卷积核里的数无关。 */
(() => {
  const { make, calm, moved } = Living
  const { slider, imageChoice, button, grey, picture, whole } = Stepper
  const BEAT = 900 // 播放时两层之间的毫秒

  class Stacked {
    constructor(host, panel, data, state) {
      this.host = host
      this.data = data
      this.image = whole(state.image, 0, 0, data.images.length - 1)
      this.layers = whole(state.layers, 2, 1, 4)
      this.kernel = whole(state.kernel, 3, 2, 5)
      this.stride = whole(state.stride, 1, 1, 2)
      this.maps = make('div', { className: 'stepper__maps' })
      this.problem = make('p', { className: 'stepper__problem', role: 'status' })
      this.told = make('p', { className: 'living__numbers stepper__sum', role: 'status' })
      panel.append(this.controls(), this.problem, this.maps, this.told, this.buttons())
      this.rebuild()
      const at = (state.unit || '').split('-').map(Number)
      if (at.length === 2 && at.every(Number.isInteger)) this.move(...at)
      this.reveal(whole(state.depth, this.depth, 0, this.depth))
      this.touched = true // 读者没有动过，就不改网址
    }

    controls() {
      const change = (name) => (value) => {
        this[name] = Number(value)
        this.rebuild()
      }
      return make('div', {},
        make('div', { className: 'living__controls' }, imageChoice(this, () => this.rebuild())),
        make('div', { className: 'stepper__sliders' },
          slider('层数', { min: 1, max: 4, value: this.layers }, change('layers')).element,
          slider('窗口', { min: 2, max: 5, value: this.kernel }, change('kernel')).element,
          slider('步幅', { min: 1, max: 2, value: this.stride }, change('stride')).element))
    }

    buttons() {
      this.playing = button('从上往下播放', () => this.play())
      return make('div', { className: 'living__controls' },
        button('只看最上面', () => this.reveal(0)),
        button('再往下一层', () => this.reveal(this.depth + 1)), this.playing)
    }

    rebuild() {
      this.stop()
      const windows = []
      this.values = [this.data.images[this.image].pixels]
      this.sides = [this.data.side]
      this.problem.textContent = ''
      for (let layer = 1; layer <= this.layers && !this.problem.textContent; layer += 1) {
        const window = { size: this.sides.at(-1), kernel: this.kernel, stride: this.stride, padding: 0, dilation: 1 }
        if (Sliding.misfit(window)) {
          this.problem.textContent = `第 ${layer} 层的输入边长只有 ${window.size}，放不下 ${this.kernel}×${this.kernel} 的窗口：减少层数、窗口或步幅。`
          break
        }
        windows.push(window)
        this.sides.push(Sliding.outputSize(window))
        this.values.push(Sliding.slide(this.values.at(-1), window, 'average'))
      }
      this.windows = windows
      const middle = Math.floor(this.sides.at(-1) / 2)
      this.unit = { row: middle, column: middle }
      this.depth = windows.length // 已经往下看了几层
      this.drawMaps()
      this.show()
      this.keep()
    }

    keep() {
      if (!this.touched) return
      const { image, layers, kernel, stride, depth } = this
      const unit = `${this.unit.row}-${this.unit.column}`
      const middle = Math.floor(this.sides.at(-1) / 2)
      this.host.remember({ image, layers, kernel, stride,
        ...(unit !== `${middle}-${middle}` && { unit }), ...(depth < this.windows.length && { depth }) })
    }

    drawMaps() {
      const top = this.sides.length - 1
      this.pictures = this.sides.map((side, index) => {
        const active = index === top
        const one = picture('', active
          ? { onpick: (row, column) => this.move(row, column), onkey: (event) => this.key(event.key) } : {})
        one.paint(this.values[index], side, grey)
        return one
      })
      this.maps.replaceChildren(...this.pictures.map((one) => one.element))
    }

    show() {
      const top = this.sides.length - 1
      const rows = Sliding.seenUnits(this.windows, this.unit.row)
      const columns = Sliding.seenUnits(this.windows, this.unit.column)
      this.pictures.forEach((one, index) => {
        const [first, last] = rows[index]
        const side = last - first + 1
        const seen = top - index <= this.depth
        one.outline(seen ? [{ row: first, column: columns[index][0], side, kind: index === top ? 'now' : 'window' }] : [])
        const name = index ? `第 ${index} 层` : '输入'
        one.describe(`${name} ${this.sides[index]}×${this.sides[index]}${seen ? `，看到 ${side}×${side}` : ''}`)
      })
      this.told.textContent = this.sentence(rows[0][1] - rows[0][0] + 1)
    }

    /* 感受野怎样加出来的；步幅是 1 时，再与一个同样大的窗口比权重。 */
    sentence(field) {
      if (!this.windows.length) return ''
      const steps = this.windows.map((_, index) => (this.kernel - 1) * this.stride ** index)
      const sum = `感受野的边长 = 1 + ${steps.join(' + ')} = ${field}`
      const [small, large] = [this.windows.length * this.kernel ** 2, field ** 2]
      if (this.windows.length === 1) return `${sum}。再加一层看看。`
      if (this.stride > 1) return `${sum}。每过一层，相邻两个单元在输入上的间距乘以 ${this.stride}。`
      return `${sum}，与一个 ${field}×${field} 的窗口相同。各层都是 c 个通道时，权重是 ${small}c² 对 ${large}c²，`
        + `前者是后者的 ${Math.round(100 * small / large)}%。`
    }

    move(row, column) {
      const inside = (place) => Math.min(this.sides.at(-1) - 1, Math.max(0, place))
      this.unit = { row: inside(row), column: inside(column) }
      this.show()
      this.keep()
    }

    key(key) {
      const { row, column } = this.unit
      const side = this.sides.at(-1)
      const next = moved([row, column], key, [side, side])
      if (next) this.move(...next)
      return Boolean(next)
    }

    reveal(depth) {
      this.stop()
      this.depth = Math.min(depth, this.windows.length)
      this.show()
      this.keep()
    }

    play() {
      if (this.timer) return this.stop()
      if (calm()) return this.reveal(this.windows.length)
      this.reveal(0)
      this.playing.textContent = '暂停'
      this.timer = setInterval(() => {
        this.depth += 1
        this.show()
        if (this.depth >= this.windows.length) this.stop()
      }, BEAT)
    }

    /* 播放时不写网址，停下来再写。 */
    stop() {
      if (this.timer) this.keep()
      clearInterval(this.timer)
      this.timer = 0
      this.playing.textContent = '从上往下播放'
    }
  }

  Stepper.stacked = Stacked
})()
