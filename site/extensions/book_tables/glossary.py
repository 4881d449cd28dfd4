"""术语表页面：由 terms/glossary.yml 排出，各页第一次出现的术语链接到这里。

用法::

    <!-- 网站：terms 组名
    -->
    *（给别的查看器的一句说明。）*

节点与 Sphinx 自己的 ``glossary`` 指令相同；没有直接用
那个指令，是因为它给中文术语的锚点只是编号，插一条就全变了。
"""

from docutils import nodes
from docutils.statemachine import StringList
from glossary_terms import GLOSSARY, Term, read_glossary
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.std import make_glossary_term
from sphinx.util.docutils import SphinxDirective


def described(term: Term) -> str:
    """一行：英文、别的叫法、解释、讲解它的一节。"""
    names = '，'.join(term.english)
    if term.also:
        names += f'；又称：{"、".join(term.also)}'
    return f'{names}。{term.line}讲解：{{ref}}`{term.section}`。'


class Terms(SphinxDirective):
    """一组术语。"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(GLOSSARY))
        groups = read_glossary()
        group = self.arguments[0]
        if group not in groups:
            raise self.error(f'terms/glossary.yml 里没有「{group}」这一组')
        entries = nodes.definition_list(classes=['glossary'])
        entries += [self.entry(term) for term in groups[group]]
        return [addnodes.glossary('', entries, sorted=False)]

    def entry(self, term: Term) -> nodes.definition_list_item:
        source, line = self.get_source_info()
        name = make_glossary_term(
            self.env, [nodes.Text(term.term)], None, source, line, term.anchor,
            self.state.document,
        )  # fmt: skip
        self.state.document.note_explicit_target(name)
        definition = nodes.definition()
        text = StringList([described(term)], source=str(GLOSSARY))
        self.state.nested_parse(text, self.content_offset, definition)
        return nodes.definition_list_item('', name, definition)


def setup(app: Sphinx) -> None:
    app.add_directive('terms', Terms)
