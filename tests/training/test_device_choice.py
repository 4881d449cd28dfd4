"""设备与档位：这台机器有什么，就按说好的先后取哪一个。"""

import pytest
import torch

from deepcnn.training import hardware
from deepcnn.training.hardware import (
    choose_device,
    choose_profile,
    describe_device,
    has_fast_bf16,
)


def machine(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool) -> None:
    """假装有 ``cuda`` 块显卡，有没有 Apple 的 GPU。"""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: mps)
    for name in ('DEEPCNN_DEVICE', 'DEEPCNN_PROFILE'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ('cuda', 'mps', 'device', 'profile'),
    [
        (2, True, 'cuda', 'gpu'),
        (0, True, 'mps', 'laptop'),
        (0, False, 'cpu', 'laptop'),
    ],
)
def test_auto_takes_the_best_device(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, device: str, profile: str
) -> None:
    machine(monkeypatch, cuda, mps)
    assert choose_device() == choose_device('auto') == torch.device(device)
    assert choose_profile() == profile


def test_the_argument_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 2, False)
    monkeypatch.setenv('DEEPCNN_DEVICE', 'cpu')
    monkeypatch.setenv('DEEPCNN_PROFILE', 'quick')
    assert choose_device() == torch.device('cpu')
    assert choose_profile() == 'quick'
    assert choose_device('cuda:1') == torch.device('cuda', 1)
    assert choose_profile('gpu') == 'gpu'


@pytest.mark.parametrize('missing', ['cuda:2', 'cuda:5', 'mps', 'mps:0', 'cpu:1'])
def test_a_device_this_machine_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    machine(monkeypatch, 2, False)
    with pytest.raises(ValueError, match=f'没有可用的 {missing}'):
        choose_device(missing)


def test_emulated_bf16_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, 'is_bf16_supported', lambda including_emulation: including_emulation
    )
    assert not has_fast_bf16(torch.device('cuda'))
    assert not has_fast_bf16(torch.device('mps'))


def test_the_processor_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'processor : 0\nmodel : 17\nmodel name\t: Fast: 9000 \nflags : fpu\n'
    monkeypatch.setattr(hardware, '_cpuinfo', lambda: text)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 3)
    assert describe_device(torch.device('cpu')) == 'CPU（Fast: 9000，3 线程）'
