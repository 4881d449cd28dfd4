"""样式表里只留用得到的规则：主题的一多半是别的网站用的网格、按钮、表单和图标。

一个选择器提到的类与 id 都在某一页或某个脚本里出现过，才留下。脚本会拼名字
（```predict__mark--${kind}```），所以脚本里以 - 或 _ 结尾的词也算。拿不准的都留着：
``:not()``、``:is()`` 里的，与属性选择器。
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tinycss2
from tinycss2.ast import LiteralToken, Node

from .site_files import built_pages

ATTRIBUTE = re.compile(r'\b(?:class|id)="([^"]*)"')
INLINE_SCRIPT = re.compile(r'<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>', re.S)
WORD = re.compile(r'[A-Za-z_][\w-]*')
GROUPS = ('media', 'supports')  # 里面还是规则的几种


@dataclass(frozen=True)
class Names:
    """页面与脚本里出现过的名字；``starts`` 是脚本用来拼名字的开头。"""

    whole: frozenset[str]
    starts: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.whole or name.startswith(self.starts)


def used_names(site: Path) -> Names:
    """``site`` 的全部页面与脚本里的名字。"""
    pages = [path.read_text('utf-8') for path in built_pages(site)]
    scripts = [script for page in pages for script in INLINE_SCRIPT.findall(page)]
    scripts += [path.read_text('utf-8') for path in site_scripts(site / '_static')]
    words = {word for text in scripts for word in WORD.findall(text)}
    written = {name for page in pages for at in ATTRIBUTE.findall(page) for name in at.split()}
    starts = tuple(word for word in words if len(word) > 3 and word[-1] in '-_')
    return Names(frozenset(words | written), starts)


def site_scripts(static: Path) -> Iterator[Path]:
    """会造出元素的脚本；活页的数据不会。"""
    scripts = static.rglob('*.js')
    return (path for path in scripts if 'data' not in path.relative_to(static).parts)


def without_unused_rules(css: str, used: Names) -> str:
    """返回去掉了用不到的规则与注释的样式表。"""
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return tinycss2.serialize(list(kept_rules(rules, used)))


def kept_rules(rules: list[Node], used: Names) -> Iterator[Node]:
    for rule in rules:
        if rule.type == 'qualified-rule':
            rule.prelude = kept_selectors(rule.prelude, used)
            if not rule.prelude:
                continue
        elif rule.type == 'at-rule' and rule.lower_at_keyword in GROUPS:
            inside = tinycss2.parse_rule_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
            rule.content = list(kept_rules(inside, used))
            if not rule.content:
                continue
        yield rule


def kept_selectors(prelude: list[Node], used: Names) -> list[Node]:
    """几个选择器合写的，只留用得到的；一个也没有时是空的。"""
    selectors: list[list[Node]] = [[]]
    for token in prelude:
        if token == ',':
            selectors.append([])
        else:
            selectors[-1].append(token)
    kept = [one for one in selectors if all(name in used for name in names_in(one))]
    comma = LiteralToken(0, 0, ',')
    return [token for one in kept for token in (comma, *one)][1:]


def names_in(selector: list[Node]) -> Iterator[str]:
    """选择器里的类与 id，括号里的除外。"""
    before = None
    for token in selector:
        if token.type == 'hash' or (token.type == 'ident' and before == '.'):
            yield token.value
        before = token
