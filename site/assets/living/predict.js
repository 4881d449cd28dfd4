/* 先预测：读者先猜，再看答案。题目与答案就是那一段折叠的文字（标题是题目，里面是答案与
 * 理由）；标记里写三个选项，或滑块的两端与真的数。猜过的数只记在读者自己的浏览器里。 */
(() => {
  const { LivingElement, make } = Living
  // 存取在每页都有的 progress.js；浏览器不许存储时翻过页去就忘了，这一次照常看答案。
  const load = () => Kept.load('predictions')
  const save = (predictions) => Kept.save('predictions', predictions)

  /* 标记里的滑块；没有 low 的是选择题。 */
  function taskOf({ answer, low, high, step, scale, unit }) {
    return {
      answer: Number(answer), low: Number(low), high: Number(high),
      step: Number(step || 1), log: scale === 'log', unit: unit || '',
    }
  }

  class Predict extends LivingElement {
    build(panel) {
      this.panel = panel
      panel.classList.add('predict')
      this.choices = this.dataset.choices?.split('|')
      this.task = taskOf(this.dataset)
      const guess = load()[this.dataset.key]
      if (this.isGuess(guess)) this.reveal(guess)
      else this.ask()
    }

    /* 存着的可能是旧题目的答案：选项少了，或改成了滑块。 */
    isGuess(guess) {
      if (typeof guess !== 'number') return false
      return this.choices ? guess in this.choices : guess >= this.task.low && guess <= this.task.high
    }

    question() {
      const summary = this.querySelector('.living__still summary')
      const title = summary.querySelector('.sd-summary-text') || summary
      return title.textContent.trim()
    }

    ask() {
      const hint = make('p', { className: 'predict__hint', role: 'status' })
      const input = this.choices ? this.radios() : this.slider()
      const commit = make('button', { type: 'submit' }, '就这样猜')
      const onsubmit = (event) => {
        event.preventDefault()
        const guess = input.guess()
        if (guess === undefined) {
          hint.textContent = this.choices ? '先选一个，再看答案。' : '先把滑块拨到你猜的地方，再看答案。'
        } else {
          save({ ...load(), [this.dataset.key]: guess })
          this.reveal(guess).focus()
        }
      }
      this.panel.replaceChildren(make('form', { onsubmit }, input.element, commit, hint))
      return input.first
    }

    radios() {
      const name = `${this.id}-choice`
      const radios = this.choices.map(() => make('input', { type: 'radio', name }))
      const rows = radios.map((radio, index) => make('label', {}, radio, this.choices[index]))
      const legend = make('legend', { className: 'predict__question' }, this.question())
      const element = make('fieldset', {}, legend, ...rows)
      const guess = () => {
        const index = radios.findIndex((radio) => radio.checked)
        return index < 0 ? undefined : index
      }
      return { element, guess, first: radios[0] }
    }

    slider() {
      const { task } = this
      const notches = task.log ? Guess.NOTCHES : Math.round((task.high - task.low) / task.step)
      const shown = make('output', { className: 'living__numbers', 'aria-live': 'off' }, '？')
      const value = () => Guess.valueAt(task, range.value / notches)
      let touched = false
      const onpointerdown = () => oninput()
      const oninput = () => {
        touched = true
        shown.textContent = Guess.written(value(), task.unit)
        range.setAttribute('aria-valuetext', shown.textContent)
      }
      const range = make('input', { type: 'range', min: 0, max: notches, value: Math.round(notches / 2),
        'aria-valuetext': '还没有猜', oninput, onpointerdown })
      const ends = make('span', { className: 'predict__ends' },
        Guess.written(task.low, task.unit), shown, Guess.written(task.high, task.unit))
      const title = make('span', { className: 'predict__question' }, this.question())
      const element = make('div', {}, make('label', {}, title, range), ends)
      return { element, guess: () => (touched ? value() : undefined), first: range }
    }

    reveal(guess) {
      const title = make('p', { className: 'predict__question' }, this.question())
      const verdict = make('p', { className: 'predict__verdict living__numbers', tabIndex: -1 }, this.verdict(guess))
      const again = make('button', { type: 'button', onclick: () => this.forget() }, '重新猜')
      const seen = this.choices ? this.marked(guess) : this.track(guess)
      this.panel.replaceChildren(title, seen, verdict, ...this.explanation(), again)
      return verdict
    }

    verdict(guess) {
      if (!this.choices) return Guess.verdict(this.task, guess)
      const right = this.choices[this.task.answer - 1]
      return guess === this.task.answer - 1 ? '猜对了。' : `没猜对，应当是「${right}」。`
    }

    /* 各个选项：对的打勾，猜错的打叉。 */
    marked(guess) {
      const sign = (index) => {
        if (index === this.task.answer - 1) return '✓'
        return index === guess ? '✗' : '　'
      }
      const row = (choice, index) => make('li', {},
        make('span', { className: 'predict__sign' }, sign(index)), choice)
      return make('ul', { className: 'predict__choices' }, ...this.choices.map(row))
    }

    /* 一条线上的两个点：猜的与真的。 */
    track(guess) {
      const mark = (value, kind, word) => {
        const dot = make('span', { className: `predict__mark predict__mark--${kind}` }, word)
        dot.style.left = `${100 * Guess.place(this.task, value)}%`
        return dot
      }
      return make('div', { className: 'predict__track', 'aria-hidden': 'true' }, // 下面那句话说的是同一件事
        mark(guess, 'guess', '你猜'), mark(this.task.answer, 'answer', '实际'))
    }

    /* 折叠里的文字抄一份：原来的那一份留给打印。 */
    explanation() {
      const summary = this.querySelector('.living__still summary')
      const body = [...summary.parentElement.childNodes].filter((node) => node !== summary)
      const copies = body.map((node) => node.cloneNode(true))
      for (const copy of copies) {
        copy.querySelectorAll?.('[id]').forEach((one) => one.removeAttribute('id'))
      }
      return copies
    }

    forget() {
      const { [this.dataset.key]: dropped, ...others } = load()
      save(others)
      this.ask().focus()
    }
  }

  customElements.define('living-predict', Predict)
})()
