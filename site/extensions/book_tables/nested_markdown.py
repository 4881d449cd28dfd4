"""指令把排好的 Markdown 交给 Sphinx 解析。"""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def parse(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """解析 ``text``，返回可以放进页面的节点；警告里写作出自 results。"""
    holder = nodes.container()
    lines = StringList(text.splitlines(), source='results')
    directive.state.nested_parse(lines, directive.content_offset, holder)
    for node in holder.children:
        if isinstance(node, nodes.Element):
            node['generated'] = True  # 由记录排出的，不是正文：术语不在里面链接
    return holder.children
