/* 宽的屏幕放映；窄的、没有脚本的与打印的，是普通的网页。按 S 看讲稿。 */
const wide = matchMedia('screen and (min-width: 700px)')
const showing = wide.matches
// reveal.js 放映之后收不起来：窗口宽窄过了界就重新载入，网址里记着是第几张。
addEventListener('resize', () => { if (wide.matches !== showing) location.reload() })
if (showing && window.Reveal) {
  const page = document.documentElement
  page.classList.add('showing')
  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    display: 'flex',
    hash: true,
    slideNumber: 'c/t',
    transition: 'none',
    help: false, // 它列的按键、问的第几页都是英文；按键写在「课堂用书」一页
    jumpToSlide: false,
  }).then(() => {
    // reveal.js 自己的几个字是英文
    const words = { left: '上一页', right: '下一页', up: '上面一页', down: '下面一页' }
    for (const [way, word] of Object.entries(words)) {
      document.querySelector(`.controls .navigate-${way}`).setAttribute('aria-label', word)
    }
    document.querySelector('.resume-button').textContent = '接着放映'
  })
  // reveal.js 自己的讲稿窗口从磁盘打开时与放映的窗口说不上话，所以写在同一页。
  const notes = { keyCode: 83, key: 'S', description: '讲稿' }
  Reveal.addKeyBinding(notes, () => page.classList.toggle('noted'))
}
