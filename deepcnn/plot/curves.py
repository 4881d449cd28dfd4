"""训练曲线；多个种子时，平均值画线，样本标准差画成带或误差线。"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepcnn.plot.style import SMALL, WIDTH, stamp
from deepcnn.records.runs import History, Run
from deepcnn.records.spreads import spread
from deepcnn.records.titles import TITLES
from deepcnn.records.trials import MEASURES, Trial

SERIES: dict[str, tuple[str, Callable[[Run], Sequence[float]]]] = {
    'train_loss': ('训练损失', lambda run: run.train_loss),
    'running_accuracy': ('训练准确率（途中累计）', lambda run: run.train_accuracy),
    'test_accuracy': ('测试准确率', lambda run: run.test_accuracy),
}
MARKERS = 'osD^vP'


def training_curves(history: History) -> Figure:
    """上：训练损失；下：训练与测试准确率。多个种子时画均值，浅色为各种子。"""
    fig, (upper, lower) = plt.subplots(
        2, 1, figsize=(WIDTH, 5.6), sharex=True, layout='constrained'
    )
    _draw_runs(upper, [run.train_loss for run in history.runs], '训练')
    _draw_runs(lower, [run.train_accuracy for run in history.runs], '训练')
    _draw_runs(lower, [run.test_accuracy for run in history.runs], '测试')
    name = TITLES.get(history.network, history.network)
    upper.set(ylabel='损失（交叉熵）', title=name)
    lower.set(xlabel='轮', ylabel='准确率')
    for axes in (upper, lower):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    lower.legend(loc='lower right')
    return stamp(fig, history.provenance)


def _draw_runs(axes: Axes, series: Sequence[Sequence[float]], label: str) -> None:
    """轮数最多的种子画均值；每个种子按自己的轮数画浅色线，中断的那个较短。"""
    most = max(map(len, series))
    longest = [values for values in series if len(values) == most]
    means = [sum(values) / len(longest) for values in zip(*longest, strict=True)]
    (line,) = axes.plot(_epochs(means), means, marker='o', markersize=4, label=label)
    if len(series) > 1:
        for values in series:
            axes.plot(_epochs(values), values, color=line.get_color(), alpha=0.25)


def _epochs(values: Sequence[float]) -> range:
    return range(1, len(values) + 1)


def require_trials(trials: Sequence[Trial]) -> None:
    """一次训练也没有时抛出 ValueError。"""
    if not trials:
        raise ValueError('一次训练也没有，画不出曲线：请先用 run_variants 训练')


def curves_with_spread(
    trials: Sequence[Trial], series: Sequence[str] = ('train_loss', 'test_accuracy')
) -> Figure:
    """每个量一幅，上下排列：各轮的平均，带宽是 ± 一个样本标准差（一个种子时没有带）。

    ``series`` 的名字见 SERIES，不认识时抛出 ValueError；一次训练也没有时也是。
    """
    require_trials(trials)
    unknown = [name for name in series if name not in SERIES]
    if unknown:
        legal = '、'.join(SERIES)
        raise ValueError(f'没有 {"、".join(unknown)} 这条曲线：请从 {legal} 中选')
    fig, grid = plt.subplots(
        len(series), 1, figsize=(WIDTH, 0.7 + 2.8 * len(series)), squeeze=False,
        sharex=True, layout='constrained',
    )  # fmt: skip
    for axes, name in zip(grid[:, 0], series, strict=True):
        title, values_of = SERIES[name]
        for trial, marker in zip(trials, cycle(MARKERS), strict=False):
            runs = [values_of(run) for run in trial.history.runs]
            _band(axes, np.array(runs), trial.label, marker)
        axes.set_ylabel(title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    grid[-1, 0].set_xlabel('轮')
    fig.legend(
        *grid[0, 0].get_legend_handles_labels(), loc='outside upper center',
        ncols=min(2, len(trials)), fontsize=SMALL,
    )  # fmt: skip
    return stamp(fig, trials[0].history.provenance)


def _band(axes: Axes, values: np.ndarray, label: str, marker: str) -> None:
    """values: (S, E)，S 个种子、E 轮。"""
    epochs, means = np.arange(1, values.shape[1] + 1), values.mean(0)
    (line,) = axes.plot(epochs, means, marker=marker, markersize=4, label=label)
    if len(values) > 1:
        sd = values.std(0, ddof=1)
        axes.fill_between(
            epochs, means - sd, means + sd, alpha=0.2, color=line.get_color()
        )


def lines_with_spread(
    groups: Mapping[str, Mapping[int, Sequence[float]]],
    xlabel: str,
    ylabel: str,
    provenance: str = '',
) -> Figure:
    """每组一条折线：横轴是组内的键，纵轴是平均值，误差线是样本标准差，淡点是各种子。

    ``groups``：图例 → 由横坐标到各种子的值的字典。
    """
    fig, axes = plt.subplots(figsize=(WIDTH, 3.7), layout='constrained')
    for (label, points), marker in zip(groups.items(), cycle(MARKERS), strict=False):
        x, found = list(points), [spread(values) for values in points.values()]
        bars = axes.errorbar(
            x, [s.mean for s in found], [s.sd or 0 for s in found], label=label,
            marker=marker, capsize=4,
        )  # fmt: skip
        for position, values in points.items():
            axes.scatter(
                [position] * len(values), values, s=12, alpha=0.35,
                color=bars.lines[0].get_color(),
            )  # fmt: skip
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set_xticks(sorted({x for points in groups.values() for x in points}))
    axes.grid(alpha=0.3)
    axes.legend()
    return stamp(fig, provenance)


def dots_with_spread(trials: Sequence[Trial], measure: str) -> Figure:
    """每种做法一行：大点是最后一轮的平均，误差线是样本标准差，小点是各种子。

    横轴不从 0 开始，好看清小的差别；``gap`` 另画一条 0 的虚线。一次训练也没有时抛出
    ValueError。
    """
    require_trials(trials)
    fig, axes = plt.subplots(
        figsize=(WIDTH, 0.5 * len(trials) + 1.2), layout='constrained'
    )
    for position, trial in enumerate(trials):
        values = trial.measure(measure)
        found = spread(values)
        axes.errorbar(found.mean, position, xerr=found.sd, fmt='o', capsize=5)
        axes.scatter(values, [position] * len(values), s=14, color='#333333', zorder=3)
    if measure == 'gap':
        axes.axvline(0, color='#555555', linestyle='--', linewidth=1)
    axes.set_yticks(range(len(trials)), [trial.label for trial in trials])
    axes.set_ylim(len(trials) - 0.5, -0.5)
    axes.grid(axis='x', alpha=0.3)
    axes.set_xlabel(MEASURES[measure])
    return stamp(fig, trials[0].history.provenance)
