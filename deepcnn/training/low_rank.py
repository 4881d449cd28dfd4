"""大的全连接层换成低秩的：只留输出在训练图像上真正变化的那几个方向。

一层的输出是 y = Wx + b。在一批训练图像上，4096 个 y 只沿不多的方向变化：减去均值 μ 之后做
主成分分析（PCA），前 r 个方向是 P 的列。把 y 换成 μ + PPᵀ(y − μ)，也就是

    W → P(PᵀW)，b → μ + PPᵀ(b − μ)，

两个因子一共 r(out + in) 个数，层的形状与输出的个数都不变，也不用再训练。由数据来挑方向，
比直接对 W 做奇异值分解省得多：W 在图像从不出现的方向上也有分量。
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Directions:
    """一层的输出怎样变化：均值 (out,)，主方向 (out, n)，变化大的在前。"""

    mean: Tensor
    basis: Tensor


def principal_directions(outputs: Tensor, most: int) -> Directions:
    """一层在一批图像上的输出 (N, out) → 前 ``most`` 个主方向。

    图像或通道不够 ``most`` 时，有几个给几个。没有随机数，结果每次都相同。
    """
    outputs = outputs.double()
    mean = outputs.mean(0)
    _, _, directions = torch.linalg.svd(outputs - mean, full_matrices=False)
    return Directions(mean, directions[:most].T)


def project(
    layer: nn.Linear, directions: Directions, rank: int
) -> tuple[Tensor, Tensor, Tensor]:
    """返回 P (out, r)、PᵀW (r, in) 与新的偏置 (out,)，都是 float32。"""
    weight, bias = (one.detach().cpu().double() for one in (layer.weight, layer.bias))
    P, mean = directions.basis[:, :rank], directions.mean
    shifted = mean + P @ (P.T @ (bias - mean))
    return P.float(), (P.T @ weight).float(), shifted.float()


@contextmanager
def recorded_outputs(layers: dict[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """在 with 块内记下各层每次前向的输出，每层一个列表，张量在 CPU 上。"""
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    hooks = [
        layer.register_forward_hook(
            lambda _, X, Y, name=name: seen[name].append(Y.detach().cpu())
        )
        for name, layer in layers.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
