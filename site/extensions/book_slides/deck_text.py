"""章里的文字变成幻灯片上的：一段只留一句，整段给讲的人看。

一个文字单元分成若干块：标题、图、表、公式、列表、段落、问题。没有另外说明时，段落与列表
的每一项留第一句；单元的元数据 ``slideshow.keep`` 可以指定留哪几句、哪几块，写它们开头的几个
字：``["残差块里", "有三种……"]`` 是「残差块里」起头的一句（或一项、一个公式），与「有三种」起头的
一整段或一整个列表，照上面的规矩留。
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from book_formulas.rendered import Formulas, read_rendered
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

BLOCK = re.compile(
    r'(?:<!-- 活页：[^\n]*-->\n)?<details>[\s\S]*?</details>'
    r'|\$\$\n[\s\S]*?\n\$\$|[^\n](?:(?!\n\n)[\s\S])*'
)
ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
PICTURE = re.compile(r'<!-- img/([\w-]+\.svg) -->\s*<img alt="([^"]*)"')
QUESTION = re.compile(
    r'<!-- 活页：predict (.*?) -->\n<details>\n<summary>(.*)</summary>\n\n'
    r'([\s\S]*?)\n\n</details>'
)
ITEM = re.compile(r'^(?:- |\d+\. )', re.M)
CITATION = re.compile(r' ?\[\[[^][]*\]\]\([^)]*\)')
LINK = re.compile(r'(?<!!)\[([^][]*)\]\([^)]*\)')
FORMULA = re.compile(
    r'(<mjx-container (?![^>]*display=)(?:(?!</mjx).)*</mjx-container>[，。；：、）！？]+)'
)
OPENING, CLOSING = '（「', '）」'
WHOLE = '……'
KINDS = {'|': 'table', '$$': 'formula', '> ': 'note', '- ': 'list'}


@dataclass(frozen=True)
class Block:
    """一块文字；``anchor`` 是它前面的锚点。"""

    kind: str
    text: str
    anchor: str = ''


@dataclass
class Slide:
    """一页，或一页里的一段；``answer`` 点一下才出现。

    ``title`` 空的用前面的标题；``fresh`` 为假的接着上一页。
    """

    title: str = ''
    anchor: str = ''
    said: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answer: str = ''
    fresh: bool = True


def kind_of(text: str) -> str:
    if PICTURE.search(text):
        return 'picture'
    if QUESTION.match(text):
        return 'question'
    if re.match(r'\*\*[图表] [\d.]+\*\*　', text):
        return 'caption'
    if re.match(r'\d+\. ', text):
        return 'list'
    if re.match('#+ ', text):
        return 'heading'
    for start, kind in KINDS.items():
        if text.startswith(start):
            return kind
    return 'skipped' if text.startswith(('<', '```')) else 'paragraph'


def blocks(text: str) -> Iterator[Block]:
    """一个文字单元的各块；活页的标记与锚点不是文字。"""
    for found in BLOCK.findall(text):
        anchor = ANCHOR.search(found)
        bare = ANCHOR.sub('', found).strip()
        if not QUESTION.match(bare):
            bare = re.sub(r'<!-- 活页：[^\n]*-->\s*', '', bare)
        if bare:
            yield Block(kind_of(bare), bare, anchor[1] if anchor else '')


def sentences(text: str) -> list[str]:
    """一段话分成句：公式、代码、括号与引号里的句号不断句。"""
    found, start, depth, quoted = [], 0, 0, ''
    for at, letter in enumerate(text):
        if letter in '$`':
            quoted = '' if quoted == letter else quoted or letter
        depth += (letter in OPENING) - (letter in CLOSING)
        if letter in '。！？' and not depth and not quoted:
            found.append(text[start : at + 1])
            start = at + 1
    rest = text[start:].strip()
    if rest.strip('*') == '' and found:  # 句号在粗体里面
        found[-1] += rest
    elif rest:
        found.append(rest)
    return [one.strip() for one in found]


def opening(text: str) -> str:
    """一段话的头一句；只有几个粗体的字时，连着后一句。"""
    first, *others = sentences(text)
    if others and re.fullmatch(r'\*\*.{1,12}\*\*。', first):
        return first + others[0]
    return first


def math(content: str, options: dict) -> str:
    if not options['display_mode']:
        return rf'\({escape(content, quote=False)}\)'
    body = escape(re.sub(r'\s*\\tag\{[\d.]+\}', '', content), quote=False)
    if r'\\' in body:  # Sphinx 也这样写，排好的公式以它为键
        body = rf'\begin{{split}} {body.strip()} \end{{split}}'
    return rf'\[{body}\]'


def plain(text: str) -> str:
    """不要引文，链接只留文字。"""
    return LINK.sub(r'\1', CITATION.sub('', text))


class Writer:
    """Markdown 变成 HTML，公式用排好的。"""

    def __init__(self) -> None:
        self.formulas = Formulas(read_rendered())
        self.markdown = MarkdownIt('commonmark').enable('table')
        self.markdown.use(dollarmath_plugin, renderer=math)

    def typeset(self, html: str) -> str:
        html = html.replace('class="math ', 'class="formula ')  # 不是 Sphinx 的公式
        kept = r'<span class="kept">\1</span>'
        return FORMULA.sub(kept, self.formulas.typeset(html)).strip()

    def html(self, text: str) -> str:
        return self.typeset(self.markdown.render(plain(text)))

    def line(self, text: str) -> str:
        return self.typeset(self.markdown.renderInline(plain(text)))


def parts_of(block: Block) -> list[str]:
    """一块里可以单独留下的：段落的各句，列表的各项；别的块只能整个留。"""
    if block.kind == 'paragraph':
        return sentences(block.text)
    if block.kind == 'list':
        return [one.strip() for one in ITEM.split(block.text) if one.strip()]
    if question := QUESTION.match(block.text):
        return [question[2]]
    if picture := PICTURE.search(block.text):
        return [picture[2]]
    return [block.text.lstrip('$\n')]


def wanted(keep: list[str] | None, block: Block) -> list[int] | None:
    """这一块留第几句；空的表示整块照规矩，None 表示不要这一块。"""
    whole = [one.removesuffix(WHOLE) for one in keep or () if one.endswith(WHOLE)]
    if keep is None or block.text.startswith(tuple(whole)):
        return []
    single = tuple(one for one in keep if not one.endswith(WHOLE))
    found = [at for at, one in enumerate(parts_of(block)) if one.startswith(single)]
    return found or None


def short(block: Block, picked: list[int]) -> str:
    """段落、列表留下的句子，仍是 Markdown。"""
    if block.kind == 'list':
        items = parts_of(block)
        chosen = [items[at] for at in picked] if picked else items
        return '\n'.join(f'- {opening(one)}' for one in chosen)
    if picked:
        return ''.join(parts_of(block)[at] for at in picked)
    return opening(block.text)


def ask(writer: Writer, text: str) -> tuple[str, str]:
    """一道题：题目与选项，以及点一下才出现的答案。"""
    marker, summary, reason = QUESTION.match(text).groups()
    choices = re.search(r'choices="([^"]*)"', marker)
    rows = ''.join(
        f'<li>{writer.line(one)}</li>' for one in choices[1].split('|')
    ) if choices else ''  # fmt: skip
    options = f'<ol class="choices">{rows}</ol>' if rows else ''
    answer = ''.join(sentences(reason.split('\n\n')[0])[:3])
    return f'<p class="ask">{writer.line(summary)}</p>{options}', writer.html(answer)


def slides(writer: Writer, text: str, keep: list[str] | None) -> list[Slide]:
    """一个文字单元变成的各页；每道题、每个标题都另起一页。"""
    found = [Slide(fresh=False)]
    for block in blocks(text):
        if block.kind == 'heading':
            title = writer.line(block.text.lstrip('# '))
            found.append(Slide(title, block.anchor))
            continue
        if block.kind in ('note', 'skipped'):
            continue
        picked = wanted(keep, block)
        alone = block.kind == 'question' and found[-1].said or found[-1].answer
        if picked is not None and alone:
            found.append(Slide())
        slide = found[-1]
        if block.kind in ('paragraph', 'list'):
            slide.notes.append(writer.html(block.text))
        if picked is None:
            continue
        if block.kind in ('paragraph', 'list'):
            slide.said.append(writer.html(short(block, picked)))
        elif block.kind == 'caption':
            said = writer.line(opening(block.text))
            slide.said.append(f'<p class="caption">{said}</p>')
        elif block.kind == 'picture':
            slide.said.append(block.text)  # 由 deck_cells 换成图
        elif block.kind == 'question':
            question, slide.answer = ask(writer, block.text)
            slide.said.append(question)
        else:
            slide.said.append(writer.html(block.text))
    return [one for one in found if one.said or one.title]
