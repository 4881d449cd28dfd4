"""梯度的直方图：横轴是大小的常用对数，恰好为 0 的另外写出占几成。"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from deepcnn.plot.style import SMALL, WIDTH, stamp

BINS = np.arange(-12.0, 1.01, 0.25)  # 常用对数
ZERO = 1e-12  # 比这还小的画在最左边


def gradient_histograms(
    columns: Mapping[str, Mapping[str, Tensor]],
    layers: Sequence[str],
    provenance: str = '',
) -> Figure:
    """每列一个网络，每行一层；横轴 log₁₀|梯度|，虚线是中位数，右上角是恰好为 0 的比例。

    ``columns``：标题 → 由层名到梯度大小的字典；``layers`` 是要画的层名，自上而下。哪一列
    缺了其中一层，抛出 ValueError。
    """
    for title, found in columns.items():
        missing = [name for name in layers if name not in found]
        if missing:
            legal = '、'.join(found)
            raise ValueError(
                f'{title} 没有 {"、".join(missing)} 这一层：可以用 {legal}'
            )
    fig, grid = plt.subplots(
        len(layers), len(columns), sharex=True, squeeze=False, layout='constrained',
        figsize=(WIDTH, 0.72 * len(layers) + 0.9),
    )  # fmt: skip
    for column, (title, found) in zip(grid.T, columns.items(), strict=True):
        column[0].set_title(title, fontsize=SMALL)
        column[-1].set_xlabel('log₁₀ |梯度|', fontsize=SMALL)
        for axes, name in zip(column, layers, strict=True):
            _histogram(axes, found[name].flatten().numpy())
    for axes, number in zip(grid[:, 0], range(1, len(layers) + 1), strict=True):
        axes.set_ylabel(
            f'第 {number} 层', rotation=0, ha='right', va='center', fontsize=SMALL
        )
    return stamp(fig, provenance)


def _histogram(axes: Axes, values: np.ndarray) -> None:
    """一格：非零梯度的常用对数；纵轴各格自己定标，只看位置和形状。"""
    nonzero = np.log10(np.maximum(values[values > 0], ZERO))
    inside = np.clip(nonzero, BINS[0], BINS[-1])
    axes.hist(inside, BINS, histtype='stepfilled', color='#0072B2')
    if len(nonzero):
        axes.axvline(np.median(nonzero), color='#D55E00', linestyle='--', linewidth=1.2)
    zeros = 1 - np.count_nonzero(values) / len(values)  # NaN 不是 0
    axes.set_yticks([])
    axes.set_xlim(BINS[0] - 0.3, BINS[-1] + 2.5)  # 右边留出写比例的地方
    axes.text(
        0.99, 0.9, f'0 占 {zeros:.0%}', transform=axes.transAxes, ha='right', va='top',
        fontsize=SMALL,
    )  # fmt: skip
