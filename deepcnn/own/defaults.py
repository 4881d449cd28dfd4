"""读者没有给的设置由数据来定；每一项都有一句理由，开始之前印出来。"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

import torch

from deepcnn.data.decoding import has_colour, shorter_side
from deepcnn.models.lineup import LINEUP, entry
from deepcnn.models.registry import create
from deepcnn.own.augmentation import Augmentation
from deepcnn.training.fitting import require_small_shift
from deepcnn.training.recipe import Recipe

LOOKED_AT = 200  # 看多少张图像的开头，来定边长与通道
LARGEST_SIDE = {'cpu': 96, 'other': 224}  # CPU 上再大就要等很久
WANTED_STEPS = 3_000  # 一次训练大约走多少步
FEWEST_PER_EPOCH = 20  # 一轮至少这么多步
PHOTOGRAPH = 64  # 较短一边有这么多像素，才随机裁剪；更小的图平移
CROP, JITTER = 0.5, 0.2  # 照片裁出的面积至少占几成；彩色的，颜色至多变几成


@dataclass(frozen=True)
class Given:
    """命令行上给了的；None 是没有给。"""

    side: int | None = None
    channels: int | None = None
    batch: int | None = None
    epochs: int | None = None
    lr: float | None = None
    flip: bool = True
    shift: int | None = None
    crop: float | None = None
    jitter: float | None = None
    seed: int = 0
    optimizer: str | None = None
    precision: str = 'auto'

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f'--seed 要在 0～{2**32 - 1} 之间，现在是 {self.seed}')
        if self.channels not in (None, 1, 3):
            raise ValueError(f'--channels 要是 1 或 3，现在是 {self.channels}')


@dataclass
class Settings:
    """定好的设置，与每一项的理由。"""

    recipe: Recipe
    channels: int
    augmentation: Augmentation = Augmentation()
    reasons: dict[str, str] = field(default_factory=dict)


def look_at(paths: Sequence[str], seed: int = 0) -> tuple[int, bool]:
    """随机看几张的开头：较短一边的中位数（像素），有没有彩色的。"""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(paths), generator=generator)[:LOOKED_AT].tolist()
    sides = [size for one in order if (size := shorter_side(paths[one]))]
    return round(median(sides or [64])), any(has_colour(paths[one]) for one in order)


def family_of(network: str) -> str:
    """``resnet50`` → ``resnet18``：各章训练过的那一个，学习率照它的。"""
    stem = network.rstrip('0123456789')
    return next(one for one in LINEUP if one.rstrip('0123456789') == stem)


@cache
def smallest_side(network: str) -> int:
    """网络接受的最小边长。"""
    with torch.device('meta'):
        return create(network).smallest_input


def choose(
    network: str,
    given: Given,
    images: int,
    typical_side: int,
    colour: bool,
    device: torch.device,
    tuned: bool,
    stored_side: int | None = None,
) -> Settings:
    """没有给的由数据定；名字不认识、数不合法时抛出 ValueError。

    ``images`` 是训练图像数，``typical_side`` 是它们较短一边的中位数，``tuned`` 是从别的
    权重出发，``stored_side`` 是增广时图像的边长（None 为送进网络的边长）。
    """
    channels = _first(given.channels, 3 if colour else 1)
    side = _first(given.side, _side(network, typical_side, device))
    batch = _first(given.batch, _batch(images))
    if batch > images:
        raise ValueError(
            f'小批量有 {batch} 张，训练图像却只有 {images} 张：请减小 --batch'
        )
    steps = max(1, images // max(1, batch))
    epochs = _first(given.epochs, max(10, min(100, round(WANTED_STEPS / steps))))
    usual = entry(family_of(network)).recipes['laptop']
    scale = min(1.0, math.sqrt(max(1, batch) / usual.batch_size)) / (3 if tuned else 1)
    lr = _first(given.lr, usual.lr * scale)
    kind = '图像有彩色的' if colour else '图像都是灰度的'
    smaller = '，微调取三分之一' if tuned else ''
    reasons = {
        name: f'{value}（{why if one is None else "给定"}）'
        for name, value, one, why in (
            ('通道', channels, given.channels, kind),
            ('边长', f'{side} 像素', given.side, f'较短一边的中位数是 {typical_side}'),
            ('小批量', f'{batch} 张', given.batch, f'训练图像 {images:,} 张'),
            (
                '轮数',
                epochs,
                given.epochs,
                f'每轮 {steps} 步，一共 {epochs * steps:,} 步',
            ),
            ('学习率', f'{lr:.2g}', given.lr, f'照那一章，随小批量缩小{smaller}'),
        )
    }
    augmentation = _augmentation(given, typical_side, channels == 3)
    stored = _first(stored_side, side)
    usual_shift = 0 if augmentation.crop < 1 else max(1, stored // 16)
    recipe = Recipe(
        side, epochs, lr, batch, label_smoothing=0.1, flip=given.flip,
        shift=_first(given.shift, usual_shift), precision=given.precision,
        optimizer=given.optimizer or 'adamw', seeds=(given.seed,),
    )  # fmt: skip
    require_small_shift(recipe.shift, stored)
    reasons['增广'] = _augmentation_told(recipe, augmentation, given, typical_side)
    return Settings(recipe, channels, augmentation, reasons)


def _augmentation(given: Given, typical_side: int, colour: bool) -> Augmentation:
    """照片随机裁剪，彩色的另改颜色；小图与灰度图不必。"""
    crop = CROP if typical_side >= PHOTOGRAPH else 1.0
    jitter = JITTER if colour else 0.0
    return Augmentation(_first(given.crop, crop), _first(given.jitter, jitter))


def _augmentation_told(
    recipe: Recipe, augmentation: Augmentation, given: Given, typical_side: int
) -> str:
    """做的几样，各带一句理由。"""
    size = '照片' if typical_side >= PHOTOGRAPH else '小图'
    crop, jitter = augmentation.crop, augmentation.jitter
    colours = f'亮度、对比度、饱和度变化至多 {jitter:.0%}'
    rows = (
        (crop < 1, f'随机裁剪，至少占 {crop:.0%} 的面积', given.crop, size),
        (recipe.shift, f'平移至多 {recipe.shift} 像素', given.shift, size),
        (jitter, colours, given.jitter, '彩色'),
    )
    parts = [
        f'{what}（{why if one is None else "给定"}）'
        for used, what, one, why in rows
        if used
    ]
    return '；'.join(['左右翻转'] * recipe.flip + parts) or '没有'


def _first(given: float | None, otherwise: float) -> float:
    """给了的（0 也算给了），没有给时是 ``otherwise``。"""
    return otherwise if given is None else given


def _side(network: str, typical: int, device: torch.device) -> int:
    """32 的倍数，不小于网络的下限，不大于设备上合算的。"""
    largest = LARGEST_SIDE['cpu' if device.type == 'cpu' else 'other']
    wanted = 32 * math.ceil(min(typical, largest) / 32)
    least = 32 * math.ceil(smallest_side(network) / 32)
    return max(least, min(wanted, largest))


def _batch(images: int) -> int:
    """2 的幂，8～128，一轮至少 ``FEWEST_PER_EPOCH`` 步，不到 160 张时除外。

    不到 8 张时是训练集的一半。
    """
    fitting = images // FEWEST_PER_EPOCH
    power = 2 ** max(3, min(7, fitting.bit_length() - 1))
    return power if power <= images else max(1, images // 2)
