"""几个种子的平均与散布，以及两组结果的差别与它的区间。"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean, stdev


@dataclass(frozen=True)
class Spread:
    """几个值的平均与样本标准差（除以 n−1）；只有一个值时标准差是 None。"""

    mean: float
    sd: float | None

    def text(self, digits: int = 3, percent: bool = False) -> str:
        """``91.2% ± 0.3%``；``percent`` 为假时写 ``0.912 ± 0.003``。"""
        kind = '%' if percent else 'f'
        middle = f'{self.mean:.{digits}{kind}}'
        if self.sd is None:
            return f'{middle}（1 个种子）'
        return f'{middle} ± {self.sd:.{digits}{kind}}'


def spread(values: Sequence[float]) -> Spread:
    """各种子的结果 → 平均与散布；一个数也没有，或不都是有限数时抛出 ValueError。"""
    values = [float(one) for one in values]  # 也可以是 NumPy 的数组
    if not values:
        raise ValueError('至少要有一个种子的结果，现在一个也没有')
    if not all(map(isfinite, values)):
        raise ValueError(f'各种子的结果要都是有限的数，现在是 {values}')
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Interval:
    """两个平均值之差与它的 95% 置信区间；有一边只有一个种子时区间是 None。"""

    mean: float
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """区间不含 0：换一批种子，差别多半还是这个方向。"""
        return self.low is not None and not self.low <= 0 <= self.high

    def gap(self, digits: int = 2) -> str:
        """带符号的差别，``−0.81``。"""
        return f'{self.mean:+.{digits}f}'.replace('-', '−')

    def marked(self, digits: int = 2) -> str:
        """同 ``gap``，区间不含 0 的加粗。"""
        return f'**{self.gap(digits)}**' if self.clear else self.gap(digits)

    def text(self, digits: int = 2) -> str:
        """``[−1.59, −0.03]``；没有区间时是 ``—``。"""
        if self.low is None:
            return '—'
        ends = (f'{one:.{digits}f}' for one in (self.low, self.high))
        return f'[{", ".join(ends)}]'.replace('-', '−')


def interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """``first`` 减 ``second`` 的 95% 区间，每边每个种子一个值；有一边是空的抛出 ValueError。

    用 Welch 的 t 检验（``scipy.stats.ttest_ind``），不假定两边的散布相同。种子越多，
    区间越窄。两边的散布都是 0 时，区间就是差别本身。
    """
    from scipy.stats import ttest_ind  # make book 的环境里没有 scipy，也用不到

    a, b = spread(first), spread(second)
    gap = a.mean - b.mean
    if a.sd is None or b.sd is None:
        return Interval(gap, None, None)
    if a.sd == b.sd == 0:
        return Interval(gap, gap, gap)
    with warnings.catch_warnings():
        # 一边全相同（例如都学到 100%）时，scipy 警告精度；区间照样是对的。
        warnings.simplefilter('ignore', RuntimeWarning)
        found = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return Interval(gap, float(found.low), float(found.high))


def paired_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """``first`` 减 ``second`` 的 95% 区间，同一个种子的两个值是一对；个数不同抛出 ValueError。

    用在每个种子换一批训练图像、两边用同一批的时候。逐对相减，这一批好不好学就消去了。
    成对的 t 检验（``scipy.stats.ttest_rel``）；差都相同时，区间就是差别本身。
    """
    from scipy.stats import ttest_rel  # make book 的环境里没有 scipy，也用不到

    if len(first) != len(second):
        raise ValueError(f'两边的种子要一一对应，现在是 {len(first)} 个与 {len(second)} 个')
    gap = spread([a - b for a, b in zip(first, second, strict=True)])
    if gap.sd is None:
        return Interval(gap.mean, None, None)
    if gap.sd == 0:
        return Interval(gap.mean, gap.mean, gap.mean)
    with warnings.catch_warnings():  # 差几乎全相同时，scipy 警告精度
        warnings.simplefilter('ignore', RuntimeWarning)
        found = ttest_rel(first, second).confidence_interval(0.95)
    return Interval(gap.mean, float(found.low), float(found.high))
