/* 打开读者自己的网络（export_page 写出的文件），排在六个的旁边。只看一个网络的实验台没有它。 */
(() => {
  const { make, megabytes } = Living
  const NAME = 'mine'
  const LARGEST_FILE = 100_000_000

  async function open(lab, file) {
    if (file.size > LARGEST_FILE) {
      throw new Error(`这个文件有 ${megabytes(file.size)}：网页里至多打开 ${megabytes(LARGEST_FILE)} 的网络`)
    }
    await lab.prepare()
    const content = await file.arrayBuffer().catch(() => {
      throw new Error('读不到这个文件，请再选一次')
    })
    const { program, shapes } = await lab.laboratory.open(NAME, content)
    lab.parts.choice.querySelector(`[value=${NAME}]`)?.remove()
    lab.networks.set(NAME, { name: NAME, title: program.title, program, shapes })
    lab.arrived(NAME, true)
  }

  /* 按钮，与打不开时的一行话。 */
  Living.ownNetwork = (lab) => {
    const trouble = make('span', { className: 'living__failure', role: 'alert' })
    const button = Living.fileButton('打开自己的网络……', '.safetensors', async (file) => {
      trouble.textContent = ''
      try {
        await open(lab, file)
      } catch (error) {
        trouble.textContent = Living.told(error)
      }
    })
    return make('div', { className: 'living__controls' }, button, trouble)
  }
})()
