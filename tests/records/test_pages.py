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
    laptop, full = training_times('summary')
    for found, folder, kept in ((laptop, 'laptop', min), (full, 'full', sum)):
        seconds = [
            kept(run['seconds'] for run in read(f'{folder}/{name}')['runs']) for name in NETWORKS
        ]
        assert (found.profile, found.seconds) == (folder, pytest.approx(sum(seconds)))


def test_attempts_are_added_up_too() -> None:
    [found] = training_times('exercises/tuning')
    attempts = read('exercises/tuning')
    assert found.seconds == pytest.approx(sum(one['seconds'] for one in attempts))
    assert found.profile == ''


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / f'{name}.json').write_text(json.dumps(content), encoding='utf-8')


def speeds(kind: str, seconds: float) -> dict:
    """一份基准测试：NiN 的一轮 100 张，用 ``seconds`` 秒。"""
    row = {'name': 'fused', 'change': '', 'precision': kind, 'batch_size': 10,
           'images': 100, 'epoch_seconds': [seconds], 'start_seconds': [0.0]}  # fmt: skip
    comparison = {
        'network': 'nin', 'device': 'cpu', 'image_size': 28, 'images': 100,
        'test_images': 10, 'epochs': 1, 'warm_up_steps': 0, 'commit': None, 'rows': [row],
    }  # fmt: skip
    report = {'device': f'cpu-{kind}', 'machine': {}, 'dataset': 'x'}
    return report | {'comparisons': {'nin': comparison}}


def test_without_bf16_the_measured_ratio_is_used(tmp_path: Path) -> None:
    """最快的种子 9 秒；同样的一轮，没有 bf16 的用 5 秒，有的 2 秒：2.5 倍。"""
    runs = [
        {'seed': seed, 'test_accuracy': [0.5], 'seconds': seconds, 'predictions': '0'}
        for seed, seconds in enumerate((11, 9))
    ]
    record = {
        'network': 'nin', 'dataset': '一张图', 'test_images': 1, 'recipe': {'epochs': 1},
        'precision': 'bf16', 'device': 'CPU', 'versions': {}, 'runs': runs,
    }  # fmt: skip

    def estimated(**changes: str) -> float | None:
        write(tmp_path, 'laptop/nin', record | changes)
        [found] = training_times('nin', tmp_path)
        assert (found.profile, found.seconds) == ('laptop', 9)
        return found.seconds_without_bf16

    write(tmp_path, 'bench-cpu-fp32', speeds('fp32', 5.0))
    assert estimated() is None
    write(tmp_path, 'bench-cpu-bf16', speeds('bf16', 2.0))
    assert estimated() == 9 * 2.5
    assert estimated(network='vgg11') is None  # 没有测过
    assert estimated(device='NVIDIA H200') is None
    assert estimated(precision='fp32') is None
    (name,) = RECORDS['nin']
    write(tmp_path, name, record | {'profile': 'full'})  # 别的档只说录下的
    _, full = training_times('nin', tmp_path)
    assert (full.seconds, full.seconds_without_bf16) == (20, None)


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
