/* 六网对比的三幅图怎样画：曲线（每轮的测试准确率），与两幅散点。
 *
 * 一个网络是一条 series：{network, points}，一个点是 {x: 均值与散布, y: 均值与散布, seeds:
 * [[x, y]…], words}。记号与书里的图相同：每个网络一种，不只靠颜色。 */
(() => {
  const { draw, chart, line } = Living
  const MARKS = [ // 以 (0, 0) 为中心，边长约 9
    'M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z', 'M-4-4H4V4H-4Z', 'M0-5L5 4H-5Z',
    'M0 5L5-4H-5Z', 'M0-5.5L5 0L0 5.5L-5 0Z', 'M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z',
  ]
  const LOG_STEPS = [1, 1.5, 2, 3, 5, 7]

  /* 平均与样本标准差（除以 n − 1）。 */
  function spread(values) {
    const mean = values.reduce((a, b) => a + b) / values.length
    const squares = values.map((one) => (one - mean) ** 2).reduce((a, b) => a + b)
    return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
  }

  const percent = ({ mean, sd }) => `${(100 * mean).toFixed(2)}% ± ${(100 * sd).toFixed(2)}`
  const each = (seeds, values) => values.map((one, i) => `种子 ${seeds[i]} ${one}`).join('，')
  const inPercent = (value) => `${(100 * value).toFixed(2)}%`

  function curve({ title, seeds, accuracy }) {
    return accuracy[0].map((_, epoch) => {
      const values = accuracy.map((run) => run[epoch])
      const y = spread(values)
      return { x: { mean: epoch + 1, sd: 0 }, y, seeds: values.map((one) => [epoch + 1, one]),
        words: `${title}，第 ${epoch + 1} 轮：${percent(y)}（${each(seeds, values.map(inPercent))}）` }
    })
  }

  function place({ title, seeds, accuracy, seconds, parameters }, kind) {
    const last = accuracy.map((run) => run.at(-1))
    const across = kind === 'seconds' ? seconds : seconds.map(() => parameters)
    const [x, y] = [spread(across), spread(last)]
    const where = kind === 'seconds' ? `一次训练 ${x.mean.toFixed(0)} ± ${x.sd.toFixed(0)} 秒`
      : `${parameters.toFixed(2)} 百万个参数`
    return [{ x, y, seeds: last.map((one, i) => [across[i], one]),
      words: `${title}：${where}，${percent(y)}（${each(seeds, last.map(inPercent))}）` }]
  }

  const seriesOf = (networks, kind) => networks.map((network) => ({
    network, points: kind === 'curves' ? curve(network) : place(network, kind),
  }))

  /* 准确率的坐标：一、二、五或十个百分点一格，多半不超过九格；容得下全部种子与误差线的两端。 */
  function accuracyAxis(series) {
    const values = series.flatMap(({ points }) => points.flatMap(({ y, seeds }) =>
      [y.mean - y.sd, y.mean + y.sd, ...seeds.map(([, one]) => one)]))
    const [least, most] = [Math.min(...values), Math.max(...values)]
    const parts = [100, 50, 20].find((one) => (most - least) * one < 8) || 10
    const [low, high] = [Math.floor(least * parts), Math.ceil(most * parts)]
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => (low + i) / parts)
    return { low: low / parts, high: high / parts, ticks, text: (one) => `${(100 * one).toFixed(0)}%` }
  }

  function acrossAxis(series, kind) {
    const values = series.flatMap(({ points }) => points.flatMap(({ seeds }) => seeds.map(([x]) => x)))
    const [least, most] = [Math.min(...values), Math.max(...values)]
    if (kind === 'curves') {
      const ticks = Array.from({ length: most }, (_, i) => i + 1)
      return { low: 0.8, high: most + 0.2, ticks, name: '轮' }
    }
    const [low, high] = [least / 1.15, most * 1.15]
    const ticks = [-1, 0, 1, 2, 3, 4].flatMap((power) => LOG_STEPS.map((one) => one * 10 ** power))
      .filter((one) => one >= low && one <= high)
    const name = kind === 'seconds' ? '一次训练的时间（秒，对数坐标）' : '参数（百万，对数坐标）'
    return { low, high, ticks, name, log: true, text: (one) => String(Number(one.toPrecision(2))) }
  }

  const mark = (number, x, y, fields) =>
    draw('path', { d: MARKS[number], transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, ...fields })

  /* 一条色带：上下各一个标准差。 */
  function band({ X, Y }, points, number) {
    const up = points.map(({ x, y }) => [X(x.mean), Y(y.mean + y.sd)])
    const down = points.map(({ x, y }) => [X(x.mean), Y(y.mean - y.sd)]).reverse()
    const corners = [...up, ...down].map((one) => one.map((v) => v.toFixed(1)))
    return draw('polygon', { points: corners.join(' '), class: `network__band network--${number}` })
  }

  function errorBars({ X, Y }, { x, y }, number) {
    const fields = { class: `network__line network--${number}` }
    const across = { x1: X(x.mean - x.sd), x2: X(x.mean + x.sd), y1: Y(y.mean), y2: Y(y.mean) }
    const up = { x1: X(x.mean), x2: X(x.mean), y1: Y(y.mean - y.sd), y2: Y(y.mean + y.sd) }
    return [draw('line', { ...across, ...fields }), draw('line', { ...up, ...fields })]
  }

  /* 一幅图，宽 width；hidden 是不画的网络的名字。返回 svg 与各点的位置（给鼠标和方向键用）。 */
  function comparisonChart(series, kind, hidden, width) {
    const height = Math.max(0.55 * width, 230)
    const axes = { label: '', width, height, x: acrossAxis(series, kind), y: accuracyAxis(series) }
    const picture = chart(axes)
    const targets = []
    series.forEach(({ network, points }, number) => {
      if (hidden.has(network.name)) return
      const group = draw('g', {})
      if (kind === 'curves') {
        group.append(band(picture, points, number), line(picture,
          points.map(({ x, y }) => [x.mean, y.mean]), { class: `network__line network--${number}` }))
      } else group.append(...points.flatMap((one) => errorBars(picture, one, number)))
      for (const one of points) {
        for (const [x, y] of one.seeds) {
          group.append(draw('circle', { cx: picture.X(x), cy: picture.Y(y), r: 2.2,
            class: `network__seed network--${number}` }))
        }
        const at = [picture.X(one.x.mean), picture.Y(one.y.mean)]
        group.append(mark(number, ...at, { class: `network__mark network--${number}` }))
        targets.push({ number, at, words: one.words })
      }
      picture.layer.append(group)
    })
    return { ...picture, targets }
  }

  Object.assign(Living, { comparisonChart, comparisonSeries: seriesOf, comparisonMark: mark })
})()
