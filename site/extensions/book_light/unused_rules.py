"""主题的图标与 sphinx-design 的部件：页面用到哪些，样式表里只留它们的规则。

图标有上千个；部件有上百种网格、徽章、按钮，书里只用折叠。
"""

import re
from pathlib import Path

from .site_files import built_pages

NAME = re.compile(r'\b(?:fa|sd)-[a-z0-9-]+')
ICON_RULE = re.compile(r'(?<=})(?:\.fa-[a-z0-9-]+:before,?)+\{content:"\\[0-9a-f]+"\}')
COMPONENT_RULE = re.compile(r'(?<=[{}])([^{}@]*\.sd-[^{}]*)\{([^{}]*)\}')


def used_names(site: Path) -> set[str]:
    """页面和脚本里提到的全部图标与部件。"""
    scripts = [path for path in (site / '_static').rglob('*.js')]
    texts = [
        path.read_text('utf-8')
        for path in [*built_pages(site), *scripts]
        if path.name != 'fontawesome.js'
    ]
    return {name for text in texts for name in NAME.findall(text)}


def without_unused_icons(css: str, used: set[str]) -> str:
    def keep(match: re.Match[str]) -> str:
        names = set(NAME.findall(match[0]))
        return match[0] if names & used else ''

    return ICON_RULE.sub(keep, css)


def without_unused_components(css: str, used: set[str]) -> str:
    """几个选择器合写的一条，只留用得到的；括号里有逗号的拆不开，整条留着。"""

    def keep(match: re.Match[str]) -> str:
        if re.search(r'\([^)]*,', match[1]):
            return match[0]
        selectors = [s for s in match[1].split(',') if set(NAME.findall(s)) <= used]
        return f'{",".join(selectors)}{{{match[2]}}}' if selectors else ''

    return COMPONENT_RULE.sub(keep, css)
