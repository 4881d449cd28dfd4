"""构建之后的加工：公式换成 SVG，样式表合成一个，脚本延后。"""

import re
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import pydata_sphinx_theme
import pytest
from book_formulas.rendered import Formulas, formula_key, read_rendered
from book_light.early_scripts import lighten
from book_light.icon_font import with_used_icons
from book_light.one_stylesheet import Bundler
from book_light.picture_sizes import png_size, size_pictures, svg_size
from book_light.site_files import remove_unused
from book_light.unused_rules import Names, used_names, without_unused_rules
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont
from PIL import Image

from deepcnn import plot
from deepcnn.plot import formats


def test_known_formula_is_replaced_by_its_picture() -> None:
    formulas = Formulas({formula_key('a < b', False): '<svg></svg>'})
    assert formulas.typeset(r'<span>\(a  &lt; b\)</span>') == '<span><svg></svg></span>'
    assert list(formulas.met) == ['I a < b']


def test_unknown_formula_stays_latex_and_is_listed() -> None:
    formulas = Formulas({})
    assert formulas.typeset(r'\[x\]') == r'\[x\]'
    assert list(formulas.met) == ['D x']


def test_inline_and_display_are_different_pictures() -> None:
    assert formula_key('x', True) != formula_key('x', False)


def test_stored_formulas_are_complete_pictures() -> None:
    rendered = read_rendered()
    assert len(rendered) > 200
    for key, svg in rendered.items():
        assert 'd="@' not in svg, key
        assert svg.startswith('<mjx-container') and '<math' in svg, key


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('<script src="a.js"></script>', '<script defer="defer" src="a.js"></script>'),
        ('<script async src="a.js"></script>', '<script async src="a.js"></script>'),
        ('<script>let a</script>', '<script>let a</script>'),
        (
            '<script src="s/documentation_options.js?v=1"></script>',
            '<script>const DOCUMENTATION_OPTIONS = { A: 1 };</script>',
        ),
        ('<script defer src="s/fontawesome.js?digest=5"></script>', ''),
        ('<link rel="preload" as="script" href="s/bootstrap.js" />', ''),
    ],
)
def test_head_scripts_wait(before: str, after: str, tmp_path: Path) -> None:
    options = 'const DOCUMENTATION_OPTIONS = {\n  A: 1\n};'
    (tmp_path / 'documentation_options.js').write_text(options, 'utf-8')
    page = '<head>{}</head><body><script src="b.js"></script></body>'
    assert lighten(page.format(before), tmp_path) == page.format(after)


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / '_static'
    (folder / 'styles').mkdir(parents=True)
    (folder / 'basic.css').write_text('b{background:url(file.png)}', 'utf-8')
    (folder / 'styles/theme.css').write_text('@import "../basic.css";', 'utf-8')
    (folder / 'styles/main.css').write_text(
        'i{src:url("../fonts/i.woff2")}.fa-list:before{content:"\\f03a"}'
        '.fa-x:before,.fa-y:before{content:"\\f00d"}',
        'utf-8',
    )
    return folder


def test_stylesheets_become_one(static: Path) -> None:
    page = (
        '<head><link href="../_static/styles/theme.css?digest=1" rel="stylesheet" />\n'
        '<link rel="icon" href="../_static/logo.svg"/>\n'
        '<link rel="stylesheet" type="text/css" href="../_static/styles/main.css" />\n'
        '</head>'
    )
    bundled = Bundler(static, Names(frozenset({'fa-list'}))).bundle(page, '../')
    (sheet,) = static.glob('book-*.css')
    assert bundled.count('stylesheet') == 1 and f'_static/{sheet.name}"' in bundled
    assert 'logo.svg' in bundled
    css = sheet.read_text('utf-8')
    assert 'url(file.png)' in css and 'url(fonts/i.woff2)' in css
    assert '@import' not in css
    assert '.fa-list' in css and '.fa-x' not in css


@pytest.mark.parametrize(
    ('css', 'kept'),
    [
        ('.card{a:1}.row{b:2}', '.card{a:1}'),
        ('.row,.card>p,#top .x{a:1}', '.card>p{a:1}'),
        ('.fa-x:before,.card:before{content:"\\f00d"}', '.card:before{content:"\uf00d"}'),
        ('@media print{.row{a:1}.card .row{b:2}}p{c:3}', 'p{c:3}'),
        ('@supports (a:b){.card{a:1}.row{b:2}}', '@supports (a:b){.card{a:1}}'),
        ('p:not(.row,.x)>.card{a:1}', 'p:not(.row,.x)>.card{a:1}'),
        ('[class*=row] a{a:1}', '[class*=row] a{a:1}'),
        ('.mark--right,.mark--{a:1}.marked{b:2}', '.mark--right,.mark--{a:1}'),
        ('@font-face{src:url(a.woff2)}@keyframes x{to{a:1}}',
         '@font-face{src:url(a.woff2)}@keyframes x{to{a:1}}'),
        (':root{--row:1}/* 注释 */', ':root{--row:1}'),
        (r'.w-1\/2,.\31 0{a:1}', r'.\31 0{a:1}'),
    ],
)  # fmt: skip
def test_only_rules_of_names_in_use_stay(css: str, kept: str) -> None:
    used = Names(frozenset({'card', '10'}), ('mark--',))
    assert without_unused_rules(css, used) == kept


def outline(font: TTFont, icon: str) -> list[tuple]:
    pen = RecordingPen()
    glyphs = font.getGlyphSet()
    glyphs[font.getBestCmap()[ord(icon)]].draw(pen)
    return pen.value


def test_icon_font_keeps_the_icons_in_use_unchanged(tmp_path: Path) -> None:
    theme = Path(pydata_sphinx_theme.__file__).parent
    (solid,) = theme.rglob('fa-solid-900.woff2')
    kept = tmp_path / 'fontawesome/a.woff2'
    kept.parent.mkdir()
    kept.write_bytes(solid.read_bytes())
    face = '@font-face{font-weight:900;src:%s;font-style:normal}.x:before{content:"\uf00d"}'
    old = 'url(fontawesome/a.woff2) format("woff2"),url(fontawesome/a.ttf) format("truetype")'
    css = with_used_icons(face % old, tmp_path)
    found = re.search(r'url\(data:font/woff2;base64,([^)]*)\) format\("woff2"\)', css)
    assert css == face % found[0]
    data = b64decode(found[1])
    assert len(data) < 1000
    font = TTFont(BytesIO(data))
    assert list(font.getBestCmap()) == [0xF00D]
    assert outline(font, '\uf00d') == outline(TTFont(solid), '\uf00d')


def test_other_fonts_are_left_alone(tmp_path: Path) -> None:
    css = '@font-face{src:url(fonts/lato.woff2) format("woff2")}.x:before{content:"\uf00d"}'
    assert with_used_icons(css, tmp_path) == css


def test_names_come_from_pages_and_scripts_but_not_from_data(tmp_path: Path) -> None:
    site = tmp_path / 'data'  # 书放在叫 data 的文件夹里也一样
    (site / '_static/living/data').mkdir(parents=True)
    page = '<p class="a b--c" id="top">d<script>add("e")</script><script src="f.js"></script>'
    (site / 'index.html').write_text(page, 'utf-8')
    (site / '_static/frame.js').write_text('x.className = `g-on mark--${kind}`', 'utf-8')
    (site / '_static/living/data/w.js').write_text('"h"', 'utf-8')
    used = used_names(site)
    assert all(name in used for name in ('a', 'b--c', 'top', 'e', 'g-on', 'mark--right'))
    assert not any(name in used for name in ('d', 'f', 'h', 'g', 'b'))


def test_unused_files_go_and_empty_folders_with_them(tmp_path: Path) -> None:
    (tmp_path / 'locales/ar').mkdir(parents=True)
    (tmp_path / 'locales/ar/a.po').touch()
    (tmp_path / 'keep.js').touch()
    (tmp_path / 'keep.js.map').touch()
    remove_unused(tmp_path)
    assert [path.name for path in tmp_path.rglob('*')] == ['keep.js']


def write_png_head(path: Path, width: int, height: int) -> None:
    size = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    path.write_bytes(b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + size)


def test_pictures_carry_their_size_and_all_but_the_first_wait(tmp_path: Path) -> None:
    for name, width in (('a', 640), ('b', 300)):
        write_png_head(tmp_path / f'{name}.png', width, 200)
    logo = '<img src="../_static/logo.svg" />'
    page = '<img alt="甲" src="a.png" /><img src="b.png" /><img src="c.gif" />'
    assert size_pictures(logo + page, tmp_path) == logo + (
        '<img width="640" height="200" fetchpriority="high" alt="甲" src="a.png" />'
        '<img width="300" height="200" loading="lazy" src="b.png" />'
        '<img src="c.gif" />'
    )


def test_a_curve_and_a_picture_are_shown_at_the_same_scale(tmp_path: Path) -> None:
    """曲线存成 SVG，图像存成加倍的 PNG；笔记本里写明的像素数不留成样式。"""
    with plt.rc_context():
        plot.use_book_style()
        figure = plt.figure(figsize=(4, 2), layout='constrained')
        (tmp_path / 'a.svg').write_text(formats.as_svg(figure), encoding='utf-8')
        (tmp_path / 'b.png').write_bytes(formats.as_png(figure))
    assert Image.open(tmp_path / 'b.png').width == 880
    page = '<img src="a.svg" /><img src="b.png" style="width: 440px; height: 220px;" />'
    assert size_pictures(page, tmp_path) == (
        '<img width="440" height="220" fetchpriority="high" src="a.svg" />'
        '<img width="440" height="220" loading="lazy" src="b.png" />'
    )


def test_a_diagram_keeps_its_pixels_and_needs_a_size(tmp_path: Path) -> None:
    (tmp_path / 'a.svg').write_text('<svg x="1"\nwidth="480" height="376" y="2">')
    assert svg_size(tmp_path / 'a.svg') == (480, 376)
    (tmp_path / 'a.svg').write_text('<svg viewBox="0 0 3 3">')
    with pytest.raises(ValueError, match='a.svg 没有写明宽和高'):
        svg_size(tmp_path / 'a.svg')


@pytest.mark.parametrize('dpi', [72, 110])
def test_picture_drawn_at_the_usual_density_keeps_its_pixels(
    tmp_path: Path, dpi: int
) -> None:
    Image.new('L', (99, 44)).save(tmp_path / 'a.png', dpi=(dpi, dpi))
    page = size_pictures('<img src="a.png" />', tmp_path)
    assert '<img width="99" height="44" ' in page


def test_denser_picture_is_shown_as_large_as_before(tmp_path: Path) -> None:
    Image.new('L', (99, 44)).save(tmp_path / 'a.png', dpi=(110, 110))
    Image.new('L', (148, 66)).save(tmp_path / 'b.png', dpi=(165, 165))
    assert png_size(tmp_path / 'a.png') == png_size(tmp_path / 'b.png') == (99, 44)


def test_a_plot_saved_denser_is_shown_at_the_size_of_the_book(tmp_path: Path) -> None:
    with plt.rc_context():
        plot.use_book_style()
        figure = plt.figure(figsize=(4, 2))
        figure.savefig(tmp_path / 'a.png', dpi=165)
    assert Image.open(tmp_path / 'a.png').width == 660
    assert png_size(tmp_path / 'a.png') == (440, 220)


def test_picture_with_a_given_size_is_left_alone(tmp_path: Path) -> None:
    page = '<img src="a.png" style="width: 5em;" /><img width="3" src="a.png" />'
    assert size_pictures(page, tmp_path) == page


def test_an_embedded_picture_carries_its_size_too(tmp_path: Path) -> None:
    write_png_head(tmp_path / 'a.png', 700, 292)
    source = b64encode((tmp_path / 'a.png').read_bytes()).decode()
    page = f'<img alt="甲" src="data:image/png;base64,{source}" /><img src="a.png" />'
    assert size_pictures(page, tmp_path) == (
        f'<img width="700" height="292" alt="甲" src="data:image/png;base64,{source}" />'
        '<img width="700" height="292" fetchpriority="high" src="a.png" />'
    )


def test_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(b'GIF89a')
    with pytest.raises(ValueError, match='a.png 不是 PNG'):
        size_pictures('<img src="a.png" />', tmp_path)
