/* 实验台的输入：100 张测试图像里选一张、自己画、照片。三种都给出 28×28 个 0～255 的数。 */
(() => {
  const { make } = Living
  const SIDE = 28

  /* changed({pixels, label, number}, 定了没有)：label 是正确的类别，画的与照片没有；turned()：换了
   * 一种来处，请记进网址。 */
  function createInput(samples, changed, turned, start) {
    const imageAt = (index) => sampleImages(samples, index, index + 1)[0]
    const seen = make('canvas', { className: 'lab__seen', role: 'img', 'aria-label': '网络看到的 28×28 图像' })
    const caption = make('figcaption', {}, '')
    const trouble = make('p', { className: 'living__failure', role: 'alert' })
    let now, shown, chosen, pad, photo, reading // 哪一种来处，现在的图像，是第几张，画板，照片，正在读的文件

    function give(pixels, label, number, settled, says) {
      reading = null
      shown = pixels
      chosen = number
      markChosen()
      Living.paint(seen, pixels, SIDE, SIDE, [0, 255])
      caption.textContent = says
      changed({ pixels, label, number }, settled)
    }

    // ---- 选一张 ----

    const kind = make('select', { onchange: () => list(Number(kind.value)) },
      ...samples.classes.map((name, i) => new Option(name, i)))
    const thumbs = make('div', { className: 'lab__thumbs', role: 'group', 'aria-label': '这一类的测试图像' })

    function list(label) {
      kind.value = label
      thumbs.replaceChildren(...Array.from({ length: samples.each }, (_, i) => {
        const index = label * samples.each + i
        const picture = make('canvas')
        Living.paint(picture, imageAt(index), SIDE, SIDE, [0, 255])
        return make('button', {
          type: 'button', className: 'lab__thumb', onclick: () => choose(index),
          'aria-label': `${samples.classes[label]}，测试集第 ${samples.numbers[index]} 张`,
        }, picture)
      }))
      markChosen()
    }

    function markChosen() {
      thumbs.querySelectorAll('button').forEach((one, i) =>
        one.setAttribute('aria-pressed', String(kind.value * samples.each + i === chosen)))
    }

    function choose(index, settled = true) {
      const label = Math.floor(index / samples.each)
      if (Number(kind.value) !== label || !thumbs.childElementCount) list(label)
      const pixels = imageAt(index)
      pad?.show(pixels)
      give(pixels, label, index, settled,
        `测试集第 ${samples.numbers[index]} 张：${samples.classes[label]}`)
    }

    const choosing = make('div', {}, make('div', { className: 'living__controls' },
      make('label', {}, '类别', kind)), thumbs)

    // ---- 自己画 ----

    const drawing = make('div', {},
      make('p', { className: 'lab__note' }, '黑底上画亮的衣物，几乎顶到边。也可以先选一张，再来这里改几笔。'))

    /* 画板与读照片的脚本，读者要自己的图像时才取。 */
    async function usePad() {
      trouble.textContent = ''
      await Living.script('own')
      if (pad) return
      pad = Living.createPad((pixels, settled) => give(pixels, null, null, settled, '你画的'))
      drawing.prepend(pad.canvas, pad.controls)
      pad.show(shown)
    }

    // ---- 照片或文件 ----

    const invert = make('input', { type: 'checkbox', onchange: () => fit(invert.checked) })
    const photographing = make('div', {},
      make('div', { className: 'living__controls' },
        fileButton('拍照或选图片……', 'image/*', readFile), make('label', {}, invert, '背景是亮的，要反转')),
      make('p', { className: 'lab__note' },
        '照片只在这个浏览器里用，不发往任何地方。它先裁到物体，缩成 28×28，背景变黑。网络只见过这样的图像，所以照片里的东西它常常认错。'))

    /* 大的照片要读一会儿：这时读者选了、画了别的，就不要它了。 */
    async function readFile(file) {
      reading = file
      try {
        await usePad()
        const found = await Living.readPicture(file)
        if (reading !== file) return
        photo = found
        fit()
      } catch (error) {
        if (reading === file) trouble.textContent = Living.told(error)
      }
    }

    function fit(inverted) {
      if (!photo) return
      const { pixels, bright } = Living.fitPicture(photo.data, photo.width, photo.height, inverted)
      if (inverted === undefined) invert.checked = bright
      pad?.show(pixels)
      give(pixels, null, null, true, '你的照片')
    }

    // ---- 三种之间 ----

    const ways = { choose: ['选一张', choosing], draw: ['自己画', drawing], photo: ['照片', photographing] }
    const tabs = Object.entries(ways).map(([way, [title]]) =>
      make('button', { type: 'button', onclick: () => { turn(way); turned() } }, title))

    function turn(way) {
      now = way
      if (way !== 'choose') usePad().catch((error) => { trouble.textContent = Living.told(error) })
      Object.entries(ways).forEach(([name, [, part]], i) => {
        part.hidden = name !== way
        tabs[i].setAttribute('aria-pressed', String(name === way))
      })
    }

    turn(start in ways ? start : 'choose')
    const element = make('div', { className: 'lab__input' },
      make('div', { className: 'living__controls', role: 'group', 'aria-label': '图像从哪里来' }, ...tabs),
      make('div', { className: 'lab__columns' },
        make('div', { className: 'lab__ways' }, choosing, drawing, photographing, trouble),
        make('figure', { className: 'lab__figure' }, seen, caption)))
    return { element, choose, way: () => now }
  }

  /* 第 from～to−1 张测试图像。 */
  function sampleImages(samples, from, to) {
    samples.bytes ||= Uint8Array.from(atob(samples.pixels), (letter) => letter.charCodeAt(0))
    const each = SIDE * SIDE
    return Array.from({ length: to - from }, (_, i) => samples.bytes.slice((from + i) * each, (from + i + 1) * each))
  }

  /* 选文件：系统的按钮跟着浏览器的语言，手机上也放不下，所以只露出自己的字。 */
  function fileButton(text, accept, chosen) {
    const input = make('input', { type: 'file', accept, className: 'lab__file', onchange: () => {
      const [file] = input.files
      input.value = '' // 同一个文件可以再选一次
      if (file) chosen(file)
    } })
    return make('label', { className: 'lab__button' }, text, input)
  }

  Object.assign(Living, { createInput, fileButton, sampleImages })
})()
