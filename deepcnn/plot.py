"""全书的图：函数返回图，由笔记本决定何时显示。

配色：特征图里 0 为白色，正为红、负为蓝（RdBu_r）；全非负的图用 0 为白的单色。
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from deepcnn.history import History
from deepcnn.mosaic import ONE_LINE, Mosaic

FONT = Path(__file__).with_name('fonts') / 'NotoSansSC-subset.otf'


def use_book_style() -> None:
    """装上随书的中文字体并统一字号、线宽；只影响当前进程。"""
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


def training_curves(history: History) -> Figure:
    """上：训练损失；下：训练与测试准确率。多个种子时画均值，浅色为各种子。

    上下排列时，缩到手机的宽度字仍看得清。
    """
    fig, (upper, lower) = plt.subplots(
        2, 1, figsize=(6.5, 6), sharex=True, layout='constrained'
    )
    _draw_runs(upper, [run.train_loss for run in history.runs], '训练')
    _draw_runs(lower, [run.train_accuracy for run in history.runs], '训练')
    _draw_runs(lower, [run.test_accuracy for run in history.runs], '测试')
    upper.set(ylabel='损失（交叉熵）', title=history.network)
    lower.set(xlabel='轮', ylabel='准确率')
    for axes in (upper, lower):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    lower.legend(loc='lower right')
    return stamp(fig, history.provenance)


def heat_maps(
    panels: Mapping[str, Sequence[Sequence[float]]],
    rows: Sequence[str],
    columns: Sequence[str],
    axis_labels: tuple[str, str],
    provenance: str = '',
) -> Figure:
    """几幅并排的热力图，格子里写准确率（%）；共用一个色标，最高的一格加框。

    ``panels`` 的每一项是由标题到各行的字典，``rows``、``columns`` 是两轴的刻度，
    ``axis_labels`` 是（纵轴，横轴）的名称。NaN 的格子写「发散」。行列数不符时抛出
    ValueError。
    """
    shape = (len(panels), len(rows), len(columns))
    values = np.array(list(panels.values()), dtype=float)
    if values.shape != shape:
        raise ValueError(
            f'热力图应有 {shape}（幅、行、列）个格子，现在是 {values.shape}'
        )
    if np.isnan(values).all():
        raise ValueError('没有一格训练成功：请减小学习率')
    low, high = 100 * np.nanmin(values), 100 * np.nanmax(values)
    best = np.unravel_index(np.nanargmax(values), shape)
    fig, grid = plt.subplots(
        1, len(panels), figsize=(9, 3.8), squeeze=False, layout='constrained'
    )
    for number, (axes, title) in enumerate(zip(grid.flat, panels, strict=True)):
        drawn = _heat_map(axes, 100 * values[number], (low, high))
        axes.set(title=title, xlabel=axis_labels[1])
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        if number == best[0]:
            corner = (best[2] - 0.5, best[1] - 0.5)
            frame = plt.Rectangle(corner, 1, 1, fill=False, ec='#D55E00', lw=3, clip_on=False)
            axes.add_patch(frame)
    grid[0, 0].set_ylabel(axis_labels[0])
    fig.colorbar(drawn, ax=list(grid.flat), shrink=0.9, label='验证准确率（%）')
    return stamp(fig, provenance)


def _heat_map(axes: Axes, values: np.ndarray, limits: tuple[float, float]) -> AxesImage:
    """画一幅，格子里写一位小数；深色的格子用白字。"""
    low, high = limits
    drawn = axes.imshow(values, cmap='Blues', vmin=low, vmax=high, aspect='auto')
    for (row, column), value in np.ndenumerate(values):
        text = '发散' if np.isnan(value) else f'{value:.1f}'
        color = 'white' if value > (low + high) / 2 else 'black'
        axes.text(column, row, text, ha='center', va='center', color=color)
    return drawn


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


def show_images(
    images: Tensor, titles: Sequence[str], provenance: str = '', columns: int = 8
) -> Figure:
    """排成网格显示灰度图像 (N, 1, H, W)，每张上方写 ``titles`` 里的一项。"""
    if len(images) != len(titles):
        raise ValueError(f'图像有 {len(images)} 张，标题却有 {len(titles)} 个')
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    fig, axes = plt.subplots(figsize=(1.1 * columns, 1.35 * rows), layout='constrained')
    mosaic = Mosaic(axes, rows, columns, title_height=0.2, title_size=10, gap=0.22)
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        mosaic.draw(index, image[0].float().cpu().numpy(), title, cmap='gray')
    return stamp(fig, provenance)


def filters(weight: Tensor, provenance: str = '', columns: int = 16) -> Figure:
    """画单通道卷积核 (K, 1, h, w)；全图一个对称色标，0 为白。"""
    kernels = weight.detach().float().cpu()[:, 0].numpy()
    rows = -(-len(kernels) // columns)
    fig, axes = plt.subplots(
        figsize=(0.55 * columns, 0.6 * rows + 0.5), layout='constrained'
    )
    mosaic = Mosaic(axes, rows, columns)
    norm = _symmetric(kernels)
    for index, kernel in enumerate(kernels):
        image = mosaic.draw(index, kernel, cmap='RdBu_r', norm=norm)
    fig.colorbar(image, ax=axes, shrink=0.8, label='权重')
    return stamp(fig, provenance)


def feature_maps(
    image: Tensor, maps: dict[str, Tensor], provenance: str = '', channels: int = 8
) -> Figure:
    """每层一行画特征图；最左是输入。每层一个色标，范围写在行尾的色条上。

    形状：image (1, 1, S, S)，maps 的每一项 (1, C, H, W)，画前 ``channels`` 个通道。
    """
    fig, grid = plt.subplots(
        len(maps), 1, figsize=(9, 1.25 * len(maps) + 0.4), squeeze=False,
        layout='constrained',
    )  # fmt: skip
    picture = image[0, 0].float().cpu().numpy()
    for axes, (name, values) in zip(grid.flat, maps.items(), strict=True):
        mosaic = Mosaic(axes, 1, channels + 1, ONE_LINE)
        mosaic.draw(0, picture, '输入', cmap='gray')
        shown = values[0, :channels].detach().float().cpu().numpy()
        cmap, norm = _scale(shown)
        for index, one in enumerate(shown):
            title = f'{name} #{index}' if index == 0 else f'#{index}'
            drawn = mosaic.draw(index + 1, one, title, cmap=cmap, norm=norm)
        bar = fig.colorbar(drawn, ax=axes, shrink=0.9, pad=0.01)
        bar.ax.tick_params(labelsize=7)
    return stamp(fig, provenance)


def _symmetric(values: np.ndarray) -> TwoSlopeNorm:
    limit = max(float(np.abs(values).max()), 1e-8)
    return TwoSlopeNorm(0, -limit, limit)


def _scale(values: np.ndarray) -> tuple[str, Normalize]:
    """有负值时用对称的红蓝色标，全非负时用从 0 开始的单色色标。"""
    if values.min() < 0:
        return 'RdBu_r', _symmetric(values)
    return 'Reds', Normalize(0, max(float(values.max()), 1e-8))
