"""成品里的部件：滚到眼前，等它活过来，照读者的样子点一点，再请 axe 看一遍。"""

from axe import AXE
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from test_train_live import FEW_IMAGES, press, status

ALIVE = """
const [part] = arguments
part.scrollIntoView({ block: 'center', behavior: 'instant' })
part.querySelector('.living__offer button')?.click()
return part.matches('.living--ready, .living--pictured')
"""
SCORES_OR_MAPS = '[data-show=scores] .lab__scores, .lab__map'
# 部件 → 依次点的几处，与点过之后才有的：说明、得分、卡片也要看。
CLICKED: dict[str, tuple[str, ...]] = {
    'living-structure': ('[role=treeitem]', '.structure__detail dl'),
    'living-lab': ('.lab__loader:last-of-type button', SCORES_OR_MAPS),
    'living-confusion': ('.confusion [tabindex="0"]', '.cards button', '.answers'),
    'living-disagree': ('.living__controls button', '.cards button', '.answers'),
}
CLICK = """
const [part, selector] = arguments
const found = part.querySelector(selector)
found?.dispatchEvent(new MouseEvent('click', { bubbles: true }))
return Boolean(found)
"""

# 别的都拿走，axe 才看得快；各上层留着，颜色与底色不变。渐变的颜色停在终点。
ALONE = """
const still = document.createElement('style')
still.textContent = '* { transition: none !important; animation: none !important }'
document.head.append(still)
const parts = [...document.querySelectorAll(arguments[0])]
const near = (one) => parts.some((part) => part.contains(one) || one.contains(part))
document.body.querySelectorAll('*').forEach((one) => one.isConnected && !near(one) && one.remove())
"""
RUN_AXE = """
const [selector, done] = arguments
axe.run(selector, { resultTypes: ['violations'], preload: false }).then((report) => done(
  report.violations.map(({ id, nodes }) => `${id}（${nodes.length} 处）：${nodes[0].html}`)))
"""


def open_built(browser: WebDriver, url: str) -> None:
    """打开一页；先倒掉前一页留下的日志。"""
    browser.get('about:blank')
    browser.get_log('browser')
    browser.get_log('performance')
    browser.get(url)


def wait(browser: WebDriver, found: object, told: object = '') -> object:
    redrawn = [StaleElementReferenceException]  # 正在换成新的一张表
    waiting = WebDriverWait(browser, 60, 0.02, redrawn)
    return waiting.until(lambda _: found(), str(told))


def alive(browser: WebDriver, part: WebElement) -> None:
    """滚到部件那里，要点才来的点一下，等它活过来。"""
    name = part.get_attribute('id')
    wait(browser, lambda: browser.execute_script(ALIVE, part), f'{name} 没有活过来')


def used(browser: WebDriver, part: WebElement) -> None:
    """活着的部件用一下：现场训练换成十几张图像，训练完。"""
    if part.tag_name == 'living-train':
        browser.execute_async_script(FEW_IMAGES)
        part.find_elements(By.TAG_NAME, 'select')[1].send_keys('8')
        press(browser, '开始训练')
        status(browser, '10 轮都训练完了')
    *clicked, arrives = CLICKED.get(part.tag_name, ('.living__panel',))
    for one in clicked:
        wait(browser, lambda one=one: browser.execute_script(CLICK, part, one), one)
    wait(browser, lambda: part.find_elements(By.CSS_SELECTOR, arrives), arrives)


def violations(browser: WebDriver, selector: str) -> list[str]:
    """axe 在选中的部件里的发现，颜色也看；页面里别的从此没有了。"""
    browser.execute_script(ALONE, selector)
    browser.execute_script(AXE)
    return browser.execute_async_script(RUN_AXE, selector)
