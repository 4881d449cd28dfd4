"""窄屏上，表格的短格不逐字折行：构建时数出每一列最长的格，短的列整列不折。

列宽由浏览器分，屏幕窄的时候它把「稠密块 1」折成四行，却给旁边的长句子留着一大块。哪一列短，
样式表看不出来，所以写在表格的类里：``fit-1 fit-3`` 是第一列与第三列不折（site/assets/tables.css）。
短的表头写明 ``unbroken``，也不折；长的可以折，但「线路 2」不拆成两行。
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from .code_lines import columns

SHORT = 16  # 列：八个汉字，或「1,060,924,256」
HEADING = 8  # 列：四个汉字，或「时钟 B」
BEFORE_NUMBER = re.compile(r' (?=\d)')


def shown_columns(entry: nodes.entry) -> int:
    """一格的文字占几列；公式按 LaTeX 的一半算。"""
    text = entry.astext()
    formulas = sum(len(math.astext()) for math in entry.findall(nodes.math))
    return columns(text) - formulas // 2


def keep_heading(entry: nodes.entry) -> None:
    """表头的一格：短的不折行，长的不在数字前面折。"""
    if shown_columns(entry) <= HEADING:
        entry['classes'].append('unbroken')
    for text in list(entry.findall(nodes.Text)):
        if not isinstance(text.parent, nodes.math):
            text.parent.replace(text, nodes.Text(BEFORE_NUMBER.sub('\u00a0', text)))


class FitColumns(SphinxPostTransform):
    default_priority = 900
    formats = ('html',)

    def run(self, **options: object) -> None:
        for table in self.document.findall(nodes.table):
            rows = [
                [shown_columns(entry) for entry in row.findall(nodes.entry)]
                for row in table.findall(nodes.row)
            ]
            longest = map(max, zip(*rows))  # noqa: B905 合并过的格使有的行短些
            table['classes'] += [
                f'fit-{number}' for number, most in enumerate(longest, 1) if most <= SHORT
            ]
            for head in table.findall(nodes.thead):
                for entry in head.findall(nodes.entry):
                    keep_heading(entry)


def setup(app: Sphinx) -> None:
    app.add_post_transform(FitColumns)
