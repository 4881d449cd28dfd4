"""各页的记录与录制时的用时：总和对得上，估计是由测得的速度算出的。"""

import json
from pathlib import Path

import pytest
from book_contents import notebooks

from deepcnn.records.pages import RECORDS, recorded_in, training_times
from deepcnn.records.store import RESULTS
from deepcnn.records.titles import NETWORKS


def read(name: str) -> dict:
    return json.loads((RESULTS / f'{name}.json').read_text(encoding='utf-8'))


def test_pages_that_are_named_exist() -> None:
    assert set(RECORDS) <= set(notebooks())


def test_seeds_and_variants_are_added_up() -> None:
    [found] = training_times('experiments/activation')
    names = RECORDS['experiments/activation']
    seconds = [run['seconds'] for name in names for run in read(name)['runs']]
    assert len(seconds) == 25
    assert found.seconds == pytest.approx(sum(seconds))
    assert (found.profile, found.precision) == ('laptop', 'bf16')
    assert found.seconds_without_bf16 is None


def test_what_the_page_only_reads_is_not_counted() -> None:
    for found, folder in zip(training_times('summary'), ('', 'full/'), strict=True):
        runs = [run for name in NETWORKS for run in read(f'{folder}{name}')['runs']]
        assert found.seconds == pytest.approx(sum(run['seconds'] for run in runs))


def test_attempts_are_added_up_too() -> None:
    [found] = training_times('exercises/tuning')
    attempts = read('exercises/tuning')
    assert found.seconds == pytest.approx(sum(one['seconds'] for one in attempts))
    assert found.profile == ''


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / f'{name}.json').write_text(json.dumps(content), encoding='utf-8')


def test_without_bf16_the_measured_speed_is_used(tmp_path: Path) -> None:
    """2 个种子，各 3 轮、600 张；每轮 100 张用 5 秒，就是 20 张/秒。"""
    record = {
        'network': 'nin', 'profile': 'laptop', 'device': 'CPU', 'precision': 'bf16',
        'image_size': 28, 'epochs': 3, 'train_images': 600,
        'runs': [{'seconds': 9}, {'seconds': 11}],
    }  # fmt: skip
    (name,) = RECORDS['nin']
    write(tmp_path, name, record)
    [found] = training_times('nin', tmp_path)
    assert found.seconds_without_bf16 is None
    row = {'name': 'fused', 'change': '', 'precision': 'fp32', 'batch_size': 10,
           'images': 100, 'epoch_seconds': [5.0], 'start_seconds': [0.0]}  # fmt: skip
    comparison = {
        'network': 'nin', 'device': 'cpu', 'image_size': 28, 'images': 100,
        'test_images': 10, 'epochs': 1, 'warm_up_steps': 0, 'commit': None, 'rows': [row],
    }  # fmt: skip
    report = {'device': 'cpu-fp32', 'machine': {}, 'dataset': 'x'}
    write(tmp_path, 'bench-cpu-fp32', report | {'comparisons': {'nin': comparison}})
    [found] = training_times('nin', tmp_path)
    assert (found.seconds, found.seconds_without_bf16) == (20, 3 * 600 * 2 / 20)
    write(tmp_path, name, record | {'image_size': 56})  # 别的边长没有测过
    [found] = training_times('nin', tmp_path)
    assert found.seconds_without_bf16 is None


def test_a_missing_record_means_unknown(tmp_path: Path) -> None:
    assert training_times('vgg', tmp_path) == []
    assert training_times('exercises/memory') == []


@pytest.mark.parametrize(
    ('page', 'full', 'other'),
    [
        ('nin', 'full/nin', 'nin'),
        ('toolbox', 'full/lenet', 'lenet'),
        ('exercises/tuning', 'exercises/tuning', 'exercises/tuning'),
        ('experiments/degradation', 'experiments/plain-8', 'experiments/plain-8'),
    ],
)
def test_a_full_record_is_read_where_it_was_saved(
    page: str, full: str, other: str
) -> None:
    """各章的 full 档在 full/ 里；实验与练习的只有一份。"""
    assert recorded_in(page, 'full') == full
    assert recorded_in(page, 'laptop') == recorded_in(page, 'quick') == other
