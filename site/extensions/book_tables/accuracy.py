"""准确率的表格：本书的由 results/full/<网络>.json 排出，别人公布的写在指令里。

用法，一行一个网络，依次是 d2l 网页上的和公开的较好结果，没有的写「—」::

    <!-- 网站：accuracy
    alexnet: 0.885 0.899
    -->
    *（给别的查看器的一句说明。）*
"""

import json
import re
from typing import Any

from book_root import ROOT
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from deepcnn.records.titles import TITLES

from . import nested_markdown

NONE = '—'
HEAD = ('网络', '边长', '轮', '本书', 'd2l', '公开的较好结果')


def published(line: str) -> tuple[str, str, str]:
    """``网络: d2l 较好`` → 三格；网络不认识，或数不在 0～1 之间，抛出 ValueError。"""
    network, _, rest = line.partition(':')
    values = rest.split()
    if network not in TITLES or len(values) != 2:
        raise ValueError(
            f'{line!r} 应当写成「网络: d2l 较好」，网络取 {"、".join(TITLES)} 之一'
        )
    for value in values:
        if value != NONE and not re.fullmatch(r'0\.\d*[1-9]\d*', value):
            raise ValueError(f'{line!r} 的准确率要在 0～1 之间，没有的写「{NONE}」')
    return network, values[0], values[1]


def row(record: dict[str, Any], d2l: str, better: str) -> tuple[str, ...]:
    """一个网络的各格；几个种子取平均。"""
    runs = record['runs']
    accuracy = sum(run['test_accuracy'][-1] for run in runs) / len(runs)
    return (
        TITLES[record['network']], str(record['image_size']), str(record['epochs']),
        f'{accuracy:.4f}', d2l, better,
    )  # fmt: skip


def table(rows: list[tuple[str, ...]], conditions: str) -> str:
    lines = [HEAD, (':--',) + ('--:',) * (len(HEAD) - 1), *rows]
    body = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines)
    caption = '最后一轮的测试准确率，与别人公布的并排'
    name = ':name: tab-performance-accuracy'
    return f':::{{table}} {caption}\n{name}\n\n{body}\n:::\n\n本书的条件：{conditions}。'


def conditions_of(records: list[dict[str, Any]]) -> str:
    """各份记录的档位、设备、精度与种子；不同的都写出来。"""

    def values(name: str) -> str:
        return '、'.join(dict.fromkeys(record[name] for record in records))

    seeds = sorted({run['seed'] for record in records for run in record['runs']})
    named = f'种子 {"、".join(map(str, seeds))}'
    where = f'{values("profile")} 档 · {values("device")} · {values("precision")}'
    return f'{values("dataset")} · {where} · {named}'


class Accuracy(SphinxDirective):
    """把各章的准确率与别人公布的排成一张表。"""

    has_content = True

    def run(self) -> list[nodes.Node]:
        records, rows = [], []
        for line in self.content:
            try:
                network, d2l, better = published(line)
            except ValueError as error:
                raise self.error(str(error)) from error
            path = ROOT / 'results' / 'full' / f'{network}.json'
            self.env.note_dependency(str(path))
            records.append(json.loads(path.read_text(encoding='utf-8')))
            rows.append(row(records[-1], d2l, better))
        return nested_markdown.parse(self, table(rows, conditions_of(records)))


def setup(app: Sphinx) -> None:
    app.add_directive('accuracy', Accuracy)
