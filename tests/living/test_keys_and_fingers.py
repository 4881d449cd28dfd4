"""成品在手机上：只用键盘答一道题、拨一个滑块；只用手指画一笔、点一层。"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from browsing import set_theme, set_width
from built_parts import alive, open_built, violations, wait
from built_site import SITE
from living_page import alike
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from test_lab import button, column, drawn, one, percentages, status

from deepcnn.models import load

FORGET = "localStorage.removeItem('deepcnn-predictions')"
ON_SCREEN = """
const { top, bottom } = arguments[0].getBoundingClientRect()
return top >= 0 && bottom <= innerHeight
"""
CENTRE = """
arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })
const { x, y, width, height } = arguments[0].getBoundingClientRect()
return [x, y, width, height]
"""


@pytest.fixture
def phone(chromium: WebDriver) -> Iterator[WebDriver]:
    set_width(chromium, 375)
    yield chromium
    chromium.execute_script(FORGET)
    chromium.get('about:blank')
    chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


@pytest.fixture
def finger(phone: WebDriver) -> Iterator[WebDriver]:
    touching = {'enabled': True, 'maxTouchPoints': 1}
    phone.execute_cdp_cmd('Emulation.setTouchEmulationEnabled', touching)
    yield phone
    phone.execute_cdp_cmd('Emulation.setTouchEmulationEnabled', {'enabled': False})


# ---- 键盘 ----


def arrive(browser: WebDriver, page: str, selector: str) -> WebElement:
    """像点目录那样到一个部件：接着按 Tab，就走进它里面。"""
    open_built(browser, f'{SITE.as_uri()}/chapters/{page}.html')
    browser.execute_script(FORGET)
    browser.refresh()
    part = one(browser, selector)
    alive(browser, part)
    browser.execute_script('location.hash = arguments[0].id', part)
    return part


def press(browser: WebDriver, *keys: str) -> WebElement:
    """按几个键，返回焦点在的元素。"""
    ActionChains(browser).send_keys(*keys).perform()
    return browser.switch_to.active_element


def test_a_question_is_answered_with_the_keyboard(phone: WebDriver) -> None:
    part = arrive(phone, 'vgg', 'living-predict[data-choices]')
    choices = part.get_attribute('data-choices').split('|')
    right = choices[int(part.get_attribute('data-answer')) - 1]
    first = press(phone, Keys.TAB)
    assert first == one(phone, f'#{part.get_attribute("id")} [type=radio]')
    verdict = press(phone, Keys.SPACE, Keys.ARROW_DOWN, Keys.ENTER)
    told = '猜对了。' if right == choices[1] else f'没猜对，应当是「{right}」。'
    assert (verdict.text, verdict.get_attribute('class').split()[0]) == (
        told,
        'predict__verdict',
    )
    assert phone.execute_script(ON_SCREEN, verdict)
    assert phone.execute_script('return document.scrollingElement.scrollWidth') <= 375
    for theme in ('light', 'dark'):
        set_theme(phone, theme)
        assert violations(phone, f'#{part.get_attribute("id")}') == [], theme


def test_a_slider_is_moved_with_the_keyboard(phone: WebDriver) -> None:
    part = arrive(phone, 'toolbox', 'living-convolution')
    slider = press(phone, *[Keys.TAB] * 4)  # 三个下拉框之后的第一个
    assert slider.get_attribute('type') == 'range'
    assert slider.accessible_name.startswith('窗口')
    assert press(phone, Keys.ARROW_RIGHT) == slider
    told = '输出边长 = ⌊(28 + 2×0 − 4) / 1⌋ + 1 = 25'
    assert one(phone, '.stepper__size').text == told
    assert phone.execute_script(ON_SCREEN, slider)
    hash_ = phone.execute_script('return location.hash')
    assert hash_.startswith(f'#{part.get_attribute("id")}?') and 'kernel=4' in hash_


# ---- 手指 ----


def touch(browser: WebDriver, *places: tuple[float, float]) -> None:
    """手指落在第一处，经过其余各处，抬起；只有一处就是点一下。"""
    kinds = ['touchStart', *['touchMove'] * (len(places) - 1)]
    for kind, (x, y) in zip(kinds, places, strict=True):
        event = {'type': kind, 'touchPoints': [{'x': x, 'y': y}]}
        browser.execute_cdp_cmd('Input.dispatchTouchEvent', event)
    lifted = {'type': 'touchEnd', 'touchPoints': []}
    browser.execute_cdp_cmd('Input.dispatchTouchEvent', lifted)


def tap(browser: WebDriver, element: WebElement) -> None:
    x, y, width, height = browser.execute_script(CENTRE, element)
    touch(browser, (x + width / 2, y + height / 2))


def test_a_stroke_of_the_finger_is_drawn_and_scored(
    finger: WebDriver, site_url: str
) -> None:
    """首页的画板：画得上，页面不跟着动，得分是 PyTorch 给这一笔的。"""
    open_built(finger, f'{site_url}/index.html')
    alive(finger, one(finger, 'living-lab'))
    wait(finger, lambda: finger.find_elements('css selector', '.lab__pad'))
    tap(finger, button(finger, '清空'))
    wait(finger, lambda: drawn(finger).max() == 0)
    x, y, width, height = finger.execute_script(CENTRE, one(finger, '.lab__pad'))
    before = finger.execute_script('return scrollY')
    touch(finger, *((x + width * at / 10, y + height * at / 10) for at in range(2, 9)))
    wait(finger, lambda: (np.diag(drawn(finger))[7:21] > 200).all())
    assert finger.execute_script('return scrollY') == before
    image = torch.from_numpy(drawn(finger).astype(np.uint8))[None, None]
    expected = percentages(load('densenet'), image, 96)
    status(finger, 'DenseNet：')
    wait(finger, lambda: alike(column(finger, 2), expected), expected)


def test_a_tap_chooses_a_layer(finger: WebDriver, site_url: str) -> None:
    open_built(finger, f'{site_url}/chapters/alexnet.html')
    alive(finger, one(finger, 'living-structure'))
    rows = 'return [...document.querySelectorAll("[role=treeitem]:has(> .structure__hit)")]'
    row = wait(finger, lambda: finger.execute_script(rows))[2]
    title = row.find_element('css selector', 'title').get_attribute('textContent')
    tap(finger, row)
    chosen = '[role=treeitem][aria-selected=true] > title'
    found = wait(finger, lambda: finger.find_elements('css selector', chosen))
    assert [each.get_attribute('textContent') for each in found] == [title]
    detail = one(finger, '.structure__detail')
    assert title.partition('，')[0] in detail.text and '形状' in detail.text
