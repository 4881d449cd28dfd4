"""图像、卷积核与特征图：函数返回图，由笔记本决定何时显示。

配色：特征图里 0 为白色，正为红、负为蓝（RdBu_r）；全非负的图用 0 为白的单色。
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from torch import Tensor

from deepcnn.plot.mosaic import ONE_LINE, Mosaic
from deepcnn.plot.style import stamp


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
