/* 1×1 卷积：同一个位置上三个通道的加权和；再用全局平均池化把整张图变成一个数。 */
(() => {
  const { make } = Living
  const { slider, choice, written, factor, signed, limitOf, picture } = Stepper
  const CHANNELS = ['原图', '竖的边缘', '横的边缘']

  class Mixing {
    constructor(host, panel, data, state) {
      this.host = host
      this.data = data
      this.image = Number(state.image) in data.images ? Number(state.image) : 0
      this.weights = CHANNELS.map((_, channel) => within(state[`w${channel + 1}`], 2, [0.5, 1, -1][channel]))
      this.bias = within(state.b, 100, 0)
      const at = (state.at || '').split('-').map(Number)
      const inside = (place) => Number.isInteger(place) && place >= 0 && place < data.side
      this.at = at.length === 2 && at.every(inside) ? { row: at[0], column: at[1] } : { row: 14, column: 14 }
      const pick = {
        onpick: (row, column) => this.move(row, column), onkey: (event) => this.key(event.key),
      }
      this.channels = CHANNELS.map((name) => picture(name, pick))
      this.output = picture('输出', pick)
      this.average = picture('全局平均')
      this.average.element.classList.add('stepper__single')
      this.sum = make('p', { className: 'living__numbers stepper__sum', role: 'status' })
      this.mean = make('p', { className: 'living__numbers stepper__size' })
      const pictures = [...this.channels, this.output, this.average].map((one) => one.element)
      panel.append(this.controls(), make('div', { className: 'stepper__maps' }, ...pictures), this.sum, this.mean)
      this.recompute()
      this.touched = true // 读者没有动过，就不改网址
    }

    controls() {
      const images = Object.fromEntries(this.data.images.map(({ name }, index) => [index, name]))
      const image = choice('图像', images, this.image, (value) => {
        this.image = Number(value)
        this.recompute()
      })
      const weigh = (channel) => (value) => {
        this.weights[channel] = value
        this.recompute()
      }
      const knobs = CHANNELS.map((name, channel) => slider(`${name}的权重`,
        { min: -2, max: 2, step: 0.1, value: this.weights[channel] }, weigh(channel)))
      const bias = slider('偏置', { min: -100, max: 100, step: 5, value: this.bias }, (value) => {
        this.bias = value
        this.recompute()
      })
      return make('div', {}, make('div', { className: 'living__controls' }, image.element),
        make('div', { className: 'stepper__sliders' }, ...[...knobs, bias].map((one) => one.element)))
    }

    recompute() {
      const { side, images } = this.data
      const pixels = images[this.image].pixels
      const edges = ['竖的边缘', '横的边缘'].map((name) => {
        const window = { size: side, kernel: 3, stride: 1, padding: 1, dilation: 1 }
        // 三项相加的差，除以 3，与像素同一个量级
        return Sliding.slide(pixels, window, 'conv', Sliding.PRESETS[name](3).map((weight) => weight / 3))
      })
      this.maps = [Float64Array.from(pixels), ...edges]
      this.mixed = Sliding.mix(this.maps, this.weights, this.bias)
      this.maps.forEach((map, channel) => this.channels[channel].paint(Array.from(map), side, signed(255)))
      this.output.paint(Array.from(this.mixed), side, signed(limitOf(this.mixed)))
      this.average.paint([Sliding.mean(this.mixed)], 1, signed(limitOf(this.mixed)))
      this.show()
      this.keep()
    }

    keep() {
      const [w1, w2, w3] = this.weights
      const at = `${this.at.row}-${this.at.column}`
      if (this.touched) this.host.remember({ image: this.image, w1, w2, w3, b: this.bias, ...(at !== '14-14' && { at }) })
    }

    show() {
      const { row, column } = this.at
      const frame = [{ row, column, side: 1, kind: 'now' }]
      for (const one of [...this.channels, this.output]) one.outline(frame)
      const index = row * this.data.side + column
      const terms = this.maps.map((map, channel) => `${factor(this.weights[channel])}×${factor(map[index])}`)
      this.sum.textContent = `第 ${row + 1} 行第 ${column + 1} 个像素：${terms.join(' + ')} + ${factor(this.bias)} = ${written(this.mixed[index])}。`
        + '每个像素都用同样的三个权重和偏置，不看邻居；要几个输出通道，就有几组这样的数。'
      this.mean.textContent = `全局平均池化：${this.mixed.length} 个数的平均是 ${written(Sliding.mean(this.mixed))}，整张图只剩这一个数。`
    }

    move(row, column) {
      const inside = (place) => Math.min(this.data.side - 1, Math.max(0, place))
      this.at = { row: inside(row), column: inside(column) }
      this.show()
      this.keep()
    }

    key(key) {
      const shift = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key]
      if (shift) this.move(this.at.row + shift[0], this.at.column + shift[1])
      return Boolean(shift)
    }
  }

  function within(text, most, usual) {
    const number = Number(text)
    return text !== undefined && Math.abs(number) <= most ? number : usual
  }

  Stepper.Mixing = Mixing
})()
