"""点表头排序：用鼠标、用键盘；数按大小排，没有数的总在最后。"""

import re
from pathlib import Path

import pytest
from axe import AXE
from built_site import built_file
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'site' / 'assets' / 'sortable_table.js'

ROWS = """
return [...document.querySelectorAll('.tag_sortable tbody tr')]
  .map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
"""
DIRECTIONS = """
return [...document.querySelectorAll('.tag_sortable th')]
  .map((header) => header.getAttribute('aria-sort'));
"""
HAND_MADE = """<!doctype html><html lang="zh"><title>表</title><main>
<table id="plain"><thead><tr><th>名</th></tr></thead><tbody><tr><td>乙</td></tr></tbody></table>
<div class="tag_sortable"><table>
<thead><tr><th><p>网络</p></th><th><p>参数</p></th><th>分钟</th><th>准确率</th></tr></thead>
<tbody>
<tr><td>丙</td><td>1,992</td><td>13.7</td><td>9.50 ± 0.20</td></tr>
<tr><td>甲</td><td>757</td><td>未达到</td><td>88.10 ± 3.00</td></tr>
<tr><td>乙</td><td>11,175</td><td>6.1</td><td>88.09 ± 9.00</td></tr>
</tbody></table></div></main><script src="sortable_table.js"></script></html>"""


@pytest.fixture
def page(chromium: WebDriver, tmp_path: Path) -> WebDriver:
    """一张手写的表，载入真的脚本。"""
    (tmp_path / 'sortable_table.js').write_text(SCRIPT.read_text(encoding='utf-8'))
    path = tmp_path / 'page.html'
    path.write_text(HAND_MADE, encoding='utf-8')
    chromium.get(path.as_uri())
    return chromium


def header(browser: WebDriver, name: str) -> object:
    buttons = browser.find_elements(By.CSS_SELECTOR, '.tag_sortable th button')
    return next(one for one in buttons if one.text.startswith(name))


def column(browser: WebDriver, index: int) -> list[str]:
    return [row[index] for row in browser.execute_script(ROWS)]


def test_numbers_sort_as_numbers(page: WebDriver) -> None:
    header(page, '参数').click()
    assert column(page, 1) == ['757', '1,992', '11,175']
    header(page, '参数').click()
    assert column(page, 1) == ['11,175', '1,992', '757']


def test_whole_rows_move(page: WebDriver) -> None:
    before = page.execute_script(ROWS)
    header(page, '准确率').click()
    after = page.execute_script(ROWS)
    assert [row[0] for row in after] == ['丙', '乙', '甲']
    assert sorted(after) == sorted(before)


def test_cells_without_a_number_stay_last(page: WebDriver) -> None:
    header(page, '分钟').click()
    assert column(page, 2) == ['6.1', '13.7', '未达到']
    header(page, '分钟').click()
    assert column(page, 2) == ['13.7', '6.1', '未达到']


def test_words_sort_as_chinese(page: WebDriver) -> None:
    header(page, '网络').click()
    assert column(page, 0) == ['丙', '甲', '乙']  # 按拼音


def test_state_is_told_to_screen_readers(page: WebDriver) -> None:
    assert page.execute_script(DIRECTIONS) == ['none'] * 4
    header(page, '参数').click()
    assert page.execute_script(DIRECTIONS) == ['none', 'ascending', 'none', 'none']
    header(page, '分钟').click()
    header(page, '分钟').click()
    assert page.execute_script(DIRECTIONS) == ['none', 'none', 'descending', 'none']


@pytest.mark.parametrize('key', [Keys.ENTER, Keys.SPACE])
def test_it_works_with_the_keyboard(page: WebDriver, key: str) -> None:
    body = page.find_element(By.TAG_NAME, 'body')
    body.send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.TAB)
    focused = page.switch_to.active_element
    assert focused.text == '参数'
    focused.send_keys(key)
    assert column(page, 1) == ['757', '1,992', '11,175']
    assert page.switch_to.active_element == focused


def test_other_tables_are_left_alone(page: WebDriver) -> None:
    assert not page.find_elements(By.CSS_SELECTOR, '#plain button')


def test_axe_accepts_the_table(page: WebDriver) -> None:
    header(page, '参数').click()
    page.execute_script(AXE)
    found = page.execute_async_script(
        'axe.run(document.querySelector(".tag_sortable"))'
        '.then((report) => arguments[0](report.violations.map((rule) => rule.id)))'
    )
    assert found == []


# ---- 成品 ----


def built_page(name: str) -> str:
    return built_file(f'chapters/{name}.html').read_text(encoding='utf-8')


def test_only_pages_with_such_a_table_load_the_script() -> None:
    assert 'sortable_table.js' in built_page('summary')
    assert 'sortable_table.js' not in built_page('nin')


def test_table_is_there_without_the_script() -> None:
    cell = re.search(r'tag_sortable.*?</table>', built_page('summary'), re.DOTALL)
    assert cell and '<button' not in cell[0]
    assert cell[0].count('<tr') == 7


def test_table_of_the_summary_is_sorted(chromium: WebDriver, site_url: str) -> None:
    chromium.get(f'{site_url}/chapters/summary.html')
    # 用键盘：滚过去时附近的活页换上来，表格下移，鼠标会点空；鼠标在手写的表上试过。
    header(chromium, '参数').send_keys(Keys.ENTER)
    buttons = chromium.find_elements(By.CSS_SELECTOR, '.tag_sortable th button')
    assert min(one.size['height'] for one in buttons) >= 24  # 点得准
    assert len(column(chromium, 3)) == 2 * 6  # 另一张是同一预算的，不跟着排
    numbers = [float(value) for value in column(chromium, 3)[:6]]
    assert numbers == sorted(numbers)
    header(chromium, '年份').send_keys(Keys.ENTER, Keys.ENTER)
    years = [int(value) for value in column(chromium, 1)[:6]]
    assert years == sorted(years, reverse=True)
    assert [float(value) for value in column(chromium, 3)[:6]] != numbers
