"""各章的网络有哪些配置可以改，改了之后参数、乘加次数与内存是多少。

网络放在 ``meta`` 设备上，只推算形状，不分配内存，所以立刻就有结果。
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from deepcnn.anatomy.choice import Choice, complete
from deepcnn.anatomy.layers import LayerRow, LayerTable, layer_table
from deepcnn.anatomy.memory import saved_bytes
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import bottleneck_block, conv_block, densenet
from deepcnn.models.googlenet import INCEPTIONS, Inception, googlenet
from deepcnn.models.nin import BLOCKS, nin
from deepcnn.models.resnet import VARIANTS, resnet
from deepcnn.models.vgg import NUM_CONVS, vgg

FLOAT_BYTES = 4  # 一个单精度数
IN_CHANNELS = Choice('输入通道', (1, 3), 1)
CLASSES = Choice('类别', (10, 100, 1000), 10)
# 批量 1 时，1×1 的特征图每个通道只有一个数，批量归一化没有方差可算。
BATCH = Choice('批量', (2, 16, 32, 64, 128, 256), 64)


@dataclass(frozen=True)
class Configurable:
    """``choices`` 是可以改的各项；``build`` 由它们造出网络。

    ``image_size`` 与 ``in_channels`` 决定输入的形状，其余的交给 ``build``。
    """

    build: Callable[..., nn.Module]
    choices: dict[str, Choice]


@dataclass(frozen=True)
class Cost:
    """一份配置的花费。``parts`` 按阶段（Inception 块按线路）列出参数与 MACs。

    ``activations`` 是批量 ``batch_size``、单精度时，为反向传播保留的字节数。
    """

    name: str
    input_shape: tuple[int, int, int]
    batch_size: int
    parts: LayerTable
    activations: int

    @property
    def memory(self) -> dict[str, int]:
        """训练一步要存的字节；AdamW 为每个参数另存两个数。"""
        weights = FLOAT_BYTES * self.parts.parameters
        return {
            '参数': weights,
            '梯度': weights,
            'AdamW': 2 * weights,
            '激活': self.activations,
        }

    def summary(self) -> str:
        shape = '×'.join(map(str, self.input_shape))
        total = sum(self.memory.values()) / 2**20
        return (
            f'{self.name}，输入 {shape}：{self.parts.parameters:,} 个参数，'
            f'{self.parts.macs:,} 次乘加；批量 {self.batch_size} 训练一步要存 '
            f'{total:,.1f} MiB，其中激活 {self.activations / 2**20:,.1f} MiB'
        )


def _alexnet(image_size: int, in_channels: int, **choices: int) -> nn.Module:
    return alexnet(in_channels, image_size=image_size, **choices)


def _vgg(depth: str, image_size: int, in_channels: int, **choices: float) -> nn.Module:
    return vgg(depth, in_channels, image_size=image_size, **choices)


def _nin(
    width: float, image_size: int, in_channels: int, num_classes: int
) -> nn.Module:
    blocks = tuple((int(width * channels), *rest) for channels, *rest in BLOCKS)
    return nin(in_channels, num_classes, blocks=blocks)


def _inception(
    image_size: int,
    in_channels: int,
    c1: int,
    reduce3: int,
    c3: int,
    reduce5: int,
    c5: int,
    c4: int,
) -> nn.Module:
    return Inception(in_channels, c1, (reduce3, c3), (reduce5, c5), c4)


def _googlenet(image_size: int, in_channels: int, num_classes: int) -> nn.Module:
    return googlenet(in_channels, num_classes)


def _resnet(
    depth: str, image_size: int, in_channels: int, num_classes: int
) -> nn.Module:
    return resnet(depth, in_channels, num_classes)


def _densenet(
    image_size: int, in_channels: int, bottleneck: bool, **choices: object
) -> nn.Module:
    block = bottleneck_block if bottleneck else conv_block
    return densenet(in_channels, block=block, **choices)


_C1, (_REDUCE3, _C3), (_REDUCE5, _C5), _C4 = INCEPTIONS['3a']
CONFIGURABLE = {
    'alexnet': Configurable(
        _alexnet,
        {
            'image_size': Choice('边长', (63, 67, 96, 128, 160, 192, 224, 256), 224),
            'first_padding': Choice('首层填充', range(3), 2),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
    'vgg': Configurable(
        _vgg,
        {
            'depth': Choice('配置', tuple(NUM_CONVS), 'vgg11'),
            'width': Choice('宽度', (0.125, 0.25, 0.5, 0.75, 1.0), 1.0),
            'image_size': Choice('边长', (32, 48, 64, 96, 128, 160, 224), 224),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
    'nin': Configurable(
        _nin,
        {
            'width': Choice('宽度', (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0), 1.0),
            'image_size': Choice('边长', (67, 71, 96, 128, 160, 224), 224),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
    'inception': Configurable(
        _inception,
        {
            'in_channels': Choice('输入通道', (64, 128, 192, 256, 480), 192),
            'image_size': Choice('边长', (3, 6, 7, 12, 14, 24, 28), 28),
            'c1': Choice('线路 1', (32, 64, 128, 192), _C1),
            'reduce3': Choice('3×3 先减到', (16, 32, 64, 96, 128, 192), _REDUCE3),
            'c3': Choice('线路 2', (32, 64, 128, 192), _C3),
            'reduce5': Choice('5×5 先减到', (4, 8, 16, 32, 64, 96, 192), _REDUCE5),
            'c5': Choice('线路 3', (16, 32, 64, 96, 128), _C5),
            'c4': Choice('线路 4', (16, 32, 64, 128), _C4),
        },
    ),
    'googlenet': Configurable(
        _googlenet,
        {
            'image_size': Choice('边长', (32, 48, 64, 96, 128, 160, 224), 96),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
    'resnet': Configurable(
        _resnet,
        {
            'depth': Choice('配置', tuple(VARIANTS), 'resnet18'),
            'image_size': Choice('边长', (32, 48, 64, 96, 128, 160, 224), 96),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
    'densenet': Configurable(
        _densenet,
        {
            'num_convs': Choice(
                '各块层数',
                ((2, 2, 2, 2), (4, 4, 4, 4), (6, 6, 6, 6), (8, 8, 8, 8), (6, 12, 24, 16)),
                (4, 4, 4, 4),
            ),
            'growth_rate': Choice('增长率', (4, 8, 12, 16, 24, 32, 40, 48), 32),
            'bottleneck': Choice('瓶颈', (False, True), False),
            'image_size': Choice('边长', (32, 48, 64, 96, 128, 160, 224), 96),
            'in_channels': IN_CHANNELS,
            'num_classes': CLASSES,
        },
    ),
}  # fmt: skip


def choices_of(network: str) -> dict[str, Choice]:
    """``network`` 可以改的各项，最后一项是批量；网络名不认识时抛出 ValueError。"""
    if network not in CONFIGURABLE:
        raise ValueError(f'没有 {network!r} 这个网络：可以用 {"、".join(CONFIGURABLE)}')
    return CONFIGURABLE[network].choices | {'batch_size': BATCH}


def cost_of(network: str, **chosen: object) -> Cost:
    """``network`` 在这份配置下的花费；没有给的项用那一章的默认值。

    网络名、项名、值不合法，或图像小于网络的下限时，抛出 ValueError。
    """
    values = complete(choices_of(network), chosen)
    batch_size = values.pop('batch_size')
    shape = values['in_channels'], values['image_size'], values['image_size']
    with torch.device('meta'):
        net = CONFIGURABLE[network].build(**values)
        images = torch.empty(batch_size, *shape)
    return Cost(
        name=getattr(net, 'name', 'Inception 块'),
        input_shape=shape,
        batch_size=batch_size,
        parts=_parts(net, *shape[:2]),
        activations=saved_bytes(net, images),
    )


def _parts(net: nn.Module, in_channels: int, image_size: int) -> LayerTable:
    if not isinstance(net, Inception):
        return layer_table(net, image_size, in_channels)
    rows = layer_table(net, image_size, in_channels, detail=True).rows
    lines = {f'path{number}': f'线路 {number}' for number in (1, 2, 3, 4)}
    return LayerTable(
        tuple(
            LayerRow(
                label,
                [row.shape for row in rows if row.name.startswith(prefix)][-1],
                sum(row.parameters for row in rows if row.name.startswith(prefix)),
                sum(row.macs for row in rows if row.name.startswith(prefix)),
            )
            for prefix, label in lines.items()
        )
    )
