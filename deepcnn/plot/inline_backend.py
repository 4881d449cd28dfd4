"""笔记本里的图显示在单元下面，不受环境里 MPLBACKEND 的影响。"""

import os

import matplotlib

from deepcnn.live_kernel import running_kernel


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
