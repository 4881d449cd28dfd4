"""手机上、宽屏上、纸上读得清：代码不裁，表格的标题不滚走，标点不在行首，图能放大。"""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import nbformat
import pytest
from axe import AXE
from book_formulas.rendered import read_rendered
from book_pages.code_lines import columns, foldable
from book_pages.figure_links import PICTURE, linked
from book_pages.folded_checks import assertions, to_fold
from book_pages.kept_together import KeepTogether
from built_site import SITE, built_file
from contrast import faint
from docutils import nodes
from docutils.utils import new_document
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]

# 一页里的毛病：裁掉的代码、太小的字、滚走的表题、一行一两个字的格、拆开的名字、行首的标点。
FAULTS = r"""
for (const folded of document.querySelectorAll('article details')) folded.open = true;
const textOf = (one) => one.textContent.trim().slice(0, 40);
const boxOf = (node, start, end) => {
  const range = document.createRange();
  if (start === undefined) range.selectNodeContents(node);
  else { range.setStart(node, start); range.setEnd(node, end); }
  return range.getBoundingClientRect();
};
const code = [...document.querySelectorAll('article .highlight pre')];
const captions = [...document.querySelectorAll('article caption')].filter((caption) => {
  const frame = caption.closest('.pst-scrollable-table-container');
  const before = boxOf(caption).left;
  frame.scrollLeft = 1e4;
  const after = boxOf(caption);
  frame.scrollLeft = 0;
  return Math.abs(after.left - before) > 2 || after.right > innerWidth;
});
// 一格的字排成几行，一行合几个字；公式是图形，算三个字
const isNarrow = (cell) => {
  const math = [...cell.querySelectorAll('.math')];
  const boxes = math.map((one) => one.getBoundingClientRect());
  let letters = 3 * math.length;
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (walker.currentNode.parentElement.closest('.math')) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    boxes.push(...range.getClientRects());
    letters += walker.currentNode.data.trim().length;
  }
  let [lines, bottom] = [0, -Infinity];
  for (const box of boxes.filter(({ width }) => width).sort((a, b) => a.top - b.top)) {
    if (box.top > bottom - 3) lines += 1;
    bottom = Math.max(bottom, box.bottom);
  }
  return lines > 1 && letters / lines <= 2;
};
const split = [...document.querySelectorAll('article td code .pre')].filter(
  (name) => name.getClientRects().length > 1);
const stranded = [...document.querySelectorAll('article span.math')].filter((math) => {
  const next = math.nextSibling;
  if (next?.nodeType !== Node.TEXT_NODE || !/^[，。；：、！？）」]/.test(next.data)) return false;
  return boxOf(next, 0, 1).left < math.getBoundingClientRect().left;
});
return {
  code: code.length,
  formulas: document.querySelectorAll('article span.math + *, article span.math').length,
  clipped: code.filter((pre) => pre.scrollWidth > pre.clientWidth + 1).map(textOf),
  small: code.filter((pre) => parseFloat(getComputedStyle(pre).fontSize) < 12).map(textOf),
  captions: captions.map(textOf),
  narrow: [...document.querySelectorAll('article :is(td, th)')].filter(isNarrow).map(textOf),
  split: split.map(textOf),
  stranded: stranded.map((math) => textOf(math.parentElement)),
};
"""


@pytest.fixture(autouse=True)
def usual_screen(chromium: WebDriver) -> Iterator[None]:
    yield
    chromium.get('about:blank')  # 一页一页地改宽度要重排，慢
    show_at(chromium, 1280)
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': '', 'features': []})


def built(page: str) -> str:
    return built_file(f'chapters/{page}.html').read_text('utf-8')


def show_at(browser: WebDriver, width: int, height: int = 900) -> None:
    size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 500}
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)


@pytest.mark.parametrize(
    ('page', 'width'),
    [('exercises/densenet_table', 375), ('exercises/densenet_table', 1280), ('vgg', 375)],
)
def test_nothing_is_cut_off_or_torn_apart(
    chromium: WebDriver, site_url: str, page: str, width: int
) -> None:
    show_at(chromium, width)
    chromium.get(f'{site_url}/chapters/{page}.html')
    found = chromium.execute_script(FAULTS)
    assert found.pop('code') and found.pop('formulas')
    assert not any(found.values()), found


def test_no_cell_of_the_book_is_torn(chromium: WebDriver, site_url: str) -> None:
    """全书的表放进一页，在手机的宽度上看：没有一行只有一两个字的格。"""
    frame = re.compile(r'<div class="pst-scrollable-table-container">.*?</table>\s*</div>', re.S)
    pages = [*SITE.glob('*.html'), *SITE.glob('chapters/**/*.html')]
    tables = [one for page in pages for one in frame.findall(page.read_text('utf-8'))]
    assert len(tables) > 150
    show_at(chromium, 375)
    chromium.get(f'{site_url}/chapters/performance.html')
    chromium.execute_script(
        "document.querySelector('article').innerHTML = arguments[0]", ''.join(tables)
    )
    found = chromium.execute_script(FAULTS)
    assert not found['narrow'] + found['split'] + found['captions']


def test_a_formula_takes_its_own_comma() -> None:
    """几个「，」彼此相等，拿走的是公式后面的那一个。"""
    document = new_document('')
    formulas = [nodes.math('', formula) for formula in ('n=4', 'k=32')]
    comma = [nodes.Text('，') for _ in range(2)]
    parts = (nodes.literal('', '(9.2)'), comma[0], formulas[0], comma[1], formulas[1])
    document += nodes.paragraph('', '', *parts)
    KeepTogether(document).apply()
    assert document.astext() == '(9.2)，n=4，k=32'
    assert formulas[0].parent.astext() == 'n=4，'


# ---- 折起来的行 ----


def test_a_long_line_hangs_from_its_own_indent() -> None:
    short, long = '    x = 1\n', f'    {"甲" * 20}\n'
    assert foldable(short) == short
    assert foldable(long) == f'<span class="code-line" style="--indent:4">{long}</span>'
    assert foldable(f'<b>{"a" * 40}</b>') == f'<span class="code-line"><b>{"a" * 40}</b></span>'
    assert columns('甲a') == 3


def test_folding_changes_no_character() -> None:
    """复制得到的就是笔记本里的代码。"""
    blocks = re.findall(r'cell_input.*?<pre>(.*?)</pre>', built('vgg'), re.S)
    shown = [unescape(re.sub('<[^>]+>', '', block)).strip('\n') for block in blocks]
    notebook = nbformat.read(ROOT / 'chapters' / 'vgg.ipynb', as_version=4)
    cells = [c.source for c in notebook.cells if c.cell_type == 'code']
    assert len(shown) > 20
    assert [code for code in cells if code in shown] == shown


# ---- 核对的单元 ----


def test_a_check_that_makes_what_is_used_later_stays_open() -> None:
    cells = [
        ('net = make()\nassert net', True),
        ('size = 3\nassert [n for n in range(size)]', True),
        ('print(net)', False),
        ('size = 4\nprint(size)', False),
        ('def check():\n    assert size\ncheck()', True),
    ]
    assert list(to_fold(cells))[::-1] == [False, True, False, False, True]
    assert assertions(cells[1][0]) == 1


def test_checks_are_one_line_that_opens(chromium: WebDriver, site_url: str) -> None:
    chromium.get(f'{site_url}/chapters/nin.html')
    summaries = chromium.find_elements('css selector', '.tag_check details > summary')
    assert len(summaries) > 5
    first = summaries[0]
    code = chromium.find_element('css selector', '.tag_check details .cell_input')
    assert first.text.startswith('✓ 已核对') and '项' in first.text
    assert first.size['height'] < 44 and not code.is_displayed()
    first.send_keys(Keys.ENTER)
    WebDriverWait(chromium, 5).until(lambda _: code.is_displayed())  # 渐显
    assert 'assert' in code.text


# ---- 侧栏、图、复制、打印 ----


def test_the_sidebar_shows_the_current_chapter(chromium: WebDriver, site_url: str) -> None:
    for page in ('index', 'chapters/about', 'chapters/references'):
        chromium.get(f'{site_url}/{page}.html')
        chromium.execute_async_script('requestAnimationFrame(() => setTimeout(arguments[0]))')
        place = chromium.execute_script(
            "const links = [...document.querySelectorAll('.bd-links .current > a')];"
            'const { top, bottom } = links.pop().getBoundingClientRect();'
            'return [top, innerHeight - bottom]'
        )
        assert min(place) >= 0, (page, place)


def test_a_tap_shows_the_figure_at_full_size(chromium: WebDriver, site_url: str) -> None:
    show_at(chromium, 375)
    chromium.get(f'{site_url}/chapters/exercises/memory.html')
    link = chromium.find_element('css selector', 'article figure .figure-link')
    picture = link.find_element('css selector', 'img')
    small = picture.size['width']
    link.send_keys(Keys.ENTER)
    shown = chromium.find_element('css selector', 'dialog.figure-zoom img')
    assert shown.size['width'] == int(picture.get_dom_attribute('width')) > 1.3 * small
    assert not chromium.execute_script('return scrollX || document.body.scrollWidth > innerWidth')
    chromium.execute_script(AXE)
    found = chromium.execute_async_script(
        "axe.run('.figure-zoom').then((report) => arguments[0](report.violations.map((v) => v.id)))"
    )
    assert found == []
    ActionChains(chromium).send_keys(Keys.ESCAPE).perform()
    assert not chromium.find_elements('css selector', 'dialog.figure-zoom')
    assert chromium.switch_to.active_element == link


def test_a_picture_that_is_a_link_already_stays_one() -> None:
    image = '<img alt="a" src="../_images/a.png"/>'
    given = f'<a class="reference external" href="https://e.com">{image}</a> 后文'
    assert PICTURE.sub(linked, given) == given
    sized = f'<a class="reference internal image-reference" href="a.png">{image}</a>'
    here = f'<a class="figure-link" href="../_images/a.png">{image}</a>'
    assert PICTURE.sub(linked, f'{sized}{image}') == here * 2


def test_the_page_stays_behind_the_enlarged_figure(chromium: WebDriver, site_url: str) -> None:
    """图滚到了头、或本来就放得下，页面都不跟着滚。"""
    for width, height in ((1280, 900), (500, 1400)):
        show_at(chromium, width, height)
        chromium.get(f'{site_url}/chapters/alexnet.html')
        link = chromium.find_element('css selector', 'article figure .figure-link')
        link.send_keys(Keys.ENTER)
        before = chromium.execute_script('return scrollY')
        frame = chromium.find_element('css selector', '.figure-zoom__frame')
        for _ in range(3):
            ActionChains(chromium).scroll_from_origin(
                ScrollOrigin.from_element(frame), 0, 900
            ).perform()
        assert chromium.execute_script('return scrollY') == before


@pytest.mark.parametrize('page', ['summary', 'vgg', 'exercises/memory'])
def test_every_figure_opens_without_scripts(page: str) -> None:
    text = built(page)
    pictures = re.findall(r'<img [^>]*src="([^"]*_images/[^"]*)"', text)
    linked = re.findall(r'<a class="figure-link" href="([^"]*)"><img [^>]*src="\1"', text)
    assert pictures and linked == pictures


def test_fingers_see_the_copy_button(chromium: WebDriver, site_url: str) -> None:
    touch = {'features': [{'name': 'hover', 'value': 'none'}]}
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', touch)
    chromium.get(f'{site_url}/chapters/exercises/memory.html')
    chromium.execute_script("document.body.style.transition = 'none'")
    button = chromium.find_element('css selector', 'button.copybtn')
    assert float(button.value_of_css_property('opacity')) > 0.5
    assert min(button.size.values()) >= 44


def test_printing_opens_everything(chromium: WebDriver, site_url: str) -> None:
    chromium.get(f'{site_url}/chapters/vgg.html')
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    hidden = chromium.execute_script(
        "return [...document.querySelectorAll('article details > :not(summary)')]"
        '.filter((one) => !one.checkVisibility() || !one.offsetHeight).length'
    )
    assert hidden == 0
    assert chromium.find_element('css selector', 'article h1').text.startswith('5. ')
    around = chromium.find_elements('css selector', '.bd-sidebar, #jb-print-docs-body')
    assert around and not [one for one in around if one.is_displayed()]


@pytest.mark.parametrize('page', ['index', 'chapters/vgg', 'chapters/summary'])
def test_dark_pages_print_legibly(chromium: WebDriver, site_url: str, page: str) -> None:
    """深色模式里打印：链接、行内代码、提示框与折叠里的字，在白纸上都看得清。"""
    chromium.get(f'{site_url}/{page}.html')
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    chromium.execute_script('document.documentElement.dataset.theme = "dark"')
    assert faint(chromium, 'body *') == []


# ---- 图注、勘误 ----


def test_provenance_is_said_once() -> None:
    """图的下方写着来历，网站的图注不再写。"""
    notebook = nbformat.read(ROOT / 'chapters' / 'resnet.ipynb', as_version=4)
    known = {c.metadata.get('provenance') for c in notebook.cells} - {None}
    captions = re.findall(r'<figcaption>.*?</figcaption>', built('resnet'), re.S)
    assert known and captions
    assert not [c for c in captions for one in known if one in c]


def test_channels_have_one_notation() -> None:
    """c_in、c_out，不另写 c_入、c_出。"""
    assert not [latex for latex in read_rendered() if '入' in latex or '出' in latex]


def test_errata_are_folded_to_a_line() -> None:
    name = 'googlenet'
    notebook = nbformat.read(ROOT / 'chapters' / f'{name}.ipynb', as_version=4)
    written = sum(cell.source.count('> **勘误**') for cell in notebook.cells)
    assert written == built(name).count('<span class="sd-summary-text">勘误：') > 1
