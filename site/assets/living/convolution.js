/* 卷积步进器：<living-convolution data-mode="window">。window（滑动窗口，默认）、stack（叠起来）、
 * ones（1×1）三种样子各在一个脚本里，用到哪一种取哪一种。 */
(() => {
  const MODES = { window: 'window', stack: 'stacked', ones: 'mixing' }

  class Convolution extends Living.LivingElement {
    async build(panel, state) {
      const script = MODES[this.dataset.mode || 'window']
      const [data] = await Promise.all([Living.data('convolution'), Living.script(script)])
      const stepper = Living.make('div', { className: 'stepper' })
      panel.append(stepper)
      new Stepper[script](this, stepper, decoded(data), state)
    }
  }

  /* 像素存成 base64，一张 28×28 的图一千来个字。 */
  function decoded({ side, images, kernels }) {
    const pixels = (text) => Array.from(atob(text), (letter) => letter.charCodeAt(0))
    return { side, kernels, images: images.map((one) => ({ ...one, pixels: pixels(one.pixels) })) }
  }

  customElements.define('living-convolution', Convolution)
})()
