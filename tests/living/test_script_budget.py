"""一页的脚本压缩之后不超过 25 KB：一路看到底、还没有点的；实验台把一切都点过的也是。"""

import gzip
import re
from functools import cache
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / '_build' / 'html'
SCRIPTS = SITE / '_static' / 'living'
BUDGET = 25_000
TAG = re.compile(r'<living-(\w+)[^>]*>')
CLICKED = {'look', 'own', 'laboratory'}  # 实验台：动手之后才取的
ALL_CLICKED = 50_000  # 一章：结构图、步进器、先预测、重放与实验台全都用过


@cache
def size(name: str) -> int:
    return len(gzip.compress((SCRIPTS / f'{name}.js').read_bytes(), 9))


def needed(page: Path, clicked: bool) -> set[str]:
    """一页要的脚本，看到底；``clicked`` 时连同点了才取的。"""
    scripts = {'frame'}
    for tag in TAG.finditer(page.read_text('utf-8')):
        if clicked or ' data-open=' not in tag[0]:
            scripts |= {*re.search(r' data-scripts="([^"]+)"', tag[0])[1].split()}
        if ' data-start="draw"' in tag[0]:
            scripts.add('own')  # 画板一开始就在
        if clicked and tag[1] == 'lab':
            scripts |= CLICKED
    return scripts


def total(scripts: set[str]) -> int:
    return sum(size(one) for one in scripts)


PAGES = sorted(
    path for path in (*SITE.glob('*.html'), *SITE.glob('chapters/**/*.html'))
    if '<living-' in path.read_text('utf-8')
)  # fmt: skip


def test_there_are_pages() -> None:
    assert len(PAGES) > 10


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_a_page_stays_within_its_budget(page: Path) -> None:
    assert total(needed(page, clicked=False)) <= BUDGET
    assert total(needed(page, clicked=True)) <= ALL_CLICKED
    html = page.read_text(encoding='utf-8')
    opened = re.findall(r'<script[^>]*src="[^"]*living/([\w-]+)\.js', html)
    assert opened == ['frame']  # 打开一页，只取框架


def test_the_lab_stays_within_it_after_every_click() -> None:
    (page,) = [one for one in PAGES if one.stem == 'lab']
    scripts = needed(page, clicked=True)
    assert scripts == {'frame', 'lab', *CLICKED}
    assert total(scripts) <= BUDGET


def test_a_chapter_with_everything_stays_within_both() -> None:
    """权重与影片都到了的 NiN：结构图、步进器、先预测，加上重放与实验台。"""
    before = {'frame', 'structure', 'convolution', 'predict'}
    assert total(before) <= BUDGET
    assert total(before | {'replay', 'lab', *CLICKED}) <= ALL_CLICKED
