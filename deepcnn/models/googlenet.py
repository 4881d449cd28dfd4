"""由 chapters/googlenet.ipynb 的 export 单元生成。

不要手改：改那一章，再运行 make models。
"""

import torch
from torch import Tensor, nn

from deepcnn.models.alexnet import conv_relu
from deepcnn.models.network import Network, initialize
from deepcnn.training import Recipe


class Inception(nn.Module):
    """四条并行线路，输出在通道维上连结。

    ``c2``、``c3`` 是一对数：先用 1×1 卷积减到第一个数，再卷积到第二个数。
    X: (N, in_channels, H, W) → (N, c1 + c2[1] + c3[1] + c4, H, W)。
    """

    def __init__(
        self,
        in_channels: int,
        c1: int,
        c2: tuple[int, int],
        c3: tuple[int, int],
        c4: int,
    ) -> None:
        super().__init__()
        self.path1 = conv_relu(in_channels, c1, 1)
        self.path2 = nn.Sequential(
            conv_relu(in_channels, c2[0], 1), conv_relu(*c2, 3, padding=1)
        )
        self.path3 = nn.Sequential(
            conv_relu(in_channels, c3[0], 1), conv_relu(*c3, 5, padding=2)
        )
        self.path4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), conv_relu(in_channels, c4, 1)
        )

    def forward(self, X: Tensor) -> Tensor:
        paths = (self.path1, self.path2, self.path3, self.path4)
        return torch.cat([path(X) for path in paths], dim=1)


INCEPTIONS = {  # 论文表 1：(c1, c2, c3, c4)
    '3a': (64, (96, 128), (16, 32), 32),
    '3b': (128, (128, 192), (32, 96), 64),
    '4a': (192, (96, 208), (16, 48), 64),
    '4b': (160, (112, 224), (24, 64), 64),
    '4c': (128, (128, 256), (24, 64), 64),
    '4d': (112, (144, 288), (32, 64), 64),
    '4e': (256, (160, 320), (32, 128), 128),
    '5a': (256, (160, 320), (32, 128), 128),
    '5b': (384, (192, 384), (48, 128), 128),
}
SMALLEST_INPUT = 32  # 五次减半之后至少剩 1 个像素


def out_channels(name: str) -> int:
    """INCEPTIONS 里 ``name`` 这一块的输出通道数：四条线路之和。"""
    c1, c2, c3, c4 = INCEPTIONS[name]
    return c1 + c2[1] + c3[1] + c4


def inception_module(in_channels: int, *names: str) -> nn.Sequential:
    """串联若干个 Inception 块；``names`` 是 INCEPTIONS 的键。"""
    blocks = []
    for name in names:
        blocks.append(Inception(in_channels, *INCEPTIONS[name]))
        in_channels = out_channels(name)
    return nn.Sequential(*blocks)


def halve() -> nn.MaxPool2d:
    """模块之间的 3×3 最大池化层，高和宽减半（向上取整）。"""
    return nn.MaxPool2d(3, stride=2, padding=1)


def googlenet(in_channels: int = 1, num_classes: int = 10) -> Network:
    """GoogLeNet（Szegedy 等，2015），不含辅助分类器。"""
    module1 = nn.Sequential(conv_relu(in_channels, 64, 7, stride=2, padding=3), halve())
    module2 = nn.Sequential(
        conv_relu(64, 64, 1), conv_relu(64, 192, 3, padding=1), halve()
    )
    module3 = nn.Sequential(inception_module(192, '3a', '3b'), halve())
    module4 = nn.Sequential(
        inception_module(out_channels('3b'), '4a', '4b', '4c', '4d', '4e'), halve()
    )
    module5 = inception_module(out_channels('4e'), '5a', '5b')
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(out_channels('5b'), num_classes),
    )
    stages = nn.Sequential(module2, module3, module4, module5)
    return initialize(Network('googlenet', module1, stages, head, SMALLEST_INPUT))


RECIPES = {
    'quick': Recipe(32, 3, 1e-3, batch_size=32, train_images=1024, test_images=500, flip=False),
    'laptop': Recipe(96, 5, 2e-3, weight_decay=0.4, label_smoothing=0.1, shift=1),
    'full': Recipe(96, 20, 2e-3, weight_decay=0.3, label_smoothing=0.1, shift=1),
    'gpu': Recipe(96, 60, 0.04, 512, optimizer='sgd', weight_decay=5e-4, shift=2,
                  label_smoothing=0.1, seeds=(0, 1, 2)),
}  # fmt: skip
