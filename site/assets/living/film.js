/* 训练的影片：从数据里取出一幕的 int8，画成像素。只有算术与画布。
 *
 * 一块 quantized 是 {shape: [幕, 个数, …, 高, 宽], values: 压缩过的 int8, scale: 每幕一个比例}。
 * 颜色的深浅是 |int8| / 127：红为正，蓝为负，0 透明，所以浅色、深色的页面都合适。 */
window.Living = Object.assign(window.Living || {}, { film: (() => {
  const LARGEST = 127
  const [RED, BLUE] = [[214, 63, 50], [50, 120, 205]]

  /* 解压一次；之后 at(幕, 第几个) 是那一小幅的 int8。 */
  async function open({ shape, values, scale }) {
    const numbers = new Int8Array((await Living.inflate(values)).buffer)
    const [height, width] = shape.slice(-2)
    const count = shape.slice(1, -2).reduce((a, b) => a * b, 1)
    const size = height * width
    const at = (frame, index) => {
      const start = (frame * count + index) * size
      return numbers.subarray(start, start + size)
    }
    return { count, height, width, at, range: (frame) => LARGEST * scale[frame] }
  }

  /* 一小幅画到画布的 (left, top)。 */
  function paint(canvas, numbers, width, height, left = 0, top = 0) {
    const image = new ImageData(width, height)
    numbers.forEach((value, i) => {
      const [r, g, b] = value < 0 ? BLUE : RED
      image.data.set([r, g, b, Math.round((255 * Math.abs(value)) / LARGEST)], 4 * i)
    })
    canvas.getContext('2d').putImageData(image, left, top)
  }

  return { open, paint }
})() })
