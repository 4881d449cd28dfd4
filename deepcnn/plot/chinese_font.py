"""随书的中文字体：导入 ``deepcnn.plot`` 就装上，别的字体里没有的字由它来补。"""

import warnings
from collections.abc import Iterator
from functools import cache, wraps
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import (
    FontManager,
    FontProperties,
    fontManager,
    get_font,
)
from matplotlib.text import Text

FONT = Path(__file__).with_name('fonts') / 'NotoSansSC-subset.otf'
# 随书的只有常用字；更少见的字用系统里的，依次找这些。
SYSTEM_FAMILIES = (
    'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', 'PingFang SC',
    'Hiragino Sans GB', 'WenQuanYi Micro Hei', 'WenQuanYi Zen Hei', 'SimHei',
    'Noto Sans CJK JP', 'Noto Serif CJK SC', 'Songti SC', 'SimSun', 'Arial Unicode MS',
)  # fmt: skip


def install_chinese_font() -> None:
    """此后这个进程里的图，不管样式选哪种字体，其中没有的字都由 ``substitutes`` 来补。

    只把字体写进 rcParams 不够：seaborn、``plt.style.use`` 一类的样式会整个换掉它。
    matplotlib 每写一段文字都问字体管理器依次用哪几种字体，这里在末尾添上中文的。
    """
    if all(entry.fname != str(FONT) for entry in fontManager.ttflist):
        fontManager.addfont(str(FONT))  # 每加一次都清掉缓存
    # 不是公开的接口：将来没有了的话，还有 use_book_style 写进 rcParams 的那一份
    find = getattr(FontManager, '_find_fonts_by_props', None)
    if find is None or hasattr(find, '__wrapped__'):
        return

    @wraps(find)
    def with_substitutes(
        self: FontManager, prop: object, fontext: str = 'ttf', **others: object
    ) -> list[str]:
        found = find(self, prop, fontext, **others)
        added = () if fontext == 'afm' else substitutes()
        return list(dict.fromkeys([*found, *added]))

    FontManager._find_fonts_by_props = with_substitutes


@cache
def book_family() -> str:
    """随书字体的名字，写进 rcParams 用。"""
    return FontProperties(fname=str(FONT)).get_name()


@cache
def substitutes() -> tuple[str, ...]:
    """补字用的字体文件：随书的，再加系统里的一种中文字体（有的话）。"""
    known = {entry.name for entry in fontManager.ttflist if entry.fname != str(FONT)}
    found = [name for name in SYSTEM_FAMILIES if name in known][:1]
    return str(FONT), *map(file_of, found)


def file_of(family: str) -> str:
    """matplotlib 为这个名字（也可以是 sans-serif 一类）选的字体文件。"""
    return fontManager.findfont(FontProperties(family=[family]))


def keep_legible(fig: Figure) -> None:
    """图里的字在哪种字体里都没有时，只用一行中文写出是哪些字。

    与公式（``$…$``）写在一起的字没有替补可用，改用随书的字体。
    """
    texts = fig.findobj(Text)
    for text in texts:
        if '$' in text.get_text() and not text.get_text().isascii():
            text.set_fontfamily([book_family()])
    missing = sorted(set().union(*map(undrawable, texts)))
    if not missing:
        return
    warnings.warn(
        f'没有字体能画「{"".join(missing)}」，图里会是方框：请换一种写法，或安装 Noto Sans CJK '
        f'SC，删去 {matplotlib.get_cachedir()} 里的 fontlist*.json，再重启 Python',
        stacklevel=3,
    )
    for one in missing:  # matplotlib 画的时候每个字还会用英文说一遍
        warnings.filterwarnings('ignore', message=f'Glyph {ord(one)} ')


def undrawable(text: Text) -> set[str]:
    """``text`` 里哪种字体都没有的字。"""
    rest = {one for one in text.get_text() if not one.isspace()}
    fonts = fonts_of(text)
    while rest and (font := next(fonts, None)):
        rest = {one for one in rest if ord(one) not in code_points(font)}
    return rest


def fonts_of(text: Text) -> Iterator[str]:
    """写这段文字能用的字体文件；随书的几乎总是够了，所以最先。"""
    yield from substitutes()
    for family in text.get_fontfamily():
        yield file_of(family)


@cache
def code_points(font: str) -> frozenset[int]:
    """字体文件里有哪些字。"""
    return frozenset(get_font(font).get_charmap())
