"""修正主题和扩展生成的、读屏软件会读错的标记，并让不许存储的浏览器也能用。

每一条都来自 axe-core 或浏览器控制台的报告，tests/test_browser.py 检查成品。
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from template_edits import edit_templates

ASSETS = Path(__file__).resolve().parent.parent / '_assets'

SEARCH_FIELD = 'search-button-field search-button__button pst-js-only'
SEARCH_TITLE = """title="{{ _('Search') }}" """
SEARCH_LABEL = """aria-label="{{ _('Search') }}" """

# 浏览器拒绝存储时（无痕窗口、嵌入的页面），主题的脚本会一开始就中断。
# 换成只在本页有效的替身，明暗切换和菜单照常工作。
STORAGE_GUARD = """<script>
    try { window.localStorage.getItem("mode"); } catch (refused) {
      const kept = new Map();
      Object.defineProperty(window, "localStorage", { value: {
        getItem: (key) => (kept.has(key) ? kept.get(key) : null),
        setItem: (key, value) => kept.set(key, String(value)),
        removeItem: (key) => kept.delete(key),
      } });
    }
  </script>
"""
FIRST_SCRIPT = '<script data-cfasync="false">'

TEMPLATES = {
    FIRST_SCRIPT: STORAGE_GUARD + '  ' + FIRST_SCRIPT,
    # 按钮上看得见的字是「搜索 Ctrl+K」；另写标签，语音控制就对不上。
    f'{SEARCH_FIELD}" {SEARCH_TITLE}{SEARCH_LABEL}': f'{SEARCH_FIELD}" {SEARCH_TITLE}',
    # 图标自己的提示会混进按钮的名字。
    """data-mode="light" title="{{ _('Light') }}\"""": 'data-mode="light"',
    """data-mode="dark"  title="{{ _('Dark') }}\"""": 'data-mode="dark"',
    """data-mode="auto"  title="{{ _('System Settings') }}\"""": 'data-mode="auto"',
}

BODY = {
    # 折叠块的标题就是「展开代码」，不要再盖一个英文名字。
    '<summary aria-label="Toggle hidden content">': '<summary>',
    # 列表里只能放列表项；文献条目的专用角色已经废弃。
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': '',
}


def correct_body(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    body = context.get('body', '')
    for old, new in BODY.items():
        body = body.replace(old, new)
    context['body'] = body


def add_stylesheet(app: Sphinx) -> None:
    app.config.html_static_path.append(str(ASSETS))
    app.add_css_file('book.css')


def setup(app: Sphinx) -> dict[str, bool]:
    edit_templates(app, TEMPLATES)
    app.connect('builder-inited', add_stylesheet)
    app.connect('html-page-context', correct_body)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
