/* 引擎：照一串算子（deepcnn/anatomy/program.py 写出）算一个网络，权重是 safetensors 文件。
 *
 * createEngine 不用外面的任何名字：它的文字就是 Worker 的脚本（laboratory.js），从磁盘打开的
 * 网页里也能另起一个线程。每个张量都留着，所以哪一层的特征图都看得到。一个网络的权重、张量与
 * 草稿在一块内存里，大小事先算好；有 SIMD 的浏览器用 WebAssembly 做矩阵乘法，别的用 JavaScript。 */
(() => {
  function createEngine(kernel) {
    const INPUT = 'image'
    const PANEL = 8 // WebAssembly 一次算 8 列，见 product.wat

    // ---- 权重文件 ------------------------------------------------------------------

    const NOT_WEIGHTS = '这个文件不是本书写的网络：请用 deepcnn 的 export_page 写出的 .safetensors 文件'

    function require(fine) {
      if (!fine) throw new Error(NOT_WEIGHTS)
    }

    const count = (shape) => shape.reduce((product, side) => product * side, 1)

    /* safetensors：八个字节的头长，JSON 的头，然后是数据。 */
    function readFile(buffer) {
      const length = Number(new DataView(buffer).getBigUint64(0, true))
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)))
      const { __metadata__: metadata = {}, ...tensors } = header
      const data = buffer.slice(8 + length)
      const end = Math.max(...Object.values(tensors).map((one) => one.data_offsets[1]))
      if (!(end <= data.byteLength)) throw new Error('文件不完整：请重新写出或重新下载')
      return { metadata, tensors, data }
    }

    function shapeOf(file, name) {
      if (!file.tensors[name]) throw new Error(`文件里没有权重 ${name}：请重新写出这个网络`)
      return file.tensors[name].shape
    }

    /* 存着的数；字节数与写明的形状不合，读出来的就全错位了。 */
    function stored(file, name, wanted) {
      const shape = shapeOf(file, name)
      const { dtype, data_offsets } = file.tensors[name]
      const Numbers = { F32: Float32Array, I8: Int8Array }[dtype]
      if (!Numbers) throw new Error(`权重 ${name} 是 ${dtype}：只认识 F32 与 I8`)
      const bytes = file.data.slice(...data_offsets)
      if (bytes.byteLength !== count(shape) * Numbers.BYTES_PER_ELEMENT) {
        throw new Error(`权重 ${name} 的字节数与形状对不上：请重新写出这个网络`)
      }
      requireSame({ to: name }, wanted, count(shape))
      return new Numbers(bytes)
    }

    /* 读一个张量成 float32；存成 int8 的，每个输出通道乘它的比例。 */
    function readTensor(file, name, into) {
      const values = stored(file, name, into.length)
      if (values instanceof Float32Array) return into.set(values)
      const [rows] = shapeOf(file, name)
      const scale = stored(file, `${name}.scale`, rows)
      const each = values.length / rows
      values.forEach((value, i) => { into[i] = value * scale[Math.floor(i / each)] })
    }

    // ---- 内存与矩阵乘法 --------------------------------------------------------------

    /* 先记下要多少个数，再一次分好：WebAssembly 的内存长大时，原来的视图全部失效。 */
    function createStore(useKernel) {
      const wanted = []
      let floats = 0
      const store = {
        want(length, give) {
          wanted.push([floats, length, give])
          floats += Math.ceil(length / 4) * 4 // 16 字节对齐
        },
        allocate() {
          const [buffer, product] = room(Math.ceil(floats / 16384) + 1, useKernel)
          store.product = product
          wanted.forEach(([from, length, give]) => give(new Float32Array(buffer, from * 4, length)))
        },
      }
      return store
    }

    /* pages 页内存（一页 65536 字节，16384 个数），与在那里做的矩阵乘法。 */
    function room(pages, useKernel) {
      try {
        if (!useKernel) return [new ArrayBuffer(pages * 65536), plainProduct]
        const memory = new WebAssembly.Memory({ initial: pages })
        const instance = new WebAssembly.Instance(kernel, { engine: { memory } })
        return [memory.buffer, kernelProduct(instance.exports.product)]
      } catch (full) {
        throw new Error('内存放不下这个网络：请用更小的边长')
      }
    }

    /* C = 偏置 + A·B；A 是 rows×depth，B 是 depth×columns，都按行存放。 */
    function plainProduct(a, b, c, bias, panel, rows, depth, columns) {
      for (let i = 0; i < rows; i++) {
        const row = c.subarray(i * columns, (i + 1) * columns)
        row.fill(bias[i])
        let k = 0
        for (; k + 4 <= depth; k += 4) { // 一次四行：C 少读写三遍
          const at = i * depth + k
          const [w0, w1, w2, w3] = [a[at], a[at + 1], a[at + 2], a[at + 3]]
          const b0 = k * columns
          const b1 = b0 + columns
          const b2 = b1 + columns
          const b3 = b2 + columns
          for (let j = 0; j < columns; j++) {
            row[j] += w0 * b[b0 + j] + w1 * b[b1 + j] + w2 * b[b2 + j] + w3 * b[b3 + j]
          }
        }
        for (; k < depth; k++) {
          const w = a[i * depth + k]
          for (let j = 0; j < columns; j++) row[j] += w * b[k * columns + j]
        }
      }
    }

    const kernelProduct = (product) => (a, b, c, bias, panel, rows, depth, columns) => product(
      a.byteOffset, b.byteOffset, c.byteOffset, bias.byteOffset, panel.byteOffset,
      rows, depth, columns)

    // ---- 算子：每种先说输出多大、要哪些权重与草稿，再算 ---------------------------------

    function windowed([, height, width], { kernel, stride, padding, to }) {
      const given = [...kernel, ...stride, ...padding]
      require(given.length === 6 && given.every(Number.isInteger))
      const sides = [height, width].map((side, i) =>
        Math.floor((side + 2 * padding[i] - kernel[i]) / stride[i]) + 1)
      if (Math.min(...sides) < 1) throw new Error(`图像太小，${to} 没有输出：请用更大的边长`)
      return sides
    }

    /* 矩阵 A 与偏置；低秩的权重是两个矩阵，先乘右边的。 */
    function wantMatrices(plan, step) {
      const { file, store } = plan
      const names = file.tensors[`${step.weight}.left`]
        ? [`${step.weight}.right`, `${step.weight}.left`] : [step.weight]
      step.matrices = names.map((name, i) => {
        const shape = shapeOf(file, name)
        const matrix = { rows: shape[0], depth: count(shape.slice(1)) }
        store.want(count(shape), (floats) => {
          readTensor(file, name, floats)
          matrix.weight = floats
        })
        store.want(matrix.rows, (floats) => {
          if (step.bias && i === names.length - 1) readTensor(file, step.bias, floats)
          matrix.bias = floats
        })
        plan.deepest = Math.max(plan.deepest, matrix.depth)
        return matrix
      })
      return step.matrices
    }

    function multiply(plan, step, input, output, columns) {
      let from = input
      step.matrices.forEach((matrix, i) => {
        const to = i === step.matrices.length - 1 ? output : step.between
        plan.store.product(matrix.weight, from, to, matrix.bias, plan.panel,
          matrix.rows, matrix.depth, columns)
        from = to
      })
    }

    const OPERATORS = {
      conv: {
        shape(plan, step, [input]) {
          const [out, channels, ...kernel] = shapeOf(plan.file, step.weight)
          requireSame(step, channels, input[0])
          step.kernel = kernel
          wantMatrices(plan, step)
          const sides = windowed(input, step)
          step.direct = String([kernel, step.stride, step.padding]) === '1,1,1,1,0,0'
          if (!step.direct) {
            plan.columns = Math.max(plan.columns, channels * count(kernel) * count(sides))
          }
          return [out, ...sides]
        },
        run(plan, step, [input], output) {
          const columns = output.shape[1] * output.shape[2]
          if (!step.direct) unfold(input, step, output.shape, plan.unfolded)
          multiply(plan, step, step.direct ? input.data : plan.unfolded, output.data, columns)
        },
      },
      linear: {
        shape(plan, step, [input]) {
          const matrices = wantMatrices(plan, step)
          requireSame(step, matrices[0].depth, input[0])
          requireSame(step, 1, input[1] * input[2])
          if (matrices.length > 1) {
            requireSame(step, matrices[1].depth, matrices[0].rows)
            plan.store.want(matrices[0].rows, (floats) => { step.between = floats })
          }
          return [matrices.at(-1).rows, 1, 1]
        },
        run: (plan, step, [input], output) => multiply(plan, step, input.data, output.data, 1),
      },
      norm: {
        shape(plan, step, [input]) {
          for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
            readTensor(plan.file, `${step.layer}.${part}`, step[part] = new Float32Array(input[0]))
          }
          require(Number.isFinite(step.epsilon))
          return input
        },
        run(plan, step, [input], output) {
          eachChannel(input, (from, to, channel) => {
            const scale = step.weight[channel] / Math.sqrt(step.running_var[channel] + step.epsilon)
            const shift = step.bias[channel] - step.running_mean[channel] * scale
            for (let i = from; i < to; i++) output.data[i] = input.data[i] * scale + shift
          })
        },
      },
      relu: elementwise((x) => (x > 0 ? x : 0)),
      sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x))),
      same: { shape: (plan, step, [input]) => input, run: copy },
      flatten: { shape: (plan, step, [input]) => [count(input), 1, 1], run: copy },
      max: pooled((largest) => largest),
      average: pooled((largest, sum, area) => sum / area), // 填充的 0 也算在内
      adaptive: {
        shape: (plan, step, [input]) => [input[0], ...step.size],
        run(plan, step, [input], output) {
          const [, height, width] = input.shape
          const [rows, columns] = step.size
          let at = 0
          eachChannel(input, (from) => {
            for (let i = 0; i < rows; i++) {
              for (let j = 0; j < columns; j++) {
                const [top, bottom] = span(i, rows, height)
                const [left, right] = span(j, columns, width)
                let sum = 0
                for (let y = top; y < bottom; y++) {
                  for (let x = left; x < right; x++) sum += input.data[from + y * width + x]
                }
                output.data[at++] = sum / ((bottom - top) * (right - left))
              }
            }
          })
        },
      },
      add: {
        shape(plan, step, [first, second]) {
          first.forEach((side, i) => requireSame(step, side, second[i]))
          return first
        },
        run(plan, step, [first, second], output) {
          const [a, b, c] = [first.data, second.data, output.data]
          for (let i = 0; i < c.length; i++) c[i] = a[i] + b[i]
        },
      },
      concat: {
        shape(plan, step, inputs) {
          inputs.forEach((one) => {
            requireSame(step, one[1], inputs[0][1])
            requireSame(step, one[2], inputs[0][2])
          })
          return [inputs.reduce((sum, [channels]) => sum + channels, 0), ...inputs[0].slice(1)]
        },
        run(plan, step, inputs, output) {
          let at = 0
          for (const { data } of inputs) {
            output.data.set(data, at)
            at += data.length
          }
        },
      },
    }

    function requireSame(step, expected, found) {
      if (expected !== found) {
        throw new Error(`${step.to} 的权重要 ${expected}，来的却是 ${found}：权重与网络对不上`)
      }
    }

    function eachChannel({ shape: [channels, height, width] }, visit) {
      const each = height * width
      for (let c = 0; c < channels; c++) visit(c * each, (c + 1) * each, c)
    }

    function elementwise(value) {
      return {
        shape: (plan, step, [input]) => input,
        run(plan, step, [input], output) {
          const [from, to] = [input.data, output.data]
          for (let i = 0; i < to.length; i++) to[i] = value(from[i])
        },
      }
    }

    function copy(plan, step, [input], output) {
      output.data.set(input.data)
    }

    const span = (i, parts, side) =>
      [Math.floor(i * side / parts), Math.ceil((i + 1) * side / parts)]

    function pooled(choose) {
      return {
        shape: (plan, step, [input]) => [input[0], ...windowed(input, step)],
        run(plan, { kernel, stride, padding }, [input], output) {
          const [, height, width] = input.shape
          const [, rows, columns] = output.shape
          const area = kernel[0] * kernel[1]
          let at = 0
          eachChannel(input, (from) => {
            for (let i = 0; i < rows; i++) {
              const top = i * stride[0] - padding[0]
              const [y0, y1] = [Math.max(top, 0), Math.min(top + kernel[0], height)]
              for (let j = 0; j < columns; j++) {
                const left = j * stride[1] - padding[1]
                const [x0, x1] = [Math.max(left, 0), Math.min(left + kernel[1], width)]
                let [largest, sum] = [-Infinity, 0]
                for (let y = y0; y < y1; y++) {
                  for (let x = x0; x < x1; x++) {
                    const value = input.data[from + y * width + x]
                    sum += value
                    if (value > largest) largest = value
                  }
                }
                output.data[at++] = choose(largest, sum, area)
              }
            }
          })
        },
      }
    }

    /* im2col：每个输出位置看到的那一块排成一列，卷积就成了一次矩阵乘法。 */
    function unfold(input, { kernel, stride, padding }, [, rows, columns], to) {
      const [, height, width] = input.shape
      const [down, across] = stride
      let at = 0
      eachChannel(input, (from) => {
        for (let y = 0; y < kernel[0]; y++) {
          for (let x = 0; x < kernel[1]; x++) {
            const shift = x - padding[1]
            // 第 first～last−1 列在图像里，两边看到的是填充
            const first = Math.min(Math.max(Math.ceil(-shift / across), 0), columns)
            const last = Math.max(Math.min(Math.ceil((width - shift) / across), columns), first)
            for (let i = 0; i < rows; i++, at += columns) {
              const row = i * down + y - padding[0]
              if (row < 0 || row >= height) {
                to.fill(0, at, at + columns)
                continue
              }
              const left = from + row * width + shift
              for (let j = 0; j < first; j++) to[at + j] = 0
              for (let j = first; j < last; j++) to[at + j] = input.data[left + j * across]
              for (let j = last; j < columns; j++) to[at + j] = 0
            }
          }
        }
      })
    }

    // ---- 图像 --------------------------------------------------------------------

    /* 与 deepcnn.data.prepare 相同：双线性放大，再归一化。pixels 是 0～255 的方图。 */
    function prepare(pixels, { side, mean, std }) {
      const from = Math.sqrt(pixels.length)
      if (side < from) throw new Error(`网络的输入要至少 ${from} 像素，现在是 ${side}`)
      const places = Array.from({ length: side }, (_, i) => {
        const at = Math.max((i + 0.5) * from / side - 0.5, 0)
        const low = Math.floor(at)
        return [low, Math.min(low + 1, from - 1), at - low]
      })
      const image = new Float32Array(side * side)
      places.forEach(([top, bottom, down], i) => places.forEach(([left, right, across], j) => {
        const upper = pixels[top * from + left] * (1 - across) + pixels[top * from + right] * across
        const lower = pixels[bottom * from + left] * (1 - across) + pixels[bottom * from + right] * across
        image[i * side + j] = (upper * (1 - down) + lower * down - 255 * mean) / (255 * std)
      }))
      return image
    }

    function softmax(scores) {
      const largest = Math.max(...scores)
      const powers = Array.from(scores, (score) => Math.exp(score - largest))
      const sum = powers.reduce((total, power) => total + power, 0)
      return powers.map((power) => power / sum)
    }

    // ---- 网络 --------------------------------------------------------------------

    /* 打开一个网络。program 是算子；不给时读文件自己带的（export_page 写在头里）。useKernel 为假
     * 时只用 JavaScript。 */
    function open(...given) {
      try {
        return build(...given)
      } catch (error) { // 这里自己说的都是 Error；别的是浏览器的英文，缺了、写坏了一项才有
        throw error.constructor === Error ? error : new Error(NOT_WEIGHTS)
      }
    }

    function build(buffer, program, useKernel = Boolean(kernel)) {
      const file = readFile(buffer)
      program ||= JSON.parse(file.metadata.page)
      const { side, mean, std, title, titles, taps, classes } = program
      require(title && classes.every(String) && Number.isFinite(mean / std))
      const store = createStore(useKernel)
      const plan = { file, store, deepest: 1, columns: 1 }
      const tensors = new Map()
      const make = (name, shape) => {
        require(shape.length === 3 && shape.every((one) => Number.isInteger(one) && one > 0))
        const tensor = { shape }
        tensors.set(name, tensor)
        store.want(count(shape), (floats) => { tensor.data = floats })
        return tensor
      }
      make(INPUT, [1, side, side])
      const steps = program.operators.map((described) => {
        const step = { ...described }
        const inputs = step.from.map((name) => tensors.get(name))
        const operator = OPERATORS[step.do]
        require(operator && !inputs.includes(undefined))
        const output = make(step.to, operator.shape(plan, step, inputs.map((one) => one.shape)))
        return { step, inputs, output, run: operator.run }
      })
      const found = count(tensors.get(program.output)?.shape || [0])
      if (found !== classes.length) throw new Error(`网络给出 ${found} 个得分，类别却有 ${classes.length} 个`)
      require(taps.length && taps.every((name) => tensors.has(name) && titles[name]))
      const sources = new Map(program.operators.map(({ to, from }) => [to, from]))
      require((program.cuts || []).every(({ title, parts, readers = [] }) => title
        && parts.every(({ title, tensor, at, input }) => title && sources.get(at)?.[input] === tensor)
        && readers.every(({ title, at, sees }) => title && sources.has(at) && sees <= parts.length)))
      store.want(plan.columns, (floats) => { plan.unfolded = floats })
      store.want((plan.deepest + 1) * PANEL, (floats) => { plan.panel = floats })
      store.allocate()
      plan.file = null // 权重已经抄进内存
      return network(program, plan, steps, tensors)
    }

    function network(program, plan, steps, tensors) {
      const tensor = (name) => {
        if (!tensors.has(name)) throw new Error(`网络里没有 ${name}`)
        return tensors.get(name)
      }

      /* 算一张 0～255 的方图，返回类别得分（softmax 之前）。
       *
       * changes.erased：{张量: 'all' 或 [通道…]}，算完那个张量就把这些通道清零（捷径、线路、通道）。
       * changes.unread：{张量: [通道…]}，写那个张量的算子读不到它输入里的这些通道，别的照读。
       * changes.cut：{张量: [第几个输入…]}，写那个张量的算子读不到这几个输入（捷径、线路、来源）。 */
      function run(pixels, changes = {}) {
        tensor(INPUT).data.set(prepare(pixels, program))
        const { erased = {}, unread = {}, cut = {} } = changes
        for (const name of [erased, unread, cut].flatMap(Object.keys)) tensor(name)
        for (const { step, inputs, output, run: compute } of steps) {
          const { to } = step
          const putBack = (cut[to] || []).map((i) => hide(inputs[i], 'all'))
          if (unread[to]) putBack.unshift(hide(inputs[0], unread[to]))
          compute(plan, step, inputs, output)
          putBack.forEach((put) => put())
          if (erased[to]) erase(output, erased[to])
        }
        return tensor(program.output).data.slice()
      }

      /* 末尾是全局平均池化的网络：池化之前的各处给一类打的分；别的网络返回 null。 */
      function activation(label) {
        const at = steps.findIndex(({ step }) => step.do === 'adaptive' && count(step.size) === 1)
        const after = steps.slice(at + 1).filter(({ step }) => !['flatten', 'same'].includes(step.do))
        if (at < 0 || after.length > 1 || after.some(({ step }) => step.do !== 'linear')) return null
        const features = steps[at].inputs[0]
        const [channels, height, width] = features.shape
        const each = height * width
        if (!after.length) {
          return { height, width, bias: 0, values: features.data.slice(label * each, (label + 1) * each) }
        }
        const values = new Float32Array(each)
        const { matrices } = after[0].step
        const row = classWeights(matrices, label)
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < each; i++) values[i] += row[c] * features.data[c * each + i]
        }
        return { height, width, bias: matrices.at(-1).bias[label], values }
      }

      /* 盖住 28×28 图像的一块，各处的概率；rows 是要算的几行中心，stride、patch 以像素计。 */
      function occlude(pixels, label, rows, { patch, stride }, changes = {}) {
        const side = Math.sqrt(pixels.length)
        const fill = Math.round(255 * program.mean)
        return rows.map((row) => Array.from({ length: Math.ceil(side / stride) }, (_, column) => {
          const covered = pixels.slice()
          const [top, left] = [row * stride - Math.floor(patch / 2), column * stride - Math.floor(patch / 2)]
          for (let y = Math.max(top, 0); y < Math.min(top + patch, side); y++) {
            covered.fill(fill, y * side + Math.max(left, 0), y * side + Math.min(left + patch, side))
          }
          return softmax(run(covered, changes))[label]
        }))
      }

      const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))

      /* 一个张量的副本；给 Worker 送回页面。 */
      const map = (name) => ({ shape: tensor(name).shape, data: tensor(name).data.slice() })

      /* 直接读图像的一个卷积层：它的核 (out, in, h, w)、步幅与填充；别的层是 null，它看到的一块不在
       * 图像上。 */
      function kernels(name) {
        const { step, inputs } = steps.find((one) => one.step.to === name)
        if (step.do !== 'conv' || step.from[0] !== INPUT) return null
        const { matrices: [{ rows, weight }], kernel, stride, padding, bias } = step
        const shape = [rows, inputs[0].shape[0], ...kernel]
        return { shape, data: weight.slice(), stride, padding, biased: Boolean(bias) }
      }

      return { program, shapes, run, activation, occlude, map, kernels }
    }

    function classWeights(matrices, label) {
      let row = Float32Array.of(1)
      matrices.slice().reverse().forEach(({ depth, weight, rows }, i) => {
        const next = new Float32Array(depth)
        for (let r = 0; r < (i ? rows : 1); r++) {
          for (let k = 0; k < depth; k++) next[k] += row[r] * weight[(i ? r : label) * depth + k]
        }
        row = next
      })
      return row
    }

    function channelsOf(tensor, chosen) {
      const all = tensor.shape[0]
      const channels = chosen === 'all' ? Array.from({ length: all }, (_, i) => i) : chosen
      if (channels.some((one) => !(one >= 0 && one < all))) throw new Error(`通道的编号是 0～${all - 1}`)
      const each = count(tensor.shape) / all
      return channels.map((one) => [one * each, (one + 1) * each])
    }

    function erase(tensor, chosen) {
      for (const [from, to] of channelsOf(tensor, chosen)) tensor.data.fill(0, from, to)
    }

    function hide(tensor, chosen) {
      const kept = channelsOf(tensor, chosen).map(([from, to]) => [from, tensor.data.slice(from, to)])
      erase(tensor, chosen)
      return () => kept.forEach(([from, values]) => tensor.data.set(values, from))
    }

    return { open, prepare, softmax, hasKernel: Boolean(kernel) }
  }

  /* base64 → 编好的 WebAssembly；浏览器不会 SIMD 时是 null，引擎就用 JavaScript。 */
  function compileKernel(text) {
    try {
      return new WebAssembly.Module(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)))
    } catch (unsupported) {
      return null
    }
  }

  Object.assign(Living, { createEngine, compileKernel })
})()
