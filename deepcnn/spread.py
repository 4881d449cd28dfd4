"""几个种子的平均与散布，以及两组结果的差别够不够大。"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import mean, stdev

LEAST_SEEDS = 3  # 少于三个种子不比较
CLEAR = 2  # 差别超过散布的两倍才算数；三个种子时略严于 95% 的 t 检验


@dataclass(frozen=True)
class Spread:
    """``count`` 个种子的平均与样本标准差；只有一个种子时没有标准差。"""

    mean: float
    deviation: float | None
    count: int

    def text(self, digits: int = 3, percent: bool = False) -> str:
        """``91.2% ± 0.3%``；``percent`` 为假时写 ``0.912 ± 0.003``。"""
        kind = '%' if percent else 'f'
        middle = f'{self.mean:.{digits}{kind}}'
        if self.deviation is None:
            return f'{middle}（1 个种子）'
        return f'{middle} ± {self.deviation:.{digits}{kind}}'


def spread(values: Sequence[float]) -> Spread:
    """各种子的结果 → 平均与散布；一个数也没有时抛出 ValueError。"""
    if not values:
        raise ValueError('至少要有一个种子的结果')
    deviation = stdev(values) if len(values) > 1 else None
    return Spread(mean(values), deviation, len(values))


@dataclass(frozen=True)
class Difference:
    """两组结果的平均之差；``deviation`` 是单个种子之差的标准差。"""

    mean: float
    deviation: float | None
    count: int  # 较少的那一组有几个种子

    @property
    def enough(self) -> bool:
        """种子够不够多，可以比较了吗。"""
        return self.count >= LEAST_SEEDS and self.deviation is not None

    @property
    def clear(self) -> bool:
        """差别是否超过散布的两倍；种子太少时一律为否。"""
        return self.enough and abs(self.mean) > CLEAR * self.deviation

    def sentence(self, first: str, second: str, digits: int = 2) -> str:
        """一句话：准确率之差（百分点），以及它算不算数。"""
        if not self.enough:
            return (
                f'「{first}」与「{second}」：只有 {self.count} 个种子，'
                f'不比较（至少要 {LEAST_SEEDS} 个）'
            )
        gap, noise = 100 * self.mean, 100 * self.deviation
        sizes = f'差 {gap:+.{digits}f} 个百分点，散布 {noise:.{digits}f}'
        verdict = '超过散布的两倍' if self.clear else '不到散布的两倍，分不出高低'
        return f'「{first}」减「{second}」：{sizes}：{verdict}'


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """``first`` 减 ``second``；两组各是几个种子的准确率（0～1）。"""
    a, b = spread(first), spread(second)
    known = a.deviation is not None and b.deviation is not None
    deviation = hypot(a.deviation, b.deviation) if known else None
    return Difference(a.mean - b.mean, deviation, min(a.count, b.count))
