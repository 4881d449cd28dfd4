/* 数据脚本里的字节：写成 base64，有的先用 zlib 压缩过。 */
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0))

  /* zlib 压缩过的一段 → Uint8Array。 */
  async function inflate(text) {
    const stream = new Blob([bytes(text)]).stream()
    const plain = stream.pipeThrough(new DecompressionStream('deflate'))
    return new Uint8Array(await new Response(plain).arrayBuffer())
  }

  /* 读者要取多少：1.5 MB、120 KB。 */
  const sizeOf = (count) =>
    (count < 2 ** 20 / 10 ? `${Math.ceil(count / 1024)} KB` : `${(count / 2 ** 20).toFixed(1)} MB`)

  Object.assign(Living, { bytes, inflate, sizeOf })
})()
