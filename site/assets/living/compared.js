/* 六网对比的图活起来：鼠标、手指或方向键读出一点的数，图例的按钮在三幅图里同时显示、隐藏网络。
 *
 * data-kind 是 curves、parameters 或 seconds；图放在原来的图的位置，代码与图注都留着。 */
(() => {
  const { make, draw } = Living
  const KINDS = { curves: '每轮之后的测试准确率', parameters: '准确率与参数个数', seconds: '准确率与训练时间' }
  const hidden = new Set() // 三幅图共用
  const shown = [] // 已经出现的部件

  customElements.define('living-compared', class extends Living.LivingElement {
    async build(panel, state) {
      const { networks } = await Living.data('comparison_runs')
      this.networks = networks
      this.series = Living.comparisonSeries(networks, this.dataset.kind)
      for (const name of (state.hidden || '').split('-')) {
        if (networks.some((one) => one.name === name)) hidden.add(name)
      }
      this.readout = make('p', { className: 'compared__readout living__numbers', role: 'status' })
      this.frame = make('div', { className: 'compared__frame', tabIndex: 0, role: 'group',
        'aria-label': `${KINDS[this.dataset.kind]}：用方向键逐点读数`,
        onkeydown: (event) => this.step(event),
        onpointermove: (event) => this.near(event), onpointerdown: (event) => this.near(event) })
      this.legend = make('div', { className: 'living__controls compared__legend' })
      panel.append(this.legend, this.frame, this.readout)
      shown.push(this)
      shown.forEach((one) => one.draw())
    }

    /* 只换掉图：画图的代码、图注与编号留着。 */
    show(panel) {
      this.picture.after(panel)
      this.classList.add('living--pictured')
      let width = this.clientWidth
      new ResizeObserver(() => { // 手机转过来：按新的宽度重画，字才不会跟着缩
        if (this.clientWidth === width) return
        width = this.clientWidth
        const { at } = this
        this.draw()
        if (at >= 0) this.point(at)
      }).observe(this)
    }

    button(network, number) {
      const key = draw('svg', { viewBox: '-7 -7 14 14', class: 'compared__key', 'aria-hidden': 'true' },
        Living.comparisonMark(number, 0, 0, { class: `network__mark network--${number}` }))
      return make('button', { type: 'button', className: 'compared__toggle',
        'aria-pressed': String(!hidden.has(network.name)),
        onclick: () => this.toggle(network.name) }, key, network.title)
    }

    toggle(name) {
      if (!hidden.delete(name)) hidden.add(name)
      shown.forEach((one) => one.draw())
      this.remember({ hidden: [...hidden].join('-') })
    }

    draw() {
      const focused = [...this.legend.children].indexOf(document.activeElement)
      this.legend.replaceChildren(...this.networks.map((one, i) => this.button(one, i)))
      this.legend.children[focused]?.focus()
      this.chart = Living.comparisonChart(this.series, this.dataset.kind, hidden,
        Math.max(this.clientWidth - 26, 280)) // 去掉框的边与空白
      this.chart.svg.setAttribute('aria-label', `${KINDS[this.dataset.kind]}：` +
        (this.chart.targets.map(({ words }) => words).join('；') || '网络都隐藏了'))
      this.frame.replaceChildren(this.chart.svg)
      this.at = -1
      this.readout.textContent = hidden.size === this.networks.length
        ? '网络都隐藏了：点上面的名字。' : '指着一点，或用方向键，读出它的数；小圆点是各个种子。'
    }

    /* 读一点；另两幅图也读同一个网络的（曲线停在最后一轮），只有这一幅的话念出来。 */
    read(at) {
      if (at === this.at || !this.chart.targets[at]) return
      const { number } = this.chart.targets[at]
      for (const one of shown) {
        one.readout.setAttribute('aria-live', one === this ? 'polite' : 'off')
        one.point(one === this ? at : one.chart.targets.findLastIndex((other) => other.number === number))
      }
    }

    point(at) {
      if (at === this.at) return
      this.at = at
      const target = this.chart.targets[at]
      this.readout.textContent = target.words
      this.ring?.remove()
      const [cx, cy] = target.at
      this.ring = draw('circle', { cx, cy, r: 9, class: 'compared__ring' })
      this.chart.layer.append(this.ring)
    }

    /* 离指针最近的一点；图被缩放，先换成图里的坐标。 */
    near(event) {
      const box = this.chart.svg.getBoundingClientRect()
      const scale = this.chart.width / box.width
      const [x, y] = [(event.clientX - box.x) * scale, (event.clientY - box.y) * scale]
      const distances = this.chart.targets.map(({ at }) => Math.hypot(at[0] - x, at[1] - y))
      this.read(distances.indexOf(Math.min(...distances)))
    }

    /* 左右换轮，上下换网络；散点每个网络一点，左右、上下都换网络。到了头就停。 */
    step(event) {
      const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }
      if (!(event.key in moves)) return
      event.preventDefault()
      this.read(this.at < 0 ? 0 : this.beside(...moves[event.key]))
    }

    /* 旁边一点的序号，没有时是 −1；那个网络的轮数少，就停在它的最后一轮。 */
    beside(across, down) {
      const { targets } = this.chart
      const { number } = targets[this.at]
      const of = (which) => targets.filter((one) => one.number === which)
      const place = of(number).indexOf(targets[this.at])
      if (across && of(number).length > 1) return targets.indexOf(of(number)[place + across])
      const numbers = [...new Set(targets.map((one) => one.number))]
      const next = of(numbers[numbers.indexOf(number) + across + down])
      return targets.indexOf(next[place] || next.at(-1))
    }
  })
})()
