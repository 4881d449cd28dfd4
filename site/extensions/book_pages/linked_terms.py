"""每页第一次出现的术语链接到术语表；页面里不写任何标记。

正文的段落与列表在先，正文没有的才在提示框、折叠的解答和旁支里找；标题、表格、图题、代码、公式、
输出、由记录排出的文字和别的链接里的字不算。
"""

from collections.abc import Iterator

from docutils import nodes
from glossary_terms import GLOSSARY, all_terms, names_pattern
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from .folded_detours import Detour

# 列出术语、文献或各章的页；别的页都要链接。
WITHOUT_LINKS = {'index', 'chapters/glossary', 'chapters/references', 'chapters/about'}
UNLINKED = (
    nodes.title, nodes.rubric, nodes.caption, nodes.literal, nodes.literal_block,
    nodes.math, nodes.math_block, nodes.reference, nodes.raw, nodes.Invisible,
    nodes.table, nodes.footnote, addnodes.pending_xref, addnodes.glossary,
)  # fmt: skip


def around(node: nodes.Node) -> Iterator[nodes.Node]:
    while node := node.parent:
        yield node


def is_linkable(text: nodes.Text) -> bool:
    return not any(
        isinstance(node, UNLINKED)
        or 'cell_output' in node.get('classes', ())
        or 'generated' in node  # 由记录排出的
        for node in around(text)
    )


def is_aside(text: nodes.Text) -> bool:
    return any(
        isinstance(node, nodes.Admonition | Detour)
        or node.get('design_component') == 'dropdown'
        for node in around(text)
    )


class LinkTerms(SphinxTransform):
    """链接每个术语的第一次出现；这时引用还没有解析。"""

    default_priority = 870  # 笔记本的各个单元已经就位

    def apply(self) -> None:
        if self.env.docname in WITHOUT_LINKS:
            return
        self.env.note_dependency(str(GLOSSARY))  # 多了一个术语，就重读这一页
        waiting = {term.term for term in all_terms()}
        pattern = names_pattern(waiting)
        texts = [
            text for text in self.document.findall(nodes.Text) if is_linkable(text)
        ]
        for text in sorted(texts, key=is_aside):
            pieces, end, words = [], 0, text.astext()
            for match in pattern.finditer(words):
                if match[0] in waiting:
                    waiting.discard(match[0])
                    before = nodes.Text(words[end : match.start()])
                    pieces += [before, self.link(match[0])]
                    end = match.end()
            if pieces:
                text.parent.replace(text, [*pieces, nodes.Text(words[end:])])

    def link(self, term: str) -> nodes.Node:
        return addnodes.pending_xref(
            '', nodes.inline(term, term, classes=['xref', 'std', 'std-term']),
            refdomain='std', reftype='term', reftarget=term, refexplicit=False,
            refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip


def setup(app: Sphinx) -> None:
    app.add_transform(LinkTerms)
