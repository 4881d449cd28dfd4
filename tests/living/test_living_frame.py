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
<div class="living__still"><a href="#x">原来的图</a></div></living-echo>
<script>history.replaceState({{}}, "", location.href)</script>
<script src="_static/living/frame.js"></script><script>
customElements.define('living-echo', class extends Living.LivingElement {{
  async build(panel, state) {{
    const value = await Living.data('words')
    panel.append(this.dataset.word, value.after, state.side || '', Living.make('button'))
    this.remember({{ side: 96 }})
  }}
}})
</script></html>"""


LATE = """<!doctype html><html lang="zh" data-content_root="./"><title>活页</title>
<link rel="stylesheet" href="_static/living/living.css">
<living-late id="late-1" class="living" data-scripts="word late" {attributes}>
<div class="living__still">原来的图</div></living-late>
<script src="_static/living/frame.js"></script></html>"""
SCRIPTS = {
    'word': "window.word = '卷积'",
    'late': """customElements.define('living-late', class extends Living.LivingElement {
      async build(panel) { panel.append(Living.make('button', {}, word)) }
    })""",
}


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


def test_an_old_browser_is_told_in_chinese(chromium: WebDriver, site: Path) -> None:
    write_data(site)
    script = site / '_static' / 'living' / 'frame.js'
    missing = script.read_text('utf-8').replace('await this.build', 'await this.buildd')
    script.write_text(missing, 'utf-8')
    open_page(chromium, site)
    assert shown(chromium, '.living__failure').startswith('请更新浏览器')


def test_one_part_that_arrives_clears_what_the_others_said(
    chromium: WebDriver, site: Path
) -> None:
    """两个部件等同一个脚本：在一个里再试，两个都开始，哪里也不留下那行话。"""
    open_late(chromium, site, '', copies=2)
    find = (By.CLASS_NAME, 'living__failure')
    wait_for(chromium, 'return document.querySelectorAll(".living__failure").length === 2')
    write_scripts(site)
    chromium.find_elements(*find)[1].find_element(By.TAG_NAME, 'button').click()
    wait_for(chromium, 'return document.querySelectorAll(".living__panel").length === 2')
    assert not chromium.find_elements(*find)


def test_keys_of_the_browser_are_left_to_it(chromium: WebDriver, site: Path) -> None:
    """与 Alt、Ctrl、Cmd 同按的键（后退、翻到页首）不归部件管。"""
    write_data(site)
    open_page(chromium, site)
    shown(chromium, '.living__panel')
    heard = """
      const button = document.querySelector('.living__panel button')
      const heard = []
      button.addEventListener('keydown', ({ key }) => heard.push(key))
      for (const name of ['altKey', 'ctrlKey', 'metaKey', 'shiftKey', 'none']) {
        const pressed = { key: name, [name]: true, bubbles: true }
        button.dispatchEvent(new KeyboardEvent('keydown', pressed))
      }
      return heard"""
    assert chromium.execute_script(heard) == ['shiftKey', 'none']


def test_reloading_leaves_the_reader_where_he_is(chromium: WebDriver, site: Path) -> None:
    """发来的网址滚到部件；部件自己写的，重新载入时读者在哪里就在哪里。"""
    write_data(site)
    open_page(chromium, site, above=3000, hash_='#echo-1?side=48')
    shown(chromium, '.living__panel')
    assert chromium.execute_script('return scrollY') > 2000
    chromium.execute_script('scrollTo(0, 0)')
    chromium.refresh()
    sleep(0.3)
    assert chromium.execute_script('return [scrollY, location.hash]') == [0, '#echo-1?side=96']
    chromium.execute_script("location.hash = '#echo-1?side=7'")  # 同一页里的链接
    assert wait_for(chromium, 'return scrollY > 2000 && document.readyState === "complete"')
    assert shown(chromium, '.living__panel') == '卷积核7'
    chromium.execute_script('scrollTo(0, 0)')
    chromium.refresh()
    sleep(0.3)
    assert chromium.execute_script('return scrollY') == 0


def test_data_given_away_can_be_fetched_again(chromium: WebDriver, site: Path) -> None:
    """权重交给 Worker 之后页面里只留空的；Worker 坏了要再取。"""
    write_data(site)
    open_page(chromium, site)
    shown(chromium, '.living__panel')
    again = "Living.data('words').then(({ after }) => arguments[0](after))"
    assert chromium.execute_async_script(f"Living.put('words', ''); {again}") == '核'


def test_the_focus_does_not_vanish_with_the_figure(
    chromium: WebDriver, site: Path
) -> None:
    """图让位时读者正停在图的链接上：焦点到部件的第一个控件，不回到页首。"""
    open_page(chromium, site)
    shown(chromium, '.living__failure')
    write_data(site)
    chromium.execute_script(
        'document.querySelector(".living__still a").focus();'
        'document.querySelector(".living__failure button").click()'
    )
    shown(chromium, '.living__panel')
    assert chromium.execute_script('return document.activeElement.matches(".living__panel *")')


def wait_for(browser: WebDriver, script: str) -> object:
    return WebDriverWait(browser, 10, poll_frequency=0.02).until(
        lambda _: browser.execute_script(script)
    )


def test_an_address_that_cannot_be_written_yet_is_written_later(
    chromium: WebDriver, site: Path
) -> None:
    """Safari 与 Firefox 里写得太勤会出错：部件照常，过一会儿写最后的一次。"""
    write_data(site)
    open_page(chromium, site)
    shown(chromium, '.living__panel')
    chromium.execute_script("""
      const part = document.querySelector('living-echo')
      const write = History.prototype.replaceState
      History.prototype.replaceState = () => { throw new DOMException('', 'SecurityError') }
      part.remember({ side: 1 })
      part.remember({ side: 2 })
      History.prototype.replaceState = write""")
    wait_for(chromium, "return location.hash === '#echo-1?side=2'")


def test_going_back_to_a_part_as_it_is_does_not_reload(
    chromium: WebDriver, site: Path
) -> None:
    """后退到写着部件状态的网址：部件就是那样，正在算的不断；别的状态才重新载入。"""
    write_data(site)
    open_page(chromium, site)
    shown(chromium, '.living__panel')
    chromium.execute_script("window.stays = true; location.hash = '#x'")
    chromium.execute_script('history.back()')
    wait_for(chromium, "return location.hash === '#echo-1?side=96'")
    sleep(0.3)
    assert chromium.execute_script('return window.stays')
    chromium.execute_script("location.hash = '#echo-1?side=48'")
    wait_for(chromium, 'return !window.stays')
    assert shown(chromium, '.living__panel') == '卷积核48'


@pytest.mark.parametrize(
    ('hash_', 'side'), [('side=48&word=%E7', '48'), ('%3Fside%3D48', '48'), ('%E7', '')]
)
def test_a_forwarded_address_is_read_as_far_as_it_goes(
    chromium: WebDriver, site: Path, hash_: str, side: str
) -> None:
    write_data(site)
    mark = '' if hash_.startswith('%3F') else '?'
    open_page(chromium, site, hash_=f'#echo-1{mark}{hash_}')
    assert shown(chromium, '.living__panel') == f'卷积核{side}'


# ---- 部件的脚本快要看到时才取 ---------------------------------------------------------


def open_late(
    browser: WebDriver, site: Path, attributes: str, hash_: str = '', copies: int = 1
) -> None:
    page = site / 'page.html'
    text = LATE.format(attributes=attributes)
    part = text[text.index('<living-late') : text.index('</living-late>') + 14]
    page.write_text(text.replace(part, part * copies), 'utf-8')
    browser.get('about:blank')
    browser.get(page.as_uri() + hash_)


def write_scripts(site: Path) -> None:
    for name, text in SCRIPTS.items():
        (site / '_static' / 'living' / f'{name}.js').write_text(text, 'utf-8')


def test_scripts_come_when_the_part_is_near(chromium: WebDriver, site: Path) -> None:
    """取不到时图留着，可以再来；``says`` 的话跟着部件出现。"""
    open_late(chromium, site, 'data-says="一句话。"')
    assert '没有取到脚本 word' in shown(chromium, '.living__failure')
    assert chromium.find_element(By.CLASS_NAME, 'living__still').is_displayed()
    write_scripts(site)
    chromium.find_element(By.CSS_SELECTOR, '.living__failure button').click()
    assert shown(chromium, '.living__panel').split() == ['一句话。', '卷积']


def test_a_part_can_wait_for_a_click(chromium: WebDriver, site: Path) -> None:
    """按钮与那句话先在；点过之后焦点到部件里；网址指着它的不必点。"""
    write_scripts(site)
    open_late(chromium, site, 'data-says="一句话。" data-open="打开" data-still="keep"')
    assert shown(chromium, '.living__offer') == '一句话。 打开'
    assert not chromium.find_elements(By.CLASS_NAME, 'living__panel')
    chromium.find_element(By.CSS_SELECTOR, '.living__offer button').send_keys('\n')
    assert shown(chromium, '.living__panel').split() == ['一句话。', '卷积']
    assert chromium.execute_script('return document.activeElement.textContent') == '卷积'
    assert not chromium.find_elements(By.CLASS_NAME, 'living__offer')
    assert chromium.find_element(By.CLASS_NAME, 'living__still').is_displayed()
    open_late(chromium, site, 'data-open="打开"', '#late-1?side=9')
    assert shown(chromium, '.living__panel') == '卷积'


def test_a_script_does_not_run_without_the_one_before_it(
    chromium: WebDriver, site: Path
) -> None:
    """只少了前一个：后一个不先运行，再试一次就全都有；按过的按钮没有了，焦点跟着走。"""
    write_scripts(site)
    word = site / '_static' / 'living' / 'word.js'
    kept = word.rename(word.with_suffix('.kept'))
    needs_word = 'document.title = window.word.length\n' + SCRIPTS['late']
    word.with_stem('late').write_text(needs_word, 'utf-8')
    open_late(chromium, site, 'data-open="打开"')
    shown(chromium, '.living__offer')
    chromium.find_element(By.CSS_SELECTOR, '.living__offer button').send_keys('\n')
    assert '没有取到脚本 word' in shown(chromium, '.living__failure')
    focused = 'return document.activeElement.textContent'
    assert chromium.execute_script(focused) == '再试一次'
    chromium.switch_to.active_element.send_keys('\n')
    wait_for(chromium, "return document.activeElement.textContent === '再试一次'")
    kept.rename(word)
    chromium.switch_to.active_element.send_keys('\n')
    assert shown(chromium, '.living__panel') == '卷积'
    assert chromium.execute_script(focused) == '卷积'


def test_the_focus_stays_where_the_reader_went(chromium: WebDriver, site: Path) -> None:
    """点过之后没有等，已经走到别处：部件来了不抢焦点。"""
    write_scripts(site)
    open_late(chromium, site, 'data-open="打开"')
    shown(chromium, '.living__offer')
    chromium.execute_script("""
      const elsewhere = Living.make('button', {}, '别处')
      document.body.append(elsewhere)
      document.querySelector('.living__offer button').click()
      elsewhere.focus()""")
    shown(chromium, '.living__panel')
    assert chromium.execute_script('return document.activeElement.textContent') == '别处'
