"""全书的 PDF：拼页的规则，以及印出来的成品。"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from conftest import require_browser
from pypdf import PdfReader
from pypdf.generic import DictionaryObject
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / '_build' / 'html'
sys.path.insert(0, str(ROOT / 'tools'))

import headless_chromium  # noqa: E402
import make_pdf  # noqa: E402

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
        ('../index.html', '#index'),
        ('https://arxiv.org/', 'https://arxiv.org/'),
        ('../genindex.html', ''),
        ('../_sources/chapters/nin.ipynb', ''),
    ],
)
def test_links_lead_inside_the_book(url: str, expected: str) -> None:
    assert make_pdf.paper_link(url, 'chapters/nin') == expected


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
    if not (SITE / 'index.html').exists():
        pytest.fail('先运行 make book', pytrace=False)
    monkeypatch.setattr(headless_chromium.shutil, 'which', lambda name: None)
    assert make_pdf.main() == 1
    message = capsys.readouterr().err
    assert 'Chromium' in message and '安装' in message and message.count('\n') == 1


@pytest.fixture(scope='module')
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_browser()
    if not (SITE / 'index.html').exists():
        pytest.fail('先运行 make book', pytrace=False)
    target = tmp_path_factory.mktemp('pdf') / 'book.pdf'
    make_pdf.make_pdf(target)
    return target


def chapter_files() -> list[str]:
    toc = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    entries = [entry for part in toc['parts'] for entry in part['chapters']]
    nested = [[entry, *entry.get('sections', ())] for entry in entries]
    return [toc['root']] + [page['file'] for group in nested for page in group]


def squeezed(text: str) -> str:
    # 从字体里取出的字有的是部首区的「⽹」，与「网」是同一个字形。
    return re.sub(r'\s+', '', unicodedata.normalize('NFKC', text))


def test_outline_lists_every_chapter_in_order(pdf: Path) -> None:
    reader = PdfReader(pdf)
    chapters = [item for item in reader.outline if not isinstance(item, list)]
    assert len(chapters) == len(chapter_files())
    pages = [reader.get_destination_page_number(item) for item in chapters]
    assert pages == sorted(pages)
    assert 60 < len(reader.pages) < 400


@pytest.fixture(scope='module')
def first_pages(pdf: Path) -> dict[str, str]:
    """{章名: 书签所指的那一页的文字}。pypdf 取一页的文字要半秒，所以不取全书。"""
    reader = PdfReader(pdf)
    return {
        item.title: squeezed(
            reader.pages[reader.get_destination_page_number(item)].extract_text()
        )
        for item in reader.outline
        if not isinstance(item, list)
    }


def test_outline_leads_to_the_page_with_the_heading(first_pages: dict[str, str]) -> None:
    for title, text in first_pages.items():
        assert squeezed(title) in text, title


def test_contents_name_the_right_pages(pdf: Path) -> None:
    """目录里每一章后面的数字就是它所在的页。"""
    reader = PdfReader(pdf)
    first = reader.get_destination_page_number(reader.outline[0])
    pages = (page.extract_text() for page in reader.pages[1:first])
    lines = {squeezed(line) for text in pages for line in text.splitlines()}
    for item in reader.outline:
        if not isinstance(item, list):
            number = reader.get_destination_page_number(item) + 1
            assert f'{squeezed(item.title)}{number}' in lines, item.title


def test_parts_of_the_line_under_a_title_are_separated(
    first_pages: dict[str, str],
) -> None:
    recorded = [text for text in first_pages.values() if '训练结果录自' in text]
    assert len(recorded) > 10  # 六个网络、练习、实验
    assert all('分钟·训练结果录自' in text for text in recorded)
    assert not any('分钟训练结果' in text for text in first_pages.values())


def test_pdf_is_tagged_for_screen_readers(pdf: Path) -> None:
    root = PdfReader(pdf).trailer['/Root']
    assert root['/MarkInfo']['/Marked']
    assert '/StructTreeRoot' in root


def fonts(reader: PdfReader) -> Iterator[DictionaryObject]:
    for page in reader.pages:
        for font in page['/Resources'].get('/Font', {}).values():
            yield font.get_object()


def test_every_font_is_embedded(pdf: Path) -> None:
    for font in fonts(PdfReader(pdf)):
        if font['/Subtype'] == '/Type3':  # 字形就写在 PDF 里
            continue
        inner = font
        if '/DescendantFonts' in font:
            inner = font['/DescendantFonts'][0].get_object()
        descriptor = inner['/FontDescriptor']
        embedded = {'/FontFile', '/FontFile2', '/FontFile3'} & descriptor.keys()
        assert embedded, font['/BaseFont']


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
