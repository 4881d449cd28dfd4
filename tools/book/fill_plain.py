"""补齐各页里由别处决定的字：编号、链接的文件、引文、章末的文献表。

图、表、公式的编号取自刚建好的网站（先运行 make book），其余取自各页和 references.bib。
写作时编号、标题留空即可：[](#fig-x)、[](#sec-x)，图题先写 **图 0**；插进一幅图之后，
后面的编号也由这个命令改正。
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path

import nbformat
from pybtex.database import Entry, parse_file
from pybtex.plugin import find_plugin

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

from book_contents import MERGED, is_backup  # noqa: E402
from book_pages.plain_markdown import (  # noqa: E402
    CITATION,
    EQUATION,
    LABEL,
    LINK,
    NUMBER,
    NUMBERED,
    PICTURE,
    work_address,
)
from command_line import Command, run  # noqa: E402

from deepcnn.records.store import explaining, write_text  # noqa: E402

TARGET = re.compile(r'<a id="([\w-]+)"></a>(?:\n#+ (.*))?')
NUMBERED_CAPTION = re.compile(
    rf'(<a id="({LABEL.format(kind="(?:fig|tab)")})"></a>(?:{PICTURE}\n\n)?)'
    rf'\*\*[图表] {NUMBER}\*\*'
)
NUMBERED_EQUATION = re.compile(
    rf'({EQUATION}\n\n\$\$\n(?:(?!\$\$)[\s\S])*?\n\\tag\{{){NUMBER}(?=\}})'
)
REFERENCE_LIST = re.compile(
    r'(^<a id="[\w-]+"></a>\n##+ 参考文献)(?:\n[\s\S]*)?\Z', re.M
)
SITE_NUMBERS = (
    re.compile(r'id="((?:fig|tab)-[\w-]+)">.*?caption-number">(.*?)</span>', re.S),
    re.compile(r'id="equation-(eq-[\w-]+)">\s*<span class="eqno">(\([\d.]+\))'),
)


def family_names(entry: Entry) -> str:
    """He 等；两位作者时 Pleiss 和 Chen。"""
    names = [
        ' '.join(person.prelast_names + person.last_names).strip('{}')
        for person in entry.persons['author']
    ]
    return f'{names[0]} 等' if len(names) > 2 else ' 和 '.join(names)


def listed(entry: Entry) -> str:
    """文献表里的一条，末尾是能点的网址。"""
    style = find_plugin('pybtex.style.formatting', 'plain')()
    (formatted,) = style.format_entries([entry])
    text, address = formatted.text.render_as('text'), work_address(entry)
    if address in text:
        return '- ' + text.replace(address, f'<{address}>')
    return f'- {text} <{address}>'


@dataclass
class Book:
    """各页互相引用得到的东西。"""

    files: dict[str, Path] = field(default_factory=dict)  # {标签: 它所在的文件}
    titles: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)  # {fig-x: 图 7.1}
    works: dict[str, Entry] = field(default_factory=dict)  # {网址: 文献}


def book_pages(root: Path = ROOT) -> list[Path]:
    found = [p for end in ('ipynb', 'md') for p in root.glob(f'chapters/**/*.{end}')]
    return [root / 'index.md', *sorted(p for p in found if not is_backup(p))]


def markdown_of(path: Path) -> list[str]:
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.md':
        return [text]
    with explaining(path, MERGED):
        cells = json.loads(text)['cells']
    return [''.join(c['source']) for c in cells if c['cell_type'] == 'markdown']


def site_numbers(site: Path) -> dict[str, str]:
    """网站上印着的编号。"""
    found: dict[str, str] = {}
    for page in sorted(site.rglob('*.html')):
        html = page.read_text(encoding='utf-8')
        for pattern in SITE_NUMBERS:
            found |= {label: n.strip() for label, n in pattern.findall(html)}
    return found


def read_book(root: Path = ROOT) -> Book:
    """网站还没有建时抛出 FileNotFoundError。"""
    site = root / '_build' / 'html'
    if not (site / 'index.html').exists():
        raise FileNotFoundError('没有 _build/html：请先运行 make book')
    book = Book(numbers=site_numbers(site))
    for path in book_pages(root):
        for text in markdown_of(path):
            for label, title in TARGET.findall(text):
                book.files[label] = path
                book.titles[label] = title
    entries = parse_file(str(root / 'references.bib')).entries
    book.works = {work_address(entry): entry for entry in entries.values()}
    return book


@dataclass
class Page:
    """补齐一页；引用过的文献按次序记下，供章末的表用。"""

    book: Book
    path: Path
    cited: dict[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """补齐一段；引用没有的标签时抛出 KeyError。"""
        text = LINK.sub(self.link, text)
        text = CITATION.sub(self.citation, text)
        text = NUMBERED_CAPTION.sub(self.caption, text)
        text = NUMBERED_EQUATION.sub(self.equation, text)
        return REFERENCE_LIST.sub(self.reference_list, text)

    def link(self, match: re.Match[str]) -> str:
        text, _, label = match.groups()
        kind, file = label.partition('-')[0], self.book.files[label]
        if re.fullmatch(NUMBERED.get(kind, '') + '|', text):
            known = self.book.numbers if kind in NUMBERED else self.book.titles
            text = known[label]
        path = (
            ''
            if file == self.path
            else Path(relpath(file, self.path.parent)).as_posix()
        )
        return f'[{text}]({path}#{label})'

    def citation(self, match: re.Match[str]) -> str:
        shown, address = match.groups()
        entry = self.book.works.get(address)
        if entry is None:
            return match[0]
        self.cited[address] = listed(entry)
        names, year = family_names(entry), entry.fields['year']
        shown = f'[{names}，{year}]' if shown.startswith('[') else f'{names}（{year}）'
        return f'[{shown}]({address})'

    def caption(self, match: re.Match[str]) -> str:
        return f'{match[1]}**{self.book.numbers[match[2]]}**'

    def equation(self, match: re.Match[str]) -> str:
        return match[1] + self.book.numbers[match[2]].strip('()')

    def reference_list(self, match: re.Match[str]) -> str:
        return match[1] + '\n\n' + '\n'.join(self.cited.values())


def filled(path: Path, book: Book) -> str:
    """一个文件补齐之后的内容。"""
    page = Page(book, path)
    if path.suffix == '.md':
        return page.fill(path.read_text(encoding='utf-8').rstrip('\n')) + '\n'
    return rewrite_markdown(path, page.fill)


def rewrite_markdown(path: Path, change: Callable[[str], str]) -> str:
    """返回改写了文字单元的笔记本；文字都没有变时，一个字节也不变。"""
    notebook = path.read_text(encoding='utf-8')
    with explaining(path, MERGED):
        content = nbformat.reads(notebook, as_version=4)
    is_changed = False
    for cell in content.cells:
        if cell.cell_type == 'markdown':
            before, cell.source = cell.source, change(cell.source)
            is_changed |= cell.source != before
    return nbformat.writes(content) + '\n' if is_changed else notebook


def main(arguments: list[str], root: Path = ROOT) -> int:
    command = Command(__doc__)
    command.add_argument(
        '--check', action='store_true', help='只比较；有出入时列出文件并以 1 退出'
    )
    is_check = command.parse_args(arguments).check
    try:
        book = read_book(root)
        texts = {path: filled(path, book) for path in book_pages(root)}
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(
            f'没有这个标签，或网站是旧的：{error.args[0]}。写对了的话，先运行 make book',
            file=sys.stderr,
        )
        return 1
    stale = [p for p, text in texts.items() if p.read_text(encoding='utf-8') != text]
    for path in stale:
        name = path.relative_to(root).as_posix()
        if not is_check:
            write_text(path, texts[path])
        print(
            f'编号或引文过时：{name}，请运行 make numbers'
            if is_check
            else f'已更新 {name}'
        )
    return 1 if is_check and stale else 0


if __name__ == '__main__':
    run(main)
