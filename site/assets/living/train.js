/* 现场训练：读者定学习率、初始值、激活函数、批量，LeNet 就在 Worker 里训练给他看。
 *
 * 算术在 lenet_training.js，图在 training_pictures.js；这里管控件、Worker 与网址里的状态。
 * 图像（约 1.5 MB）等读者第一次点「开始」才取。原来的图留着：它是另一次训练的。 */
(() => {
  const { make } = Living
  const engine = Living.lenetTraining()
  const WORKER = `const { train } = (${Living.lenetTraining})()
    onmessage = ({ data: { settings, images } }) => {
      for (const report of train(settings, images)) postMessage(report)
    }`
  const CHOICES = {
    activation: ['relu', 'sigmoid'],
    rate: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    scale: [0.125, 0.25, 0.5, 1, 2, 4, 8],
    batch: [8, 16, 32, 64, 128, 256],
    seed: [0, 1, 2, 3, 4],
  }
  const NAMES = { activation: '激活函数', rate: '学习率', scale: '初始值', batch: '批量', seed: '种子' }
  const USUAL = { activation: 'relu', rate: 0.1, scale: 1, batch: 32, seed: 0 }
  const FRACTIONS = { 0.125: '⅛', 0.25: '¼', 0.5: '½' }
  const WORDS = { relu: 'ReLU', sigmoid: 'sigmoid' }
  const words = (key, value) => {
    if (key === 'scale') return `He × ${FRACTIONS[value] || value}`
    return WORDS[value] || String(value)
  }
  const TRIES = [
    ['ReLU', {}, '看直方图：五层的梯度相差不过一个量级多；曲线一开始就往下走。'],
    ['sigmoid，初始值 × ¼', { activation: 'sigmoid', scale: 0.25 },
      '看直方图：越靠前的层越靠左，第 1 层的梯度比第 5 层小三个量级；损失停在乱猜的 2.303 附近。'],
    ['sigmoid，初始值 × 4', { activation: 'sigmoid', scale: 4 },
      '同样是 sigmoid，只把初始的权重放大：误差往回传时乘的权重也大了，前几层收得到梯度，曲线动了起来。'],
    ['ReLU，初始值 × 4', { scale: 4 },
      '放得太大，头几步就迈过了头：各层恰好为 0 的梯度占到 100%，单元全都不作声，再也学不动。'],
    ['学习率 1', { rate: 1 }, '一步迈得太大，损失几步之内就不再是有限的数。'],
  ]

  /* 从文字里读出设置；不在可选范围里的，收进 refused。 */
  function read(written) {
    const [settings, refused] = [{}, []]
    for (const [key, choices] of Object.entries(CHOICES)) {
      if (!(key in written)) continue
      const found = choices.find((one) => String(one) === written[key])
      if (found === undefined) refused.push(`${NAMES[key]} ${written[key]}`)
      else settings[key] = found
    }
    return { settings, refused }
  }

  const described = (settings) =>
    Object.entries(settings).map(([key, value]) =>
      (key === 'activation' ? '' : `${NAMES[key]} `) + words(key, value)).join('，')

  customElements.define('living-train', class extends Living.LivingElement {
    build(panel, state) {
      const { settings, refused } = read(state)
      this.settings = { ...USUAL, ...read({ ...this.dataset }).settings, ...settings }
      this.runs = []
      this.status = make('p', { className: 'train__status', role: 'status' })
      this.hint = make('p', { className: 'train__hint', role: 'status' })
      this.legend = make('ul', { className: 'train__runs living__numbers' })
      this.figures = make('div', { className: 'chart__pair' })
      panel.append(this.introduction(), this.controls(), this.buttons(), this.tries(), this.hint,
        this.status, this.legend, this.figures)
      if (refused.length) this.say(`网址里的${refused.join('、')} 不在可选的范围里，换成了通常的设置。`)
    }

    say(text) {
      this.status.textContent = text
    }

    introduction() {
      return make('p', {}, make('strong', {}, '自己训练一次。'), ' LeNet 就在这一页里训练：' +
        '训练集的前 2,000 张图像，普通的随机梯度下降，一轮几秒钟；最后 500 张留出来看准确率，不参加训练。')
    }

    controls() {
      this.inputs = {}
      const selects = ['activation', 'batch', 'seed'].map((key) => this.select(key))
      const sliders = ['rate', 'scale'].map((key) => this.slider(key))
      return make('div', {}, make('div', { className: 'living__controls' }, ...selects),
        make('div', { className: 'train__sliders' }, ...sliders))
    }

    slider(key) {
      const output = make('output', { className: 'living__numbers', 'aria-live': 'off' })
      const input = make('input', { type: 'range', min: 0, max: CHOICES[key].length - 1, step: 1,
        oninput: () => this.set({ [key]: CHOICES[key][input.value] }) })
      this.inputs[key] = (value) => {
        input.value = CHOICES[key].indexOf(value)
        output.textContent = words(key, value)
        input.setAttribute('aria-valuetext', words(key, value))
      }
      this.inputs[key](this.settings[key])
      return make('label', { className: 'train__slider' }, NAMES[key], input, output)
    }

    select(key) {
      const options = CHOICES[key].map((one) => make('option', { value: one }, words(key, one)))
      const input = make('select', {
        onchange: () => this.set({ [key]: CHOICES[key][input.selectedIndex] }),
      }, ...options)
      this.inputs[key] = (value) => {
        input.selectedIndex = CHOICES[key].indexOf(value)
      }
      this.inputs[key](this.settings[key])
      return make('label', {}, NAMES[key], input)
    }

    set(changed) {
      Object.assign(this.settings, changed)
      for (const [key, value] of Object.entries(changed)) this.inputs[key](value)
      this.remember(this.settings)
    }

    buttons() {
      this.go = make('button', { type: 'button', className: 'train__go', onclick: () => this.begin() },
        `开始训练（先取 ${Living.sizeOf(this.dataset.bytes)} 图像）`)
      this.halt = make('button', { type: 'button', disabled: true,
        onclick: () => this.finish(`停在第 ${this.reached()} 轮。`) }, '停止')
      return make('div', { className: 'living__controls train__row' }, this.go, this.halt)
    }

    tries() {
      const buttons = TRIES.map(([title, changed, hint]) => make('button', { type: 'button',
        onclick: () => {
          this.set({ ...USUAL, ...changed })
          this.hint.textContent = hint
        } }, title))
      return make('div', { className: 'living__controls train__row' }, '试一试：', ...buttons)
    }

    async begin() {
      if (this.fetching) return // 按钮不变灰：变灰的按钮留不住焦点
      this.finish()
      const settings = { ...this.settings }
      this.remember(settings)
      this.say('正在取图像……')
      this.fetching = true
      try {
        this.images ??= await images()
      } catch (error) {
        this.say(Living.told(error))
        return
      } finally {
        this.fetching = false
      }
      this.go.textContent = '从头训练'
      this.runs = [{ settings, reports: [] }, ...this.runs.filter(({ reports }) => reports.length)]
      this.runs.splice(2)
      this.launch(settings)
    }

    launch(settings) {
      this.say('正在训练……')
      this.halt.disabled = false
      const source = URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }))
      this.worker = new Worker(source)
      URL.revokeObjectURL(source)
      this.worker.onmessage = ({ data }) => this.hear(data)
      this.worker.onerror = () => this.finish('训练没能开始：这个浏览器不许网页另开一个线程。')
      const given = { ...settings, sigmoid: settings.activation === 'sigmoid' }
      this.worker.postMessage({ settings: given, images: this.images })
    }

    hear(report) {
      const [run] = this.runs
      if (report.broken) {
        run.broken = report.broken
        this.draw()
        this.finish(explained(run))
        return
      }
      run.reports.push(report)
      this.draw()
      if (Number.isInteger(report.epoch)) this.say(`走完了 ${report.epoch} 轮，共 ${engine.EPOCHS} 轮。`)
      if (report.epoch === engine.EPOCHS) this.finish(`${engine.EPOCHS} 轮都训练完了。`)
    }

    reached() {
      return (this.runs[0]?.reports.at(-1)?.epoch ?? 0).toFixed(2)
    }

    /* 不再训练；没有在训练时什么也不做。 */
    finish(text) {
      if (!this.worker) return
      this.worker.terminate()
      this.worker = null
      if (document.activeElement === this.halt) this.go.focus() // 变灰的按钮留不住焦点
      this.halt.disabled = true
      if (text) this.say(text)
    }

    draw() {
      if (!this.runs.length) return
      this.legend.replaceChildren(...this.runs.map((run, index) => legend(run, index)))
      const { losses, accuracies, histograms } = Living.trainingPictures
      const { runs } = this
      this.figures.replaceChildren(
        figure('训练损失（每四分之一轮的平均）', losses(runs, engine.EPOCHS)),
        figure('留出的 500 张图像的准确率', accuracies(runs, engine.EPOCHS)),
        figure(`前 ${engine.PROBE} 张训练图像的损失对各层权重的梯度，虚线是非零值的中位数`,
          histograms(runs, engine)))
    }
  })

  const figure = (title, svg) => make('div', {}, make('p', { className: 'chart__title' }, title), svg)

  const written = (loss) => (loss < 1000 ? loss.toFixed(3) : loss.toExponential(1))

  function legend({ settings, reports, broken }, index) {
    const end = reports.at(-1)
    const result = (end ? `：${end.epoch.toFixed(2)} 轮，损失 ${written(end.loss)}，` +
      `准确率 ${(100 * end.accuracy).toFixed(1)}%` : '') + (broken ? '，随后损失成了 NaN' : '')
    const mark = make('span', { className: `train__mark train__mark--${index ? 'before' : 'now'}` })
    return make('li', {}, mark, `${index ? '上一次' : '这一次'}（${described(settings)}）${result}`)
  }

  /* 为什么停了下来，可以怎么办。 */
  function explained({ broken: { epoch, step }, settings: { rate, scale } }) {
    const cause = scale > 1 ? `初始值放大到 ${scale} 倍，得分与梯度也大了许多，学习率 ${rate} 的一步`
      : `学习率 ${rate} 太大，一步`
    return `第 ${epoch} 轮第 ${step} 步，损失不再是有限的数（NaN），训练停了下来。${cause}` +
      '迈过了头，权重越走越大，直到超出浮点数的范围。把学习率减到三分之一再试。'
  }

  async function images() {
    const { train, held } = await Living.data('training_images')
    const part = async ({ pixels, labels }) =>
      ({ pixels: await Living.inflate(pixels), labels: [...labels].map(Number) })
    return { train: await part(train), held: await part(held) }
  }
})()
