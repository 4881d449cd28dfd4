"""找不到的页：地址写错了，网站的服务器便送出 404.html。

它可能出现在任何一级的地址上，所以链接从网站的根写起：根是 html.baseurl，没有写的当作
域名的根；样式写在页内，不取别的文件。
"""

from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

TEMPLATES = Path(__file__).resolve().parent / 'templates'


def add_templates(app: Sphinx, config: Config) -> None:
    config.templates_path.append(str(TEMPLATES))


def add_page(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    if app.builder.name == 'html':
        yield '404', {'site_root': app.config.html_baseurl or '/'}, '404.html'


def setup(app: Sphinx) -> None:
    app.connect('config-inited', add_templates)
    app.connect('html-collect-pages', add_page)
