/* 「先预测」的算术：滑块的位置与数的换算，猜的数离真的有多远，怎样说。不碰页面。
 *
 * 一道题 {answer, low, high, step, log, unit}：log 为真时滑块按倍数走，两头差几百倍的数
 * 才拨得准，猜的数取两位有效数字。 */
(() => {
  const CLOSE = 0.04 // 差不到滑块长度的这个比例，就算很接近
  const NOTCHES = 200 // 按倍数走的滑块分成多少格
  const GAP = { '%': '个百分点', 倍: '' } // 两个百分数、两个倍数之差怎样说

  /* 数在滑块上的位置，0 到 1。 */
  function place({ low, high, log }, value) {
    const along = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)
    return Math.min(1, Math.max(0, along))
  }

  /* 位置（0 到 1）上的数，取到读得出的位数。 */
  function valueAt({ low, high, step, log }, along) {
    if (!log) return Number((low + Math.round(along * (high - low) / step) * step).toFixed(digits(step)))
    const value = low * (high / low) ** along
    return Number(value >= 10 ? value.toPrecision(2) : value.toFixed(1))
  }

  const digits = (number) => (String(number).split('.')[1] || '').length

  /* 93.6%，29 倍，−50%：汉字的单位前面空一格，负号用 −。 */
  function written(value, unit) {
    return `${value.toLocaleString('en-US').replace('-', '−')}${/^\p{Script=Han}/u.test(unit) ? ` ${unit}` : unit}`
  }

  const far = (side, times) => side === '低了'
    ? `猜低了，实际是你猜的 ${times} 倍`
    : `猜高了，你猜的是实际的 ${times} 倍`

  /* 猜得怎样，一句话。 */
  function verdict(task, guess) {
    const { answer, unit, log } = task
    const said = `你猜 ${written(guess, unit)}，实际是 ${written(answer, unit)}`
    if (guess === answer) return `${said}：正好。`
    const near = Math.abs(place(task, guess) - place(task, answer)) < CLOSE
    const side = guess < answer ? '低了' : '高了'
    const times = Math.max(guess, answer) / Math.min(guess, answer)
    if (log && times >= 1.95) return `${said}：${far(side, Number(times.toPrecision(2)))}。`
    const precision = Math.max(digits(answer), digits(guess))
    const gap = Number(Math.abs(guess - answer).toFixed(precision))
    const apart = `${side} ${written(gap, GAP[unit] ?? unit)}`.trim()
    return `${said}：${near ? `很接近，只${apart}` : `猜${apart}`}。`
  }

  window.Guess = { NOTCHES, place, valueAt, written, verdict }
})()
