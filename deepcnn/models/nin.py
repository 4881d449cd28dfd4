"""由 chapters/nin.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

from torch import nn

from deepcnn.models.network import Network, initialize
from deepcnn.training import Recipe


def nin_block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    last_relu: bool = True,
) -> nn.Sequential:
    """一个 k×k 卷积层加两个充当全连接层的 1×1 卷积层。

    X: (N, in_channels, H, W) → (N, out_channels, H', W')，H' 由第一个卷积层决定。
    """
    layers = [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding), nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1), nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
    ]  # fmt: skip
    return nn.Sequential(*layers, nn.ReLU()) if last_relu else nn.Sequential(*layers)


BLOCKS = (  # (输出通道数, 卷积核大小, 步幅, 填充)，通道数与 AlexNet 一致
    (96, 11, 4, 0),
    (256, 5, 1, 2),
    (384, 3, 1, 1),
)
SMALLEST_INPUT = 67  # 再小，最后一个 3×3 池化层就没有足够的输入


def nin(
    in_channels: int = 1,
    num_classes: int = 10,
    last_relu: bool = False,
    blocks: tuple[tuple[int, int, int, int], ...] = BLOCKS,
) -> Network:
    """NiN（Lin 等，2013）；``last_relu`` 为真时类别得分再经过一次 ReLU（原始做法）。"""
    stages = []
    for out_channels, kernel_size, stride, padding in blocks:
        block = nin_block(in_channels, out_channels, kernel_size, stride, padding)
        stages.append(nn.Sequential(block, nn.MaxPool2d(3, stride=2)))
        in_channels = out_channels
    head = nn.Sequential(
        nn.Dropout(0.5),
        nin_block(in_channels, num_classes, 3, padding=1, last_relu=last_relu),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    stem, *stages = stages
    return initialize(
        Network('nin', stem, nn.Sequential(*stages), head, SMALLEST_INPUT)
    )


RECIPES = {
    'quick': Recipe(71, 3, 7e-4, batch_size=32, train_images=4096, test_images=500, flip=False),
    'laptop': Recipe(
        131, 10, 1e-3, batch_size=64, weight_decay=0.25, label_smoothing=0.1, shift=1
    ),
    'full': Recipe(
        224, 16, 1e-3, batch_size=64, weight_decay=0.25, label_smoothing=0.1, shift=1
    ),
    'gpu': Recipe(224, 60, 0.05, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  label_smoothing=0.05, seeds=(0, 1, 2)),
}  # fmt: skip


BLOCKS_OF = {  # 各档训练的网络
    'quick': tuple((channels // 2, *window) for channels, *window in BLOCKS),
    'laptop': BLOCKS,
    'full': BLOCKS,
    'gpu': BLOCKS,
}
