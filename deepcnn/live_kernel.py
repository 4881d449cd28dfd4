"""这段代码是不是在 Jupyter 的内核里运行，前面有没有人。"""

import sys


def running_kernel() -> object | None:
    """正在运行的 Jupyter 内核；在脚本或普通的 IPython 里返回 None。"""
    ipython = sys.modules.get('IPython')
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, 'kernel', None)


def is_watched() -> bool:
    """有没有人在看输出。

    自动执行（nbval、nbconvert、papermill）的前端不回答 ``input()``，JupyterLab、VS Code
    与 Colab 的回答：内核记着这一点。不在内核里时算有人。
    """
    return getattr(running_kernel(), '_allow_stdin', True)
