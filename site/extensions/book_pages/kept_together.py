"""公式后面的标点不落到下一行的开头，前面的括号也不留在上一行的末尾；章名在冒号后面换行。

公式是一整块图形，浏览器以为它的前后都能换行，不管旁边是不是标点。所以把公式与紧挨着的
标点放进一个不换行的框；标点与别的字之间照旧。
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

OPENING = re.compile(r'[（「『《〈【“‘(\[]+$')
CLOSING = re.compile(r'^[，。；：、！？）」』》〉】”’…—%％°,.;:!?)\]]+')


def split_off(
    text: nodes.Node | None, pattern: re.Pattern[str]
) -> tuple[list[nodes.Node], str]:
    """从旁边的文字里取下标点：余下的文字，与标点；旁边不是文字的不动。"""
    if not isinstance(text, nodes.Text):
        return [], ''
    found = pattern.search(words := text.astext())
    if not found:
        return [], ''
    rest = words[: found.start()] + words[found.end() :]
    return [nodes.Text(rest)] if rest else [], found[0]


def replace_text(text: nodes.Node, rest: list[nodes.Node]) -> None:
    """文字节点是字符串，相同的字彼此相等；要换的是这一个，不是前面另一个「，」。"""
    siblings = text.parent.children
    at = next(i for i, one in enumerate(siblings) if one is text)
    text.parent[at : at + 1] = rest


class KeepTogether(SphinxTransform):
    default_priority = 875  # 术语已经链接：它要看整段文字

    def apply(self) -> None:
        for math in list(self.document.findall(nodes.math)):
            self.keep(math)

    def keep(self, math: nodes.math) -> None:
        siblings = math.parent.children
        at = siblings.index(math)
        before = siblings[at - 1] if at else None
        after = siblings[at + 1] if at + 1 < len(siblings) else None
        left, opening = split_off(before, OPENING)
        right, closing = split_off(after, CLOSING)
        if not opening and not closing:
            return
        kept = nodes.inline(classes=['kept-together'])
        math.replace_self(kept)
        kept += [nodes.Text(opening), math, nodes.Text(closing)]
        if opening:
            replace_text(before, left)
        if closing:
            replace_text(after, right)


# 一行放不下的章名在冒号后面换行，后半句不拆开。
TITLE = re.compile(r'(<h1>[^\n]*?：)([^<\n]+)')


def keep_title(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if 'body' in context:
        half = r'\1<span class="title-half">\2</span>'
        context['body'] = TITLE.sub(half, context['body'], count=1)


def setup(app: Sphinx) -> None:
    app.connect('html-page-context', keep_title)
    app.add_transform(KeepTogether)
