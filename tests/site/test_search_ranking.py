"""搜索的排序规则，一条一个测试（docs/decisions.md「按节的全文搜索」）。

在浏览器里运行源文件，用编出来的几章，不必先建网站。
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / 'site' / 'extensions' / 'book_search' / 'static' / 'book_search.js'

FIND = """
return BookSearch.search(BookSearch.prepare(arguments[0]), arguments[1])
  .map(({ chapter, matches, score }) => ({
    chapter: chapter.url, score,
    titles: matches.map((m) => (m.isOpening ? '开头' : m.section.title)),
    scores: matches.map((match) => match.score),
    explaining: matches.filter((m) => m.isExplanation).map((m) => m.section.title),
  }));
"""
Find = Callable[..., list[dict]]
REVIEWS = ('小结', '练习', '解答', '实验', '术语表', '参考文献')


@pytest.fixture(scope='module')
def script(chromium: WebDriver) -> Callable[..., object]:
    chromium.get('data:text/html,<title>search</title>')
    chromium.execute_script(SOURCE.read_text('utf-8'))
    return chromium.execute_script


@pytest.fixture
def find(script: Callable) -> Find:
    """在给出的各章里查一个词：每章的名字、得分，与各节的标题、得分。"""
    return lambda query, *chapters: script(FIND, chapters, query)


@pytest.fixture
def order(find: Find) -> Callable[..., list[str]]:
    """各章的名次。"""
    return lambda *asked: [found['chapter'] for found in find(*asked)]


@pytest.fixture
def ranked(find: Find) -> Callable[..., list[str]]:
    """一章里各节的名次，没有命中的不在里面。"""

    def titles(query: str, one: dict) -> list[str]:
        return next((found['titles'] for found in find(query, one)), [])

    return titles


@pytest.fixture
def score(find: Find) -> Callable[..., float]:
    """一章里最好的一节的得分。"""
    return lambda query, *sections: find(query, chapter('章', *sections))[0]['scores'][
        0
    ]


def section(title: str, text: str = '', code: str = '', explains: tuple = ()) -> dict:
    return {'title': title, 'anchor': title, 'text': text, 'code': code,
            'explains': [list(names) for names in explains]}  # fmt: skip


def chapter(title: str, *sections: dict, opening: str = '', url: str = '') -> dict:
    """一章；``opening`` 是第一节（本章开头）的正文，``url`` 是它的名字。"""
    first = section(title, opening)
    return {'title': title, 'url': url or title, 'sections': [first, *sections]}


def times(count: int, word: str = '步幅') -> str:
    return f'{word}。' * count


# ---- 各处的先后 ------------------------------------------------------------------

LONG = '又长又长又长又长又长又长又长又长又长又长又长又长的标题'


def test_sections_rank_by_where_the_word_is(ranked: Callable) -> None:
    """讲解它的节，标题，正文，代码：前一种只一次，胜过后一种一百次。"""
    one = chapter(
        '章',
        section('无关', '别的'),
        section('代码', code=times(100)),
        section('正文一次', times(1)),
        section('正文百次', times(100)),
        section(f'步幅{LONG}'),
        section('步幅', times(100), times(100)),
        section('讲解', explains=(('步幅', '步长'),)),
    )
    assert ranked('步幅', one) == [
        '讲解', '步幅', f'步幅{LONG}', '正文百次', '正文一次', '代码',
    ]  # fmt: skip


def test_chapters_rank_by_where_the_word_is(order: Callable) -> None:
    explained = chapter('讲解', section('节', explains=(('步幅',),)))
    in_title = chapter('步幅的取法', section('节'), url='章的标题')
    longer = chapter('又长又长又长的标题里有步幅', section('节'), url='长的章标题')
    in_section = chapter(
        '节的标题', section('步幅', times(100), times(100)), opening='开头'
    )
    in_text = chapter('正文', *[section(f'节{i}', times(100)) for i in range(9)])
    in_code = chapter('代码', *[section(f'节{i}', '', times(100)) for i in range(9)])
    asked = (in_code, in_text, in_section, longer, in_title, explained)
    assert order('步幅', *asked) == [
        '讲解', '章的标题', '长的章标题', '节的标题', '正文', '代码',
    ]  # fmt: skip


def test_more_is_better_but_only_up_to_a_point(score: Callable) -> None:
    """四次得一半的分，千次也得不满。"""
    for place in ('text', 'code'):
        some = {
            n: score('步幅', section('节', **{place: times(n)}))
            for n in (1, 4, 40, 1000)
        }
        assert some[1] < some[4] < some[40] < some[1000] < 1.1 * some[40]
        assert some[4] == pytest.approx(some[1000] / 2, rel=0.01)


def test_a_title_counts_by_the_share_of_the_word(ranked: Callable) -> None:
    """恰好等于标题最好：胜过占一半、正文里又有许多次的。"""
    one = chapter(
        '章',
        section('步幅与填充、核的大小', times(1)),
        section('步幅与填充', times(1)),
        section('大步幅小', times(100), times(100)),
        section('步幅'),
    )
    assert ranked('步幅', one) == [
        '步幅',
        '大步幅小',
        '步幅与填充',
        '步幅与填充、核的大小',
    ]


def test_the_number_of_a_chapter_is_not_part_of_its_title(find: Find) -> None:
    numbered, plain = chapter('12.3 步幅', url='a'), chapter('步幅', url='b')
    assert find('步幅', numbered)[0]['score'] == find('步幅', plain)[0]['score']


def test_the_title_of_a_chapter_leads_to_its_opening(ranked: Callable) -> None:
    """章的标题里有，本章开头就在结果里：胜过正文，不如标题恰好是它的节。"""
    one = chapter('步幅的取法', section('正文', times(100)), section('步幅'))
    assert ranked('步幅', one) == ['步幅', '开头', '正文']
    assert ranked('步幅', chapter('步幅的取法')) == ['开头']


def test_the_title_of_a_chapter_does_not_count_twice(ranked: Callable) -> None:
    """它已经按章计分，不再当作本章开头的标题：同名的节仍在前。"""
    one = chapter(
        '步幅', section('大步幅小', times(9)), section('步幅'), opening=times(9)
    )
    assert ranked('步幅', one) == ['步幅', '开头', '大步幅小']


def test_an_opening_without_the_word_in_the_title_is_plain_text(
    ranked: Callable,
) -> None:
    one = chapter('章', section(f'步幅{LONG}'), opening=times(3))
    assert ranked('步幅', one) == [f'步幅{LONG}', '开头']


def test_further_sections_count_half_as_much_each(find: Find, order: Callable) -> None:
    """许多节各提到几次，不如一节专门讲；一样好的节，多一节的章在前。"""
    [found] = find(
        '步幅', chapter('章', *[section(f'节{n}', times(n)) for n in (1, 9, 3)])
    )
    assert found['titles'] == ['节9', '节3', '节1']
    best, second, third = found['scores']
    assert found['score'] == pytest.approx(best + second / 2 + third / 4)
    scattered = chapter('散', *[section(f'节{n}', times(4)) for n in range(30)])
    assert order('步幅', scattered, chapter('专', section('步幅'))) == ['专', '散']
    one, two = (chapter(str(n), *[section('步幅')] * n) for n in (1, 2))
    assert order('步幅', one, two) == ['2', '1']


@pytest.mark.parametrize('title', REVIEWS)
def test_review_comes_after_explanation(
    title: str, order: Callable, ranked: Callable
) -> None:
    """同样的话，小结、练习这样的章与节排在后面；名字中间有这个词的不算。"""
    said = section('步幅', times(9))
    review, normal = chapter(f'9. {title}', said, url='复习'), chapter('章', said)
    assert order('步幅', review, normal) == ['章', '复习']
    inside = chapter(
        '章', section(f'{title}', times(9)), section(f'怎样写{title}', times(2))
    )
    assert ranked('步幅', inside) == [f'怎样写{title}', title]


def test_the_laboratory_is_not_for_review(score: Callable, find: Find) -> None:
    said = section('步幅', times(9))
    laboratory, other = chapter('实验台', said), chapter('章', said)
    assert find('步幅', laboratory)[0]['score'] == find('步幅', other)[0]['score']
    assert score('步幅', section('实验台', times(9))) == score('步幅', section('节', times(9)))


# ---- 怎样算命中 -------------------------------------------------------------------


def test_the_word_must_appear_as_it_is(order: Callable) -> None:
    one = chapter('章', section('节', '幅步，步 x 幅，步'))
    assert order('步幅', one) == []
    assert order('步x幅', one) == ['章']


@pytest.mark.parametrize(
    ('query', 'text', 'found'),
    [
        ('nin', 'training', False),
        ('nin', 'nin_block', True),
        ('1×1', '11×11', False),
        ('1×1', '1×10', False),
        ('1x1', '用 1*1 的', True),
        ('5', '0.5', False),
        ('24', '1,024', False),
        ('k', 'kernel', False),
        ('x', '令 𝒙 为输入', True),
        ('，', '别的，', False),
        ('', '别的', False),
    ],
)
def test_western_words_and_numbers_are_not_cut(
    order: Callable, query: str, text: str, found: bool
) -> None:
    assert order(query, chapter('章', section('节', text))) == ['章'] * found


def test_all_words_must_appear_in_the_section_or_the_title_of_the_chapter(
    find: Find,
) -> None:
    asked = (
        chapter('只有一个', section('节', '参数'), section('另一节', '网络')),
        chapter('网络', section('节', '参数'), section('无关', '别的')),
        chapter('都有', section('节', '参数很多，网络很深')),
    )
    found = {one['chapter']: one['titles'] for one in find('网络 参数', *asked)}
    assert found == {'网络': ['节'], '都有': ['节']}


def test_words_in_a_row_come_first(order: Callable, ranked: Callable) -> None:
    apart = section('拆开', 'rate growth。' * 3)
    one = chapter('章', apart, section('连着', 'growth rate。'))
    assert ranked('growth rate', one) == ['连着', '拆开']
    titles = chapter('rate growth', url='拆开'), chapter('growth rate', url='连着')
    assert order('growth rate', *titles) == ['连着', '拆开']


def test_several_words_weigh_as_much_as_one(order: Callable) -> None:
    """章的标题里有整句，也不如讲解它的一节。"""
    titled = chapter('the growth rate of a block', url='标题')
    explained = chapter('讲解', section('节', explains=(('增长率', 'growth rate'),)))
    assert order('growth rate', titled, explained) == ['讲解', '标题']


def test_a_section_explains_each_of_its_terms_by_any_name(find: Find) -> None:
    """一节可以讲解几个术语，各有几种叫法；只说出一部分不算。"""
    names = (('步幅', '步长', 'stride'), ('填充', 'padding'))
    one = chapter('章', section('讲解', '步幅与填充', explains=names))
    for query in ('步幅', '步长', 'STRIDE', '填充', '「padding」'):
        [found] = find(query, one)
        assert found['explaining'] == ['讲解'], query
        assert found['scores'] == [60]
    assert find('幅', one)[0]['explaining'] == []
    assert find('没有', one) == []


def test_another_books_name_is_translated(script: Callable) -> None:
    names = (('填充',), ('步幅', '步长'))
    chapters = [chapter('章', section('节', explains=names))]
    ask = 'return arguments[1].map((text) => BookSearch.bookName(arguments[0], text))'
    asked = ['步长', ' 步长。', '步幅', '步', '填充']
    assert script(ask, chapters, asked) == ['步幅', '步幅', None, None, None]


# ---- 标出来 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ('text', 'query', 'marked'),
    [
        ('先有步幅，再有步幅。', '步幅', ['步幅', '步幅']),
        ('growth rate 与 rate', 'growth rate', ['growth rate']),
        ('rate 与 growth', 'growth rate', ['rate', 'growth']),
        ('１×１ 卷 积', '1x1卷积', ['１×１ 卷 积']),
        ('批量归一化', '批量归 归一化', ['批量归一化']),
        ('𝒙步幅', '步幅', ['步幅']),
        ('令 𝒙 为输入', 'x', ['𝒙']),
        ('别的', '步幅', []),
    ],
)
def test_marks_are_the_words_of_the_query(
    script: Callable, text: str, query: str, marked: list[str]
) -> None:
    ask = """
    return BookSearch.ranges(arguments[0], BookSearch.parseQuery(arguments[1]))
      .map(([start, end]) => arguments[0].slice(start, end));
    """
    assert script(ask, text, query) == marked
