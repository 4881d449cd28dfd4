/* 凭图像的哪里认出：遮挡图一行一行地算出来，全局平均池化的网络还有类激活图。 */
(() => {
  const { make } = Living
  const SIDE = 28
  const WINDOW = { patch: 7, stride: 2 } // 与 deepcnn.anatomy.occlusion_map 的默认值相同
  const SCALE = 8 // 画的时候一个像素画多大
  const ROWS = Math.ceil(SIDE / WINDOW.stride)

  /* ask(调用, 参数)：请 Worker 算；now() 给出现在的 {name, pixels, classes, result, changes}；
   * asked()：读者换了一类，请再算一次。 */
  function createHeat(ask, now, asked) {
    let turn = 0 // 换了图像，前一次没有算完的就作废
    let listed = '' // 下拉框里是哪些类别
    const label = make('select', { onchange: () => asked() })
    const start = make('button', { type: 'button', onclick: () => occlude().catch(tell) }, `盖住一块，算 ${ROWS * ROWS} 次`)
    const says = make('p', { className: 'lab__note living__numbers', role: 'status' })
    const figures = make('div', { className: 'lab__detail' })
    const covered = make('canvas', {})
    const active = make('canvas', {})
    const coveredFigure = Living.labFigure(covered, '遮挡图：红的地方盖住，概率降低；蓝的地方升高')
    const activeFigure = Living.labFigure(active, '类激活图：越红，越像这一类；蓝的地方不像')
    figures.append(coveredFigure, activeFigure)
    const element = make('section', { className: 'lab__part', 'aria-label': '凭哪里认出' },
      make('div', { className: 'living__controls' }, make('label', {}, '凭哪里认出', label), start), says, figures)

    /* 换了网络：类别不同才重列，读者选过的不动。 */
    function useNetwork({ classes }) {
      if (listed === classes.join()) return
      listed = classes.join()
      label.replaceChildren(new Option('它的回答', ''), ...classes.map((name, i) => new Option(name, i)))
    }

    /* 一个网络又算了一次。 */
    function show() {
      turn++
      const { result } = now()
      says.textContent = ''
      coveredFigure.hidden = true
      activeFigure.hidden = !result.activation
      if (result.activation) drawActivation(result.activation)
    }

    /* 读者选的一类；没有选时是 undefined，用网络自己的回答。 */
    const target = () => (label.value === '' ? undefined : Number(label.value))

    function drawActivation({ values, height, width }) {
      const { pixels } = now()
      overlay(active, pixels, values, height, width, Living.symmetric(values))
    }

    const tell = (error) => { says.textContent = Living.told(error) }

    async function occlude() {
      const mine = ++turn
      const { name, pixels, classes, result, changes } = now()
      const one = target() ?? result.answer
      const whole = result.probabilities[one]
      const drops = new Float32Array(ROWS * ROWS).fill(NaN)
      coveredFigure.hidden = false
      for (let row = 0; row < ROWS; row++) {
        says.textContent = `正在算第 ${row + 1} 行，共 ${ROWS} 行……`
        const [values] = await ask('occlude', { name, pixels, label: one, rows: [row], window: WINDOW, changes })
        if (turn !== mine) return
        values.forEach((value, column) => { drops[row * ROWS + column] = whole - value })
        const most = Math.max(...Array.from(drops, (drop) => Math.abs(drop) || 0), 0.01)
        overlay(covered, pixels, drops, ROWS, ROWS, [-most, most])
      }
      const [least, most] = Living.rangeOf(drops)
      says.textContent = `不盖时给「${classes[one]}」的概率是 ${Living.percent(whole)}；盖住一块之后，`
        + `最低 ${Living.percent(whole - most)}，最高 ${Living.percent(whole - least)}。`
    }

    const restore = ({ label: chosen }) => {
      label.value = chosen ?? ''
      if (label.selectedIndex < 0) label.value = ''
    }
    const written = () => (label.value === '' ? {} : { label: label.value })

    return { element, useNetwork, show, target, restore, written }
  }

  /* 白底的浅灰图上盖一层颜色，绝对值越大越浓，与章里的图相同；还没有算的地方没有颜色。 */
  function overlay(canvas, pixels, values, height, width, [low, high]) {
    const [base, layer] = [make('canvas'), make('canvas')]
    Living.paint(base, pixels, SIDE, SIDE, [2.5 * 255, 0])
    Living.paint(layer, values, height, width, [low, high], 'signed', (value) => 217 * Math.abs(value) / high)
    canvas.width = canvas.height = SIDE * SCALE
    const pen = canvas.getContext('2d')
    pen.imageSmoothingEnabled = false
    pen.drawImage(base, 0, 0, canvas.width, canvas.height)
    pen.drawImage(layer, 0, 0, canvas.width, canvas.height)
  }

  Living.createHeat = createHeat
})()
