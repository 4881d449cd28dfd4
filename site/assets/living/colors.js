/* 把数画成颜色：灰度的图像，特征图，有正有负的卷积核与热图。 */
(() => {
  const STOPS = {
    gray: [[0, 0, 0], [255, 255, 255]],
    // 从暗到亮：印成灰度也分得出大小
    heat: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    // 蓝为负、白为零、红为正，与书里的卷积核相同
    signed: [[33, 102, 172], [247, 247, 247], [178, 24, 43]],
  }

  function colorOf(stops, place) {
    const at = Math.min(Math.max(place, 0), 1) * (stops.length - 1)
    const low = Math.min(Math.floor(at), stops.length - 2)
    return stops[low].map((value, i) => value + (stops[low + 1][i] - value) * (at - low))
  }

  /* 在 canvas 上画 height×width 个数，low～high 对应颜色的两端；opacity(值) 是 0～255 的浓淡。 */
  function paint(canvas, values, height, width, [low, high], colors = 'gray', opacity = () => 255) {
    canvas.width = width
    canvas.height = height
    const image = new ImageData(width, height)
    for (let i = 0; i < height * width; i++) {
      if (Number.isNaN(values[i])) continue // 还没有算出来的
      const color = colorOf(STOPS[colors], (values[i] - low) / (high - low || 1))
      image.data.set([...color, opacity(values[i])], 4 * i)
    }
    canvas.getContext('2d').putImageData(image, 0, 0)
  }

  function rangeOf(values) {
    let [low, high] = [Infinity, -Infinity]
    for (const value of values) {
      if (value < low) low = value
      if (value > high) high = value
    }
    return [low, high]
  }

  const symmetric = (values) => {
    const most = Math.max(...rangeOf(values).map(Math.abs))
    return [-most, most]
  }

  Object.assign(Living, { paint, rangeOf, symmetric })
})()
