"""页面里的字看不看得清：字的颜色与它背后的颜色，对比要到 4.5。"""

from selenium.webdriver.chrome.webdriver import WebDriver

# 半透明的颜色、color-mix 先画到一个像素上，读回来的就是看到的。
FAINT = """
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
const paint = (colors) => {
  for (const color of colors) {
    pen.fillStyle = color
    pen.fillRect(0, 0, 1, 1)
  }
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
}
const linear = (value) =>
  value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
const SHARES = [0.2126, 0.7152, 0.0722]
const light = (color) => SHARES.reduce((sum, share, i) => sum + share * linear(color[i]), 0)
const behind = (one) =>
  one ? [...behind(one.parentElement), getComputedStyle(one).backgroundColor] : ['#fff']
const visible = { visibilityProperty: true, opacityProperty: true }
const told = new Set()
for (const one of document.querySelectorAll(arguments[0])) {
  const own = [...one.childNodes].filter((node) => node.nodeType === 3)
  const text = own.map((node) => node.data.trim()).join('')
  const { width } = one.getBoundingClientRect()
  if (!text || width < 2 || !one.checkVisibility(visible)) continue
  const { color, fill } = getComputedStyle(one)
  const under = behind(one)
  const pair = [paint([...under, one instanceof SVGElement ? fill : color]), paint(under)]
  const [low, high] = pair.map(light).sort((a, b) => a - b)
  const ratio = (high + 0.05) / (low + 0.05)
  if (ratio < 4.5) told.add(`${text.slice(0, 12)}：${pair.join(' / ')}，${ratio.toFixed(2)}`)
}
return [...told]
"""


def faint(browser: WebDriver, selector: str) -> list[str]:
    """``selector`` 选中的元素里，看不清的字、两种颜色与对比。"""
    return browser.execute_script(FAINT, selector)
