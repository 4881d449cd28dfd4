/* 各网络的类别得分并排：一行一类，一列一个网络，每格是概率；谁答对了写在第一行。 */
(() => {
  const { make } = Living
  const percent = (probability) => `${(100 * probability).toFixed(1)}%`

  /* networks 是 {title, classes, result, stale}，result 是 Worker 算的，做了手术的有 before；stale 是
   * 上一张图像的，还不判对错；label 没有时是 null。 */
  function scoreTable(networks, label) {
    const { classes } = networks[0]
    const head = make('tr', {}, make('th', { scope: 'col' }, '类别'),
      ...networks.map((network) => make('th', { scope: 'col' }, shortOf(network))))
    const answers = make('tr', { className: 'lab__answers' }, make('th', { scope: 'row' }, '回答'),
      ...networks.map(({ result, stale }) => make('td', {}, answerOf(classes, result, stale ? null : label))))
    const rows = classes.map((name, i) => make('tr', {},
      make('th', { scope: 'row' }, name, i === label ? '（正确）' : ''),
      ...networks.map(({ result }) => scoreCell(result, i))))
    return make('table', { className: 'lab__scores living__numbers' },
      make('thead', {}, head), make('tbody', {}, answers, ...rows))
  }

  function answerOf(classes, { answer }, label) {
    const mark = label === null ? '' : answer === label ? ' ✓' : ' ✗'
    return classes[answer] + mark
  }

  function scoreCell({ probabilities, answer }, i) {
    const cell = make('td', { className: i === answer ? 'lab__best' : '' },
      make('span', {}, percent(probabilities[i])))
    cell.style.setProperty('--share', probabilities[i])
    return cell
  }

  /* VGG-11（1/4 宽）：去掉括号，六列才放得下。 */
  const shortOf = ({ title, result }) => title.replace(/（.*）/, '') + operated(result)
  const operated = ({ before }) => (before ? '（手术后）' : '')

  /* 一句话：给读屏，也在手机上先看到。几个网络时说谁答对，不知道答案时说谁答什么。 */
  function summary(networks, label) {
    if (networks.length < 3) return networks.map((network) => sentence(network, label)).join('；')
    const names = (chosen) => chosen.map(shortOf).join('、')
    if (label !== null) {
      const right = networks.filter(({ result }) => result.answer === label)
      return `${networks.length} 个网络里 ${right.length} 个答对${right.length ? '：' : ''}${names(right)}`
    }
    const answers = [...new Set(networks.map(({ result }) => result.answer))]
    return answers.map((answer) =>
      `${networks[0].classes[answer]}：${names(networks.filter(({ result }) => result.answer === answer))}`).join('；')
  }

  function sentence({ title, classes, result }, label) {
    const { answer, probabilities } = result
    const verdict = label === null ? '' : answer === label ? '，答对' : `，答错（是${classes[label]}）`
    return `${title}${operated(result)}：${classes[answer]}，${percent(probabilities[answer])}${verdict}`
  }

  Object.assign(Living, { scoreTable, summary, percent })
})()
