"""修正主题和扩展生成的、读屏软件会读错的标记。

每一条都来自 axe-core 或浏览器控制台的报告，tests/site/test_browser.py 检查成品。
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from .template_edits import edit_templates

# Python 3.10 上装的主题较旧：搜索按钮少一个类，图标没有提示。
TEMPLATES = {
    # 按钮上看得见的字是「搜索 Ctrl+K」；另写标签，语音控制就对不上。
    re.compile(
        r"""(search-button-field search-button__button[^"]*" title="{{ _\('Search'\) }}")"""
        r""" aria-label="{{ _\('Search'\) }}\""""
    ): r'\1',
    # 标志的替代文字末尾是英文。
    '"%s - Home" % docstitle': '"%s：首页" % docstitle',
    # 标志写明宽高：它到了，下面的目录不往下跳。
    """<img src="{{ theme_logo['image_relative']""": (
        """<img width="96" height="96" src="{{ theme_logo['image_relative']"""
    ),
    # 图标自己的提示会混进按钮的名字。
    re.compile(r"""(data-mode="(?:light|dark|auto)")(?: +title="{{ [^}]+ }}")?"""): r'\1',
}

BODY = {
    # 折叠块的标题就是「展开代码」，不要再盖一个英文名字。
    '<summary aria-label="Toggle hidden content">': '<summary>',
    # 列表里只能放列表项；文献条目的专用角色已经废弃。
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': '',
}
# summary 里不能放段落。
PROMPT = re.compile(r'<p class="((?:collapsed|expanded) admonition-title)">(.*?)</p>')


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
    context['body'] = PROMPT.sub(r'<span class="\1">\2</span>', body)


def setup(app: Sphinx) -> None:
    edit_templates(app, TEMPLATES)
    app.connect('html-page-context', correct_body)
