"""由 chapters/densenet.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from deepcnn.models.network import Network, initialize
from deepcnn.models.resnet import conv_stem
from deepcnn.training import Recipe


def conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """「批量归一化、激活和卷积」。X: (N, in_channels, H, W) → (N, out_channels, H, W)。"""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
    )


class DenseBlock(nn.Module):
    """num_convs 个卷积块，每块的输入与输出在通道维上连结。

    X: (N, in_channels, H, W) → (N, in_channels + num_convs·growth_rate, H, W)。
    """

    def __init__(
        self,
        num_convs: int,
        in_channels: int,
        growth_rate: int,
        block: Callable[[int, int], nn.Module] = conv_block,
    ) -> None:
        super().__init__()
        self.out_channels = in_channels + num_convs * growth_rate
        self.convs = nn.ModuleList(
            block(in_channels + i * growth_rate, growth_rate) for i in range(num_convs)
        )

    def forward(self, X: Tensor) -> Tensor:
        for conv in self.convs:
            X = torch.cat([X, conv(X)], dim=1)
        return X


def transition_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """过渡层：1×1 卷积减小通道数，平均池化把高和宽减半。

    X: (N, in_channels, H, W) → (N, out_channels, ⌊H/2⌋, ⌊W/2⌋)。
    """
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        nn.AvgPool2d(2, stride=2),
    )


VARIANTS = {  # 论文表 1：(每个稠密块的卷积块数, 增长率, 第一个卷积层的通道数)
    'densenet121': ((6, 12, 24, 16), 32, 64),
    'densenet169': ((6, 12, 32, 32), 32, 64),
    'densenet201': ((6, 12, 48, 32), 32, 64),
    'densenet161': ((6, 12, 36, 24), 48, 96),
}
SMALLEST_INPUT = 32  # 五次减半之后至少剩 1 个像素


def dense_stages(
    num_convs: tuple[int, ...],
    growth_rate: int,
    channels: int,
    block: Callable[[int, int], nn.Module],
) -> tuple[nn.Sequential, int]:
    """稠密块与过渡层交替；返回它们和最后的通道数。过渡层把通道数减半。"""
    stages: list[nn.Module] = []
    for i, count in enumerate(num_convs):
        dense = DenseBlock(count, channels, growth_rate, block)
        stages.append(dense)
        channels = dense.out_channels
        if i < len(num_convs) - 1:
            stages.append(transition_block(channels, channels // 2))
            channels //= 2
    return nn.Sequential(*stages), channels


def densenet(
    in_channels: int = 1,
    num_classes: int = 10,
    num_convs: tuple[int, ...] = (4, 4, 4, 4),
    growth_rate: int = 32,
    stem_channels: int = 64,
    block: Callable[[int, int], nn.Module] = conv_block,
    name: str = 'densenet',
) -> Network:
    """DenseNet（Huang 等，2017）；默认值是本章的 4 块 × 4 层、增长率 32。"""
    stages, channels = dense_stages(num_convs, growth_rate, stem_channels, block)
    head = nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, num_classes),
    )
    stem = conv_stem(in_channels, stem_channels)
    return initialize(Network(name, stem, stages, head, SMALLEST_INPUT))


def bottleneck_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """论文的瓶颈版卷积块：先用 1×1 卷积减到 4 倍增长率，再做 3×3 卷积。"""
    inner = 4 * out_channels
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, inner, kernel_size=1, bias=False),
        conv_block(inner, out_channels),
    )


def paper_densenet(name: str, in_channels: int = 1, num_classes: int = 10) -> Network:
    """论文表 1 的 DenseNet-BC；``name`` 是 VARIANTS 的键。"""
    if name not in VARIANTS:
        raise ValueError(f'没有 {name!r} 这个配置：可以用 {"、".join(VARIANTS)}')
    num_convs, growth_rate, stem_channels = VARIANTS[name]
    return densenet(
        in_channels, num_classes, num_convs, growth_rate, stem_channels,
        bottleneck_block, name,
    )  # fmt: skip


RECIPES = {
    'quick': Recipe(32, 3, 3e-3, batch_size=32, train_images=1024, test_images=500, flip=False),
    'laptop': Recipe(96, 8, 3e-3, weight_decay=0.3, label_smoothing=0.1, shift=1),
    'full': Recipe(96, 20, 3e-3, weight_decay=0.2, label_smoothing=0.1, shift=1),
    'gpu': Recipe(96, 180, 0.2, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  erasing=0.5, label_smoothing=0.1, clip=None, seeds=(0, 1, 2)),
}  # fmt: skip
