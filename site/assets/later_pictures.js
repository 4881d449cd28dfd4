/* 第一屏之外的图先不取（loading="lazy"）；页面到齐、闲下来之后再把它们取全：断了网接着读，或者
 * 打印，图都在。读者要省流量时不取，滚到哪里取到哪里。 */
(() => {
  const IDLE = 2000 // 毫秒

  function fetchAll() {
    if (navigator.connection?.saveData) return
    for (const picture of document.images) picture.loading = 'eager'
  }

  addEventListener('load', () => setTimeout(fetchAll, IDLE))
})()
