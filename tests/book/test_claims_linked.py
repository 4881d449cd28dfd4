"""「实验」一页的论断表：每一行都从说这句话的那一节链接到检验它的地方。"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from book_source import chapter_files, read_cells, read_page

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
LABEL = re.compile(r'^\(([\w-]+)\)=\s*$')
HEADING = re.compile(r'^(#+) ')
REFERENCE = re.compile(r'\{ref\}`(?:[^`<]*<)?([\w-]+)>?`')


@dataclass
class Section:
    """一节，连同它的小节：文字，以及代码单元的个数。"""

    text: str = ''
    code: int = 0


def sections_of(cells: list[tuple[str, str]]) -> dict[str, Section]:
    found: dict[str, Section] = {}
    inside: list[tuple[int, Section]] = []  # （标题的级别，节），由外到内
    label, fenced = '', False
    for kind, source in cells:
        if kind == 'code':
            for _, section in inside:
                section.code += 1
            continue
        for line in source.splitlines():
            if line.startswith('```'):
                fenced = not fenced
            if match := LABEL.match(line):
                label = match[1]
            elif (match := HEADING.match(line)) and not fenced:
                level = len(match[1])
                inside = [(n, section) for n, section in inside if n < level]
                inside.append((level, found.setdefault(label, Section())))
            for _, section in inside:
                section.text += line + '\n'
    return found


@cache
def all_sections() -> dict[str, Section]:
    found: dict[str, Section] = {}
    for path in (*chapter_files(), *chapter_files('.md')):
        found |= sections_of(read_cells(path))
    return found


def rows_of(text: str) -> list[list[str]]:
    """论断表的各行，三格：论断、出处、在哪里检验。"""
    (table,) = re.findall(r':name: tab-experiments-claims\n(.*?):::', text, re.DOTALL)
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]


ROWS = rows_of(read_page(CHAPTERS / 'experiments.md'))
every_row = pytest.mark.parametrize('row', ROWS, ids=lambda row: row[0])


def faults(row: list[str], sections: dict[str, Section]) -> list[str]:
    """这一行缺什么；什么也不缺时是空的。"""
    _, source, tested = row
    places = REFERENCE.findall(tested)
    missing = [
        f'没有 {label} 这一节'
        for label in (*REFERENCE.findall(source), *places)
        if label not in sections
    ]
    for label in REFERENCE.findall(source):
        section = sections.get(label, Section())
        if tested.startswith('同一节') and not section.code:
            missing.append(f'{label} 里没有代码')
        links = REFERENCE.findall(section.text)
        missing += [f'{label} 没有链接到 {p}' for p in places if p not in links]
    if not places and not tested.startswith('同一节'):
        missing.append('没有写在哪里检验')
    return missing


@every_row
def test_the_sentence_is_linked_to_its_test(row: list[str]) -> None:
    assert len(row) == 3
    assert REFERENCE.findall(row[1])
    assert not faults(row, all_sections())


def test_missing_links_are_noticed() -> None:
    source = '(sec-a)=\n## 甲\n\n没有链接。\n\n(sec-b)=\n## 乙\n\n{ref}`丙 <sec-c>`'
    sections = sections_of([('markdown', source), ('code', '')])
    assert faults(['', '{ref}`sec-a`', '{ref}`sec-b`'], sections)
    assert faults(['', '{ref}`sec-a`', '同一节'], sections)
    assert faults(['', '{ref}`sec-b`', '{ref}`sec-c`'], sections)
    assert not faults(['', '{ref}`sec-b`', '同一节'], sections)
    linked = sections_of([('markdown', source + '\n\n(sec-c)=\n## 丙')])
    assert not faults(['', '{ref}`sec-b`', '{ref}`sec-c`'], linked)
