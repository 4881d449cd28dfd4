"""成品里的文件：哪些是页面，哪些没有用。"""

from collections.abc import Iterator
from pathlib import Path

# 从 _static 里删去的：源码映射、翻译的源文件、字体（用到的已经写进样式表）、主题的模板片段。
UNUSED = (
    '**/*.map',
    '**/*.ttf',
    'vendor/fontawesome/webfonts/*',
    '**/*.html',
    'locales/**/*.[mp]o',
    'scripts/fontawesome.js',
    'scripts/fontawesome.js.LICENSE.txt',
)


def built_pages(site: Path) -> Iterator[Path]:
    """全部网页；_static 里的 .html 是主题的模板片段。"""
    pages = site.rglob('*.html')
    return (path for path in pages if '_static' not in path.relative_to(site).parts)


def remove_unused(static: Path) -> None:
    for pattern in UNUSED:
        for path in static.glob(pattern):
            path.unlink()
    folders = [path for path in static.rglob('*') if path.is_dir()]
    for folder in sorted(folders, reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
