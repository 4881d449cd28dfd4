"""热力图：两项设置的各种取值各得到多高的准确率。"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from deepcnn.plot.style import WIDTH, stamp


def heat_maps(
    panels: Mapping[str, Sequence[Sequence[float | None]]],
    rows: Sequence[str],
    columns: Sequence[str],
    axis_labels: tuple[str, str],
    provenance: str = '',
) -> Figure:
    """几幅上下排列的热力图，格子里写准确率（%）；共用一个色标，最高的一格加框。

    ``panels`` 的每一项是由标题到各行的字典，``rows``、``columns`` 是两轴的刻度，
    ``axis_labels`` 是（纵轴，横轴）的名称。NaN 的格子写「发散」，None（没有试过）的
    空着。行列数不符时抛出 ValueError。
    """
    shape = (len(panels), len(rows), len(columns))
    lengths = {(len(rows), len(row)) for rows in panels.values() for row in rows}
    if lengths != {shape[1:]}:
        raise ValueError(
            f'热力图的每一幅应有 {shape[1:]}（行、列）个格子，现在是 '
            f'{"、".join(map(str, sorted(lengths))) or "一格也没有"}'
        )
    given = np.array(list(panels.values()), dtype=object)
    values, untried = given.astype(float), given == None  # noqa: E711
    if np.isnan(values).all():
        raise ValueError('没有一格训练成功：请减小学习率')
    low, high = 100 * np.nanmin(values), 100 * np.nanmax(values)
    best = np.unravel_index(np.nanargmax(values), shape)
    fig, grid = plt.subplots(
        len(panels), 1, squeeze=False, sharex=True, layout='constrained',
        figsize=(WIDTH, len(panels) * (0.42 * len(rows) + 0.5) + 0.9),
    )  # fmt: skip
    for number, (axes, title) in enumerate(zip(grid.flat, panels, strict=True)):
        drawn = _heat_map(axes, 100 * values[number], untried[number], (low, high))
        axes.set(title=title, ylabel=axis_labels[0])
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        if number == best[0]:
            corner = (best[2] - 0.5, best[1] - 0.5)
            frame = plt.Rectangle(
                corner, 1, 1, fill=False, ec='#D55E00', lw=3, clip_on=False
            )
            axes.add_patch(frame)
    grid[-1, 0].set_xlabel(axis_labels[1])
    fig.colorbar(drawn, ax=list(grid.flat), shrink=0.9, label='验证准确率（%）')
    return stamp(fig, provenance)


def _heat_map(
    axes: Axes, values: np.ndarray, untried: np.ndarray, limits: tuple[float, float]
) -> AxesImage:
    """画一幅，格子里写一位小数；深色的格子用白字。"""
    low, high = limits
    drawn = axes.imshow(values, cmap='Blues', vmin=low, vmax=high, aspect='auto')
    for (row, column), value in np.ndenumerate(values):
        failed = '' if untried[row, column] else '发散'
        text = failed if np.isnan(value) else f'{value:.1f}'
        color = 'white' if value > (low + high) / 2 else 'black'
        axes.text(column, row, text, ha='center', va='center', color=color)
    return drawn
