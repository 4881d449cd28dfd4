"""让页面轻一些：构建结束之后，加工写好的每一页。

页首的脚本延后执行，样式表合成一个，位图写明宽高；主题带来而本书用不到的文件删去。
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

from .early_scripts import ICON_SCRIPT, lighten
from .one_stylesheet import Bundler
from .picture_sizes import size_pictures
from .site_files import built_pages, remove_unused
from .unused_rules import used_names

BUNDLE = re.compile(r'book-\w+\.css')


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != 'html':
        return
    site = Path(app.outdir)
    bundler, bundles = Bundler(site / '_static', used_names(site)), set()
    for path in built_pages(site):
        page = path.read_text('utf-8')
        if ICON_SCRIPT.search(page):  # 没有重写的页，上次构建已经处理过
            to_root = '../' * (len(path.relative_to(site).parts) - 1)
            page = size_pictures(lighten(page, site / '_static'), path.parent)
            page = bundler.bundle(page, to_root)
            path.write_text(page, 'utf-8')
        bundles.update(BUNDLE.findall(page))
    for sheet in (site / '_static').glob('book-*.css'):
        if sheet.name not in bundles:  # 从前的构建留下的
            sheet.unlink()
    remove_unused(site / '_static')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('build-finished', finish, priority=900)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
