"""在真的 Chromium 里看每一页：控制台、请求、宽度、公式、图片、配色、键盘与读屏。

每页只打开两次：一次从本机的服务器、1280 像素宽，一次从磁盘（file://）、375 像素宽。
看到的东西先记下来，各个测试只比较记录。
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pydata_sphinx_theme
import pytest
import sphinx
import sphinx_book_theme
from axe import AXE
from babel.messages.mofile import read_mo
from browsing import console_errors, requested, set_theme, set_width
from built_site import SITE
from docutils.languages import en as docutils_english
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

HAN = re.compile('[\u4e00-\u9fff]')
WORD = re.compile('[A-Za-z]{2,}')

# 正文以外允许的西文：网络的名字、文件的扩展名、键盘上的字。
NAMES = {'AlexNet', 'VGG', 'NiN', 'GoogLeNet', 'ResNet', 'DenseNet'}
ALLOWED = NAMES | {
    '.ipynb', '.md', '.pdf', 'AdamW', 'Binder', 'Colab', 'CPU', 'Ctrl', 'English', 'GPU',
}  # fmt: skip

TYPESET = """
const done = arguments[0];
const ready = window.MathJax && MathJax.startup ? MathJax.startup.promise : null;
Promise.resolve(ready).then(() => done());
"""

# axe 逐个元素地查，而一章有几千个代码记号、公式的笔画、链接和格子。文字与底色由元素的
# 种类决定：HTML 标签、类、样式和上层都相同的算一种（小节套几层、单元的标记不影响颜色）。
# 正文里同种的记号只留一个，其余并入上层；公式、复制按钮只留三个；链接、带编号的元素、
# 表格全部留下（表格换了字会变宽）。查对比度的规则在留下的里面每种只看一个，要看得见、
# 不止一个字（只有一个字的，axe 不作判断）；别的规则逐个看。
# 各页共用同样的样式，所以前面的页看过的种类（known）不再看，这一页新看的交回去。
# 换配色时按钮的颜色是渐变的，展开的代码是渐显的，查的时候要停在终点，所以也关掉动画。
THIN_OUT = """
const still = document.createElement('style');
still.textContent = '* { transition: none !important; animation: none !important; }';
document.head.append(still);
for (const formula of [...document.querySelectorAll('mjx-container')].slice(3))
  formula.replaceWith('…');
for (const button of [...document.querySelectorAll('.copybtn')].slice(3)) button.remove();
const classes = (element) => [...element.classList].filter((name) => !name.startsWith('tag_'));
const kinds = new Map([[document.body, '']]);
const kind = (element) => {
  if (!kinds.has(element)) {
    const above = kind(element.parentElement);
    const own = [element.tagName, ...classes(element), element.getAttribute('style')];
    kinds.set(element, element.matches('section section') ? above : `${above}>${own}`);
  }
  return kinds.get(element);
};
const isNew = (element, seen) => seen.size < seen.add(kind(element)).size;
const isLong = (text) => text.trim().length > 1;
const kept = new Set();
const leaves = [...document.querySelectorAll('article :is(code, em, p, span, strong)')];
for (const leaf of leaves.reverse()) {
  if (leaf.children.length || leaf.id || leaf.closest('table')) continue;
  if (isLong(leaf.textContent) && isNew(leaf, kept)) continue;
  leaf.replaceWith(leaf.textContent);
}
document.body.normalize();
const hasText = (element) =>
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && isLong(node.data));
const known = new Set(arguments[0]);
const looked = new Set(known);
for (const element of document.body.querySelectorAll('*'))
  if (hasText(element) && element.checkVisibility() && !isNew(element, looked))
    element.dataset.alike = '';
return [...looked].filter((one) => !known.has(one));
"""

ONE_OF_A_KIND = """
axe.configure({ rules: [{ id: 'color-contrast', selector: ':not([data-alike])' }] });
"""
RUN_AXE = """
const [options, done] = arguments;
const describe = (rule) => `${rule.id}（${rule.nodes.length} 处）：${rule.nodes[0].html}`;
const always = { resultTypes: ['violations'], preload: false };
axe.run(document, { ...always, ...options }).then((report) => done(
  report.violations.filter((rule) => ['serious', 'critical'].includes(rule.impact))
    .map(describe)));
"""
COLOURS = ['color-contrast', 'link-in-text-block']
WITHOUT_COLOURS = {'rules': {rule: {'enabled': False} for rule in COLOURS}}
ONLY_COLOURS = {'runOnly': COLOURS}

LOOK = """
const inFrame = (element) => {
  for (let box = element.parentElement; box; box = box.parentElement)
    if (getComputedStyle(box).overflowX !== 'visible') return true;
  return false;
};
const width = document.documentElement.clientWidth;
const wide = document.scrollingElement.scrollWidth > width
  ? [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !inFrame(e))
    .slice(0, 3).map((e) => e.outerHTML.slice(0, 120))
  : null;
return {
  wide,
  formulas: document.querySelectorAll('.math').length,
  clipped: [...document.querySelectorAll('.math svg')].filter((svg) => {
    const frame = svg.closest('.math'), way = getComputedStyle(frame).overflowX;
    const room = frame.getBoundingClientRect().right + 1;
    return svg.getBoundingClientRect().right > room && !['auto', 'scroll'].includes(way);
  }).map((svg) => svg.closest('p, li, td, div').textContent.trim().slice(0, 60)),
  typeset: document.querySelectorAll('.math mjx-container svg').length,
  failed: document.querySelectorAll('[data-mjx-error], mjx-merror').length,
  images: document.images.length,
  broken: [...document.images].filter((i) => !i.naturalWidth).map((i) => i.src),
  unreachable: [...document.querySelectorAll('main :is(a[href], button, summary, input)')]
    .filter((e) => e.tabIndex < 0 && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 120)),
};
"""

EVERY_PICTURE = """
const pictures = [...document.images], done = arguments[0];
for (const one of pictures) one.loading = 'eager';
const arrived = (one) =>
  one.complete || new Promise((tell) => { one.onload = one.onerror = tell; });
Promise.all(pictures.map(arrived)).then(() => done());
"""

INTERFACE_TEXT = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  const text = walker.currentNode.data.trim();
  if (!text || parent.closest('script, style, noscript, pre, code, mjx-container')) continue;
  found.push([parent.closest('article') ? 'article' : 'interface', text]);
}
const attributes = ['title', 'aria-label', 'alt', 'placeholder', 'aria-description',
  'data-bs-title', 'data-bs-original-title', 'data-tooltip', 'data-toggle-hint'];
for (const element of document.querySelectorAll('body *')) {
  if (element.closest('mjx-container')) continue;
  for (const name of attributes) {
    const text = element.getAttribute(name);
    if (text) found.push(['interface', text]);
  }
}
return found;
"""


RESULTS = f'search.html?q={quote("学习率")}'
FOUND = "return document.querySelector('#book-search-results a') !== null"
OPEN_FOLDED = "for (const e of document.querySelectorAll('details')) e.open = true"


@dataclass
class Visit:
    """一页在一种打开方式下的样子。"""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)
    look: dict[str, object] = field(default_factory=dict)
    text: list[tuple[str, str]] = field(default_factory=list)


def page_names() -> list[str]:
    """每一页，以及一页搜索结果；幻灯片由 test_slides.py 看。"""
    skipped = {'_static', 'slides'}
    found = (path for path in SITE.rglob('*.html') if not skipped & {*path.parts})
    return [*sorted(path.relative_to(SITE).as_posix() for path in found), RESULTS]


def open_page(browser: WebDriver, url: str) -> None:
    """打开一页，等公式排好；先倒掉前一页留下的日志。"""
    browser.get('about:blank')
    browser.get_log('browser')
    browser.get_log('performance')
    browser.get(url)
    browser.execute_async_script(TYPESET)


def visit(browser: WebDriver, url: str, width: int, known: set[str]) -> Visit:
    """``known`` 是查过对比度的种类，这一页的加进去。"""
    set_width(browser, width)
    open_page(browser, url)
    if '?q=' in url:
        WebDriverWait(browser, 20).until(lambda _: browser.execute_script(FOUND))
    seen = Visit(errors=console_errors(browser), requests=requested(browser))
    browser.execute_script(OPEN_FOLDED)
    browser.execute_async_script(EVERY_PICTURE)
    seen.look = browser.execute_script(LOOK)
    if width > 500:
        seen.text = browser.execute_script(INTERFACE_TEXT)
    known |= {*browser.execute_script(THIN_OUT, [*known])}
    browser.execute_script(AXE + ONE_OF_A_KIND)
    set_theme(browser, 'light')
    # 颜色与宽度无关，只在宽屏上看。
    if width > 500:
        seen.axe += browser.execute_async_script(RUN_AXE, {})
        set_theme(browser, 'dark')
        found = browser.execute_async_script(RUN_AXE, ONLY_COLOURS)
        seen.axe += [f'深色：{line}' for line in found]
    else:
        found = browser.execute_async_script(RUN_AXE, WITHOUT_COLOURS)
        seen.axe += [f'手机：{line}' for line in found]
    return seen


@pytest.fixture(scope='module', autouse=True)
def patient(chromium: WebDriver) -> None:
    """机器忙的时候，axe 看一页可能要几十秒。"""
    chromium.set_script_timeout(180)


@pytest.fixture(scope='module')
def served(chromium: WebDriver, site_url: str) -> dict[str, Visit]:
    """从本机服务器打开的每一页，1280 像素宽。"""
    known: set[str] = set()
    return {
        name: visit(chromium, f'{site_url}/{name}', 1280, known)
        for name in page_names()
    }


@pytest.fixture(scope='module')
def from_disk(chromium: WebDriver, site_url: str) -> dict[str, Visit]:
    """从磁盘打开的每一页，375 像素宽。"""
    return {
        name: visit(chromium, f'{SITE.as_uri()}/{name}', 375, set())
        for name in page_names()
    }


@pytest.fixture
def phone(chromium: WebDriver) -> Iterator[WebDriver]:
    set_width(chromium, 375)
    yield chromium
    set_width(chromium, 1280)


def report(visits: dict[str, Visit], attribute: str) -> list[str]:
    return [
        f'{name}：{line}'
        for name, seen in visits.items()
        for line in getattr(seen, attribute)
    ]


def test_console_is_quiet(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    found = report(served, 'errors') + report(from_disk, 'errors')
    assert not found, '\n'.join(found)


def test_pages_request_nothing_from_outside(
    served: dict[str, Visit], from_disk: dict[str, Visit], site_url: str
) -> None:
    outside = [url for url in report(served, 'requests') if f'：{site_url}/' not in url]
    outside += [
        url for url in report(from_disk, 'requests') if f'：{SITE.as_uri()}/' not in url
    ]
    assert not outside, '\n'.join(outside)
    assert all(seen.requests for seen in served.values())


def test_search_and_menus_request_nothing_from_outside(
    chromium: WebDriver, site_url: str
) -> None:
    open_page(chromium, f'{site_url}/chapters/resnet.html')
    chromium.execute_script("document.querySelector('.dropdown-toggle').click()")
    chromium.execute_script("document.querySelector('.theme-switch-button').click()")
    chromium.execute_script("document.querySelector('.search-button__button').click()")
    field_ = chromium.switch_to.active_element
    field_.send_keys('残差', Keys.ENTER)
    WebDriverWait(chromium, 20).until(lambda _: 'search.html' in chromium.current_url)
    WebDriverWait(chromium, 20).until(lambda _: chromium.execute_script(FOUND))
    chromium.execute_script("localStorage.removeItem('mode')")
    chromium.execute_script("localStorage.removeItem('theme')")
    urls = requested(chromium)
    assert any('search.html' in url for url in urls)
    assert all(url.startswith(f'{site_url}/') for url in urls), urls


def test_pictures_wait_for_the_first_view_and_then_all_arrive(
    chromium: WebDriver, site_url: str
) -> None:
    missing = 'return [...document.images].filter((one) => !one.naturalWidth).length'
    for site in (site_url, SITE.as_uri()):
        open_page(chromium, f'{site}/chapters/densenet.html')
        assert chromium.execute_script(missing) > 10
        WebDriverWait(chromium, 20).until(lambda _: not chromium.execute_script(missing))


def test_no_sideways_scrolling(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    for visits in (served, from_disk):
        # 空的列表：滚得动，但撑宽它的不是哪一个元素的框
        wide = {name: v.look['wide'] for name, v in visits.items()}
        assert not {n: found for n, found in wide.items() if found is not None}


def test_formulas_are_typeset(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    for visits in (served, from_disk):
        looks = {name: seen.look for name, seen in visits.items()}
        assert any(look['formulas'] for look in looks.values())
        for name, look in looks.items():
            assert look['typeset'] >= look['formulas'], name
            assert look['failed'] == 0, name


def test_wide_formulas_scroll_instead_of_being_cut_off(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    for visits in (served, from_disk):
        clipped = {n: v.look['clipped'] for n, v in visits.items()}
        assert not {name: found for name, found in clipped.items() if found}


def test_images_are_loaded(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    for visits in (served, from_disk):
        assert {
            n: v.look['broken'] for n, v in visits.items() if v.look['broken']
        } == {}
        assert any(seen.look['images'] > 3 for seen in visits.values())


def test_axe_finds_nothing_serious(
    served: dict[str, Visit], from_disk: dict[str, Visit]
) -> None:
    found = report(served, 'axe') + report(from_disk, 'axe')
    assert not found, '\n'.join(found)


def test_everything_clickable_is_reachable_by_keyboard(
    served: dict[str, Visit],
) -> None:
    hidden = {n: v.look['unreachable'] for n, v in served.items()}
    assert not {name: found for name, found in hidden.items() if found}


@cache
def theme_messages() -> frozenset[str]:
    """主题、Sphinx 和 docutils 可能显示的全部英文。"""
    messages = {'Toggle hidden content', 'Click to show', 'Click to hide'}
    messages |= set(docutils_english.labels.values())
    for package in (sphinx, pydata_sphinx_theme, sphinx_book_theme):
        folder = Path(package.__file__).parent
        for path in folder.glob('**/zh*/LC_MESSAGES/*.mo'):
            with path.open('rb') as file:
                messages |= {str(entry.id) for entry in read_mo(file) if entry.id}
    return frozenset(text.casefold() for text in messages if WORD.search(text))


def is_english(place: str, text: str) -> bool:
    """正文之外不许有英文；正文里不许有主题和扩展的英文。"""
    if text.casefold().strip(' .:') in theme_messages():
        return True
    if place == 'article' or HAN.search(text):
        return False
    words = re.sub(r'^\d+\. ', '', text).strip('：，')  # 搜索结果里断开的正文
    return bool(WORD.search(text)) and words not in ALLOWED


def test_interface_is_chinese_throughout(served: dict[str, Visit]) -> None:
    english = [
        f'{name}：{text}'
        for name, seen in served.items()
        for place, text in seen.text
        if is_english(place, text)
    ]
    assert not english, '\n'.join(sorted(set(english)))


def test_english_of_the_theme_is_recognised() -> None:
    for text in ('Previous', 'Search', 'Toggle hidden content', 'Note:', 'Copyright'):
        assert is_english('article', text), text
    assert not is_english('interface', '3. AlexNet')
    assert not is_english('article', 'In International Conference on Machine Learning')


def test_skip_link_comes_first(chromium: WebDriver, site_url: str) -> None:
    open_page(chromium, f'{site_url}/chapters/nin.html')
    ActionChains(chromium).send_keys(Keys.TAB).perform()
    link = chromium.switch_to.active_element
    assert link.get_attribute('textContent') == '跳到正文'
    WebDriverWait(chromium, 5).until(lambda _: link.is_displayed())
    link.send_keys(Keys.ENTER)
    assert chromium.current_url.endswith('#main-content')


def test_contents_open_and_close_with_the_keyboard_on_a_phone(
    phone: WebDriver, site_url: str
) -> None:
    open_page(phone, f'{site_url}/chapters/nin.html')
    button = phone.find_element(By.CSS_SELECTOR, '.primary-toggle')
    sidebar = phone.find_element(By.ID, 'pst-primary-sidebar-modal')
    assert button.accessible_name == '显示或收起目录'
    button.send_keys(Keys.ENTER)
    WebDriverWait(phone, 5).until(lambda _: sidebar.get_attribute('open'))
    ActionChains(phone).send_keys(Keys.ESCAPE).perform()
    WebDriverWait(phone, 5).until(lambda _: not sidebar.get_attribute('open'))


def test_figures_do_not_glare_in_dark_mode(
    chromium: WebDriver, site_url: str
) -> None:
    """示意图与曲线用页面的底色和浅色的字；照片、特征图留着白底，调暗。"""
    open_page(chromium, f'{site_url}/chapters/resnet.html')
    set_theme(chromium, 'dark')
    styles = chromium.execute_script(
        "return [...document.querySelectorAll('article img')].map((image) => {"
        'const { filter, mixBlendMode, backgroundColor } = getComputedStyle(image);'
        "const kind = image.src.endsWith('.svg') ? 'svg' : 'png';"
        "return [kind, filter, mixBlendMode, backgroundColor].join(' ') })"
    )
    assert set(styles) == {
        'svg invert(0.93) hue-rotate(180deg) lighten rgba(0, 0, 0, 0)',
        'png brightness(0.7) normal rgb(255, 255, 255)',
    }


def test_code_is_copied_with_a_chinese_button(
    chromium: WebDriver, site_url: str
) -> None:
    open_page(chromium, f'{site_url}/chapters/nin.html')
    button = chromium.find_element(By.CSS_SELECTOR, 'button.copybtn')
    assert button.get_attribute('data-tooltip') == '复制'
