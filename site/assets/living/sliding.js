/* 滑动窗口的算术：输出边长、一个窗口盖住哪些格、卷积与池化、叠起来的感受野、1×1 混合。
 * 不碰页面。图是正方形，一行接一行排成一串数；窗口 {size, kernel, stride, padding, dilation}
 * 依次是图的边长、窗口边长、步幅、每边的填充、隔几格取一个。 */
(() => {
  const extent = ({ kernel, dilation }) => dilation * (kernel - 1) + 1 // 窗口撑开之后的边长

  const outputSize = (window) =>
    Math.floor((window.size + 2 * window.padding - extent(window)) / window.stride) + 1

  /* 放不下时说为什么，放得下是空的；池化的填充与 PyTorch 的规定相同。 */
  function misfit(window, pooling) {
    const { size, kernel, padding } = window
    const padded = size + 2 * padding
    if (pooling && padding > kernel / 2) {
      return `池化的填充不能超过窗口的一半：窗口 ${kernel}，填充至多 ${Math.floor(kernel / 2)}。`
    }
    if (extent(window) <= padded) return ''
    return `窗口撑开之后边长 ${extent(window)}，图连同填充只有 ${padded}，放不下：减小窗口或间隔，或者加大填充。`
  }

  /* 输出 (row, column) 的窗口盖住的各格；超出图的是填充，value 是 null。 */
  function taps(image, window, row, column) {
    const { size, kernel, stride, padding, dilation } = window
    return Array.from({ length: kernel * kernel }, (_, index) => {
      const i = row * stride - padding + Math.floor(index / kernel) * dilation
      const j = column * stride - padding + index % kernel * dilation
      const inside = i >= 0 && j >= 0 && i < size && j < size
      return { row: i, column: j, value: inside ? image[i * size + j] : null }
    })
  }

  /* 各格合成一个数。填充在卷积与平均里是 0，在最大值里不参加。 */
  const REDUCE = {
    conv: (seen, weights) => seen.reduce((sum, { value }, index) => sum + (value ?? 0) * weights[index], 0),
    max: (seen) => Math.max(...seen.map(({ value }) => value ?? -Infinity)),
    average: (seen) => seen.reduce((sum, { value }) => sum + (value ?? 0), 0) / seen.length,
  }

  /* 整张输出；kind 是 conv、max、average。 */
  function slide(image, window, kind, weights) {
    const side = outputSize(window)
    return Float64Array.from({ length: side * side }, (_, index) => {
      const seen = taps(image, window, Math.floor(index / side), index % side)
      return REDUCE[kind](seen, weights)
    })
  }

  /* 叠起来的各层（从下到上），最上面第 unit 个单元在输入与各层里看到第几个到第几个。 */
  function seenUnits(layers, unit) {
    const seen = [[unit, unit]]
    for (const { kernel, stride, padding } of [...layers].reverse()) {
      const [first, last] = seen[0]
      seen.unshift([first * stride - padding, last * stride - padding + kernel - 1])
    }
    return seen
  }

  /* 1×1 卷积：各个通道在同一个位置上加权求和。 */
  const mix = (maps, weights, bias) => maps[0].map((_, index) =>
    maps.reduce((sum, map, channel) => sum + map[index] * weights[channel], bias))

  const mean = (map) => map.reduce((sum, value) => sum + value, 0) / map.length

  /* 现成的卷积核，各种边长都有。 */
  const PRESETS = {
    竖的边缘: (k) => grid(k, (row, column) => Math.sign(column - (k - 1) / 2)),
    横的边缘: (k) => grid(k, (row) => Math.sign(row - (k - 1) / 2)),
    模糊: (k) => grid(k, () => 1 / (k * k)),
    锐化: (k) => grid(k, (row, column) => (isMiddle(row, k) && isMiddle(column, k) ? k * k : -1)),
    原样: (k) => grid(k, (row, column) => Number(isMiddle(row, k) && isMiddle(column, k))),
  }
  const isMiddle = (index, k) => index === Math.floor((k - 1) / 2)

  function grid(k, weight) {
    return Array.from({ length: k * k }, (_, index) => weight(Math.floor(index / k), index % k))
  }

  /* 换一种边长：正中对正中，多的裁去，少的补 0。 */
  function resized(weights, before, after) {
    const shift = Math.floor((before - 1) / 2) - Math.floor((after - 1) / 2)
    return grid(after, (row, column) => {
      const [i, j] = [row + shift, column + shift]
      return i >= 0 && j >= 0 && i < before && j < before ? weights[i * before + j] : 0
    })
  }

  window.Sliding = { extent, outputSize, misfit, taps, slide, seenUnits, mix, mean, PRESETS, resized, REDUCE }
})()
