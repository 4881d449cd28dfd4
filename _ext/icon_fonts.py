"""主题的图标字体只留用得到的图标：两百多 KB 变成几 KB。

小字体由 tools/subset_icons.py 生成。页面里出现了它没有的图标时，保留主题原来的字体，
图标不会消失；tests/test_weight.py 会提醒重新生成。
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

ICONS = Path(__file__).resolve().parent / 'icons'
FONTS = ('fa-solid-900.woff2', 'fa-brands-400.woff2', 'fa-regular-400.woff2')
ICON_NAME = re.compile(r'\bfa-[a-z0-9-]+')
ICON_RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
ICON_CONTENT = re.compile(
    r'(?:--pst-[a-z-]+:|[;{]content:)"(\\[0-9a-f]+|[\ue000-\uf8ff])"'
)


def built_pages(site: Path) -> Iterator[Path]:
    return (path for path in site.rglob('*.html') if '_static' not in path.parts)


def used_icons(site: Path) -> set[str]:
    """页面和脚本里提到的全部图标名。"""
    scripts = [path for path in (site / '_static').rglob('*.js')]
    texts = [
        path.read_text('utf-8')
        for path in [*built_pages(site), *scripts]
        if path.name != 'fontawesome.js'
    ]
    return {name for text in texts for name in ICON_NAME.findall(text)}


def icon_points(static: Path, names: set[str]) -> set[int]:
    """这些图标，以及样式表直接写出的图标的码位。"""
    points = set()
    for sheet in sorted((static / 'styles').glob('*.css')):
        css = sheet.read_text('utf-8')
        for rule, point in ICON_RULE.findall(css):
            if names & set(ICON_NAME.findall(rule)):
                points.add(int(point, 16))
        for written in ICON_CONTENT.findall(ICON_RULE.sub('', css)):
            is_escape = written.startswith('\\')
            points.add(int(written[1:], 16) if is_escape else ord(written))
    return {point for point in points if point >= 0xE000}


def covered_points() -> set[int]:
    path = ICONS / 'icons.json'
    stored = json.loads(path.read_text('utf-8')) if path.exists() else {}
    return {int(point, 16) for points in stored.values() for point in points}


def replace_fonts(site: Path) -> None:
    """换成小字体；有图标不在其中时保留原来的。"""
    fonts = site / '_static' / 'vendor' / 'fontawesome' / 'webfonts'
    if icon_points(site / '_static', used_icons(site)) <= covered_points():
        for name in FONTS:
            shutil.copyfile(ICONS / name, fonts / name)
