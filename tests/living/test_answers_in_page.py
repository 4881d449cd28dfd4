"""小结的活页：混淆矩阵、一格背后的图像、谁与别人不同，与 deepcnn.records.agreement 数的相同。"""

import base64
import json
import zlib

import pytest
import torch
from axe import AXE
from built_site import SITE
from contrast import faint
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from torch import Tensor

from deepcnn.data import load_dataset
from deepcnn.records import agreement
from deepcnn.records.comparison import load_records
from deepcnn.records.titles import TITLES

PAGE = SITE / 'chapters' / 'summary.html'
CLASSES = load_dataset().class_names


def data_script(name: str) -> dict:
    text = (SITE / f'_static/living/data/{name}.js').read_text('utf-8').strip()
    return json.loads(text.removeprefix(f'Living.put("{name}", ').removesuffix(')'))


@pytest.fixture(scope='module')
def labels() -> Tensor:
    return agreement.labels_for(list(load_records().values()), load_dataset())


@pytest.fixture(scope='module')
def answers() -> dict[str, Tensor]:
    return {
        name: agreement.majority(agreement.predictions_of(record))
        for name, record in load_records().items()
    }


@pytest.fixture
def page(chromium: WebDriver) -> WebDriver:
    open_page(chromium, '')
    return chromium


def open_page(browser: WebDriver, hash_: str) -> None:
    browser.get('about:blank')
    browser.get(PAGE.as_uri() + hash_)


def bring(browser: WebDriver, tag: str) -> None:
    """滚到部件那里，等它出现。"""
    element = browser.find_element(By.TAG_NAME, tag)
    browser.execute_script('arguments[0].scrollIntoView()', element)
    wait(browser, lambda: element.find_elements(By.CLASS_NAME, 'living__panel'))


def wait(browser: WebDriver, condition: object) -> object:
    redrawn = [StaleElementReferenceException]  # 正在换成新的一张表
    waiting = WebDriverWait(browser, 30, 0.02, redrawn)
    return waiting.until(lambda _: condition())


def texts(browser: WebDriver, selector: str) -> list[str]:
    ask = 'return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)'
    return browser.execute_script(ask, selector)


def test_the_matrices_are_those_of_the_records(
    page: WebDriver, labels: Tensor, answers: dict[str, Tensor]
) -> None:
    bring(page, 'living-confusion')
    matrices = page.execute_script(
        """
        const panel = document.querySelector('living-confusion')
        return panel.answers.networks.map((one) => panel.answers.matrix(one))
        """
    )
    for matrix, answer in zip(matrices, answers.values(), strict=True):
        decided = answer != agreement.UNDECIDED
        shares = agreement.confusion_matrix(answer[decided][None], labels[decided], 10)
        totals = labels[decided].bincount()[:, None]
        found = torch.tensor(matrix)
        assert torch.equal(found[:, :10], (shares * totals).round().long())
        assert torch.equal(found[:, 10], labels[~decided].bincount(minlength=10))


def test_a_cell_opens_the_images_behind_it(
    page: WebDriver, labels: Tensor, answers: dict[str, Tensor]
) -> None:
    bring(page, 'living-confusion')
    button = page.find_elements(
        By.CSS_SELECTOR, 'living-confusion .living__controls button'
    )
    button[4].send_keys(Keys.ENTER)
    shirt, tee = CLASSES.index('衬衫'), CLASSES.index('T恤')
    row, column = page.execute_script(
        "return document.querySelector('living-confusion').at"
    )
    start = page.find_element(By.CSS_SELECTOR, '.confusion button[tabindex="0"]')
    down = Keys.ARROW_DOWN if shirt > row else Keys.ARROW_UP
    right = Keys.ARROW_RIGHT if tee > column else Keys.ARROW_LEFT
    page.execute_script('arguments[0].focus()', start)
    for key in [down] * abs(shirt - row) + [right] * abs(tee - column) + [Keys.ENTER]:
        page.switch_to.active_element.send_keys(key)
    behind = ((labels == shirt) & (answers['resnet18'] == tee)).nonzero().flatten()
    wanted = f'{TITLES["resnet18"]}：衬衫被认作T恤，{len(behind)} 张'
    assert texts(page, 'living-confusion .cards__heading') == [wanted]
    address = page.execute_script('return location.hash')
    assert address == f'#confusion-1?network=resnet18&truth={shirt}&said={tee}'

    show = page.find_element(By.CSS_SELECTOR, 'living-confusion .cards button')
    size = len((SITE / '_static/living/data/missed_images.js').read_bytes())
    assert f'{size / 2**20:.1f} MB' in show.text
    show.send_keys(Keys.ENTER)
    wait(page, lambda: texts(page, 'living-confusion .answers'))
    cards = texts(page, 'living-confusion .answers')
    assert len(cards) == min(12, len(behind))
    for card, index in zip(cards, behind.tolist(), strict=False):
        assert f'衬衫 第 {index} 张' in card
        for name, answer in answers.items():
            said = '不一' if answer[index] < 0 else CLASSES[answer[index]]
            mark = '✓' if answer[index] == labels[index] else '✗'
            assert f'{mark} {TITLES[name].split("（")[0]}：{said}' in card
    pixels = page.execute_script(
        """
        const canvas = document.querySelector('living-confusion .answers canvas')
        return [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]
        """
    )
    shown = load_dataset().test.images[behind[0]].flatten()
    assert pixels[::4] == shown.tolist()

    page.execute_script(AXE)
    for theme in ('light', 'dark'):
        page.execute_script(f'document.documentElement.dataset.theme = "{theme}"')
        assert page.execute_async_script(
            'axe.run("living-confusion, living-disagree")'
            '.then((r) => arguments[0](r.violations.map((v) => v.id)))'
        ) == []  # fmt: skip


def test_every_count_is_legible(page: WebDriver) -> None:
    """六个网络，深浅两种：错得多的格颜色深，数也要看得清。"""
    bring(page, 'living-confusion')
    networks = page.find_elements(
        By.CSS_SELECTOR, 'living-confusion .living__controls button'
    )
    assert len(networks) == 6
    for theme in ('light', 'dark'):
        page.execute_script(f'document.documentElement.dataset.theme = "{theme}"')
        for one in networks:
            page.execute_script('arguments[0].click()', one)
            assert faint(page, '.confusion button') == []


def test_more_cards_keep_the_focus_and_the_note(page: WebDriver) -> None:
    """「再看」换成新的按钮：焦点跟着；看完了在标题上。少了哪些图像的话一直在。"""
    bring(page, 'living-confusion')
    page.execute_script("""
      const cells = [...document.querySelectorAll('.confusion__right')]
      cells.reduce((a, b) => Number(a.textContent) < Number(b.textContent) ? a : b).click()""")
    focused = 'return document.activeElement.textContent'
    cards = "return document.querySelectorAll('living-confusion .answers').length"
    button = page.find_element(By.CSS_SELECTOR, 'living-confusion .cards button')
    button.send_keys(Keys.ENTER)
    wait(page, lambda: page.execute_script(cards) == 12)
    assert page.execute_script(focused).startswith('再看 12 张')
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.execute_script(cards) == 24
    assert page.execute_script(focused).startswith('再看')
    note = page.find_element(By.XPATH, '//living-confusion//p[contains(., "六个网络全都答对")]')
    assert note.is_displayed()
    while page.execute_script(focused).startswith('再看'):
        page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute('class') == 'cards__heading'
    assert note.is_displayed()


def test_a_link_to_a_cell_does_not_move_the_focus(chromium: WebDriver) -> None:
    open_page(chromium, '#confusion-1?network=alexnet&truth=6&said=0')
    bring(chromium, 'living-confusion')
    assert texts(chromium, '.confusion button[aria-current]')
    assert chromium.execute_script('return document.activeElement === document.body')


def test_who_disagrees_is_counted(
    page: WebDriver, labels: Tensor, answers: dict[str, Tensor]
) -> None:
    bring(page, 'living-disagree')
    alone = agreement.only_right(answers, labels)
    right = sum((answer == labels).int() for answer in answers.values())
    named = {n: TITLES[n] if TITLES[n][-1] == '）' else f'{TITLES[n]} ' for n in alone}
    wanted = [f'只有 {named[n]}答对 {len(found):,}' for n, found in alone.items()]
    wanted.append(f'六个都答错 {int((right == 0).sum()):,}')
    assert texts(page, 'living-disagree .living__controls button') == wanted


def test_a_link_opens_what_was_seen(chromium: WebDriver) -> None:
    open_page(chromium, '#disagree-1?show=nobody')
    found = wait(chromium, lambda: texts(chromium, 'living-disagree .cards__heading'))
    assert found[0].startswith('六个都答错的图像')
    pressed = texts(chromium, 'living-disagree button[aria-pressed=true]')
    assert pressed[0].startswith('六个都答错')
    open_page(chromium, '#confusion-1?network=lenet&truth=12&said=x')
    bring(chromium, 'living-confusion')
    assert texts(chromium, 'living-confusion .cards__heading') == [
        '还没有选：先点一格。'
    ]


def test_the_images_are_those_some_network_missed(
    labels: Tensor, answers: dict[str, Tensor]
) -> None:
    found = data_script('missed_images')
    right = torch.stack([answer == labels for answer in answers.values()]).all(0)
    assert found['indices'] == (~right).nonzero().flatten().tolist()
    pixels = zlib.decompress(base64.b64decode(found['pixels']))
    assert pixels == load_dataset().test.images[found['indices']].numpy().tobytes()
    assert data_script('answers')['classes'] == list(CLASSES)


def test_they_fit_a_phone(chromium: WebDriver) -> None:
    size = {'width': 375, 'height': 800, 'deviceScaleFactor': 1, 'mobile': True}
    chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    try:
        open_page(chromium, '')
        for tag in ('living-compared', 'living-confusion', 'living-disagree'):
            bring(chromium, tag)
            right = chromium.execute_script(
                f'return Math.max(...[...document.querySelectorAll("{tag} .living__panel *")]'
                '.map((e) => e.getBoundingClientRect().right))'
            )
            assert right <= 375, tag
        crowded = chromium.execute_script(
            'return [...document.querySelectorAll(".confusion :is(button, tbody th)")]'
            '.filter((one) => one.scrollWidth > one.clientWidth || one.offsetHeight > 60)'
            '.map((one) => one.textContent)'
        )
        assert crowded == []  # 三位数不压到旁边的格，类别的名字不折行
        size['width'] = 320
        chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        narrow = (
            'return Math.min(...[...document.querySelectorAll(".confusion button")]'
            '.map((one) => one.offsetWidth))'
        )
        assert chromium.execute_script(narrow) >= 24  # 放不下时表左右滑动，页面不动
        wide = 'return document.scrollingElement.scrollWidth'
        assert chromium.execute_script(wide) <= 320
    finally:
        chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
