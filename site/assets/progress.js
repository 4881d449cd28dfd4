/* 读到哪里了：只记在读者自己的浏览器里，不发往任何地方。
 * 翻到一章的末尾算读过；侧栏里打勾，首页写出进度。浏览器不许存储时翻过页去就忘了。 */
(() => {
  /* 记在浏览器里的几样（progress 读到哪里、predictions 猜过什么）都从这里存取；每一页都有它。 */
  const keyOf = (name) => `deepcnn-${name}`
  const Kept = {
    load(name) {
      try {
        return JSON.parse(localStorage.getItem(keyOf(name))) || {}
      } catch (nothingUsable) {
        return {}
      }
    },
    save(name, value) {
      try {
        localStorage.setItem(keyOf(name), JSON.stringify(value))
      } catch (refused) {
        // 浏览器不许存储：这一次的不留下，阅读不受影响。
      }
    },
    forget(name) {
      try {
        localStorage.removeItem(keyOf(name))
      } catch (refused) {
        // 浏览器不许存储：本来就没有记下。
      }
    },
  }
  window.Kept = Kept

  function load() {
    const { read, last } = Kept.load('progress')
    return { read: read || {}, last: last || '' }
  }

  const save = (progress) => Kept.save('progress', progress)

  const root = new URL(document.documentElement.dataset.content_root, location.href).href
  const addressOf = (page) => `${root}${page}.html`

  function markSidebar(progress) {
    document.querySelectorAll('.read-mark').forEach((mark) => mark.remove())
    document.querySelectorAll('.bd-links .toctree-l1 > a').forEach((link) => {
      const address = link.href.split('#')[0]
      const page = Object.keys(progress.read).find((name) => addressOf(name) === address)
      if (!page) return
      const mark = document.createElement('span')
      mark.className = 'read-mark'
      mark.title = '已读'
      mark.setAttribute('role', 'img')
      mark.setAttribute('aria-label', '已读')
      mark.textContent = '✓'
      link.append(mark)
    })
  }

  function watchPage(note) {
    const page = note.dataset.page
    const progress = load()
    progress.last = page
    save(progress)
    const end = document.querySelector('.prev-next-footer')
    if (!end || progress.read[page]) return
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      observer.disconnect()
      const current = load()
      current.read[page] = true
      save(current)
      markSidebar(current)
    })
    observer.observe(end)
  }

  function part(...content) {
    const span = document.createElement('span')
    span.className = 'reading-progress__part'
    span.append(...content)
    return span
  }

  function summarise(line) {
    line.querySelectorAll('.reading-progress__part').forEach((old) => old.remove())
    const progress = load()
    const chapters = JSON.parse(line.dataset.chapters)
    const read = chapters.filter(([page]) => progress.read[page])
    if (!read.length && !progress.last) return
    line.append(part(`已读 ${read.length} / ${chapters.length} 章（只记在这个浏览器里）`))
    const start = Math.max(chapters.findIndex(([page]) => page === progress.last), 0)
    const later = [...chapters.slice(start), ...chapters.slice(0, start)]
    const next = later.find(([page]) => !progress.read[page])
    if (next) {
      const link = document.createElement('a')
      link.href = addressOf(next[0])
      link.textContent = next[1]
      line.append(part('接着读：', link))
    }
    const clear = document.createElement('button')
    clear.type = 'button'
    clear.textContent = '清除进度'
    clear.addEventListener('click', () => {
      Kept.forget('progress')
      Kept.forget('predictions')
      markSidebar(load())
      summarise(line)
      line.tabIndex = -1 // 按钮也清掉了，焦点留在这一行
      line.focus()
    })
    line.append(part(clear))
  }

  function refresh() {
    markSidebar(load())
    const line = document.querySelector('.reading-progress')
    if (line) summarise(line)
  }

  document.addEventListener('DOMContentLoaded', () => {
    refresh()
    const note = document.querySelector('.reading-note[data-page]')
    if (note) watchPage(note)
  })
  // 后退时浏览器拿出的是原来的那一页：别的页上读过的，这里还没有。
  addEventListener('pageshow', (event) => { if (event.persisted) refresh() })
})()
