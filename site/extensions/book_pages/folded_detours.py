"""旁支：不在主线上的一节，除标题和它的一句话之外，折成一行「展开这段旁支」。

笔记本里，标题单元的元数据是 JupyterLab 自己的 ``jp-MarkdownHeadingCollapsed``：那里收起
它后面的单元，这里折起标题单元之后的内容。``<details>`` 装不下代码与图，所以另有这一种。
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

COLLAPSED = 'jp-MarkdownHeadingCollapsed'
MARK = '\n\n```{detour}\n```'  # 加在标题单元的末尾，折叠由此开始


class Detour(nodes.container):
    """折起来的内容。"""


class DetourDirective(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [Detour()]


class FoldDetours(SphinxTransform):
    """记号之后、同一节里的内容收进记号；里面有小节时抛出 ValueError。"""

    default_priority = 865  # 笔记本的各个单元已经就位，术语还没有链接

    def apply(self) -> None:
        for mark in list(self.document.findall(Detour)):
            section = mark.parent
            folded = section.children[section.index(mark) + 1 :]
            if any(isinstance(one, nodes.section) for one in folded):
                title = section[0].astext()
                raise ValueError(f'{self.env.docname}：旁支「{title}」里有小节')
            for one in folded:
                section.remove(one)
            mark += folded


def visit_detour(translator: nodes.NodeVisitor, node: Detour) -> None:
    translator.body.append(
        '<details class="detour"><summary>展开这段旁支</summary>\n'
    )


def depart_detour(translator: nodes.NodeVisitor, node: Detour) -> None:
    translator.body.append('</details>\n')


def setup(app: Sphinx) -> None:
    app.add_node(Detour, html=(visit_detour, depart_detour))
    app.add_directive('detour', DetourDirective)
    app.add_transform(FoldDetours)
