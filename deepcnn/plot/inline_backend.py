"""笔记本里的图显示在单元下面，不受环境里 MPLBACKEND 的影响；存成什么见 ``formats``。"""

import os

import matplotlib
from matplotlib.figure import Figure

from deepcnn.live_kernel import running_kernel
from deepcnn.plot.formats import bundle


def show_figures_inline() -> None:
    """在 Jupyter 的内核里，把从环境继承来的后端换成内联的。

    内核见到 MPLBACKEND（例如服务器上常设的 ``Agg``）就不用自己的，于是一幅图也没有。
    不在内核里、读者已用 ``%matplotlib`` 选过别的，或继承的是给笔记本用的后端
    （``module://…``）时，什么也不做。
    """
    inherited = os.environ.get('MPLBACKEND', '')
    kernel = running_kernel()
    if not kernel or not inherited or inherited.startswith('module://'):
        return
    # 没有屏幕时，matplotlib 把 TkAgg 一类的换成 agg
    if matplotlib.get_backend().lower() in (inherited.lower(), 'agg'):
        kernel.shell.run_line_magic('matplotlib', 'inline')


def draw_without_windows() -> None:
    """只写文件的命令不要窗口；在 Jupyter 的内核里不改，读者自己的图还要显示。"""
    if not running_kernel():
        matplotlib.use('Agg')


def store_crisp_figures() -> None:
    """在 Jupyter 的内核里，图由 ``formats.bundle`` 存成 SVG 或密度加倍的 PNG。

    不在内核里，或读者已经用 ``%config InlineBackend`` 选过格式时，什么也不做。
    """
    kernel = running_kernel()
    if not kernel:
        return
    from matplotlib_inline.config import InlineBackend  # 随内核安装，脚本里不一定有

    inline = InlineBackend.instance(parent=kernel.shell)
    if inline.figure_formats == {'png'}:  # 没有改过的
        inline.figure_formats = set()
        kernel.shell.display_formatter.mimebundle_formatter.for_type(Figure, bundle)
