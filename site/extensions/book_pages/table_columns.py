"""窄屏上，表格的短格不逐字折行：构建时数出每一列最长的格，短的列整列不折。

列宽由浏览器分，屏幕窄的时候它把「稠密块 1」折成四行，却给旁边的长句子留着一大块。哪一列短，
样式表看不出来，所以写在表格的类里：``fit-1 fit-3`` 是第一列与第三列不折（site/assets/tables.css）。
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from .code_lines import columns

SHORT = 16  # 列：八个汉字，或「1,060,924,256」


def shown_columns(entry: nodes.entry) -> int:
    """一格的文字占几列；公式按 LaTeX 的一半算。"""
    text = entry.astext()
    formulas = sum(len(math.astext()) for math in entry.findall(nodes.math))
    return columns(text) - formulas // 2


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


def setup(app: Sphinx) -> None:
    app.add_post_transform(FitColumns)
