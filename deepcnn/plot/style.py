"""全书的图的样式：随书的中文字体、字号与配色；图下方的一行来历。"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.figure import Figure

from deepcnn.plot.inline_backend import show_figures_inline

FONT = Path(__file__).with_name('fonts') / 'NotoSansSC-subset.otf'


def use_book_style() -> None:
    """装上随书的中文字体并统一字号、线宽；只影响当前进程。

    在笔记本里，图总显示在单元下面，即使环境里的 MPLBACKEND 另有所指。
    """
    show_figures_inline()
    manager = font_manager.fontManager
    if all(entry.fname != str(FONT) for entry in manager.ttflist):  # 每加一次都清掉缓存
        manager.addfont(str(FONT))
    family = font_manager.FontProperties(fname=str(FONT)).get_name()
    plt.rcParams.update(
        {
            'font.family': [family, 'DejaVu Sans'],
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
    """在图的下方写一行来历：数据集、档位、设备、种子。"""
    if provenance:
        fig.supxlabel(provenance, fontsize=8, color='#555555')
    return fig
