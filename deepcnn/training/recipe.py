"""训练配方：一次训练要用到的全部设置。"""

from dataclasses import asdict, dataclass, fields
from math import isfinite
from numbers import Integral, Real

from deepcnn.given_numbers import as_float, is_switch

OPTIMIZERS = ('adamw', 'sgd')
SCHEDULES = ('onecycle', 'constant')
PRECISIONS = ('auto', 'fp32', 'bf16')
POSITIVE = (
    'image_size',
    'epochs',
    'lr',
    'batch_size',
    'train_images',
    'test_images',
    'clip',
)
NOT_NEGATIVE = ('weight_decay', 'momentum', 'label_smoothing', 'shift', 'erasing')
AT_MOST_ONE = ('momentum', 'label_smoothing', 'erasing')


@dataclass(frozen=True)
class Recipe:
    """一份训练配方。各字段的单位写在行尾；类型不对或不合法的值抛出 ValueError。

    NumPy 的数与种子的列表也接受，存成 Python 自己的数与元组。
    """

    image_size: int  # 送进网络的边长，像素
    epochs: int  # 轮数
    lr: float  # 学习率（`onecycle` 时为峰值）
    batch_size: int = 128  # 每个小批量的图像数
    train_images: int | None = None  # 只用前若干张训练图像；None 为全部
    test_images: int | None = None  # 只用前若干张测试图像；None 为全部
    optimizer: str = 'adamw'
    schedule: str = 'onecycle'
    weight_decay: float = 0.01
    momentum: float = 0.9  # 只用于 sgd（Nesterov）；0 为普通 SGD
    clip: float | None = 1.0  # 梯度范数上限；None 为不裁剪
    label_smoothing: float = 0.0
    flip: bool = True  # 一半图像左右翻转
    shift: int = 0  # 随机平移的最大幅度，数据集图像的像素
    erasing: float = 0.0  # 多大比例的图像擦去一个矩形，0～1
    precision: str = 'auto'  # auto：设备支持 bf16 就用，否则 fp32
    channels_last: bool = True
    seeds: tuple[int, ...] = (0,)  # 每个种子训练一次

    def __post_init__(self) -> None:
        for field in fields(self):
            value = checked(field.name, field.type, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        _require_one_of(self, 'optimizer', OPTIMIZERS)
        _require_one_of(self, 'schedule', SCHEDULES)
        _require_one_of(self, 'precision', PRECISIONS)

    def to_dict(self) -> dict:
        """返回可以写进 JSON 的字典。"""
        return {**asdict(self), 'seeds': list(self.seeds)}


def checked(name: str, kind: object, value: object) -> object:
    """类型与范围都对时返回 Python 自己的值，否则抛出 ValueError。"""
    if kind == tuple[int, ...]:
        return _seeds(value)
    if kind is bool:
        return _switch(name, value)
    if kind is str:
        return str(value) if isinstance(value, str) else value
    if value is None and kind in (int | None, float | None):
        return None
    whole = kind in (int, int | None)
    return _number(name, value, whole)


def _number(name: str, value: object, whole: bool) -> int | float:
    """整数（``whole``）或有限的数，范围见 POSITIVE、NOT_NEGATIVE 与 AT_MOST_ONE。"""
    legal = '大于 0' if name in POSITIVE else '不小于 0'
    if is_switch(value) or not isinstance(value, Integral if whole else Real):
        kind = '整数' if whole else '有限数'
        raise ValueError(f'{name} 要是{legal} 的{kind}，现在是 {value!r}')
    value = int(value) if whole else as_float(value)
    if not whole and not isfinite(value):
        raise ValueError(f'{name} 要是{legal} 的有限数，现在是 {value!r}')
    if name in POSITIVE and value <= 0:
        raise ValueError(f'{name} 必须大于 0，现在是 {value}')
    if name in NOT_NEGATIVE and value < 0:
        raise ValueError(f'{name} 不能是负数，现在是 {value}')
    if name in AT_MOST_ONE and value > 1:
        raise ValueError(f'{name} 要在 0～1 之间，现在是 {value}')
    return value


def _switch(name: str, value: object) -> bool:
    """开关只认真假：字符串 'no' 也是「真」，不能当作开关。"""
    if not is_switch(value):
        raise ValueError(f'{name} 是开关，要写 True 或 False，现在是 {value!r}')
    return bool(value)


def _seeds(value: object) -> tuple[int, ...]:
    whole = isinstance(value, tuple | list) and all(
        isinstance(one, Integral) and not is_switch(one) for one in value
    )
    if not whole:
        raise ValueError(f'seeds 要是整数的元组，例如 (0, 1, 2)，现在是 {value!r}')
    if not value:
        raise ValueError('seeds 不能为空：至少给一个整数种子，例如 (0,)')
    seeds = tuple(int(one) for one in value)
    if len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) >= 2**32:
        raise ValueError(f'seeds 要互不相同，都在 0～{2**32 - 1} 之间，现在是 {seeds}')
    return seeds


def _require_one_of(recipe: Recipe, name: str, legal: tuple[str, ...]) -> None:
    value = getattr(recipe, name)
    if value not in legal:
        raise ValueError(f'{name}={value!r} 不认识：请从 {"、".join(legal)} 中选一个')
