"""主题的修正：中文界面、读屏软件读得对的标记、不许存储时的替身、少算的样式与排版，撤下 Thebe。

它们改的都是 Jupyter Book 1.x 与主题写死的东西；换了主题，这一个扩展要重看。
"""

from book_root import ROOT
from sphinx.application import Sphinx

from . import (
    accessible_html,
    first_colours,
    refused_storage,
    scrollable_boxes,
    without_thebe,
    zh_interface,
)

SHEETS = ('book', 'code', 'figures', 'tables', 'print')


def add_stylesheets(app: Sphinx) -> None:
    app.config.html_static_path.append(str(ROOT / 'site' / 'assets'))
    for name in SHEETS:
        app.add_css_file(f'{name}.css')
    app.add_js_file('sidebar.js')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('builder-inited', add_stylesheets)
    for part in (
        zh_interface,
        accessible_html,
        refused_storage,
        first_colours,
        scrollable_boxes,
        without_thebe,
    ):
        part.setup(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
