"""六网对比的图：带误差棒的散点、均值曲线、混淆的条形图、分歧的图像。函数返回图。"""

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from math import nan

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from torch import Tensor

from deepcnn.plot.images import pictures
from deepcnn.plot.style import SMALL, WIDTH, stamp
from deepcnn.records.agreement import UNDECIDED
from deepcnn.records.comparison import Record
from deepcnn.records.spreads import Spread, spread

MARKERS = 'os^vDP'  # 每个网络一种，不只靠颜色区分


def accuracy_scatter(
    accuracies: dict[str, Spread],
    places: dict[str, Spread],
    xlabel: str,
    provenance: str = '',
) -> Figure:
    """每个网络一点：横轴（对数）是 ``places``，纵轴是准确率；误差棒是 ±1 个标准差。"""
    fig, axes = plt.subplots(figsize=(WIDTH, 4.4), layout='constrained')
    for (title, accuracy), marker in zip(
        accuracies.items(), cycle(MARKERS), strict=False
    ):
        place = places[title]
        axes.errorbar(
            place.mean,
            100 * accuracy.mean,
            xerr=place.sd or None,
            yerr=_percent(accuracy.sd),
            fmt=marker,
            markersize=7,
            capsize=3,
            label=title,
        )
    axes.set(xscale='log', xlabel=xlabel, ylabel='测试准确率（%）')
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    _legend_above(axes, columns=2)
    return stamp(fig, provenance)


def mean_curves(records: dict[str, Record], provenance: str = '') -> Figure:
    """每轮之后的测试准确率：线是各种子的均值，色带是 ±1 个标准差。"""
    fig, axes = plt.subplots(figsize=(WIDTH, 4.6), layout='constrained')
    for (title, record), marker in zip(records.items(), cycle(MARKERS), strict=False):
        by_epoch = zip(*(run.test_accuracy for run in record.runs), strict=True)
        curve = [spread(values) for values in by_epoch]
        epochs = range(1, len(curve) + 1)
        means = 100 * np.array([one.mean for one in curve])
        sds = np.array([_percent(one.sd) for one in curve])
        (line,) = axes.plot(epochs, means, marker=marker, label=title)
        axes.fill_between(
            epochs, means - sds, means + sds, color=line.get_color(), alpha=0.15
        )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel='轮', ylabel='测试准确率（%）')
    axes.grid(alpha=0.3)
    _legend_above(axes, columns=2)
    return stamp(fig, provenance)


def paired_bars(
    series: dict[str, dict[str, Spread]], ylabel: str, provenance: str = ''
) -> Figure:
    """每个网络一组条形，``series`` 的每一项占一条；误差棒是 ±1 个标准差。

    ``series``：外层的键是图例，内层的键是网络，值是均值与标准差（0～1），画成百分数。
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 4.2), layout='constrained')
    titles = list(next(iter(series.values())))
    width = 0.8 / len(series)
    for index, ((label, spreads), hatch) in enumerate(
        zip(series.items(), cycle(['', '//', '..']), strict=False)
    ):
        axes.bar(
            np.arange(len(titles)) + (index - (len(series) - 1) / 2) * width,
            [100 * spreads[title].mean for title in titles],
            width,
            yerr=[_percent(spreads[title].sd) for title in titles],
            capsize=3,
            label=label,
            hatch=hatch,
            edgecolor='white',
        )
    # 括号里的说明另起一行，免得相邻的名字叠在一起
    labels = [title.replace('（', '\n（') for title in titles]
    axes.set_xticks(range(len(titles)), labels)
    axes.set(ylabel=ylabel)
    axes.set_ylim(bottom=0)
    axes.grid(axis='y', alpha=0.3)
    _legend_above(axes, columns=1)
    return stamp(fig, provenance)


def _percent(sd: float | None) -> float:
    """标准差换成百分数；只有一个种子时没有，NaN 就不画。"""
    return nan if sd is None else 100 * sd


def _legend_above(axes: Axes, columns: int) -> None:
    """图例放在上方：放在右边，图就窄了。"""
    axes.legend(
        fontsize=SMALL, loc='lower center', bbox_to_anchor=(0.5, 1), ncols=columns
    )


def others_said(
    answers: dict[str, Tensor], title: str, index: int, class_names: Sequence[str]
) -> str:
    """``title`` 之外的网络把第 ``index`` 张图像认作什么，例如 ``T恤 4、外套 1``。

    说法多于两种时分成两行。
    """
    said = Counter(
        int(answer[index]) for name, answer in answers.items() if name != title
    )
    names = {UNDECIDED: '不一'} | dict(enumerate(class_names))
    parts = [f'{names[one]} {count}' for one, count in said.most_common()]
    lines = ['、'.join(parts[start : start + 2]) for start in range(0, len(parts), 2)]
    return '\n'.join(lines)


def disagreement_grid(
    images: Tensor,
    labels: Tensor,
    answers: dict[str, Tensor],
    alone: dict[str, Tensor],
    class_names: Sequence[str],
    provenance: str = '',
    columns: int = 4,
) -> Figure:
    """每个网络一行：只有它答对的前几张图像；上方是真实类别，下方是另外几个的说法。

    形状：images uint8 (N, 1, H, W) 或 (N, 3, H, W)，labels 与 answers 的每一项
    int64 (N,)，alone 的每一项是图像的序号。
    """
    fig, grid = plt.subplots(
        len(alone), columns, figsize=(WIDTH, 1.62 * len(alone) + 0.3), squeeze=False,
        layout='constrained',
    )  # fmt: skip
    fig.get_layout_engine().set(hspace=0.06)
    for row, (title, indices) in zip(grid, alone.items(), strict=True):
        row[0].text(
            -0.3, 0.5, title, transform=row[0].transAxes, ha='right', va='center'
        )
        for axes in row:
            axes.set_axis_off()
        for axes, index in zip(row, indices.tolist(), strict=False):
            axes.imshow(pictures(images[index : index + 1])[0], cmap='gray')
            axes.set_title(class_names[int(labels[index])], fontsize=SMALL, pad=2)
            axes.text(
                0.5, -0.03, others_said(answers, title, index, class_names),
                transform=axes.transAxes, ha='center', va='top', fontsize=SMALL,
            )  # fmt: skip
    return stamp(fig, provenance)
