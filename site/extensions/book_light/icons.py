"""主题的图标：页面用到哪些，样式表里只留它们的规则。"""

import re
from pathlib import Path

from .site_files import built_pages

ICON_NAME = re.compile(r'\bfa-[a-z0-9-]+')
ICON_RULE = re.compile(r'(?<=})(?:\.fa-[a-z0-9-]+:before,?)+\{content:"\\[0-9a-f]+"\}')


def used_icons(site: Path) -> set[str]:
    """页面和脚本里提到的全部图标名。"""
    scripts = [path for path in (site / '_static').rglob('*.js')]
    texts = [
        path.read_text('utf-8')
        for path in [*built_pages(site), *scripts]
        if path.name != 'fontawesome.js'
    ]
    return {name for text in texts for name in ICON_NAME.findall(text)}


def without_unused_icons(css: str, used: set[str]) -> str:
    def keep(match: re.Match[str]) -> str:
        names = set(ICON_NAME.findall(match[0]))
        return match[0] if names & used else ''

    return ICON_RULE.sub(keep, css)
