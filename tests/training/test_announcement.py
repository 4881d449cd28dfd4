"""笔记本开头的几行：设备、档位、用时、数据。"""

import pytest
import torch

from deepcnn.records.pages import TrainingTime, training_times
from deepcnn.training import announce_training, announcement
from deepcnn.training.announcement import expected_time, minutes, profiles_of
from deepcnn.training.hardware import PROFILES

RECORDED = TrainingTime(883, 'CPU（甲，2 线程）', 'laptop', 'bf16', 3255)
CPU = torch.device('cpu')


def test_short_lines_name_device_profile_time_and_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('DEEPCNN_PROFILE', 'quick')
    monkeypatch.setenv('DEEPCNN_DEVICE', 'cpu')
    announce_training('alexnet')
    first, change, *times, last = capsys.readouterr().out.splitlines()
    assert first.startswith('CPU（') and first.endswith('，quick 档')
    assert 'DEEPCNN_PROFILE=quick|laptop|full|gpu' in change
    assert 'laptop 档录制时用了' in times[0]
    assert 'full 档录制时用了' in times[-2]
    assert times[-1] == '用时：quick、gpu 档没有录过'
    assert 'deepcnn/data/files/' in last


@pytest.mark.parametrize(
    ('has_bf16', 'who'),
    [(True, '没有 bf16 指令的 CPU'), (False, '这个 CPU 没有 bf16 指令')],
)
def test_a_slower_cpu_is_told_its_own_time(
    has_bf16: bool, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcement, 'has_fast_bf16', lambda device: has_bf16)
    said = expected_time([RECORDED], CPU, PROFILES)
    assert said[0] == 'laptop 档录制时用了 15 分钟（CPU（甲，2 线程），bf16）'
    assert said[1] == f'{who}，照「性能」一章两种 CPU 之比，约 54 分钟'


def test_a_chapter_shown_in_full_tells_the_time_of_laptop_too() -> None:
    """读者多半跑 laptop 档；它录过，就不能说没有录过。"""
    said = expected_time(training_times('resnet'), CPU, profiles_of('resnet'))
    profiles = [line.split()[0] for line in said if '录制时' in line]
    assert profiles == ['laptop', 'full'] and said[-1] == 'quick、gpu 档没有录过'


def test_an_experiment_offers_only_the_profiles_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    announce_training('experiments/activation')
    printed = capsys.readouterr().out
    assert 'DEEPCNN_PROFILE=quick|laptop|gpu，' in printed
    assert '用时：quick、gpu 档没有录过' in printed


def test_what_is_not_recorded_is_not_guessed() -> None:
    assert expected_time([], CPU, PROFILES) == ['没有录过']
    attempts = TrainingTime(1000, 'CPU', '', '', None)
    assert expected_time([attempts], CPU, PROFILES) == ['录制时用了 17 分钟（CPU）']


def test_minutes() -> None:
    assert [minutes(s) for s in (7.2, 59, 60, 883)] == [
        '7 秒', '59 秒', '1 分钟', '15 分钟',
    ]  # fmt: skip


def test_an_unknown_profile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('DEEPCNN_PROFILE', 'fast')
    with pytest.raises(ValueError, match='quick、laptop、full、gpu'):
        announce_training('alexnet')
