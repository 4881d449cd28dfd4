"""参考文献：每条有据可查，都被引用；各章列出自己的，总表列出全部。"""

import html
import re
from functools import cache
from pathlib import Path

import pytest
from book_source import chapter_files, read_page
from built_site import built_file
from pybtex.database import Entry, parse_file

ROOT = Path(__file__).resolve().parents[2]
ENTRIES: dict[str, Entry] = dict(parse_file(str(ROOT / 'references.bib')).entries)
CITATION = re.compile(r'\{footcite(?::\w+)?\}`([^`]+)`')
PAGES = sorted([*chapter_files(), *chapter_files('.md')])
every_entry = pytest.mark.parametrize('key', ENTRIES)


def name(path: Path) -> str:
    return path.relative_to(ROOT / 'chapters').with_suffix('').as_posix()


def cited(path: Path) -> set[str]:
    """一页引用的文献的键。"""
    lists = CITATION.findall(read_page(path))
    return {key.strip() for keys in lists for key in keys.split(',')}


CITING = [path for path in PAGES if cited(path)]


@cache
def built(page: str) -> str:
    path = built_file(f'chapters/{page}.html')
    return html.unescape(path.read_text(encoding='utf-8'))


def links(entry: Entry) -> list[str]:
    """这一条在页面上应有的链接。"""
    found = []
    if doi := entry.fields.get('doi'):
        found.append(f'https://doi.org/{doi}')
    if eprint := entry.fields.get('eprint'):
        found.append(f'https://arxiv.org/abs/{eprint}')
    return found or [entry.fields['url']]


@every_entry
def test_an_entry_can_be_found(key: str) -> None:
    """有 DOI 或 arXiv 编号；两者都没有，要有网址和原因。"""
    fields = ENTRIES[key].fields
    if 'doi' in fields:
        assert re.fullmatch(r'10\.\d{4,9}/\S+', fields['doi'])
    if 'eprint' in fields:
        assert re.fullmatch(r'\d{4}\.\d{4,5}', fields['eprint'])
        assert fields['archiveprefix'] == 'arXiv'
    if not {'doi', 'eprint'} & set(fields.keys()):
        assert fields['url'].startswith('https://')
        assert fields['nodoi']
    else:
        assert 'nodoi' not in fields


@every_entry
def test_an_entry_is_complete(key: str) -> None:
    entry = ENTRIES[key]
    assert entry.persons['author']
    assert entry.fields['title']
    assert re.fullmatch(r'(19|20)\d\d', entry.fields['year'])
    venue = {'article': 'journal', 'inproceedings': 'booktitle'}[entry.type]
    assert entry.fields[venue]
    if {'volume', 'journal'} <= set(entry.fields.keys()):
        assert entry.fields['pages']


@pytest.mark.parametrize('key', [k for k, e in ENTRIES.items() if 'eprint' in e.fields])
def test_an_arxiv_number_fits_the_year(key: str) -> None:
    """arXiv 编号以年月开头，不会晚于发表的那一年。"""
    fields = ENTRIES[key].fields
    year, month = 2000 + int(fields['eprint'][:2]), int(fields['eprint'][2:4])
    assert 1 <= month <= 12
    assert year <= int(fields['year']) <= year + 2


def test_no_work_is_listed_twice() -> None:
    for field in ('doi', 'eprint', 'title'):
        values = [
            e.fields[field].lower() for e in ENTRIES.values() if field in e.fields
        ]
        assert len(values) == len(set(values)), field


def test_every_entry_is_cited_and_every_citation_has_an_entry() -> None:
    keys = set().union(*map(cited, PAGES))
    assert keys - set(ENTRIES) == set(), '引用了文献表里没有的'
    assert set(ENTRIES) - keys == set(), '没有一章引用'


@pytest.mark.parametrize('path', CITING, ids=name)
def test_a_page_ends_with_its_own_references(path: Path) -> None:
    page = built(name(path))
    source = read_page(path)
    assert source.count(':::{footbibliography}') == 1
    tail = source.split('-references)=')[-1]
    assert '## 参考文献' in tail and '{footbibliography}' in tail
    assert not CITATION.search(tail), '文献表之后又有引用，不会列出来'
    (listed,) = re.split(r'<section[^>]* id="sec-[\w-]+-references">', page)[1:]
    for key in cited(path):
        for link in links(ENTRIES[key]):
            assert f'href="{link}"' in listed, f'{key} 没有列在页末'


def test_pages_without_citations_have_no_list() -> None:
    for path in PAGES:
        if path not in CITING:
            assert '{footbibliography}' not in read_page(path)


@pytest.mark.parametrize(
    'chapter',
    ['introduction', 'toolbox', 'alexnet', 'vgg', 'nin', 'googlenet', 'resnet',
     'densenet', 'summary'],
)  # fmt: skip
def test_every_chapter_cites(chapter: str) -> None:
    assert chapter in map(name, CITING)


@every_entry
def test_the_whole_list_has_the_entry(key: str) -> None:
    page = built('references')
    for link in links(ENTRIES[key]):
        assert f'href="{link}"' in page


def test_the_whole_list_has_nothing_else() -> None:
    assert built('references').count('<div class="citation" id=') == len(ENTRIES)
