"""每页的 Open Graph 数据：转发到别处时显示书名、章名和一句介绍。

og:url 和 og:image（tools/site/draw_cover.py 画的封面）必须是完整的网址，_config.yml 里有
html.baseurl 时才写；make repository 会填它。
"""

import re
from html import escape, unescape
from typing import Any
from urllib.parse import urljoin

from book_root import ROOT
from book_search.chapters import inline_text, join
from book_theme.template_edits import edit_templates
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

COVER = ROOT / 'img' / 'cover.png'
LONGEST = 120
GAP = re.compile('(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])')  # 脚注两边


def describe(doctree: nodes.document) -> str:
    """正文里第一个完整的段落（不是「……：」，也不在列表里），过长时停在一句的末尾。"""
    for paragraph in doctree.findall(nodes.paragraph):
        text = GAP.sub('', join([inline_text(paragraph)]))
        if not text or text.endswith('：') or isinstance(paragraph.parent, nodes.list_item):
            continue
        if len(text) <= LONGEST:
            return text
        cut = text[:LONGEST]
        return cut[: cut.rfind('。') + 1] or cut[: LONGEST - 1] + '…'
    return ''


def card(
    app: Sphinx, context: dict[str, Any], pagename: str, text: str
) -> dict[str, str]:
    book = app.config.html_title or app.config.project
    is_root = pagename == app.config.root_doc
    title = unescape(re.sub('<[^>]+>', '', context.get('title', '')))
    properties = {
        'og:type': 'book' if is_root else 'article',
        'og:title': book if is_root else title,
        'og:site_name': book,
        'og:locale': 'zh_CN',
        'og:description': text,
    }
    if app.config.html_baseurl and context.get('pageurl'):
        properties['og:url'] = context['pageurl']
        properties['og:image'] = urljoin(app.config.html_baseurl, f'_static/{COVER.name}')
    return properties


def add_card(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if doctree is None:
        return
    text = describe(doctree)
    lines = [f'<meta name="description" content="{escape(text)}">']
    for name, content in card(app, context, pagename, text).items():
        lines.append(f'<meta property="{name}" content="{escape(content)}">')
    context['metatags'] = context.get('metatags', '') + '\n'.join(lines)


# 首页的标题就是书名，后面不再跟一个书名。
TITLE = {
    '<title>{{ title|striptags|e }}{{ titlesuffix }}</title>': (
        '<title>{{ title|striptags|e }}'
        '{{ titlesuffix if pagename != root_doc }}</title>'
    )
}


def add_cover(app: Sphinx, config: Config) -> None:
    if config.html_baseurl:
        config.html_baseurl = config.html_baseurl.rstrip('/') + '/'
        config.html_static_path.append(str(COVER))


def setup(app: Sphinx) -> None:
    edit_templates(app, TITLE)
    app.connect('config-inited', add_cover)
    app.connect('html-page-context', add_card)
