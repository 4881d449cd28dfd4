"""由 chapters/vgg.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

from torch import nn

from deepcnn.models.alexnet import classifier
from deepcnn.models.network import Network, initialize, require_image_size
from deepcnn.training import Recipe


def vgg_block(num_convs: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """num_convs 个 3×3 卷积层，再用池化把高和宽减半。

    X: (N, in_channels, H, W) → (N, out_channels, ⌊H/2⌋, ⌊W/2⌋)。
    """
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
        in_channels = out_channels
    return nn.Sequential(*layers, nn.MaxPool2d(2, stride=2))


CHANNELS = (64, 128, 256, 512, 512)  # 五个块的输出通道数
NUM_CONVS = {  # 每个块的卷积层数：论文表 1 的 A、B、D、E 列
    'vgg11': (1, 1, 2, 2, 2),
    'vgg13': (2, 2, 2, 2, 2),
    'vgg16': (2, 2, 3, 3, 3),
    'vgg19': (2, 2, 4, 4, 4),
}
SMALLEST_INPUT = 32  # 五次减半之后至少剩 1 个像素


def vgg(
    name: str,
    in_channels: int = 1,
    num_classes: int = 10,
    image_size: int = 224,
    width: float = 1.0,
) -> Network:
    """VGG（Simonyan 与 Zisserman，2014）；``name`` 是 NUM_CONVS 的键。

    ``width`` 按比例缩放卷积层的通道数（0.25 即四分之一），全连接层不变。
    """
    if name not in NUM_CONVS:
        raise ValueError(f'没有 {name!r} 这个配置：可以用 {"、".join(NUM_CONVS)}')
    if width < 1 / 64:
        raise ValueError(f'width 至少要 1/64（第一块还剩 1 个通道），现在是 {width}')
    require_image_size(name, image_size, SMALLEST_INPUT)
    channels = [int(c * width) for c in CHANNELS]
    sizes = zip(NUM_CONVS[name], [in_channels, *channels], channels, strict=False)
    stem, *stages = [vgg_block(n, c_in, c_out) for n, c_in, c_out in sizes]
    head = classifier(channels[-1] * (image_size // 32) ** 2, num_classes)
    return initialize(
        Network(name, stem, nn.Sequential(*stages), head, SMALLEST_INPUT, image_size)
    )


def vgg11(
    in_channels: int = 1,
    num_classes: int = 10,
    image_size: int = 224,
    width: float = 1.0,
) -> Network:
    """VGG-11：8 个卷积层，3 个全连接层。"""
    return vgg('vgg11', in_channels, num_classes, image_size, width)


RECIPES = {
    'quick': Recipe(32, 3, 1e-3, batch_size=24, train_images=504, test_images=300, flip=False),
    'laptop': Recipe(96, 12, 1e-3, weight_decay=1.0, label_smoothing=0.1, shift=1),
    'full': Recipe(224, 12, 1e-3, weight_decay=1.0, label_smoothing=0.1, shift=1),
    'gpu': Recipe(224, 60, 0.03, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  label_smoothing=0.05, seeds=(0, 1, 2)),
}  # fmt: skip
WIDTH = 0.25  # 各档都用四分之一的通道数训练
