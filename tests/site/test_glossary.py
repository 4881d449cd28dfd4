"""网站上的术语表：每个条目与它的节，各页第一次用到的术语都链接到它。"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from book_pages.linked_terms import WITHOUT_LINKS
from book_source import chapter_files
from bs4 import BeautifulSoup, NavigableString
from built_site import built_file
from glossary_terms import Term, all_terms, names_pattern

ROOT = Path(__file__).resolve().parents[2]
ANCHORS = {term.term: term.anchor for term in all_terms()}
PAGES = sorted(
    path.relative_to(ROOT).with_suffix('').as_posix()
    for path in (*chapter_files(), *chapter_files('.md'))
)
LINKED = [name for name in PAGES if name not in WITHOUT_LINKS]
# 术语不在这些里面链接；提示框与折叠的解答排在正文之后。
UNREAD = '.reading-note, h1, h2, h3, h4, table, figcaption, code, pre, .math, .cell_output, aside'
ASIDES = '.admonition, details'


def built(name: str) -> str:
    return built_file(f'{name}.html').read_text(encoding='utf-8')


@pytest.mark.parametrize('term', all_terms(), ids=lambda term: term.term)
def test_the_page_shows_each_entry_with_its_section(term: Term) -> None:
    page = built('chapters/glossary')
    entry = re.search(rf'<dt id="{term.anchor}">(.*?)</dd>', page, flags=re.DOTALL)
    assert entry, f'术语表里没有 {term.term}'
    assert entry[1].startswith(f'{term.term}<a class="headerlink"')
    shown = re.sub('<[^>]+>', '', entry[1])
    for name in (*term.english, *term.also):
        assert name in shown
    assert f'#{term.section}"' in entry[1]


def running_text(name: str) -> Iterator[tuple[str, str]]:
    """正文里依次的（文字，链接到的术语）；别的链接里的字不算，不是链接的第二项是空的。"""
    article = BeautifulSoup(built(name), 'html.parser').select_one('article')
    for left_out in article.select(f'{UNREAD}, {ASIDES}'):
        left_out.decompose()
    for text in article.find_all(string=True):
        if type(text) is not NavigableString:
            continue
        link = text.find_parent('a')
        if link is None:
            yield str(text), ''
        elif '#term-' in link.get('href', ''):
            yield str(text), link['href'].partition('#')[2]


def uses(name: str) -> Iterator[tuple[str, bool]]:
    """正文里依次出现的术语，是不是链接。"""
    pattern = names_pattern(ANCHORS)
    for text, anchor in running_text(name):
        for match in pattern.finditer(text):
            assert not anchor or ANCHORS[match[0]] == anchor, match[0]
            yield match[0], bool(anchor)


@pytest.mark.parametrize('name', LINKED)
def test_a_term_is_linked_once_on_a_page(name: str) -> None:
    linked = re.findall(
        r'href="(?:\.\./)?glossary\.html#(term-[a-z0-9-]+)"', built(name)
    )
    assert len(linked) >= 5
    assert len(linked) == len(set(linked))


@pytest.mark.parametrize('name', [n for n in LINKED if n != 'chapters/performance'])
def test_the_first_use_in_the_running_text_is_the_link(name: str) -> None:
    """性能一页另有由记录排出的段落，网页上看不出来，所以不在这里查。"""
    seen: set[str] = set()
    for term, is_link in uses(name):
        assert is_link == (term not in seen), term
        seen.add(term)
    assert len(seen) >= 4


def test_pages_that_list_the_terms_do_not_link_them() -> None:
    for name in WITHOUT_LINKS - {'chapters/glossary'}:
        assert '#term-' not in built(name)
