"""核对的单元（check 标签）折成一行「✓ 已核对 n 项」，点开才看到断言；n 是断言的个数。

读者要看的是论证，断言只证明书里的数没有写错。可是有的核对单元也造了东西，后面看得见的代码
还要用：那样的照常显示，否则读者找不到它从哪里来。
"""

import ast
import symtable
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def names(code: str) -> tuple[set[str], set[str]]:
    """一个单元在全局里写下的名字，和用到的名字（函数与推导式里面用到的也算）。"""
    top = symtable.symtable(code, '单元', 'exec')
    written = {
        one.get_name() for one in top.get_symbols()
        if one.is_assigned() or one.is_imported() or one.is_namespace()
    }  # fmt: skip
    used = {one.get_name() for one in top.get_symbols() if one.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        used |= {one.get_name() for one in table.get_symbols() if one.is_global()}
    return written, used


def to_fold(cells: list[tuple[str, bool]]) -> Iterator[bool]:
    """从最后一个单元（代码，是不是核对）往前，依次说折不折。"""
    wanted: set[str] = set()  # 后面看得见的代码还要用的名字
    for code, is_check in reversed(cells):
        written, used = names(code)
        folded = is_check and not written & wanted
        if not folded:
            wanted = (wanted - written) | (used - written)
        yield folded


def assertions(code: str) -> int:
    return sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))


def is_plain_python(cell: nodes.container) -> bool:
    """不是时（%matplotlib、!pip 一类）给一条警告：那样的单元，别的 Python 也运行不了。"""
    try:
        ast.parse(cell.children[0].astext())
    except SyntaxError:
        logger.warning('这个单元不是普通的 Python：请不用 % 与 ! 开头的命令', location=cell)
        return False
    return True


def fold_checks(app: Sphinx, doctree: nodes.document) -> None:
    """交给 myst-nb 折叠：它读单元节点上的这几项。"""
    found = [
        cell for cell in doctree.findall(nodes.container)
        if cell.get('nb_element') == 'cell_code' and cell.children
        and cell.children[0].get('nb_element') == 'cell_code_source'
    ]  # fmt: skip
    found = [cell for cell in found if is_plain_python(cell)]
    cells = [(cell.children[0].astext(), 'tag_check' in cell['classes']) for cell in found]
    for cell, folded in zip(reversed(found), to_fold(cells), strict=True):
        if folded:
            count = assertions(cell.children[0].astext())
            cell['hide_mode'] = 'input'
            cell['prompt_show'] = f'✓ 已核对 {count} 项'
            cell['prompt_hide'] = f'收起核对的 {count} 项'


def setup(app: Sphinx) -> None:
    app.connect('doctree-read', fold_checks)
