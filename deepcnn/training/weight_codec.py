"""权重的紧凑写法：卷积层与全连接层的权重存成 int8，每个输出通道一个比例。

``encode`` 把一个网络的状态写成几个张量，``decode`` 读回 ``load_state_dict`` 要的字典。
状态里的名字照旧；存成 int8 的 ``x.weight`` 旁边多一个 ``x.weight.scale``，低秩的分成
``x.weight.left`` 与 ``x.weight.right`` 两个因子，读回时乘起来。

批量归一化留着，不并进卷积层：读回来的才是章里的那个结构，读者能看 γ、β 与滑动平均，钩子也
挂在同样的名字上。并进去省不到 1% 的字节，而 DenseNet 先归一化后卷积，隔着 ReLU，本来就并
不进去。偏置与归一化的数都是一个通道一个，存 float32 也不占地方。
"""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from deepcnn.records.store import write_bytes

SCALE, LEFT, RIGHT = '.scale', '.left', '.right'
LARGEST = 127  # int8 对称地用 −127～127


def quantize(W: Tensor) -> tuple[Tensor, Tensor]:
    """W float (out, …) → int8 同形状、比例 float32 (out,)，W ≈ int8 × 比例。

    每个数至多差半个比例。有不是有限数的权重时抛出 ValueError。
    """
    W = W.detach().cpu().float()
    if not W.isfinite().all():
        raise ValueError('权重里有 NaN 或无穷大：请重新训练，再写成 int8')
    largest = W.flatten(1).abs().amax(1)
    scale = (largest / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
    steps = (W / along_first(scale, W)).round()
    return steps.to(torch.int8).contiguous(), scale


def dequantize(steps: Tensor, scale: Tensor) -> Tensor:
    """``quantize`` 倒过来：int8 (out, …)、比例 (out,) → float32 (out, …)。"""
    return steps.float() * along_first(scale, steps)


def along_first(scale: Tensor, like: Tensor) -> Tensor:
    """(out,) → (out, 1, …)，维数与 ``like`` 相同。"""
    return scale.view(-1, *[1] * (like.dim() - 1))


def encode(
    net: nn.Module,
    factors: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    replaced: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """``net`` 的状态 → 要存的张量，都在 CPU 上、自己占一块内存。

    ``factors`` 是权重名 → 两个因子 (out, r)、(r, in)，代替那个权重；``replaced`` 是
    名字 → 代替它的张量。不是有限数的权重抛出 ValueError。
    """
    factors = factors or {}
    small = {
        f'{name}.weight'
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    stored = {}
    for name, value in (net.state_dict() | dict(replaced or {})).items():
        matrices = {}
        if name in factors:
            left, right = factors[name]
            matrices = {name + LEFT: left, name + RIGHT: right}
        elif name in small:
            matrices = {name: value}
        else:
            value = value.detach().cpu()
            stored[name] = value.clone(memory_format=torch.contiguous_format)
        for key, matrix in matrices.items():
            stored[key], stored[key + SCALE] = quantize(matrix)
    return stored


def write_encoded(path: Path, net: nn.Module, header: Mapping[str, str]) -> Path:
    """``encode(net)`` 写成 safetensors，返回路径；写不下时抛出 OSError，不留半个文件。"""
    return write_bytes(path, safetensors.torch.save(encode(net), dict(header)))


def decode(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``encode`` 倒过来：返回 ``load_state_dict`` 要的字典，权重都是 float32。"""
    state = {}
    for name, value in stored.items():
        scale = stored.get(name + SCALE)
        if not name.endswith(SCALE):
            state[name] = value if scale is None else dequantize(value, scale)
    for name in [name for name in state if name.endswith(LEFT)]:
        whole = name.removesuffix(LEFT)
        state[whole] = state.pop(name) @ state.pop(whole + RIGHT)
    return state
