/* 侧栏里看得见读者正在读的一章：主题照搬上一页滚动到的地方，顺着链接走几页，它就滚出去了。 */
(() => {
  function frameOf(link) {
    let frame = link.parentElement
    while (frame.parentElement && frame.scrollHeight <= frame.clientHeight) frame = frame.parentElement
    return frame
  }

  function reveal() {
    const link = [...document.querySelectorAll('.bd-links .current > a')].pop()
    if (!link) return
    const frame = frameOf(link)
    const place = link.getBoundingClientRect()
    const room = frame.getBoundingClientRect()
    const bottom = Math.min(room.bottom, innerHeight)
    if (place.top >= room.top && place.bottom <= bottom) return
    frame.scrollTop += (place.top + place.bottom - room.top - bottom) / 2
  }

  document.addEventListener('DOMContentLoaded', () => {
    requestAnimationFrame(reveal) // 在主题滚动之后
    // 手机上，侧栏点开了才有高度。
    document.querySelector('.primary-toggle')?.addEventListener('click', () => setTimeout(reveal))
  })
})()
