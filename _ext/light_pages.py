"""让页面轻一些：去掉主题带来而本书用不到的脚本和文件。

主题用样式表里的图标字体就能显示图标，另带的 fontawesome.js（压缩后仍有 0.5 MB）
只是把同样的图标换成 SVG。放在页首的脚本会推迟第一次显示，因此改为延后执行；
样式表合成一个（one_stylesheet.py），图标字体只留用到的（icon_fonts.py），位图写明宽高
（picture_sizes.py）。
"""

import re
from pathlib import Path

from icon_fonts import built_pages, replace_fonts, used_icons
from one_stylesheet import Bundler
from picture_sizes import size_pictures
from sphinx.application import Sphinx

# 从 _static 里删去的：源码映射、翻译的源文件、旧浏览器的字体、主题的模板片段。
UNUSED = (
    '**/*.map',
    '**/*.ttf',
    '**/*.html',
    'locales/**/*.[mp]o',
    'scripts/fontawesome.js',
    'scripts/fontawesome.js.LICENSE.txt',
)
ICON_SCRIPT = re.compile(r'\s*<script[^>]*/fontawesome\.js[^>]*></script>')
HEAD_SCRIPT = re.compile(
    r'<script (?![^>]*\b(?:defer|async|type)\b)(?=[^>]*\bsrc=)'
    # 后面的行内脚本马上要用它；它也只有几百字节。
    r'(?![^>]*documentation_options)'
)


def lighten(page: str) -> str:
    """返回去掉图标脚本、页首脚本改为延后执行的网页。"""
    page = ICON_SCRIPT.sub('', page)
    head, separator, body = page.partition('</head>')
    return HEAD_SCRIPT.sub('<script defer="defer" ', head) + separator + body


def remove_unused(static: Path) -> None:
    for pattern in UNUSED:
        for path in static.glob(pattern):
            path.unlink()
    folders = [path for path in static.rglob('*') if path.is_dir()]
    for folder in sorted(folders, reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != 'html':
        return
    site = Path(app.outdir)
    bundler = Bundler(site / '_static', used_icons(site))
    for path in built_pages(site):
        page = path.read_text('utf-8')
        if not ICON_SCRIPT.search(page):  # 没有重写的页，上次构建已经处理过
            continue
        to_root = '../' * (len(path.relative_to(site).parts) - 1)
        page = size_pictures(lighten(page), path.parent)
        path.write_text(bundler.bundle(page, to_root), 'utf-8')
    replace_fonts(site)
    remove_unused(site / '_static')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('build-finished', finish, priority=900)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
