/* 画板：28×28 个格子，鼠标、手指、键盘都能画；画的就是网络看到的，没有再缩小一次。 */
(() => {
  const SIDE = 28

  /* 返回 {canvas, controls, show(pixels)}；changed(pixels, 一笔画完了没有) 在每次改动后调用。 */
  function createPad(changed) {
    let pixels = new Uint8Array(SIDE * SIDE)
    let [row, column] = [14, 14] // 键盘的笔在哪里
    let last = null // 上一个点，两点之间补满
    const canvas = Living.make('canvas', {
      width: SIDE, height: SIDE, className: 'lab__pad', tabIndex: 0,
      role: 'application', 'aria-label': '画板，28×28 格。方向键移动，空格画，退格擦',
      onkeydown: byKey, onpointerdown: begin, onpointermove: move,
      onpointerup: end, onpointercancel: end, onfocus: paint, onblur: paint,
    })
    const context = canvas.getContext('2d')
    const size = Living.make('select', {},
      ...[[1, '细'], [2, '中'], [3, '粗']].map(([value, text]) => new Option(text, value)))
    size.value = 2
    const eraser = Living.make('button', { type: 'button', 'aria-pressed': 'false', onclick: toggle }, '橡皮')
    const clear = Living.make('button', { type: 'button', onclick: empty }, '清空')
    const controls = Living.make('div', { className: 'living__controls' },
      Living.make('label', {}, '笔', size), eraser, clear)

    const erasing = () => eraser.getAttribute('aria-pressed') === 'true'

    function toggle() {
      eraser.setAttribute('aria-pressed', String(!erasing()))
    }

    function empty() {
      pixels = new Uint8Array(SIDE * SIDE)
      paint()
      changed(pixels.slice(), true)
    }

    function show(given) {
      pixels = given.slice()
      paint()
    }

    function paint() {
      Living.paint(canvas, pixels, SIDE, SIDE, [0, 255])
      if (!canvas.matches(':focus-visible')) return
      context.fillStyle = '#e8590c'
      context.fillRect(column, row, 1, 1)
    }

    /* 以 (y, x) 为中心的一笔；边上浅一点，与训练图像的边缘相像。 */
    function dab(y, x, erase) {
      const radius = Number(size.value) / 2 + (erase ? 1 : 0) // 橡皮宽一点，擦得掉笔的淡边
      for (let i = Math.floor(y - radius - 1); i <= y + radius + 1; i++) {
        for (let j = Math.floor(x - radius - 1); j <= x + radius + 1; j++) {
          if (i < 0 || j < 0 || i >= SIDE || j >= SIDE) continue
          const covered = Math.min(Math.max(radius + 0.5 - Math.hypot(i + 0.5 - y, j + 0.5 - x), 0), 1)
          const at = i * SIDE + j
          pixels[at] = erase ? Math.min(pixels[at], 255 * (1 - covered)) : Math.max(pixels[at], 255 * covered)
        }
      }
    }

    function strokeTo(point) {
      const from = last || point
      const steps = Math.max(Math.ceil(Math.hypot(point[0] - from[0], point[1] - from[1]) * 2), 1)
      for (let i = 0; i <= steps; i++) {
        dab(...from.map((value, k) => value + (point[k] - value) * i / steps), erasing())
      }
      last = point
      paint()
      changed(pixels.slice(), false)
    }

    function place(event) {
      const box = canvas.getBoundingClientRect()
      return [(event.clientY - box.top) / box.height * SIDE, (event.clientX - box.left) / box.width * SIDE]
    }

    /* 只有左键、头一个手指画得上；右键是菜单，第二个手指会从头一个那里连出一条线。 */
    function begin(event) {
      if (event.button || !event.isPrimary) return
      canvas.setPointerCapture(event.pointerId)
      last = null
      strokeTo(place(event))
    }

    function move(event) {
      if (!last || !event.isPrimary) return
      if (event.buttons) strokeTo(place(event))
      else end(event) // 抬起来的那一下没有收到
    }

    function end(event) {
      if (!last || !event.isPrimary) return
      last = null
      changed(pixels.slice(), true)
    }

    function byKey(event) {
      const next = Living.moved([row, column], event.key, [SIDE, SIDE])
      if (next) [row, column] = next
      else if (event.key === ' ' || event.key === 'Backspace') {
        dab(row + 0.5, column + 0.5, erasing() || event.key === 'Backspace')
        changed(pixels.slice(), true)
      } else return
      event.preventDefault()
      paint()
    }

    paint()
    return { canvas, controls, show }
  }

  Living.createPad = createPad
})()
