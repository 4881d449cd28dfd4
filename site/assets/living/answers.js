/* 六个网络对测试图像的答案：混淆矩阵、一格背后的图像、谁与谁不同。只有算术。
 *
 * 一个网络的 answers 是一串字，一张图像一个：类别的数字，或 '-'（各种子没有过半的意见）。
 * 数据由 site/extensions/book_living/data_scripts.py 写出。 */
window.Living = Object.assign(window.Living || {}, { answersOf: ({ classes, labels, networks }) => {
  const COLUMNS = classes.length + 1 // 最后一列是「不一」
  const UNDECIDED = classes.length

  const column = (said) => (said === '-' ? UNDECIDED : Number(said))
  const nameOf = (said) => (said === UNDECIDED ? '不一' : classes[said])
  const all = [...labels].map((_, index) => index)

  /* 第 i 行第 j 列：真实类别 i 的图像里，有几张被认作 j。 */
  function matrix({ answers }) {
    const counts = classes.map(() => new Array(COLUMNS).fill(0))
    for (const index of all) counts[labels[index]][column(answers[index])]++
    return counts
  }

  const behind = ({ answers }, truth, said) => all.filter((index) =>
    Number(labels[index]) === truth && column(answers[index]) === said)

  const right = (index) => networks.filter(({ answers }) => answers[index] === labels[index])

  /* 只有这个网络答对的图像。 */
  const onlyRight = (network) => all.filter((index) => {
    const found = right(index)
    return found.length === 1 && found[0] === network
  })

  const nobodyRight = () => all.filter((index) => !right(index).length)

  /* 六个网络对一张图像的答案。 */
  const said = (index) => networks.map(({ title, answers }) => ({
    title, answer: nameOf(column(answers[index])), right: answers[index] === labels[index],
  }))

  const truth = (index) => classes[labels[index]]

  return { classes, networks, UNDECIDED, nameOf, matrix, behind, onlyRight, nobodyRight, said, truth }
} })
