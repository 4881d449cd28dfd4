"""训练配方：一次训练要用到的全部设置。"""

from dataclasses import asdict, dataclass
from math import isfinite
from numbers import Integral, Real

OPTIMIZERS = ('adamw', 'sgd')
SCHEDULES = ('onecycle', 'constant')
PRECISIONS = ('auto', 'fp32', 'bf16')
# 只能是整数的字段
WHOLE = ('image_size', 'epochs', 'batch_size', 'train_images', 'test_images', 'shift')
# 后来添上的字段：较早的记录里没有，那时就是这样训练的
ADDED_LATER = {'erasing': 0.0}


def completed(recipe: dict) -> dict:
    """读回的配方补上后来添的字段，好与今天的 ``Recipe.to_dict()`` 逐项比较。"""
    return ADDED_LATER | recipe


@dataclass(frozen=True)
class Recipe:
    """一份训练配方。各字段的单位写在行尾；不合法的值抛出 ValueError。"""

    image_size: int  # 送进网络的边长，像素
    epochs: int  # 轮数
    lr: float  # 学习率（`onecycle` 时为峰值）
    batch_size: int = 128  # 每个小批量的图像数
    train_images: int | None = None  # 只用前若干张训练图像；None 为全部
    test_images: int | None = None  # 只用前若干张测试图像；None 为全部
    optimizer: str = 'adamw'
    schedule: str = 'onecycle'
    weight_decay: float = 0.01
    clip: float | None = 1.0  # 梯度范数上限；None 为不裁剪
    label_smoothing: float = 0.0
    flip: bool = True  # 一半图像左右翻转（数据集允许时）
    shift: int = 0  # 随机平移的最大幅度，按 28 像素边长计
    erasing: float = 0.0  # 多大比例的图像擦去一个矩形，0～1
    precision: str = 'auto'  # auto：设备支持 bf16 就用，否则 fp32
    channels_last: bool = True
    seeds: tuple[int, ...] = (0,)  # 每个种子训练一次

    def __post_init__(self) -> None:
        optional = ('train_images', 'test_images', 'clip')
        given = [name for name in optional if getattr(self, name) is not None]
        for name in ('image_size', 'epochs', 'lr', 'batch_size', *given):
            _require_positive(self, name)
        for name in ('weight_decay', 'label_smoothing', 'shift', 'erasing'):
            _require_not_negative(self, name)
        for name in ('label_smoothing', 'erasing'):
            _require_at_most_one(self, name)
        _require_one_of(self, 'optimizer', OPTIMIZERS)
        _require_one_of(self, 'schedule', SCHEDULES)
        _require_one_of(self, 'precision', PRECISIONS)
        _require_seeds(self.seeds)

    def to_dict(self) -> dict:
        """返回可以写进 JSON 的字典。"""
        return {**asdict(self), 'seeds': list(self.seeds)}


def _require_positive(recipe: Recipe, name: str) -> None:
    value = _number(recipe, name, '大于 0')
    if not value > 0:
        raise ValueError(f'{name} 必须大于 0，现在是 {value}')


def _require_not_negative(recipe: Recipe, name: str) -> None:
    value = _number(recipe, name, '不小于 0')
    if value < 0:
        raise ValueError(f'{name} 不能是负数，现在是 {value}')


def _require_at_most_one(recipe: Recipe, name: str) -> None:
    value = getattr(recipe, name)
    if value > 1:
        raise ValueError(f'{name} 要在 0～1 之间，现在是 {value}')


def _number(recipe: Recipe, name: str, legal: str) -> float:
    """返回字段的值；不是有限的数、或该是整数而不是时，抛出 ValueError。

    ``legal`` 是合法的范围，只写进消息。
    """
    value = getattr(recipe, name)
    if name in WHOLE and not _is_whole(value):
        raise ValueError(f'{name} 要是{legal} 的整数，现在是 {value!r}')
    if not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f'{name} 要是{legal} 的有限数，现在是 {value!r}')
    return value


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _require_seeds(seeds: tuple[int, ...]) -> None:
    if not isinstance(seeds, tuple | list) or not all(map(_is_whole, seeds)):
        raise ValueError(f'seeds 要是整数的元组，例如 (0, 1, 2)，现在是 {seeds!r}')
    if not seeds:
        raise ValueError('seeds 不能为空：至少给一个整数种子，例如 (0,)')


def _require_one_of(recipe: Recipe, name: str, legal: tuple[str, ...]) -> None:
    value = getattr(recipe, name)
    if value not in legal:
        raise ValueError(f'{name}={value!r} 不认识：请从 {"、".join(legal)} 中选一个')
