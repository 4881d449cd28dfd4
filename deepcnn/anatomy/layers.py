"""查看网络：参数量、乘加次数（MACs）、各层输出形状、特征图。"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepcnn.models.network import Network
from deepcnn.training.evaluation import evaluating

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def count_parameters(module: nn.Module, learnable_only: bool = False) -> int:
    """返回参数的个数；``learnable_only`` 时不算冻结的（``requires_grad=False``）。"""
    return sum(
        parameter.numel()
        for parameter in module.parameters()
        if parameter.requires_grad or not learnable_only
    )


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
    列出有参数或有乘加的每一层，以及池化层。
    """
    shapes: dict[str, tuple[int, ...]] = {}
    counter = FlopCounterMode(display=False)

    def remember_shape(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: object) -> None:
            shapes[name] = tuple(_first_tensor(output).shape[1:])

        return hook

    with ExitStack() as hooks, evaluating(net):
        for name, module in net.named_modules():
            hooks.callback(module.register_forward_hook(remember_shape(name)).remove)
        device = next(net.parameters()).device
        images = torch.zeros(1, in_channels, image_size, image_size, device=device)
        with counter:
            net(images)
    macs = _macs_by_module(counter, type(net).__name__)
    rows = _detailed(net, shapes, macs) if detail else _by_stage(net, shapes, macs)
    return LayerTable(tuple(rows))


def _macs_by_module(counter: FlopCounterMode, root: str) -> dict[str, int]:
    """由模块的路径到乘加次数，含它下面的模块；根是空的路径。"""
    return {
        '' if path == root else path.removeprefix(f'{root}.'): sum(counts.values()) // 2
        for path, counts in counter.get_flop_counts().items()
        if path != 'Global'
    }


def _by_stage(
    net: Network, shapes: dict[str, tuple[int, ...]], macs: dict[str, int]
) -> Iterator[LayerRow]:
    stages = {f'stages.{i}': stage for i, stage in enumerate(net.stages)}
    for name, part in {'stem': net.stem, **stages, 'head': net.head}.items():
        yield LayerRow(name, shapes[name], count_parameters(part), macs.get(name, 0))


def _detailed(
    net: nn.Module, shapes: dict[str, tuple[int, ...]], macs: dict[str, int]
) -> Iterator[LayerRow]:
    """每个模块自己的参数与乘加，不含它下面的模块；两样都没有的不列，池化层除外。"""
    for name, module in net.named_modules():
        own = macs.get(name, 0) - sum(
            macs.get(f'{name}.{child}' if name else child, 0)
            for child, _ in module.named_children()
        )
        parameters = sum(one.numel() for one in module.parameters(recurse=False))
        if own or parameters or isinstance(module, POOLS):
            title = f'{name}（{type(module).__name__}）'
            yield LayerRow(title, shapes.get(name, ()), parameters, own)


def _first_tensor(output: object) -> Tensor:
    """一个模块返回几样东西时，取第一个张量；一个也没有时抛出 ValueError。"""
    if isinstance(output, Tensor):
        return output
    values = output.values() if isinstance(output, dict) else output
    for value in values if isinstance(output, (tuple, list, dict)) else ():
        try:
            return _first_tensor(value)
        except ValueError:
            continue
    raise ValueError(f'模块返回的是 {type(output).__name__}，里面没有张量')


@contextmanager
def capture(net: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    """在 with 块内记下各模块的输出；离开时钩子全部取下。

    ``names`` 是模块路径，例如 ``'stem'``、``'stages.1'``。得到的字典在 ``net(X)``
    之后填好：名字 → (N, C, H, W) 的 float32，在 CPU 上；是当时的副本，后面的层就地改写
    也不影响它。名字不存在时抛出 ValueError。
    """
    modules = dict(net.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        legal = '、'.join(name for name in modules if name and name.count('.') < 2)
        raise ValueError(f'网络里没有 {"、".join(unknown)}：可以用 {legal} 等')
    maps: dict[str, Tensor] = {}

    def remember(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: object) -> None:
            values = _first_tensor(output).detach()
            maps[name] = values.to('cpu', torch.float32, copy=True)

        return hook

    with ExitStack() as hooks:
        for name in names:
            hooks.callback(modules[name].register_forward_hook(remember(name)).remove)
        yield maps
