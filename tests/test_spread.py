"""平均与散布：算术，以及什么时候才说一个比另一个高。"""

import pytest

from deepcnn.spread import difference, spread


def test_mean_and_sample_deviation() -> None:
    three = spread([0.90, 0.92, 0.94])
    assert three.mean == pytest.approx(0.92)
    assert three.deviation == pytest.approx(0.02)
    assert three.text() == '0.920 ± 0.020'
    assert three.text(1, percent=True) == '92.0% ± 2.0%'


def test_one_seed_has_no_deviation() -> None:
    assert spread([0.9]).deviation is None
    assert spread([0.9]).text() == '0.900（1 个种子）'


def test_no_seed_is_refused() -> None:
    with pytest.raises(ValueError, match='至少要有一个种子'):
        spread([])


def test_difference_within_its_spread_is_not_claimed() -> None:
    gap = difference([0.900, 0.906, 0.912], [0.898, 0.904, 0.910])
    assert gap.mean == pytest.approx(0.002)
    assert gap.deviation == pytest.approx(0.006 * 2**0.5)
    assert not gap.clear
    sentence = gap.sentence('甲', '乙')
    assert '+0.20 个百分点' in sentence
    assert '分不出高低' in sentence


def test_difference_beyond_twice_its_spread_is_claimed() -> None:
    gap = difference([0.90, 0.901, 0.902], [0.95, 0.951, 0.952])
    assert gap.clear
    sentence = gap.sentence('甲', '乙')
    assert '-5.00 个百分点' in sentence
    assert '分不出' not in sentence


@pytest.mark.parametrize('seeds', [1, 2])
def test_fewer_than_three_seeds_are_not_compared(seeds: int) -> None:
    gap = difference([0.9, 0.91][:seeds], [0.5, 0.51][:seeds])
    assert not gap.clear
    assert f'只有 {seeds} 个种子，不比较' in gap.sentence('甲', '乙')
