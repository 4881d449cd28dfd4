"""六个网络共用的外壳与初始化。"""

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """由 ``stem``（入口）、``stages``（各阶段）、``head``（输出头）组成的网络。

    统一的三段结构让层表、特征图和六网对比不必为某个网络写特例。

    形状：X 为 (N, C, H, W)，返回未归一化的类别得分 (N, num_classes)。

    图像的通道数不是 ``in_channels``，小于 ``smallest_input``，或网络带固定大小的全连接层
    而边长不等于 ``image_size`` 时，抛出 ValueError。
    """

    def __init__(
        self,
        name: str,
        stem: nn.Module,
        stages: nn.Module,
        head: nn.Module,
        smallest_input: int,
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        require_image_size(name, image_size or smallest_input, smallest_input)
        self.name = name
        self.smallest_input = smallest_input
        self.image_size = image_size
        self.stem = stem
        self.stages = stages
        self.head = head

    def require_side(self, size: int, title: str) -> None:
        """边长 ``size`` 小于下限时抛出 ValueError，消息里称这个网络为 ``title``。"""
        require_image_size(title, size, self.smallest_input)

    @property
    def in_channels(self) -> int | None:
        """输入要几个通道；第一层不是卷积层时看不出来，返回 None。"""
        leaves = (one for one in self.stem.modules() if not any(one.children()))
        first = next(leaves, None)
        return first.in_channels if isinstance(first, nn.Conv2d) else None

    def require_channels(self, channels: int) -> None:
        """图像有 ``channels`` 个通道，而网络要的不是这么多时，抛出 ValueError。"""
        expected = self.in_channels
        if expected is not None and channels != expected:
            raise ValueError(
                f'{self.name} 是按 {expected} 个通道的图像建的，现在的图像有 {channels} 个：'
                f'请用 in_channels={channels} 重新构造'
            )

    def forward(self, X: Tensor) -> Tensor:
        self.require_channels(X.shape[1])
        height, width = X.shape[-2:]
        require_image_size(self.name, min(height, width), self.smallest_input)
        if self.image_size and (height, width) != (self.image_size, self.image_size):
            raise ValueError(
                f'{self.name} 的全连接层是按 {self.image_size}×{self.image_size} 的'
                f'输入建的，现在是 {height}×{width}：请用 image_size={height} 重新构造'
            )
        return self.head(self.stages(self.stem(X)))


def require_image_size(name: str, size: int, smallest: int) -> None:
    """边长 ``size`` 小于 ``smallest`` 像素时抛出 ValueError。"""
    if size < smallest:
        raise ValueError(
            f'{name} 的输入边长至少要 {smallest} 像素，现在是 {size}：'
            f'请先把图像放大到 {smallest}×{smallest} 或更大'
        )


@torch.no_grad()
def initialize(net: nn.Module) -> nn.Module:
    """就地做 He 初始化并返回 ``net``：权重方差为 2/fan_in，偏置为 0。

    依据 He 等（2015）对 ReLU 网络的推导，见 arXiv:1502.01852。
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
