/* 一幅有坐标轴的 SVG：训练的曲线、散点、直方图都画在它上面。
 *
 * Living.chart({label, x, y})：x、y 是 {low, high, ticks, name, text, log}，text 把刻度
 * 写成字，log 是对数坐标。返回 svg、空的一层 layer（内容由部件放），以及把值换成位置的
 * X、Y（超出范围的画在边上）。宽照放它的地方给，字就不缩放。 */
(() => {
  const { draw } = Living
  const EDGE = { left: 46, right: 12, top: 10, bottom: 42 }

  function scale({ low, high, log }, from, to) {
    const measure = log ? Math.log10 : Number
    return (value) => {
      const inside = Math.min(Math.max(value, low), high)
      const share = (measure(inside) - measure(low)) / (measure(high) - measure(low))
      return from + share * (to - from)
    }
  }

  function chart({ label, x, y, width = 360, height = 230 }) {
    const [right, bottom] = [width - EDGE.right, height - EDGE.bottom]
    const X = scale(x, EDGE.left, right)
    const Y = scale(y, bottom, EDGE.top)
    const axes = draw('g', { class: 'chart__axes' })
    const written = (axis, value) => (axis.text || String)(value)
    for (const tick of y.ticks) {
      axes.append(draw('line', { x1: EDGE.left, x2: right, y1: Y(tick), y2: Y(tick) }))
      axes.append(draw('text', { x: EDGE.left - 6, y: Y(tick) + 4, 'text-anchor': 'end' },
        written(y, tick)))
    }
    for (const tick of x.ticks) {
      axes.append(draw('line', { x1: X(tick), x2: X(tick), y1: EDGE.top, y2: bottom }))
      axes.append(draw('text', { x: X(tick), y: bottom + 16, 'text-anchor': 'middle' },
        written(x, tick)))
    }
    const middle = { x: (EDGE.left + right) / 2, y: height - 6, 'text-anchor': 'middle' }
    axes.append(draw('text', middle, x.name))
    const layer = draw('g')
    const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img',
      'aria-label': label }, axes, layer)
    return { svg, layer, X, Y, width, left: EDGE.left, right, top: EDGE.top, bottom }
  }

  /* 一条折线；points 是 [横, 纵]。 */
  const line = ({ X, Y }, points, fields) => draw('polyline', {
    points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(' '),
    fill: 'none', ...fields,
  })

  Object.assign(Living, { chart, line })
})()
