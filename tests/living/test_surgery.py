"""页面里的手术：捷径、线路、来源、通道各剪一处，得分、特征图与 20 张图像的回答都是 PyTorch 的。

权重是随书的；还没有录制的网络现造，形状与算子一样。
"""

import base64
from pathlib import Path

import pytest
import torch
from book_living.script_files import write_script
from book_living.weight_scripts import write_weight_scripts
from living_page import alike, copy_living, data_folder, open_page, run_async
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait
from small_networks import SIDES, hooks, page_weights
from torch import Tensor

from deepcnn.anatomy import capture
from deepcnn.anatomy.program import page_program
from deepcnn.data import load_dataset, prepare
from deepcnn.models import Network, load
from deepcnn.records.titles import TITLES

BODY = """<link rel="stylesheet" href="_static/living/lab.css">
<living-lab id="lab-1" class="living" data-network="{name}">
<div class="living__still">原来的图</div></living-lab>"""
EACH = 2  # 每类几张：共 20 张，比页面里的 100 张快


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('weights')
    generator = torch.Generator().manual_seed(0)
    for name in ('resnet18', 'googlenet', 'densenet'):
        page_weights(name, generator, folder)
    return folder


@pytest.fixture(scope='module')
def networks(weights: Path) -> dict[str, Network]:
    return {name: load(name, weights) for name in ('resnet18', 'googlenet', 'densenet')}


@pytest.fixture(scope='module')
def images() -> Tensor:
    labels = load_dataset().test.labels
    chosen = [(labels == one).nonzero()[:EACH, 0] for one in range(10)]
    return load_dataset().test.images[torch.cat(chosen)]


@pytest.fixture(scope='module')
def site(
    tmp_path_factory: pytest.TempPathFactory,
    weights: Path,
    networks: dict[str, Network],
    images: Tensor,
) -> Path:
    folder = tmp_path_factory.mktemp('surgery')
    data, dataset = copy_living(folder), load_dataset()
    write_weight_scripts(data, weights)
    for name, net in networks.items():
        program = page_program(net, TITLES[name], SIDES[name], dataset)
        write_script(data, f'program-{name}', program)
    shown = {
        'classes': dataset.class_names, 'each': EACH, 'numbers': [*range(10 * EACH)],
        'pixels': base64.b64encode(images.numpy().tobytes()).decode(),
    }  # fmt: skip
    write_script(data_folder(folder), 'samples', shown)
    return folder


class Page:
    """一个网络的实验台。"""

    def __init__(self, browser: WebDriver) -> None:
        self.browser = browser

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def wait(self, found: object) -> object:
        return WebDriverWait(self.browser, 20, 0.02).until(lambda _: found())

    def open(self, site: Path, name: str, hash_: str = '') -> None:
        open_page(self.browser, site, ('frame', 'lab'), BODY.format(name=name))
        if hash_:
            self.browser.get('about:blank')
            self.browser.get((site / 'page.html').as_uri() + hash_)
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, '.living--ready'))

    def load(self) -> None:
        self.find('.lab__loader button').click()
        self.wait(lambda: self.find('.lab__looking').is_displayed() and self.column)

    def button(self, text: str) -> WebElement | None:
        """结果来了就重画，所以一次找完；没有时是 None。"""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('.lab__looking button')]"
            '.find((one) => one.textContent.startsWith(arguments[0]))',
            text,
        )

    def select(self, label: str, text: str) -> None:
        path = f'//label[starts-with(., "{label}")]/select'
        Select(self.browser.find_element(By.XPATH, path)).select_by_visible_text(text)

    def hash(self) -> str:
        return self.browser.execute_script('return decodeURIComponent(location.hash)')

    @property
    def column(self) -> str:
        return self.browser.execute_script(
            "return [...document.querySelectorAll('.lab__scores tr:not(.lab__answers) td')]"
            ".map((cell) => cell.textContent).join(' ')"
        )

    @property
    def marks(self) -> list[str]:
        """做了的手术。"""
        group = '[aria-label^=做了] button'
        found = self.browser.find_elements(By.CSS_SELECTOR, group)
        return [one.text for one in found]

    @property
    def lines(self) -> list[str]:
        """手术的两行话：这一张，与全部的。"""
        selector = '[aria-label=手术] [role=status]'
        found = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return [one.text for one in found]


@pytest.fixture
def page(chromium: WebDriver) -> Page:
    return Page(chromium)


def percentages(scores: Tensor) -> list[str]:
    return [f'{100 * share:.1f}%' for share in scores.double().softmax(0).tolist()]


def told(scores: Tensor) -> str:
    label = int(scores.argmax())
    return f'{load_dataset().class_names[label]} {percentages(scores)[label]}'


SHORTCUT = 'stages.1.1.shortcut'
LINE = 'stages.2.0.0.path2.1.1'
READER = 'stages.2.convs.2.0'  # 稠密块 2 的卷积 3；过渡层 1 给它 96 个通道
CASES = {
    'resnet18': ('第 2 段的残差块 2', None, '捷径', {SHORTCUT: range(128)}, {}),
    'googlenet': ('Inception 块 4a', None, '线路 2', {LINE: range(208)}, {}),
    'densenet': ('稠密块 2', '只有卷积 3', '卷积 1', {}, {READER: range(96, 128)}),
}
MARKS = {'resnet18': '3.0', 'googlenet': '2.1', 'densenet': '1.1.1'}


@pytest.mark.parametrize('name', CASES)
def test_a_cut_changes_what_pytorch_says_it_changes(
    page: Page, site: Path, networks: dict[str, Network], images: Tensor, name: str
) -> None:
    """用键盘剪一处、清零一个通道：得分、特征图、20 张图像的回答；从链接打开也一样。"""
    place, reader, part, erased, unread = CASES[name]
    net, data = networks[name], load_dataset()
    X = prepare(images, SIDES[name], data)
    program = page_program(net, name, SIDES[name], data)
    first, stage = program['taps'][0], program['taps'][3]
    with torch.inference_mode():
        plain = net(X)
        with hooks(net, {**erased, first: [5]}, unread), capture(net, stage) as maps:
            after = net(X)
    assert (after - plain).abs().max() > 0.05

    page.open(site, name)
    page.load()
    page.select('手术', place)
    if reader:
        page.select('谁读不到', reader)
    page.button(part).send_keys(Keys.ENTER)
    page.wait(lambda: page.lines[0])  # 结果来了就重画：画完再找下一个按钮
    page.find('.lab__map:nth-child(6)').send_keys(Keys.ENTER)
    page.button('清零这个通道').send_keys(Keys.SPACE)
    focused = 'return document.activeElement.textContent'
    page.wait(lambda: '通道 5 ✕' in ''.join(page.marks) and page.lines[0])
    assert page.browser.execute_script(focused) == '清零这个通道'
    page.select('特征图', program['titles'][stage])
    expected = ' '.join(percentages(after[0]))
    page.wait(lambda: alike(page.column, expected))
    line = f'这张图像：手术前 {told(plain[0])}，手术后 {told(after[0])}。'
    page.wait(lambda: alike(page.lines[0], line))
    low, high = (f'{one:.2f}'.replace('-', '−') for one in maps[stage][0].aminmax())
    note = page.find('[aria-label=特征图] .lab__note')
    page.wait(lambda: f'数值 {low}～{high}。' in note.text)

    page.button('在 20 张图像上数一数').send_keys(Keys.ENTER)
    page.wait(lambda: page.lines[1].startswith('20 张'))
    labels = torch.arange(10).repeat_interleave(EACH)
    before, now = plain.argmax(1), after.argmax(1)
    assert page.lines[1] == (
        f'20 张测试图像：手术前答对 {(before == labels).sum()} 张，手术后 '
        f'{(now == labels).sum()} 张；{(before != now).sum()} 张换了回答。'
    )

    state = page.hash()
    assert f'cut={MARKS[name]},{first}:5&stage={stage}' in state
    page.open(site, name, state)
    page.load()  # 打开链接也要先点
    page.wait(lambda: alike(page.column, expected))
    assert page.button(part)  # 停在剪断的那一处
    for mark in page.marks:
        page.button(mark).click()
    whole = ' '.join(percentages(plain[0]))
    page.wait(lambda: alike(page.column, whole))
    page.wait(lambda: 'cut' not in page.hash() and page.lines == ['', ''])


def test_the_answer_does_not_push_the_button_away(page: Page, site: Path) -> None:
    """回答来的时候按钮挪开，按下去的那一下就落了空。"""
    page.open(site, 'densenet')
    page.load()
    page.button('输入').click()
    before = page.button('在 20 张图像上数一数').rect
    page.wait(lambda: page.lines[0])
    assert page.button('在 20 张图像上数一数').rect == before


def test_counting_can_be_stopped(page: Page, site: Path) -> None:
    page.open(site, 'densenet')
    page.load()
    page.button('输入').click()
    page.button('在 20 张图像上数一数').click()
    page.wait(lambda: page.lines[1])
    page.button('停').click()
    counted = page.lines[1]
    assert not counted.startswith('20 张')
    page.wait(lambda: page.button('在 20 张图像上数一数'))
    page.browser.execute_async_script('setTimeout(arguments[0], 300)')
    assert page.lines[1] == counted


SWITCHED = """
await Promise.all(['lab', 'look'].map(Living.script))
const network = (classes) => ({
  program: { classes, taps: ['a'], titles: { a: 'a' } },
  shapes: { a: [2, 1, 1] }, marks: new Set(['a:1']),
})
const asked = []
const answers = (images, changes) => new Promise((resolve) => asked.push({ changes, resolve }))
const samples = { classes: ['x'], numbers: [0], each: 1, pixels: btoa('\\0'.repeat(784)) }
const surgery = Living.createSurgery(() => {}, answers, samples)
surgery.useNetwork(network(['x']))
surgery.element.querySelector(':scope > button').click()
surgery.useNetwork(network(['y']))
asked[0].resolve([0])
await new Promise((resolve) => setTimeout(resolve))
return asked.map(({ changes }) => changes ?? null)
"""


def test_counting_stops_with_the_network_it_counts(page: Page, site: Path) -> None:
    """等回答的时候换了网络：不再拿新的网络去问。"""
    open_page(page.browser, site, ('frame',))
    assert run_async(page.browser, SWITCHED) == [None]


def test_a_link_for_another_network_does_no_harm(page: Page, site: Path) -> None:
    """记号不合这个网络的：不要，合的照做。"""
    cuts = '99.0,0.9,0.0.9,0.4.0,x:1,stem.0.0:64,stem.0.0:-1,0.2'
    state = f'#lab-1?network=densenet&cut={cuts}&stage=stages.2'
    page.open(site, 'densenet', state)
    page.load()
    assert page.marks == ['稠密块 1：卷积 2 ✕']
