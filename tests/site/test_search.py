"""在真的浏览器里搜索成品网站：从服务器打开，也从磁盘直接打开（file://）。"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from contrast import faint
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SITE = Path(__file__).resolve().parents[2] / '_build' / 'html'

# 查询与它的章：标题里有这个词的章，或者讲解它的那一节所在的章（terms/glossary.yml）。
CHAPTER_OF = {
    '批量归一化': 'resnet',
    '批量归一化层': 'resnet',
    '残差网络': 'resnet',
    '学习率': 'toolbox',
    '稠密连接': 'densenet',
    '全局平均池化': 'nin',
    '1×1 卷积': 'nin',
    'GoogLeNet': 'googlenet',
    'growth rate': 'densenet',
    # 单字：章的标题里有它。
    '残': 'resnet',
    '稠': 'densenet',
    '窄': 'vgg',
}

MORE_CHAPTERS = {
    # 各个网络的名字。
    'AlexNet': 'alexnet',
    'VGG': 'vgg',
    'NiN': 'nin',
    'ResNet': 'resnet',
    'DenseNet': 'densenet',
    # 同一个词的另一种写法。
    '1x1卷积': 'nin',
    '１×１　卷积': 'nin',
    'googlenet': 'googlenet',
    'growth_rate': 'densenet',
    '「学习率」': 'toolbox',
    '批量规范化': 'resnet',
    # 只有节的标题里有。
    '过渡层': 'densenet',
    'Inception': 'googlenet',
    '图像增广': 'alexnet',
    # 几个词，不必连着出现。
    'ResNet 参数': 'resnet',
}

# 打乱次序的词，书里没有的词。
SCRAMBLED = ('化一归量批', '络差残网', '率习学', '积卷', '化池均平局全', 'etar htworg')

# 查询与讲解它的那一节。
EXPLAINED_AT = {
    '批量归一化': 'sec-resnet-batch-normalization',
    '批量规范化': 'sec-resnet-batch-normalization',
    '学习率': 'sec-toolbox-recipe',
    '全局平均池化': 'sec-nin-model',
    '1×1 卷积': 'sec-nin-block',
    'growth rate': 'sec-densenet-block',
    # 正文里没有的叫法，也找得到讲解它的一节。
    '滤波器': 'sec-alexnet-filters',
    '步长': 'sec-toolbox-size',
    'SGD': 'sec-toolbox-recipe',
}

Search = Callable[[str], None]


@pytest.fixture(params=['http', 'file'])
def base(request: pytest.FixtureRequest, site_url: str) -> str:
    """网站的地址：本机的服务器，或磁盘上的文件夹。"""
    return site_url if request.param == 'http' else SITE.as_uri()


@pytest.fixture
def search(chromium: WebDriver, base: str) -> Search:
    """打开搜索页查一个词。"""
    chromium.get_log('browser')  # 丢掉别的测试留下的记录

    def open_page(query: str) -> None:
        chromium.get(f'{base}/search.html?q={quote(query)}')
        wait_for_status(chromium)

    return open_page


def wait_for_status(chromium: WebDriver) -> str:
    def status(driver: WebDriver) -> str:
        found = driver.find_elements(By.ID, 'book-search-status')
        return found[0].text if found else ''

    return WebDriverWait(chromium, 20, poll_frequency=0.05).until(status)


def script_errors(chromium: WebDriver) -> list[str]:
    return [
        entry['message']
        for entry in chromium.get_log('browser')
        if entry['level'] == 'SEVERE'
    ]


def links(chromium: WebDriver, selector: str) -> list[str]:
    """结果里的链接，写成「章#锚点」。"""
    hrefs = chromium.execute_script(
        'return [...document.querySelectorAll(arguments[0])].map((a) => a.href)',
        f'#book-search-results {selector}',
    )
    return [
        f'{Path(urlsplit(href).path).stem}#{unquote(urlsplit(href).fragment)}'
        for href in hrefs
    ]


def plain(word: str) -> str:
    """搜索不分大小写，也把代码里的 1x1 当作 1×1。"""
    return re.sub(r'[\s_]', '', word).lower().replace('×', 'x')


def marked_words(chromium: WebDriver) -> list[list[str]]:
    """每一节标出的词，空白与大小写不计；本章开头还算上章的标题。"""
    items = chromium.execute_script("""
    const marks = (element) => [...element.querySelectorAll('mark')];
    const isOpening = (item) => item.querySelector('h3').textContent.includes('本章开头');
    const title = (item) => item.closest('section').querySelector('h2');
    return [...document.querySelectorAll('#book-search-results li')].map((item) =>
      [...marks(item), ...(isOpening(item) ? marks(title(item)) : [])]
        .map((mark) => mark.textContent));
    """)
    return [[plain(word) for word in words] for words in items]


# 从磁盘打开时，程序与索引是同样的文件，查三种词就够了。
FROM_DISK = ('批量归一化', '残', 'growth rate')


@pytest.mark.parametrize(
    ('base', 'query'),
    [('http', query) for query in CHAPTER_OF]
    + [('file', query) for query in FROM_DISK],
    indirect=['base'],
)
def test_a_query_finds_its_chapter_first(
    chromium: WebDriver, search: Search, query: str
) -> None:
    search(query)
    assert links(chromium, 'h2 a')[0] == f'{CHAPTER_OF[query]}#'
    assert links(chromium, 'h3 a')[0].startswith(f'{CHAPTER_OF[query]}#')
    # 每一节都标出整个查询；拆开的几个词也算（1×1 卷积）。
    words = {plain(query), *map(plain, query.split())}
    assert all(set(marks) & words for marks in marked_words(chromium))
    assert {mark for marks in marked_words(chromium) for mark in marks} <= words
    assert not script_errors(chromium)


RANK = """
const prepared = BookSearch.prepare(BOOK_CHAPTERS);
return arguments[0].map((query) => {
  const [first] = BookSearch.search(prepared, query);
  if (!first) return null;
  const [match] = first.matches;
  return [first.chapter.url, match.section.anchor, match.isExplanation];
});
"""


@pytest.fixture
def run_script(chromium: WebDriver, site_url: str) -> Callable[..., object]:
    """在搜索页上执行一段脚本；已经开着就不再打开，脚本都不改动页面。"""
    page = f'{site_url}/search.html'
    if chromium.current_url != page:
        chromium.get(page)
    return chromium.execute_script


@pytest.fixture
def best(run_script: Callable) -> Callable[[list[str]], list]:
    """每个查询排在最前的 [章的地址, 节的锚点, 是不是讲解它的节]，没有时为 None。"""
    return lambda queries: run_script(RANK, queries)


def test_other_queries_find_their_chapter_first(best: Callable) -> None:
    found = best(list(MORE_CHAPTERS))
    chapters = {
        query: match and Path(match[0]).stem
        for query, match in zip(MORE_CHAPTERS, found, strict=True)
    }
    assert chapters == MORE_CHAPTERS


def test_the_explaining_section_comes_first(best: Callable) -> None:
    found = zip(EXPLAINED_AT, best(list(EXPLAINED_AT)), strict=True)
    assert {query: match[1] for query, match in found if match[2]} == EXPLAINED_AT


def test_every_scrambled_query_finds_nothing(best: Callable) -> None:
    assert best(list(SCRAMBLED)) == [None] * len(SCRAMBLED)


def test_a_scrambled_query_says_so(chromium: WebDriver, search: Search) -> None:
    search(SCRAMBLED[0])
    assert chromium.find_element(By.ID, 'book-search-results').text == ''
    assert f'全书没有「{SCRAMBLED[0]}」' in wait_for_status(chromium)
    assert not script_errors(chromium)


def test_every_result_leads_to_an_anchor(chromium: WebDriver, search: Search) -> None:
    search('的')
    found = links(chromium, 'h3 a')
    assert len(found) > 100
    for page, anchor in (link.split('#') for link in found):
        pages = SITE.rglob(f'{page}.html')
        (path,) = (p for p in pages if not {'_static', 'slides'} & set(p.parts))
        html = path.read_text('utf-8')
        assert f'id="{anchor}"' in html, f'{page}#{anchor}'


def test_a_result_opens_its_section(chromium: WebDriver, search: Search) -> None:
    search('过渡层')
    chromium.find_element(By.CSS_SELECTOR, '#book-search-results h3 a').click()
    WebDriverWait(chromium, 20).until(lambda d: 'densenet.html' in d.current_url)
    top = chromium.execute_script(
        "return document.querySelector('#sec-densenet-transition h2')"
        '.getBoundingClientRect().top'
    )
    assert -10 < top < 300


def test_an_empty_query_offers_examples(chromium: WebDriver, search: Search) -> None:
    for query in ('', '  ', '，'):
        search(query)
        assert '例如' in wait_for_status(chromium)
        assert chromium.find_element(By.ID, 'book-search-results').text == ''
    chromium.find_element(By.LINK_TEXT, '残差网络').click()
    WebDriverWait(chromium, 20).until(lambda d: '找到' in wait_for_status(d))
    assert not script_errors(chromium)


def test_a_long_query_does_not_widen_the_page(chromium: WebDriver, search: Search) -> None:
    search('a' * 300)
    assert '全书没有' in wait_for_status(chromium)
    assert chromium.execute_script(
        'return document.documentElement.scrollWidth <= innerWidth'
    )


def test_without_the_text_of_the_book_the_reader_is_told(
    chromium: WebDriver, search: Search
) -> None:
    block = {'urls': ['*book_search_sections*']}
    chromium.execute_cdp_cmd('Network.enable', {})
    chromium.execute_cdp_cmd('Network.setBlockedURLs', block)
    try:
        search('残差')
        assert '没有取到全书的文字' in wait_for_status(chromium)
    finally:
        chromium.execute_cdp_cmd('Network.setBlockedURLs', {'urls': []})
        chromium.get_log('browser')


def test_markup_in_a_query_is_only_text(chromium: WebDriver, search: Search) -> None:
    search('<img src=x onerror=alert(1)>')
    assert '全书没有' in wait_for_status(chromium)
    assert not chromium.find_elements(By.CSS_SELECTOR, '.book-search img')


def test_another_name_leads_to_the_name_in_this_book(
    chromium: WebDriver, search: Search
) -> None:
    search('批量规范化')
    assert '本书多称作「批量归一化」' in wait_for_status(chromium)
    label = chromium.find_element(By.CSS_SELECTOR, '#book-search-results li .explains')
    assert label.text == '讲解'


def test_the_quoted_sentence_marks_the_name_in_this_book(
    chromium: WebDriver, search: Search
) -> None:
    """一节讲解几个术语时，标出的是所查的那一个。"""
    search('移动平均')
    item = chromium.find_element(By.CSS_SELECTOR, '#book-search-results li')
    assert item.find_element(By.CSS_SELECTOR, '.explains').text == '讲解'
    assert {mark.text for mark in item.find_elements(By.TAG_NAME, 'mark')} == {
        '滑动平均'
    }


def test_searching_from_a_chapter_with_the_keyboard(
    chromium: WebDriver, base: str
) -> None:
    chromium.get(f'{base}/chapters/nin.html')
    button = chromium.find_element(By.CSS_SELECTOR, '.search-button-field')
    button.send_keys(Keys.ENTER)
    field = chromium.switch_to.active_element
    assert field.get_attribute('name') == 'q'
    field.send_keys('残差网络', Keys.ENTER)
    WebDriverWait(chromium, 20).until(lambda d: '/search.html' in d.current_url)
    assert '找到' in wait_for_status(chromium)
    # 光标在搜索框里，按 Tab 就到第一条结果。
    field = chromium.switch_to.active_element
    assert field.get_attribute('value') == '残差网络'
    field.send_keys(Keys.TAB)
    assert chromium.switch_to.active_element.get_attribute('href').endswith(
        '/chapters/resnet.html'
    )


def test_only_files_of_the_site_are_loaded(chromium: WebDriver, site_url: str) -> None:
    chromium.get(f'{site_url}/search.html?q=学习率')
    wait_for_status(chromium)
    loaded = chromium.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert any('book_search_sections.js' in url for url in loaded)
    assert all(url.startswith((site_url, 'data:')) for url in loaded)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [375, 1280])
def test_results_fit_and_are_legible(
    chromium: WebDriver, site_url: str, width: int, scheme: str
) -> None:
    screen = {'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': False}
    preference = {'name': 'prefers-color-scheme', 'value': scheme}
    chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', screen)
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [preference]})
    try:
        chromium.get(f'{site_url}/search.html?q=growth_rate')
        wait_for_status(chromium)
        assert chromium.execute_script(
            'return document.documentElement.scrollWidth'
        ) <= (width)
        for selector in ('mark', 'h3 a', 'h3 .explains', 'p', 'code', 'summary'):
            place = f'#book-search-results {selector}'
            assert chromium.find_elements(By.CSS_SELECTOR, place), selector
            assert not faint(chromium, place)
    finally:
        chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})


NORMAL = {
    '批量 归一化': '批量归一化',
    'Ｇｒｏｗｔｈ　Ｒａｔｅ': 'growth rate',
    'growth_rate': 'growth rate',
    ' 1 × 1  卷积 ': '1×1卷积',
    '64x64': '64×64',
    '32 * 3*3': '32×3×3',
    'x 与 X': 'x与x',
    '3 ReLU  层': '3 relu层',
    '段\n 落': '段\n落',
}


def test_spellings_are_unified(run_script: Callable) -> None:
    script = 'return arguments[0].map((text) => BookSearch.normalize(text).text)'
    assert run_script(script, list(NORMAL)) == list(NORMAL.values())


def test_a_product_with_spaces_is_one_word(run_script: Callable) -> None:
    script = 'return arguments[0].map((text) => BookSearch.parseQuery(text).terms)'
    found = run_script(script, ['3 x 3 卷积', '3 x3', '3*3', '2 * 64 * 9', 'x 3', '3 x'])
    assert found == [['3×3', '卷积'], ['3×3'], ['3×3'], ['2×64×9'], ['x', '3'], ['3', 'x']]


@pytest.mark.parametrize(
    ('text', 'needle', 'count'),
    [
        ('training', 'nin', 0),
        ('nin_block 与 nin', 'nin', 2),
        ('11×11', '1×1', 0),
        ('1×1 与 1×10', '1×1', 1),
        ('0.5 与 5', '5', 1),
        ('1,024 与 24', '24', 1),
        ('kernel 与 k', 'k', 1),
        ('一\n层', '一层', 0),
        ('人人人', '人人', 1),
    ],
)
def test_western_words_and_numbers_are_whole(
    run_script: Callable, text: str, needle: str, count: int
) -> None:
    script = """
    const text = BookSearch.normalize(arguments[0]).text;
    return BookSearch.occurrences(text, arguments[1]).length;
    """
    assert run_script(script, text, needle) == count
