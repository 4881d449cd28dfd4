/* 工具箱一章的 LeNet 怎样训练，只有算术：随机数、初始化、前向、反向、更新。
 *
 * 全部写在一个函数里，不碰页面：页面把这个函数的文字交给 Worker，从磁盘打开的网页也能这样
 * 启动它；测试直接调用它，逐个梯度与 PyTorch 比。一张图像一张图像地算，没有批量的维度。 */
window.Living = Object.assign(window.Living || {}, { lenetTraining: () => {
  const K = 5 // 卷积核的边长
  const SIDE = 28
  const PADDED = SIDE + 4 // 第一层每边填充 2 像素
  const CLASSES = 10
  const PROBE = 128 // 梯度的直方图总用前 128 张训练图像，各次训练才能相比
  const EPOCHS = 10
  const REPORTS = 4 // 一轮里报告几次
  const LOWEST = -12 // 直方图的横轴：log10|梯度| 从 −12 到 1，一格 0.25，与书里的图相同
  const BINS = 52

  /* 0～1 的随机数，32 位的状态（mulberry32）：种子相同，每台机器上都相同。 */
  function random(seed) {
    let state = seed | 0
    return () => {
      state = (state + 0x6d2b79f5) | 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
    }
  }

  const normal = (next) =>
    Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())

  /* 一层：side 是卷积的输入边长，全连接层没有。fan 是一个输出由几个输入算出。 */
  function layer(inputs, outputs, side) {
    const fan = side ? inputs * K * K : inputs
    const [weight, weightGradient] = [0, 0].map(() => new Float32Array(outputs * fan))
    const [bias, biasGradient] = [0, 0].map(() => new Float32Array(outputs))
    const size = side ? outputs * (side - K + 1) ** 2 : outputs
    const [output, error] = [0, 0].map(() => new Float32Array(size))
    const pooled = side ? new Float32Array(size / 4) : output
    return { inputs, outputs, side, fan, weight, bias, weightGradient, biasGradient,
      output, error, pooled, pooledError: side ? new Float32Array(size / 4) : error }
  }

  const layers = () => [
    layer(1, 6, PADDED), layer(6, 16, SIDE / 2),
    layer(400, 120), layer(120, 84), layer(84, CLASSES),
  ]

  /* 新的网络：He 初始化再乘以 scale，偏置为 0。 */
  function create(scale, next) {
    const net = layers()
    for (const { weight, fan } of net) {
      const deviation = scale * Math.sqrt(2 / fan)
      for (let i = 0; i < weight.length; i++) weight[i] = deviation * normal(next)
    }
    return net
  }

  function convolve({ inputs, outputs, side, weight, bias, output }, x) {
    const n = side - K + 1
    for (let f = 0, at = 0; f < outputs; f++) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++, at++) {
          let sum = bias[f]
          let w = f * inputs * K * K
          for (let c = 0; c < inputs; c++) {
            let p = (c * side + i) * side + j
            for (let k = 0; k < K; k++, p += side, w += K) {
              sum += weight[w] * x[p] + weight[w + 1] * x[p + 1] + weight[w + 2] * x[p + 2]
                + weight[w + 3] * x[p + 3] + weight[w + 4] * x[p + 4]
            }
          }
          output[at] = sum
        }
      }
    }
  }

  /* 卷积的反向：累加权重与偏置的梯度；要时把误差传到输入（已清零）。 */
  function convolveBack(one, x, inputError) {
    const { inputs, outputs, side, weight, weightGradient, biasGradient, error } = one
    const n = side - K + 1
    for (let f = 0; f < outputs; f++) {
      for (let at = f * n * n; at < (f + 1) * n * n; at++) biasGradient[f] += error[at]
      let w = f * inputs * K * K
      for (let c = 0; c < inputs; c++) {
        for (let k = 0; k < K; k++, w += K) {
          let [g0, g1, g2, g3, g4] = [0, 0, 0, 0, 0]
          const [w0, w1, w2, w3, w4] = weight.subarray(w, w + K)
          for (let i = 0, at = f * n * n; i < n; i++) {
            let p = (c * side + i + k) * side
            for (let j = 0; j < n; j++, p++, at++) {
              const e = error[at]
              if (e === 0) continue
              g0 += e * x[p]
              g1 += e * x[p + 1]
              g2 += e * x[p + 2]
              g3 += e * x[p + 3]
              g4 += e * x[p + 4]
              if (!inputError) continue
              inputError[p] += e * w0
              inputError[p + 1] += e * w1
              inputError[p + 2] += e * w2
              inputError[p + 3] += e * w3
              inputError[p + 4] += e * w4
            }
          }
          weightGradient[w] += g0
          weightGradient[w + 1] += g1
          weightGradient[w + 2] += g2
          weightGradient[w + 3] += g3
          weightGradient[w + 4] += g4
        }
      }
    }
  }

  function connect({ inputs, outputs, weight, bias, output }, x) {
    for (let o = 0, w = 0; o < outputs; o++) {
      let sum = bias[o]
      for (let i = 0; i < inputs; i++, w++) sum += weight[w] * x[i]
      output[o] = sum
    }
  }

  function connectBack(one, x, inputError) {
    const { inputs, outputs, weight, weightGradient, biasGradient, error } = one
    for (let o = 0, w = 0; o < outputs; o++) {
      const e = error[o]
      biasGradient[o] += e
      for (let i = 0; i < inputs; i++, w++) {
        weightGradient[w] += e * x[i]
        inputError[i] += e * weight[w]
      }
    }
  }

  function activate(values, sigmoid) {
    for (let i = 0; i < values.length; i++) {
      values[i] = sigmoid ? 1 / (1 + Math.exp(-values[i])) : Math.max(values[i], 0)
    }
  }

  /* 激活函数的导数由它的输出算出，乘进误差里。 */
  function activateBack(values, error, sigmoid) {
    for (let i = 0; i < values.length; i++) {
      const a = values[i]
      error[i] *= sigmoid ? a * (1 - a) : a > 0
    }
  }

  /* 2×2 的平均池化：四个位置 p、p+1、p+n、p+n+1 与池化后的第 at 个数。 */
  function windows(n, channels, visit) {
    for (let c = 0, at = 0; c < channels; c++) {
      for (let i = 0; i < n; i += 2) {
        for (let j = 0; j < n; j += 2, at++) visit((c * n + i) * n + j, at)
      }
    }
  }

  function pool({ outputs, side, output, pooled }) {
    const n = side - K + 1
    windows(n, outputs, (p, at) => {
      pooled[at] = (output[p] + output[p + 1] + output[p + n] + output[p + n + 1]) / 4
    })
  }

  function poolBack({ outputs, side, error, pooledError }) {
    const n = side - K + 1
    windows(n, outputs, (p, at) => {
      error[p] = error[p + 1] = error[p + n] = error[p + n + 1] = pooledError[at] / 4
    })
  }

  /* 前向一张图像，返回各类的得分；x 是填充过的 32×32 个数。 */
  function forward(net, x, sigmoid) {
    for (const one of net) {
      if (one.side) convolve(one, x)
      else connect(one, x)
      if (one !== net.at(-1)) activate(one.output, sigmoid)
      if (one.side) pool(one)
      x = one.pooled
    }
    return x
  }

  /* 得分 → 交叉熵，与它对得分的梯度（写进 error）。 */
  function crossEntropy(scores, label, error) {
    const highest = Math.max(...scores)
    let sum = 0
    for (const score of scores) sum += Math.exp(score - highest)
    for (let c = 0; c < scores.length; c++) {
      error[c] = Math.exp(scores[c] - highest) / sum - (c === label)
    }
    return Math.log(sum) + highest - scores[label]
  }

  /* 刚做过 forward 的这张图像的梯度，累加到各层；最后一层的 error 已经写好。 */
  function backward(net, x, sigmoid) {
    for (let i = net.length - 1; i >= 0; i--) {
      const [one, below] = [net[i], net[i - 1]]
      if (one.side) poolBack(one)
      if (i < net.length - 1) activateBack(one.output, one.error, sigmoid)
      if (below) below.pooledError.fill(0)
      const input = below ? below.pooled : x
      if (one.side) convolveBack(one, input, below?.pooledError)
      else connectBack(one, input, below.pooledError)
    }
  }

  /* 像素 → 填充过的 32×32 个数：减均值、除以标准差，填充的是 0。 */
  function normalizer(pixels) {
    let [sum, squares] = [0, 0]
    for (const p of pixels) {
      sum += p
      squares += p * p
    }
    const mean = sum / pixels.length
    const deviation = Math.sqrt(squares / pixels.length - mean * mean)
    const x = new Float32Array(PADDED * PADDED)
    return (images, index) => {
      for (let i = 0, from = index * SIDE * SIDE; i < SIDE; i++) {
        for (let j = 0; j < SIDE; j++, from++) {
          x[(i + 2) * PADDED + j + 2] = (images[from] - mean) / deviation
        }
      }
      return x
    }
  }

  /* 一批图像的平均损失，并在各层留下平均损失的梯度。at(i) 给出图像，labels[i] 是类别。 */
  function gradients(net, at, labels, chosen, sigmoid) {
    for (const one of net) {
      one.weightGradient.fill(0)
      one.biasGradient.fill(0)
    }
    let loss = 0
    for (const index of chosen) {
      const x = at(index)
      loss += crossEntropy(forward(net, x, sigmoid), labels[index], net.at(-1).error)
      backward(net, x, sigmoid)
    }
    for (const { weightGradient, biasGradient } of net) {
      for (let i = 0; i < weightGradient.length; i++) weightGradient[i] /= chosen.length
      for (let i = 0; i < biasGradient.length; i++) biasGradient[i] /= chosen.length
    }
    return loss / chosen.length
  }

  /* 普通的随机梯度下降：没有动量，没有裁剪。 */
  function descend(net, rate) {
    for (const { weight, bias, weightGradient, biasGradient } of net) {
      for (let i = 0; i < weight.length; i++) weight[i] -= rate * weightGradient[i]
      for (let i = 0; i < bias.length; i++) bias[i] -= rate * biasGradient[i]
    }
  }

  /* 一层的直方图：各格的个数，恰好是 0 的占几成，非零的中位数（常用对数）。 */
  function histogram(values) {
    const bins = new Array(BINS).fill(0)
    const logs = []
    for (const value of values) if (value !== 0) logs.push(Math.log10(Math.abs(value)))
    for (const log of logs) {
      bins[Math.min(Math.max(Math.floor((log - LOWEST) * 4), 0), BINS - 1)]++
    }
    logs.sort((a, b) => a - b)
    const middle = logs.length >> 1 // 偶数个取中间两个的平均，与 np.median 相同
    const median = logs.length ? (logs[middle] + logs[logs.length - 1 - middle]) / 2 : null
    return { bins, median, zero: 1 - logs.length / values.length }
  }

  function accuracy(net, at, labels, sigmoid) {
    let right = 0
    labels.forEach((label, index) => {
      const scores = forward(net, at(index), sigmoid)
      right += scores.indexOf(Math.max(...scores)) === label
    })
    return right / labels.length
  }

  function shuffle(order, next) {
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]]
    }
  }

  /* 刚算出的梯度都是有限的数。 */
  const finite = (net) => net.every((one) => one.weightGradient.every(Number.isFinite))

  /* 训练，每隔四分之一轮报告一次，第一份在训练之前；损失或梯度不是有限的数时到此为止。
   *
   * settings：rate、scale、sigmoid、batch、seed。data：train 与 held 各有 pixels（一张图像
   * 784 个）和 labels。报告：epoch（走了几轮）、loss（上次报告以来的平均）、accuracy（留出
   * 的图像）、layers（各层的直方图）；或 broken（第几轮第几步）。 */
  function* train(settings, { train: trained, held }) {
    const { rate, scale, sigmoid, batch, seed } = settings
    const next = random(seed)
    const net = create(scale, next)
    const normalized = normalizer(trained.pixels)
    const at = (index) => normalized(trained.pixels, index)
    const order = Uint32Array.from(trained.labels.keys())
    const probe = order.slice(0, PROBE)
    const report = (epoch, loss) => {
      const probed = gradients(net, at, trained.labels, probe, sigmoid)
      const layers = net.map((one) => histogram(one.weightGradient))
      const heldAt = (index) => normalized(held.pixels, index)
      const right = accuracy(net, heldAt, held.labels, sigmoid)
      return { epoch, loss: loss ?? probed, accuracy: right, layers }
    }
    yield report(0)
    const steps = Math.floor(order.length / batch)
    for (let epoch = 0, sum = 0, count = 0; epoch < EPOCHS; epoch++) {
      shuffle(order, next)
      for (let step = 1; step <= steps; step++) {
        const chosen = order.subarray((step - 1) * batch, step * batch)
        const loss = gradients(net, at, trained.labels, chosen, sigmoid)
        if (!Number.isFinite(loss)) {
          yield { broken: { epoch: epoch + 1, step } }
          return
        }
        descend(net, rate)
        sum += loss
        count++
        const passed = (n) => Math.floor((n * REPORTS) / steps)
        if (passed(step) === passed(step - 1)) continue
        const made = report(epoch + step / steps, sum / count)
        if (!finite(net)) { // 损失还是有限的，权重已经溢出
          yield { broken: { epoch: epoch + 1, step } }
          return
        }
        yield made
        sum = count = 0
      }
    }
  }

  return { EPOCHS, LOWEST, BINS, PROBE, random, normal, create, normalizer, forward, gradients,
    descend, histogram, train }
} })
