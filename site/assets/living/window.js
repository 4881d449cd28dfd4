/* 滑动的窗口：一次一个乘积地看卷积与池化。 */
(() => {
  const { make, calm } = Living
  const { slider, choice, imageChoice, button, written, factor, grey, signed, limitOf, picture, whole } = Stepper

  const OPERATIONS = { conv: '卷积', max: '最大池化', average: '平均池化' }
  const OWN = '自己填'
  const PACES = { product: '一个乘积', output: '一个输出', row: '一行输出' }
  const BEAT = 220 // 播放时两步之间的毫秒

  class SlidingWindow {
    constructor(host, panel, data, state) {
      this.host = host
      this.data = data
      this.kind = state.kind in OPERATIONS ? state.kind : 'conv'
      this.image = whole(state.image, 0, 0, data.images.length - 1)
      this.window = {
        size: data.side,
        kernel: whole(state.kernel, this.kind === 'conv' ? 3 : 2, 1, 7), stride: whole(state.stride, 1, 1, 4),
        padding: whole(state.padding, 0, 0, 3), dilation: this.kind === 'conv' ? whole(state.dilation, 1, 1, 5) : 1,
      }
      this.pace = 'product'
      this.choose(this.presets()[state.preset] ? state.preset : '竖的边缘')
      if (state.preset === OWN) this.fill(state.weights)
      this.at = null // 正在算第几个输出；null 是从正中开始，四角多半是空的背景
      this.done = 0 // 这个输出已经算了几个乘积
      this.layOut(panel)
      this.recompute()
      if (state.at) this.goTo(whole(state.at, this.at, 0, 1e6), whole(state.done, 0, 0, this.taps))
      this.touched = true // 读者没有动过，就不改网址
    }

    /* 现成的卷积核：写出来的，与学出来的（边长只有一种）。 */
    presets() {
      const learned = this.data.kernels.map(({ name, weights }) => [name, () => weights])
      return { ...Sliding.PRESETS, ...Object.fromEntries(learned) }
    }

    /* 池化用不到卷积核，只替卷积留着，窗口的大小不跟它走。 */
    choose(name) {
      const convolves = this.kind === 'conv'
      const learned = this.data.kernels.find((one) => one.name === name)
      const side = learned?.side ?? (convolves ? this.window.kernel : 3)
      if (convolves) this.window.kernel = side
      this.preset = name
      this.weights = this.presets()[name](side)
    }

    /* 网址里写着的卷积核；个数不对或不是数的不要。 */
    fill(text = '') {
      const weights = text.split(' ').map(Number)
      const side = Math.sqrt(weights.length)
      const fits = this.kind === 'conv' ? side === this.window.kernel : Number.isInteger(side) && side <= 7
      if (!fits || !weights.every(Number.isFinite)) return
      this.preset = OWN
      this.weights = weights
    }

    layOut(panel) {
      const onkey = (event) => this.key(event.key)
      this.input = picture('输入', { onkey, onpick: (row, column) => this.pickInput(row, column) })
      this.output = picture('输出', { onkey, onpick: (row, column) => this.pick(row, column) })
      this.patch = make('div', { className: 'stepper__grid', role: 'img' })
      this.kernel = make('div', { className: 'stepper__grid' })
      this.kernelBox = make('div', {}, make('p', { className: 'stepper__label' }, '卷积核（可以改）'), this.kernel)
      this.size = make('p', { className: 'living__numbers stepper__size' })
      this.sum = make('p', { className: 'living__numbers stepper__sum', role: 'status' })
      this.problem = make('p', { className: 'stepper__problem', role: 'status' })
      const patchBox = make('div', {}, make('p', { className: 'stepper__label' }, '窗口里的像素'), this.patch)
      const middle = make('div', { className: 'stepper__middle' }, patchBox, this.kernelBox)
      this.stage = make('div', { className: 'stepper__stage' }, this.input.element, middle, this.output.element)
      panel.append(this.controls(), this.problem, this.stage, this.size, this.sum, this.buttons())
    }

    controls() {
      const kernels = Object.fromEntries([...Object.keys(this.presets()), OWN].map((name) => [name, name]))
      const change = (name) => (value) => this.reshape({ [name]: value })
      const { kernel, stride, padding, dilation } = this.window
      this.knobs = {
        kernel: slider('窗口', { min: 1, max: 7, value: kernel }, change('kernel')),
        stride: slider('步幅', { min: 1, max: 4, value: stride }, change('stride')),
        padding: slider('填充', { min: 0, max: 3, value: padding }, change('padding')),
        dilation: slider('间隔', { min: 1, max: 5, value: dilation }, change('dilation')),
        preset: choice('卷积核', kernels, this.preset, (name) => this.usePreset(name)),
      }
      const image = imageChoice(this, () => this.restart())
      const kind = choice('做什么', OPERATIONS, this.kind, (value) => this.useOperation(value))
      return make('div', {},
        make('div', { className: 'living__controls' }, kind.element, image, this.knobs.preset.element),
        make('div', { className: 'stepper__sliders' },
          ...['kernel', 'stride', 'padding', 'dilation'].map((name) => this.knobs[name].element)))
    }

    buttons() {
      this.playing = button('播放', () => this.toggle())
      const pace = choice('每步', PACES, this.pace, (value) => { this.pace = value })
      return make('div', { className: 'living__controls' },
        button('上一步', () => this.pauseAnd(() => this.back())), this.playing,
        button('下一步', () => this.pauseAnd(() => this.forward())), pace.element,
        button('算完', () => this.pauseAnd(() => this.goTo(this.values.length - 1, this.taps))),
        button('从头', () => this.pauseAnd(() => this.goTo(0, 0))))
    }

    // ---- 改设置 ----

    reshape(change) {
      const before = this.window.kernel
      this.window = { ...this.window, ...change }
      if (this.window.kernel !== before && this.kind === 'conv') this.resizeKernel(before)
      this.restart()
    }

    resizeKernel(before) {
      const { kernel } = this.window
      const written = Sliding.PRESETS[this.preset]
      this.weights = written ? written(kernel) : Sliding.resized(this.weights, before, kernel)
      if (!written) this.own()
    }

    own() {
      this.preset = OWN
      this.knobs.preset.set(OWN)
    }

    usePreset(name) {
      if (name === OWN) this.preset = OWN
      else this.choose(name)
      this.knobs.kernel.set(this.window.kernel)
      this.restart()
    }

    /* 池化通常不重叠：换到池化时窗口 2、步幅 2，换回卷积时是原来的卷积核、步幅 1。 */
    useOperation(kind) {
      const [kernel, stride] = kind === 'conv' ? [Math.sqrt(this.weights.length), 1] : [2, 2]
      if ((this.kind === 'conv') !== (kind === 'conv')) {
        this.window = { ...this.window, kernel, stride, padding: 0, dilation: 1 }
        for (const name of ['kernel', 'stride', 'padding', 'dilation']) this.knobs[name].set(this.window[name])
      }
      this.kind = kind
      this.restart()
    }

    edit(index, text) {
      const weight = Number(text.trim().replace('−', '-').replace('。', '.') || NaN)
      if (!Number.isFinite(weight)) {
        const [row, column] = [Math.floor(index / this.window.kernel), index % this.window.kernel]
        this.problem.textContent = `卷积核第 ${row + 1} 行第 ${column + 1} 个「${text}」不是数，照原来的算。`
        return
      }
      this.weights = this.weights.map((old, place) => (place === index ? weight : old))
      this.own()
      this.recompute()
    }

    restart() {
      this.at = null
      this.done = 0
      this.recompute()
    }

    recompute() {
      this.stop()
      this.problem.textContent = Sliding.misfit(this.window, this.kind !== 'conv')
      this.fits = !this.problem.textContent
      this.pixels = this.data.images[this.image].pixels
      this.values = this.fits ? Sliding.slide(this.pixels, this.window, this.kind, this.weights) : []
      this.side = this.fits ? Sliding.outputSize(this.window) : 0
      this.taps = this.window.kernel ** 2
      this.at ??= Math.floor(this.side / 2) * (this.side + 1)
      this.drawKernel()
      this.show()
      this.keep()
    }

    /* 播放时不写，停下来再写。 */
    keep() {
      if (!this.touched || this.timer) return
      const { kernel, stride, padding, dilation } = this.window
      const middle = Math.floor(this.side / 2) * (this.side + 1)
      this.host.remember({
        kind: this.kind, image: this.image, preset: this.preset, kernel, stride, padding, dilation,
        ...(this.preset === OWN && { weights: this.weights.join(' ') }),
        ...((this.at !== middle || this.done) && { at: this.at, done: this.done }),
      })
    }

    // ---- 走 ----

    goTo(at, done) {
      this.at = Math.min(Math.max(at, 0), Math.max(0, this.values.length - 1))
      this.done = done
      this.show()
      this.keep()
    }

    get finished() {
      return this.at >= this.values.length - 1 && this.done >= this.taps
    }

    forward() {
      if (this.finished) return
      if (this.pace === 'row') this.goTo(this.at + this.side, this.at + this.side >= this.values.length ? this.taps : 0)
      else if (this.pace === 'output') this.goTo(this.done < this.taps ? this.at : this.at + 1, this.taps)
      else if (this.done < this.taps) this.goTo(this.at, this.done + 1)
      else this.goTo(this.at + 1, 1)
    }

    back() {
      if (this.pace === 'row') this.goTo(this.at - this.side, 0)
      else if (this.pace === 'output') this.goTo(this.at - 1, this.at ? this.taps : 0)
      else if (this.done > 0) this.goTo(this.at, this.done - 1)
      else if (this.at > 0) this.goTo(this.at - 1, this.taps - 1)
    }

    pick(row, column) {
      if (this.fits) this.pauseAnd(() => this.goTo(row * this.side + column, this.taps))
    }

    /* 点输入：让窗口的左上角尽量靠近那一格。 */
    pickInput(row, column) {
      const nearest = (place) => Math.min(this.side - 1, Math.round(place / this.window.stride))
      this.pick(nearest(row), nearest(column))
    }

    key(key) {
      const step = { ArrowRight: () => this.forward(), ArrowLeft: () => this.back(),
        ArrowDown: () => this.leap(this.side), ArrowUp: () => this.leap(-this.side),
        Home: () => this.goTo(0, 0), End: () => this.goTo(this.values.length - 1, this.taps) }[key]
      if (step) this.pauseAnd(step)
      else if (key === ' ') this.toggle()
      return Boolean(step) || key === ' '
    }

    /* 上下换一行；到了边上就不动，不滑到别的列去。 */
    leap(places) {
      if (this.at + places >= 0 && this.at + places < this.values.length) this.goTo(this.at + places, 0)
    }

    toggle() {
      if (!this.fits) return
      if (this.timer) return this.stop()
      if (calm()) return this.key('End')
      if (this.finished) this.goTo(0, 0)
      this.playing.textContent = '暂停'
      this.sum.setAttribute('aria-live', 'off') // 播放时不一句句地念
      this.timer = setInterval(() => {
        this.forward()
        if (this.finished) this.stop()
      }, BEAT)
    }

    stop() {
      clearInterval(this.timer)
      if (this.timer) setTimeout(() => this.keep()) // 停下来才写网址
      this.timer = 0
      this.playing.textContent = '播放'
      this.sum.setAttribute('aria-live', 'polite')
    }

    pauseAnd(step) {
      this.stop()
      if (this.fits) step()
    }

    // ---- 画 ----

    show() {
      this.seen = this.fits
        ? Sliding.taps(this.pixels, this.window, Math.floor(this.at / this.side), this.at % this.side) : []
      this.showInput()
      this.showOutput()
      this.showPatch()
      this.showTexts()
    }

    showInput() {
      const { size, padding } = this.window
      const side = size + 2 * padding
      const padded = Array.from({ length: side * side }, (_, index) => {
        const [row, column] = [Math.floor(index / side) - padding, index % side - padding]
        return row >= 0 && column >= 0 && row < size && column < size ? this.pixels[row * size + column] : null
      })
      this.input.paint(padded, side, grey)
      this.input.describe(`输入 ${size}×${size}${padding ? `，四周各填充 ${padding} 格 0` : ''}`)
      const cell = ({ row, column }, kind) => ({ row: row + padding, column: column + padding, side: 1, kind })
      const frames = this.seen.map((one) => cell(one, 'tap'))
      if (this.fits) frames.push({ ...cell(this.seen[0], 'window'), side: Sliding.extent(this.window) })
      if (this.current) frames.push(cell(this.current, 'now'))
      this.input.outline(frames)
    }

    /* 正在乘的那一格。 */
    get current() {
      return this.done > 0 && this.done <= this.taps ? this.seen[this.done - 1] : null
    }

    showOutput() {
      const filled = this.at + (this.done >= this.taps ? 1 : 0)
      const values = Array.from(this.values, (value, index) => (index < filled ? value : null))
      const color = this.kind === 'conv' ? signed(limitOf(this.values)) : grey
      this.output.paint(values, this.side || 1, color)
      this.output.describe(`输出 ${this.side}×${this.side}，算好 ${filled} 个`)
      const place = { row: Math.floor(this.at / this.side), column: this.at % this.side, side: 1, kind: 'window' }
      this.output.outline(this.fits ? [place] : [])
    }

    showPatch() {
      const { kernel } = this.window
      this.patch.style.setProperty('--cells', kernel)
      this.patch.replaceChildren(...this.seen.map(({ value }, index) => make('span', {
        className: `stepper__cell${this.mark(index)}`,
      }, value === null ? '·' : written(value))))
      const words = this.seen.map(({ value }) => (value === null ? '填充' : value)).join('，')
      this.patch.setAttribute('aria-label', `窗口里的像素：${words}`)
      for (const [index, input] of [...this.kernel.children].entries()) {
        input.className = `stepper__weight${this.mark(index)}`
      }
    }

    mark(index) {
      if (index === this.done - 1) return ' stepper__cell--now'
      return index < this.done ? ' stepper__cell--done' : ''
    }

    drawKernel() {
      const { kernel } = this.window
      const pooling = this.kind !== 'conv' // 池化没有权重，这里也不隔开取
      for (const one of [this.kernelBox, this.knobs.preset.element, this.knobs.dilation.element]) one.hidden = pooling
      this.stage.classList.toggle('stepper__stage--large', kernel > 4) // 两张表并排，放在图的下面
      this.kernel.style.setProperty('--cells', kernel)
      if (this.kernel.childElementCount !== this.weights.length) this.kernel.replaceChildren(...this.cells())
      this.weights.forEach((weight, index) => { this.kernel.children[index].value = written(weight) })
    }

    /* 各个权重的框；大小没有变就留着，正在改的那一个才不丢焦点。 */
    cells() {
      const kernel = Math.sqrt(this.weights.length)
      return this.weights.map((_, index) => {
        const input = make('input', { type: 'text', inputMode: 'decimal', onchange: () => this.edit(index, input.value) })
        input.setAttribute('aria-label', `第 ${Math.floor(index / kernel) + 1} 行第 ${index % kernel + 1} 个权重`)
        return input
      })
    }

    showTexts() {
      const { size, kernel, stride, padding, dilation } = this.window
      const reach = Sliding.extent(this.window)
      const spread = dilation > 1 ? `（${kernel}×${kernel} 的窗口每隔 ${dilation} 格取一个，撑开成 ${reach}×${reach}）` : ''
      this.size.textContent = this.fits
        ? `输出边长 = ⌊(${size} + 2×${padding} − ${reach}) / ${stride}⌋ + 1 = ${this.side}${spread}` : ''
      this.sum.textContent = this.fits ? this.told() : ''
    }

    /* 把算到一半的和写出来。 */
    told() {
      const place = `第 ${Math.floor(this.at / this.side) + 1} 行第 ${this.at % this.side + 1} 个输出：`
      if (!this.done) return `${place}按「下一步」或右方向键，一项一项地算。`
      const seen = this.seen.slice(0, this.done)
      const partial = this.kind === 'average'
        ? seen.reduce((sum, { value }) => sum + (value ?? 0), 0)
        : Sliding.REDUCE[this.kind](seen, this.weights)
      return place + this[`told_${this.kind}`](seen, partial, this.done >= this.taps)
    }

    told_conv(seen, partial) {
      const terms = seen.map(({ value }, index) => `${written(value ?? 0)}×${factor(this.weights[index])}`)
      return `${shortened(terms, ' + ')} = ${written(partial)}`
    }

    told_max(seen, partial) {
      const shown = seen.map(({ value }) => (value === null ? '填充' : written(value)))
      return `max(${shortened(shown, '，')}) = ${Number.isFinite(partial) ? written(partial) : '还没有'}`
    }

    told_average(seen, partial, complete) {
      const total = `${shortened(seen.map(({ value }) => written(value ?? 0)), ' + ')} = ${written(partial)}`
      return complete ? `${total}，除以 ${this.taps}，得 ${written(partial / this.taps)}` : total
    }
  }

  /* 很长的和只写最后几项。 */
  const shortened = (terms, joint) => (terms.length > 9 ? ['…', ...terms.slice(-5)] : terms).join(joint)

  Stepper.window = SlidingWindow
})()
