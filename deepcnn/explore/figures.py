"""三幅可以交互的图各怎样画；只画给定的数据，不计算，也不管控件。"""

from collections.abc import Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deepcnn.anatomy.configurations import Cost
from deepcnn.anatomy.windows import LayerView, Window, seen_units, view_layers
from deepcnn.explore.channel_pages import SEPARATE, ChannelPage
from deepcnn.plot.images import pictures
from deepcnn.plot.mosaic import ONE_LINE, TWO_LINES, Mosaic
from deepcnn.plot.style import SMALL, WIDTH, stamp

PLAIN, SEEN, PADDED = '#9ecae1', '#E69F00', '#eeeeee'
MEMORY_COLORS = ('#0072B2', '#56B4E9', '#009E73', '#D55E00')  # Okabe–Ito
COLUMNS = 4


def window_figure(image_size: int, windows: Sequence[Window]) -> Figure:
    """左：一行像素与各层的单元，橙色是最上面正中的单元看到的；右：它在图像上看到的一片。"""
    views = view_layers(image_size, windows)
    seen = seen_units(windows, views[-1].size // 2)
    fig, (side, top) = plt.subplots(
        1, 2, figsize=(WIDTH, 1.6 + 0.6 * len(views)), width_ratios=(2.2, 1),
        layout='constrained',
    )  # fmt: skip
    _draw_rows(side, views, windows, seen)
    _draw_area(top, image_size, windows[0].padding, views[-1], seen[0])
    return fig


def _draw_rows(
    axes: Axes,
    views: Sequence[LayerView],
    windows: Sequence[Window],
    seen: Sequence[tuple[int, int]],
) -> None:
    paddings = [window.padding for window in windows] + [0]
    for row, (view, span, padding) in enumerate(
        zip(views, seen, paddings, strict=True)
    ):
        _draw_row(axes, row, view, span, padding)
        if row:
            _draw_funnel(axes, row, views, seen)
    labels = ['输入'] + [f'第 {number} 层' for number in range(1, len(views))]
    labels = [
        f'{label}\n边长 {view.size}，感受野 {view.receptive_field}'
        for label, view in zip(labels, views, strict=True)
    ]
    axes.set_yticks(range(len(views)), labels, fontsize=SMALL, linespacing=1.5)
    axes.set(ylim=(-0.5, len(views) - 0.5), xlabel='在输入上的位置（像素）')
    axes.tick_params(labelsize=SMALL)
    axes.autoscale(axis='x')
    axes.spines['left'].set_visible(False)
    axes.tick_params(left=False)


def _draw_row(
    axes: Axes, row: int, view: LayerView, span: tuple[int, int], padding: int
) -> None:
    first, last = span
    cells = {PADDED: [], PLAIN: [], SEEN: []}
    for index in range(-padding, view.size + padding):
        inside = 0 <= index < view.size
        kind = SEEN if inside and first <= index <= last else PLAIN
        center = view.first_center + index * view.spacing
        corner = (center - view.spacing / 2, row - 0.18)
        cells[kind if inside else PADDED].append(Rectangle(corner, view.spacing, 0.36))
    line = 0.8 if view.size <= 64 else 0.15  # 格子太密时，边线会盖住颜色
    for color, patches in cells.items():
        edge, style = ('#999999', ':') if color == PADDED else ('white', '-')
        axes.add_collection(
            PatchCollection(
                patches,
                facecolor=color,
                edgecolor=edge,
                linestyle=style,
                linewidth=line,
            )
        )


def _draw_funnel(
    axes: Axes, row: int, views: Sequence[LayerView], seen: Sequence[tuple[int, int]]
) -> None:
    """从这一层看到的单元，向下张开到它们在前一层看到的单元。"""
    (left, right), (lower_left, lower_right) = (
        _edges(views[index], seen[index]) for index in (row, row - 1)
    )
    axes.fill(
        [left, right, lower_right, lower_left],
        [row - 0.18, row - 0.18, row - 0.82, row - 0.82],
        color=SEEN, alpha=0.18, linewidth=0,
    )  # fmt: skip


def _edges(view: LayerView, span: tuple[int, int]) -> tuple[float, float]:
    first, last = (view.first_center + index * view.spacing for index in span)
    return first - view.spacing / 2, last + view.spacing / 2


def _draw_area(
    axes: Axes, image_size: int, padding: int, view: LayerView, span: tuple[int, int]
) -> None:
    start, side = span[0] - 0.5, view.receptive_field
    padded = image_size + 2 * padding
    axes.add_patch(
        Rectangle(
            (-padding - 0.5,) * 2, padded, padded, fc=PADDED, ec='#999999', ls=':'
        )
    )
    axes.add_patch(Rectangle((-0.5, -0.5), image_size, image_size, fc=PLAIN))
    axes.add_patch(Rectangle((start, start), side, side, fc=SEEN, alpha=0.8))
    low = min(start, -padding - 0.5)
    high = max(start + side, image_size + padding - 0.5)
    axes.set(xlim=(low, high), ylim=(high, low), xticks=[], yticks=[], aspect='equal')
    axes.spines[:].set_visible(False)
    beyond = start < -0.5 or start + side > image_size - 0.5
    axes.set_title(
        f'一个单元看到\n{side}×{side}' + ('（含填充）' if beyond else ''), fontsize=SMALL
    )
    axes.set_xlabel(f'图像 {image_size}×{image_size}', fontsize=SMALL)


def cost_figure(cost: Cost, usual: Cost) -> Figure:
    """各部分的参数与 MACs，训练一步的内存；``usual`` 是默认配置，标题写出是它的几倍。"""
    rows = cost.parts.rows
    fig, panels = plt.subplot_mosaic(
        [['参数', 'MACs'], ['内存', '内存']], layout='constrained',
        height_ratios=(max(len(rows), 4), 4),
        figsize=(WIDTH, 3.2 + 0.27 * (max(len(rows), 4) + 4)),
    )  # fmt: skip
    grid = list(panels.values())
    names = [row.name for row in rows]
    parameters, count = _scaled([row.parameters for row in rows])
    macs, times = _scaled([row.macs for row in rows])
    memory = [value / 2**20 for value in cost.memory.values()]
    _draw_bars(grid[0], names, parameters, '#0072B2')
    _draw_bars(grid[1], names, macs, '#D55E00')
    grid[1].set_yticklabels([])
    _draw_bars(grid[2], list(cost.memory), memory, MEMORY_COLORS)
    titles = (
        f'参数 {cost.parts.parameters:,}',
        f'MACs {cost.parts.macs:,}',
        f'内存 {sum(memory):,.0f} MiB',
    )
    units = (
        f'{count}个',
        f'{times}次，一张图像',
        f'MiB，批量 {cost.batch_size} 训练一步',
    )
    for axes, title, ratio, unit in zip(
        grid, titles, _ratios(cost, usual), units, strict=True
    ):
        axes.set_title(title if cost == usual else f'{title}\n默认配置的 {ratio:.3g} 倍',
                       fontsize=SMALL)  # fmt: skip
        axes.set_xlabel(unit, fontsize=SMALL)
    shape = '×'.join(map(str, cost.input_shape))
    known = '（默认配置）' if cost == usual else ''
    fig.suptitle(f'{cost.name}，输入 {shape}{known}', fontsize=11)
    return fig


def _ratios(cost: Cost, usual: Cost) -> tuple[float, float, float]:
    return (
        cost.parts.parameters / usual.parts.parameters,
        cost.parts.macs / usual.parts.macs,
        sum(cost.memory.values()) / sum(usual.memory.values()),
    )


def _scaled(counts: Sequence[int]) -> tuple[list[float], str]:
    """换算成以千或百万为单位，使最长的条不小于 1。"""
    unit, name = (1e6, '百万') if max(counts) >= 1e6 else (1e3, '千')
    return [count / unit for count in counts], name


def _draw_bars(
    axes: Axes, names: Sequence[str], values: Sequence[float], color: object
) -> None:
    positions = range(len(names))
    axes.barh(positions, values, color=color)
    axes.set_yticks(positions, names, fontsize=SMALL)
    axes.invert_yaxis()  # 从上到下与数据流动的方向一致
    axes.margins(x=0.4)
    axes.set_xlim(left=0)
    for position, value in zip(positions, values, strict=True):
        axes.annotate(
            f'{value:,.3g}' if value < 100 else f'{value:,.0f}',
            (value, position), (3, 0), textcoords='offset points',
            va='center', fontsize=SMALL,
        )  # fmt: skip
    axes.tick_params(axis='x', labelsize=SMALL)


def channel_figure(page: ChannelPage, scale: str, provenance: str = '') -> Figure:
    """左边是输入，右边每行四个通道；0 为白，红为正，蓝为负。"""
    rows = -(-len(page.maps) // COLUMNS)
    fig = plt.figure(figsize=(WIDTH, 1.2 * rows + 1.2), layout='constrained')
    left, right = fig.subfigures(1, 2, width_ratios=(1.3, COLUMNS + 0.3))
    axes = left.subplots()
    axes.imshow(pictures(page.image[None])[0], cmap='gray')
    axes.set_title(f'图像 {page.image_index}\n{page.class_name}', fontsize=SMALL)
    axes.axis('off')
    maps_axes = right.subplots()
    separate = scale == SEPARATE  # 标题有两行，没有色条
    height = TWO_LINES if separate else ONE_LINE
    mosaic = Mosaic(maps_axes, rows, COLUMNS, height, SMALL)
    signed = bool((page.limits[:, 0] < 0).any())
    for offset, one in enumerate(page.maps):
        low, high = page.limits[offset].tolist()
        cmap = 'RdBu_r' if low < 0 else 'Reds'
        number = f'#{page.first + offset}'
        limit = f'±{high:.2g}' if low < 0 else f'最大 {high:.2g}'
        own = f'\n{limit}' if separate else ''
        drawn = mosaic.draw(
            offset, one.numpy(), number + own, cmap=cmap, vmin=low, vmax=high
        )
    if not separate:
        bar = right.colorbar(drawn, ax=maps_axes, shrink=0.9, pad=0.01)
        bar.ax.tick_params(labelsize=SMALL)
    size = '×'.join(map(str, page.maps.shape[-2:]))
    sign = '有正有负' if signed else '没有负值'
    last = page.first + len(page.maps) - 1
    right.suptitle(
        f'{page.stage}，{size}：通道 {page.first}～{last}，共 {page.total} 个'
        f'\n色标：{scale}；{sign}',
        fontsize=SMALL,
    )
    return stamp(fig, provenance)
