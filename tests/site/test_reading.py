"""标题下的一行、阅读进度、锚点、转发用的数据与引用信息。"""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import yaml
from book_pages import reading_notes, social_card
from book_source import chapter_files, read_page
from built_site import SITE, built_file
from docutils import nodes
from PIL import Image
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]

NOTEBOOKS = [
    path.relative_to(ROOT).with_suffix('').as_posix() for path in chapter_files()
]

REFUSE_STORAGE = """
for (const name of ['localStorage', 'sessionStorage'])
  Object.defineProperty(window, name, {
    configurable: true,
    get() { throw new DOMException('refused', 'SecurityError'); },
  });
"""

# 记下页首写的颜色，以及此后每次改成的颜色。
WATCH_COLOURS = """
window.colours = [];
new MutationObserver(() => colours.push(document.documentElement.dataset.theme))
  .observe(document, { subtree: true, attributeFilter: ['data-theme'] });
"""


def read(page: str) -> str:
    return built_file(page).read_text(encoding='utf-8')


def text_of(html: str) -> str:
    return unescape(re.sub('<[^>]+>', '', html))


# ---- 约几分钟 ----


def test_han_and_code_are_measured_and_outputs_are_not() -> None:
    prose = nodes.paragraph('', '卷积 convolution 层')
    code = nodes.literal_block('', 'import torch\n\nx = 1')
    output = nodes.container(classes=['cell_output'])
    output += nodes.literal_block('', '1\n2\n3')
    page = nodes.section('', prose, code, output, nodes.math_block('', '中文'))
    assert reading_notes.measure(page) == reading_notes.Amount(3, 2)


@pytest.mark.parametrize(
    ('han', 'lines', 'minutes'), [(0, 0, 1), (400, 0, 1), (4000, 0, 10), (400, 40, 3)]
)
def test_minutes(han: int, lines: int, minutes: int) -> None:
    assert reading_notes.Amount(han, lines).minutes == minutes


def test_every_chapter_states_its_minutes() -> None:
    """不展开折叠，一章的主线至多 25 分钟。"""
    contents = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    for part in contents['parts']:
        for chapter in part['chapters']:
            page = read(f'{chapter["file"]}.html')
            stated = re.search(r'<p class="reading-note"[^>]*><span>(.*?)</span>', page)
            if chapter['file'] != 'chapters/references':
                assert stated, chapter
                minutes = re.fullmatch(r'约 (\d+) 分钟', stated[1])
                assert minutes and int(minutes[1]) <= 25, chapter


# ---- 训练结果录自哪里 ----


def recorded(document: str) -> list[dict]:
    """一页的全部记录；一份也没有，或缺了一份，都是空的。"""
    paths = reading_notes.record_files(ROOT, document)
    if not all(path.exists() for path in paths):
        return []
    found = [json.loads(path.read_text(encoding='utf-8')) for path in paths]
    return [one for record in found for one in (record if type(record) is list else [record])]


@pytest.mark.parametrize('document', NOTEBOOKS)
def test_pages_state_where_the_training_was_recorded(document: str) -> None:
    records = recorded(document)
    [note] = re.findall(r'<p class="reading-note".*?</p>', read(f'{document}.html'))
    stated = text_of(note)
    if not records:
        assert '录自' not in stated
        return
    for record in records:
        for value in (record['device'], record.get('dataset', '')):
            assert value in stated
        assert 'profile' not in record or f'{record["profile"]} 档' in stated
    seeds = {seed for record in records for seed in reading_notes.seeds_of(record)}
    assert stated.endswith('随机种子 ' + '、'.join(map(str, sorted(seeds))))


def test_every_record_belongs_to_a_page() -> None:
    claimed = {p for name in NOTEBOOKS for p in reading_notes.record_files(ROOT, name)}
    results = ROOT / 'results'
    shown = {p.name for p in claimed if p.parent.name == 'full'}
    claimed |= {results / 'laptop' / name for name in shown}  # 各章的用时也读
    claimed |= {results / name for name in shown}  # 自己用 laptop、gpu 档录的
    found = {p for kind in ('', 'experiments/', 'laptop/') for p in results.glob(f'{kind}*.json')}
    training = {path for path in found if '"runs"' in path.read_text(encoding='utf-8')}
    assert len(training) > 20
    assert not training - claimed


@pytest.mark.parametrize('document', NOTEBOOKS)
def test_pages_read_the_records_they_name(document: str) -> None:
    """小结一章：有了六网对比的记录，页面也要用它。"""
    source = (ROOT / f'{document}.ipynb').read_text(encoding='utf-8')
    paths = reading_notes.record_files(ROOT, document)
    compared = any(path.parent.name == 'comparison' for path in paths)
    assert compared == ('load_records(' in source)


def test_records_are_put_together() -> None:
    a = {'device': 'A', 'dataset': 'D', 'profile': 'gpu', 'runs': [{'seed': 1}]}
    trial = {'device': 'B', 'recipe': {'seeds': [0]}}
    both = reading_notes.combine([a, a, trial])
    seeds = {'gpu': (1,), '': (0,)}
    assert both == reading_notes.Recording(('A', 'B'), ('D',), seeds)
    assert text_of(reading_notes.describe_recording(both, '')) == (
        '训练结果录自 A、B：D，gpu 档，随机种子 1；同一预算，随机种子 0'
    )


def test_an_incomplete_record_is_not_stated(tmp_path: Path) -> None:
    page = 'chapters/exercises/nin_without_1x1'
    paths = reading_notes.record_files(tmp_path, page)
    assert len(paths) == 3
    paths[0].parent.mkdir(parents=True)
    record = {'device': 'A', 'runs': [{'seed': 0}]}
    for path in paths:
        assert reading_notes.recorded_training(tmp_path, page) is None
        path.write_text(json.dumps(record), encoding='utf-8')
    assert reading_notes.recorded_training(tmp_path, page).devices == ('A',)


def test_a_page_without_training_states_none() -> None:
    assert reading_notes.recorded_training(ROOT, 'chapters/exercises') is None
    assert '录自' not in read('chapters/exercises.html').split('</article>')[0]


# ---- 锚点 ----


def test_headings_are_linked_by_their_labels() -> None:
    """每个 (label)= 紧跟着的标题，链接用的就是这个标签。"""
    source = read_page(ROOT / 'chapters' / 'exercises.md')
    labels = re.findall(r'^\((.+)\)=\n#', source, flags=re.MULTILINE)
    page = read('chapters/exercises.html')
    sections = re.findall(r'<section[^>]* id="([^"]*)"', page)
    assert labels
    assert sections == labels


def chapter_pages() -> list[Path]:
    return [*built_file('chapters').rglob('*.html')]


def test_no_heading_has_a_numbered_anchor() -> None:
    for path in chapter_pages():
        page = path.read_text(encoding='utf-8')
        anchors = re.findall(r'<section[^>]* id="([^"]*)"', page)
        assert anchors, path.name
        numbered = [anchor for anchor in anchors if re.fullmatch(r'id\d+', anchor)]
        assert not numbered, f'{path.name}：{numbered}'


def test_only_chapters_are_numbered() -> None:
    """锚点排得太晚时，一部分小节会错戴上章的编号。"""
    for path in chapter_pages():
        page = path.read_text(encoding='utf-8')
        assert '<h2><span class="section-number">' not in page, path.name


def test_figures_and_tables_are_numbered_in_chinese() -> None:
    numbers = {
        text_of(number).strip()
        for path in chapter_pages()
        for number in re.findall(
            r'<span class="caption-number">(.*?)</span>',
            path.read_text(encoding='utf-8'),
        )
    }
    assert numbers
    assert all(re.fullmatch(r'(图|表|代码) [\d.]+', number) for number in numbers)


# ---- 转发用的数据、图标 ----


def test_description_stops_at_the_end_of_a_sentence() -> None:
    page = nodes.section('', nodes.paragraph('', '卷积。' * 10 + '层' * 200))
    assert social_card.describe(page) == '卷积。' * 10
    parts = nodes.Text('用 '), nodes.math('', r'1\times 1'), nodes.Text(' 卷积')
    short = nodes.section('', nodes.paragraph('', '', *parts))
    assert social_card.describe(short) == '用 1×1 卷积'


def test_description_has_no_footnote_number() -> None:
    number = nodes.footnote_reference('', '1')
    page = nodes.section('', nodes.paragraph('', '', nodes.Text('网络（NiN）'), number))
    page[0] += nodes.Text(' 换了 AlexNet 的思路。')
    assert social_card.describe(page) == '网络（NiN）换了 AlexNet 的思路。'
    assert number.parent is page[0], '正文不应改动'


def test_description_skips_a_paragraph_that_only_leads_in() -> None:
    lead = nodes.paragraph('', '可以这样写：')
    point = nodes.list_item('', nodes.paragraph('', '其中的一条；'))
    empty = nodes.paragraph('', '', nodes.image(uri='a.svg'))
    page = nodes.section('', lead, point, empty, nodes.paragraph('', '同样的信息另有一份。'))
    assert social_card.describe(page) == '同样的信息另有一份。'


def test_every_page_has_a_whole_description() -> None:
    found = {}
    for path in SITE.rglob('*.html'):
        page = path.read_text(encoding='utf-8')
        for text in re.findall(r'<meta name="description" content="([^"]*)"', page):
            found[path.relative_to(SITE).as_posix()] = text
    assert found['chapters/alexnet.html'].startswith('2012 年，AlexNet 在 ImageNet')
    assert len(found) > 20
    stubs = {name: text for name, text in found.items() if not text or text[-1] == '：'}
    assert not stubs


def test_pages_carry_open_graph_data() -> None:
    page = read('chapters/resnet.html')
    data = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page))
    assert data['type'] == 'article'
    assert 'ResNet' in data['title']
    assert data['site_name'] == '深度卷积神经网络：从 AlexNet 到 DenseNet'
    assert data['locale'] == 'zh_CN'
    assert data['description'].endswith('。')
    # 相对网址对转发没有用；网址定下之前不写。
    config = yaml.safe_load((ROOT / '_config.yml').read_text(encoding='utf-8'))
    baseurl = config['html']['baseurl']
    assert data.get('url') == (baseurl and f'{baseurl}chapters/resnet.html' or None)
    assert data.get('image') == (baseurl and f'{baseurl}_static/cover.png' or None)


def test_cover_is_as_large_as_cards_need_and_names_the_book() -> None:
    """书名改了，请运行 python tools/site/draw_cover.py。"""
    config = yaml.safe_load((ROOT / '_config.yml').read_text(encoding='utf-8'))
    cover = Image.open(ROOT / 'img' / 'cover.png')
    assert cover.size == (1200, 630)
    assert cover.info['Title'] == config['title']


def test_titles_name_the_book_once() -> None:
    book = '深度卷积神经网络：从 AlexNet 到 DenseNet'
    for name in ('index', 'chapters/resnet', 'search'):
        [title] = re.findall('<title>(.*?)</title>', read(f'{name}.html'))
        assert title.count(book) == 1, title
    assert f'<title>{book}</title>' in read('index.html')


def test_pages_have_an_icon() -> None:
    page = read('chapters/resnet.html')
    icon = re.search(r'<link rel="icon" href="([^"]*)"', page)
    assert icon
    assert (SITE / 'chapters' / icon[1]).resolve().is_file()


# ---- 引用与更新记录 ----


def test_citation_file_agrees_with_the_page_and_the_package() -> None:
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text(encoding='utf-8'))
    config = yaml.safe_load((ROOT / '_config.yml').read_text(encoding='utf-8'))
    package = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    assert {'cff-version', 'message', 'title', 'authors'} <= citation.keys()
    assert (
        citation['title'] == citation['preferred-citation']['title'] == config['title']
    )
    assert f"version = '{citation['version']}'" in package
    page = text_of(read('chapters/about.html')).replace('{', '').replace('}', '')
    assert '@bookdeepcnn2026' in page
    for value in (citation['title'], citation['authors'][0]['name']):
        assert value in page
    assert f'version   = {citation["version"]}' in page


def test_changelog_is_in_the_book() -> None:
    changes = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    versions = re.findall(r'^## (\S+)', changes, flags=re.MULTILINE)
    page = text_of(read('chapters/about.html'))
    assert versions
    assert all(version in page for version in versions)


# ---- 阅读进度 ----


@pytest.fixture(params=['served', 'file'])
def site(
    request: pytest.FixtureRequest, chromium: WebDriver, site_url: str
) -> Iterator[str]:
    """两种打开网站的办法；前后都清掉进度。"""
    root = site_url if request.param == 'served' else SITE.as_uri()
    chromium.get(f'{root}/search.html')
    chromium.execute_script('localStorage.clear()')
    chromium.get_log('browser')
    yield root
    chromium.get(f'{root}/search.html')
    chromium.execute_script('localStorage.clear()')


def read_to_the_end(browser: WebDriver, url: str) -> None:
    browser.get(url)
    mark = "return document.querySelector('.current > a .read-mark')"
    browser.execute_script(
        "document.querySelector('.prev-next-footer').scrollIntoView()"
    )
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(mark))


def test_progress_is_kept_and_can_be_cleared(chromium: WebDriver, site: str) -> None:
    chromium.get(f'{site}/index.html')
    line = chromium.find_element(By.CLASS_NAME, 'reading-progress')
    assert re.fullmatch(r'全书约 [\d.]+ 小时', line.text.strip())
    chapters = json.loads(line.get_attribute('data-chapters'))
    read_to_the_end(chromium, f'{site}/chapters/exercises.html')
    chromium.get(f'{site}/index.html')
    line = chromium.find_element(By.CLASS_NAME, 'reading-progress')
    assert f'已读 1 / {len(chapters)} 章' in line.text
    assert '接着读：解答：调节超参数' in line.text
    marks = chromium.find_elements(By.CSS_SELECTOR, '.bd-links a:has(.read-mark)')
    [mark] = marks
    assert re.fullmatch(r'\d+\. 练习✓', mark.text)
    chromium.execute_script('localStorage.setItem("deepcnn-predictions", "{}")')
    line.find_element(By.TAG_NAME, 'button').click()
    assert '已读' not in line.text
    assert chromium.switch_to.active_element == line  # 按过的按钮没有了，焦点还在这一行
    kept = chromium.execute_script('return localStorage.getItem("deepcnn-predictions")')
    assert kept is None  # 猜过的也删掉
    assert not chromium.find_elements(By.CLASS_NAME, 'read-mark')


def test_going_back_shows_what_was_read_meanwhile(chromium: WebDriver, site: str) -> None:
    """后退拿出的是原来的那一页，还没有记下刚读完的一章。"""
    chromium.get(f'{site}/index.html')
    chromium.execute_script("""
      localStorage.setItem('deepcnn-progress', '{"read": {"chapters/exercises": true}}')
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))""")
    assert '已读 1 /' in chromium.find_element(By.CLASS_NAME, 'reading-progress').text
    assert chromium.find_elements(By.CSS_SELECTOR, '.bd-links .read-mark')


def test_opening_a_page_is_not_reading_it(chromium: WebDriver, site: str) -> None:
    chromium.get(f'{site}/chapters/introduction.html')
    chromium.get(f'{site}/index.html')
    line = chromium.find_element(By.CLASS_NAME, 'reading-progress')
    assert '已读 0 /' in line.text
    assert (
        line.find_element(By.TAG_NAME, 'a')
        .get_attribute('href')
        .endswith('chapters/introduction.html')
    )


def test_reading_survives_refused_storage(chromium: WebDriver, site: str) -> None:
    script = chromium.execute_cdp_cmd(
        'Page.addScriptToEvaluateOnNewDocument', {'source': REFUSE_STORAGE}
    )
    try:
        read_to_the_end(chromium, f'{site}/chapters/exercises.html')
        chromium.execute_script(
            "document.querySelector('.theme-switch-button').click()"
        )
        theme = chromium.execute_script('return document.documentElement.dataset.theme')
        assert theme in {'light', 'dark'}
        ActionChains(chromium).key_down(Keys.CONTROL).send_keys('k').perform()
        ActionChains(chromium).key_up(Keys.CONTROL).perform()
        assert chromium.switch_to.active_element.get_attribute('type') == 'search'
        chromium.get(f'{site}/index.html')
        assert '全书约' in chromium.find_element(By.CLASS_NAME, 'reading-progress').text
        log = chromium.get_log('browser')
        assert not [line for line in log if line['level'] == 'SEVERE']
    finally:
        chromium.execute_cdp_cmd('Page.removeScriptToEvaluateOnNewDocument', script)


@pytest.mark.parametrize(
    ('system', 'mode', 'shown'),
    [
        ('dark', '', 'dark'),  # 第一次来
        ('light', '', 'light'),
        ('dark', 'auto', 'dark'),
        ('dark', 'light', 'light'),
        ('light', 'dark', 'dark'),
        ('light', '不认识的', 'light'),
    ],
)
def test_colours_are_settled_before_the_first_paint(
    chromium: WebDriver, site: str, system: str, mode: str, shown: str
) -> None:
    keep = f"localStorage.clear(); if ('{mode}') localStorage.setItem('mode', '{mode}');"
    preference = {'name': 'prefers-color-scheme', 'value': system}
    chromium.get(f'{site}/404.html')
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [preference]})
    script = chromium.execute_cdp_cmd(
        'Page.addScriptToEvaluateOnNewDocument', {'source': keep + WATCH_COLOURS}
    )
    try:
        chromium.get(f'{site}/chapters/about.html')
        WebDriverWait(chromium, 10).until(
            lambda driver: driver.execute_script('return document.readyState === "complete"')
        )
        assert set(chromium.execute_script('return colours')) == {shown}
    finally:
        chromium.execute_cdp_cmd('Page.removeScriptToEvaluateOnNewDocument', script)
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})
        chromium.execute_script('localStorage.clear()')
