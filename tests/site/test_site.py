"""检查成品网站 _build/html：链接、锚点、图片与公式在离线时都可用。"""

import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from built_site import SITE, built_file

ROOT = Path(__file__).resolve().parents[2]
HAN = re.compile('[\u4e00-\u9fff]')

# 浏览器打开页面时就会去取的东西；<a href> 只有点了才取，不在其中。
LOADED_BY_PAGE = {
    ('script', 'src'),
    ('img', 'src'),
    ('source', 'src'),
    ('iframe', 'src'),
    ('link', 'href'),
}


@dataclass
class Page:
    """一页 HTML 里与检查有关的内容。"""

    path: Path
    language: str = ''
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)  # 读者会点的
    loaded: list[str] = field(default_factory=list)  # 浏览器自动取的
    alts: list[tuple[str, str]] = field(default_factory=list)  # (图片, 替代文字)
    has_formula: bool = False

    @property
    def name(self) -> str:
        return self.path.relative_to(SITE).as_posix()


class PageReader(HTMLParser):
    """从 HTML 里收集 :class:`Page`。"""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.page = Page(path)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        page, values = self.page, {name: value or '' for name, value in attrs}
        if tag == 'html':
            page.language = values.get('lang', '')
        if 'id' in values:
            page.ids.add(values['id'])
        if tag == 'a' and 'href' in values:
            page.links.append(values['href'])
        if tag == 'img':
            page.alts.append((values.get('src', ''), values.get('alt', '')))
        if 'math' in values.get('class', '').split():
            page.has_formula = True
        for name in ('src', 'href'):
            if name in values and (tag, name) in LOADED_BY_PAGE:
                page.loaded.append(values[name])


def read_page(path: Path) -> Page:
    reader = PageReader(path)
    reader.feed(path.read_text(encoding='utf-8'))
    return reader.page


@cache
def read_site() -> dict[Path, Page]:
    """读入整个网站，返回 {文件: Page}；网站还没有建时测试失败。"""
    built_file()
    # _static 里的 .html 是主题的模板片段，不是页面。
    found = (path for path in SITE.rglob('*.html') if '_static' not in path.parts)
    return {path.resolve(): read_page(path) for path in sorted(found)}


def pages() -> list[Page]:
    return list(read_site().values())


def is_external(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme or parts.netloc)


def resolve(page: Page, url: str) -> tuple[Path, str]:
    """返回站内地址指向的文件与锚点。"""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if path.startswith('/'):  # 从网站的根写起
        return (SITE / path.lstrip('/')).resolve(), unquote(parts.fragment)
    target = (page.path.parent / path).resolve() if path else page.path.resolve()
    return target, unquote(parts.fragment).partition('?')[0]  # 之后是活页的状态


def toc_documents() -> list[str]:
    """_toc.yml 里的全部文档名，不带扩展名。"""
    toc = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    chapters = [entry for part in toc['parts'] for entry in part['chapters']]
    sections = [s for chapter in chapters for s in chapter.get('sections', ())]
    return [toc['root'], *(entry['file'] for entry in (*chapters, *sections))]


def test_every_document_of_the_contents_has_a_page() -> None:
    names = {page.name for page in pages()}
    documents = toc_documents()
    assert len(documents) == len(set(documents)) >= 27
    assert {f'{document}.html' for document in documents} <= names


def test_pages_declare_chinese() -> None:
    assert {page.name: page.language for page in pages()} == {
        page.name: 'zh-CN' for page in pages()
    }


def test_links_lead_somewhere() -> None:
    site, broken = read_site(), []
    for page in pages():
        for url in page.links:
            if is_external(url):
                continue
            target, anchor = resolve(page, url)
            if not target.is_file():
                broken.append(f'{page.name}：{url} 没有这个文件')
            elif anchor and target in site and anchor not in site[target].ids:
                broken.append(f'{page.name}：{url} 没有这个锚点')
    assert not broken, '\n'.join(broken)


def test_external_links_are_web_addresses() -> None:
    schemes = {
        urlsplit(url).scheme
        for page in pages()
        for url in page.links
        if is_external(url)
    }
    assert schemes <= {'http', 'https', 'mailto'}


def test_pages_load_only_files_of_the_site() -> None:
    wrong = []
    for page in pages():
        for url in page.loaded:
            if url.startswith('data:'):
                continue
            if is_external(url):
                wrong.append(f'{page.name}：从站外取 {url}')
            elif not resolve(page, url)[0].is_file():
                wrong.append(f'{page.name}：缺少 {url}')
    assert not wrong, '\n'.join(wrong)


def test_stylesheets_load_only_files_of_the_site() -> None:
    read_site()
    outside = re.compile(r"""(?:url\(|@import)\s*['"]?(?:https?:)?//""")
    wrong = [
        sheet.relative_to(SITE).as_posix()
        for sheet in SITE.rglob('*.css')
        if outside.search(sheet.read_text(encoding='utf-8'))
    ]
    assert not wrong


def test_images_have_a_chinese_description() -> None:
    wrong = [
        f'{page.name}：{source} 的替代文字是 {alt!r}'
        for page in pages()
        for source, alt in page.alts
        if not HAN.search(alt) or '_images/' in alt
    ]
    assert not wrong, '\n'.join(wrong)


def test_formulas_are_typeset_offline() -> None:
    """公式都已排成 SVG 写在页面里，不必载入 MathJax；缺的用 make formulas 补排。"""
    with_formula = [page for page in pages() if page.has_formula]
    assert with_formula
    for page in with_formula:
        text = page.path.read_text(encoding='utf-8')
        formulas = re.findall(r'<(?:span|div)[^>]* class="math notranslate', text)
        typeset = re.findall(r'<mjx-container[^>]*><svg[^>]*viewBox', text)
        assert len(typeset) == len(formulas), f'{page.name}：请运行 make formulas'
        assert not [url for url in page.loaded if 'mathjax' in url], page.name
        # 读屏软件读的是 MathML。
        assert text.count('<mjx-assistive-mml') == len(formulas), page.name


def test_tables_of_the_notebooks_are_typeset() -> None:
    read_site()
    left = [page.name for page in pages() if '<p>| ' in page.path.read_text('utf-8')]
    assert not left
    layers = (SITE / 'chapters' / 'densenet.html').read_text('utf-8')
    assert '<td class="text-right"><p>74,317,824</p></td>' in layers


def test_mathjax_stands_by_for_new_formulas() -> None:
    read_site()
    mathjax = SITE / 'mathjax' / 'tex-svg-full.js'
    assert mathjax.stat().st_size > 1_000_000, '这不是完整的 MathJax'


def test_plots_keep_their_place_while_loading() -> None:
    """写明宽高，图到了文字才不跳；每页只有第一张优先。"""
    seen, embedded = 0, set()
    for page in pages():
        text = page.path.read_text(encoding='utf-8')
        here = re.findall(r'<img[^>]*\bsrc="data:image/[^>]*>', text)
        embedded |= {page.name for _ in here}
        plots = re.findall(r'<img[^>]*_images/[^>]*\.(?:png|svg)"[^>]*>', text)
        for tag in plots + here:
            assert re.search(r'\bwidth="[1-9]\d*" height="[1-9]\d*"', tag), tag
        first = [tag for tag in plots if 'fetchpriority="high"' in tag]
        assert first == plots[:1], page.name
        assert all('loading="lazy"' in tag for tag in plots[1:]), page.name
        seen += len(plots)
    assert seen > 60 and embedded == {'index.html', 'chapters/lab.html'}


def test_a_branch_of_github_pages_keeps_static_files() -> None:
    read_site()
    assert (SITE / '.nojekyll').is_file()


def test_missing_addresses_get_a_page_that_works_at_any_depth() -> None:
    page = read_site()[(SITE / '404.html').resolve()]
    assert page.loaded == ['data:,']  # 没有图标，浏览器也不去根上找
    base = yaml.safe_load((ROOT / '_config.yml').read_text('utf-8'))['html']['baseurl']
    assert page.links == [f'{base or "/"}{name}.html' for name in ('index', 'search')]
    assert '<style>' in page.path.read_text('utf-8')
