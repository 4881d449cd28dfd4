"""每一种部件在成品里：从磁盘打开的手机（深色），从服务器打开的宽屏（浅色）；打印，没有脚本。

一页只打开一次，看到的先记下来，各个测试只比较记录。
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from browsing import console_errors, requested, set_theme, set_width
from built_parts import alive, open_built, used, violations, wait
from built_site import SITE
from selenium.webdriver.chrome.webdriver import WebDriver

# 一页 → 在那里看的部件：合起来每一种都有。
PARTS = {
    'index': ('lab',),
    'chapters/lab': ('lab',),
    'chapters/vgg': ('convolution', 'structure', 'predict', 'replay', 'lab'),
    'chapters/nin': ('convolution',),
    'chapters/toolbox': ('convolution', 'train'),
    'chapters/summary': ('compared', 'confusion', 'disagree'),
    'chapters/experiments/activation': ('train',),
}
WAYS = {'disk-375-dark': (375, 'dark'), 'server-1280-light': (1280, 'light')}
TAG = re.compile(r'<living-(\w+) ([^>]*)>')

WIDE = """
const width = document.documentElement.clientWidth
const over = document.scrollingElement.scrollWidth - width
return over <= 0 ? [] : [`宽出 ${over} 像素`, ...[...document.querySelectorAll('.living *')]
  .filter((one) => one.getBoundingClientRect().right > width + 1)
  .slice(0, 3).map((one) => one.outerHTML.slice(0, 120))]
"""
# 没有脚本、打印时应当看到的没有看到，或活的还在。printed：折叠着的也都印出来。
STILLS = """(selector, printed) => {
  const seen = (one) => one.checkVisibility() && one.offsetHeight > 0
  const folded = printed ? '' : ':not(details:not([open]) *)'
  const inside = `:is(img, table, living-predict summary)${folded}`
  return [...document.querySelectorAll(selector)].flatMap((part) => {
    const still = part.querySelector('.living__still')
    const wanted = [still, ...still.querySelectorAll(inside),
      ...(printed ? still.querySelectorAll('details > :not(summary)') : [])]
    const gone = wanted.filter((one) => !one.closest('.living__panel') && !seen(one))
    const left = [...part.querySelectorAll('.living__panel, .living__offer')].filter(seen)
    return [...gone, ...left].map((one) => `${part.id}：${one.outerHTML.slice(0, 120)}`)
  })
}"""


@dataclass
class Visit:
    """一页在一种打开方式下：部件都活着、都用过之后的样子。"""

    errors: list[str]
    outside: list[str]
    wide: list[str]
    printed: list[str]
    axe: list[str]


def selector(page: str) -> str:
    return ', '.join(f'living-{name}' for name in PARTS[page])


@pytest.fixture(scope='module', autouse=True)
def usual_screen(chromium: WebDriver) -> Iterator[None]:
    chromium.set_script_timeout(120)  # 机器忙的时候，axe 看一页要很久
    yield
    chromium.get('about:blank')
    chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


@pytest.fixture(
    scope='module',
    params=[(page, way) for page in PARTS for way in WAYS],
    ids=lambda param: f'{param[0].rpartition("/")[2]}-{param[1]}',
)
def visit(request: pytest.FixtureRequest, chromium: WebDriver, site_url: str) -> Visit:
    page, way = request.param
    width, theme = WAYS[way]
    site = SITE.as_uri() if width < 500 else site_url
    set_width(chromium, width)
    open_built(chromium, f'{site}/{page}.html')
    set_theme(chromium, theme)
    parts = chromium.find_elements('css selector', selector(page))
    assert {part.tag_name for part in parts} == {
        f'living-{name}' for name in PARTS[page]
    }
    for part in parts:
        alive(chromium, part)
        if width < 500 or part.tag_name != 'living-train':  # 训练完的宽屏已有测试看
            used(chromium, part)
    wide = chromium.execute_script(WIDE)
    outside = [url for url in requested(chromium) if not url.startswith(f'{site}/')]
    return Visit(
        wide=wide,
        outside=outside,
        printed=on_paper(chromium, page),
        axe=violations(chromium, selector(page)),
        errors=console_errors(chromium),
    )


def on_paper(browser: WebDriver, page: str) -> list[str]:
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    try:
        return browser.execute_script(
            f'return ({STILLS})(arguments[0], true)', selector(page)
        )
    finally:
        browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})


def test_the_console_is_quiet(visit: Visit) -> None:
    assert visit.errors == []


def test_everything_comes_from_the_site(visit: Visit) -> None:
    assert visit.outside == []


def test_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    assert visit.wide == []


def test_axe_finds_nothing(visit: Visit) -> None:
    """严重不严重的都算；颜色是网站的。"""
    assert visit.axe == []


def test_paper_has_the_still_figures(visit: Visit) -> None:
    assert visit.printed == []


def kinds(page: str, names: tuple[str, ...] | None = None) -> set[tuple[str, ...]]:
    """一页里有哪几种部件：名字，与改变样子的几个键。"""
    html = (SITE / f'{page}.html').read_text('utf-8')
    return {
        (name, *re.findall(r'data-(?:mode|kind|show|scripts)="[^"]*"', attributes))
        for name, attributes in TAG.findall(html)
        if names is None or name in names
    }


def test_every_kind_of_part_is_among_them() -> None:
    built = [*SITE.glob('*.html'), *SITE.glob('chapters/**/*.html')]
    pages = [path.relative_to(SITE).with_suffix('').as_posix() for path in built]
    seen = set().union(*(kinds(page, names) for page, names in PARTS.items()))
    assert seen and set().union(*map(kinds, pages)) == seen


# ---- 没有脚本 ----


def evaluate(browser: WebDriver, expression: str) -> object:
    """脚本关着的页面里，只有开发者工具还能算一个式子。"""
    asked = {'expression': expression, 'returnByValue': True}
    return browser.execute_cdp_cmd('Runtime.evaluate', asked)['result'].get('value')


@pytest.fixture
def without_scripts(chromium: WebDriver) -> Iterator[WebDriver]:
    set_width(chromium, 375)
    chromium.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', {'value': True})
    yield chromium
    chromium.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', {'value': False})
    chromium.get('about:blank')


@pytest.mark.parametrize('page', PARTS)
def test_without_scripts_the_figures_and_the_questions_stand(
    without_scripts: WebDriver, page: str
) -> None:
    browser, url = without_scripts, f'{SITE.as_uri()}/{page}.html'
    browser.execute_cdp_cmd('Page.navigate', {'url': url})
    ready = 'document.readyState === "complete" && location.href'
    wait(browser, lambda: evaluate(browser, ready) == url)
    parts = json.dumps(selector(page))
    assert evaluate(browser, 'typeof Living') == 'undefined'
    colours = 'getComputedStyle(document.querySelector(".bd-header-article")).backgroundColor'
    assert evaluate(browser, colours) == 'rgb(255, 255, 255)'  # 不透出滚到下面的正文
    assert evaluate(browser, f'document.querySelectorAll({parts}).length') > 0
    assert evaluate(browser, f'({STILLS})({parts}, false)') == []
    questions = """[...document.querySelectorAll('living-predict details')]
      .filter((one) => !one.parentElement.closest('details:not([open])'))"""
    opened = f"""{questions}.filter((one) => {{
      one.querySelector('summary').click()
      return one.open && [...one.children].every((child) => child.checkVisibility())
    }}).length"""
    asked = evaluate(browser, f'{questions}.length')
    assert asked or 'predict' not in PARTS[page]
    assert evaluate(browser, opened) == asked
