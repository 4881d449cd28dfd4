"""结构图与形状计算器：点、用键盘走、改量、放不下、从链接打开，手机与深色模式。"""

import json
import shutil
from math import log2
from pathlib import Path

import pytest
import torch
from book_living.scripts import JOINED
from contrast import faint
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from deepcnn.anatomy import count_parameters, layer_table
from deepcnn.models import create
from deepcnn.models.vgg import vgg

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'
AXE = (ROOT / 'tests' / 'site' / 'axe-core' / 'axe.min.js').read_text(encoding='utf-8')
SCRIPTS = ('frame', *JOINED['structure'])
# 主题的颜色，两种模式各一套：与网站的一样分得清。
PAGE = """<!doctype html><html lang="zh" data-content_root="./" data-theme="{theme}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>结构图</title>
<style>
html {{ --pst-color-text-base: #222832; --pst-color-text-muted: #48566b;
  --pst-color-background: #fff; --pst-color-surface: #f3f4f5; --pst-color-border: #d1d5da;
  --pst-color-primary: #176de8; --pst-color-link: #176de8; --pst-color-danger: #d72d47 }}
html[data-theme='dark'] {{ --pst-color-text-base: #ced6dd; --pst-color-text-muted: #9ca4af;
  --pst-color-background: #14181e; --pst-color-surface: #29313d; --pst-color-border: #48566b;
  --pst-color-primary: #5a9bf0; --pst-color-link: #5a9bf0; --pst-color-danger: #e78894 }}
body {{ background: var(--pst-color-background); color: var(--pst-color-text-base) }}
a {{ color: var(--pst-color-link) }}
</style>
<link rel="stylesheet" href="_static/living/living.css">
<link rel="stylesheet" href="_static/living/structure.css">
<main><h1>结构图</h1><living-structure id="structure-1" class="living" {options}>
<div class="living__still"><figure id="fig-x"><img alt="原来的图" src="data:,">
<figcaption>图 1　原来的图题</figcaption></figure></div></living-structure></main>
{scripts}</html>"""


class Page:
    """一页，只有一幅结构图，从磁盘打开。"""

    def __init__(self, browser: WebDriver, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        shutil.copytree(LIVING, folder / '_static' / 'living')

    def open(
        self, options: str, hash_: str = '', theme: str = 'light', width: int = 1280
    ) -> None:
        scripts = ''.join(
            f'<script src="_static/living/{name}.js"></script>' for name in SCRIPTS
        )
        page = PAGE.format(options=options, theme=theme, scripts=scripts)
        path = self.folder / 'page.html'
        path.write_text(page, encoding='utf-8')
        self.browser.get('about:blank')  # 只改 # 后面的部分不会重新载入
        self.browser.execute_cdp_cmd(
            'Emulation.setDeviceMetricsOverride',
            {
                'width': width,
                'height': 800,
                'deviceScaleFactor': 1,
                'mobile': width < 500,
            },
        )
        self.browser.get(path.as_uri() + hash_)
        WebDriverWait(self.browser, 10, poll_frequency=0.02).until(
            lambda browser: browser.find_elements(By.CSS_SELECTOR, '[role=treeitem]')
        )

    def touch(self, enabled: bool) -> None:
        """手指，不是鼠标；在打开之前。"""
        settings = {'enabled': enabled, 'maxTouchPoints': 1}
        self.browser.execute_cdp_cmd('Emulation.setTouchEmulationEnabled', settings)

    def text(self, name: str) -> str:
        return self.browser.find_element(By.CSS_SELECTOR, name).text

    @property
    def detail(self) -> str:
        return self.text('.structure__detail')

    def rows(self) -> list[str]:
        return self.browser.execute_script(
            'return [...document.querySelectorAll("[role=treeitem] > title")]'
            '.map((title) => title.textContent)'
        )

    def press(self, *keys: str) -> None:
        script = 'document.querySelector("[role=tree]").focus()'
        self.browser.execute_script(script)
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def set_side(self, side: object) -> None:
        field = self.browser.find_element(By.NAME, 'image_size')
        field.send_keys(Keys.CONTROL, 'a', Keys.NULL, Keys.DELETE, str(side))

    @property
    def hash(self) -> str:
        return self.browser.execute_script('return location.hash')


@pytest.fixture
def page(chromium: WebDriver, tmp_path: Path) -> Page:
    opened = Page(chromium, tmp_path)
    yield opened
    opened.touch(False)
    chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def meta(name: str, **chosen: int) -> torch.nn.Module:
    with torch.device('meta'):
        return create(name, **chosen)


def test_a_layer_tells_its_numbers(page: Page) -> None:
    page.open('data-network="alexnet"')
    rows = {
        row.name.partition('（')[0]: row
        for row in layer_table(meta('alexnet'), 224, detail=True).rows
    }
    labels = page.rows()
    for path in ('stem.0.0', 'stages.3.0.0', 'head.1'):
        row = rows[path]
        shape = '×'.join(map(str, row.shape))
        wanted = f'输出 {shape}，{row.parameters:,} 个参数，{row.macs:,} 次乘加'
        index = next(i for i, label in enumerate(labels) if label.endswith(wanted))
        found = page.browser.find_elements(By.CSS_SELECTOR, '[role=treeitem]')
        page.browser.execute_script('arguments[0].scrollIntoView()', found[index])
        found[index].click()
        assert f'→ {shape}' in page.detail
        assert (
            f'{row.parameters:,} = ' in page.detail
            and f'{row.macs:,} = ' in page.detail
        )
        assert page.hash == f'#structure-1?at={path}'
    chosen = page.browser.find_element(By.CSS_SELECTOR, '[aria-selected=true]')
    assert chosen.accessible_name == labels[index]
    link = page.browser.find_element(By.CSS_SELECTOR, '.structure__detail a')
    assert link.get_attribute('href').endswith(
        '/chapters/alexnet.html#sec-alexnet-classifier'
    )


def test_the_keyboard_walks_opens_and_closes(page: Page) -> None:
    page.open('data-network="resnet" data-depth="resnet50"')
    assert [label.partition('，')[0] for label in page.rows()] == [
        '入口', '模块 1', '模块 2', '模块 3', '模块 4', '输出头',
    ]  # fmt: skip
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert '模块 2' in page.detail and 'stages.1' in page.detail
    page.press(Keys.ARROW_RIGHT)
    assert len(page.rows()) == 6 + 4 * 4 + 1  # 四块各三层与一次相加，捷径上一层
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert '3×3 卷积，步幅 2' in page.detail
    chosen = page.browser.find_element(By.CSS_SELECTOR, '[aria-selected=true]')
    tree = page.browser.find_element(By.CSS_SELECTOR, '[role=tree]')
    assert tree.get_attribute('aria-activedescendant') == chosen.get_attribute('id')
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.END)
    assert len(page.rows()) == 6 and page.rows()[-1].startswith('输出头，')
    assert '输出头' in page.detail
    page.press(Keys.HOME, Keys.ENTER)
    assert '7×7 卷积，步幅 2' in page.rows()[1]
    rows = page.rows()
    page.open('data-network="resnet" data-depth="resnet50"', page.hash)
    assert page.rows() == rows  # 打开的段也在网址里


def test_numbers_follow_what_is_changed(page: Page) -> None:
    page.open('data-network="vgg" data-depth="vgg16"', '#structure-1?width=0.25')
    with torch.device('meta'):
        quarter = vgg('vgg16', width=0.25)
        small = vgg('vgg19', image_size=96, width=0.25)
    assert f'合计 {count_parameters(quarter):,} 个参数' in page.text(
        '.structure__summary'
    )
    page.set_side(96)
    Select(page.browser.find_element(By.NAME, 'depth')).select_by_value('vgg19')
    table = layer_table(small, 96)
    summary = page.text('.structure__summary')
    assert f'{table.parameters:,} 个参数' in summary and f'{table.macs:,} 次' in summary
    assert set(page.hash.partition('?')[2].split('&')) == {
        'depth=vgg19', 'width=0.25', 'image_size=96',
    }  # fmt: skip
    page.browser.find_element(By.XPATH, '//button[text()="恢复"]').click()
    full = count_parameters(meta('vgg16'))
    assert f'合计 {full:,} 个参数，' in page.text('.structure__summary')


def test_dragging_the_side_changes_everything(page: Page) -> None:
    page.open('data-network="googlenet"')
    with torch.device('meta'):
        table = layer_table(create('googlenet'), 97)
    page.browser.find_element(By.CSS_SELECTOR, '[type=range]').send_keys(
        Keys.ARROW_RIGHT
    )
    assert f'{table.macs:,} 次乘加' in page.text('.structure__summary')
    field = page.browser.find_element(By.NAME, 'image_size')
    assert field.get_property('value') == '97' and page.hash.endswith('image_size=97')


def test_the_figure_it_replaces_is_kept_for_print_and_links(page: Page) -> None:
    page.open('data-network="nin"')
    still = page.browser.find_element(By.CSS_SELECTOR, '.living__still img')
    panel = page.browser.find_element(By.CLASS_NAME, 'living__panel')
    assert not still.is_displayed() and panel.is_displayed()
    assert page.text('#fig-x figcaption') == '图 1　原来的图题'  # 链接仍到得了这里
    page.browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    assert still.is_displayed() and not panel.is_displayed()
    page.browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})


def test_a_link_opens_the_part_its_layer_is_in(page: Page) -> None:
    page.open(
        'data-network="resnet"',
        '#structure-1?depth=resnet152&at=stages.2.35.residual.2.0',
    )
    assert '模块 3 · 3×3 卷积' in page.detail
    labels = page.rows()
    assert sum(label.startswith('残差块') for label in labels) == 36


def test_a_papers_densenet_is_chosen_whole(page: Page) -> None:
    page.open('data-network="densenet"')
    Select(page.browser.find_element(By.NAME, 'num_convs')).select_by_visible_text(
        '6-12-36-24（DenseNet-161）'
    )
    wanted = count_parameters(meta('densenet161'))
    assert f'合计 {wanted:,} 个参数' in page.text('.structure__summary')
    growth = Select(page.browser.find_element(By.NAME, 'growth_rate'))
    assert growth.first_selected_option.text == '48'


def test_what_does_not_fit_is_named_in_one_line(page: Page) -> None:
    page.open('data-network="alexnet"')
    before = page.rows()
    page.set_side(62)
    assert page.text('.living__failure') == (
        '边长 62 太小：3×3 最大池化，步幅 2（stages.3.1）的输入只剩 2×2，放不下 3×3 的窗口'
    )
    assert page.rows() == before and page.text('.structure__summary') == ''
    for nonsense in ('', 'x', '0', '513', '1.5', '1e9'):
        page.set_side(nonsense)
        assert page.text('.living__failure') == '边长要是 1～512 的整数'
    page.set_side(63)
    assert page.text('.living__failure') == '' and page.rows() != before
    page.set_side('')
    page.press()  # 写到一半离开，回到现在的值
    field = page.browser.find_element(By.NAME, 'image_size')
    assert field.get_property('value') == '63' and page.text('.living__failure') == ''


def test_a_wrong_link_opens_the_usual_figure(page: Page) -> None:
    page.open(
        'data-network="nin"', '#structure-1?width=7&image_size=-3&at=nowhere&x=%22%3E'
    )
    usual = count_parameters(meta('nin'))
    assert f'合计 {usual:,} 个参数' in page.text('.structure__summary')
    assert '点一层' in page.detail


# 每种网络在两种宽度上画一遍：字不出画面，不压住同一行的条，点得到的不小于 24 像素，手指的 44。
FIT = """
const [width, least] = arguments, wrong = []
const holder = document.body.appendChild(document.createElement('div'))
for (const [name, family] of Object.entries(window.described.families)) {
  const values = Object.fromEntries(family.controls.map((one) => [one.name, one.value]))
  const sides = [values.image_size, 512] // 平常的与最大的：大的数也写得下
  for (const [form, image_size] of family.forms.slice(0, 4).flatMap((form) =>
    sides.map((side) => [form, side]))) {
    const measured = LayerArithmetic.measure(family, { ...values, ...form.when, image_size })
    const open = new Set(measured.parts.map(({ layer }) => layer.path))
    const figure = new StructureDrawing.Figure(measured, width, open, '')
    const svg = figure.render()
    holder.replaceChildren(svg)
    for (const text of svg.querySelectorAll('text')) {
      const { x, width: wide } = text.getBBox()
      if (x < -1 || x + wide > width + 1) wrong.push([name, text.textContent, 'outside'])
      const name_ = text.classList.contains('structure__label')
      if (name_ && x + wide > figure.barX) wrong.push([name, text.textContent, 'bars'])
    }
    for (const { group } of figure.targets) {
      const { width: wide, height } = group.querySelector('.structure__hit').getBBox()
      if (Math.min(wide, height) < least) wrong.push([name, group.textContent, height])
    }
  }
}
holder.remove()
return wrong
"""


DESCRIBED = 'return Living.data("structure").then((value) => { window.described = value })'


@pytest.mark.parametrize('width', [311, 650])
@pytest.mark.parametrize('least', [24, 44])
def test_every_network_fits(width: int, least: int, page: Page) -> None:
    if least == 44:
        page.touch(True)
    page.open('data-network="vgg"', width=width + 64)
    page.browser.execute_script(DESCRIBED)
    assert page.browser.execute_script(FIT, width, least) == []
    scrolls = 'return document.documentElement.scrollWidth - innerWidth'
    assert page.browser.execute_script(scrolls) <= 0


def test_a_finger_finds_the_same_parts_open(page: Page) -> None:
    """行高了，开始时打开的各段不变。"""
    for network in ('googlenet', 'densenet', 'resnet', 'vgg'):
        rows = []
        for finger in (False, True):
            page.touch(finger)
            page.open(f'data-network="{network}"', width=375)
            rows.append(page.rows())
        assert rows[0] == rows[1], network


# 打开每一段，画出的各行：板与条的大小，以及这一行的数由哪几层加起来。捷径上的小方块只是记号。
GEOMETRY = """
const family = window.described.families[arguments[0]]
const values = Object.fromEntries(family.controls.map((one) => [one.name, one.value]))
const measured = LayerArithmetic.measure(family, values)
const open = new Set(measured.parts.map(({ layer }) => layer.path))
const figure = new StructureDrawing.Figure(measured, 650, open, '')
figure.render()
const sizes = (group, name) => [...group.querySelectorAll(`rect.structure__${name}`)]
  .map((one) => ['width', 'height'].map((side) => Number(one.getAttribute(side))))
const rows = figure.targets.filter(({ item, name }) => item && !name.startsWith('捷径'))
return [values.image_size, rows.map(({ item, layer, group }) => ({
  path: layer.path, chain: item.chain.map(({ path }) => path),
  plates: sizes(group, 'plate'), bars: sizes(group, 'bar').map(([width]) => width) }))]
"""


@pytest.mark.parametrize(
    ('family', 'name'),
    [
        ('alexnet', 'alexnet'), ('googlenet', 'googlenet'),
        ('resnet', 'resnet18'), ('densenet', 'densenet'),
    ],
)  # fmt: skip
def test_plates_and_bars_are_drawn_to_scale(family: str, name: str, page: Page) -> None:
    """板宽是通道数的对数，高是边长；两根条是参数与乘加，各自最大的一行画满。"""
    page.open('data-network="vgg"')
    page.browser.execute_script(DESCRIBED)
    side, rows = page.browser.execute_script(GEOMETRY, family)
    table = layer_table(meta(name), side, detail=True).rows
    layers = {row.name.partition('（')[0]: row for row in table}

    plates = [
        (layers[row['path']].shape, *row['plates'][0])
        for row in rows
        if row['plates'] and row['path'] in layers
    ]
    assert len(plates) > 10
    unit = plates[0][1] / log2(plates[0][0][0] + 1)
    for (channels, *sides), width, height in plates:
        assert width == pytest.approx(unit * log2(channels + 1)) and width > 4
        assert height == pytest.approx(max(3, (sides or [1])[0] / 4))

    barred = [row for row in rows if row['bars']]
    for place, kind in enumerate(('parameters', 'macs')):
        counts = [
            sum(
                getattr(layer, kind)
                for path, layer in layers.items()
                if any(f'{path}.'.startswith(f'{one}.') for one in row['chain'])
            )
            for row in barred
        ]
        widths = [row['bars'][place] for row in barred]
        assert max(widths) == 100
        share = [100 * count / max(counts) for count in counts]
        assert widths == pytest.approx([max(1, one) if one else 0 for one in share])


def test_the_focus_is_not_covered_by_the_detail(page: Page) -> None:
    """控件在屏幕下沿、说明的后面时，走到它就移上来。"""
    page.open('data-network="densenet"', '#structure-1?at=stages.0', width=375)
    covered = page.browser.execute_script(
        "document.querySelector('h1').style.marginTop = '2000px';"
        "const detail = document.querySelector('.structure__detail');"
        "return [...document.querySelectorAll('living-structure :is(select, input, button)')]"
        '.filter((one) => {'
        ' scrollBy(0, one.getBoundingClientRect().bottom + 4 - innerHeight); one.focus();'
        ' return one.getBoundingClientRect().bottom > detail.getBoundingClientRect().top })'
        '.map((one) => one.outerHTML.slice(0, 40))'
    )
    assert covered == []


def test_redrawing_leaves_the_link_the_reader_is_on(page: Page) -> None:
    """窗口的宽度变了，图重画；说明没有变：不再念一遍，停在代码链接上的焦点也在。"""
    page.open('data-network="resnet"', '#structure-1?at=stages.1.0')
    link = page.browser.find_element(By.CSS_SELECTOR, '.structure__detail a')
    page.browser.execute_script('arguments[0].focus()', link)
    page.browser.execute_script("document.querySelector('living-structure').paint()")
    assert page.browser.switch_to.active_element == link
    before = page.detail
    page.press(Keys.ARROW_DOWN)
    assert page.detail != before


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_the_counts_are_legible(theme: str, page: Page) -> None:
    """SVG 里的字 axe 不看。"""
    page.open('data-network="vgg"', theme=theme)
    counts = 'text:is(.structure__parameters, .structure__macs)'
    assert page.browser.find_elements(By.CSS_SELECTOR, counts)
    assert faint(page.browser, counts) == []


@pytest.mark.parametrize(('theme', 'width'), [('light', 1280), ('dark', 375)])
def test_axe_finds_nothing(theme: str, width: int, page: Page) -> None:
    page.open('data-network="resnet"', '#structure-1?at=stages.1.0', theme, width)
    page.browser.execute_script(AXE)
    found = page.browser.execute_async_script(
        'axe.run(document).then((report) => arguments[0](report.violations'
        '.map(({ id, nodes }) => [id, nodes[0].html])))'
    )
    assert found == [], json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize(
    'name', ['alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet']
)
def test_the_figure_of_each_chapter_comes_alive(
    name: str, chromium: WebDriver, site_url: str
) -> None:
    chromium.get(f'{site_url}/chapters/{name}.html#structure-1?num_classes=100')
    summary = WebDriverWait(chromium, 20, poll_frequency=0.02).until(
        lambda browser: browser.find_elements(By.CSS_SELECTOR, '.structure__summary')
    )[0]
    assert '原来的' in summary.text
    still = chromium.find_element(By.CSS_SELECTOR, 'living-structure img')
    assert still.is_displayed() == (
        name in ('alexnet', 'nin')
    )  # 与别的网络并排的图留着
