"""terms/glossary.yml：条目完整、次序；用到的术语才收。"""

import re
from pathlib import Path

import prose
import pytest
import yaml
from book_source import chapter_files, read_page
from glossary_terms import GLOSSARY, Term, all_terms, read_glossary

ROOT = Path(__file__).resolve().parents[2]


HAN = re.compile('[\u4e00-\u9fff]')
NAMES = [term.term for term in all_terms()]


@pytest.mark.parametrize('term', all_terms(), ids=lambda term: term.term)
def test_an_entry_is_one_complete_line(term: Term) -> None:
    assert term.english and not any(HAN.search(name) for name in term.english)
    assert HAN.search(term.line) and term.line.endswith('。')
    assert '\n' not in term.line and len(term.line) <= 60
    (passage,) = prose.read_markdown(term.line, 'x')
    assert prose.MATH not in passage.text, '公式要另外排版，这里用文字'


def test_names_and_anchors_belong_to_one_entry() -> None:
    names = [name.lower() for term in all_terms() for name in term.names]
    assert sorted(names) == sorted(set(names))
    anchors = [term.anchor for term in all_terms()]
    assert sorted(anchors) == sorted(set(anchors))
    assert all(re.fullmatch(r'term-[a-z0-9-]+', anchor) for anchor in anchors)


def test_entries_are_read_in_pinyin_order() -> None:
    for terms in read_glossary().values():
        names = [term.term for term in terms]
        latin = [name for name in names if name[0].isascii()]
        assert names[: len(latin)] == sorted(latin, key=str.lower)
    layers = [term.term for term in read_glossary()['层与运算']]
    # chí、diū、gǎn、juǎn、pī、tián、tōng、zhǎn
    by_hand = [
        '池化',
        '丢弃法',
        '感受野',
        '卷积核',
        '批量归一化',
        '填充',
        '通道',
        '展平',
    ]
    assert sorted(by_hand, key=layers.index) == by_hand


@pytest.mark.parametrize(
    ('entry', 'said'),
    [
        ({'alias': ['x']}, '不认识的字段'),
        ({'allowed': ['x']}, '不在 also 里'),
    ],
)
def test_a_wrong_entry_is_explained(tmp_path: Path, entry: dict, said: str) -> None:
    good = {'term': '词', 'english': ['word'], 'section': 'sec-a', 'line': '解释。'}
    path = tmp_path / 'glossary.yml'
    path.write_text(yaml.safe_dump({'组': [{**good, **entry}]}), encoding='utf-8')
    with pytest.raises(ValueError, match=said):
        read_glossary(path)


def test_every_group_is_on_the_page() -> None:
    source = read_page(ROOT / 'chapters' / 'glossary.md')
    assert re.findall(r'```\{terms\} (.+)', source) == list(read_glossary())


def test_every_entry_is_used_in_the_book() -> None:
    paths = [*chapter_files(), ROOT / 'chapters/exercises.md']
    text = '\n'.join(p.text for path in paths for p in prose.read(path, ROOT))
    assert [name for name in NAMES if name not in text] == []


def test_the_glossary_file_explains_its_fields() -> None:
    head = GLOSSARY.read_text(encoding='utf-8').split('\n\n')[0]
    for field in ('term', 'english', 'also', 'section', 'line', 'allowed'):
        assert field in head
