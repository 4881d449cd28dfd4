/* 一张照片怎样变成网络看到的 28×28：找出物体，裁成方的，缩小，背景变成黑的。
 *
 * 训练用的图像是黑底上亮的物体，几乎顶到边。照片多半是亮的背景，要反转；反不反由读者定。 */
(() => {
  const SIDE = 28
  const DIFFERENT = 40 // 与背景差这么多个灰度级，才算物体

  /* rgba 是 ImageData.data；返回 {pixels: 784 个 0～255, bright: 背景是不是亮的}。 */
  function fitPicture(rgba, width, height, invert) {
    const gray = grayOf(rgba)
    const background = medianOf(border(gray, width, height))
    const square = squareAround(gray, width, height, background)
    const small = shrink(gray, width, height, square, background)
    const bright = background > 127
    return { pixels: darken(small, background, invert === undefined ? bright : invert), bright }
  }

  function grayOf(rgba) {
    const gray = new Float32Array(rgba.length / 4)
    for (let i = 0; i < gray.length; i++) {
      const [red, green, blue, alpha] = rgba.slice(4 * i, 4 * i + 4)
      const seen = 0.299 * red + 0.587 * green + 0.114 * blue
      gray[i] = (seen * alpha + 255 * (255 - alpha)) / 255 // 透明的地方当作白的
    }
    return gray
  }

  function border(gray, width, height) {
    const found = []
    for (let x = 0; x < width; x++) found.push(gray[x], gray[(height - 1) * width + x])
    for (let y = 0; y < height; y++) found.push(gray[y * width], gray[y * width + width - 1])
    return found
  }

  const medianOf = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

  /* 包住物体的方框；没有与背景不同的地方时是整张图。 */
  function squareAround(gray, width, height, background) {
    let [left, right, top, bottom] = [width, -1, height, -1]
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (Math.abs(gray[y * width + x] - background) < DIFFERENT) continue
        left = Math.min(left, x)
        right = Math.max(right, x)
        top = Math.min(top, y)
        bottom = Math.max(bottom, y)
      }
    }
    if (right < 0) [left, right, top, bottom] = [0, width - 1, 0, height - 1]
    const side = Math.max(right - left, bottom - top) + 1
    return { left: (left + right + 1 - side) / 2, top: (top + bottom + 1 - side) / 2, side }
  }

  /* 每个小格取它盖住的像素的平均；方框伸到图外的部分是背景。 */
  function shrink(gray, width, height, { left, top, side }, background) {
    const small = new Float32Array(SIDE * SIDE)
    const step = side / SIDE
    for (let i = 0; i < SIDE; i++) {
      for (let j = 0; j < SIDE; j++) {
        const [y0, y1] = cells(top + i * step, step)
        const [x0, x1] = cells(left + j * step, step)
        let sum = 0
        for (let y = y0; y < y1; y++) {
          for (let x = x0; x < x1; x++) {
            const inside = x >= 0 && x < width && y >= 0 && y < height
            sum += inside ? gray[y * width + x] : background
          }
        }
        small[i * SIDE + j] = sum / ((y1 - y0) * (x1 - x0))
      }
    }
    return small
  }

  function cells(from, step) {
    const first = Math.floor(from)
    return [first, Math.max(Math.round(from + step), first + 1)]
  }

  /* 背景变成 0，离背景最远的变成 255。 */
  function darken(values, background, invert) {
    const above = values.map((value) => (invert ? background - value : value - background))
    const most = Math.max(...above, 1)
    return Uint8Array.from(above, (value) => Math.round(Math.max(value, 0) * 255 / most))
  }

  /* 读一个图片文件；不是图片时抛出一行中文。 */
  async function readPicture(file) {
    let bitmap
    try {
      bitmap = await createImageBitmap(file)
    } catch (unreadable) {
      throw new Error('打不开这个文件：请选 JPEG、PNG 之类的图片')
    }
    const scale = Math.min(1, 512 / Math.max(bitmap.width, bitmap.height))
    const canvas = Living.make('canvas', {
      width: Math.max(Math.round(bitmap.width * scale), 1),
      height: Math.max(Math.round(bitmap.height * scale), 1),
    })
    const context = canvas.getContext('2d')
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    bitmap.close() // 一张照片解开有几十 MB，不等回收
    return context.getImageData(0, 0, canvas.width, canvas.height)
  }

  Object.assign(Living, { fitPicture, readPicture })
})()
