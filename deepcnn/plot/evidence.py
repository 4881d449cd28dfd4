"""网络凭什么作答：最能激起各通道的图像，遮挡图与类激活图。函数返回图。

配色与特征图一样：0 为白，正为红、负为蓝。盖在图像上时，图像画成白底的浅灰，越接近 0 越
透明；盖在黑底上，红与蓝都看不清。
"""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from deepcnn.anatomy.class_activation import ClassActivation
from deepcnn.anatomy.excitation import Exciting
from deepcnn.anatomy.occlusion import Occlusion
from deepcnn.plot.images import color_bar, pictures
from deepcnn.plot.style import SMALL, WIDTH, stamp

PANELS = 4  # 一行几幅；一个例子占两幅：原图与盖上的
NARROW = 4.2  # 英寸；四张一行，放得这样宽就够看
GAP = 0.15  # 两组之间空开的高度，以一张图像计
MARK = '#E69F00'
MOST_OPAQUE = 0.85


def _fading() -> ListedColormap:
    """红与蓝越接近 0 越透明。透明度写在颜色里，色标才与图上的深浅一样。

    取平方根：红蓝本来就是越接近 0 越浅，再成正比地透明，小的变化就看不见了。
    """
    colours = plt.get_cmap('RdBu_r')(np.linspace(0, 1, 255))
    colours[:, 3] = MOST_OPAQUE * np.sqrt(np.abs(np.linspace(-1, 1, 255)))
    return ListedColormap(colours, 'fading RdBu_r')


FADING = _fading()


def exciting_images(
    images: Tensor, found: Sequence[Exciting], provenance: str = ''
) -> Figure:
    """每组一个通道：最能激起它的几张图像，四张一行，强的在前；圆圈是反应最大的地方。

    ``images`` 是测试集的图像 (N, C, H, W)，``found`` 的序号指着它们；各通道的张数要相同，
    一个通道也没有或张数不同时抛出 ValueError。
    """
    counts = {len(one.indices) for one in found}
    if len(counts) != 1 or not min(counts):
        raise ValueError(
            f'各通道的图像要一样多，至少一张；现在是 {sorted(counts) or "没有通道"}'
        )
    rows = -(-counts.pop() // PANELS)
    ratios = [*[1.0] * rows, GAP] * len(found)
    size = NARROW, NARROW / (PANELS + 0.6) * sum(ratios) + 0.3
    fig = plt.figure(figsize=size, layout='constrained')
    places = fig.add_gridspec(len(ratios), PANELS, height_ratios=ratios)
    for group, one in enumerate(found):
        cells = [divmod(n, PANELS) for n in range(len(one.indices))]
        top = group * (rows + 1)
        grid = [fig.add_subplot(places[top + row, column]) for row, column in cells]
        grid[0].set_ylabel(
            f'#{one.channel}', rotation=0, ha='right', va='center', fontsize=SMALL
        )
        shown = pictures(images[one.indices.to(images.device)])
        for axes, picture, place in zip(grid, shown, one.places.tolist(), strict=True):
            _show(axes, picture)
            height, width = picture.shape[:2]
            axes.plot(
                place[1] * width - 0.5, place[0] * height - 0.5, 'o', ms=9,
                mfc='none', mec=MARK, mew=1.6, clip_on=False,
            )  # fmt: skip
    return stamp(fig, provenance)


def occlusion_maps(
    images: Tensor,
    found: Sequence[Occlusion],
    titles: Sequence[str],
    provenance: str = '',
) -> Figure:
    """每个例子两幅：原图，以及盖住各处使那个类别的概率降低多少。

    红：盖住这里，概率降低，网络靠它作答；蓝：盖住这里，概率反而升高。``images`` 是数据集的
    图像 (N, C, H, W)，与 ``found``、``titles`` 一一对应，个数不同时抛出 ValueError。
    """
    _require_pairs(images, found, titles)
    covers = []
    for one in found:
        rows, columns = one.values.shape
        near = -one.stride / 2  # 第一个中心在第 0 个像素上
        covers.append(Cover(
            one.probability - one.values.numpy(),
            f'{one.probability:.2f} → {float(one.values.min()):.2f}',
            (near, near + columns * one.stride, near + rows * one.stride, near),
        ))  # fmt: skip
    return _beside(images, titles, covers, '盖住这里，概率降低多少', provenance)


def class_activations(
    images: Tensor,
    found: Sequence[ClassActivation],
    titles: Sequence[str],
    provenance: str = '',
) -> Figure:
    """每个例子两幅：原图，以及各处给那个类别的分。红：加分；蓝：减分。

    各处的分放大到图像的大小；``images`` 是数据集的图像 (N, C, H, W)，与 ``found``、
    ``titles`` 一一对应，个数不同时抛出 ValueError。
    """
    _require_pairs(images, found, titles)
    height, width = images.shape[-2:]
    covers = [
        Cover(
            one.resized(height, width).numpy(),
            f'得分 {one.score:.1f}（{"×".join(map(str, one.values.shape))}）',
            (-0.5, width - 0.5, height - 0.5, -0.5),
        )
        for one in found
    ]
    return _beside(images, titles, covers, '这里给这一类的分', provenance)


@dataclass(frozen=True)
class Cover:
    """盖在一张图像上的：数值 (h, w)，写在上方的字，占图像的哪一块（左、右、下、上）。"""

    field: np.ndarray
    note: str
    extent: tuple[float, float, float, float]


def _beside(
    images: Tensor,
    titles: Sequence[str],
    covers: Sequence[Cover],
    label: str,
    provenance: str,
) -> Figure:
    """每个例子两幅，左边原图，右边盖上 ``covers`` 的一项；全图一个对称的色标。"""
    fig, panels = _panels(len(covers))
    limit = max(max(float(np.abs(one.field).max()) for one in covers), 1e-8)
    for (left, right), picture, one, title in zip(
        panels, pictures(images), covers, titles, strict=True
    ):
        _show(left, picture, title)
        _show_pale(right, picture, one.note)
        drawn = _cover(right, one.field, one.extent, limit)
    color_bar(fig, drawn, [one for pair in panels for one in pair], label)
    return stamp(fig, provenance)


def _require_pairs(
    images: Tensor, found: Sequence[object], titles: Sequence[str]
) -> None:
    counts = [len(images), len(found), len(titles)]
    if len(set(counts)) > 1 or not counts[0]:
        raise ValueError(f'图像、结果、标题要一样多，至少一个；现在各有 {counts} 个')


def _panels(count: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """每个例子两个坐标系，一行 ``PANELS`` 个；只有一个例子时图也窄。"""
    columns = min(PANELS, 2 * count)
    rows = -(-2 * count // columns)
    side = WIDTH / PANELS
    fig, grid = plt.subplots(
        rows, columns, squeeze=False, layout='constrained',
        figsize=(side * columns, (side + 0.3) * rows + 0.9),
    )  # fmt: skip
    flat = [*grid.flat]
    for axes in flat[2 * count :]:
        axes.set_axis_off()
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return fig, list(pairs)[:count]


def _show(axes: Axes, picture: np.ndarray, title: str = '') -> None:
    axes.imshow(picture, cmap='gray')
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=SMALL, pad=4)
    axes.spines[:].set_visible(False)


def _show_pale(axes: Axes, picture: np.ndarray, title: str) -> None:
    """白底的浅灰；彩色的先取三个通道的平均。"""
    grey = picture if picture.ndim == 2 else picture.mean(-1)
    _show(axes, picture, title)
    [image] = axes.images
    image.set(data=grey, cmap='Greys', clim=(grey.min(), 2.5 * grey.max()))


def _cover(
    axes: Axes, field: np.ndarray, extent: tuple[float, ...], limit: float
) -> AxesImage:
    """把 ``field`` 盖在已经画好的图像上；坐标轴的范围不变。"""
    limits = axes.get_xlim(), axes.get_ylim()
    drawn = axes.imshow(field, cmap=FADING, vmin=-limit, vmax=limit, extent=extent)
    axes.set(xlim=limits[0], ylim=limits[1])
    return drawn
