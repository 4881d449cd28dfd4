"""带 sortable 标签的单元，其输出的表格可以点表头排序；只有含这种表的页载入脚本。

排序本身在 site/assets/sortable_table.js，样子在 site/assets/book.css。
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MARK = 'tag_sortable'


def add_script(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if MARK in context.get('body', ''):
        app.add_js_file('sortable_table.js')


def setup(app: Sphinx) -> None:
    app.connect('html-page-context', add_script)
