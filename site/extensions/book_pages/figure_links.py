"""正文里的每幅图都是指向它自己的链接：点一下放大看，手机上才读得清图里的小字。

有脚本时在本页里放大（site/assets/figure_zoom.js），没有脚本时浏览器打开图。Sphinx 只给写明
大小的图加链接，这里统一成一种。
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PICTURE = re.compile(
    r'(?:<a class="reference internal image-reference"[^>]*>)?'
    r'(<img [^>]*?src="([^"]*_images/[^"]+)"[^>]*>)(?:\s*</a>)?'
)


def add_links(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    body, count = PICTURE.subn(
        r'<a class="figure-link" href="\2">\1</a>', context.get('body', '')
    )
    if count:
        context['body'] = body
        app.add_js_file('figure_zoom.js')
        app.add_js_file('later_pictures.js')


def setup(app: Sphinx) -> None:
    app.connect('html-page-context', add_links)
