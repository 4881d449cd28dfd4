"""由 chapters/alexnet.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

from torch import nn

from deepcnn.models.network import Network, initialize, require_image_size
from deepcnn.training import Recipe


def conv_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
) -> nn.Sequential:
    """卷积层后接 ReLU。X: (N, in_channels, H, W) → (N, out_channels, H', W')。"""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding), nn.ReLU()
    )


CHANNELS = (96, 256, 384, 384, 256)  # 五个卷积层的输出通道数
HIDDEN = 4096  # 两个全连接隐藏层的宽度
SMALLEST_INPUT = 63  # 再小，最后一个池化层就没有 3×3 的输入了


def conv_layers(in_channels: int, first_padding: int) -> list[nn.Module]:
    """五个卷积层与三个池化层，最后的输出为 (N, 256, H', W')。"""
    c1, c2, c3, c4, c5 = CHANNELS
    first = conv_relu(in_channels, c1, kernel_size=11, stride=4, padding=first_padding)
    return [
        nn.Sequential(first, nn.MaxPool2d(3, stride=2)),
        nn.Sequential(conv_relu(c1, c2, 5, padding=2), nn.MaxPool2d(3, stride=2)),
        conv_relu(c2, c3, 3, padding=1),
        conv_relu(c3, c4, 3, padding=1),
        nn.Sequential(conv_relu(c4, c5, 3, padding=1), nn.MaxPool2d(3, stride=2)),
    ]


def classifier(
    in_features: int, num_classes: int, dropout: float = 0.5
) -> nn.Sequential:
    """两个全连接隐藏层与一个全连接输出层。X: (N, C, H, W) → (N, num_classes)。"""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(in_features, HIDDEN), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(HIDDEN, num_classes),
    )  # fmt: skip


def output_size(image_size: int, first_padding: int) -> int:
    """最后一个池化层输出的边长（像素），由每层的 ⌊(n + 2p − k)/s⌋ + 1 得到。"""
    size = (image_size + 2 * first_padding - 11) // 4 + 1
    for _ in range(3):  # 三个 3×3、步幅 2 的池化层；其间的卷积层不改变边长
        size = (size - 3) // 2 + 1
    return size


def alexnet(
    in_channels: int = 1,
    num_classes: int = 10,
    image_size: int = 224,
    first_padding: int = 2,
) -> Network:
    """AlexNet（Krizhevsky 等，2012），不分组的单路版本。"""
    smallest = SMALLEST_INPUT + 2 * (2 - first_padding)  # 两侧各少填 1，图像就得大 2
    require_image_size('alexnet', image_size, smallest)
    features = CHANNELS[-1] * output_size(image_size, first_padding) ** 2
    stem, *stages = conv_layers(in_channels, first_padding)
    head = classifier(features, num_classes)
    return initialize(
        Network('alexnet', stem, nn.Sequential(*stages), head, smallest, image_size)
    )


RECIPES = {
    'quick': Recipe(63, 2, 5e-4, 20, train_images=640, test_images=300, flip=False),
    'laptop': Recipe(129, 6, 5e-4, weight_decay=2.0, label_smoothing=0.1, shift=1),
    'full': Recipe(224, 12, 5e-4, weight_decay=2.0, label_smoothing=0.1, shift=1),
    'gpu': Recipe(224, 60, 0.04, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  label_smoothing=0.05, seeds=(0, 1, 2)),
}  # fmt: skip
