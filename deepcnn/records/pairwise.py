"""几组结果两两比较：哪些差别大过种子之间的散布。"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan, nan
from statistics import mean

from scipy.stats import tukey_hsd


@dataclass(frozen=True)
class RankedPair:
    """两个网络的均值之差，以及它的 95% 联合置信区间。"""

    higher: str
    lower: str
    difference: float  # 不小于 0
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """区间不含 0：差别大过散布。散布为 0 而算不出区间时，不作结论。"""
        return not isnan(self.low) and self.low > 0


def differences(groups: dict[str, Sequence[float]]) -> list[RankedPair]:
    """两两比较各组的均值，差别从大到小排。

    用 Tukey 的 HSD 检验（``scipy.stats.tukey_hsd``，假定各组的方差相同）：全部区间
    同时成立的把握是 95%，所以比较的对数再多，也不会更容易碰巧「分出高低」。六组各三个
    数时，分得出的差别至少是最大的标准差的 1.12 倍：界线是 4.75/√3 倍的合并标准差，而合并
    标准差不小于最大的那个除以 √6。
    """
    short = [name for name, values in groups.items() if len(values) < 2]
    if short:
        raise ValueError(f'{"、".join(short)} 只有一个数，算不出散布：至少要两个')
    means = {name: mean(values) for name, values in groups.items()}
    known = any(len(set(values)) > 1 for values in groups.values())
    if known:
        interval = tukey_hsd(*groups.values()).confidence_interval(0.95)
    found = []
    for (i, first), (j, second) in combinations(enumerate(groups), 2):
        if means[first] < means[second]:
            i, j, first, second = j, i, second, first
        gap = means[first] - means[second]
        ends = (interval.low[i, j], interval.high[i, j]) if known else (nan, nan)
        found.append(RankedPair(first, second, gap, *map(float, ends)))
    return sorted(found, key=lambda one: -one.difference)
