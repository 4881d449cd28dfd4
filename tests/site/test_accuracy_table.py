"""准确率的表格：本书的数由记录算出，别人的数写在指令里。"""

import json
import re
from pathlib import Path

import pytest
from book_tables.accuracy import NONE, conditions_of, published, row
from built_site import built_file

from deepcnn.records.titles import TITLES

ROOT = Path(__file__).resolve().parents[2]

RECORD = {
    'network': 'nin', 'image_size': 71, 'epochs': 2, 'dataset': '四张图',
    'profile': 'laptop', 'device': 'CPU', 'precision': 'fp32',
    'runs': [
        {'seed': 0, 'seconds': 60, 'test_accuracy': [0.1, 0.80]},
        {'seed': 1, 'seconds': 120, 'test_accuracy': [0.1, 0.82]},
    ],
}  # fmt: skip


def test_row_is_the_mean_over_the_seeds() -> None:
    cells = row(RECORD, '0.800', NONE)
    assert cells == (
        TITLES['nin'], '71', '2', '0.8100', '0.800', NONE
    )  # fmt: skip
    assert row(RECORD, NONE, '0.9')[4:] == (NONE, '0.9')


def test_conditions_name_every_seed() -> None:
    assert conditions_of([RECORD]) == '四张图 · laptop 档 · CPU · fp32 · 种子 0、1'


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('lenet: 0.9 0.9', '之一'),
        ('nin: 0.9', 'd2l 较好'),
        ('nin: 90.1 —', '0～1'),
        ('nin: 0.8x 0.9', '0～1'),
    ],
)
def test_bad_line_is_refused(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        published(line)


def test_page_shows_the_recorded_accuracies() -> None:
    """站上的每一行都能由 results/ 重新算出，六个网络一个不少。"""
    page = built_file('chapters/performance.html').read_text(encoding='utf-8')
    table = re.search(r'id="tab-performance-accuracy".*?</table>', page, re.DOTALL)
    assert table
    rows = re.findall(r'<tr class="row-[^"]*">(.*?)</tr>', table[0], re.DOTALL)
    cells = [re.findall(r'<p>(.*?)</p>', one) for one in rows]
    shown = {one[0]: one[1:] for one in cells[1:]}
    assert list(shown) == list(TITLES.values())
    for name, title in TITLES.items():
        record = json.loads((ROOT / 'results/full' / f'{name}.json').read_text('utf-8'))
        runs = record['runs']
        accuracy = sum(run['test_accuracy'][-1] for run in runs) / len(runs)
        assert shown[title][2] == f'{accuracy:.4f}'
