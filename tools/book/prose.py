"""读出书里给读者看的文字，供用语检查：代码、公式、引文与网址都不是文字。

Markdown 由 markdown-it 与 MyST 自己用的插件解析，不靠正则表达式猜。
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

# 占位符，取自 Unicode 的私用区：正文里不会有。
CODE, MATH, CITATION, REFERENCE = '\ue000', '\ue001', '\ue002', '\ue003'
SHOWN = {CODE: '`…`', MATH: '$…$', CITATION: '[…]', REFERENCE: '{…}'}

# 内容也是文字的指令；其余的（代码、文献表、图表的来源）不读。
ARGUMENT_IS_TEXT = {'admonition', 'dropdown', 'table', 'note', 'warning', 'tip'}
TEXT_DIRECTIVES = ARGUMENT_IS_TEXT | {'figure-md'}
OPTION = re.compile(r':[\w-]+:')
DIRECTIVE = re.compile(r'\{([\w-]+)\}\s*(.*)')
ROLE_TARGET = re.compile(r'(.*?)\s*<([^<>]*)>', re.DOTALL)
SIZE = re.compile(r'(\d+)\s*\\times\s*(\d+)')  # 3\times 3


@dataclass(frozen=True)
class Passage:
    """一段文字。

    ``is_running`` 是正文的段落与列表，不含标题、表格、图题和提示框。
    ``is_comment`` 是笔记本代码单元里的注释与文档字符串。
    ``links`` 是文字里各个链接的 ``(起, 止, 目标)``，目标是术语时才有，别的链接是空的。
    """

    path: str
    place: str
    text: str
    is_running: bool = False
    is_comment: bool = False
    links: tuple[tuple[int, int, str], ...] = ()
    line: int = 1

    def where(self, at: int = 0) -> str:
        """出错时写的位置：文件、单元、行。"""
        line = self.line + self.text.count('\n', 0, at)
        return f'{self.path} {self.place}第 {line} 行'


@cache
def parser() -> MarkdownIt:
    return (
        MarkdownIt('commonmark')
        .enable('table')
        .use(colon_fence_plugin)
        .use(dollarmath_plugin, allow_labels=True)
        .use(myst_block_plugin)
        .use(myst_role_plugin)
    )


class Inline:
    """把一段行内记号拼成文字，记下链接的范围。"""

    def __init__(self, tokens: list[Token]) -> None:
        self.text = ''
        self.links: list[tuple[int, int, str]] = []
        opened: list[tuple[int, bool]] = []
        for token in tokens:
            if token.type == 'link_open':
                opened.append((len(self.text), token.info == 'auto'))
            elif token.type == 'link_close':
                start, is_address = opened.pop()
                if is_address:
                    self.text = self.text[:start] + CODE
                self.links.append((start, len(self.text), ''))
            else:
                self.add(token)

    def add(self, token: Token) -> None:
        if token.type in ('text', 'image'):
            self.text += token.content
        elif token.type in ('softbreak', 'hardbreak'):
            self.text += '\n'
        elif token.type == 'code_inline':
            self.text += CODE
        elif token.type == 'math_inline':
            size = SIZE.fullmatch(token.content.strip())
            self.text += f'{size[1]}×{size[2]}' if size else MATH
        elif token.type == 'myst_role':
            self.add_role(token.meta['name'], token.content)

    def add_role(self, name: str, content: str) -> None:
        explicit = ROLE_TARGET.fullmatch(content)
        start = len(self.text)
        if name == 'term':
            shown, target = explicit.groups() if explicit else (content, content)
            self.text += shown
            self.links.append((start, len(self.text), target))
        elif name in ('ref', 'doc', 'numref') and explicit:
            self.text += explicit[1]
            self.links.append((start, len(self.text), ''))
        else:
            self.text += CITATION if name.startswith('footcite') else REFERENCE


def read_markdown(
    source: str, path: str, place: str = '', first_line: int = 1, is_top: bool = True
) -> Iterator[Passage]:
    """依次给出 Markdown 里的各段；指令里的文字也在内，但不算正文。"""
    tokens = parser().parse(source)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ('fence', 'colon_fence'):
            yield from read_directive(token, path, place, first_line)
        elif token.type == 'inline':
            inline = Inline(token.children or [])
            yield Passage(
                path, place, inline.text,
                is_running=is_top and before.type == 'paragraph_open',
                links=tuple(inline.links), line=first_line + token.map[0],
            )  # fmt: skip


def read_directive(
    token: Token, path: str, place: str, first_line: int
) -> Iterator[Passage]:
    found = DIRECTIVE.fullmatch(token.info.strip())
    if not found or found[1] not in TEXT_DIRECTIVES:
        return
    line = first_line + token.map[0]
    if found[1] in ARGUMENT_IS_TEXT:
        yield from read_markdown(found[2], path, place, line, is_top=False)
    lines = token.content.split('\n')
    options = 0
    while OPTION.match(lines[options]):
        options += 1
    body = '\n'.join(lines[options:])
    yield from read_markdown(body, path, place, line + 1 + options, is_top=False)


def read_notebook(source: str, path: str) -> Iterator[Passage]:
    for number, cell in enumerate(json.loads(source)['cells'], start=1):
        text, place = ''.join(cell['source']), f'第 {number} 个单元'
        if cell['cell_type'] == 'markdown':
            yield from read_markdown(text, path, place)
        elif cell['cell_type'] == 'code':
            for passage in read_python(text, path):
                yield replace(passage, place=place, is_comment=True)


def read_python(source: str, path: str) -> Iterator[Passage]:
    """文档字符串与注释，一行一段；双反引号和角色里的是代码。"""
    lines = source.splitlines()
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    numbers = {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None
        for number in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    found = {number: lines[number - 1].strip().strip('"') for number in numbers}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = token.string.lstrip('#: ')
    for number, text in sorted(found.items()):
        text = re.sub(r'(?::[\w:]+:)?`[^`]+`|``[^`]*``', CODE, text)
        yield Passage(path, '', text, line=number)


def read(path: Path, root: Path) -> list[Passage]:
    """按扩展名读一个文件。"""
    readers = {'.ipynb': read_notebook, '.md': read_markdown, '.py': read_python}
    name = path.relative_to(root).as_posix()
    return list(readers[path.suffix](path.read_text(encoding='utf-8'), name))
