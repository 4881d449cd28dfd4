"""全书的图的样式：随书的中文字体、字号与配色；图下方的一行来历。"""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from deepcnn.plot.chinese_font import book_family, keep_legible
from deepcnn.plot.inline_backend import show_figures_inline


def use_book_style() -> None:
    """以随书的中文字体为主，统一字号、线宽与配色；只影响当前进程。

    不调用它，或随后换成别的样式，图里的中文也不会是方框：见 ``chinese_font``。
    在笔记本里，图总显示在单元下面，即使环境里的 MPLBACKEND 另有所指。
    """
    show_figures_inline()
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
    """在图的下方写一行来历：数据集、档位、设备、种子。图画好之后再调用。

    图里有没有字体能画的字时，给出一行警告。
    """
    if provenance:
        fig.supxlabel(provenance, fontsize=8, color='#555555')
    keep_legible(fig)
    return fig
