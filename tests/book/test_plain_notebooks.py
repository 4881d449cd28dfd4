"""各页在网站之外也读得通：nbconvert 里没有原样的标记、裸露的键、断的图与链接。

JupyterLab 里的另见 test_in_jupyterlab.py。
"""

import base64
import io
import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import fill_plain
import nbformat
import pytest
from book_pages.plain_markdown import BROKEN, CODE, PICTURE, upgrade
from book_source import read_page, works
from bs4 import BeautifulSoup
from built_site import built_file
from fill_plain import Book, Page, book_pages, filled, markdown_of, read_book
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbconvert import HTMLExporter
from PIL import Image
from pybtex.database import parse_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
from figures.embed import SCALE, digest, drawn_from, size_of  # noqa: E402

PAGES = book_pages()
every_page = pytest.mark.parametrize(
    'path', PAGES, ids=lambda path: path.relative_to(ROOT).with_suffix('').as_posix()
)
KEYS = tuple(parse_file(str(ROOT / 'references.bib')).entries)
RAW = re.compile(
    r'\{[a-z][\w:-]*\}|:::|^\([\w-]+\)=|</?\w+[ >]|%s|\*\*|\]\(|'
    r'\b(?:sec|ex|fig|tab|eq)-[a-z]|\b(?:' + '|'.join(KEYS) + r')\b',
    re.M,
)
# 作者照旧写了 MyST：网站认得，别的查看器不认得。
MYST = re.compile(r'^ *(?:\([\w-]+\)=|:::)|^ *`{3,}\{|\{[a-z][a-z:]*\}`', re.M)
MATH = re.compile(r'\$\$.*?\$\$|\$[^$]+\$', re.S)


def to_html(sources: list[str]) -> BeautifulSoup:
    """nbconvert 的最简模板画出的文字单元。"""
    cells = [nbformat.v4.new_markdown_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    html, _ = HTMLExporter(template_name='basic').from_notebook_node(notebook)
    return BeautifulSoup(html, 'html.parser')


@cache
def rendered(path: Path) -> BeautifulSoup:
    """一页的文字单元；一个 .md 文件当作一个单元。"""
    return to_html(markdown_of(path))


def shown_text(page: BeautifulSoup) -> str:
    """读者看到的文字，不含代码与公式。"""
    copy = BeautifulSoup(str(page), 'html.parser')
    for code in copy.select('code, pre'):
        code.decompose()
    return MATH.sub('', copy.get_text())


@every_page
def test_nothing_is_left_raw(path: Path) -> None:
    text = shown_text(rendered(path))
    assert len(text) > 80
    assert RAW.findall(text) == []


@every_page
def test_nothing_is_left_raw_by_commonmark(path: Path) -> None:
    """VS Code 用 markdown-it；这里是它的 Python 版。"""
    parser = MarkdownIt('commonmark').enable('table').use(dollarmath_plugin)
    html = ''.join(map(parser.render, markdown_of(path)))
    page = BeautifulSoup(html, 'html.parser')
    for formula in page.select('.math'):
        formula.decompose()
    assert RAW.findall(shown_text(page)) == []
    assert len(page.select('img')) == len(rendered(path).select('img'))


@pytest.mark.parametrize('raw', [
    '甲{term}`种子`', '{ref}`题 <sec-x>`', ':::{admonition} 勘误\n甲\n:::', '(sec-x)=\n# 题',
    '见 sec-x', '[he2016resnet]', '**注意：**这里', '见 [图 %s]', '[甲](x y)',
])  # fmt: skip
def test_raw_markup_is_noticed(raw: str) -> None:
    assert RAW.search(shown_text(to_html([raw])))


@every_page
def test_pictures_are_in_the_file(path: Path) -> None:
    for image in rendered(path).select('img'):
        data = image['src'].removeprefix('data:image/png;base64,')
        assert data != image['src'], f'{image["src"][:60]} 不在文件里'
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
        assert image['alt']


@cache
def anchors(path: Path) -> set[str]:
    return set(
        re.findall(
            r'<a id="([\w-]+)"></a>', path.read_text('utf-8').replace('\\"', '"')
        )
    )


@every_page
def test_links_lead_somewhere(path: Path) -> None:
    """锚点、别的页、书里的文件都在；外面的地址另由 make links 检查。"""
    page = rendered(path)
    named = {tag['id'] for tag in page.select('[id]')}
    for link in page.select('a[href]:not(.anchor-link)'):
        address, _, anchor = link['href'].partition('#')
        if address.startswith('https://'):
            continue
        target = (path.parent / address).resolve() if address else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
        assert address or anchor in named, f'{link}：锚点没有画出来'


@every_page
def test_every_plain_form_is_understood(path: Path) -> None:
    """网站换过之后没有剩下走了样的写法；构建时也会警告。"""
    assert BROKEN.findall(CODE.sub('', read_page(path))) == []
    for text in markdown_of(path):
        assert not MYST.findall(text)


@every_page
def test_numbers_and_citations_are_those_of_the_site(path: Path) -> None:
    """插进一幅图之后，后面的编号要用 make numbers 改正。"""
    built_file()
    assert filled(path, cached_book()) == path.read_text(encoding='utf-8')


@cache
def cached_book() -> Book:
    return read_book()


def pictures(path: Path) -> list[tuple[str, ...]]:
    return [found for text in markdown_of(path) for found in re.findall(PICTURE, text)]


@every_page
def test_pictures_are_those_in_img(path: Path) -> None:
    """SVG 改了，make figures 会重画 PNG。"""
    for name, _, width, source in pictures(path):
        svg = ROOT / name
        assert drawn_from(source) == digest(svg), f'{name} 过时：请运行 make figures'
        assert int(width) == size_of(svg)[0]
        image = Image.open(io.BytesIO(base64.b64decode(source.partition(',')[2])))
        assert image.size == tuple(SCALE * side for side in size_of(svg))
        assert len(image.getcolors()) > 8, f'{name} 是空白'


def test_every_diagram_is_embedded_once() -> None:
    embedded = [name for path in PAGES for name, *_ in pictures(path)]
    drawn = {f'img/{path.name}' for path in (ROOT / 'img').glob('*.svg')}
    assert sorted(embedded) == sorted(drawn - {'img/logo.svg'})


# ---- 普通的写法与它代表的 MyST ----

WORKS = {
    'https://doi.org/10.1/a%28b%29': 'he2016',
    'https://arxiv.org/abs/1': 'lin2013',
}
FORMS = [
    ('<a id="sec-x"></a>\n## 题', '(sec-x)=\n## 题'),
    ('见[块](a.ipynb#sec-x)。', '见{ref}`块 <sec-x>`。'),
    ('见[](#sec-x)。', '见{ref}`sec-x`。'),
    ('见 [图 7.1](#fig-x)、[表 2.3](#tab-x)', '见 {numref}`fig-x`、{numref}`tab-x`'),
    ('见 [](#fig-x) 与 [](#eq-x)', '见 {numref}`fig-x` 与 {eq}`eq-x`'),
    ('[(7.1)](b.ipynb#eq-x)', '{eq}`eq-x`'),
    ('[那幅图](#fig-x)', '{ref}`那幅图 <fig-x>`'),
    ('它[[He 等，2016]](https://doi.org/10.1/a%28b%29)', '它{footcite:p}`he2016`'),
    ('[He 等（2016）](https://doi.org/10.1/a%28b%29)说', '{footcite:t}`he2016`说'),
    (
        '[[He 等，2016]](https://doi.org/10.1/a%28b%29)[[Lin，2013]](https://arxiv.org/abs/1)',
        '{footcite:p}`he2016,lin2013`',
    ),
    ('[He（2016）](https://x.test)', '[He（2016）](https://x.test)'),
    ('`[图 7.1](#fig-x)`', '`[图 7.1](#fig-x)`'),
    ('```\n[块](#sec-x)\n```', '```\n[块](#sec-x)\n```'),
    (
        '<a id="fig-x"></a><!-- img/x.svg -->\n<img alt="甲" width="480" src="data:">\n\n'
        '**图 1.2**　乙。',
        ':::{figure-md} fig-x\n![甲](/img/x.svg)\n\n乙。\n:::',
    ),
    (
        '<a id="tab-x"></a>**表 1.2**　题\n\n|甲|\n|---|\n|乙|',
        ':::{table} 题\n:name: tab-x\n\n|甲|\n|---|\n|乙|:::',
    ),
    ('设<a id="eq-x"></a>\n\n$$\na\n\\tag{7.1}\n$$', '设\n\n$$\na\n$$ (eq-x)'),
    ('> **注意**\n>\n> - 甲\n>   乙', ':::{admonition} 注意\n:class: warning\n- 甲\n  乙\n:::'),
    (  # 折成一行：头一个分句，链接只留文字，公式之前就停
        '> **勘误**\n>\n> - [原文](a.md#sec-a)有 `A` 处错，$x$ 是乙',
        ':::{dropdown} 勘误：原文有 A 处错……\n:class-container: quiet\n\n'
        '- {ref}`原文 <sec-a>`有 `A` 处错，$x$ 是乙\n:::',
    ),
    (
        '> **勘误**\n>\n> 甲乙丙丁戊 $h$ 倍。',
        ':::{dropdown} 勘误：甲乙丙丁戊……\n:class-container: quiet\n\n甲乙丙丁戊 $h$ 倍。\n:::',
    ),
    ('> **问题**\n>\n> 甲', ':::{admonition} 问题\n:class: note\n甲\n:::'),
    ('> 一句引语', '> 一句引语'),
    (
        '1. 一\n\n   <details>\n   <summary>答</summary>\n\n   甲\n\n   </details>',
        '1. 一\n\n   :::{dropdown} 答\n   甲\n   :::',
    ),
    (
        '<!-- 网站：terms 层\n:a: b\n-->\n*（列出术语。）*',
        '```{terms} 层\n:a: b\n```',
    ),
    (
        '<a id="sec-x-references"></a>\n## 参考文献\n\n- He. <https://a.test>',
        '(sec-x-references)=\n## 参考文献\n\n:::{footbibliography}\n:::',
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ('plain', 'myst'), FORMS, ids=[plain[:20] for plain, _ in FORMS]
)
def test_a_plain_form_becomes_its_myst(plain: str, myst: str) -> None:
    assert upgrade(plain, WORKS) == myst


@pytest.mark.parametrize(
    'text',
    [
        '<a id="sec-x"></a>\n\n## 题',
        '<a id="tab-x"></a>**表 1.2** 题\n\n|甲|\n|---|',
        '<a id="fig-x"></a>\n<img alt="甲" src="data:">\n\n**图 1.2**　乙。',
        '> **勘误**\n> 甲',
        '<details>\n<summary>答</summary>\n甲\n</details>',
        '设<a id="eq-x"></a>\n$$\na\n\\tag{7.1}\n$$',
        '<!-- 网站：terms 层 -->',
    ],
)
def test_a_broken_form_is_reported(text: str) -> None:
    assert BROKEN.search(upgrade(text, WORKS))


# ---- 补齐编号与引文 ----


def small_book() -> tuple[Book, Path]:
    page, other = ROOT / 'chapters' / 'a.ipynb', ROOT / 'chapters' / 'b' / 'c.ipynb'
    (address,) = (a for a, key in works().items() if key == 'he2016resnet')
    entry = parse_file(str(ROOT / 'references.bib')).entries['he2016resnet']
    return Book(
        files={'fig-x': page, 'eq-x': page, 'sec-y': other, 'fig-y': other},
        titles={'sec-y': '另一节'},
        numbers={'fig-x': '图 7.3', 'eq-x': '(7.4)', 'fig-y': '图 8.1'},
        works={address: entry},
    ), page


@pytest.mark.parametrize(
    ('written', 'wanted'),
    [
        ('[](#fig-x) [图 1.1](z.ipynb#fig-x)', '[图 7.3](#fig-x) [图 7.3](#fig-x)'),
        ('[](#fig-y)', '[图 8.1](b/c.ipynb#fig-y)'),
        (
            '[](#sec-y)、[那里](#sec-y)',
            '[另一节](b/c.ipynb#sec-y)、[那里](b/c.ipynb#sec-y)',
        ),
        ('<a id="fig-x"></a>**图 0**　甲', '<a id="fig-x"></a>**图 7.3**　甲'),
        (
            '<a id="eq-x"></a>\n\n$$\na\n\\tag{0}\n$$\n\n[(0)](#eq-x)',
            '<a id="eq-x"></a>\n\n$$\na\n\\tag{7.4}\n$$\n\n[(7.4)](#eq-x)',
        ),
        (
            '[[甲，2000]](https://doi.org/10.1109/CVPR.2016.90)',
            '[[He 等，2016]](https://doi.org/10.1109/CVPR.2016.90)',
        ),
        ('[甲（2000）](https://x.test)', '[甲（2000）](https://x.test)'),
    ],
)
def test_numbers_files_and_citations_are_filled_in(written: str, wanted: str) -> None:
    assert Page(*small_book()).fill(written) == wanted


def test_the_list_holds_the_works_cited_in_order() -> None:
    page = Page(*small_book())
    page.fill('[He 等（2016）](https://doi.org/10.1109/CVPR.2016.90)')
    listed = page.fill('<a id="sec-x-references"></a>\n## 参考文献\n\n- 旧的')
    assert '旧的' not in listed and listed.count('\n- ') == 1
    assert listed.endswith('<https://doi.org/10.1109/CVPR.2016.90>')


@pytest.mark.parametrize(
    'text', ['[甲](#sec-none)', '[](#fig-new)', '<a id="fig-new"></a>**图 0**　甲']
)
def test_an_unknown_label_is_refused(text: str) -> None:
    book, page = small_book()
    book.files['fig-new'] = page  # 新的图，网站上还没有
    book.titles['fig-new'] = ''
    with pytest.raises(KeyError, match='sec-none|fig-new'):
        Page(book, page).fill(text)


@pytest.fixture
def tiny_book(tmp_path: Path) -> Path:
    """一页书：图的编号和别的页上的引用都过时了。"""
    (tmp_path / 'chapters').mkdir()
    (tmp_path / 'index.md').write_text('见 [图 1.1](#fig-x)。\n', encoding='utf-8')
    caption = '<a id="fig-x"></a>**图 0**　甲\n'
    (tmp_path / 'chapters' / 'a.md').write_text(caption, encoding='utf-8')
    shutil.copy(ROOT / 'references.bib', tmp_path)
    return tmp_path


def build(book: Path) -> None:
    site = book / '_build' / 'html'
    site.mkdir(parents=True)
    html = '<figure id="fig-x"><span class="caption-number">图 2.1 </span></figure>'
    (site / 'index.html').write_text(html, encoding='utf-8')


def test_the_command_corrects_the_numbers(
    tiny_book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tiny_book)
    assert fill_plain.main(['--check'], tiny_book) == 1
    assert '过时：chapters/a.md' in capsys.readouterr().out
    assert fill_plain.main([], tiny_book) == 0
    page = (tiny_book / 'chapters' / 'a.md').read_text(encoding='utf-8')
    assert page == '<a id="fig-x"></a>**图 2.1**　甲\n'
    index = (tiny_book / 'index.md').read_text(encoding='utf-8')
    assert index == '见 [图 2.1](chapters/a.md#fig-x)。\n'
    assert fill_plain.main(['--check'], tiny_book) == 0


def test_the_command_says_what_is_missing(
    tiny_book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fill_plain.main([], tiny_book) == 1
    assert '请先运行 make book' in capsys.readouterr().err
    build(tiny_book)
    (tiny_book / 'index.md').write_text('[](#sec-none)\n', encoding='utf-8')
    assert fill_plain.main([], tiny_book) == 1
    assert '没有这个标签，或网站是旧的：sec-none' in capsys.readouterr().err


def test_ids_of_cells_stay_unique() -> None:
    for path in PAGES:
        if path.suffix == '.ipynb':
            cells = json.loads(path.read_text(encoding='utf-8'))['cells']
            assert len({cell['id'] for cell in cells}) == len(cells)


def test_a_notebook_with_a_conflict_is_named(
    tiny_book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tiny_book)
    broken = tiny_book / 'chapters' / 'nin.ipynb'
    broken.write_text('<<<<<<< HEAD', encoding='utf-8')
    assert fill_plain.main([], tiny_book) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert 'nin.ipynb 读不了' in line and '冲突' in line
