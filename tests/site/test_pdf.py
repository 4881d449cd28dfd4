"""全书的 PDF：拼页的规则，以及印出来的成品。"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import headless_chromium
import make_pdf
import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from built_site import built_file
from pikepdf import Dictionary, Pdf
from pypdfium2 import PdfDocument
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parents[2]

TOO_WIDE = """
const edge = document.body.getBoundingClientRect().right + 1;
return [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('svg') && e.getBoundingClientRect().right > edge)
  .map(e => e.tagName + ' ' + e.textContent.slice(0, 60));
"""


def article(markup: str) -> Tag:
    page = BeautifulSoup(f'<article>{markup}</article>', 'html.parser')
    assert page.article
    return page.article


@pytest.mark.parametrize(
    ('url', 'expected'),
    [
        ('#sec-a', '#nin--sec-a'),
        ('vgg.html', '#vgg'),
        ('vgg.html#sec-b', '#vgg--sec-b'),
        ('vgg.html#structure-1?depth=vgg19', '#vgg--structure-1'),
        ('exercises/tuning.html', '#exercises-tuning'),
        ('../index.html', '#index'),
        ('https://arxiv.org/', 'https://arxiv.org/'),
        ('../genindex.html', ''),
        ('../_sources/chapters/nin.ipynb', ''),
    ],
)
def test_links_lead_inside_the_book(url: str, expected: str) -> None:
    assert make_pdf.paper_link(url, 'chapters/nin') == expected


def test_embedded_pictures_stay_in_the_page() -> None:
    part = article('<img src="data:image/png;base64,iVBO"><img src="../_images/a.png">')
    make_pdf.localise(part, 'chapters/lab')
    embedded, file = (image['src'] for image in part.find_all('img'))
    assert embedded.startswith('data:') and file.endswith('/_images/a.png')


def test_training_logs_are_not_printed() -> None:
    log = '<details class="hide"><summary>展开每轮的记录</summary><pre>第 1/2 轮</pre></details>'
    part = article(log)
    make_pdf.open_folded(part)
    assert '第 1/2 轮' not in part.get_text() and '纸上不印' in part.get_text()
    assert not part.find('details')


def test_folded_solutions_are_opened() -> None:
    part = article('<details class="sd"><summary>解答</summary><p>因为</p></details>')
    make_pdf.open_folded(part)
    assert not part.find('details') and not part.find('summary')
    assert part.get_text() == '解答因为'


def test_columns_decide_the_size_of_a_table() -> None:
    part = article(
        f'<table><tr>{"<td>1</td>" * 8}</tr></table><table><tr></tr></table>'
    )
    make_pdf.mark_wide_tables(part)
    assert [table.get('class') for table in part.find_all('table')] == [['wide'], None]


def test_missing_browser_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built_file()
    monkeypatch.setattr(headless_chromium.shutil, 'which', lambda name: None)
    assert make_pdf.main([]) == 1
    message = capsys.readouterr().err
    assert 'Chromium' in message and '安装' in message and message.count('\n') == 1


@pytest.fixture(scope='module')
def pdf(tmp_path_factory: pytest.TempPathFactory, browser_needed: None) -> Path:
    built_file()
    target = tmp_path_factory.mktemp('pdf') / 'book.pdf'
    make_pdf.make_pdf(target)
    return target


@pytest.fixture(scope='module')
def document(pdf: Path) -> Iterator[PdfDocument]:
    """印好的书，用 PDFium 读：印它的是 Chromium，写书签的是 pikepdf。"""
    with PdfDocument(pdf) as opened:
        yield opened


@dataclass(frozen=True)
class Bookmark:
    level: int  # 0 是章，1 是节
    title: str
    page: int  # 从 1 数起


@pytest.fixture(scope='module')
def bookmarks(document: PdfDocument) -> list[Bookmark]:
    return [
        Bookmark(mark.level, squeezed(mark.get_title()), mark.get_dest().get_index() + 1)
        for mark in document.get_toc()
    ]


@pytest.fixture(scope='module')
def marked_pages(document: PdfDocument, bookmarks: list[Bookmark]) -> dict[int, str]:
    """{页码: 文字}，有书签的每一页。"""
    pages = {mark.page for mark in bookmarks}
    return {page: page_text(document, page) for page in pages}


@pytest.fixture(scope='module')
def first_pages(bookmarks: list[Bookmark], marked_pages: dict[int, str]) -> dict[str, str]:
    """{章名: 书签所指的那一页的文字}。"""
    chapters = [mark for mark in bookmarks if mark.level == 0]
    return {mark.title: marked_pages[mark.page] for mark in chapters}


def squeezed(text: str) -> str:
    # 从字体里取出的字有的是部首区的「⽹」，与「网」是同一个字形。
    return re.sub(r'\s+', '', unicodedata.normalize('NFKC', text))


def page_text(document: PdfDocument, number: int) -> str:
    """第 ``number`` 页（从 1 数起）的文字；每一页的文字以页码开头。"""
    text = squeezed(document[number - 1].get_textpage().get_text_range())
    return text.removeprefix(str(number))


def parts() -> list[tuple[str, int]]:
    """各部分的名字，与其中的章数；首页自成一部分，没有名字。"""
    toc = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    return [('', 1)] + [
        (part['caption'], sum(1 + len(e.get('sections', ())) for e in part['chapters']))
        for part in toc['parts']
    ]


def test_outline_lists_every_chapter_in_order(
    document: PdfDocument, bookmarks: list[Bookmark]
) -> None:
    chapters = [mark for mark in bookmarks if mark.level == 0]
    assert len(chapters) == sum(count for _, count in parts())
    assert len(bookmarks) > 3 * len(chapters)  # 节也在里面
    pages = [mark.page for mark in bookmarks]
    assert pages == sorted(pages)
    assert 60 < len(document) < 600


def test_outline_leads_to_the_page_with_the_heading(
    bookmarks: list[Bookmark], marked_pages: dict[int, str]
) -> None:
    for mark in bookmarks:
        assert mark.title in marked_pages[mark.page], mark


def test_contents_name_the_right_pages(
    document: PdfDocument, bookmarks: list[Bookmark]
) -> None:
    """目录逐行写着部分、章、节的名字，章与节的后面是它所在的页。"""
    captions = [caption for caption, count in parts() for _ in range(count)]
    expected, part, chapter = '目录', '', 0
    for mark in bookmarks:
        if mark.level == 0 and captions[chapter] != part:
            part = captions[chapter]
            expected += squeezed(part)
        chapter += mark.level == 0
        expected += f'{mark.title}{mark.page}'
    pages = range(2, bookmarks[0].page)  # 封面之后，首页之前
    assert ''.join(page_text(document, page) for page in pages) == expected


def test_parts_of_the_line_under_a_title_are_separated(
    first_pages: dict[str, str],
) -> None:
    recorded = [text for text in first_pages.values() if '训练结果录自' in text]
    assert len(recorded) > 10  # 六个网络、练习、实验
    assert all('分钟·训练结果录自' in text for text in recorded)
    assert not any('分钟训练结果' in text for text in first_pages.values())


@pytest.fixture(scope='module')
def structure(pdf: Path) -> Iterator[Pdf]:
    with Pdf.open(pdf) as opened:
        yield opened


def test_pdf_is_tagged_for_screen_readers(structure: Pdf) -> None:
    assert structure.Root.MarkInfo.Marked
    assert '/StructTreeRoot' in structure.Root


def test_only_title_and_author_are_written(structure: Pdf) -> None:
    """不写制作时间。"""
    assert set(structure.docinfo.keys()) == {'/Title', '/Author'}
    assert 'DenseNet' in str(structure.docinfo.Title)


def fonts(pdf: Pdf) -> Iterator[Dictionary]:
    for page in pdf.pages:
        yield from page.Resources.get('/Font', {}).values()


def test_every_font_is_embedded(structure: Pdf) -> None:
    assert len([*fonts(structure)]) > 10
    for font in fonts(structure):
        if font.Subtype == '/Type3':  # 字形就写在 PDF 里
            continue
        inner = font.DescendantFonts[0] if '/DescendantFonts' in font else font
        embedded = {'/FontFile', '/FontFile2', '/FontFile3'} & inner.FontDescriptor.keys()
        assert embedded, font.BaseFont


def test_nothing_is_wider_than_the_paper(chromium: WebDriver, pdf: Path) -> None:
    """表、代码、公式、图都在版心之内。"""
    size = {'width': 650, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
    chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    try:
        chromium.get(make_pdf.SOURCE.as_uri())
        assert chromium.execute_script(TOO_WIDE) == []
    finally:
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
        chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
