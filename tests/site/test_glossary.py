"""网站上的术语表：每个条目与它的节，各页用到的术语都链接到它。"""

import re
from pathlib import Path

import lint_terms
import prose
import pytest
from glossary_terms import Term, all_terms
from term_links import uses

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / '_build' / 'html'
NAMES = [term.term for term in all_terms()]


def page() -> str:
    path = SITE / 'chapters' / 'glossary.html'
    if not path.exists():
        pytest.fail('先运行 make book', pytrace=False)
    return path.read_text(encoding='utf-8')


@pytest.mark.parametrize('term', all_terms(), ids=lambda term: term.term)
def test_the_page_shows_each_entry_with_its_section(term: Term) -> None:
    entry = re.search(rf'<dt id="{term.anchor}">(.*?)</dd>', page(), flags=re.DOTALL)
    assert entry, f'术语表里没有 {term.term}'
    assert entry[1].startswith(f'{term.term}<a class="headerlink"')
    shown = re.sub('<[^>]+>', '', entry[1])
    for name in (*term.english, *term.also):
        assert name in shown
    assert f'#{term.section}"' in entry[1]


@pytest.mark.parametrize('page', lint_terms.LINKED_CHAPTERS + lint_terms.LINKED_PAGES)
def test_the_built_page_links_the_terms_it_uses(page: str) -> None:
    [source] = (ROOT / 'chapters').glob(f'{page}.[im]*')
    used = {use.term for use in uses(prose.read(source, ROOT), NAMES)}
    html = (SITE / 'chapters' / f'{page}.html').read_text(encoding='utf-8')
    linked = re.findall(r'href="(?:\.\./)?glossary\.html#(term-[a-z0-9-]+)"', html)
    anchors = {term.term: term.anchor for term in all_terms()}
    assert len(used) >= (10 if page in lint_terms.LINKED_CHAPTERS else 5)
    assert sorted(linked) == sorted(anchors[term] for term in used)
