/* 手术：叫一处读不到它的某一份输入（捷径、线路、来源），或者清零一个通道，看回答怎样变。
 *
 * 做了什么记成几个短的记号，网址里写得下：「2.0」是第 2 处的第 0 份，谁也读不到；「2.0.1」只有
 * 第 1 个读者读不到；「stem.0.0:5」是清零一个张量的通道 5。各网络的记号各记各的。 */
(() => {
  const { make } = Living
  const STEP = 5 // 数的时候一次算几张，算完就报

  /* 记号合起来是给引擎的改动；一个也没有时是 undefined。 */
  function changesOf({ program, shapes }, marks) {
    const changes = { cut: {}, unread: {}, erased: {} }
    const add = (group, name, ...values) => { group[name] = [...(group[name] || []), ...values] }
    for (const mark of marks) {
      const [tensor, channel] = mark.split(':')
      const [place, part, reader] = mark.split('.').map(Number)
      const { parts, readers } = program.cuts?.[place] || {}
      if (channel) add(changes.erased, tensor, Number(channel))
      else if (reader === undefined) add(changes.cut, parts[part].at, parts[part].input)
      else add(changes.unread, readers[reader].at, ...channelsOf(parts, part, shapes))
    }
    return marks.size ? changes : undefined
  }

  /* 连结之后，第 part 份占哪些通道。 */
  function channelsOf(parts, part, shapes) {
    const [first, last] = [part, part + 1].map((end) =>
      parts.slice(0, end).reduce((sum, { tensor }) => sum + shapes[tensor][0], 0))
    return Array.from({ length: last - first }, (_, i) => first + i)
  }

  /* 记号合不合这个网络：网址里写的可能是别的网络的。 */
  function known({ program, shapes }, mark) {
    const [tensor, channel] = mark.split(':')
    if (channel) return program.taps.includes(tensor) && /^\d+$/.test(channel) && channel < shapes[tensor][0]
    const [place, part, reader] = mark.split('.')
    const { parts, readers } = program.cuts?.[place] || {}
    return Boolean(parts?.[part]) && (reader === undefined || part < readers?.[reader]?.sees)
  }

  function named({ titles, cuts }, mark) {
    const [tensor, channel] = mark.split(':')
    if (channel) return `${titles[tensor]}：通道 ${channel}`
    const [place, part, reader] = mark.split('.')
    const { title, parts, readers } = cuts[place]
    const whole = `${title}：${parts[part].title}`
    return reader ? `${whole}，只有${readers[reader].title}读不到` : whole
  }

  /* changed()：动了一处，请再算；answers(图, 改动) 请 Worker 算；samples 是那 100 张。 */
  function createSurgery(changed, answers, samples) {
    let network, shown, counting, turn = 0
    const place = make('select', { onchange: draw })
    const reader = make('select', { onchange: draw })
    const reading = make('label', {}, '谁读不到', reader)
    const parts = make('div', { className: 'living__controls', role: 'group', 'aria-label': '按一下剪断，再按接回' })
    const where = make('div', { className: 'living__controls' }, make('label', {}, '手术', place), reading)
    const hint = make('p', { className: 'lab__note' }, '按一份，后面的层读到的它就全是 0，再按接回。下面放大一张特征图，也可以清零那个通道。')
    const done = make('div', { className: 'living__controls', role: 'group', 'aria-label': '做了的手术，按一下取消' })
    const says = make('p', { className: 'lab__note living__numbers', role: 'status' })
    const start = make('button', { type: 'button', onclick: () => (counting ? stop() : count().catch(fail)) })
    const counted = make('p', { className: 'lab__note living__numbers', role: 'status' })
    const element = make('section', { className: 'lab__part', 'aria-label': '手术' }, where, parts, hint, done, start, says, counted) // 话在按钮下面：话来了，按钮不挪

    function useNetwork(given) {
      if (network === given) return
      network = given
      const { cuts = [] } = network.program
      network.marks ||= new Set()
      where.hidden = parts.hidden = hint.hidden = !cuts.length
      place.replaceChildren(...cuts.map(({ title }, i) => new Option(title, i)))
      draw()
    }

    /* 网址里写着的：不合的不要，看得到的停在第一处。 */
    function restore({ cut: written }) {
      if (!written) return
      network.marks = new Set(written.split(',').filter((mark) => known(network, mark)))
      const at = [...network.marks].find((mark) => !mark.includes(':'))
      if (at) place.value = at.split('.')[0]
      draw()
    }

    function draw() {
      stop()
      counted.textContent = ''
      const { cuts = [] } = network.program
      if (cuts.length) drawParts(cuts[place.value])
      done.replaceChildren(...[...network.marks].map((mark) =>
        make('button', { type: 'button', onclick: () => toggle(mark) }, `${named(network.program, mark)} ✕`)))
      start.hidden = !network.marks.size
      element.hidden = !cuts.length && !network.marks.size
      if (!network.marks.size) says.textContent = ''
    }

    function drawParts(cut) {
      const { readers = [] } = cut
      reading.hidden = !readers.length
      if (shown !== cut) {
        shown = cut
        reader.replaceChildren(new Option('后面各层', ''), ...readers.map(({ title }, i) => new Option(`只有${title}`, i)))
      }
      const sees = readers[reader.value]?.sees ?? cut.parts.length
      parts.replaceChildren(...cut.parts.map(({ title }, i) => {
        const mark = `${place.value}.${i}${reader.value && `.${reader.value}`}`
        return make('button', { type: 'button', disabled: i >= sees, onclick: () => toggle(mark),
          'aria-pressed': String(network.marks.has(mark)) }, title)
      }))
    }

    /* 按钮都重画了：键盘的焦点留在那一处。 */
    function toggle(mark) {
      const group = [parts, done].find((one) => one.contains(document.activeElement))
      const at = group && [...group.children].indexOf(document.activeElement)
      if (!network.marks.delete(mark)) network.marks.add(mark)
      draw()
      const next = element.hidden ? element.nextElementSibling.querySelector('button, select') : place
      if (group) (group.children[Math.min(at, group.childElementCount - 1)] || next)?.focus()
      changed()
    }

    const changes = () => changesOf(network, network.marks)

    function show({ before, answer, probabilities }) {
      const told = ({ answer: one, probabilities: shares }) =>
        `${network.program.classes[one]} ${Living.percent(shares[one])}`
      says.textContent = before ? `这张图像：手术前 ${told(before)}，手术后 ${told({ answer, probabilities })}。` : ''
    }

    // ---- 在 100 张上数 ----

    function stop() {
      turn++
      counting = false
      start.textContent = `在 ${samples.numbers.length} 张图像上数一数`
    }

    function fail(error) {
      stop()
      counted.textContent = Living.told(error)
    }

    async function count() {
      const [mine, { program, marks }, total] = [++turn, network, samples.numbers.length]
      const plain = network.plain ||= [] // 没有手术时的回答，算过一次就记着
      counting = true
      start.textContent = '停'
      const tally = { done: 0, before: 0, after: 0, changed: 0 }
      const judged = program.classes.join() === samples.classes.join()
      while (tally.done < total && turn === mine) {
        const images = Living.sampleImages(samples, tally.done, Math.min(tally.done + STEP, total))
        if (plain[tally.done] === undefined) {
          (await answers(images)).forEach((answer, i) => { plain[tally.done + i] = answer })
          if (turn !== mine) return // 等的时候停了，或换了网络
        }
        const cut = await answers(images, changesOf(network, marks))
        if (turn !== mine) return
        cut.forEach((after) => note(tally, plain[tally.done], after, Math.floor(tally.done++ / samples.each)))
        counted.textContent = `${tally.done} 张测试图像：`
          + (judged ? `手术前答对 ${tally.before} 张，手术后 ${tally.after} 张；` : '') + `${tally.changed} 张换了回答。`
      }
      stop()
    }

    function note(tally, before, after, label) {
      tally.before += before === label
      tally.after += after === label
      tally.changed += before !== after
    }

    const written = () => (network.marks.size ? { cut: [...network.marks].join() } : {})

    return { element, useNetwork, restore, written, changes, toggle, show, has: (mark) => network.marks.has(mark) }
  }

  Object.assign(Living, { createSurgery })
})()
