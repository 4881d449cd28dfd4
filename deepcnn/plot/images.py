"""图像、卷积核与特征图：函数返回图，由笔记本决定何时显示。

配色：特征图里 0 为白色，正为红、负为蓝（RdBu_r）；全非负的图用 0 为白的单色。
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from deepcnn.given_numbers import whole_number
from deepcnn.plot.mosaic import ONE_LINE, Mosaic
from deepcnn.plot.style import SMALL, WIDTH, stamp

PER_ROW = 4  # 特征图一行几个通道


def show_images(
    images: Tensor, titles: Sequence[str], provenance: str = '', columns: int = 4
) -> Figure:
    """排成网格显示图像，每张上方写 ``titles`` 里的一项，一行 ``columns`` 张。

    ``images`` 是 (N, C, H, W)，C 为 1（灰度）或 3（彩色）；也可以是灰度的 (N, H, W)。
    怎样显示见 ``pictures``。形状不是这样、一张也没有或张数与标题不符时抛出 ValueError。
    """
    shown = pictures(images)
    if len(shown) != len(titles):
        raise ValueError(f'图像有 {len(shown)} 张，标题却有 {len(titles)} 个：要一样多')
    columns = min(whole_number('columns', columns, 1), len(shown))
    rows = -(-len(shown) // columns)
    fig, axes = plt.subplots(figsize=(1.1 * columns, 1.35 * rows), layout='constrained')
    mosaic = Mosaic(axes, rows, columns, title_height=0.2, gap=0.22)
    for index, (image, title) in enumerate(zip(shown, titles, strict=True)):
        mosaic.draw(index, image, title, cmap='gray')
    return stamp(fig, provenance)


def filters(weight: Tensor, provenance: str = '', columns: int | None = None) -> Figure:
    """画第一层的卷积核；全图一个对称色标。一行 ``columns`` 个，不给时按个数定。

    单通道的 (K, 1, h, w) 用红蓝色标，0 为白；三通道的 (K, 3, h, w) 三个通道各作红、绿、
    蓝，0 为中灰。别的形状抛出 ValueError。
    """
    _require(
        weight,
        4,
        '卷积核应是 (K, 1, h, w) 或 (K, 3, h, w)',
        '请给出第一个卷积层的 weight',
    )
    kernels = weight.detach().float().cpu().movedim(1, -1).numpy()
    if columns is None:
        columns = min(len(kernels), 8 if len(kernels) <= 64 else 12)
    columns = whole_number('columns', columns, 1)
    rows = -(-len(kernels) // columns)
    width = min(WIDTH, 0.72 * columns)
    fig, axes = plt.subplots(
        figsize=(width, width * rows / columns + 0.9), layout='constrained'
    )
    mosaic = Mosaic(axes, rows, columns)
    norm = _symmetric(kernels)
    if kernels.shape[-1] == 3:
        for index, kernel in enumerate(norm(kernels).data):
            mosaic.draw(index, kernel)
        title = f'权重的红、绿、蓝：0 为中灰，范围 ±{norm.vmax:.2g}'
        axes.set_title(title, fontsize=SMALL)
        return stamp(fig, provenance)
    for index, kernel in enumerate(kernels[..., 0]):
        image = mosaic.draw(index, kernel, cmap='RdBu_r', norm=norm)
    color_bar(fig, image, axes, '权重')
    return stamp(fig, provenance)


def feature_maps(
    image: Tensor,
    maps: dict[str, Tensor],
    provenance: str = '',
    channels: int | Mapping[str, Sequence[int]] = 8,
) -> Figure:
    """每层画几个通道，一行四个，上方写编号；最左是输入，其下是层名与特征图的大小。

    形状：image (1, 1, S, S) 或彩色的 (1, 3, S, S)，maps 的每一项 (1, C, H, W)。
    ``channels`` 是个数（画前几个），或由层名到通道编号的字典，例如
    ``anatomy.most_active`` 挑出的。每层一个色标。形状不是这样、一层也没有，或没有这个通道时
    抛出 ValueError。
    """
    _require_maps(image, maps)
    chosen = _channels(maps, channels)
    heights = [-(-len(numbers) // PER_ROW) for numbers in chosen.values()]
    fig, grid = plt.subplots(
        len(maps), 1, squeeze=False, layout='constrained', height_ratios=heights,
        figsize=(WIDTH, 1.24 * sum(heights) + 0.15 * len(maps) + 0.4),
    )  # fmt: skip
    [picture] = pictures(image)
    for axes, (name, values), rows in zip(
        grid.flat, maps.items(), heights, strict=True
    ):
        mosaic = Mosaic(axes, rows, PER_ROW + 1, ONE_LINE)
        mosaic.draw(0, picture, '输入', cmap='gray')
        size = '×'.join(map(str, values.shape[-2:]))
        mosaic.write(0, f'{name}\n{size}')
        shown = values[0, chosen[name]].detach().float().cpu().numpy()
        cmap, norm = _scale(shown)
        for place, (number, one) in enumerate(zip(chosen[name], shown, strict=True)):
            cell = place + place // PER_ROW + 1  # 第 0 列是输入
            drawn = mosaic.draw(cell, one, f'#{number}', cmap=cmap, norm=norm)
        bar = fig.colorbar(drawn, ax=axes, shrink=0.8, pad=0.01, aspect=25)
        bar.ax.tick_params(labelsize=SMALL)
    return stamp(fig, provenance)


def _channels(
    maps: Mapping[str, Tensor], channels: int | Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """每层画哪几个通道。"""
    if isinstance(channels, Mapping):
        chosen = {name: list(channels.get(name, ())) for name in maps}
    else:
        count = whole_number('channels', channels, 1)
        chosen = {name: list(range(maps[name].shape[1]))[:count] for name in maps}
    for name, numbers in chosen.items():
        most = maps[name].shape[1]
        if not numbers or not all(0 <= number < most for number in numbers):
            raise ValueError(
                f'{name} 要画的通道是 {numbers}：请给出 0～{most - 1} 里的几个编号'
            )
    return chosen


def color_bar(fig: Figure, drawn: AxesImage, axes: object, label: str) -> Colorbar:
    """图的下方横着的色标：放在右边，小图就要变窄。"""
    bar = fig.colorbar(
        drawn, ax=axes, location='bottom', shrink=0.7, aspect=40, pad=0.02
    )
    bar.set_label(label, fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    return bar


def pictures(images: Tensor) -> list[np.ndarray]:
    """每张图像交给 imshow 的数组：灰度的 (H, W)，彩色的 (H, W, 3)。

    images (N, 1, H, W)、(N, 3, H, W) 或 (N, H, W)。灰度图由 imshow 从各自的最暗拉到最亮；
    彩色的 uint8 与 0～1 的浮点数原样，其余（例如归一化过的）从各自的最小拉到最大。
    """
    if isinstance(images, Tensor) and images.dim() == 3:
        images = images.unsqueeze(1)
    _require(images, 4, '图像应是 (N, 1, H, W)、(N, 3, H, W) 或 (N, H, W)', '一张图像请用 '
             'image.unsqueeze(0)，通道排在最后的请用 images.permute(0, 3, 1, 2)')  # fmt: skip
    arrays = images.detach().cpu()
    if images.shape[1] == 1:
        return list(arrays[:, 0].float().numpy())
    return [_in_colour(one) for one in arrays]


def _in_colour(image: Tensor) -> np.ndarray:
    """image (3, H, W) → 0～1 的 (H, W, 3)。"""
    values = image.float() / 255 if image.dtype == torch.uint8 else image.float()
    low, high = values.aminmax()
    if low < 0 or high > 1:
        values = (values - low) / (high - low).clamp(min=1e-8)
    return values.permute(1, 2, 0).numpy()


def _require(values: Tensor, dims: int, expected: str, remedy: str) -> None:
    """不是 ``dims`` 维、1 或 3 个通道的张量，或是空的，抛出 ValueError。"""
    if not isinstance(values, Tensor):
        raise ValueError(
            f'{expected} 的张量，现在是 {type(values).__name__}：请用 torch.as_tensor 转换'
        )
    if values.dim() != dims or values.shape[1] not in (1, 3):
        raise ValueError(f'{expected}，现在是 {tuple(values.shape)}：{remedy}')
    if values.numel() == 0:
        raise ValueError(f'{expected}，现在是空的 {tuple(values.shape)}：至少要有一个')


def _require_maps(image: Tensor, maps: dict[str, Tensor]) -> None:
    """一张图像，与至少一层它的特征图；否则抛出 ValueError。"""
    if not maps:
        raise ValueError('一层特征图也没有：maps 是层名 → (1, C, H, W) 的字典')
    wanted = {'输入图像': image} | maps
    for name, values in wanted.items():
        shape = tuple(np.shape(values))
        if len(shape) != 4 or shape[0] != 1 or 0 in shape:
            raise ValueError(
                f'{name} 应是一张图像的 (1, C, H, W)，现在是 {shape}：'
                '一批里请只取一张，例如 X[:1]；没有高和宽的层画不出特征图'
            )


def _symmetric(values: np.ndarray) -> TwoSlopeNorm:
    limit = max(float(np.abs(values).max()), 1e-8)
    return TwoSlopeNorm(0, -limit, limit)


def _scale(values: np.ndarray) -> tuple[str, Normalize]:
    """有负值时用对称的红蓝色标，全非负时用从 0 开始的单色色标。"""
    if values.min() < 0:
        return 'RdBu_r', _symmetric(values)
    return 'Reds', Normalize(0, max(float(values.max()), 1e-8))
