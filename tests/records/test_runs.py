"""一次训练的记录：吞吐量、到达的轮数、平均，以及较早的记录。"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deepcnn.records.runs import History, Run, completed, load_history


def run(seed: int, accuracy: list[float], seconds: list[float], total: float) -> Run:
    count = len(accuracy)
    return Run(seed, [1.0] * count, [0.5] * count, accuracy, seconds, total)


def history(*runs: Run, train_images: int = 100, batch_size: int = 30) -> History:
    return History(
        'nin', 'laptop', '随机图像', train_images, 50, 28, 3, batch_size, 'fp32', 'CPU',
        '2', {'lr': 0.1, 'erasing': 0.0, 'momentum': 0.9}, list(runs), {}, 'abc',
    )  # fmt: skip


# ---- 时间 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('accuracy', 'epoch'), [(0.1, 1), (0.6, 1), (0.61, 2), (0.8, 2), (0.81, None)]
)
def test_the_first_epoch_that_reaches_an_accuracy(
    accuracy: float, epoch: int | None
) -> None:
    """第二轮之后准确率又降了。"""
    one = run(0, [0.6, 0.8, 0.7], [2.0, 4.0, 6.0], 15.0)
    assert one.epochs_until(accuracy) == epoch


def test_a_run_without_epochs_reaches_nothing() -> None:
    assert Run(0).epochs_until(0.0) is None


def test_accuracy_stored_in_single_precision_still_counts() -> None:
    reached = 0.89999998
    assert run(0, [reached], [2.0], 3.0).epochs_until(0.9) == 1


def test_throughput_counts_whole_batches_and_ignores_a_disturbed_epoch() -> None:
    """100 张、每批 30 张：训练了 90 张；各轮 1、2、100 秒的中位数是 2 秒。"""
    one = history(run(0, [0.5] * 3, [1.0, 2.0, 100.0], 200.0))
    assert one.images_per_second == 45.0
    assert one.to_dict()['images_per_second'] == 45.0
    both = history(run(0, [0.5], [1.0], 1.0), run(1, [0.5] * 2, [3.0, 3.0], 7.0))
    assert both.images_per_second == 30.0


# ---- 平均 ----------------------------------------------------------------------


def test_accuracy_averages_the_last_epochs_of_the_longest_runs() -> None:
    one = history(
        run(0, [0.1, 0.8], [1.0] * 2, 2.0), run(1, [0.9, 0.6], [1.0] * 2, 2.0),
        run(2, [0.99], [1.0], 1.0),
    )  # fmt: skip
    assert [r.seed for r in one.longest_runs] == [0, 1]
    assert one.test_accuracy == pytest.approx(0.7)
    assert one.seeds == [0, 1, 2]
    assert one.provenance == (
        '随机图像 · laptop 档 · CPU · 28 像素 · fp32 · '
        '种子 0、1、2（2 没有训练完，不计入平均）'
    )


# ---- 较早的记录 -----------------------------------------------------------------


@pytest.mark.parametrize(
    ('recipe', 'momentum'),
    [
        ({'optimizer': 'sgd', 'schedule': 'constant'}, 0.0),
        ({'optimizer': 'sgd', 'schedule': 'onecycle'}, 0.9),
        ({'optimizer': 'adamw', 'schedule': 'constant'}, 0.9),
        ({}, 0.9),
    ],
)
def test_recipes_from_before_a_field_get_what_was_done_then(
    recipe: dict, momentum: float
) -> None:
    assert completed(recipe) == recipe | {'erasing': 0.0, 'momentum': momentum}


def test_what_a_recipe_says_is_kept() -> None:
    said = {'optimizer': 'sgd', 'schedule': 'constant', 'erasing': 0.5, 'momentum': 0.7}
    assert completed(said) == said


def test_a_history_is_read_back_without_the_derived_numbers(tmp_path: Path) -> None:
    one = history(run(0, [0.5], [1.5], 2.0))
    path = one.save(tmp_path)
    assert path == tmp_path / 'nin.json'
    record = json.loads(path.read_text('utf-8'))
    assert record['seeds'] == [0] and record['images_per_second'] == 60.0
    assert load_history('nin', tmp_path) == one
    full = replace(one, profile='full')
    assert full.save(tmp_path) == tmp_path / 'full' / 'nin.json'
    assert load_history('full/nin', tmp_path) == full
    assert load_history('nin', tmp_path) == one


def test_missing_history_names_the_others_but_not_the_benchmarks(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match='现有：（空）'):
        load_history('vgg11', tmp_path)
    history(run(0, [0.5], [1.0], 1.0)).save(tmp_path)
    (tmp_path / 'bench-cpu.json').write_text('{}', encoding='utf-8')
    replace(history(run(0, [0.5], [1.0], 1.0)), profile='full').save(tmp_path)
    with pytest.raises(ValueError, match='没有 vgg11 的训练记录（现有：full/nin、nin）'):
        load_history('vgg11', tmp_path)


def test_saved_throughput_has_one_decimal() -> None:
    one = history(run(0, [0.5], [0.7], 1.0))
    assert one.to_dict()['images_per_second'] == 128.6  # 90 / 0.7


def test_older_history_is_completed(tmp_path: Path) -> None:
    one = history(run(0, [0.5], [1.0], 1.0))
    one.recipe = {'optimizer': 'sgd', 'schedule': 'constant'}
    one.save(tmp_path)
    assert load_history('nin', tmp_path).recipe == {
        'optimizer': 'sgd', 'schedule': 'constant', 'erasing': 0.0, 'momentum': 0.0,
    }  # fmt: skip


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    for text in ('{"network"', '{}', '[]'):
        (tmp_path / 'nin.json').write_text(text, encoding='utf-8')
        with pytest.raises(ValueError, match='nin.json 读不了.*make record'):
            load_history('nin', tmp_path)
