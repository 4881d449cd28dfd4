/* 点表头排序。只管带 sortable 标签的单元里的表格；没有脚本时，它就是一张普通的表。
 * 数字按大小排（「88.31 ± 0.25」看第一个数），其余按文字排；没有数的格总在最后。 */
(() => {
  const NUMBER = /^[-−]?\d[\d,]*(?:\.\d+)?/

  function read(row, column) {
    const text = row.cells[column].textContent.trim()
    const found = text.match(NUMBER)
    if (!found) return { text, number: null }
    return { text, number: Number(found[0].replaceAll(',', '').replace('−', '-')) }
  }

  function compare(a, b, sign) {
    if (a.number !== null && b.number !== null) return sign * (a.number - b.number)
    if (a.number !== null) return -1
    if (b.number !== null) return 1
    return sign * a.text.localeCompare(b.text, 'zh')
  }

  function sort(table, header) {
    const direction = header.getAttribute('aria-sort') === 'ascending' ? 'descending' : 'ascending'
    const sign = direction === 'ascending' ? 1 : -1
    const body = table.tBodies[0]
    const rows = [...body.rows].map((row) => ({ row, value: read(row, header.cellIndex) }))
    rows.sort((a, b) => compare(a.value, b.value, sign))
    body.append(...rows.map((one) => one.row))
    for (const other of header.parentElement.cells) other.setAttribute('aria-sort', 'none')
    header.setAttribute('aria-sort', direction)
  }

  function prepare(table) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement('button')
      button.type = 'button'
      button.textContent = header.textContent.trim()
      button.addEventListener('click', () => sort(table, header))
      header.replaceChildren(button)
      header.setAttribute('aria-sort', 'none')
    }
  }

  document.addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('.tag_sortable table').forEach(prepare)
  })
})()
