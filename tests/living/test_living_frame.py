"""活页的框架：一行注释成为元素；何时开始、数据从哪里来、失败时看到什么。"""

import json
import shutil
from pathlib import Path
from time import sleep

import pytest
from book_pages.plain_markdown import upgrade
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'

PAGE = """<!doctype html><html lang="zh" data-content_root="./"><title>活页</title>
<link rel="stylesheet" href="_static/living/living.css">
<div style="height: {above}px"></div>
<living-echo id="echo-1" class="living" data-word="卷积">
<div class="living__still">原来的图</div></living-echo>
<script src="_static/living/frame.js"></script><script>
customElements.define('living-echo', class extends Living.LivingElement {{
  async build(panel, state) {{
    const value = await Living.data('words')
    panel.append(this.dataset.word, value.after, state.side || '')
    this.remember({{ side: 96 }})
  }}
}})
</script></html>"""


def test_a_comment_becomes_an_element() -> None:
    text = '<!-- 活页：structure network=alexnet -->\n图'
    assert upgrade(text, {}) == '```{living} structure network=alexnet\n```\n\n图'
    # 单元的末尾：后面的一块是下一个单元
    assert upgrade('字\n\n<!-- 活页：train -->', {}) == '字\n\n```{living} train\n```'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(LIVING, tmp_path / '_static' / 'living')
    return tmp_path


def write_data(site: Path) -> None:
    path = site / '_static' / 'living' / 'data' / 'words.js'
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'Living.put("words", {json.dumps({"after": "核"})})', 'utf-8')


def open_page(browser: WebDriver, site: Path, above: int = 0, hash_: str = '') -> None:
    (site / 'page.html').write_text(PAGE.format(above=above), 'utf-8')
    browser.get('about:blank')  # 只改 # 后面的部分不会重新载入
    browser.get((site / 'page.html').as_uri() + hash_)


def shown(browser: WebDriver, selector: str) -> str:
    find = (By.CSS_SELECTOR, selector)
    return WebDriverWait(browser, 10, poll_frequency=0.02).until(
        lambda _: [one.text for one in browser.find_elements(*find) if one.text]
    )[0]


def test_a_part_takes_the_place_of_the_figure(chromium: WebDriver, site: Path) -> None:
    write_data(site)
    open_page(chromium, site, hash_='#echo-1?side=48')
    assert shown(chromium, '.living__panel') == '卷积核48'
    assert not chromium.find_element(By.CLASS_NAME, 'living__still').is_displayed()
    assert chromium.execute_script('return location.hash') == '#echo-1?side=96'


def test_nothing_loads_before_it_is_near(chromium: WebDriver, site: Path) -> None:
    open_page(chromium, site, above=8000)
    sleep(0.3)  # 这时就取数据的话，取不到，页面里会有一行话
    assert not chromium.find_elements(By.CLASS_NAME, 'living__failure')
    write_data(site)
    chromium.execute_script('scrollTo(0, 8000)')
    assert shown(chromium, '.living__panel') == '卷积核'


def test_a_failed_load_can_be_tried_again(chromium: WebDriver, site: Path) -> None:
    open_page(chromium, site)
    assert '没有取到数据 words' in shown(chromium, '.living__failure')
    assert chromium.find_element(By.CLASS_NAME, 'living__still').is_displayed()
    write_data(site)
    chromium.find_element(By.CSS_SELECTOR, '.living__failure button').click()
    assert shown(chromium, '.living__panel') == '卷积核'
    assert not chromium.find_elements(By.CLASS_NAME, 'living__failure')
