"""测试用的随机图像。"""

import torch
from torch import Tensor


def random_images(count: int, channels: int, size: int, seed: int = 0) -> Tensor:
    """有正有负：最大与平均、少一个 ReLU，在上面都看得出。"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, size, size, generator=generator)
