/* 宽的屏幕放映；窄的、没有脚本的与打印的，是普通的网页。按 S 打开讲稿，按 ? 列出按键。 */
if (matchMedia('screen and (min-width: 700px)').matches) {
  document.documentElement.classList.add('showing')
  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    display: 'grid',
    hash: true,
    slideNumber: 'c/t',
    transition: 'none',
    plugins: [RevealNotes],
  })
}
