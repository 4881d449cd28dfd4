"""一层有几十上百个通道，画哪几个：变化最大的。"""

from collections.abc import Iterable

import torch
from torch import Tensor

from deepcnn.given_numbers import whole_number


def most_active(
    values: Tensor, count: int = 8, among: Iterable[int] | None = None
) -> list[int]:
    """在这张图像上变化最大的 ``count`` 个通道的编号，变化大的在前；不够时有几个给几个。

    values (1, C, H, W)；只在 ``among`` 里挑（不给时是全部通道）。变化是各处反应的方差：
    一行特征图共用一个色标，方差大的深浅才分得开。按绝对值的平均来挑，会挑中处处一样
    亮的通道，里面什么也看不出。1×1 的特征图没有「各处」，按绝对值来挑。

    不是一张图像的特征图、``count`` 不是正整数或 ``among`` 里有没有的通道时抛出 ValueError。
    """
    if values.dim() != 4 or values.shape[0] != 1 or values.numel() == 0:
        raise ValueError(
            f'特征图应是一张图像的 (1, C, H, W)，现在是 {tuple(values.shape)}'
        )
    count = whole_number('count', count, 1)
    channels = values.shape[1]
    chosen = list(range(channels) if among is None else among)
    unknown = [one for one in chosen if not 0 <= one < channels]
    if unknown:
        raise ValueError(f'没有通道 {unknown}：这一层的编号是 0～{channels - 1}')
    flat = values[0, chosen].detach().flatten(1).float()
    activity = flat.var(1, correction=0) if flat.shape[1] > 1 else flat[:, 0].abs()
    order = torch.argsort(activity, descending=True, stable=True)[:count]
    return [chosen[one] for one in order.tolist()]
