"""一页的脚本压缩之后不超过 25 KB；六章把一切都点过，各不超过 43 KB。

照各页的标记数，权重与影片还没有的也算在内：它们一到，部件就自己出现。
"""

import gzip
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from book_living.scripts import needed

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / '_build' / 'html'
SCRIPTS = SITE / '_static' / 'living'
BUDGET = 25_000
FILM = 300_000  # 一章的影片，点过才取
EVERYTHING = 43_000  # 一章：结构图、步进器、先预测、重放、实验台全都用过
MARKER = re.compile(r'^<!-- 活页：(\w+) ?(.*) -->$', re.M)
TAG = re.compile(r'<living-(\w+)[^>]* data-scripts="([^"]+)"')
# 实验台在动手之后才取的；一章里的接在一起，不另取。
PARTS = ('own', 'look', 'laboratory')


@cache
def size(name: str) -> int:
    return len(gzip.compress((SCRIPTS / f'{name}.js').read_bytes(), 9))


def text_of(page: Path) -> str:
    text = page.read_text('utf-8')
    if page.suffix == '.md':
        return text
    return '\n'.join(''.join(cell['source']) for cell in json.loads(text)['cells'])


def parts_of(page: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """一页的标记：部件的名字与各个键。"""
    for name, rest in MARKER.findall(text_of(page)):
        yield name, dict(pair.split('=', 1) for pair in shlex.split(rest))


def unclicked(name: str, options: dict[str, str]) -> set[str]:
    """看到底、还没有点的时候取的。"""
    if 'open' in options or name == 'replay':
        return set()
    drawing = {'own'} if options.get('start') == 'draw' else set()
    picker = {'picker'} if name == 'lab' and 'network' not in options else set()
    return {*needed(name, options)} | picker | drawing


def clicked(name: str, options: dict[str, str]) -> set[str]:
    """全都点过之后取的。"""
    later = PARTS if name == 'lab' and 'open' not in options else ()
    unused = {'look'} if options.get('show') == 'scores' else set()
    return unclicked(name, options) | {*needed(name, options), *later} - unused


def total(scripts: set[str]) -> int:
    return sum(size(one) for one in scripts | {'frame'})


PAGES = [
    page for page in (ROOT / 'index.md', *sorted(ROOT.glob('chapters/**/*.[im]*')))
    if page.suffix in {'.ipynb', '.md'} and any(parts_of(page))
]  # fmt: skip
CHAPTERS = {'alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet'}
pages = pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)


def test_every_page_is_counted() -> None:
    built = [*SITE.glob('*.html'), *SITE.glob('chapters/**/*.html')]
    alive = {page.stem for page in built if '<living-' in page.read_text('utf-8')}
    assert CHAPTERS < alive <= {page.stem for page in PAGES}


@pages
def test_the_page_takes_the_scripts_counted_here(page: Path) -> None:
    """成品里的各个元素要的就是这里数的；打开一页只取框架。"""
    html = (SITE / page.relative_to(ROOT)).with_suffix('.html').read_text('utf-8')
    stated = [(name, ' '.join(needed(name, options))) for name, options in parts_of(page)]
    found = TAG.findall(html)
    assert len(found) == html.count('<living-') and set(found) <= set(stated)
    opened = re.findall(r'<script[^>]*src="[^"]*living/([\w-]+)\.js', html)
    assert opened == ['frame']


@pages
def test_a_page_stays_within_its_budget(page: Path) -> None:
    before, after = set(), set()
    for name, options in parts_of(page):
        before |= unclicked(name, options)
        after |= clicked(name, options)
    assert total(before) <= BUDGET
    assert total(after) <= (EVERYTHING if page.stem in CHAPTERS else BUDGET)


def test_every_film_is_small() -> None:
    """没有压缩的，也不超过 300 KB。"""
    films = [*(SCRIPTS / 'data').glob('replay-*.js')]
    assert len(films) == len([*ROOT.glob('results/replay/*.safetensors')]) > 0
    sizes = {path.stem: path.stat().st_size for path in films}
    assert max(sizes.values()) <= FILM, sizes
