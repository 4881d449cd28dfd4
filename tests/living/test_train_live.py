"""现场训练的部件：在成品里，从磁盘打开，用真的 Worker；图像少，几秒钟训练完。"""

import base64
import json
import zlib

import pytest
from axe import AXE
from built_site import SITE
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from deepcnn.data import load_dataset

PAGES = ('chapters/toolbox.html', 'chapters/experiments/activation.html')


def test_the_images_are_those_of_the_book() -> None:
    script = (SITE / '_static/living/data/training_images.js').read_text('utf-8')
    name, value = json.loads(
        f'[{script.removeprefix("Living.put(").strip().removesuffix(")")}]'
    )
    assert name == 'training_images'
    train = load_dataset().train
    for part, images in (('train', slice(2000)), ('held', slice(-500, None))):
        pixels = zlib.decompress(base64.b64decode(value[part]['pixels']))
        assert pixels == train.images[images].numpy().tobytes()
        assert [int(c) for c in value[part]['labels']] == train.labels[images].tolist()
    bytes_ = len(script.encode())
    assert bytes_ < 1.5e6
    for page in PAGES:
        assert f'data-bytes="{bytes_}"' in (SITE / page).read_text('utf-8')


FEW_IMAGES = """
const part = async (count) => {
  const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => (i * i * 7) % 251)
  const stream = new Blob([pixels]).stream().pipeThrough(new CompressionStream('deflate'))
  const packed = new Uint8Array(await new Response(stream).arrayBuffer())
  const text = btoa(String.fromCharCode(...packed))
  return { pixels: text, labels: Array.from({ length: count }, (_, i) => i % 10).join('') }
}
const done = arguments[0]
Promise.all([part(16), part(10)]).then(([train, held]) => {
  Living.put('training_images', { train, held })
  done()
})
"""


@pytest.fixture
def part(chromium: WebDriver) -> WebDriver:
    """工具箱一章，部件已经出现；真的图像换成十几张。"""
    open_part(chromium, '')
    return chromium


def open_part(browser: WebDriver, hash_: str, site: str = SITE.as_uri()) -> None:
    browser.get('about:blank')
    browser.get(f'{site}/chapters/toolbox.html{hash_}')
    element = browser.find_element(By.TAG_NAME, 'living-train')
    browser.execute_script('arguments[0].scrollIntoView()', element)
    wait(browser, lambda: browser.find_elements(By.CLASS_NAME, 'train__go'))
    browser.execute_async_script(FEW_IMAGES)


def wait(browser: WebDriver, condition: object) -> object:
    return WebDriverWait(browser, 60, poll_frequency=0.02).until(lambda _: condition())


def texts(browser: WebDriver, selector: str) -> list[str]:
    ask = 'return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)'
    return browser.execute_script(ask, selector)


def press(browser: WebDriver, words: str) -> None:
    path = f'//living-train//button[contains(., "{words}")]'
    browser.find_element(By.XPATH, path).send_keys(Keys.ENTER)


def status(browser: WebDriver, words: str) -> str:
    return wait(
        browser, lambda: next((s for s in texts(browser, '.train__status') if words in s), '')
    )  # fmt: skip


def test_two_runs_are_compared_from_disk(part: WebDriver) -> None:
    batch, seed = part.find_elements(By.CSS_SELECTOR, 'living-train select')[1:]
    batch.send_keys('8')
    assert part.find_element(By.CSS_SELECTOR, '.living__still img').is_displayed()
    press(part, '开始训练')
    status(part, '10 轮都训练完了')
    first = texts(part, '.train__runs li')
    assert len(first) == 1
    assert '批量 8，种子 0）：10.00 轮' in first[0]

    slider = part.find_element(By.CSS_SELECTOR, '.train__slider input')
    slider.send_keys(Keys.ARROW_RIGHT)
    seed.send_keys('2')
    press(part, '从头训练')
    status(part, '10 轮都训练完了')
    now, before = texts(part, '.train__runs li')
    assert now.startswith('这一次（ReLU，学习率 0.3，初始值 He × 1，批量 8，种子 2）')
    assert before == first[0].replace('这一次', '上一次')
    for kind in ('series--now', 'series--before', 'bars--now', 'bars--before'):
        assert part.find_elements(By.CLASS_NAME, kind)
    address = part.execute_script('return location.hash')
    assert address == '#train-1?activation=relu&rate=0.3&scale=1&batch=8&seed=2'

    part.execute_script(AXE)
    for theme in ('light', 'dark'):
        part.execute_script(f'document.documentElement.dataset.theme = "{theme}"')
        assert part.execute_async_script(
            'axe.run("living-train").then((r) => arguments[0](r.violations.map((v) => v.id)))'
        ) == []  # fmt: skip


def test_nan_is_explained(part: WebDriver) -> None:
    press(part, '学习率 1')
    assert '一步迈得太大' in texts(part, '.train__hint')[0]
    assert part.find_element(By.CLASS_NAME, 'train__hint').aria_role == 'status'
    part.find_elements(By.CSS_SELECTOR, 'living-train select')[1].send_keys('8')
    press(part, '开始训练')
    said = status(part, 'NaN')
    assert said.startswith('第 3 轮第 2 步，损失不再是有限的数（NaN）')
    assert '学习率 1 太大' in said and '减到三分之一' in said
    assert '随后损失成了 NaN' in texts(part, '.train__runs li')[0]


def test_it_stops_when_told(chromium: WebDriver, site_url: str) -> None:
    open_part(part := chromium, '', site_url)  # 从服务器打开
    part.find_elements(By.CSS_SELECTOR, 'living-train select')[1].send_keys('8')
    press(part, '开始训练')
    wait(part, lambda: texts(part, '.train__runs li'))
    press(part, '停止')
    status(part, '停在第')
    line = texts(part, '.train__runs li')
    assert part.execute_async_script('setTimeout(arguments[0], 300)') is None
    assert texts(part, '.train__runs li') == line


def test_the_focus_is_never_on_a_button_that_went_grey(part: WebDriver) -> None:
    focused = 'return document.activeElement.textContent'
    press(part, '开始训练')
    status(part, '正在训练')
    assert part.execute_script(focused) == '从头训练'
    press(part, '停止')
    status(part, '停在第')
    assert part.execute_script(focused) == '从头训练'


def test_settings_come_from_the_address(chromium: WebDriver) -> None:
    open_part(chromium, '#train-1?activation=sigmoid&rate=7&scale=4&batch=64')
    said = texts(chromium, '.train__slider output')
    assert said == ['0.1', 'He × 4']
    assert texts(chromium, '.train__status') == [
        '网址里的学习率 7 不在可选的范围里，换成了通常的设置。'
    ]
    select = chromium.find_element(By.CSS_SELECTOR, 'living-train select')
    assert select.get_attribute('value') == 'sigmoid'


def test_missing_images_can_be_asked_for_again(chromium: WebDriver) -> None:
    open_part(chromium, '')
    chromium.execute_script("Living.data = () => Promise.reject(new Error('没有取到'))")
    press(chromium, '开始训练')
    assert status(chromium, '没有取到')
    assert '开始训练' in texts(chromium, '.train__go')[0]
    assert chromium.find_element(By.CLASS_NAME, 'train__go').is_enabled()
    chromium.execute_script("Living.data = () => Promise.reject(new TypeError('not a function'))")
    press(chromium, '开始训练')
    assert status(chromium, '请更新浏览器') == '请更新浏览器'


@pytest.mark.parametrize('width', [320, 375])
def test_it_fits_a_phone(chromium: WebDriver, width: int) -> None:
    size = {'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': True}
    chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    try:
        open_part(chromium, '')
        right = chromium.execute_script(
            'return Math.max(...[...document.querySelectorAll(".living__panel *")]'
            '.map((e) => e.getBoundingClientRect().right))'
        )
        assert right <= width
        outputs = chromium.find_elements(By.CSS_SELECTOR, 'living-train output')
        assert {one.get_attribute('aria-live') for one in outputs} == {'off'}
        pair = """const pair = Living.make('div', { className: 'chart__pair' }, 'x')
          document.querySelector('living-train .living__panel').append(pair)
          return pair.scrollWidth - pair.clientWidth"""
        assert chromium.execute_script(pair) == 0  # 训练之后的图也放得下
    finally:
        chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
