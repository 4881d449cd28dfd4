"""每一页第一次打开要传的字节不超过预算。只数文件，不开浏览器；时间见 make site-report。"""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from book_light.site_files import built_pages
from built_site import SITE, built_file
from transfer_size import transfer_size

PAGE_BUDGET = 1_200_000  # 全部请求，压缩之后
# 画出第一屏之前必须到齐的：Slow 4G 每秒约 180 KB，加上两个来回，还来得及在 2.5 秒内显示。
FIRST_PAINT_BUDGET = 180_000
ADDRESS = re.compile(r'url\(\s*["\']?(?!data:)([^"\')]+)')


class Requests(HTMLParser):
    """一页会取的文件：全部的，以及画出第一屏之前必须到的。"""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.page = page
        self.files = {page}
        self.blocking = {page}
        self.feed(page.read_text(encoding='utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or '' for name, value in attrs}
        relation = values.get('rel', '')
        if tag in ('script', 'img', 'source') and 'src' in values:
            waits = {'defer', 'async'} & values.keys() or tag != 'script'
            self.add(values['src'], blocking=not waits)
        elif tag == 'link' and relation in ('stylesheet', 'preload', 'icon'):
            self.add(values['href'], blocking=relation == 'stylesheet')

    def add(self, url: str, blocking: bool) -> None:
        if url.startswith('data:'):
            return
        path = (self.page.parent / unquote(urlsplit(url).path)).resolve()
        self.files.add(path)
        if blocking:
            self.blocking.add(path)
        if path.suffix == '.css':
            self.files |= fonts_and_pictures(path)


@cache
def fonts_and_pictures(sheet: Path) -> set[Path]:
    """样式表可能去取的文件；不存在的旧格式字体浏览器不会去取。"""
    text = sheet.read_text(encoding='utf-8')
    urls = {urlsplit(url).path for url in ADDRESS.findall(text)}
    found = {(sheet.parent / url).resolve() for url in urls if url}
    return {path for path in found if path.is_file()}


@cache
def requests() -> list[Requests]:
    built_file()
    return [Requests(path.resolve()) for path in sorted(built_pages(SITE))]


def test_first_view_stays_within_the_budget() -> None:
    for page in requests():
        total = sum(transfer_size(path) for path in page.files)
        assert total <= PAGE_BUDGET, f'{page.page.name}：{total}'


def test_little_is_needed_before_the_first_paint() -> None:
    for page in requests():
        total = sum(transfer_size(path) for path in page.blocking)
        assert total <= FIRST_PAINT_BUDGET, f'{page.page.name}：{total}'


def test_a_page_waits_for_one_stylesheet_alone() -> None:
    for page in requests():
        if page.page.name == '404.html':  # 样式写在页内
            continue
        sheets = [path.name for path in page.blocking if path.suffix == '.css']
        assert len(sheets) == 1, f'{page.page.name}：{sheets}'
        if 'slides' not in page.page.parts:  # 幻灯片的脚本在页尾
            assert len(page.blocking) == 2, f'{page.page.name}：{page.blocking}'


def test_nothing_unused_is_published() -> None:
    requests()
    names = [path.name for path in (SITE / '_static').rglob('*')]
    assert not [name for name in names if name.endswith(('.map', '.ttf', '.woff2', '.po'))]
    assert 'fontawesome.js' not in names
