"""由记录排出的页面内容：基准测试、超参数、准确率的表格，和术语表。

数字与条目都写在 results/ 与 terms/ 里，页面只放一条指令；每个模块是一条指令。
"""

from sphinx.application import Sphinx

from . import accuracy, benchmark, glossary, tuning


def setup(app: Sphinx) -> dict[str, bool]:
    for directive in (benchmark, tuning, accuracy, glossary):
        directive.setup(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
