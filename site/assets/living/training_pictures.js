/* 现场训练的三幅图：损失、准确率、各层梯度的直方图。
 *
 * runs 是至多两次训练，最新的在前；每次是 {settings, reports}，报告见 lenet_training.js。 */
(() => {
  const { draw, chart, line } = Living
  const KINDS = ['now', 'before'] // 样式表里的两种颜色
  const GUESS = Math.log(10) // 十类里乱猜的损失
  const HIGHEST = 5 // 损失画到这里为止，再大的画在边上

  const last = ({ reports }) => reports.at(-1)

  /* 一幅曲线；value 从一份报告里取纵坐标。 */
  function curves(runs, epochs, label, value, y) {
    const ticks = Array.from({ length: epochs / 2 + 1 }, (_, i) => 2 * i)
    const picture = chart({ label, y, x: { low: 0, high: epochs, ticks, name: '轮' } })
    runs.forEach((run, index) => {
      const points = run.reports.map((report) => [report.epoch, value(report)])
      picture.layer.prepend(line(picture, points, { class: `series series--${KINDS[index]}` }))
      if (!points.length) return
      const [x, y] = points.at(-1)
      picture.layer.append(draw('circle', { cx: picture.X(x), cy: picture.Y(y), r: 3.5,
        class: `dot dot--${KINDS[index]}` }))
    })
    return picture
  }

  function losses(runs, epochs) {
    const largest = Math.max(2.5, ...runs.flatMap((run) => run.reports.map((one) => one.loss)))
    const high = Math.min(largest, HIGHEST)
    const said = runs.filter(last).map((run) => last(run).loss.toFixed(3)).join('，上一次 ')
    const y = { low: 0, high, ticks: [0, 1, 2, 3, 4, 5].filter((one) => one <= high) }
    const picture = curves(runs, epochs, `训练损失：${said || '还没有'}`, (one) => one.loss, y)
    const at = picture.Y(GUESS)
    picture.layer.append(
      draw('line', { x1: picture.left, x2: picture.right, y1: at, y2: at, class: 'chart__guess' }),
      draw('text', { x: picture.right - 4, y: at - 5, 'text-anchor': 'end' }, '乱猜 2.303'))
    return picture.svg
  }

  function accuracies(runs, epochs) {
    const percent = (one) => `${(100 * one).toFixed(0)}%`
    const said = runs.filter(last).map((run) => percent(last(run).accuracy)).join('，上一次 ')
    const y = { low: 0, high: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], text: percent }
    const label = `留出图像的准确率：${said || '还没有'}`
    return curves(runs, epochs, label, (one) => one.accuracy, y).svg
  }

  const [LEFT, RIGHT, ROW, TALL] = [56, 348, 46, 36] // 一行一层
  const LAYERS = 5

  /* 五行直方图：这一次的填满，上一次的只画轮廓；虚线是中位数，左边写着恰好为 0 的比例。 */
  function histograms(runs, { LOWEST, BINS }) {
    const X = (log) => LEFT + ((log - LOWEST) / BINS) * 4 * (RIGHT - LEFT)
    const bottom = LAYERS * ROW + 8
    const height = bottom + 36
    const shown = runs.filter(last)
    const svg = draw('svg', { viewBox: `0 0 360 ${height}`, class: 'chart', role: 'img',
      'aria-label': spoken(shown) })
    for (let log = LOWEST; log <= 0; log += 3) {
      svg.append(draw('text', { x: X(log), y: bottom + 14, 'text-anchor': 'middle' },
        String(log).replace('-', '−')))
    }
    svg.append(draw('text', { x: (LEFT + RIGHT) / 2, y: bottom + 32, 'text-anchor': 'middle' },
      'log₁₀ |梯度|'))
    for (let index = 0; index < LAYERS; index++) {
      const base = (index + 1) * ROW
      svg.append(draw('text', { x: LEFT - 6, y: base - 12, 'text-anchor': 'end' },
        `第 ${index + 1} 层`))
      svg.append(draw('line', { x1: LEFT, x2: RIGHT, y1: base, y2: base, class: 'chart__base' }))
      shown.forEach((run, which) => row(svg, last(run).layers[index], which, base, X, LOWEST))
    }
    return svg
  }

  function row(svg, { bins, median, zero }, which, base, X, lowest) {
    const tallest = Math.max(...bins, 1)
    const corners = bins.flatMap((count, i) => {
      const y = base - (TALL * count) / tallest
      return [[X(lowest + i / 4), y], [X(lowest + (i + 1) / 4), y]]
    })
    const points = [[X(lowest), base], ...corners, [corners.at(-1)[0], base]]
    const kind = KINDS[which]
    svg.append(draw('polygon', { points: points.map((one) => one.map((v) => v.toFixed(1))).join(' '),
      class: `bars bars--${kind}` }))
    if (median !== null) {
      svg.append(draw('line', { x1: X(median), x2: X(median), y1: base, y2: base - TALL,
        class: `median median--${kind}` }))
    }
    if (which === 0) {
      svg.append(draw('text', { x: LEFT + 4, y: base - TALL + 10 },
        `0 占 ${(100 * zero).toFixed(0)}%`))
    }
  }

  const spoken = (runs) => ['各层梯度的直方图', ...runs.map((run, which) =>
    `${which ? '上一次' : '这一次'}各层中位数 ` + last(run).layers.map(({ median }) =>
      (median === null ? '没有' : `10 的 ${median.toFixed(1).replace('-', '−')} 次方`)).join('、'))].join('；')

  Object.assign(Living, { trainingPictures: { losses, accuracies, histograms } })
})()
