"""全书的图的样式：随书的中文字体、字号与配色；图下方的一行来历。

网页的正文宽 660 像素，375 像素宽的手机上是 343。图不宽过 ``WIDTH``，字不小于 ``SMALL``，
缩到手机的宽度时，最小的字仍有 8 像素高。
"""

from unicodedata import east_asian_width

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from deepcnn.plot.chinese_font import book_family, keep_legible
from deepcnn.plot.inline_backend import show_figures_inline, store_crisp_figures

WIDTH = 5.9  # 英寸；按 110 dpi 是 649 像素
SMALL = 10  # 磅


def use_book_style() -> None:
    """以随书的中文字体为主，统一字号、线宽与配色；只影响当前进程。

    不调用它，或随后换成别的样式，图里的中文也不会是方框：见 ``chinese_font``。
    在笔记本里，图总显示在单元下面，即使环境里的 MPLBACKEND 另有所指；曲线是 SVG，图像是
    密度加倍的 PNG。
    """
    show_figures_inline()
    store_crisp_figures()
    plt.rcParams.update(
        {
            'font.family': [book_family(), 'DejaVu Sans'],
            'axes.unicode_minus': False,
            'font.size': 11,
            'figure.dpi': 110,
            'axes.spines.top': False,
            'axes.spines.right': False,
            'axes.grid': False,
            'axes.prop_cycle': plt.cycler(  # Okabe–Ito，色觉障碍者也能区分
                color=['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']
            ),
        }
    )


def stamp(fig: Figure, provenance: str) -> Figure:
    """在图的下方写来历：数据集、档位、设备、种子；太长时分成几行。图画好之后再调用。

    图里有没有字体能画的字时，给出一行警告。
    """
    if provenance:
        room = 72 * fig.get_figwidth() / SMALL * 1.9  # 一行容得下多少个半角字符
        lines = broken(provenance, int(room))
        fig.supxlabel('\n'.join(lines), fontsize=SMALL, color='#555555')
    keep_legible(fig)
    return fig


def broken(provenance: str, room: int) -> list[str]:
    """在「·」处断开，每行至多 ``room`` 个半角字符；汉字算两个，一项再长也不断开。"""
    first, *rest = provenance.split(' · ')
    lines = [first]
    for part in rest:
        longer = f'{lines[-1]} · {part}'
        if _columns(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _columns(text: str) -> int:
    return sum(1 + (east_asian_width(one) in 'WF') for one in text)
