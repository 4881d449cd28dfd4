"""把建好的网站合成一本 PDF：dist/book.pdf。

先运行 make book；需要 Chromium。各页的正文按 _toc.yml 的顺序拼成一个网页，由它印
两遍：第一遍得知每个标题在第几页，第二遍把页码填进目录。
"""

import html
import io
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from headless_chromium import BrowserError, find_browser, run_browser
from pikepdf import ObjectStreamMode, OutlineItem, Pdf

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_bytes  # noqa: E402

SITE = ROOT / '_build' / 'html'
SOURCE = ROOT / '_build' / 'paper.html'
TARGET = ROOT / 'dist' / 'book.pdf'
STYLES = ('_static/pygments.css', '_static/formulas.css')
TRAINING_LOG = '每轮的记录'  # 折叠的标题里的字
# 纸上用不着的：按钮、锚点记号、上一章下一章、脚本、脚注的回链。
SCREEN_ONLY_TAGS = {'script', 'style', 'button', 'template', 'mjx-assistive-mml'}
SCREEN_ONLY_CLASSES = {
    'headerlink', 'toctree-wrapper', 'prev-next-footer', 'backrefs',
    'sd-summary-state-marker', 'sd-octicon', 'expanded', 'slides-link',
}  # fmt: skip
UNKNOWN = '000'
UNPAINTED = 'body * { visibility: hidden }'  # 占地方，不画


class PaperError(RuntimeError):
    """网站还没有建，或印出来的 PDF 不对。"""


@dataclass
class Entry:
    """目录里的一行；``anchor`` 为空的是部分的名字。"""

    level: str  # part、chapter、section
    title: str  # HTML，可以含公式
    anchor: str = ''
    plain: str = ''


def book_order() -> list[tuple[str, list[str]]]:
    """返回 [(部分的名字, [文档名, ...])]；首页在最前，没有部分的名字。"""
    toc = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    parts = [('', [toc['root']])]
    for part in toc.get('parts', ()):
        nested = [[entry, *entry.get('sections', ())] for entry in part['chapters']]
        files = [page['file'] for group in nested for page in group]
        parts.append((part['caption'], files))
    return parts


@cache
def documents() -> frozenset[str]:
    """书里的全部文档名；每个链接都要查一次，所以只读一次目录。"""
    return frozenset(name for _, names in book_order() for name in names)


def slug(document: str) -> str:
    return document.replace('/', '-').removeprefix('chapters-')


def read_article(document: str) -> Tag:
    """取出一页的正文，改成印在纸上的样子。"""
    path = SITE / f'{document}.html'
    if not path.exists():
        raise PaperError('网站还没有建完整：请先运行 make book')
    page = BeautifulSoup(path.read_text(encoding='utf-8'), 'html.parser')
    article = page.select_one('article.bd-article')
    if article is None:
        raise PaperError(f'{path.name} 里没有正文')
    for element in article.find_all(is_screen_only):
        element.decompose()
    open_folded(article)
    describe_formulas(article)
    mark_wide_tables(article)
    localise(article, document)
    return article


def is_screen_only(element: Tag) -> bool:
    """纸上用不着。逐个元素地问，比交给 soupsieve 一长串选择器快。"""
    return element.name in SCREEN_ONLY_TAGS or not SCREEN_ONLY_CLASSES.isdisjoint(
        element.get('class', ())
    )


def open_folded(article: Tag) -> None:
    """折叠的解答与代码在纸上全部展开，标题变成普通的一行。

    训练时每轮一行的记录常有几百行，只留一句话。
    """
    for details in article.find_all('details'):
        summary = details.find('summary', recursive=False)
        title = summary.get_text(' ', strip=True) if summary else ''
        if TRAINING_LOG in title:
            details.name, details.attrs = 'p', {}
            details.string = '（每轮的记录纸上不印，见网页或笔记本。）'
            continue
        is_code = 'hide' in details.get('class', ())
        if summary and is_code:
            summary.decompose()
        elif summary:
            summary.name = 'p'
            summary.attrs = {'class': 'solution-title'}
            summary.string = title
        details.name = 'div'
        details.attrs = {'class': 'code' if is_code else 'solution'}


def describe_formulas(article: Tag) -> None:
    """公式是图形；给它们一个名字，PDF 的标签里就不会是空的。"""
    for formula in article.find_all('mjx-container'):
        picture = formula.find('svg', recursive=False)
        if picture is None:
            raise PaperError('有一个公式没有排成图形：请先运行 make formulas')
        picture['aria-label'] = '公式'
        del picture['aria-hidden']


def mark_wide_tables(article: Tag) -> None:
    """列多的表用小一些的字，不裁掉。"""
    for table in article.find_all('table'):
        columns = max(len(row.find_all(['td', 'th'])) for row in table.find_all('tr'))
        if columns > 6:
            table['class'] = [
                *table.get('class', ()),
                'wider' if columns > 9 else 'wide',
            ]


def localise(article: Tag, document: str) -> None:
    """把编号、链接、图片改成在合成的那一页里也有效。"""
    for element in article.find_all(id=True):
        element['id'] = f'{slug(document)}--{element["id"]}'
    article['id'] = slug(document)
    folder = (SITE / document).parent
    for image in article.find_all('img'):
        if not image['src'].startswith('data:'):  # 嵌在页面里的照旧
            image['src'] = (folder / unquote(image['src'])).resolve().as_uri()
        image.attrs.pop('loading', None)
    for link in article.find_all('a', href=True):
        target = paper_link(link['href'], document)
        if target:
            link['href'] = target
        else:
            link.unwrap()


def paper_link(url: str, document: str) -> str:
    """站内链接变成书内锚点，站外的不变；指向书里没有的文件时返回空串。"""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return url
    target = document
    if parts.path:
        path = (SITE / document).parent / unquote(parts.path)
        target = path.resolve().relative_to(SITE).with_suffix('').as_posix()
    if target not in documents():
        return ''
    anchor = unquote(parts.fragment).partition('?')[0]  # 后面是活页的设置
    return f'#{slug(target)}--{anchor}' if anchor else f'#{slug(target)}'


def entries_of(article: Tag) -> list[Entry]:
    """一章在目录里的各行：章名与各节。"""
    found = []
    for heading in article.find_all(['h1', 'h2']):
        level = 'chapter' if heading.name == 'h1' else 'section'
        anchor = heading['id'] = f'{article["id"]}--heading-{len(found)}'
        plain = re.sub(r'\s+', ' ', heading.get_text()).strip()
        found.append(Entry(level, heading.decode_contents(), anchor, plain))
    return found


def contents(entries: list[Entry], pages: dict[str, int]) -> str:
    rows = []
    for entry in entries:
        if entry.level == 'part':
            rows.append(f'</ul><p class="part">{html.escape(entry.title)}</p><ul>')
            continue
        page = pages.get(entry.anchor, UNKNOWN)
        rows.append(
            f'<li class="{entry.level}"><a href="#{entry.anchor}">{entry.title}</a>'
            f'<span class="dots"></span><span class="page">{page}</span></li>'
        )
    return f'<ul>{"".join(rows)}</ul>'


def cover(config: dict[str, str]) -> str:
    logo = (ROOT / config['logo']).as_uri()
    main, _, second = config['title'].partition('：')
    return (
        f'<section class="cover"><img src="{logo}" alt="">'
        f'<h1>{html.escape(main)}<br>{html.escape(second)}</h1>'
        f'<p>{html.escape(config["author"])}</p><p>{config["copyright"]}</p>'
        '<p class="licence">代码采用 MIT 许可，文字和插图采用 CC BY 4.0。</p></section>'
    )


class Book:
    """拼好的书：正文只读一次，目录随页码重写。"""

    def __init__(self) -> None:
        text = (ROOT / '_config.yml').read_text(encoding='utf-8')
        self.config = yaml.safe_load(text)
        self.entries: list[Entry] = []
        bodies = []
        for caption, names in book_order():
            if caption:
                self.entries.append(Entry('part', caption))
            for document in names:
                article = read_article(document)
                self.entries += entries_of(article)
                bodies.append(f'<div class="chapter-body">{article}</div>')
        self.body = ''.join(bodies)
        sheets = [(SITE / name).read_text(encoding='utf-8') for name in STYLES]
        sheets.append(Path(__file__).with_name('paper.css').read_text(encoding='utf-8'))
        self.style = '\n'.join(sheets)

    def page(self, pages: dict[str, int], extra_style: str = '') -> str:
        return (
            '<!doctype html><html lang="zh-CN" data-theme="light"><head><meta charset="utf-8">'
            f'<title>{html.escape(self.config["title"])}</title>'
            f'<style>{self.style}{extra_style}</style></head><body>{cover(self.config)}'
            '<nav class="contents"><h2>目录</h2>'
            f'{contents(self.entries, pages)}</nav>{self.body}</body></html>'
        )

    def print_to(
        self, target: Path, pages: dict[str, int], *, draft: bool = False
    ) -> dict[str, int]:
        """印一遍，返回 {锚点: 页码}。

        ``draft`` 为真时只排版面：不画内容，也不写给读屏软件用的标签，印得快。
        """
        target.unlink(missing_ok=True)  # 删掉上一遍的，免得误当成这一遍的
        style = UNPAINTED if draft else ''
        SOURCE.write_text(self.page(pages, style), encoding='utf-8')
        run_browser(
            '--no-pdf-header-footer',
            '--disable-pdf-tagging' if draft else '--export-tagged-pdf',
            '--run-all-compositor-stages-before-draw',
            f'--print-to-pdf={target}',
            SOURCE.as_uri(),
        )
        if not target.exists():
            raise PaperError('Chromium 没有印出 PDF')
        return heading_pages(target)


def heading_pages(path: Path) -> dict[str, int]:
    """PDF 里每个有名字的锚点在第几页，从 1 数起。"""
    with Pdf.open(path) as pdf:
        numbers = {page.objgen: index for index, page in enumerate(pdf.pages, start=1)}
        return {
            unquote(name.removeprefix('/')): numbers[destination[0].objgen]
            for name, destination in pdf.Root.Dests.items()
        }


def outline(book: Book, pages: dict[str, int]) -> list[OutlineItem]:
    """书签：各章，节在章之下。"""
    chapters: list[OutlineItem] = []
    for entry in book.entries:
        if entry.level == 'part':
            continue
        mark = OutlineItem(entry.plain, pages[entry.anchor] - 1)  # 从 0 数起
        siblings = chapters if entry.level == 'chapter' else chapters[-1].children
        siblings.append(mark)
    return chapters


def finish(printed: Path, target: Path, book: Book, pages: dict[str, int]) -> int:
    """补上书签与书名，压紧，返回页数。

    Chromium 自己的书签会把页首的标题写两遍，所以不用；制作时间也不留，
    同样的书印出同样的内容。
    """
    written = io.BytesIO()
    with Pdf.open(printed) as pdf:
        with pdf.open_outline() as marks:
            marks.root.extend(outline(book, pages))
        del pdf.docinfo
        pdf.docinfo['/Title'] = book.config['title']
        pdf.docinfo['/Author'] = book.config['author']
        pdf.save(
            written,
            object_stream_mode=ObjectStreamMode.generate,  # 读屏用的标签有九万个小对象
            deterministic_id=True,
        )
        count = len(pdf.pages)
    write_bytes(target, written.getvalue())
    return count


def make_pdf(target: Path = TARGET) -> int:
    """印两遍，返回页数。没有浏览器时，在拼页之前就抛出 BrowserError。"""
    find_browser()
    book = Book()
    printed = SOURCE.with_suffix('.pdf')
    before = book.print_to(printed, {}, draft=True)  # 这一遍只为页码
    missing = [e.anchor for e in book.entries if e.anchor and e.anchor not in before]
    if missing:
        raise PaperError(f'PDF 里找不到这些标题：{"、".join(missing[:5])}')
    after = book.print_to(printed, before)
    if after != before:
        raise PaperError('填入页码后版面变了，目录的页码不可靠')
    return finish(printed, target, book, after)


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    try:
        count = make_pdf()
    except (BrowserError, PaperError) as error:
        print(error, file=sys.stderr)
        return 1
    size = TARGET.stat().st_size / 1e6
    print(f'PDF 已印好，{count} 页，{size:.1f} MB：{TARGET.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    run(main)
