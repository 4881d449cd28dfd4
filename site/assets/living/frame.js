/* 活页的框架：部件何时开始、数据从哪里来、状态怎样写进网址。部件各在自己的脚本里，快要看到时才
 * 取（元素的 data-scripts 写着是哪几个）；写着 data-open 的要读者点过才取。
 *
 * 部件是 <living-名字> 的类，继承 LivingElement，写一个方法 build(panel, state)。元素快要
 * 进入视野时才调用它；成功之后原来的图（.living__still）让位给 panel，题注留着；标记里写了
 * still=keep 的，图也留着，panel 在下面。失败时图留着，读者看到一行话和「再试一次」。数据是一个脚本，调用 Living.put(名字, 值)，所以从磁盘打开也能读。 */
(() => {
  const NEAR = '600px' // 离视野还有大约一屏时开始
  const arrived = new Map() // 名字 -> 值
  const waiting = new Map() // 名字 -> Promise
  const scripts = new Map() // 名字 -> Promise

  function put(name, value) {
    arrived.set(name, value)
  }

  /* 取一份数据：living/data/<名字>.js；失败之后、交给 Worker 之后（只留下空的）可以再取。 */
  function data(name) {
    if (arrived.get(name)) return Promise.resolve(arrived.get(name))
    if (!waiting.has(name)) {
      waiting.set(name, fetchScript(name).finally(() => waiting.delete(name)))
    }
    return waiting.get(name)
  }

  async function fetchScript(name) {
    await run(`data/${name}.js`, `数据 ${name}`)
    if (!arrived.has(name)) throw new Error(`数据 ${name} 是空的：请重新载入这一页`)
    return arrived.get(name)
  }

  /* 载入并运行 living/ 里的一个脚本；失败时说没有取到 title。 */
  async function run(path, title) {
    const script = make('script', { src: address(path) })
    await new Promise((resolve, reject) => {
      script.onload = resolve
      script.onerror = () => reject(new Error(`没有取到${title}：请检查网络，或重新下载整个网站`))
      document.head.append(script)
    }).finally(() => script.remove())
  }

  /* 一个部件快要看到、或读者动手之后才用得到的脚本，一页载入一次；失败之后可以再来。 */
  function script(name) {
    if (!scripts.has(name)) {
      const loading = run(`${name}.js`, `脚本 ${name}`)
      scripts.set(name, loading)
      loading.catch(() => scripts.delete(name))
    }
    return scripts.get(name)
  }

  /* 已经接在别的脚本里的，不再取。 */
  const holds = (name) => scripts.set(name, Promise.resolve())

  const root = document.documentElement.dataset.content_root || './'
  const address = (path) => new URL(`${root}_static/living/${path}`, location.href).href

  /* 造一个元素：make('button', {type: 'button', onclick}, '文字', 另一个元素)。
   * 以 on 开头的是事件，名字里有连字符的与 role、for 之类是属性，其余是 DOM 的字段。 */
  const make = (tag, fields, ...children) => fill(document.createElement(tag), fields, children, true)

  /* 同样地造一个 SVG 元素；SVG 只有属性。 */
  const draw = (tag, fields, ...children) =>
    fill(document.createElementNS('http://www.w3.org/2000/svg', tag), fields, children)

  function fill(element, fields = {}, children, html) {
    for (const [name, value] of Object.entries(fields)) {
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
      else if (html && name in element && name !== 'list') element[name] = value
      else element.setAttribute(name, value)
    }
    element.append(...children)
    return element
  }

  const thousands = (number) => number.toLocaleString('en-US') // 1,234：与书里的写法相同

  /* 读者的系统要少动：按播放就直接到最后。 */
  const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

  /* 在几行几列（sizes）里，方向键从 place 走到的 [行, 列]；别的键是 undefined。 */
  const moved = (place, key, sizes) => STEPS[key]?.map((step, i) =>
    Math.min(Math.max(place[i] + step, 0), sizes[i] - 1))

  /* 网址 #structure-1?side=96 里的元素与状态。转发时 ?、=、&、+ 会编成 %3F 之类；别的留给
   * URLSearchParams 解，断在一个字的半中间也不出错。 */
  const addressed = () =>
    location.hash.slice(1).replace(/%3f|%3d|%26|%2b/gi, decodeURIComponent).split('?')

  /* 网址里写给这个元素的状态；没有写就是空的。 */
  function stateOf(id) {
    const [target, query] = addressed()
    return target === id && query ? Object.fromEntries(new URLSearchParams(query)) : {}
  }

  /* 拖着滑块时一秒写几十次，有的浏览器过了一百次就不许：过一会儿再写，只写最后一次的。 */
  let unwritten
  function write(element, hash) {
    clearTimeout(unwritten)
    try {
      history.replaceState(null, '', hash)
      element.written = location.hash
    } catch (tooOften) {
      unwritten = setTimeout(write, 2000, element, hash)
    }
  }

  /* 读者是顺着网址来的；重新载入、后退的不是，他本来在哪里，浏览器记得。 */
  const sent = performance.getEntriesByType('navigation')[0]?.type === 'navigate'
    || history.scrollRestoration === 'manual' // 同一页里的链接，下面的 hashchange 记下的
  addEventListener('load', () => setTimeout(() => { history.scrollRestoration = 'auto' }))

  /* 快要看到 element 时做一次 start；网址指着它时页面滚过去，也就看到了。 */
  function whenNear(element, start) {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      observer.disconnect()
      start()
    }, { rootMargin: NEAR })
    observer.observe(element)
    if (sent && !element.sought && Object.keys(stateOf(element.id)).length) {
      element.sought = true // 脚本到了再滚一次，会把读者拉回来
      element.scrollIntoView()
    }
  }

  /* 读者按过的按钮没有了，焦点接到 place 里；他已经走到别处的，不去抢。 */
  function focusIn(place) {
    if (document.activeElement === document.body) place.querySelector('button, input, select')?.focus()
  }

  /* 我们自己抛出的是中文；英文的是浏览器的，多半少了一样新功能。 */
  const told = ({ message }) => (/[一-龥]/.test(message) ? message : '请更新浏览器')

  function fail(element, error, again) {
    console.error(error)
    element.querySelector('.living__offer')?.remove()
    const retry = make('button', { type: 'button', onclick: () => {
      element.opened = true
      failure.remove()
      again()
    } }, '再试一次')
    const failure = make('p', { className: 'living__failure', role: 'alert' }, told(error), ' ', retry)
    element.append(failure)
    if (element.opened) focusIn(failure)
  }

  /* 取一个元素的脚本；取到了，它成为部件，自己开始。后一个脚本用得到前一个，一个一个来：前一个没有
   * 到就不运行后一个，否则它记作到过了，却是坏的。 */
  async function awaken(element) {
    try {
      for (const name of element.dataset.scripts.split(' ')) await script(name)
    } catch (error) {
      if (!element.connected) fail(element, error, () => awaken(element)) // 已经是部件的，自己会说
    }
  }

  /* 写着 data-open 的，读者点过才取脚本；网址指着它的不必点。 */
  function offer(element) {
    const { open, says = '' } = element.dataset
    if (!open || Object.keys(stateOf(element.id)).length) return awaken(element)
    const button = make('button', { type: 'button', onclick: () => {
      element.opened = true
      button.replaceWith('正在载入……')
      awaken(element)
    } }, open)
    element.append(make('p', { className: 'living__offer' }, says, ' ', button))
  }

  class LivingElement extends HTMLElement {
    connectedCallback() {
      if (this.connected) return
      this.connected = true
      // 与 Alt、Ctrl、Cmd 同按的是浏览器自己的：后退、翻到页首
      this.addEventListener('keydown', (event) => {
        if (event.altKey || event.ctrlKey || event.metaKey) event.stopPropagation()
      }, true)
      whenNear(this, () => this.start())
    }

    async start() {
      const panel = make('div', { className: 'living__panel' })
      const state = stateOf(this.id)
      if (Object.keys(state).length) this.written = location.hash
      try {
        await this.build(panel, state)
      } catch (error) {
        fail(this, error, () => this.start())
        return
      }
      // 几个部件等同一个脚本时，一个再试成了，别的也就开始：它们的那行话也收起来
      for (const one of this.querySelectorAll(':scope > .living__offer, :scope > .living__failure')) one.remove()
      if (this.dataset.says) panel.prepend(make('p', {}, this.dataset.says))
      this.show(panel)
      const held = this.querySelector('.living__still :focus')
      const hidden = Boolean(held && !held.getClientRects().length)
      if (hidden) document.activeElement.blur()
      if (this.opened || hidden) focusIn(panel)
    }

    /* 原来的图让位给 panel；标记里写了 still=keep 的留着。要放在别处的部件改写这个方法。 */
    show(panel) {
      this.insertBefore(panel, this.dataset.still === 'keep' ? null : this.firstChild)
      this.classList.add('living--ready')
    }

    /* 原来的图；点一下放大的链接包着它时，就是那个链接。 */
    get picture() {
      const image = this.querySelector('.living__still img')
      return image.closest('.figure-link') ?? image
    }

    /* 把状态写进网址，读者可以把它发给别人；只有一个部件的状态留在网址里。 */
    remember(state) {
      write(this, `#${this.id}?${new URLSearchParams(state)}`)
    }
  }

  window.Living = { LivingElement, data, put, script, holds, make, draw, thousands, calm, moved, told }

  document.querySelectorAll('.living[data-scripts]')
    .forEach((element) => whenNear(element, () => offer(element)))
  /* 同一页里指到另一个状态的链接：重新载入，照网址里写的做。后退时部件多半还是那个样子，不必：正在
   * 训练的会断。 */
  addEventListener('hashchange', () => {
    clearTimeout(unwritten)
    const [id, query] = addressed()
    if (!query || document.getElementById(id)?.written === location.hash) return
    history.scrollRestoration = 'manual'
    location.reload()
  })
})()
