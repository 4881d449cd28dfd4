"""各种子的准确率（0～1）之差，照正文以百分点计。"""

from collections.abc import Sequence

from deepcnn.records.spreads import Interval, interval


def in_points(first: Sequence[float], second: Sequence[float]) -> Interval:
    """``first`` 减 ``second`` 的差别与 95% 区间。"""
    return interval(*([100 * value for value in values] for values in (first, second)))
