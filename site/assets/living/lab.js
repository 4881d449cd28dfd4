/* 实验台：一张图像，几个网络，各自的得分、特征图与「凭哪里认出」。
 *
 * data-network：只看这一个网络；data-start：draw 从画板开始；data-show：scores 只看得分。
 * 权重在读者点了写着大小的按钮、或第一次选图像、动笔之后才取。 */
(() => {
  const { make } = Living
  const AT_ONCE = 3_000_000 // 不超过它的网络，读者一动手就取

  const megabytes = Living.megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`

  /* 换掉一行里的东西；焦点在里面的，到新来的按钮上，没有按钮就在这一行。 */
  function refill(row, ...things) {
    const held = row.contains(document.activeElement)
    row.replaceChildren(...things)
    if (held) (row.querySelector('button') || row).focus({ preventScroll: true })
  }

  class Lab extends Living.LivingElement {
    async build(panel, state) {
      const only = this.dataset.network
      const [listed, samples] = await Promise.all([
        Living.data('weights'), Living.data('samples'), only || Living.script('picker')])
      if (only && !listed[only]) throw new Error(`还没有 ${only} 的权重：这里先看图`)
      this.samples = samples
      this.networks = new Map(Object.entries(listed).filter(([name]) => !only || name === only)
        .map(([name, entry]) => [name, { name, ...entry }]))
      this.chosen = [state.network, 'densenet', ...this.networks.keys()].find((name) => this.networks.has(name))
      this.wanted = state // 网址里写着的，等网络到了再照做
      this.parts = this.createParts(only)
      const way = state.way || this.dataset.start
      if (way === 'draw') await Living.script('own') // 画板一开始就要在
      this.input = Living.createInput(samples, (input, settled) => this.changed(input, settled),
        () => this.keep(), way)
      panel.classList.add('lab')
      panel.append(this.input.element, ...this.parts.shown)
      this.quiet = true // 一开始的那一张不算读者动手
      this.input.choose(Number(state.image) in samples.numbers ? Number(state.image) : 0)
      this.quiet = false
      const { title, bytes } = this.networks.get(this.chosen)
      if (bytes <= AT_ONCE) this.says(`选一张图像或动笔，就载入 ${title}（${megabytes(bytes)}）。`)
    }

    createParts(only) {
      const status = make('p', { className: 'lab__status living__numbers', role: 'status' })
      const loaders = make('div', { className: 'lab__loaders' })
      const table = make('div', { className: 'lab__table', tabIndex: -1, role: 'region', 'aria-label': '各类的概率' })
      const choice = make('select', { onchange: () => this.choose(choice.value) })
      const choosing = make('div', { className: 'living__controls', hidden: true }, make('label', {}, '看哪个网络', choice))
      this.networks.forEach((network) => loaders.append(network.row = this.loader(network)))
      if (this.networks.size > 2) loaders.append(this.everything = this.allLoader())
      const own = only ? [] : [Living.ownNetwork(this)]
      const looking = make('div', { className: 'lab__looking', hidden: true })
      return { status, loaders, table, choice, choosing, looking,
        shown: [loaders, ...own, status, table, choosing, looking] }
    }

    get looks() {
      return this.dataset.show !== 'scores'
    }

    /* 看网络里面的几样；脚本随引擎一起到。 */
    createLook() {
      const call = (name, given) => this.laboratory.call(name, given)
      const again = () => this.runChosen()
      const surgery = Living.createSurgery(again,
        (images, changes) => call('answers', { name: this.chosen, images, changes }), this.samples)
      const maps = Living.createMaps(again, () => this.keep(), (layer) => this.kernels(layer), surgery)
      const heat = Living.createHeat(call, () => this.now(), again)
      this.parts.looking.append(surgery.element, maps.element, heat.element)
      return { surgery, maps, heat }
    }

    // ---- 载入 ----

    loader(network) {
      const button = make('button', { type: 'button', onclick: () => this.load(network.name) },
        `载入 ${network.title}（${megabytes(network.bytes)}）`)
      return make('div', { className: 'lab__loader', tabIndex: -1 }, button)
    }

    allLoader() {
      const all = async () => {
        this.everything.remove()
        this.parts.loaders.querySelector('.lab__loader')?.focus({ preventScroll: true }) // 按过的按钮没有了
        for (const name of [...this.networks.keys()]) await this.load(name)
      }
      return make('button', { type: 'button', onclick: all }, this.remaining())
    }

    remaining() {
      const rest = [...this.networks.values()].filter(({ program }) => !program)
      return `全部载入（${megabytes(rest.reduce((sum, network) => sum + network.bytes, 0))}）`
    }

    /* 引擎、Worker 与看里面的几样，到读者动手才载入。 */
    async prepare() {
      await Promise.all(['laboratory', ...(this.looks ? ['look'] : [])].map(Living.script))
      this.laboratory = Living.laboratory()
      if (this.looks) this.look ||= this.createLook()
    }

    async load(name) {
      const network = this.networks.get(name)
      if (network.program || network.loading) return
      network.loading = true
      network.failed = false
      const progress = make('progress', { max: 1, value: 0, 'aria-label': `载入 ${network.title}` })
      refill(network.row, progress, ` 正在载入 ${network.title}……`)
      try {
        await this.prepare()
        const opened = await this.laboratory.load(name, (part, parts) => { progress.value = part / parts })
        Object.assign(network, opened)
        const held = this.parts.loaders.contains(document.activeElement)
        network.row.remove()
        if (!this.parts.loaders.querySelector('.lab__loader')) this.everything?.remove()
        if (held && document.activeElement === document.body) this.parts.table.focus({ preventScroll: true })
        this.arrived(name)
      } catch (error) {
        network.failed = true // 到读者再要为止，动一笔不再试
        refill(network.row, make('span', { className: 'living__failure', role: 'alert' }, Living.told(error)), ' ',
          make('button', { type: 'button', onclick: () => this.load(name) }, '再试一次'))
      }
      network.loading = false
    }

    /* 一个网络可以用了：列进「看哪个网络」，马上算现在的图像；look：就看它。 */
    arrived(name, look = name === this.wanted?.network) {
      const network = this.networks.get(name)
      this.parts.choice.append(new Option(network.title, name))
      if (this.everything) this.everything.textContent = this.remaining()
      this.parts.choosing.hidden = !this.looks || this.parts.choice.childElementCount < 2
      if (!this.networks.get(this.chosen).program || look) this.chosen = name
      this.parts.choice.value = this.chosen
      this.run(name, true)
    }

    // ---- 算 ----

    changed(input, settled) {
      this.current = input
      const network = this.networks.get(this.chosen)
      if (!network.program && !this.quiet) {
        if (network.bytes > AT_ONCE) this.says('先载入一个网络')
        else if (!network.failed) this.load(this.chosen)
      }
      for (const [name, { program }] of this.networks) if (program) this.run(name, settled)
      if (settled && !this.quiet) this.keep()
    }

    says(text) {
      this.parts.status.textContent = text
    }

    choose(name) {
      this.chosen = name
      this.runChosen()
    }

    runChosen() {
      this.run(this.chosen, true)
      this.keep()
    }

    keep() {
      const { program } = this.networks.get(this.chosen)
      const looked = program && this.look ? [this.look.surgery, this.look.maps, this.look.heat] : []
      const state = { network: this.chosen }
      if (this.current.number !== null) state.image = this.current.number
      if (this.input.way() !== (this.dataset.start || 'choose')) state.way = this.input.way()
      this.remember(Object.assign(state, ...looked.map((part) => part.written())))
    }

    /* 一张图像经过一个网络；画的时候来得快，只算最新的。 */
    run(name, settled) {
      this.compute(name, settled).catch((error) => {
        this.says(Living.told(error))
        // 没有算成过的，里面没有可看的
        if (name === this.chosen) this.parts.looking.hidden = !this.networks.get(name).result
      })
    }

    async compute(name, settled) {
      const network = this.networks.get(name)
      const look = name === this.chosen && this.look
      if (look) this.lookAt(network)
      const input = this.current
      const maps = look ? ['image', look.maps.tap()] : []
      const given = { name, pixels: input.pixels, label: look ? look.heat.target() : undefined, maps,
        changes: look ? look.surgery.changes() : network.changes }
      network.changes = given.changes
      const result = await this.laboratory.ask(`${this.id}-${name}`, 'run', given)
      if (!result) return // 已经有更新的
      Object.assign(network, { result, input })
      this.drawScores(settled)
      if (!look || name !== this.chosen || !result.maps[look.maps.tap()]) return
      this.parts.looking.hidden = false
      look.surgery.show(result)
      await look.maps.show(result.maps)
      if (name === this.chosen && network.result === result) look.heat.show() // 等卷积核的时候没有换网络、图像
    }

    /* 几样都换到这个网络；网址里写着的照做一次。 */
    lookAt(network) {
      const { surgery, maps, heat } = this.look
      surgery.useNetwork(network)
      maps.useNetwork(network.program)
      heat.useNetwork(network.program)
      if (!this.wanted || (this.wanted.network || network.name) !== network.name) return
      for (const part of [surgery, maps, heat]) part.restore(this.wanted)
      this.wanted = null
    }

    drawScores(settled) {
      const ready = [...this.networks.values()].filter(({ result }) => result)
      const fresh = ({ input }) => input === this.current
      const groups = new Map()
      for (const network of ready) {
        const key = network.program.classes.join()
        groups.set(key, [...(groups.get(key) || []), { ...network, classes: network.program.classes, stale: !fresh(network) }])
      }
      const label = (classes) => (classes === this.samples.classes.join() ? this.current.label : null)
      this.parts.table.replaceChildren(...[...groups].map(([key, group]) => Living.scoreTable(group, label(key))))
      this.parts.table.tabIndex = 0
      if (!settled || !ready.every(fresh)) return // 别的网络还在算这一张
      const lines = [...groups].map(([key, group]) => Living.summary(group, label(key)))
      const took = ready.reduce((sum, { result }) => sum + result.milliseconds, 0)
      this.says(`${lines.join('；')}。用了 ${Math.ceil(took)} 毫秒。`)
    }

    now() {
      const network = this.networks.get(this.chosen)
      return { name: this.chosen, pixels: network.input.pixels, classes: network.program.classes,
        result: network.result, changes: network.changes }
    }

    async kernels(layer) {
      const network = this.networks.get(this.chosen)
      if (network.kernels === undefined) network.kernels = await this.laboratory.call('kernels', { name: this.chosen, layer })
      return network.kernels
    }
  }

  customElements.define('living-lab', Lab)
})()
