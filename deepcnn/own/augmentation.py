"""读者的图像另有的增广：随机裁剪与颜色变化。翻转与平移照旧由 ``data.batches`` 做。

一轮的随机数在 CPU 上一次抽好，由种子与轮数定，与翻转、平移的随机数无关：接着训练、换设备、
几个进程合训，都是同样的裁剪与颜色。验证与认图像从不增广。
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ASPECT = 4 / 3  # 裁出的矩形的高宽比不超过它，也不小于它的倒数
LUMINANCE = (0.299, 0.587, 0.114)  # 灰度里三个颜色各占多少，与 Pillow 相同
LARGEST_JITTER = 0.9  # 再大，图像可能全黑


@dataclass(frozen=True)
class Augmentation:
    """``crop`` 是裁出的面积至少占几成（1 为不裁），``jitter`` 是颜色至多变几成（0 为不变）。"""

    crop: float = 1.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ValueError(f'--crop 要大于 0、不大于 1，现在是 {self.crop}')
        if not 0 <= self.jitter <= LARGEST_JITTER:
            raise ValueError(
                f'--jitter 要在 0 与 {LARGEST_JITTER} 之间，现在是 {self.jitter}'
            )

    def plan(self, count: int, seed: int, epoch: int) -> 'Changes':
        """一轮里 ``count`` 张各怎样变。"""
        generator = torch.Generator().manual_seed(2**32 + seed * 100_003 + epoch)
        boxes = draw_crops(count, self.crop, generator) if self.crop < 1 else None
        amounts = 1 + self.jitter * (2 * torch.rand(count, 3, generator=generator) - 1)
        return Changes(boxes, amounts if self.jitter else None)


@dataclass(frozen=True)
class Changes:
    """每张图像的裁剪 float (N, 4) 与颜色的三个倍数 float (N, 3)；None 为不变。"""

    boxes: Tensor | None = None
    amounts: Tensor | None = None

    def part(self, rows: Tensor | slice) -> 'Changes':
        """其中几张的。"""
        boxes, amounts = (
            None if one is None else one[rows] for one in (self.boxes, self.amounts)
        )
        return Changes(boxes, amounts)

    def apply(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → 同形状。"""
        if self.boxes is not None:
            images = crop(images, self.boxes.to(images.device))
        if self.amounts is not None:
            images = recolour(images, self.amounts.to(images.device))
        return images


def draw_crops(count: int, least: float, generator: torch.Generator) -> Tensor:
    """抽 ``count`` 个矩形，float (count, 4)：上边、左边、高、宽，都是边长的几成。

    面积在 ``least`` 与 1 之间均匀，高宽比对数均匀，只取放得进图像的。
    """
    area, shape, top, left = torch.rand(4, count, generator=generator)
    area = least + (1 - least) * area
    most = area.reciprocal().clamp(max=ASPECT)
    aspect = most ** (2 * shape - 1)
    height, width = (area * aspect).sqrt(), (area / aspect).sqrt()
    return torch.stack([top * (1 - height), left * (1 - width), height, width], 1)


def crop(images: Tensor, boxes: Tensor) -> Tensor:
    """每张裁出自己的矩形，双线性放大成原来的大小；``boxes`` 见 ``draw_crops``。"""
    top, left, height, width = boxes.unbind(1)
    nothing = torch.zeros_like(top)
    across = torch.stack([width, nothing, 2 * left + width - 1], 1)
    down = torch.stack([nothing, height, 2 * top + height - 1], 1)
    grid = F.affine_grid(
        torch.stack([across, down], 1), list(images.shape), align_corners=False
    )
    # 夹住坐标就是照边上的像素补；'border' 做同样的事，可是旧的 PyTorch 在 Mac 的 GPU 上没有它
    most = 1 - 1 / grid.new_tensor([images.shape[3], images.shape[2]])
    grid = torch.minimum(torch.maximum(grid, -most), most)
    taken = F.grid_sample(images.float(), grid, 'bilinear', 'zeros', align_corners=False)
    return taken.round().to(torch.uint8)


def recolour(images: Tensor, amounts: Tensor) -> Tensor:
    """亮度、对比度、饱和度依次乘以 ``amounts`` 的三列；灰度图没有饱和度可变。"""
    brightness, contrast, saturation = amounts.view(-1, 3, 1, 1, 1).unbind(1)
    X = (images * brightness).clamp(0, 255)
    average = grey(X).mean((1, 2, 3), keepdim=True)
    X = (average + contrast * (X - average)).clamp(0, 255)
    if X.shape[1] == 3:
        own = grey(X)
        X = (own + saturation * (X - own)).clamp(0, 255)
    return X.round().to(torch.uint8)


def grey(X: Tensor) -> Tensor:
    """亮度：float (N, C, H, W) → (N, 1, H, W)。"""
    if X.shape[1] != 3:
        return X
    return (X * X.new_tensor(LUMINANCE).view(-1, 1, 1)).sum(1, keepdim=True)
