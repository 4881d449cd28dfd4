"""滑动窗口的算术：卷积层与池化层的输出边长，以及一个单元在输入上看到多大一片。

公式见 Araujo、Norris、Sim，*Computing Receptive Fields of Convolutional Neural
Networks*，Distill，2019。高与宽的算法相同，这里只算一个方向。
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deepcnn.anatomy.choice import Choice, complete
from deepcnn.given_numbers import whole_number

CHOICES = {
    'image_size': Choice('输入边长', range(1, 257), 13),
    'kernel_size': Choice('窗口', range(1, 12), 3),
    'stride': Choice('步幅', range(1, 5), 1),
    'padding': Choice('填充', range(6), 0),
    'layers': Choice('层数', range(1, 7), 2),
}


@dataclass(frozen=True)
class Window:
    """一层卷积或池化：窗口边长、步幅、每边的填充，单位都是这一层输入的格。

    填充不小于窗口时会有单元只看到填充，所以抛出 ValueError。
    """

    kernel_size: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, whole_number(name, value, None))
        if self.kernel_size < 1 or self.stride < 1:
            raise ValueError(
                f'窗口与步幅至少是 1，现在是 {self.kernel_size} 和 {self.stride}'
            )
        if not 0 <= self.padding < self.kernel_size:
            raise ValueError(
                f'窗口 {self.kernel_size} 的填充可以用 0～{self.kernel_size - 1}，'
                f'现在是 {self.padding}'
            )


@dataclass(frozen=True)
class LayerView:
    """一层的输出，与它的单元在输入图像上的位置，单位是输入的像素。

    ``size`` 是输出边长；第 i 个单元的中心在 ``first_center + i * spacing``，看到
    边长 ``receptive_field`` 的一片。第 0 个像素的中心是 0。
    """

    size: int
    receptive_field: int
    spacing: int
    first_center: float


def view_layers(image_size: int, windows: Sequence[Window]) -> tuple[LayerView, ...]:
    """返回输入与 ``windows`` 各层的 LayerView，第一项是输入本身。

    某一层的输入（连同填充）不到一个窗口时抛出 ValueError。
    """
    image_size = whole_number('image_size', image_size, None)
    if image_size < 1:
        raise ValueError(f'输入边长至少是 1，现在是 {image_size}')
    views = [LayerView(image_size, 1, 1, 0.0)]
    for number, window in enumerate(windows, start=1):
        below = views[-1]
        padded = below.size + 2 * window.padding
        if padded < window.kernel_size:
            raise ValueError(
                f'第 {number} 层的输入边长是 {below.size}，连同填充是 {padded}，不到'
                f'窗口 {window.kernel_size}：窗口可以用 1～{padded}，或者加大输入、减少层数'
            )
        reach = window.kernel_size - 1
        views.append(
            LayerView(
                size=(padded - window.kernel_size) // window.stride + 1,
                receptive_field=below.receptive_field + reach * below.spacing,
                spacing=below.spacing * window.stride,
                first_center=below.first_center
                + (reach / 2 - window.padding) * below.spacing,
            )
        )
    return tuple(views)


def seen_units(windows: Sequence[Window], unit: int) -> list[tuple[int, int]]:
    """最后一层第 ``unit`` 个单元，在输入与各层里看到第几个到第几个单元（含两端）。

    从输入开始排列，最后一项是它自己。超出 0～边长−1 的部分是填充。
    """
    first = last = whole_number('unit', unit)
    seen = [(first, last)]
    for window in reversed(windows):
        first = first * window.stride - window.padding
        last = last * window.stride - window.padding + window.kernel_size - 1
        seen.append((first, last))
    return seen[::-1]


def repeated(**chosen: int) -> tuple[int, tuple[Window, ...]]:
    """由 CHOICES 的各项得到输入边长与相同的若干层；不合法时抛出 ValueError。"""
    values = complete(CHOICES, chosen)
    window = Window(values['kernel_size'], values['stride'], values['padding'])
    windows = (window,) * values['layers']
    view_layers(values['image_size'], windows)
    return values['image_size'], windows
