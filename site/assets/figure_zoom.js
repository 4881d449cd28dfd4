/* 点一下图，在整个窗口里放大看：手机上按原来的大小，左右滑动；宽屏上撑满窗口。
 * 没有脚本时，链接直接打开这幅图。 */
(() => {
  function enlarged(picture) {
    const [width, height] = ['width', 'height'].map((name) => Number(picture.getAttribute(name)))
    const fitting = Math.min(innerWidth, (innerHeight - 64) * width / height)
    return Math.max(width, fitting)
  }

  function show(picture) {
    const dialog = document.createElement('dialog')
    dialog.className = 'figure-zoom'
    dialog.setAttribute('aria-label', '放大的图')
    const close = document.createElement('button')
    close.type = 'button'
    close.textContent = '关闭'
    close.addEventListener('click', () => dialog.close())
    const frame = document.createElement('div')
    frame.className = 'figure-zoom__frame'
    frame.tabIndex = 0 // 键盘也能滚动它
    const copy = picture.cloneNode()
    copy.style.width = `${enlarged(picture)}px`
    frame.append(copy)
    dialog.append(close, frame)
    dialog.addEventListener('close', () => dialog.remove())
    document.querySelector('.bd-article').append(dialog)
    dialog.showModal()
  }

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a.figure-link')
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return // 另开一页的照旧
    if (!window.HTMLDialogElement) return // 旧的浏览器：链接直接打开这幅图
    event.preventDefault()
    show(link.querySelector('img'))
  })
})()
