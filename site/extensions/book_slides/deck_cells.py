"""笔记本里标着 ``slideshow`` 的单元变成幻灯片的单元，图另存成文件。

画图的单元只留图，别的代码单元留代码与印出的几行；没有标的单元不讲。产物是 nbconvert 认识的
笔记本：一页的头一个单元是 slide，接着的是 -，点一下才出现的是 fragment。
"""

import base64
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

import nbformat
from book_light.picture_sizes import png_size, svg_size
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from . import MARK
from .deck_text import PICTURE, Slide, Writer, slides

TALL, WIDE = 1.5, 1.6  # 高是宽的几倍，宽是高的几倍
MOST_PRINTED = 10  # 代码下面至多留印出的几行
LONG = 20  # 代码与印出的超过这些行，字就小一些
IMAGES = ('image/svg+xml', 'image/png')


def slide_type(cell: NotebookNode) -> str:
    return cell.metadata.get('slideshow', {}).get('slide_type', 'skip')


def figure(path: Path, alt: str) -> str:
    """一幅图；很高的分成上下两半并排，很宽的占满一行。"""
    width, height = svg_size(path) if path.suffix == '.svg' else png_size(path)
    size = f'src="img/{path.name}" width="{width}" height="{height}"'
    source = f'{size} alt="{escape(alt)}"'
    if height > TALL * width:
        ratio = f'style="--half: {width} / {height / 2:g}"'
        lower = f'<img {size} alt="同一幅图的下半">'
        return f'<figure class="halves" {ratio}><img {source}>{lower}</figure>'
    kind = ' class="wide"' if width > WIDE * height else ''
    return f'<figure{kind}><img {source}></figure>'


def picture_of(cell: NotebookNode) -> tuple[str, bytes] | None:
    """一个代码单元画的图：扩展名与内容。"""
    for output in cell.get('outputs', ()):
        for kind in IMAGES:
            if kind in output.get('data', {}):
                text = output.data[kind]
                content = text.encode() if 'svg' in kind else base64.b64decode(text)
                return ('svg' if 'svg' in kind else 'png'), content
    return None


def markdown_output(cell: NotebookNode) -> str:
    for output in cell.get('outputs', ()):
        if 'text/markdown' in output.get('data', {}):
            return output.data['text/markdown']
    return ''


class Chooser:
    """把一章的笔记本走一遍，收下要讲的；图存进 ``folder``。"""

    def __init__(self, path: Path, writer: Writer, folder: Path) -> None:
        self.path, self.writer, self.folder = path, writer, folder
        self.cells: list[NotebookNode] = []
        self.title, self.anchor = '', ''

    def add(self, html: str, kind: str = '-') -> None:
        metadata = {'slideshow': {'slide_type': kind}}
        self.cells.append(new_markdown_cell(html, metadata=metadata))

    def begin(self, title: str = '') -> None:
        """新的一页：标题（默认是这一节的），与回到书里那一节的链接。"""
        level = 'h2' if self.cells else 'h1'
        page = f'../chapters/{self.path.stem}.html#{self.anchor}'
        self.add(
            f'<{level}>{self.writer.line(title) if title else self.title}</{level}>\n'
            f'<p class="source"><a href="{page}">书里的这一节</a></p>',
            'slide',
        )

    def store(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def draw(self, text: str) -> str:
        """文字单元里的图，用 img/ 里的 SVG。"""
        name, alt = PICTURE.search(text).groups()
        content = (self.path.parents[1] / 'img' / name).read_bytes()
        return figure(self.store(name, content), unescape(alt))

    def take_slide(self, slide: Slide) -> None:
        said = [one for one in slide.said if not PICTURE.search(one)]
        if said:
            self.add('<div class="said">\n' + '\n'.join(said) + '\n</div>')
        for one in slide.said:
            if PICTURE.search(one):
                self.add(self.draw(one))
        if slide.notes:
            self.add('<aside class="notes">\n' + '\n'.join(slide.notes) + '\n</aside>')
        if slide.answer:
            self.add(f'<div class="answer">{slide.answer}</div>', 'fragment')

    def take_text(self, cell: NotebookNode, kind: str) -> None:
        keep = cell.metadata.slideshow.get('keep')
        for slide in slides(self.writer, cell.source, keep):
            self.title = slide.title or self.title
            self.anchor = slide.anchor or self.anchor
            if slide.said:
                if kind == 'slide' or slide.fresh:
                    self.begin(cell.metadata.slideshow.get('title', ''))
                self.take_slide(slide)

    def take_code(self, cell: NotebookNode, kind: str) -> None:
        if kind == 'slide':
            self.begin(cell.metadata.slideshow.get('title', ''))
        drawn, table = picture_of(cell), markdown_output(cell)
        if drawn:
            ending, content = drawn
            path = self.store(f'{self.path.stem}-{cell.id}.{ending}', content)
            alt = (
                cell.metadata.get('mystnb', {}).get('image', {}).get('alt', self.title)
            )
            self.add(figure(path, alt))
        elif table:
            self.add(f'<div class="said">{self.writer.html(table)}</div>')
        else:
            self.cells.append(shortened(cell))

    def pass_by(self, cell: NotebookNode) -> None:
        """不讲的单元也可能换了节。"""
        found = re.findall(r'<a id="([\w-]+)"></a>\n#+ (.+)', cell.source)
        for anchor, title in found:
            self.anchor, self.title = anchor, self.writer.line(title)

    def walk(self, notebook: NotebookNode) -> NotebookNode:
        for cell in notebook.cells:
            kind = slide_type(cell)
            if kind in ('skip', 'notes'):
                if cell.cell_type == 'markdown':
                    self.pass_by(cell)
            elif cell.cell_type == 'markdown':
                self.take_text(cell, kind)
            else:
                self.take_code(cell, kind)
        return new_notebook(cells=self.cells)


def shortened(cell: NotebookNode) -> NotebookNode:
    """代码单元接在标题之后；印出的太长就只留开头。"""
    cell.metadata.slideshow = {'slide_type': '-'}
    for output in cell.outputs:
        if output.output_type == 'stream':
            lines = output.text.rstrip('\n').split('\n')
            more = ['……'] if len(lines) > MOST_PRINTED else []
            output.text = '\n'.join(lines[:MOST_PRINTED] + more)
    printed = [output.get('text', '\n\n') for output in cell.outputs]
    cell.metadata.long = '\n'.join([cell.source, *printed]).count('\n') > LONG
    return cell


def notebooks(root: Path) -> Iterator[Path]:
    """有幻灯片的笔记本；先看字，不用把每一份都解析一遍。"""
    for path in sorted((root / 'chapters').glob('*.ipynb')):
        if MARK in path.read_text(encoding='utf-8'):
            yield path


def deck_of(path: Path, writer: Writer, folder: Path) -> NotebookNode:
    """一章的幻灯片，仍是笔记本；标题是章名。"""
    notebook = nbformat.read(path, as_version=4)
    deck = Chooser(path, writer, folder).walk(notebook)
    deck.metadata.title = re.search(r'^# (.+)', notebook.cells[0].source, re.M)[1]
    return deck
