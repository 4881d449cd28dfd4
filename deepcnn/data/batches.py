"""在设备上成批地打乱、增广、放大、归一化；没有逐张的 PIL，也没有 DataLoader 进程。"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepcnn.data.dataset import Dataset, require_like
from deepcnn.given_numbers import finite_number, whole_number

ERASED_AREA = (0.02, 0.4)  # 擦去的面积占图像的比例
ERASED_ASPECT = 10 / 3  # 矩形的高宽比不超过它，也不小于它的倒数


def prepare(images: Tensor, image_size: int, data: Dataset) -> Tensor:
    """把 uint8 图像 (N, C, H, W) 缩放并归一化为 float (N, C, size, size)。

    双线性插值，缩小时先滤掉高频（抗锯齿），与 PIL 的结果相差不超过 1 个灰度级；
    均值、标准差取自训练集，每个通道一个。不是这样的图像、一张也没有或通道数与 ``data`` 不同
    时抛出 ValueError。
    """
    require_like(images, data)
    image_size = whole_number('image_size', image_size, 1)
    X = images.float()
    if (image_size, image_size) != X.shape[-2:]:
        shrinking = image_size < max(X.shape[-2:])
        X = F.interpolate(
            X, (image_size, image_size), mode='bilinear', antialias=shrinking
        )
    mean, std = _statistics(data)
    return (X - mean.to(X)) / std.to(X)


def restore(X: Tensor, data: Dataset) -> Tensor:
    """``prepare`` 的归一化倒过来：float (N, C, H, W)，像素在 0～1 之间，给人看。"""
    mean, std = _statistics(data)
    return ((X * std.to(X) + mean.to(X)) / 255).clamp(0, 1)


def _statistics(data: Dataset) -> tuple[Tensor, Tensor]:
    """各通道的均值与标准差，像素以 0～255 计，双精度 (C, 1, 1)。"""
    mean, std = (
        255 * torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
        for values in (data.mean, data.std)
    )
    return mean, std


def augment(images: Tensor, mirrored: Tensor, offset: Tensor) -> Tensor:
    """左右翻转并平移一批 uint8 图像；移出去的像素丢掉，空出来的补 0。

    形状：images (N, C, H, W)，mirrored bool (N,)，offset int64 (N, 2)（行、列，
    像素）；返回与 images 同形状。
    """
    count, channels, height, width = images.shape
    margin = int(offset.abs().max()) if offset.device.type == 'cpu' else height
    padded = F.pad(images, (margin,) * 4)
    device = images.device
    rows = torch.arange(height, device=device) + offset[:, :1] + margin  # (N, H)
    columns = torch.arange(width, device=device).expand(count, -1)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    columns = columns + offset[:, 1:] + margin  # (N, W)
    which = torch.arange(count, device=device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(-1, 1, 1)
    return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]


def erase(images: Tensor, boxes: Tensor, fill: tuple[int, ...]) -> Tensor:
    """每张图像的一个矩形涂成 ``fill``：随机擦除，见 Zhong 等（arXiv:1708.04896）。

    形状：images uint8 (N, C, H, W)，boxes float (N, 4)，是上边、左边的位置与高、宽，
    都是 0～1 之间的比例，高为 0 的不擦；fill 每个通道一个数。返回与 images 同形状。
    """
    rows = _covered(boxes[:, 0], boxes[:, 2], images.shape[2])
    columns = _covered(boxes[:, 1], boxes[:, 3], images.shape[3])
    erased = rows[:, None, :, None] & columns[:, None, None, :]
    color = torch.tensor(fill, dtype=images.dtype, device=images.device)
    return torch.where(erased, color.view(-1, 1, 1), images)


def _covered(place: Tensor, length: Tensor, size: int) -> Tensor:
    """一个方向上 ``size`` 个像素是否在矩形里，bool (N, size)；整个矩形都在图像里。"""
    length = (length * size).round()
    first = (place * (size - length + 1)).floor().clamp(max=size - length)
    pixel = torch.arange(size, device=place.device)
    return (pixel >= first[:, None]) & (pixel < (first + length)[:, None])


@dataclass(frozen=True)
class EpochPlan:
    """一轮训练的全部随机数：顺序、翻转、平移、擦除。"""

    order: Tensor  # int64 (N,)
    mirrored: Tensor  # bool (N,)
    offset: Tensor  # int64 (N, 2)
    boxes: Tensor | None = None  # float (N, 4)，见 ``erase``；None 为不擦


def plan_epoch(
    count: int,
    seed: int,
    epoch: int,
    flip: bool,
    shift: int,
    device: torch.device,
    erasing: float = 0.0,
) -> EpochPlan:
    """在 CPU 上抽好一轮的随机数再一次搬到设备：CPU 与 GPU 的顺序因此相同。

    擦除的随机数最后抽，所以用不用它，顺序、翻转和平移都不变。数不合法时抛出 ValueError。
    """
    count, seed = whole_number('count', count), whole_number('seed', seed)
    epoch, shift = whole_number('epoch', epoch), whole_number('shift', shift)
    erasing = finite_number('erasing', erasing)
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    order = torch.randperm(count, generator=generator)
    mirrored = torch.rand(count, generator=generator) < (0.5 if flip else 0.0)
    offset = torch.randint(-shift, shift + 1, (count, 2), generator=generator)
    boxes = draw_boxes(count, erasing, generator).to(device) if erasing else None
    return EpochPlan(order.to(device), mirrored.to(device), offset.to(device), boxes)


def draw_boxes(count: int, erasing: float, generator: torch.Generator) -> Tensor:
    """抽 ``count`` 个矩形，float (count, 4)；其余 1 − ``erasing`` 的图像高为 0。

    面积占图像的 2%～40%，高宽比 0.3～3.3（对数均匀），只取放得进图像的。
    """
    chosen, area, shape, *place = torch.rand(5, count, generator=generator)
    area = ERASED_AREA[0] + area * (ERASED_AREA[1] - ERASED_AREA[0])
    most = area.reciprocal().clamp(max=ERASED_ASPECT)  # 再扁或再长就放不下
    aspect = most ** (2 * shape - 1)
    height, width = (area * aspect).sqrt(), (area / aspect).sqrt()
    height = torch.where(chosen < erasing, height, 0.0)
    return torch.stack([*place, height, width], dim=1)


def train_batches(
    data: Dataset, plan: EpochPlan, batch_size: int, image_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """按 ``plan`` 依次给出 X float (n, C, size, size) 与 y int64 (n,)。

    最后不足一个小批量的图像这一轮不用（每轮打乱，下一轮会轮到）。
    """
    augmenting = bool(plan.mirrored.any()) or bool(plan.offset.any())
    average = tuple(round(255 * value) for value in data.mean)  # 擦去的地方涂成它
    batch_size = whole_number('batch_size', batch_size, 1)
    for start in range(0, len(plan.order) - batch_size + 1, batch_size):
        rows = slice(start, start + batch_size)
        which = plan.order[rows]
        images = data.train.images[which]
        if augmenting:
            images = augment(images, plan.mirrored[rows], plan.offset[rows])
        if plan.boxes is not None:
            images = erase(images, plan.boxes[rows], average)
        yield prepare(images, image_size, data), data.train.labels[which]


def test_batches(
    data: Dataset, image_size: int, batch_size: int = 500
) -> Iterator[tuple[Tensor, Tensor]]:
    """依次给出测试集的 X float (n, C, size, size) 与 y int64 (n,)，不增广。"""
    batch_size = whole_number('batch_size', batch_size, 1)
    for start in range(0, len(data.test), batch_size):
        rows = slice(start, start + batch_size)
        yield prepare(data.test.images[rows], image_size, data), data.test.labels[rows]
