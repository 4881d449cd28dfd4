/* 网络逐层的算术：输出形状、参数、乘加次数、感受野、跳距。
 *
 * 描述（data/structure.js，由 tools/living/describe_networks.py 从真的网络得出）只写各层的窗口与
 * 输出通道；通道写成一个数，或 ['width', 64] 这样「某个量的几倍」。输入通道总由上一层来，所以改一个
 * 量，后面的都跟着变。与 Python 的 layer_table 相等，见 tests/living。 */
(() => {
  /* 这一层放不下一个窗口；PyTorch 也在这一层停下。 */
  class TooSmall extends Error {
    constructor(layer, side) {
      super(`${layer.path} 的输入只有 ${side}×${side}`)
      Object.assign(this, { layer, side })
    }
  }

  const valueOf = (given, values) =>
    Array.isArray(given) ? Math.floor(values[given[0]] * given[1]) : given

  /* 描述里没有写的步幅是 1，填充是 0。 */
  function windowOf(node, values) {
    const { window: size, stride = 1, padding = 0 } = node
    return { size, stride, padding: valueOf(padding, values) }
  }

  /* 窗口移过输入之后；field 是感受野，jump 是相邻两个输出在图像上相隔的像素。 */
  function slide(layer, input, channels) {
    const { size, stride, padding } = layer.window
    const room = input.shape[1] + 2 * padding - size
    if (room < 0) throw new TooSmall(layer, input.shape[1])
    const side = Math.floor(room / stride) + 1
    return {
      shape: [channels, side, side],
      field: input.field + (size - 1) * input.jump,
      jump: input.jump * stride,
    }
  }

  const product = (numbers) => numbers.reduce((one, other) => one * other, 1)

  function convolve(layer, input, values) {
    const [channels] = input.shape
    const out = valueOf(layer.node.out, { ...values, in: channels })
    layer.window = windowOf(layer.node, values)
    layer.output = slide(layer, input, out)
    const weights = layer.window.size ** 2 * channels * out
    layer.parameters = weights + (layer.node.bias === false ? 0 : out)
    layer.macs = weights * layer.output.shape[1] ** 2
  }

  function pool(layer, input, values) {
    layer.window = windowOf(layer.node, values)
    layer.output = slide(layer, input, input.shape[0])
  }

  /* 全局平均、展平与全连接之后，一个数看到整张图像：没有感受野可说。 */
  function whole(layer, shape) {
    layer.output = { shape, field: null, jump: null }
  }

  function connect(layer, input, values) {
    const out = valueOf(layer.node.out, values)
    whole(layer, [out])
    layer.macs = input.shape[0] * out
    layer.parameters = layer.macs + out
  }

  function normalise(layer, input) {
    layer.parameters = 2 * input.shape[0] // 每个通道一个缩放、一个偏移
  }

  const LEAVES = {
    conv: convolve,
    linear: connect,
    max: pool,
    average: pool,
    norm: normalise,
    relu: () => {},
    dropout: () => {},
    global: (layer, input) => whole(layer, [input.shape[0], 1, 1]),
    flatten: (layer, input) => whole(layer, [product(input.shape)]),
  }

  /* 相接的几层，times 个一样的展开；编号与 PyTorch 的 Sequential 相同。 */
  function inOrder(nodes, input, values, path) {
    const inside = []
    for (const node of nodes) {
      for (let again = 0; again < (node.times || 1); again++) {
        inside.push(measureNode(node, input, values, `${path}.${inside.length}`))
        input = inside.at(-1).output
      }
    }
    return inside
  }

  /* 稠密块：每个卷积块的输出接在它的输入后面。 */
  function densely(nodes, input, values, path) {
    const inside = []
    for (const node of nodes) {
      for (let again = 0; again < (node.times || 1); again++) {
        inside.push(measureNode(node, input, values, `${path}.convs.${inside.length}`))
        input = concatenate([input, inside.at(-1).output])
      }
    }
    return [inside, input]
  }

  const widest = (outputs) => Math.max(...outputs.map((one) => one.field))

  function concatenate(outputs) {
    const channels = outputs.reduce((sum, one) => sum + one.shape[0], 0)
    const [{ shape, jump }] = outputs
    return { shape: [channels, ...shape.slice(1)], field: widest(outputs), jump }
  }

  const GROUPS = {
    row(layer, input, values) {
      layer.inside = inOrder(layer.node.of, input, values, layer.path)
      layer.output = layer.inside.at(-1).output
    },
    branches(layer, input, values) {
      layer.inside = Object.entries(layer.node.of).map(([name, node]) =>
        measureNode(node, input, values, `${layer.path}.${name}`))
      layer.output = concatenate(layer.inside.map((one) => one.output))
    },
    sum(layer, input, values) {
      GROUPS.branches(layer, input, values)
      const outputs = layer.inside.map((one) => one.output)
      layer.output = { ...outputs[0], field: widest(outputs) } // 捷径看到的总不比它多
    },
    dense(layer, input, values) {
      [layer.inside, layer.output] = densely(layer.node.of, input, values, layer.path)
    },
  }

  /* 一个节点量过之后：路径、输入与输出、参数、乘加次数，以及 inside 里的各层。 */
  function measureNode(node, input, values, path) {
    const layer = {
      node, path, kind: node.kind, input, output: input, inside: [], parameters: 0, macs: 0,
    }
    if (!(node.kind in GROUPS)) {
      LEAVES[node.kind](layer, input, values)
      return layer
    }
    GROUPS[node.kind](layer, input, values)
    for (const one of layer.inside) {
      layer.parameters += one.parameters
      layer.macs += one.macs
    }
    return layer
  }

  /* 有这些层的那一种配置。 */
  const formOf = (family, values) => family.forms.find(({ when }) =>
    Object.entries(when).every(([name, value]) => values[name] === value))

  /* 各段 [{title, code, layer}] 与合计；某一层放不下时抛出 TooSmall。 */
  function measure(family, values) {
    const side = values.image_size
    let input = { shape: [values.in_channels, side, side], field: 1, jump: 1 }
    const parts = []
    for (const { path, title, code, layer: node } of formOf(family, values).parts) {
      const layer = measureNode(node, input, values, path)
      parts.push({ title, code, layer })
      input = layer.output
    }
    const total = (name) => parts.reduce((sum, part) => sum + part.layer[name], 0)
    return { parts, parameters: total('parameters'), macs: total('macs') }
  }

  /* 里面的各层，照执行的次序。 */
  const leavesOf = (layer) =>
    layer.kind in GROUPS ? layer.inside.flatMap(leavesOf) : [layer]

  window.LayerArithmetic = { TooSmall, formOf, measure, leavesOf }
})()
