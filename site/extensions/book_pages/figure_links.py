"""正文里的每幅图都是指向它自己的链接：点一下放大看，手机上才读得清图里的小字。

有脚本时在本页里放大（site/assets/figure_zoom.js），没有脚本时浏览器打开图。Sphinx 只给写明
大小的图加链接，这里统一成一种。
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

IMAGE = r'(<img [^>]*?src="([^"]*_images/[^"]+)"[^>]*>)'
# Sphinx 自己加的链接换掉；作者写的链接（图就是它的内容）照旧
PICTURE = re.compile(
    rf'<a class="reference internal image-reference"[^>]*>\s*{IMAGE}\s*</a>'
    rf'|(?P<kept><a [^>]*>\s*<img [^>]*>)|{IMAGE}'
)


def linked(match: re.Match[str]) -> str:
    if match['kept']:
        return match['kept']
    image, address = match[1] or match[4], match[2] or match[5]
    return f'<a class="figure-link" href="{address}">{image}</a>'


def add_links(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    body = PICTURE.sub(linked, context.get('body', ''))
    if 'class="figure-link"' in body:
        context['body'] = body
        app.add_js_file('figure_zoom.js')
        app.add_js_file('later_pictures.js')


def setup(app: Sphinx) -> None:
    app.connect('html-page-context', add_links)
