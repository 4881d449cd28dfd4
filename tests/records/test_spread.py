"""平均与散布：算术，以及什么时候才说一个比另一个高。"""

import pytest

from deepcnn.records.spreads import difference, interval, spread


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


def test_difference_within_its_spread_is_not_claimed() -> None:
    gap = difference([0.900, 0.906, 0.912], [0.898, 0.904, 0.910])
    assert gap.mean == pytest.approx(0.002)
    assert gap.sd == pytest.approx(0.006 * 2**0.5)
    assert not gap.clear and gap.verdict == '分不出'


def test_a_difference_must_be_twice_its_spread() -> None:
    assert difference([10, 11, 12], [6, 7, 8]).verdict == '分得出'
    assert difference([6, 7, 8], [10, 11, 12]).clear  # 方向不限
    assert not difference([10, 11, 12], [8, 9, 10]).clear


@pytest.mark.parametrize('values', [[1.0], [1.0, 1.0]])
def test_fewer_than_three_seeds_decide_nothing(values: list[float]) -> None:
    found = difference(values, [0.0, 0.0, 0.0])
    assert not found.clear
    assert found.verdict == f'只有 {len(values)} 个种子，不下结论'


def test_exactly_twice_the_spread_is_not_enough() -> None:
    """一边没有起伏，另一边的标准差恰好是 1：差 2 不够，差一点点就够。"""
    still = [0.0, 0.0, 0.0]
    assert not difference([1.0, 2.0, 3.0], still).clear
    assert difference([1.125, 2.125, 3.125], still).clear


def test_the_smaller_side_decides_how_many_seeds_there_are() -> None:
    many, two = [1.0, 2.0, 3.0, 4.0], [9.0, 10.0]
    assert difference(many, two).seeds == difference(two, many).seeds == 2
    assert difference(many, two).mean == -7.0
    assert difference([1.0], many).sd is None


def test_the_interval_is_welchs() -> None:
    """手算：均值差 2，标准误 √(1/3 + 4/3)，自由度 2.94，t 的分位数 3.22。"""
    found = interval([10, 11, 12], [7, 9, 11])
    assert (found.mean, found.low, found.high) == pytest.approx((2, -2.155, 6.155), abs=1e-3)
    assert not found.clear and found.text() == '[−2.16, 6.16]'
    other = interval([7, 9, 11], [10, 11, 12])
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))


def test_more_seeds_narrow_the_interval() -> None:
    few, many = interval([1, 2, 3], [3, 4, 5]), interval([1, 2, 3] * 4, [3, 4, 5] * 4)
    assert few.mean == many.mean == -2
    assert not few.clear and many.clear


def test_without_spread_the_interval_is_the_difference() -> None:
    assert interval([1.0, 1.0], [0.5, 0.5]).clear
    assert not interval([1.0, 1.0], [1.0, 1.0]).clear
    alone = interval([1.0], [2.0, 3.0])
    assert alone.text() == '—' and not alone.clear
