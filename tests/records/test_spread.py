"""平均与散布的算术，差别的区间。"""

import pytest

from deepcnn.records.spreads import interval, paired_interval, spread


def test_mean_and_sample_deviation() -> None:
    three = spread([0.90, 0.92, 0.94])
    assert three.mean == pytest.approx(0.92)
    assert three.sd == pytest.approx(0.02)  # 除以 n−1
    assert three.text() == '0.920 ± 0.020'
    assert three.text(1, percent=True) == '92.0% ± 2.0%'


def test_one_seed_has_no_deviation() -> None:
    assert spread([0.9]).sd is None
    assert spread([0.9]).text() == '0.900（1 个种子）'


def test_no_seed_is_refused() -> None:
    with pytest.raises(ValueError, match='至少要有一个种子'):
        spread([])


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_only_finite_results_are_summed_up(bad: float) -> None:
    for call in (lambda: spread([1.0, bad]), lambda: interval([1.0, 2.0], [bad, 1.0])):
        with pytest.raises(ValueError, match='有限的数'):
            call()


def test_the_interval_is_welchs() -> None:
    """手算：均值差 2，标准误 √(1/3 + 4/3)，自由度 2.94，t 的分位数 3.22。"""
    found = interval([10, 11, 12], [7, 9, 11])
    assert (found.mean, found.low, found.high) == pytest.approx((2, -2.155, 6.155), abs=1e-3)
    assert not found.clear and found.text() == '[−2.16, 6.16]'
    assert found.gap() == '+2.00'
    other = interval([7, 9, 11], [10, 11, 12])
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))
    assert other.gap(1) == '−2.0'


def test_more_seeds_narrow_the_interval() -> None:
    few, many = interval([1, 2, 3], [3, 4, 5]), interval([1, 2, 3] * 4, [3, 4, 5] * 4)
    assert few.mean == many.mean == -2
    assert not few.clear and many.clear


def test_pairs_are_subtracted_before_the_spread_is_taken() -> None:
    """手算：差是 1、2、3，平均 2，标准误 1/√3，自由度 2，t 的分位数 4.303。"""
    first, second = [11, 22, 33], [10, 20, 30]
    found = paired_interval(first, second)
    ends = (found.mean, found.low, found.high)
    assert ends == pytest.approx((2, -0.484, 4.484), abs=1e-3)
    assert interval(first, second).low < -10  # 不成对：三批图像的难易也算作散布
    assert paired_interval([3.0, 2.0], [2.0, 1.0]).text() == '[1.00, 1.00]'
    assert paired_interval([3.0], [2.0]).text() == '—'


def test_pairs_must_match() -> None:
    with pytest.raises(ValueError, match='2 个与 3 个'):
        paired_interval([1, 2], [1, 2, 3])


def test_without_spread_the_interval_is_the_difference() -> None:
    assert interval([1.0, 1.0], [0.5, 0.5]).clear
    assert not interval([1.0, 1.0], [1.0, 1.0]).clear
    alone = interval([1.0], [2.0, 3.0])
    assert alone.text() == '—' and not alone.clear
