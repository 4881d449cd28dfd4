/* 实验室：一页一个，网络在它的 Worker 里算，页面因此不会停住。
 *
 * Worker 的脚本由函数的文字拼成（Blob），所以从磁盘打开的网页里也能另起线程。同一条线（lane）
 * 上一次只算一件事，算的时候来了几件，只留最新的：画得再快也不排队，过时的得到 null。 */
(() => {
  /* 在 Worker 里运行；只用得到的参数。 */
  function serve(createEngine, compileKernel, kernelText) {
    const engine = createEngine(compileKernel(kernelText))
    const networks = new Map()
    const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))

    function join(parts) {
      const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
      let at = 0
      for (const part of parts) {
        joined.set(part, at)
        at += part.length
      }
      return joined.buffer
    }

    function answerTo(network, pixels, changes) {
      const scores = network.run(pixels, changes)
      const probabilities = engine.softmax(scores)
      const best = Math.max(...probabilities)
      if (!Number.isFinite(best)) throw new Error('这个网络算出的得分不是有限的数：多半训练时发散了')
      return { scores, probabilities, answer: probabilities.indexOf(best) }
    }

    const calls = {
      open({ name, texts, buffer, program: operators }) {
        const network = engine.open(buffer || join(texts.map(decode)), operators)
        networks.set(name, network)
        const { program, shapes } = network
        return { program, shapes }
      },
      /* changes 是手术，见 engine.js；做了手术时 before 是手术之前的回答。 */
      run({ name, pixels, changes, maps = [], label }) {
        const network = networks.get(name)
        const before = changes && answerTo(network, pixels)
        const start = performance.now()
        const found = answerTo(network, pixels, changes)
        return {
          ...found, before, milliseconds: performance.now() - start,
          maps: Object.fromEntries(maps.map((one) => [one, network.map(one)])),
          activation: network.activation(label ?? found.answer),
        }
      },
      answers: ({ name, images, changes }) =>
        images.map((pixels) => answerTo(networks.get(name), pixels, changes).answer),
      occlude: ({ name, pixels, label, rows, window, changes }) =>
        networks.get(name).occlude(pixels, label, rows, window, changes),
      kernels: ({ name, layer }) => networks.get(name).kernels(layer),
      engine: () => ({ kernel: engine.hasKernel }),
    }

    onmessage = ({ data: { id, call, given } }) => {
      try {
        postMessage({ id, result: calls[call](given) })
      } catch (error) {
        postMessage({ id, failure: error.message })
      }
    }
  }

  function createLaboratory() {
    const script = `(${serve})(${Living.createEngine}, ${Living.compileKernel}, '${Living.kernel}')`
    const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
    const worker = new Worker(address)
    const asked = new Map()
    const lanes = new Map()
    const opened = new Map()
    let failed // 线程没能开始的那句话

    /* 没有算完的都说没有，再来时另起一个线程；否则页面一直等着。 */
    worker.onerror = () => {
      failed = new Error('算的线程没能开始：再试一次，或重新载入这一页')
      only = null
      for (const { reject } of asked.values()) reject(failed)
      asked.clear()
    }

    worker.onmessage = ({ data: { id, result, failure } }) => {
      const { resolve, reject } = asked.get(id)
      asked.delete(id)
      if (failure) reject(new Error(failure))
      else resolve(result)
    }

    const call = (name, given) => new Promise((resolve, reject) => {
      if (failed) throw failed
      const id = call.count = (call.count || 0) + 1
      asked.set(id, { resolve, reject })
      worker.postMessage({ id, call: name, given })
    })

    /* 在一条线上问：前一件没有算完时，只留最新的一件。 */
    function ask(lane, name, given) {
      const waiting = lanes.get(lane)
      if (waiting) {
        if (waiting.next) waiting.next.resolve(null)
        return new Promise((resolve, reject) => {
          waiting.next = { resolve, reject, name, given }
        })
      }
      lanes.set(lane, {})
      return call(name, given).finally(() => {
        const { next } = lanes.get(lane)
        lanes.delete(lane)
        if (next) ask(lane, next.name, next.given).then(next.resolve, next.reject)
      })
    }

    /* 载入随书的一个网络；progress(到了几份, 一共几份)。失败之后可以再来，到了的不再取。 */
    function load(name, progress = () => {}) {
      if (!opened.has(name)) {
        const loading = fetchAndOpen(name, progress)
        opened.set(name, loading)
        loading.catch(() => opened.delete(name))
      }
      return opened.get(name)
    }

    async function fetchAndOpen(name, progress) {
      const [listed, program] = await Promise.all([Living.data('weights'), Living.data(`program-${name}`)])
      const { parts } = listed[name]
      const texts = []
      for (let part = 0; part < parts; part++) {
        progress(part, parts)
        texts.push(await Living.data(`weights-${name}-${part}`))
      }
      progress(parts, parts)
      const found = await call('open', { name, texts, program })
      for (let part = 0; part < parts; part++) Living.put(`weights-${name}-${part}`, '') // Worker 里已有一份
      return found
    }

    /* 打开读者自己的网络：export_page 写的文件。 */
    const open = (name, buffer) => call('open', { name, buffer })

    return { ask, call, load, open }
  }

  let only = null
  Living.laboratory = () => only || (only = createLaboratory())
})()
