"""先预测：先猜后看，猜过的记得住，存不了也照样能用；滑块与误差的算术。"""

import shutil
from pathlib import Path

import pytest
from axe import AXE
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'

STILL = """<div class="living__still"><details><summary><span class="sd-summary-text">{}</span>
</summary><div><p id="why">{}</p></div></details></div></living-predict>"""
PAGE = f"""<!doctype html><html lang="zh" data-content_root="./"><title>先预测</title>
<link rel="stylesheet" href="_static/living/living.css">
<link rel="stylesheet" href="_static/living/predict.css"><main>
<script>window.refuse = false</script>
<living-predict id="predict-1" class="living" data-key="share" data-answer="64.8" data-low="0"
data-high="100" data-unit="%">{STILL.format('占百分之几？', '因为每一对都有权重。')}
<living-predict id="predict-2" class="living" data-key="layer" data-answer="2"
data-choices="第一层|第二层|第三层">{STILL.format('哪一层？', '因为通道多。')}</main>
<script src="_static/progress.js"></script><script src="_static/living/frame.js"></script>
<script src="_static/living/guess.js"></script>
<script src="_static/living/predict.js"></script></html>"""


@pytest.fixture
def page(chromium: WebDriver, tmp_path: Path) -> WebDriver:
    """一道滑块题，一道选择题，都还没有猜过。"""
    shutil.copytree(LIVING, tmp_path / '_static' / 'living')
    shutil.copy(LIVING.parent / 'progress.js', tmp_path / '_static')  # 每一页都有
    (tmp_path / 'page.html').write_text(PAGE, encoding='utf-8')
    chromium.get((tmp_path / 'page.html').as_uri())
    chromium.execute_script('localStorage.clear()')
    return reloaded(chromium)


def reloaded(browser: WebDriver) -> WebDriver:
    browser.refresh()
    WebDriverWait(browser, 10, poll_frequency=0.02).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, '.predict')) == 2
    )
    return browser


def part(browser: WebDriver, number: int, selector: str) -> object:
    return browser.find_element(
        By.CSS_SELECTOR, f'#predict-{number} .predict {selector}'
    )


def test_a_slider_is_moved_and_committed_with_the_keyboard(page: WebDriver) -> None:
    slider = part(page, 1, 'input')
    slider.send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 3)
    shown = part(page, 1, 'output')
    assert (shown.text, shown.get_attribute('aria-live')) == ('3%', 'off')
    slider.send_keys(Keys.ENTER)
    verdict = part(page, 1, '.predict__verdict')
    assert verdict.text == '你猜 3%，实际是 64.8%：猜低了 61.8 个百分点。'
    assert page.switch_to.active_element == verdict
    assert '因为每一对都有权重。' in part(page, 1, 'div p').text
    assert page.execute_script('return document.querySelectorAll("#why").length') == 2


def test_the_answer_is_hidden_until_a_guess_is_made(page: WebDriver) -> None:
    for number, word in ((1, '先把滑块拨到你猜的地方'), (2, '先选一个')):
        part(page, number, 'button').send_keys(Keys.ENTER)
        assert word in part(page, number, '.predict__hint').text
    assert not page.find_elements(By.CLASS_NAME, 'predict__verdict')
    assert '因为' not in page.find_element(By.TAG_NAME, 'main').text


def test_a_choice_is_told_right_or_wrong(page: WebDriver) -> None:
    for pick, told in ((2, '没猜对，应当是「第二层」。'), (1, '猜对了。')):
        page.find_elements(By.CSS_SELECTOR, '#predict-2 input')[pick].send_keys(
            Keys.SPACE
        )
        part(page, 2, 'button').click()
        assert part(page, 2, '.predict__verdict').text == told
        signs = page.find_elements(By.CSS_SELECTOR, '#predict-2 .predict__sign')
        assert [one.text for one in signs].index('✓') == 1
        assert ('✗' in [one.text for one in signs]) == (pick != 1)
        part(page, 2, 'button').click()  # 重新猜


def test_guesses_are_kept_and_can_be_made_again(page: WebDriver) -> None:
    part(page, 1, 'input').send_keys(Keys.END, Keys.ENTER)
    reloaded(page)
    assert part(page, 1, '.predict__verdict').text.startswith('你猜 100%')
    assert page.find_elements(By.CSS_SELECTOR, '#predict-2 form')
    part(page, 1, 'button').click()
    assert page.switch_to.active_element == part(page, 1, 'input')
    reloaded(page)
    assert page.find_elements(By.CSS_SELECTOR, '#predict-1 form')


@pytest.mark.parametrize('stored', ('{"layer": 7, "share": "多"}', '[', 'null'))
def test_what_is_stored_may_be_unusable(page: WebDriver, stored: str) -> None:
    page.execute_script(
        'localStorage.setItem("deepcnn-predictions", arguments[0])', stored
    )
    reloaded(page)
    assert len(page.find_elements(By.CSS_SELECTOR, '.predict form')) == 2


def test_refused_storage_does_not_stop_the_reader(page: WebDriver) -> None:
    page.execute_script('Storage.prototype.setItem = () => { throw new Error("满了") }')
    part(page, 1, 'input').send_keys(Keys.END, Keys.ENTER)
    assert part(page, 1, '.predict__verdict').text.startswith('你猜 100%')


def test_axe_finds_nothing_before_and_after(page: WebDriver) -> None:
    part(page, 1, 'input').send_keys(Keys.END, Keys.ENTER)
    page.execute_script(AXE)
    found = page.execute_async_script(
        'const done = arguments[0]; axe.run().then(r => done(r.violations.map(v => v.id)))'
    )
    assert set(found) <= {
        'page-has-heading-one',
        'color-contrast',
    }  # 手写的页没有主题的颜色


ARITHMETIC = """
const share = { answer: 64.8, low: 0, high: 100, step: 1, log: false, unit: '%' }
const times = { answer: 64.7, low: 1, high: 1000, step: 1, log: true, unit: '倍' }
const values = (task) => [0, 0.25, 0.5, 1].map((along) => Guess.valueAt(task, along))
return {
  linear: values(share), logarithmic: values(times),
  halves: Guess.valueAt({ ...share, high: 10, step: 0.5 }, 0.26),
  places: [1, 31.6227766, 1000, 5000].map((value) => Guess.place(times, value)),
  verdicts: [
    [share, 64.8], [share, 66], [share, 90], [times, 3.2], [times, 640], [times, 60],
    [{ ...share, unit: '像素', answer: 212, high: 224 }, 100],
    [{ ...share, low: -50, answer: 1.1 }, -30],
  ].map(([task, guess]) => Guess.verdict(task, guess)),
}
"""


def test_arithmetic_of_guesses(page: WebDriver) -> None:
    found = page.execute_script(ARITHMETIC)
    assert found['linear'] == [0, 25, 50, 100]
    assert found['logarithmic'] == [1, 5.6, 32, 1000]
    assert found['halves'] == 2.5
    assert found['places'] == pytest.approx([0, 0.5, 1, 1])
    assert found['verdicts'] == [
        '你猜 64.8%，实际是 64.8%：正好。',
        '你猜 66%，实际是 64.8%：很接近，只高了 1.2 个百分点。',
        '你猜 90%，实际是 64.8%：猜高了 25.2 个百分点。',
        '你猜 3.2 倍，实际是 64.7 倍：猜低了，实际是你猜的 20 倍。',
        '你猜 640 倍，实际是 64.7 倍：猜高了，你猜的是实际的 9.9 倍。',
        '你猜 60 倍，实际是 64.7 倍：很接近，只低了 4.7。',
        '你猜 100 像素，实际是 212 像素：猜低了 112 像素。',
        '你猜 −30%，实际是 1.1%：猜低了 31.1 个百分点。',
    ]
