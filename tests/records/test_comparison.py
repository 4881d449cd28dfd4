"""六网对比的算术：均值与起伏、两两比较；记录的存与读。"""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deepcnn.models.lineup import LINEUP
from deepcnn.records.agreement import (
    predictions_of,
)
from deepcnn.records.comparison import (
    Record,
    SeedRun,
    load_records,
    read_record,
    require_comparable,
)
from deepcnn.records.pairwise import RankedPair, differences
from deepcnn.records.spreads import spread


def seed_run(seed: int, predictions: str = '0123', accuracy: float = 0.5) -> SeedRun:
    """手写的一次训练：两轮，每轮 2 秒，每轮测试 1 秒。"""
    return SeedRun(
        seed, [1.0, 0.5], [0.4, 0.6], [0.25, accuracy], [2.0, 2.0], 6.0, ['CPU'],
        predictions, 'abc1234',
    )  # fmt: skip


def record(network: str = 'nin', seeds: tuple[int, ...] = (0, 1, 2)) -> Record:
    budget = {'epochs': 2, 'train_images': 300, 'batch_size': 64}
    recipe = {'image_size': 71, **budget, 'erasing': 0.0, 'momentum': 0.9}
    runs = tuple(map(seed_run, seeds))
    return Record(network, '四张图', 4, recipe, 'fp32', 'CPU', {'torch': '2'}, runs)


# ---- 均值与起伏 ----


def test_numbers_of_a_record() -> None:
    one = record()
    assert one.seeds == [0, 1, 2]
    assert one.accuracies == [0.5] * 3
    assert one.seconds == [6.0] * 3
    assert one.images_per_second == [128.0] * 3  # 每轮 4 个小批量，256 张
    assert predictions_of(one).tolist() == [[0, 1, 2, 3]] * 3
    assert one.provenance == '四张图 · 300 张 × 2 轮 · CPU · fp32 · 种子 0、1、2'


# ---- 两两比较 ----


def test_differences_are_sorted_and_signed() -> None:
    found = differences({'低': [1, 2, 3], '高': [11, 12, 13], '中': [6, 7, 8]})
    assert [(d.higher, d.lower, d.difference) for d in found[:1]] == [('高', '低', 10)]
    assert {(d.higher, d.lower) for d in found[1:]} == {('高', '中'), ('中', '低')}
    assert all(d.clear and d.low < d.difference < d.high for d in found)


def test_interval_is_that_of_tukey() -> None:
    """两组时 Tukey 检验就是 t 检验：自由度 4 的 97.5% 分位数是 2.776。"""
    [found] = differences({'甲': [1, 2, 3], '乙': [2, 3, 4]})
    half = 2.776 * math.sqrt(2 / 3)
    assert found.low == pytest.approx(1 - half, abs=1e-3)
    assert found.high == pytest.approx(1 + half, abs=1e-3)
    assert not found.clear


def test_difference_smaller_than_the_spread_is_not_claimed() -> None:
    found = differences({'甲': [88, 90, 92], '乙': [89, 91, 93], '丙': [70, 71, 72]})
    assert {(d.higher, d.lower) for d in found if d.clear} == {
        ('甲', '丙'), ('乙', '丙'),
    }  # fmt: skip


def test_every_claimed_difference_exceeds_both_spreads() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(6, 3, generator=generator).double() + torch.arange(6)[:, None]
    groups = {str(i): row.tolist() for i, row in enumerate(values)}
    pooled = math.sqrt(sum(spread(v).sd ** 2 for v in groups.values()) / 6)
    widest = max(spread(v).sd for v in groups.values())
    found = differences(groups)
    assert len(found) == 15
    assert any(one.clear for one in found)
    # 六组、每组三个：Q(0.95; 6, 12) = 4.75，界线是 4.75/√3 倍的合并标准差。
    for one in found:
        assert one.clear == (one.difference > 4.75 / math.sqrt(3) * pooled)
        assert not one.clear or one.difference > widest


def test_one_noisy_network_is_not_told_apart_by_less_than_its_spread() -> None:
    groups = {str(i): [0.0, 1e-6, 2e-6] for i in range(5)} | {'乱': [1.0, 2.0, 3.0]}
    widest = spread(groups['乱']).sd
    gap = next(one for one in differences(groups) if one.lower == '0')
    assert gap.difference - gap.low > 1.11 * widest  # 区间的一半，也就是界线


def test_one_value_has_no_spread() -> None:
    with pytest.raises(ValueError, match='甲 只有一个数'):
        differences({'甲': [1.0], '乙': [1.0, 2.0]})


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('second', [1, 2])
def test_no_spread_at_all_claims_nothing(second: float) -> None:
    [found] = differences({'甲': [1, 1, 1], '乙': [second] * 3})
    assert found.difference == second - 1
    assert math.isnan(found.low) and not found.clear


def test_an_interval_that_could_not_be_computed_claims_nothing() -> None:
    assert RankedPair('甲', '乙', 1.0, 0.1, 1.9).clear
    assert not RankedPair('甲', '乙', 1.0, math.nan, math.nan).clear
    assert not RankedPair('甲', '乙', 1.0, 0.0, 2.0).clear


# ---- 存与读 ----


def test_record_is_read_back_unchanged(tmp_path: Path) -> None:
    path = record().save(tmp_path)
    assert read_record(path) == record()
    assert list(tmp_path.iterdir()) == [path]


def test_seeds_are_kept_in_order() -> None:
    assert record(seeds=(0, 2)).with_run(seed_run(1)).seeds == [0, 1, 2]


@pytest.mark.parametrize('predictions', ['012', '01234', '01x3', '01²3', ''])
def test_wrong_predictions_are_refused(predictions: str) -> None:
    with pytest.raises(ValueError, match='应有 4 个预测'):
        record(seeds=()).with_run(seed_run(0, predictions))


def test_unfinished_seed_is_refused() -> None:
    run = replace(seed_run(0), test_accuracy=[0.1])
    with pytest.raises(ValueError, match='没有训练完'):
        record(seeds=()).with_run(run)


def test_missing_or_damaged_record_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / 'nin.json'
    with pytest.raises(ValueError, match='先运行 make compare'):
        read_record(path)
    for text in ('{"network"', '[]', '{}', '{"runs": [{"seed": 0, "more": 1}]}'):
        path.write_text(text, encoding='utf-8')
        with pytest.raises(ValueError, match='请删除它'):
            read_record(path)


def test_all_six_are_loaded_in_the_order_of_the_chapters(tmp_path: Path) -> None:
    for name in reversed(LINEUP):
        record(name).save(tmp_path)
    assert list(load_records(tmp_path)) == list(LINEUP)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'dataset': '别的'}, '数据集'),
        ({'device': 'GPU'}, '设备'),
        ({'precision': 'bf16'}, '精度'),
        ({'versions': {'torch': '3'}}, '版本'),
        ({'recipe': {'epochs': 2, 'train_images': 1, 'batch_size': 64}}, '预算'),
        ({'recipe': {'epochs': 2, 'train_images': 300, 'batch_size': 8}}, '预算'),
        ({'runs': record().runs[:2]}, '种子'),
    ],
)
def test_records_under_other_conditions_are_not_compared(
    change: dict, named: str
) -> None:
    other = replace(record('vgg11'), **change)
    with pytest.raises(ValueError, match=f'nin 与 vgg11 的{named}不同'):
        require_comparable([record(), other])


def test_one_seed_is_not_compared() -> None:
    with pytest.raises(ValueError, match='只有 1 个种子'):
        require_comparable([record(seeds=(0,)), record('vgg11', seeds=(0,))])


@pytest.mark.parametrize('name', LINEUP)
def test_published_records_hold_what_they_say(name: str) -> None:
    """仓库里的记录：三个种子，全部测试图像。预测与准确率由小结的断言核对。"""
    published = load_records()[name]
    assert published.seeds == [0, 1, 2]
    assert (published.dataset, published.test_images) == ('Fashion-MNIST', 10_000)
    assert (predictions_of(published) < 10).all()
    for run in published.runs:
        assert len(run.train_loss) == len(run.epoch_seconds) == len(run.test_accuracy)
        assert sum(run.epoch_seconds) < run.seconds


def test_accuracy_is_that_of_the_last_epoch() -> None:
    """不是最好的一轮；吞吐量取各轮的中位数。"""
    run = replace(
        seed_run(0), test_accuracy=[0.9, 0.7, 0.8], epoch_seconds=[1.0, 2.0, 100.0]
    )
    recipe = {'epochs': 3, 'train_images': 300, 'batch_size': 64}
    one = replace(record(seeds=()), recipe=recipe).with_run(run)
    assert one.accuracies == [0.8]
    assert one.images_per_second == [128.0]


def test_conditions_are_everything_but_the_seeds() -> None:
    one = record()
    assert one.conditions == {
        'network': 'nin', 'dataset': '四张图', 'test_images': 4, 'recipe': one.recipe,
        'precision': 'fp32', 'device': 'CPU', 'versions': {'torch': '2'},
    }  # fmt: skip
    assert replace(one, runs=()).conditions == one.conditions


def test_records_that_do_not_match_are_not_loaded(tmp_path: Path) -> None:
    for name in LINEUP:
        record(name, (0, 1) if name == 'densenet' else (0, 1, 2)).save(tmp_path)
    with pytest.raises(ValueError, match='alexnet 与 densenet 的种子不同'):
        load_records(tmp_path)


def test_older_record_is_completed(tmp_path: Path) -> None:
    """较早的记录里没有擦除与动量。"""
    older = {'epochs': 2, 'train_images': 300, 'batch_size': 64}
    path = replace(record(), recipe=older).save(tmp_path)
    assert read_record(path).recipe == older | {'erasing': 0.0, 'momentum': 0.9}


def test_interval_of_uneven_groups_belongs_to_its_pair() -> None:
    """各组的个数不同时，区间宽窄不同：与两两单独算的合并方差一致。"""
    groups = {'多': [1.0, 2.0, 3.0, 2.0, 1.0, 3.0], '少': [5.0, 6.0], '中': [9.0, 8.0, 7.0]}
    widths = {
        frozenset((one.higher, one.lower)): one.high - one.low
        for one in differences(groups)
    }
    sizes = {name: len(values) for name, values in groups.items()}
    for pair, width in widths.items():
        first, second = pair
        unit = math.sqrt(1 / sizes[first] + 1 / sizes[second])
        narrow = widths[frozenset(('多', '中'))] / math.sqrt(1 / 6 + 1 / 3)
        assert width / unit == pytest.approx(narrow)  # Tukey–Kramer
    for one in differences(groups):
        assert (one.low + one.high) / 2 == pytest.approx(one.difference)
        assert one.difference > 0
