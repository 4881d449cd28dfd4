"""读出书里给读者看的文字，供用语检查：代码、公式、引文与网址都不是文字。

Markdown 由 markdown-it 解析，不靠正则表达式猜。
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
from mdit_py_plugins.dollarmath import dollarmath_plugin

# 占位符，取自 Unicode 的私用区：正文里不会有。
CODE, MATH, CITATION, REFERENCE = '\ue000', '\ue001', '\ue002', '\ue003'
SHOWN = {CODE: '`…`', MATH: '$…$', CITATION: '[…]', REFERENCE: '[…]'}

# 链接上的字由命令补齐的：引文，图、表、公式的编号。
CITED = re.compile(r'\[[^][]+，\d{4}\]|[^][]+（\d{4}）')
NUMBERED = re.compile(r'[图表] [\d.]+|\([\d.]+\)|')
# HTML 里给读者看的只有这两处。
SUMMARY = re.compile(r'<summary>(.*?)</summary>')
ALTERNATIVE = re.compile(r'<img alt="([^"]*)"')
SIZE = re.compile(r'(\d+)\s*\\times\s*(\d+)')  # 3\times 3


@dataclass(frozen=True)
class Passage:
    """一段文字；``is_comment`` 是笔记本代码单元里的注释与文档字符串。"""

    path: str
    place: str
    text: str
    is_comment: bool = False
    line: int = 1

    def where(self, at: int = 0) -> str:
        """出错时写的位置：文件、单元、行。"""
        line = self.line + self.text.count('\n', 0, at)
        return f'{self.path} {self.place}第 {line} 行'


@cache
def parser() -> MarkdownIt:
    return MarkdownIt('commonmark').enable('table').use(dollarmath_plugin)


def link_text(address: str, shown: str, is_automatic: bool) -> str:
    """链接上算作文字的部分。"""
    if is_automatic:
        return CODE
    if address.startswith('https://') and CITED.fullmatch(shown):
        return CITATION
    return REFERENCE if NUMBERED.fullmatch(shown) else shown


def inline_text(tokens: list[Token]) -> str:
    """把一段行内记号拼成文字。"""
    text = ''
    opened: list[tuple[int, Token]] = []
    for token in tokens:
        if token.type == 'link_open':
            opened.append((len(text), token))
        elif token.type == 'link_close':
            start, link = opened.pop()
            shown = link_text(
                str(link.attrs['href']), text[start:], link.info == 'auto'
            )
            text = text[:start] + shown
        else:
            text += token_text(token)
    return text


def token_text(token: Token) -> str:
    if token.type in ('text', 'image'):
        return token.content
    if token.type in ('softbreak', 'hardbreak'):
        return '\n'
    if token.type == 'code_inline':
        return CODE
    if token.type == 'math_inline':
        size = SIZE.fullmatch(token.content.strip())
        return f'{size[1]}×{size[2]}' if size else MATH
    if token.type == 'html_inline':
        return ''.join(ALTERNATIVE.findall(token.content))
    return ''


def read_markdown(
    source: str, path: str, place: str = '', first_line: int = 1
) -> Iterator[Passage]:
    """依次给出 Markdown 里的各段；章末的文献表是原文，不读。"""
    is_subheading = False
    for token in parser().parse(source):
        texts = []
        if token.type == 'heading_open':
            is_subheading = token.tag != 'h1'
        elif token.type == 'html_block':
            texts = SUMMARY.findall(token.content)
        elif token.type == 'inline':
            texts = [inline_text(token.children or [])]
        for text in texts:
            yield Passage(path, place, text, line=first_line + token.map[0])
        if is_subheading and texts == ['参考文献']:
            return


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


READERS = {'.ipynb': read_notebook, '.md': read_markdown, '.py': read_python}


def read(path: Path, root: Path) -> list[Passage]:
    """按扩展名（``READERS`` 里的）读一个文件。"""
    name = path.relative_to(root).as_posix()
    return list(READERS[path.suffix](path.read_text(encoding='utf-8'), name))
