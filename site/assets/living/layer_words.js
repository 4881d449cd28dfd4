/* 一层用字怎样说：名字、形状，参数与乘加次数是怎样乘出来的，一格看到图像的多大一片。 */
(() => {
  const { thousands } = Living

  const NAMES = {
    conv: '卷积', linear: '全连接', max: '最大池化', average: '平均池化', global: '全局平均池化',
    norm: '批量归一化', relu: 'ReLU', dropout: 'Dropout', flatten: '展平',
  }

  const shapeOf = (layer) => layer.output.shape.join('×')

  /* 例如「11×11 卷积，步幅 4」。 */
  function nameOf(layer) {
    const { window } = layer
    if (!window) return NAMES[layer.kind]
    const stride = window.stride > 1 ? `，步幅 ${window.stride}` : ''
    return `${window.size}×${window.size} ${NAMES[layer.kind]}${stride}`
  }

  const times = (...numbers) => numbers.join('×')

  /* 一层的参数是怎样来的，例如「3×3×64×128 + 128」；没有参数的是空的。 */
  function parameterTerms(layer) {
    const { kind, input, output, window } = layer
    const [from, to] = [input.shape[0], output.shape[0]]
    if (kind === 'norm') return `2×${from}`
    if (kind === 'linear') return `${times(from, to)} + ${to}`
    if (kind !== 'conv') return ''
    const weights = times(window.size, window.size, from, to)
    return layer.node.bias === false ? weights : `${weights} + ${to}`
  }

  function macTerms({ kind, input, output, window }) {
    const [from, to] = [input.shape[0], output.shape[0]]
    if (kind === 'linear') return times(from, to)
    return times(window.size, window.size, from, to, ...output.shape.slice(1))
  }

  const equals = (count, terms) => terms ? `${thousands(count)} = ${terms}` : thousands(count)

  const parametersOf = (counts, chain) =>
    equals(counts.parameters, chain.map(parameterTerms).filter(Boolean).join(' + '))

  const macsOf = (counts, chain) =>
    equals(counts.macs, chain.filter(({ macs }) => macs).map(macTerms).join(' + '))

  const orderOf = (chain) => chain.map(({ kind }) => NAMES[kind]).join(' → ')

  function viewOf({ field, jump }, side) {
    if (field === null) return '整张图像'
    const beyond = field > side ? '（比图像还大，外面是填充）' : ''
    return `${field}×${field}${beyond}，跳距 ${jump}：相邻两格在图像上相隔 ${jump} 个像素`
  }

  window.LayerWords = { nameOf, shapeOf, orderOf, parametersOf, macsOf, viewOf }
})()
