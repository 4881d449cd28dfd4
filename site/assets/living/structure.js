/* 结构图与形状计算器：<living-structure data-network="vgg" data-depth="vgg16">。
 *
 * 上面的控件改边长、通道、宽度、配置；图里点一层，或用方向键走到一层，下面就列出它的形状、参数、
 * 乘加次数、感受野、跳距，以及它的代码在哪一节。数由 layer_arithmetic.js 算，图由
 * structure_drawing.js 画。 */
(() => {
  const { make, thousands } = Living
  const { TooSmall, formOf, measure } = LayerArithmetic
  const { Figure, COARSE } = StructureDrawing
  const { nameOf, shapeOf, orderOf, parametersOf, macsOf, viewOf } = LayerWords
  const TALLEST = COARSE ? 2000 : 1700 // 不比它高的图，开始时每一段都打开，像素；手指的行高一些

  class Structure extends Living.LivingElement {
    async build(panel, state) {
      const { families, sections } = await Living.data('structure')
      this.family = families[this.dataset.network]
      if (!this.family) throw new Error(`没有 ${this.dataset.network} 这个网络的描述`)
      this.sections = sections
      this.usual = this.accepted(this.dataset)
      this.values = { ...this.usual, ...this.accepted(state) }
      this.picked = state.at || ''
      this.original = measure(this.family, this.usual)
      this.furnish(panel)
      this.update()
      if (state.open !== undefined) this.open = new Set(state.open.split(' '))
      new ResizeObserver(() => this.fit()).observe(this.figure)
    }

    /* 有了宽度才画得出；从链接打开时，选中的那一行也要看得见。 */
    fit() {
      const opening = !this.targets
      this.paint()
      if (opening && this.current()) this.keepInView()
    }

    /* 给的值里合法的那些：别的照默认。 */
    accepted(given) {
      const values = {}
      for (const control of this.family.controls) {
        const { name, value } = control
        const found = this.parse(control, given[name])
        values[name] = found === undefined ? (this.usual || {})[name] ?? value : found
      }
      return values
    }

    /* 一个控件的值；不合法时是 undefined。 */
    parse(control, written) {
      if (control.options) {
        return control.options.find(({ value }) => String(value) === String(written))?.value
      }
      const number = Number(written)
      const fits = Number.isInteger(number) && number >= control.least && number <= control.most
      return written && fits ? number : undefined
    }

    furnish(panel) {
      this.inputs = []
      const fields = this.family.controls.flatMap((control) => this.fields(control))
      const reset = make('button', { type: 'button', onclick: () => this.reset() }, '恢复')
      this.summary = make('p', { className: 'structure__summary living__numbers' })
      this.warning = make('p', { className: 'living__failure', role: 'status' })
      this.figure = make('div', { className: 'structure__drawing' })
      this.detail = make('div', { className: 'structure__detail living__numbers', 'aria-live': 'polite' })
      panel.append(
        make('div', { className: 'living__controls' }, ...fields, reset),
        this.summary, this.warning, this.figure, this.detail)
    }

    /* 一个量的控件：几个值里选一个，或者填一个整数，也可以拖动。 */
    fields(control) {
      const { name, label, options, least: min, most: max } = control
      if (options) {
        const choices = options.map(({ value, text }) => make('option', { value }, text))
        return [make('label', {}, label, this.input(control, make('select', { name }, ...choices)))]
      }
      const written = make('input', { type: 'number', name, min, max, inputMode: 'numeric' })
      const dragged = make('input', { type: 'range', min, max, 'aria-label': `拖动${label}` })
      return [make('label', {}, label, this.input(control, written)), this.input(control, dragged)]
    }

    input(control, element) {
      for (const event of ['input', 'change']) {
        element.addEventListener(event, () => this.change(control, element.value))
      }
      element.onblur = () => this.parse(control, element.value) ?? this.update() // 写到一半离开
      this.inputs.push({ control, element })
      return element
    }

    change(control, written) {
      const value = this.parse(control, written)
      if (value === undefined) {
        this.warn(`${control.label}要是 ${control.least}～${control.most} 的整数`)
        return
      }
      const also = control.options?.find((option) => option.value === value)?.also
      Object.assign(this.values, { [control.name]: value }, also)
      this.update()
      this.save()
    }

    reset() {
      this.values = { ...this.usual }
      this.update()
      this.save()
    }

    /* 只写与这一页开始时不同的。 */
    save() {
      const changed = Object.entries(this.values).filter(([name, value]) =>
        value !== this.usual[name])
      const open = [...this.open].sort().join(' ')
      this.remember({ ...Object.fromEntries(changed), ...(this.picked && { at: this.picked }),
        ...(open !== this.usuallyOpen && { open }) })
    }

    warn(line) {
      this.warning.textContent = line
      this.warning.hidden = !line
    }

    /* 照现在的值重算、重画；放不下时说是哪一层，图留着原来的。 */
    update() {
      for (const { control, element } of this.inputs) {
        const typing = element.type === 'number' && document.activeElement === element
        if (!typing) element.value = this.values[control.name]
      }
      try {
        this.measured = measure(this.family, this.values)
      } catch (error) {
        if (!(error instanceof TooSmall)) throw error
        this.refuse(error)
        return
      }
      this.figure.classList.remove('structure__drawing--stale')
      this.warn(this.belowSmallest())
      this.summarise()
      this.openAll()
      this.paint()
    }

    refuse({ layer, side }) {
      const { size, padding } = layer.window
      const padded = padding ? `，连同填充是 ${side + 2 * padding}` : ''
      this.warn(`边长 ${this.values.image_size} 太小：${nameOf(layer)}（${layer.path}）的输入`
        + `只剩 ${side}×${side}${padded}，放不下 ${size}×${size} 的窗口`)
      this.figure.classList.add('structure__drawing--stale')
      this.summary.textContent = ''
      if (this.measured) return
      this.measured = this.original // 从链接打开时就放不下
      this.openAll(this.usual)
      this.paint()
    }

    belowSmallest() {
      const { smallest } = formOf(this.family, this.values)
      return this.values.image_size >= smallest ? ''
        : `算得出来，但书里的这个网络不收边长小于 ${smallest} 的图像：特征图过早缩成 1 个像素`
    }

    summarise() {
      const { parameters, macs } = this.measured
      const ratio = (name) => {
        const value = this.measured[name] / this.original[name]
        return value === 1 ? '' : `（原来的 ${Number(value.toPrecision(3))} 倍）`
      }
      this.summary.textContent = `合计 ${thousands(parameters)} 个参数${ratio('parameters')}，`
        + `${thousands(macs)} 次乘加${ratio('macs')}`
    }

    /* 换了配置：短的网络每一段都打开，长的合起来。 */
    openAll(values = this.values) {
      const form = formOf(this.family, values)
      if (this.form === form) return
      this.form = form
      const paths = this.measured.parts.map(({ layer }) => layer.path)
      const all = new Figure(this.measured, 600, new Set(paths), '')
      all.render()
      const wanted = (path) => all.y <= TALLEST || this.picked.startsWith(`${path}.`)
      this.open = new Set(paths.filter(wanted))
      this.usuallyOpen = [...this.open].sort().join(' ')
    }

    paint() {
      const width = Math.floor(this.figure.clientWidth)
      if (!width || !this.open) return
      const drawing = new Figure(this.measured, width, this.open, this.picked)
      const svg = drawing.render()
      const focused = this.figure.contains(document.activeElement)
      this.targets = drawing.targets
      this.targets.forEach((target, index) => {
        target.group.id = `${this.id}-row-${index}`
        target.group.addEventListener('click', () => this.pick(target, true))
      })
      svg.addEventListener('keydown', (event) => this.key(event))
      svg.addEventListener('focus', () => { // 用键盘进来的；用鼠标点的，自己会选中
        if (svg.matches(':focus-visible') && !this.current()) this.pick(this.targets[0])
      })
      this.figure.replaceChildren(svg)
      if (focused) svg.focus({ preventScroll: true })
      this.describe()
    }

    current() {
      return this.targets?.find(({ layer }) => layer.path === this.picked)
    }

    /* 选中一行；toggle 时段的标题同时打开或合起。 */
    pick(target, toggle = false) {
      this.picked = target.layer.path
      if (toggle && 'expanded' in target) this.toggle(target)
      this.paint()
      this.save()
      this.keepInView()
    }

    toggle({ layer, expanded }) {
      if (expanded) this.open.delete(layer.path)
      else this.open.add(layer.path)
    }

    key(event) {
      const at = this.targets.indexOf(this.current())
      const target = this.targets[at]
      const moves = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: this.targets.length - 1 }
      if (event.key in moves) {
        const next = this.targets[Math.max(0, Math.min(this.targets.length - 1, moves[event.key]))]
        this.pick(next)
      } else if (!target) return
      else if (event.key === 'Enter' || event.key === ' ') this.pick(target, true)
      else if (event.key === 'ArrowRight' && target.expanded === false) this.pick(target, true)
      else if (event.key === 'ArrowLeft') this.leave(target)
      else return
      event.preventDefault()
    }

    /* 左键：打开着的段合起来；段里的一层回到段的标题。 */
    leave(target) {
      if (target.expanded) this.pick(target, true)
      const heading = this.targets.find(({ part, expanded }) =>
        part === target.part && expanded !== undefined)
      if (heading && heading !== target) this.pick(heading)
    }

    /* 选中的那一行不落在屏幕外面，也不被下面的说明盖住。 */
    keepInView() {
      const { top, bottom } = this.current().group.getBoundingClientRect()
      const floor = this.detail.getBoundingClientRect().top
      const ceiling = 70 // 页面顶上的栏
      if (bottom > floor) scrollBy(0, bottom - floor + 8)
      else if (top < ceiling) scrollBy(0, top - ceiling)
    }

    describe() {
      const target = this.current()
      const svg = this.figure.firstChild
      if (target) svg.setAttribute('aria-activedescendant', target.group.id)
      const told = make('div', {}, ...(target ? this.explain(target)
        : [make('p', {}, '点一层，或按 Tab 进到图里再用方向键，看它的数。')]))
      // 话变了才换：读屏不把同一段再念一遍，读者正停在代码的链接上也不丢。
      if (told.innerHTML !== this.detail.innerHTML) this.detail.replaceChildren(...told.childNodes)
    }

    /* item 是一行：一层连同它的归一化、激活；没有 item 的是一段。 */
    explain({ part, item, layer, name }) {
      const chain = item && !layer.inside.length ? item.chain : []
      const title = part.title && part.title !== name ? `${part.title} · ${name}` : name
      const facts = [
        ['形状', `${layer.input.shape.join('×')} → ${shapeOf(layer)}`],
        ['参数', parametersOf(item || layer, chain) + this.share(item || layer, 'parameters')],
        ['乘加', macsOf(item || layer, chain) + this.share(item || layer, 'macs')],
        ['感受野', viewOf(layer.output, this.values.image_size)],
      ]
      const rows = facts.map(([term, value]) =>
        make('div', {}, make('dt', {}, term), make('dd', {}, value)))
      const order = chain.length > 1 ? [make('p', {}, `依次：${orderOf(chain)}`)] : []
      return [
        make('p', {}, make('strong', {}, title), ' ', make('code', {}, layer.path)),
        ...order, make('dl', {}, ...rows), make('p', {}, this.code(part, layer)),
      ]
    }

    /* 占整个网络的百分之几；没有的不写。 */
    share(counts, name) {
      const whole = this.measured[name]
      return counts[name] ? `（占 ${(100 * counts[name] / whole).toFixed(1)}%）` : ''
    }

    /* 这一层的代码在哪一节：块的在块那一节，其余的在它那一段的。 */
    code(part, layer) {
      const anchor = this.blockAround(part.layer, layer)?.node.code || part.code
      const { page, title } = this.sections[anchor]
      const root = document.documentElement.dataset.content_root || './'
      return make('a', { href: `${root}chapters/${page}.html#${anchor}` }, `代码：${title}`)
    }

    blockAround(outer, wanted) {
      if (outer.node.code && (outer === wanted || wanted.path.startsWith(`${outer.path}.`))) return outer
      for (const one of outer.inside) {
        const found = this.blockAround(one, wanted)
        if (found) return found
      }
      return undefined
    }
  }

  customElements.define('living-structure', Structure)
})()
