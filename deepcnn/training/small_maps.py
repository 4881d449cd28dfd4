"""比卷积核还小的特征图：换一种算法求权重的梯度，快几倍，结果只差舍入。

PyTorch 所用的 oneDNN 遇到比核还小的图（例如 2×2 的图上做 3×3 卷积），会退到慢的
内核：AVX2 的 CPU 上用 fp32 时如此，有 AVX-512 的 CPU 上用 bf16 时也如此。这里把一批
图像一起展开（im2col，见 Chellapilla 等，2006），合成一次矩阵乘法。别的 CPU 与精度
没有量出好处，照旧。
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

PRECISIONS = (torch.float32, torch.bfloat16)


def needed_here(dtype: torch.dtype) -> bool:
    """用这种精度训练时，PyTorch 在这颗 CPU 上会不会退到慢的内核。"""
    slow = {'AVX2': torch.float32, 'AVX512': torch.bfloat16}
    return slow.get(torch.backends.cpu.get_cpu_capability()) == dtype


def computing_dtype(X: Tensor) -> torch.dtype:
    """卷积实际用的精度：autocast 开着时由它定。"""
    if torch.is_autocast_enabled('cpu'):
        return torch.get_autocast_dtype('cpu')
    return X.dtype


@contextmanager
def faster_small_maps(net: nn.Module) -> Iterator[None]:
    """在 ``with`` 之内，``net`` 的卷积层遇到比核还小的图就用这里的算法；出来后照旧。

    不需要这样做的 CPU 上什么也不改。
    """
    taken = []
    try:
        for layer in net.modules() if any(map(needed_here, PRECISIONS)) else ():
            if _is_plain(layer):
                taken.append(layer)
                layer.forward = partial(_forward, layer)
        yield
    finally:
        for layer in taken:
            vars(layer).pop('forward', None)  # 又看得见类里的 forward


def _is_plain(layer: nn.Module) -> bool:
    """只管最普通的二维卷积：不分组、不膨胀、边上填 0，也没有被别人换过 forward。"""
    return (
        type(layer) is nn.Conv2d
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and layer.padding_mode == 'zeros'
        and not isinstance(layer.padding, str)
        and 'forward' not in vars(layer)
    )


def _forward(layer: nn.Conv2d, input: Tensor) -> Tensor:
    if not is_worth_it(layer, input):
        return nn.Conv2d.forward(layer, input)
    dtype = computing_dtype(input)
    X, weight = input.to(dtype), layer.weight.to(dtype)
    bias = None if layer.bias is None else layer.bias.to(dtype)
    with torch.autocast('cpu', enabled=False):
        return SmallMapConvolution.apply(X, weight, bias, layer.stride, layer.padding)


def is_worth_it(layer: nn.Conv2d, X: Tensor) -> bool:
    """在 CPU 上用会变慢的精度训练，X: (N, C, H, W) 的高或宽又小于卷积核。"""
    return (
        X.device.type == 'cpu'
        and X.dim() == 4
        and torch.is_grad_enabled()
        and needed_here(computing_dtype(X))
        and (X.shape[2] < layer.kernel_size[0] or X.shape[3] < layer.kernel_size[1])
    )


class SmallMapConvolution(torch.autograd.Function):
    """与 ``F.conv2d`` 相同，只有权重的梯度由 ``weight_gradient`` 来求。"""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        X: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(X, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(X, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        X, weight = ctx.saved_tensors
        wanted_X, wanted_weight, wanted_bias = ctx.needs_input_grad[:3]
        for_X = for_weight = for_bias = None
        if wanted_X:
            shape = (ctx.stride, ctx.padding)
            for_X = nn.grad.conv2d_input(X.shape, weight, gradient, *shape)
        if wanted_weight:
            for_weight = weight_gradient(X, gradient, weight, ctx.stride, ctx.padding)
        if wanted_bias:  # 交给 oneDNN 的话，它会连权重的梯度一起算
            for_bias = gradient.sum((0, 2, 3))
        return for_X, for_weight, for_bias, None, None


def weight_gradient(
    X: Tensor,
    gradient: Tensor,
    weight: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """损失对 ``weight``: (O, C, kH, kW) 的梯度，形状相同。

    X: (N, C, H, W)；``gradient`` 是损失对输出的梯度，(N, O, H', W')。
    """
    (height, width), (top, left) = weight.shape[2:], padding
    padded = F.pad(X, (left, left, top, top)).permute(0, 2, 3, 1)  # (N, H, W, C)
    windows = padded.unfold(1, height, stride[0]).unfold(2, width, stride[1])
    # 每个窗口一行，通道排在最后，与 channels_last 的次序相同：(N·H'·W', kH·kW·C)
    rows = windows.permute(0, 1, 2, 4, 5, 3).reshape(-1, weight[0].numel())
    columns = gradient.permute(1, 0, 2, 3).flatten(1)  # (O, N·H'·W')
    found = (columns @ rows).view(len(weight), height, width, -1)
    return found.permute(0, 3, 1, 2)
