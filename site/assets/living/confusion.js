/* 混淆矩阵：选一个网络，点一格（或用方向键走到那里），看那一格背后的测试图像。
 *
 * 答案是三个种子表决的，与「只有一个网络答对的图像」一节相同。原来的图讲的是其中一对，留着。 */
(() => {
  const { make, thousands } = Living

  customElements.define('living-confusion', class extends Living.LivingElement {
    async build(panel, state) {
      this.answers = Living.answersOf(await Living.data('answers'))
      const { networks } = this.answers
      this.network = networks.find(({ name }) => name === state.network) || networks[0]
      this.buttons = networks.map((one) => make('button', { type: 'button',
        onclick: () => this.choose(one) }, one.title))
      this.table = make('table', { className: 'confusion', onkeydown: (event) => this.move(event) })
      this.cards = Living.imageCards(this.answers, Number(this.dataset.bytes))
      panel.append(
        make('p', {}, make('strong', {}, '错在哪里。'), ' 每行是一个真实的类别，每列是网络的答案' +
          '（三个种子表决；没有过半的，归到「不一」）。颜色越深，这一类错得越多。点一格，看它背后的图像。'),
        make('div', { className: 'living__controls' }, ...this.buttons),
        make('div', { className: 'confusion__frame' }, this.table), this.cards.box)
      this.at = this.place(state) || this.worst()
      this.draw()
      if (this.place(state)) this.open()
      else this.cards.show([], '还没有选：先点一格。')
    }

    /* 网址里写的那一格；没有写，或写的不是一格时没有。 */
    place({ truth, said }) {
      const at = [Number(truth), Number(said)]
      const { classes, UNDECIDED } = this.answers
      return truth && said && classes[at[0]] && at[1] >= 0 && at[1] <= UNDECIDED &&
        Number.isInteger(at[1]) ? at : null
    }

    /* 最常认错的那一格：方向键从这里走起。 */
    worst() {
      const wrong = this.answers.matrix(this.network).flatMap((row, truth) =>
        row.map((count, said) => [truth === said ? -1 : count, truth, said]))
      return wrong.reduce((a, b) => (b[0] > a[0] ? b : a)).slice(1)
    }

    choose(network) {
      this.network = network
      this.draw()
      if (this.looked) this.open()
    }

    draw() {
      const { classes, networks, nameOf, matrix } = this.answers
      networks.forEach((one, i) => this.buttons[i].setAttribute('aria-pressed', one === this.network))
      const head = [...classes, '不一'].map((name) =>
        make('th', { scope: 'col' }, make('span', {}, name)))
      this.counts = matrix(this.network)
      this.cells = this.counts.map((row, truth) => {
        const total = row.reduce((a, b) => a + b)
        return row.map((count, said) => {
          const button = make('button', { type: 'button', tabIndex: -1, onclick: () => {
            this.at = [truth, said]
            this.open()
          }, 'aria-label': `${classes[truth]}被认作${nameOf(said)} ${count} 张` }, String(count))
          const share = truth === said ? 0 : Math.min(count / total / 0.2, 1)
          button.style.setProperty('--share', `${(60 * share).toFixed(0)}%`)
          if (truth === said) button.className = 'confusion__right'
          return button
        })
      })
      const rows = this.cells.map((row, truth) => make('tr', {},
        make('th', { scope: 'row' }, classes[truth]), ...row.map((one) => make('td', {}, one))))
      this.table.replaceChildren(
        make('caption', {}, `${this.network.title} 的混淆矩阵（张）`),
        make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, '真实'), ...head)),
        make('tbody', {}, ...rows))
      this.mark()
    }

    /* 只有一格能用 Tab 走到，其余的用方向键。 */
    mark() {
      for (const one of this.cells.flat()) {
        one.tabIndex = -1
        one.removeAttribute('aria-current')
      }
      const here = this.cells[this.at[0]][this.at[1]]
      here.tabIndex = 0
      if (this.looked) here.setAttribute('aria-current', 'true')
      return here
    }

    move(event) {
      const next = Living.moved(this.at, event.key, [this.cells.length, this.answers.UNDECIDED + 1])
      if (!next) return
      event.preventDefault()
      this.at = next
      this.mark().focus()
    }

    open() {
      const { behind, classes, nameOf } = this.answers
      const [truth, said] = this.at
      this.looked = true // 已经看着一格；frame.js 的 opened 是另一回事
      this.mark()
      const found = behind(this.network, truth, said)
      const kind = truth === said ? `${classes[truth]}答对了` : `${classes[truth]}被认作${nameOf(said)}`
      this.cards.show(found, `${this.network.title}：${kind}，${thousands(found.length)} 张`)
      this.remember({ network: this.network.name, truth, said })
    }
  })
})()
