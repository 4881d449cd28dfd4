"""把一章的文档树读成若干节，并写成浏览器能直接载入的脚本。"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from .plain_formula import plain_formula
from .terms import Terms

# 不给读者看的，或只是编号与链接的节点。
UNSEEN = (
    nodes.comment,
    nodes.raw,
    nodes.label,
    nodes.footnote_reference,
    nodes.citation_reference,
    nodes.substitution_definition,
    nodes.system_message,
    addnodes.toctree,
)

CHANGES = 'sec-about-changelog'


@dataclass
class Section:
    """一节自己的内容，不含下一级的节；段落之间用换行隔开。"""

    title: str
    anchor: str
    text: str
    code: str
    explains: list[list[str]] = field(default_factory=list)  # 见 terms.py


@dataclass
class Chapter:
    """一页；第一节是各级小节之前的开头部分。"""

    title: str
    url: str
    sections: list[Section] = field(default_factory=list)


def inline_text(node: nodes.Node) -> str:
    """一段里读者看到的文字；公式写成普通字符。"""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, UNSEEN):
        return ''
    if isinstance(node, (nodes.math, nodes.math_block)):
        return plain_formula(node.astext())
    return ''.join(inline_text(child) for child in node.children)


def is_output(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Element) and (
        node.get('nb_element') == 'cell_code_output'
    )


def blocks(node: nodes.Element) -> Iterator[tuple[bool, str]]:
    """依次给出一节里的 (是不是代码, 一段文字)，不进入下一级的节。"""
    for child in node.children:
        if isinstance(child, (nodes.section, *UNSEEN)):
            continue
        if is_output(child):  # 只有图注是写的
            yield from ((False, inline_text(one)) for one in child.findall(nodes.caption))
            continue
        if isinstance(child, nodes.title) and isinstance(node, nodes.section):
            continue
        if isinstance(child, nodes.literal_block):
            yield True, child.astext()
        elif isinstance(child, nodes.TextElement):
            yield False, inline_text(child)
        elif isinstance(child, nodes.Element):
            yield from blocks(child)


def anchor_of(section: nodes.section) -> str:
    """优先用作者写的标签；由标题得来的 relu、id2 之类会随标题和次序改变。"""
    names, from_title = section.get('names', []), nodes.make_id(section[0].astext())
    written = [name for name in section['ids'] if name in names and name != from_title]
    return (written or section['ids'])[0]


# 文献编号不收，它前面的空格也就不留。
BEFORE_PUNCTUATION = re.compile(r'\s+(?=[，。、；：？！）」])')


def join(parts: list[str]) -> str:
    """每段内的空白并成一个空格，段与段之间换行。"""
    squeezed = (BEFORE_PUNCTUATION.sub('', ' '.join(part.split())) for part in parts)
    return '\n'.join(part for part in squeezed if part)


def read_section(section: nodes.section, terms: Terms) -> Section:
    found = list(blocks(section))
    title = next(iter(section.findall(nodes.title)))
    return Section(
        title=join([inline_text(title)]),
        anchor=anchor_of(section),
        text=join([text for is_code, text in found if not is_code]),
        # 代码保留换行，结果里只显示命中的那一行。
        code='\n'.join(
            line.strip()
            for is_code, text in found
            if is_code
            for line in text.splitlines()
            if line.strip()
        ),
        explains=[
            names
            for label in section.get('names', [])
            for names in terms.get(label, [])
        ],
    )


def read_sections(doctree: nodes.document, terms: Terms) -> list[Section]:
    sections = doctree.findall(nodes.section)
    return [read_section(one, terms) for one in sections if not is_told_elsewhere(one)]


def is_told_elsewhere(section: nodes.section) -> bool:
    """章末的文献表与更新记录的各条：同样的话别的节都有，不必搜到两次。"""
    above = section.parent
    if not isinstance(above, nodes.section):
        return False
    return anchor_of(section).endswith('-references') or anchor_of(above) == CHANGES


def read_chapter(
    app: Sphinx, docname: str, doctree: nodes.document, terms: Terms
) -> Chapter:
    """读一页；标题前带上全书统一的编号。"""
    number = app.env.toc_secnumbers.get(docname, {}).get('') or ()
    prefix = ''.join(f'{part}.' for part in number)
    title = join([app.env.titles[docname].astext()])
    return Chapter(
        title=f'{prefix} {title}'.strip(),
        url=app.builder.get_target_uri(docname),
        sections=read_sections(doctree, terms),
    )


def unexplained(terms: Terms, chapters: list[Chapter]) -> list[str]:
    """术语表里有、却没有哪一节带着的标签。"""
    explained = [
        names
        for chapter in chapters
        for section in chapter.sections
        for names in section.explains
    ]
    return sorted(
        label
        for label, entries in terms.items()
        if any(names not in explained for names in entries)
    )


def write_chapters(chapters: list[Chapter], path: Path) -> None:
    """写成给全局变量赋值的脚本：``file://`` 下浏览器不许读取 JSON 文件。"""
    data = json.dumps(
        [asdict(chapter) for chapter in chapters],
        ensure_ascii=False,
        separators=(',', ':'),
    )
    # 这两个换行符在旧的 JavaScript 里不能出现在字符串中。
    data = data.replace('\u2028', '\\u2028').replace('\u2029', '\\u2029')
    path.write_text(f'window.BOOK_CHAPTERS={data};\n', encoding='utf-8')
