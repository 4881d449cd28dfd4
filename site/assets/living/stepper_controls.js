/* 卷积步进器的零件：滑块、下拉、按钮，一张能点、能用方向键走的图，以及数的写法。 */
(() => {
  const { make, draw } = Living

  /* 带数的滑块；onchange 收到一个数。set 改数而不触发 onchange。 */
  function slider(label, { min, max, step = 1, value }, onchange) {
    const shown = make('output', { className: 'living__numbers', 'aria-live': 'off' }, written(value)) // 读屏念滑块自己的数
    const range = make('input', {
      type: 'range', min, max, step, value,
      oninput: () => {
        shown.textContent = written(Number(range.value))
        onchange(Number(range.value))
      },
    })
    const set = (next) => {
      range.value = next
      shown.textContent = written(next)
    }
    return { element: make('label', { className: 'stepper__slider' }, label, range, shown), set }
  }

  /* 下拉；options 是 {值: 文字}。 */
  function choice(label, options, value, onchange) {
    const rows = Object.entries(options).map(([key, text]) => make('option', { value: key }, text))
    const select = make('select', { onchange: () => onchange(select.value) }, ...rows)
    select.value = value
    return { element: make('label', {}, label, select), set: (next) => { select.value = next } }
  }

  /* 选一张图像：mode 的 image 是第几张，换过之后调用 changed。 */
  function imageChoice(mode, changed) {
    const names = Object.fromEntries(mode.data.images.map(({ name }, index) => [index, name]))
    return choice('图像', names, mode.image, (value) => {
      mode.image = Number(value)
      changed()
    }).element
  }

  /* 网址里的整数：不像话就用默认的。 */
  function whole(text, usual, low, high) {
    const number = Number(text)
    return Number.isInteger(number) && number >= low && number <= high ? number : usual
  }

  const button = (text, onclick) => make('button', { type: 'button', onclick }, text)

  /* 数的写法：至多两位小数，负号用 −。 */
  function written(number) {
    const rounded = Math.round(number * 100) / 100
    return String(rounded === 0 ? 0 : rounded).replace('-', '−')
  }

  const factor = (number) => written(number).replace(/^−.*/, '($&)') // 乘号后面的负数加括号

  /* 灰度图：0～255。 */
  const grey = (value) => [value, value, value, 255]

  /* 有正有负的图：红为正，蓝为负，越接近 0 越透明，露出页面的底色。 */
  const signed = (limit) => (value) => {
    const strength = limit ? Math.round(255 * Math.min(1, Math.abs(value) / limit)) : 0
    return value < 0 ? [40, 120, 210, strength] : [214, 52, 58, strength]
  }

  const limitOf = (map) => map.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

  /* 一张方图：paint 画各格（null 是还没有算的），outline 描框；点一格或拖过去是 onpick，
   * onkey 收到按键，处理了就返回 true。 */
  function picture(label, { onpick, onkey } = {}) {
    const canvas = make('canvas')
    const frames = draw('svg', { 'aria-hidden': 'true' })
    const caption = make('figcaption', {}, label)
    const box = make('div', { className: 'stepper__map' }, canvas, frames)
    box.setAttribute('role', onkey ? 'group' : 'img')
    if (onkey) {
      box.tabIndex = 0
      box.addEventListener('keydown', (event) => { if (onkey(event)) event.preventDefault() })
    }
    if (onpick) makePickable(box, () => canvas.width, onpick)

    function paint(values, side, color) {
      canvas.width = canvas.height = side
      const context = canvas.getContext('2d')
      const pixels = context.createImageData(side, side)
      values.forEach((value, index) => {
        pixels.data.set(value === null ? [128, 128, 128, 70] : color(value), 4 * index)
      })
      context.putImageData(pixels, 0, 0)
      frames.setAttribute('viewBox', `0 0 ${side} ${side}`)
    }

    /* 各框 {row, column, side, kind}，单位是格。 */
    function outline(rectangles) {
      frames.replaceChildren(...rectangles.map(({ row, column, side, kind }) => draw('rect', {
        x: column, y: row, width: side, height: side, class: `stepper__frame stepper__frame--${kind}`,
      })))
    }

    function describe(text) {
      caption.textContent = text
      box.setAttribute('aria-label', text)
    }

    describe(label)
    return { element: make('figure', { className: 'stepper__picture' }, box, caption), box, paint, outline, describe }
  }

  function makePickable(box, side, onpick) {
    const pick = (event) => {
      const { left, top, width } = box.getBoundingClientRect()
      const place = (offset) => Math.min(side() - 1, Math.max(0, Math.floor(offset / width * side())))
      onpick(place(event.clientY - top), place(event.clientX - left))
    }
    box.classList.add('stepper__map--pickable')
    box.addEventListener('pointerdown', pick)
    box.addEventListener('pointermove', (event) => { if (event.buttons) pick(event) })
  }

  window.Stepper = { slider, choice, imageChoice, whole, button, written, factor, grey, signed, limitOf, picture }
})()
