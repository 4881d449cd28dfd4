/* 结构图的画法：由量过的各层（layer_arithmetic.js）画成一幅 SVG，数据自上而下流动。
 *
 * 一层一行：左边一块板，宽按通道数的对数，高按边长；右边两根条，参数与乘加次数。并行的线路并排，
 * 捷径与稠密连接画在左边的空里。每个能点的是一个 treeitem；怎样点、点了说什么在 structure.js。 */
(() => {
  const { draw, thousands } = Living
  const { leavesOf } = LayerArithmetic
  const { nameOf, shapeOf } = LayerWords
  // 一行（ROW）、段的标题、相加与并排的一格至少这么高，捷径上的一层这么宽，像素；手指要 44 才点得准
  const COARSE = matchMedia('(pointer: coarse)').matches
  const [ROW, HEAD, PLUS, CELL, SHORTCUT] = [38, 28, 24, 32, 24].map((one) => (COARSE ? 44 : one))
  const PIXEL = 0.25 // 图像的一个像素画成几个像素
  const GUTTER = 34 // 左边的空：捷径与稠密连接
  const WIDE = 520 // 有这么宽，条的旁边写得下数
  const MOST_ARCS = 8 // 卷积块再多，弧线就分不清了
  const WEIGHTED = { conv: true, linear: true } // 层数只数它们
  const MINOR = new Set(['norm', 'relu', 'dropout', 'flatten']) // 不单独占一行

  /* 颜色的种类，与书里的结构图相同。 */
  function colourOf({ kind, window }) {
    if (kind === 'conv') return window.size === 1 ? 'one' : 'conv'
    return { max: 'pool', average: 'pool', global: 'global', linear: 'linear' }[kind] || 'group'
  }

  const flat = (layer) => layer.kind === 'row' ? layer.inside.flatMap(flat) : [layer]

  const total = (layers, name) => layers.reduce((sum, one) => sum + one[name], 0)

  /* 一行是一个主要的层，连同它前后的归一化、激活、丢弃法（chain，照执行的次序）。 */
  function itemsOf(layer) {
    const items = []
    let before = []
    for (const one of flat(layer)) {
      if (!MINOR.has(one.kind)) {
        items.push({ layer: one, chain: [...before, one] })
        before = []
      } else if (items.length) items.at(-1).chain.push(one)
      else before.push(one)
    }
    for (const item of items) {
      item.parameters = total(item.chain, 'parameters')
      item.macs = total(item.chain, 'macs')
      item.lanes = item.layer.inside.map(itemsOf)
    }
    return items
  }

  /* 画着条的各行：四条线路合起来画；相加、连结自己没有花费，画它们里面的。 */
  const barred = (items) => items.flatMap((item) =>
    ['sum', 'dense'].includes(item.layer.kind) ? item.lanes.flatMap(barred) : [item])

  class Figure {
    /* open 是打开着的各段的路径；picked 是选中的那一行。 */
    constructor(measured, width, open, picked) {
      Object.assign(this, { measured, width, open, picked, y: 26, targets: [] })
      this.parts = measured.parts.map((part) => ({ ...part, items: itemsOf(part.layer) }))
      const wide = width >= WIDE
      this.barWidth = wide ? 100 : 56
      this.barX = width - (wide ? 200 : 56)
      this.wide = wide
      this.plateMost = Math.max(72, Math.min(170, 0.26 * width))
      this.unit = this.plateMost / 12.1 // 4096 个通道的对数是 12
      const kinds = new Set(this.parts.flatMap(({ items }) => items.map(({ layer }) => layer.kind)))
      this.straight = !['branches', 'sum', 'dense'].some((kind) => kinds.has(kind))
      this.weighted = 0
      if (kinds.has('branches')) {
        this.unit = Math.min(this.unit, (this.barX - GUTTER) / 4 / 9) // 四条线路并排放得下
      }
      this.middle = GUTTER + this.plateMost / 2
      this.textX = GUTTER + this.plateMost + 8
      const rows = this.parts.flatMap((part) => this.shown(part))
      this.most = {
        parameters: Math.max(1, ...rows.map((row) => row.parameters)),
        macs: Math.max(1, ...rows.map((row) => row.macs)),
      }
      this.lines = draw('g', { class: 'structure__lines' })
      this.rows = draw('g', { role: 'presentation' })
    }

    /* 一段里画着条的各行：合起来时就是这一段。 */
    shown(part) {
      return this.isOpen(part) ? barred(part.items) : [part.layer]
    }

    isOpen = (part) => !this.headed(part) || this.open.has(part.layer.path)

    /* 有名字、又不止一层的段才有标题。 */
    headed = ({ title, items }) => title && (items.length > 1 || items[0].lanes.length)

    render() {
      this.legend()
      for (const part of this.parts) this.part(part)
      const box = { width: this.width, height: this.y + 6, viewBox: `0 0 ${this.width} ${this.y + 6}` }
      return draw('svg', {
        ...box, class: 'structure__figure', role: 'tree', tabindex: 0,
        'aria-label': '网络的结构：上下键换一层，左右键合起、打开一段',
      }, this.lines, this.rows)
    }

    legend() {
      const text = (x, line, name) => this.lines.append(
        draw('text', { x, y: 14, class: `structure__small ${name}` }, line))
      text(0, '板：宽是通道数（对数），高是边长', '')
      const first = this.wide ? this.barX : this.barX - 12
      text(first, '参数', 'structure__parameters')
      text(first + 34, '乘加', 'structure__macs')
    }

    part(part) {
      const { layer, title } = part
      const opened = this.isOpen(part)
      const headed = this.headed(part)
      if (headed) {
        this.target({ part, layer, level: 1, expanded: opened, name: title },
          (group) => opened ? this.heading(group, title)
            : this.plateRow(group, layer, layer, `▸ ${title}`))
      }
      if (opened) this.items(part.items, { part, level: headed ? 2 : 1 })
      else this.weighted += leavesOf(layer).filter((one) => one.kind in WEIGHTED).length
    }

    heading(group, title) {
      group.append(this.label(4, this.y + HEAD / 2 + 4, `▾ ${title}`, 'structure__title'))
      return HEAD
    }

    items(items, place) {
      for (const item of items) {
        const draws = { branches: this.branches, sum: this.sum, dense: this.dense }
        const own = draws[item.layer.kind] || this.row
        own.call(this, item, place)
      }
    }

    row(item, place, note = shapeOf(item.layer)) {
      const name = nameOf(item.layer)
      return this.target({ ...place, item, layer: item.layer, name }, (group) => {
        const height = this.plateRow(group, item.layer, item, name, note)
        if (this.straight && item.layer.kind in WEIGHTED) {
          group.append(...this.badge(GUTTER / 2, this.y + height / 2))
        }
        return height
      })
    }

    /* 一层接一层的网络：圆圈给带权重的层编号。 */
    badge(x, y) {
      this.weighted += 1
      return [
        draw('circle', { cx: x, cy: y, r: 10, class: 'structure__badge' }),
        draw('text', { x, y: y + 4, class: 'structure__small structure__centred' }, this.weighted),
      ]
    }

    /* 一行：板、两行字、两根条；返回高。 */
    plateRow(group, layer, counts, name, note = shapeOf(layer)) {
      const height = Math.max(ROW, this.tall(layer) + 8)
      const middle = this.y + height / 2
      this.plate(group, layer, this.middle, middle)
      group.append(
        this.label(this.textX, middle - 3, name),
        this.label(this.textX, middle + 13, note, 'structure__small'))
      this.bars(group, counts, middle)
      return height
    }

    /* 板高：边长；一维的输出是一条线。 */
    tall = (layer) => Math.max(3, (layer.output.shape[1] || 1) * PIXEL)

    broad = (layer) => Math.max(4, this.unit * Math.log2(layer.output.shape[0] + 1))

    plate(group, layer, x, y, flowing = true) {
      const [width, height] = [this.broad(layer), this.tall(layer)]
      group.append(draw('rect', {
        x: x - width / 2, y: y - height / 2, width, height, rx: 1.5,
        class: `structure__plate structure__plate--${colourOf(layer)}`,
      }))
      if (flowing) this.flow(x, y - height / 2, y + height / 2)
    }

    /* 数据从上一块板流到这一块。 */
    flow(x, top, bottom) {
      if (this.last) this.line(`M${this.last[0]} ${this.last[1]}V${top}`)
      this.last = [x, bottom]
    }

    line(d, name = '') {
      this.lines.append(draw('path', { d, class: `structure__line ${name}` }))
    }

    label = (x, y, line, name = '') =>
      draw('text', { x, y, class: `structure__label ${name}` }, line)

    bars(group, counts, middle) {
      for (const [name, y] of [['parameters', middle - 10], ['macs', middle + 3]]) {
        const width = this.barWidth * counts[name] / this.most[name]
        group.append(draw('rect', {
          x: this.barX, y, height: 8, width: counts[name] ? Math.max(1, width) : 0,
          class: `structure__bar structure__${name}`,
        }))
        if (this.wide && counts[name]) {
          group.append(draw('text', {
            x: this.barX + Math.max(1, width) + 4, y: y + 8, class: 'structure__number',
          }, thousands(counts[name])))
        }
      }
    }

    /* 一个能点的东西；paint 画它并返回它的高。box 不给时占一整行，下一行接在它下面。 */
    target(what, paint, box = {}) {
      const picture = draw('g', { 'aria-hidden': true }) // 读屏念 title，不念零碎的字
      const height = paint(picture)
      const { x = 0, y = this.y, width = this.width, tall = height } = box
      const hit = draw('rect', { x, y, width, height: tall, rx: 4, class: 'structure__hit' })
      const group = draw('g', {
        role: 'treeitem', 'aria-level': what.level, 'aria-selected': what.layer.path === this.picked,
      }, hit, picture)
      if ('expanded' in what) group.setAttribute('aria-expanded', what.expanded)
      const counts = what.item || what.layer
      group.prepend(draw('title', {}, `${what.name}，输出 ${shapeOf(what.layer)}，`
        + `${thousands(counts.parameters)} 个参数，${thousands(counts.macs)} 次乘加`))
      this.targets.push({ ...what, group })
      this.rows.append(group)
      if (!('y' in box)) this.y += height
      return group
    }

    /* 四条线路并排，最后连结。 */
    branches(item, place) {
      const top = this.y + 6
      const left = GUTTER / 2
      const laneWidth = (this.barX - 8 - left) / item.lanes.length
      const deepest = Math.max(...item.lanes.map((lane) => lane.length))
      const cell = Math.max(CELL, this.tall(item.layer) + 22)
      const bottom = top + deepest * cell + 4
      const centre = (lane) => left + laneWidth * (lane + 0.5)
      if (this.last) this.line(`M${this.last[0]} ${this.last[1]}V${top - 2}`)
      this.line(`M${centre(0)} ${top - 2}H${centre(item.lanes.length - 1)}`)
      item.lanes.forEach((lane, index) => {
        const x = centre(index)
        this.line(`M${x} ${top - 2}V${bottom}`)
        lane.forEach((one, depth) => {
          const y = top + (deepest - lane.length + depth) * cell
          const name = `线路 ${index + 1}：${nameOf(one.layer)}`
          this.target({ ...place, item: one, layer: one.layer, name },
            (group) => this.laneCell(group, one.layer, x, y, cell),
            { x: x - laneWidth / 2, y, width: laneWidth, tall: cell })
        })
      })
      this.line(`M${centre(0)} ${bottom}H${centre(item.lanes.length - 1)}`)
      this.last = [this.middle, bottom]
      this.y = bottom
      this.target({ ...place, item, layer: item.layer, name: item.layer.node.title },
        (group) => this.plateRow(group, item.layer, item, item.layer.node.title))
    }

    laneCell(group, layer, x, y, cell) {
      this.plate(group, layer, x, y + 4 + this.tall(layer) / 2, false)
      const { size } = layer.window
      const note = layer.kind === 'max' ? '池化' : `${size}×${size}，${layer.output.shape[0]}`
      group.append(draw('text', {
        x, y: y + cell - 5, class: 'structure__small structure__centred structure__lane',
      }, note))
      return cell
    }

    /* 残差块：各层在中间，捷径从左边绕过，最后相加。 */
    sum(item, place) {
      const names = Object.keys(item.layer.node.of)
      const lane = (name) => item.lanes[names.indexOf(name)] || []
      const top = this.y + 3
      const start = this.last ? this.last[1] : top
      this.y += 6
      const first = this.y
      this.items(lane('residual'), place)
      const [x, y] = [this.middle, this.y + PLUS / 2]
      this.line(`M${x} ${Math.max(start, top - 2)}H12V${y}H${x - 8}`, 'structure__line--add')
      for (const one of lane('shortcut')) {
        this.target({ ...place, item: one, layer: one.layer, name: `捷径：${nameOf(one.layer)}` },
          (group) => {
            group.append(draw('rect', {
              x: 5, y: first + 8, width: 14, height: 22, rx: 2,
              class: 'structure__plate structure__plate--one',
            }))
            return ROW
          }, { x: 0, y: first, width: SHORTCUT, tall: ROW })
      }
      this.target({ ...place, item, layer: item.layer, name: '残差块' },
        (group) => {
          group.append(
            draw('circle', { cx: x, cy: y, r: 8, class: 'structure__plate structure__plate--add' }),
            draw('path', { d: `M${x - 5} ${y}h10M${x} ${y - 5}v10`, class: 'structure__plus' }),
            this.label(this.textX, y + 4, '与捷径相加', 'structure__small'))
          return PLUS
        })
      this.flow(x, y - 8, y + 8)
    }

    /* 稠密块：每个卷积块读到前面所有的通道，再添上自己的。 */
    dense(item, place) {
      const few = item.lanes.length <= MOST_ARCS // 多了就只画相邻的
      const edge = this.middle - this.broad(item.layer) / 2 - 4
      const sources = [this.y]
      for (const block of item.lanes) {
        const reads = block[0].layer.input.shape[0]
        const target = this.y + 6
        for (const one of block) {
          const last = one === block.at(-1)
          this.row(one, place, last ? `读 ${reads}，添 ${one.layer.output.shape[0]}` : shapeOf(one.layer))
        }
        this.reach(few ? sources : sources.slice(-1), target, edge)
        sources.push(this.y - 6)
      }
      const end = this.y + ROW / 2
      this.reach(few ? sources : sources.slice(-1), end, edge)
      const group = draw('g', { class: 'structure__joined', 'aria-hidden': true })
      this.plate(group, item.layer, this.middle, end)
      group.append(this.label(this.textX, end + 4, `连结成 ${shapeOf(item.layer)}`, 'structure__small'))
      this.lines.append(group)
      this.y += Math.max(ROW, this.tall(item.layer) + 8)
    }

    /* 左边的弧：前面的输出（sources）都送到 target；隔得越远，弧越鼓。edge 是板的左沿。 */
    reach(sources, target, edge) {
      for (const source of sources) {
        const far = Math.min(1, (target - source) / (ROW * 5))
        const out = edge - (8 + (edge - 16) * far) * 1.2
        this.line(`M${edge} ${source}C${out} ${source} ${out} ${target} ${edge} ${target}`,
          'structure__line--dense')
      }
    }
  }

  window.StructureDrawing = { Figure, COARSE }
})()
