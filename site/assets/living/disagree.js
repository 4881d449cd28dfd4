/* 谁与别人不同：只有一个网络答对的，和六个都答错的，全部翻得到。
 *
 * 原来的图是每个网络的前四张，留着。 */
(() => {
  const { make, thousands } = Living

  customElements.define('living-disagree', class extends Living.LivingElement {
    async build(panel, state) {
      const answers = Living.answersOf(await Living.data('answers'))
      const kinds = answers.networks.map((one) => ({
        name: one.name, words: `只有 ${one.title}${one.title.endsWith('）') ? '' : ' '}答对`, found: answers.onlyRight(one),
      }))
      kinds.push({ name: 'nobody', words: '六个都答错', found: answers.nobodyRight() })
      const cards = Living.imageCards(answers, Number(this.dataset.bytes))
      const buttons = kinds.map((kind) => make('button', { type: 'button', 'aria-pressed': 'false',
        onclick: () => open(kind) }, `${kind.words} ${thousands(kind.found.length)}`))
      const open = (kind) => {
        buttons.forEach((one, i) => one.setAttribute('aria-pressed', kinds[i] === kind))
        cards.show(kind.found, `${kind.words}的图像，${thousands(kind.found.length)} 张`)
        this.remember({ show: kind.name })
      }
      panel.append(
        make('p', {}, make('strong', {}, '谁与别人不同。'), ' 选一种，自己先看图判断，再看六个网络怎么说。' +
          '答案是三个种子表决的。'),
        make('div', { className: 'living__controls' }, ...buttons), cards.box)
      const asked = kinds.find(({ name }) => name === state.show)
      if (asked) open(asked)
    }
  })
})()
