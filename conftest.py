"""直接运行 pytest（不经过 make test）也用最快的档位，笔记本也能逐格比较。

例如 pytest --nbval chapters/toolbox.ipynb，在 chapters/ 里也一样。
"""

import os

import pytest

os.environ.setdefault('DEEPCNN_PROFILE', 'quick')
os.environ.setdefault('DEEPCNN_PROGRESS', '0')


def checks_notebooks(config: pytest.Config) -> bool:
    """命令行上有没有 --nbval 或 --nbval-lax；没有安装 nbval 时也没有。"""
    return any(
        config.getoption(name, default=False) for name in ('nbval', 'nbval_lax')
    )


def pytest_configure(config: pytest.Config) -> None:
    """笔记本在 pytest 自己的环境里运行，一个笔记本的单元不分给几个进程。

    笔记本里记着内核的名字，那个内核可能没有，或在别的环境里。
    """
    if not checks_notebooks(config):
        return
    if not config.option.nbval_kernel_name:
        config.option.nbval_current_env = True
    if getattr(config.option, 'dist', None) == 'load':
        config.option.dist = 'loadscope'


def pytest_itemcollected(item: pytest.Item) -> None:
    """SVG 与 PNG 一样不比较：轮廓随 matplotlib 的版本而变。图的文字说明照旧比较。"""
    notebook = item.parent
    skipped = getattr(notebook, 'skip_compare', None)
    if skipped and 'image/svg+xml' not in skipped:
        notebook.skip_compare = (*skipped, 'image/svg+xml')


def pytest_report_header(config: pytest.Config) -> str | None:
    if checks_notebooks(config):
        profile = os.environ['DEEPCNN_PROFILE']
        return (
            f'deepcnn: 笔记本用 {profile} 档运行；'
            '环境变量 DEEPCNN_PROFILE 可以换成 quick、laptop、full、gpu'
        )
    return None
