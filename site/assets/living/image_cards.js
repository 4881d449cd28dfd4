/* 测试图像排成卡片：像素，真实的类别，六个网络各自的答案。
 *
 * 像素（1.6 MB）只有有网络答错的图像才有，等读者点过才取；全都答对的那些没有。 */
(() => {
  const { make } = Living
  const SIDE = 28
  const AT_ONCE = 12
  let loaded // 两个部件共用
  let loading // 正在取，再按一次也只取一份

  async function load() {
    const { indices, pixels } = await Living.data('missed_images')
    const bytes = await Living.inflate(pixels)
    return new Map(indices.map((index, i) => [index, bytes.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE)]))
  }

  function picture(pixels, label) {
    const canvas = make('canvas', { width: SIDE, height: SIDE, role: 'img', 'aria-label': label })
    const image = new ImageData(SIDE, SIDE)
    pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i))
    canvas.getContext('2d').putImageData(image, 0, 0)
    return canvas
  }

  function card(answers, index, pixels) {
    const lines = answers.said(index).map(({ title, answer, right }) =>
      make('li', { className: right ? 'answers__right' : '' }, `${right ? '✓' : '✗'} ${title.split('（')[0]}：${answer}`))
    const truth = answers.truth(index)
    return make('figure', { className: 'answers' }, picture(pixels, `第 ${index} 张测试图像，${truth}`),
      make('figcaption', {}, make('strong', {}, truth), ` 第 ${index} 张`, make('ul', {}, ...lines)))
  }

  /* 一个放卡片的框；show(indices, 说明) 换一批，没有取过像素时先给一个写明大小的按钮。 */
  function cards(answers, bytes) {
    const heading = make('p', { className: 'cards__heading', role: 'status', tabIndex: -1 })
    const grid = make('div', { className: 'cards__grid' })
    const foot = make('div', {})
    const note = make('p', { hidden: true }, '六个网络全都答对的图像不在这里。')
    let waiting = []

    /* 按钮换了，焦点到新的按钮上；看完了没有按钮，到标题上，页面不动。 */
    function more() {
      const held = foot.contains(document.activeElement)
      grid.append(...waiting.splice(0, AT_ONCE).map((index) => card(answers, index, loaded.get(index))))
      const next = make('button', { type: 'button', onclick: more }, `再看 ${Math.min(waiting.length, AT_ONCE)} 张`)
      foot.replaceChildren(...(waiting.length ? [next, ` 还有 ${waiting.length} 张`] : []))
      if (held) (foot.querySelector('button') || heading).focus({ preventScroll: true })
    }

    function draw(indices) {
      waiting = indices.filter((index) => loaded.has(index))
      grid.replaceChildren()
      note.hidden = waiting.length === indices.length
      more()
    }

    function ask(indices) {
      const asking = `看这些图像（取 ${Living.sizeOf(bytes)}）`
      const button = make('button', { type: 'button', onclick: fetch }, asking)
      async function fetch() {
        foot.querySelector('.living__failure')?.remove()
        button.textContent = '正在取图像……'
        try {
          loaded ??= await (loading ??= load())
          draw(latest)
        } catch (error) {
          loading = null
          button.textContent = asking
          foot.querySelector('.living__failure')?.remove()
          foot.append(make('p', { className: 'living__failure', role: 'alert' }, Living.told(error)))
        }
      }
      grid.replaceChildren()
      note.hidden = true
      foot.replaceChildren(...(indices.length ? [button] : []))
    }

    let latest = []
    function show(indices, text) {
      latest = indices
      heading.textContent = text
      if (loaded) draw(indices)
      else ask(indices)
    }

    return { box: make('div', { className: 'cards' }, heading, grid, foot, note), show }
  }

  Object.assign(Living, { imageCards: cards })
})()
