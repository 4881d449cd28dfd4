"""查看网络：参数量、乘加次数（MACs）、各层输出形状、特征图。"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from deepcnn.given_numbers import whole_number
from deepcnn.models.network import Network
from deepcnn.training.evaluation import evaluating

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def count_parameters(module: nn.Module) -> int:
    """返回参数的个数，冻结的（``requires_grad=False``）也算。"""
    return sum(parameter.numel() for parameter in module.parameters())


@dataclass(frozen=True)
class LayerRow:
    """层表的一行；shape 是一张图像的输出形状，(C, H, W) 或 ``(特征数,)``。"""

    name: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class LayerTable:
    """层表：在笔记本里显示为表格，也可以用 ``rows`` 逐行读取。"""

    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows)

    def _repr_markdown_(self) -> str:
        lines = ['| 层 | 输出形状 | 参数 | MACs |', '|:--|:--|--:|--:|']
        for row in self.rows:
            shape = '×'.join(map(str, row.shape)) or '没有用到'
            lines.append(
                f'| {row.name} | {shape} | {row.parameters:,} | {row.macs:,} |'
            )
        lines.append(f'| **合计** | | **{self.parameters:,}** | **{self.macs:,}** |')
        return '\n'.join(lines)

    def __repr__(self) -> str:
        return self._repr_markdown_().replace('**', '')


@torch.no_grad()
def layer_table(
    net: nn.Module, image_size: int, in_channels: int = 1, detail: bool = False
) -> LayerTable:
    """用一张全零图像走一遍网络，返回各阶段（``detail``：各层）的层表。

    MACs 是矩阵乘法与卷积的乘加，一张图像，不含偏置；由 ``torch.utils.flop_counter``
    数出（一次乘加算 2 次运算）。网络与原来一样。各行之和总等于整个网络的：``detail``
    列出有参数或有乘加的每一层，以及池化层。没有分成阶段的网络要用 ``detail``，否则抛出
    ValueError。
    """
    measured = _measure(net, image_size, in_channels)
    if detail:
        parts = {
            f'{name}（{type(module).__name__}）': [module]
            for name, module in net.named_modules()
        }
        return LayerTable(tuple(_rows(parts, measured)))
    if not isinstance(net, Network):
        raise ValueError(
            f'{type(net).__name__} 没有分成 stem、stages、head：请用 detail=True 逐层列出'
        )
    stages = {f'stages.{i}': stage for i, stage in enumerate(net.stages)}
    named = {'stem': net.stem, **stages, 'head': net.head, '其余': net}
    parts = {name: [*part.modules()] for name, part in named.items()}
    rows = _rows(parts, measured)
    return LayerTable(
        tuple(row for row in rows if row.name != '其余' or row.parameters or row.macs)
    )


class _Measured:
    """走一遍网络时，每个模块自己的乘加次数（不含它下面的模块）与输出形状。

    按模块本身来记，不按名字：同一个模块可以放在几处、调用几次。
    """

    def __init__(self) -> None:
        self.counter = FlopCounterMode(display=False)
        self.macs: Counter[nn.Module] = Counter()
        self.shapes: dict[nn.Module, tuple[int, ...]] = {}
        self._inside = [0]  # 各层调用里，下面的模块已经用掉的
        self._started: list[int] = []

    def before(self, module: nn.Module, inputs: tuple) -> None:
        self._started.append(self.counter.get_total_flops())
        self._inside.append(0)

    def after(self, module: nn.Module, inputs: tuple, output: object) -> None:
        used = self.counter.get_total_flops() - self._started.pop()
        self.macs[module] += (used - self._inside.pop()) // 2  # 一次乘加算 2 次运算
        self._inside[-1] += used
        tensor = _first_tensor(output)
        self.shapes[module] = () if tensor is None else tuple(tensor.shape[1:])


def _measure(net: nn.Module, image_size: int, in_channels: int) -> _Measured:
    measured = _Measured()
    one = next(chain(net.parameters(), net.buffers()), torch.empty(0))
    size = whole_number('image_size', image_size, 1)
    shape = (1, whole_number('in_channels', in_channels, 1), size, size)
    images = torch.zeros(shape, device=one.device, dtype=one.dtype)
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as undo, evaluating(net):
        for module in net.modules():
            undo.callback(module.register_forward_pre_hook(measured.before).remove)
            undo.callback(module.register_forward_hook(measured.after).remove)
        # 注意力有两种合在一起的算子，flop_counter 不认识：都换成一步步的矩阵乘法
        undo.enter_context(sdpa_kernel(SDPBackend.MATH))
        torch.backends.mha.set_fastpath_enabled(False)
        undo.callback(torch.backends.mha.set_fastpath_enabled, fast)
        with measured.counter:
            net(images)
    return measured


def _rows(parts: dict[str, list[nn.Module]], measured: _Measured) -> Iterator[LayerRow]:
    """每个部分一行，形状取自它的第一个模块；共用的模块与权重只算在先出现的那一行。

    单独一个模块，既没有参数也没有乘加的不列，池化层除外。
    """
    counted: set[nn.Module | nn.Parameter] = set()
    for title, modules in parts.items():
        own = {p for m in modules for p in m.parameters(recurse=False)} - counted
        macs = sum(measured.macs[m] for m in modules if m not in counted)
        counted.update(own, modules)
        parameters = sum(parameter.numel() for parameter in own)
        first = modules[0]
        if parameters or macs or len(modules) > 1 or isinstance(first, POOLS):
            yield LayerRow(title, measured.shapes.get(first, ()), parameters, macs)


def _first_tensor(output: object) -> Tensor | None:
    """一个模块返回几样东西时，取第一个张量；一个也没有时返回 None。"""
    if isinstance(output, Tensor):
        return output
    values = output.values() if isinstance(output, dict) else output
    if not isinstance(output, (tuple, list, dict)):
        return None
    found = (_first_tensor(value) for value in values)
    return next((tensor for tensor in found if tensor is not None), None)


@contextmanager
def capture(net: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    """在 with 块内记下各模块的输出；离开时钩子全部取下。

    ``names`` 是模块路径，例如 ``'stem'``、``'stages.1'``。得到的字典在 ``net(X)``
    之后填好：名字 → (N, C, H, W) 的 float32，在 CPU 上；是当时的副本，后面的层就地改写
    也不影响它。名字不存在、模块没有返回张量时抛出 ValueError。
    """
    modules = dict(net.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        legal = '、'.join(name for name in modules if name and name.count('.') < 2)
        raise ValueError(f'网络里没有 {"、".join(unknown)}：可以用 {legal} 等')
    maps: dict[str, Tensor] = {}

    def remember(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: object) -> None:
            values = _first_tensor(output)
            if values is None:
                raise ValueError(
                    f'{name} 返回的是 {type(output).__name__}，里面没有张量可看'
                )
            maps[name] = values.detach().to('cpu', torch.float32, copy=True)

        return hook

    with ExitStack() as hooks:
        for name in names:
            hooks.callback(modules[name].register_forward_hook(remember(name)).remove)
        yield maps
