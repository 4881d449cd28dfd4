"""查看网络：参数量、乘加次数（MACs）、各层输出形状、特征图。"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepcnn.network import Network

POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def count_parameters(module: nn.Module) -> int:
    """返回可学习参数的个数。"""
    return sum(parameter.numel() for parameter in module.parameters())


@dataclass(frozen=True)
class LayerRow:
    """层表的一行；shape 是一张图像的输出形状，(C, H, W) 或 (特征数,)。"""

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
            shape = '×'.join(map(str, row.shape))
            lines.append(
                f'| {row.name} | {shape} | {row.parameters:,} | {row.macs:,} |'
            )
        lines.append(f'| **合计** | | **{self.parameters:,}** | **{self.macs:,}** |')
        return '\n'.join(lines)

    def __repr__(self) -> str:
        return self._repr_markdown_().replace('**', '')


@torch.no_grad()
def layer_table(
    net: Network, image_size: int, in_channels: int = 1, detail: bool = False
) -> LayerTable:
    """用一张全零图像走一遍网络，返回各阶段（``detail``：各层）的层表。

    MACs 只数卷积层与全连接层的乘加，一张图像，不含偏置；与
    ``torch.utils.flop_counter`` 的 FLOPs 之半相等（tests/ 里对照）。
    """
    parts = _layers(net) if detail else _parts(net)
    shapes: dict[str, tuple[int, ...]] = {}
    macs: dict[str, int] = {name: 0 for name in parts}

    def remember_shape(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            shapes[name] = tuple(output.shape[1:])

        return hook

    def add_macs(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            macs[name] += _macs(module, output)

        return hook

    with ExitStack() as hooks, evaluating(net):
        for name, part in parts.items():
            hooks.callback(part.register_forward_hook(remember_shape(name)).remove)
            for module in part.modules():
                hooks.callback(module.register_forward_hook(add_macs(name)).remove)
        device = next(net.parameters()).device
        net(torch.zeros(1, in_channels, image_size, image_size, device=device))
    return LayerTable(
        tuple(
            LayerRow(name, shapes[name], count_parameters(part), macs[name])
            for name, part in parts.items()
        )
    )


def _parts(net: Network) -> dict[str, nn.Module]:
    stages = {f'stages.{i}': stage for i, stage in enumerate(net.stages)}
    return {'stem': net.stem, **stages, 'head': net.head}


def _layers(net: Network) -> dict[str, nn.Module]:
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, *POOLS)
    return {
        f'{name}（{type(module).__name__}）': module
        for name, module in net.named_modules()
        if isinstance(module, kinds)
    }


def _macs(module: nn.Module, output: Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        window = module.weight[0].numel()  # 每个输出数要做的乘法次数
        return window * output[0].numel()
    if isinstance(module, nn.Linear):
        return module.weight.numel()
    return 0


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """在 with 块内按评价方式前向，离开时恢复原来的方式。"""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)


@contextmanager
def capture(net: nn.Module, *names: str) -> Iterator[dict[str, Tensor]]:
    """在 with 块内记下各模块的输出；离开时钩子全部取下。

    ``names`` 是模块路径，例如 ``'stem'``、``'stages.1'``。得到的字典在 ``net(X)``
    之后填好：名字 → (N, C, H, W) 的 float32，在 CPU 上。名字不存在时抛出 ValueError。
    """
    modules = dict(net.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        legal = '、'.join(name for name in modules if name and name.count('.') < 2)
        raise ValueError(f'网络里没有 {"、".join(unknown)}：可以用 {legal} 等')
    maps: dict[str, Tensor] = {}

    def remember(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            maps[name] = output.detach().float().cpu()

        return hook

    with ExitStack() as hooks:
        for name in names:
            hooks.callback(modules[name].register_forward_hook(remember(name)).remove)
        yield maps
