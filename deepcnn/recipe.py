"""训练配方：一次训练要用到的全部设置。"""

from dataclasses import asdict, dataclass

OPTIMIZERS = ('adamw', 'sgd')
SCHEDULES = ('onecycle', 'constant')
PRECISIONS = ('auto', 'fp32', 'bf16')


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
    precision: str = 'auto'  # auto：设备支持 bf16 就用，否则 fp32
    channels_last: bool = True
    seeds: tuple[int, ...] = (0,)  # 每个种子训练一次

    def __post_init__(self) -> None:
        _require_positive(self, 'image_size', 'epochs', 'lr', 'batch_size')
        _require_not_negative(self, 'weight_decay', 'label_smoothing', 'shift')
        for name in ('train_images', 'test_images', 'clip'):
            if getattr(self, name) is not None:
                _require_positive(self, name)
        _require_one_of(self, 'optimizer', OPTIMIZERS)
        _require_one_of(self, 'schedule', SCHEDULES)
        _require_one_of(self, 'precision', PRECISIONS)
        if not self.seeds:
            raise ValueError('seeds 不能为空：至少给一个整数种子，例如 (0,)')

    def to_dict(self) -> dict:
        """返回可以写进 JSON 的字典。"""
        return {**asdict(self), 'seeds': list(self.seeds)}


def _require_positive(recipe: Recipe, *names: str) -> None:
    for name in names:
        value = getattr(recipe, name)
        if not value > 0:
            raise ValueError(f'{name} 必须大于 0，现在是 {value}')


def _require_not_negative(recipe: Recipe, *names: str) -> None:
    for name in names:
        value = getattr(recipe, name)
        if value < 0:
            raise ValueError(f'{name} 不能是负数，现在是 {value}')


def _require_one_of(recipe: Recipe, name: str, legal: tuple[str, ...]) -> None:
    value = getattr(recipe, name)
    if value not in legal:
        raise ValueError(f'{name}={value!r} 不认识：请从 {"、".join(legal)} 中选一个')
