"""对照实验的记录：每个量取最后一轮，表里的数与单位，存与读。"""

from dataclasses import replace
from pathlib import Path

import pytest
from trial_records import load_trial

from deepcnn.records.runs import History, Run
from deepcnn.records.trials import (
    MEASURES,
    Trial,
    compare,
    intervals,
    last_epoch,
    results_table,
)


def trial(label: str = '甲', shift: float = 0.0, seeds: int = 3) -> Trial:
    """三轮；最后一轮既不是最好的，也不是最差的。``shift`` 加在准确率上。"""
    runs = []
    for seed in range(seeds):
        low = 0.01 * seed + shift
        runs.append(
            Run(
                seed, [3.0, 1.0, 2.0], [0.2, 0.6, 0.5 + low], [0.3, 0.8, 0.6 + low],
                [1.0] * 3, 4.0,
            )
        )  # fmt: skip
    recipe = {'lr': 0.1, 'erasing': 0.0, 'momentum': 0.9}
    history = History(
        'net', 'quick', '随机图像', 100, 50, 28, 3, 10, 'fp32', 'CPU', '2', recipe, runs,
        {}, 'abc',
    )  # fmt: skip
    return Trial(
        label, history, tuple(0.9 + 0.02 * seed for seed in range(seeds)), 1234
    )


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('train_loss', [2.0] * 3),
        ('running_accuracy', [0.5, 0.51, 0.52]),
        ('train_accuracy', [0.9, 0.92, 0.94]),
        ('test_accuracy', [0.6, 0.61, 0.62]),
        ('gap', [0.3, 0.31, 0.32]),
    ],
)
def test_measures_are_those_of_the_last_epoch(name: str, values: list[float]) -> None:
    assert trial().measure(name) == pytest.approx(values)
    assert name in MEASURES


def test_unknown_measure_lists_the_legal_ones() -> None:
    with pytest.raises(
        ValueError, match="没有 'loss' 这个量：请从 train_loss、"
    ) as refused:
        trial().measure('loss')
    assert all(name in str(refused.value) for name in MEASURES)


def test_the_first_minus_the_second() -> None:
    better, worse = trial('好', 0.1), trial('坏')
    assert compare(better, worse, 'test_accuracy').mean == pytest.approx(0.1)
    assert compare(worse, better, 'test_accuracy').mean == pytest.approx(-0.1)
    rows = intervals([(better, worse), (worse, better)], 'test_accuracy').rows
    assert [row[:2] for row in rows] == [
        ('好 减 坏', '**+10.00**'), ('坏 减 好', '**−10.00**'),
    ]  # fmt: skip


def test_accuracies_are_in_percentage_points_and_losses_are_not() -> None:
    pair = [(trial(), trial('乙'))]
    for name in ('running_accuracy', 'train_accuracy', 'test_accuracy', 'gap'):
        assert intervals(pair, name).headers[1] == '差别（百分点）'
        assert intervals(pair, name).rows[0][1] == '+0.00'
    assert intervals(pair, 'train_loss').headers[:2] == ('训练损失', '差别')
    assert intervals(pair, 'train_loss').rows[0][1:] == ('+0.000', '[0.000, 0.000]')


def test_table_of_results() -> None:
    table = results_table(
        [trial(), trial('乙', seeds=1)], ('train_loss', 'train_accuracy', 'gap')
    )
    assert table.headers == ('做法', '参数', '训练损失', '训练准确率', '训练减测试')
    assert table.rows == (
        ('甲', 1234, '2.000 ± 0.000', '92.00% ± 2.00%', '31.00% ± 1.00%'),
        ('乙', 1234, '2.000（1 个种子）', '90.00%（1 个种子）', '30.00%（1 个种子）'),
    )
    assert intervals([(trial(seeds=1), trial(seeds=1))], 'gap').rows[0][2] == '—'


def test_change_in_the_last_epoch() -> None:
    """准确率从 0.80 到 0.60、0.61、0.62，平均降 19 个百分点；损失从 1 到 2。"""
    table = last_epoch([trial()])
    assert table.headers == ('最后一轮的变化', '训练损失', '测试准确率（百分点）')
    assert table.rows == (('甲', '+1.000', '−19.00'),)
    short = trial('乙')
    once = replace(short, history=replace(short.history, epochs=1))
    with pytest.raises(ValueError, match='乙 只训练了一轮'):
        last_epoch([once])


def test_a_trial_comes_back_without_its_network(tmp_path: Path) -> None:
    one = trial()
    kept = Trial(
        one.label, one.history, one.train_accuracy, one.parameters, net=object()
    )
    path = kept.save(tmp_path)
    assert path == tmp_path / 'net.json'
    read = load_trial('net', tmp_path)
    assert read == kept == one
    assert read.net is None
    assert read.measure('train_accuracy') == one.train_accuracy


def test_intervals_are_in_points_and_bold_when_they_exclude_zero() -> None:
    better, worse, one = trial('好', 0.1), trial('坏'), trial('单', seeds=1)
    table = intervals([(better, worse), (worse, worse), (worse, one)], 'test_accuracy')
    assert table.headers == ('测试准确率', '差别（百分点）', '95% 区间')
    assert table.rows[0] == ('好 减 坏', '**+10.00**', '[7.73, 12.27]')
    assert table.rows[1][1] == '+0.00' and table.rows[1][2] == '[−2.27, 2.27]'
    assert table.rows[2] == ('坏 减 单', '+1.00', '—')
    assert intervals([(better, worse)], 'train_loss').rows == (
        ('好 减 坏', '+0.000', '[0.000, 0.000]'),
    )
