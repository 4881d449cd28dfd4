/* 选中的网络各段的特征图；点一张放大，直接读图像的卷积层还有卷积核与它看到的那一块。 */
(() => {
  const { make } = Living
  const FIRST = 32 // 先画这么多个通道
  const short = (value) => value.toFixed(2).replace('-', '−')

  /* asked()：读者换了一段，请再算一次；picked()：换了别的，请记进网址；kernelsOf(层) 给出卷积核，
   * 没有的是 null；清零一个通道是 surgery 的事。 */
  function createMaps(asked, picked, kernelsOf, surgery) {
    let program, map, image, layer, newest // newest 是最近来的特征图
    let place // 读者在放大的图上选的 [行, 列]；没有选就是最大的一处
    let [channel, all] = [null, false]
    const stage = make('select', { onchange: () => { channel = null; all = false; asked() } })
    const shared = make('input', { type: 'checkbox', onchange: () => { draw(); picked() } })
    const says = make('p', { className: 'lab__note living__numbers' })
    const grid = make('div', { className: 'lab__maps', role: 'group', 'aria-label': '各通道的特征图' })
    const more = make('button', { type: 'button', onclick: () => { all = true; draw(); grid.children[FIRST].focus() } })
    const detail = make('div', { className: 'lab__detail' })
    const element = make('section', { className: 'lab__part', 'aria-label': '特征图' },
      make('div', { className: 'living__controls' },
        make('label', {}, '特征图', stage), make('label', {}, shared, '各图共用一个色标')),
      says, grid, more, detail)

    function useNetwork(given) {
      if (program === given) return
      program = given
      channel = null
      stage.replaceChildren(...program.taps.map((name) => new Option(program.titles[name], name)))
    }

    const tap = () => stage.value

    /* 等卷积核的时候又来了新的，旧的就不画了。 */
    async function show(maps) {
      newest = maps
      const name = tap()
      const kernels = name === program.taps[0] ? await kernelsOf(name) : null
      if (newest !== maps) return
      map = maps[name]
      image = maps.image
      layer = kernels
      draw()
    }

    const valuesOf = (one) => {
      const each = map.shape[1] * map.shape[2]
      return map.data.subarray(one * each, (one + 1) * each)
    }

    function draw() {
      if (!map) return
      const [channels, height, width] = map.shape
      const whole = Living.rangeOf(map.data)
      says.textContent = `${channels} 个通道，每个 ${height}×${width}；数值 ${short(whole[0])}～${short(whole[1])}。`
        + (shared.checked ? '' : '每张各自从最小（暗）画到最大（亮）。')
      const shown = all ? channels : Math.min(FIRST, channels)
      fill(shown)
      grid.childNodes.forEach((button, i) => {
        const range = Living.rangeOf(valuesOf(i))
        const named = `通道 ${i}，${short(range[0])}～${short(range[1])}`
        Living.paint(button.firstChild, valuesOf(i), height, width, shared.checked ? whole : range, 'heat')
        button.setAttribute('aria-label', named)
        button.setAttribute('aria-pressed', String(i === channel))
        button.title = named
      })
      more.hidden = shown === channels
      more.textContent = `看全部 ${channels} 个通道`
      drawDetail()
    }

    /* 只增减按钮、不重建：边画边看的时候，键盘的焦点留在原处。 */
    function fill(count) {
      while (grid.childElementCount > count) grid.lastChild.remove()
      while (grid.childElementCount < count) {
        const i = grid.childElementCount
        grid.append(make('button', { type: 'button', className: 'lab__map', onclick: () => { channel = i; draw(); picked() } },
          make('canvas', {})))
      }
    }

    // ---- 放大的一张 ----

    /* 重画之后键盘的焦点回到原处：新的结果随时会来。 */
    function drawDetail() {
      const reachable = () => [...detail.querySelectorAll('[tabindex="0"], button')]
      const focused = reachable().indexOf(document.activeElement)
      fillDetail()
      reachable()[focused]?.focus()
    }

    function fillDetail() {
      detail.replaceChildren()
      if (channel === null || channel >= map.shape[0]) return
      const [, height, width] = map.shape
      const values = valuesOf(channel)
      const at = place && place[0] < height && place[1] < width ? place : largest(values, width)
      const large = make('canvas', {
        className: 'lab__large', tabIndex: 0, role: 'application',
        'aria-label': `通道 ${channel} 的特征图；方向键换一处`,
        onclick: (event) => moveTo(pointed(event, large, height, width)),
        onkeydown: (event) => step(event, at, [height, width]),
      })
      const parts = [figure(large, `通道 ${channel}：第 ${at[0] + 1} 行第 ${at[1] + 1} 列是 ${short(values[at[0] * width + at[1]])}`)]
      if (layer) parts.push(...kernelFigures(at))
      detail.append(...parts, zeroing(`${tap()}:${channel}`))
      Living.paint(large, values, height, width, Living.rangeOf(values), 'heat')
      large.getContext('2d').fillStyle = '#e8590c'
      large.getContext('2d').fillRect(at[1], at[0], 1, 1)
    }

    function largest(values, width) {
      const at = values.indexOf(Living.rangeOf(values)[1])
      return [Math.floor(at / width), at % width]
    }

    function moveTo(next) {
      place = next
      drawDetail()
      picked()
    }

    /* 清零这个通道：后面的层读到的都是 0。 */
    function zeroing(mark) {
      return make('button', { type: 'button', 'aria-pressed': String(surgery.has(mark)), onclick: () => {
        surgery.toggle(mark)
        drawDetail()
      } }, '清零这个通道')
    }

    function pointed(event, canvas, height, width) {
      const box = canvas.getBoundingClientRect()
      return [Math.floor((event.clientY - box.top) / box.height * height),
        Math.floor((event.clientX - box.left) / box.width * width)]
    }

    function step(event, at, sizes) {
      const next = Living.moved(at, event.key, sizes)
      if (!next) return
      event.preventDefault()
      moveTo(next)
    }

    /* 第一层：这个通道的核、那一处看到的一块、整张图上的方框。 */
    function kernelFigures([row, column]) {
      const [, , height, width] = layer.shape
      const kernel = layer.data.subarray(channel * height * width, (channel + 1) * height * width)
      const [top, left] = [row * layer.stride[0] - layer.padding[0], column * layer.stride[1] - layer.padding[1]]
      const patch = seenPatch(image, top, left, height, width)
      const [whole, one, seen] = [make('canvas'), make('canvas'), make('canvas')]
      Living.paint(one, kernel, height, width, Living.symmetric(kernel), 'signed')
      Living.paint(seen, patch, height, width, Living.rangeOf(image.data))
      Living.paint(whole, image.data, image.shape[1], image.shape[2], Living.rangeOf(image.data))
      const pen = whole.getContext('2d')
      pen.strokeStyle = '#e8590c'
      pen.lineWidth = 2
      pen.strokeRect(left, top, width, height)
      return [
        figure(one, `它的卷积核，${height}×${width}：红为正，蓝为负`),
        figure(seen, `这一处看到的一块：与核逐点相乘再相加${layer.biased ? '，加上偏置' : ''}`),
        figure(whole, `那一块在 ${image.shape[1]}×${image.shape[2]} 的输入里`),
      ]
    }

    function restore(state) {
      if (program.taps.includes(state.stage)) stage.value = state.stage
      shared.checked = state.shared === '1'
      const at = (state.at || '').split('-').map(Number)
      if (at.length === 2 && at.every(Number.isInteger)) place = at
      if (/^\d+$/.test(state.channel)) channel = Number(state.channel)
      all = channel >= FIRST
    }

    const written = () => ({
      stage: tap(), ...(channel !== null && { channel }),
      ...(channel !== null && place && { at: place.join('-') }), ...(shared.checked && { shared: 1 }),
    })

    return { element, useNetwork, tap, show, restore, written }
  }

  /* 图像的一块；伸到外面的是填充的 0。 */
  function seenPatch({ shape: [, height, width], data }, top, left, rows, columns) {
    return Float32Array.from({ length: rows * columns }, (_, i) => {
      const [y, x] = [top + Math.floor(i / columns), left + i % columns]
      return y >= 0 && y < height && x >= 0 && x < width ? data[y * width + x] : 0
    })
  }

  function figure(canvas, caption) {
    canvas.classList.add('lab__large')
    if (!canvas.hasAttribute('role')) {
      canvas.setAttribute('role', 'img')
      canvas.setAttribute('aria-label', caption)
    }
    return make('figure', { className: 'lab__figure' }, canvas, make('figcaption', { className: 'living__numbers' }, caption))
  }

  Object.assign(Living, { createMaps, labFigure: figure, seenPatch })
})()
