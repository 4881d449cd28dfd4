"""由 chapters/resnet.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.models.network import Network, initialize
from deepcnn.training import Recipe


def conv_bn(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> nn.Sequential:
    """卷积层后接批量归一化；批量归一化自带偏移，卷积层不再需要偏置。

    X: (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)。
    """
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False
        ),
        nn.BatchNorm2d(out_channels),
    )


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """跨层的数据线路：形状不变时是恒等映射，否则用 1×1 卷积改变形状。"""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return conv_bn(in_channels, out_channels, 1, stride)


class ResidualBlock(nn.Module):
    """两个 3×3 卷积层拟合残差 g(x)，输出 ReLU(x + g(x))。

    X: (N, in_channels, H, W) → (N, channels, ⌈H/stride⌉, ⌈W/stride⌉)。
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            conv_bn(in_channels, channels, 3, stride),
            nn.ReLU(),
            conv_bn(channels, channels, 3),
        )
        self.shortcut = shortcut(in_channels, channels, stride)

    def forward(self, X: Tensor) -> Tensor:
        return F.relu(self.shortcut(X) + self.residual(X))


class Bottleneck(nn.Module):
    """瓶颈残差块：1×1 减通道、3×3 卷积、1×1 恢复到 4 倍通道。

    X: (N, in_channels, H, W) → (N, 4·channels, ⌈H/stride⌉, ⌈W/stride⌉)。
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = self.expansion * channels
        self.residual = nn.Sequential(
            conv_bn(in_channels, channels, 1),
            nn.ReLU(),
            conv_bn(channels, channels, 3, stride),
            nn.ReLU(),
            conv_bn(channels, out_channels, 1),
        )
        self.shortcut = shortcut(in_channels, out_channels, stride)

    def forward(self, X: Tensor) -> Tensor:
        return F.relu(self.shortcut(X) + self.residual(X))


def conv_stem(in_channels: int, out_channels: int = 64) -> nn.Sequential:
    """7×7 卷积与 3×3 最大池化，步幅 2。X: (N, C, H, W) → (N, out_channels, ⌈H/4⌉, ⌈W/4⌉)。"""
    return nn.Sequential(
        conv_bn(in_channels, out_channels, 7, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


Block = type[ResidualBlock] | type[Bottleneck]


def residual_stage(
    block: Block, in_channels: int, channels: int, num_blocks: int, stride: int
) -> nn.Sequential:
    """num_blocks 个残差块，只有第一个可能改变高、宽和通道数。"""
    blocks = [block(in_channels, channels, stride)]
    for _ in range(num_blocks - 1):
        blocks.append(block(channels * block.expansion, channels))
    return nn.Sequential(*blocks)


CHANNELS = (64, 128, 256, 512)  # 四个模块的通道数，每次翻倍
STRIDES = (1, 2, 2, 2)  # 第一个模块之前已经有池化层，所以不再减半
VARIANTS = {  # 论文表 1：残差块的种类与每个模块的块数
    'resnet18': (ResidualBlock, (2, 2, 2, 2)),
    'resnet34': (ResidualBlock, (3, 4, 6, 3)),
    'resnet50': (Bottleneck, (3, 4, 6, 3)),
    'resnet101': (Bottleneck, (3, 4, 23, 3)),
    'resnet152': (Bottleneck, (3, 8, 36, 3)),
}
SMALLEST_INPUT = 32  # 五次减半之后至少剩 1 个像素


def resnet(name: str, in_channels: int = 1, num_classes: int = 10) -> Network:
    """ResNet（He 等，2016）；``name`` 是 VARIANTS 的键。"""
    if name not in VARIANTS:
        raise ValueError(f'没有 {name!r} 这个配置：可以用 {"、".join(VARIANTS)}')
    block, depths = VARIANTS[name]
    stages, width = [], 64
    for channels, num_blocks, stride in zip(CHANNELS, depths, STRIDES, strict=True):
        stages.append(residual_stage(block, width, channels, num_blocks, stride))
        width = channels * block.expansion
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)
    )
    stem = conv_stem(in_channels)
    return initialize(Network(name, stem, nn.Sequential(*stages), head, SMALLEST_INPUT))


def resnet18(in_channels: int = 1, num_classes: int = 10) -> Network:
    """ResNet-18：17 个卷积层（不计捷径上的 1×1 卷积）加一个全连接层。"""
    return resnet('resnet18', in_channels, num_classes)


RECIPES = {
    'quick': Recipe(32, 2, 2e-3, batch_size=24, train_images=576, test_images=500, flip=False),
    'laptop': Recipe(96, 5, 2e-3, weight_decay=0.45, label_smoothing=0.1, shift=1),
    'full': Recipe(96, 28, 2e-3, weight_decay=0.3, label_smoothing=0.1, shift=1),
    'gpu': Recipe(96, 200, 0.2, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  erasing=0.5, label_smoothing=0.1, clip=None, seeds=(0, 1, 2)),
}  # fmt: skip
