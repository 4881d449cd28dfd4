"""设备与档位：按说好的先后取；名字不认识或机器上没有时，说出可以用哪些。"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.training import hardware
from deepcnn.training.hardware import (
    choose_device,
    choose_profile,
    describe_device,
    has_fast_bf16,
)
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train, train_seeds

CPU = torch.device('cpu')
SHORT = Recipe(8, 1, 1e-2, 64, train_images=128, test_images=64)


def small_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_profile_and_device_name_the_legal_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('DEEPCNN_PROFILE', 'fast')
    with pytest.raises(ValueError, match='quick、laptop、full、gpu'):
        choose_profile()
    with pytest.raises(ValueError, match='cuda、mps、cpu'):
        choose_device('tpu')


def machine(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool) -> None:
    """假装有 ``cuda`` 块显卡，有没有 Apple 的 GPU。"""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: mps)
    for name in ('DEEPCNN_DEVICE', 'DEEPCNN_PROFILE'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 2, False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 0, False)


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


@pytest.mark.parametrize(
    ('name', 'device'),
    [
        (None, torch.device('cuda')),
        ('auto', torch.device('cuda')),
        ('cuda', torch.device('cuda')),
        ('cuda:1', torch.device('cuda', 1)),
        (torch.device('cuda', 1), torch.device('cuda', 1)),
        ('cpu', CPU),
        ('cpu:0', torch.device('cpu', 0)),
    ],
)
def test_devices_may_have_a_number(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch, name: object, device: torch.device
) -> None:
    assert choose_device(name) == device
    if isinstance(name, str):
        monkeypatch.setenv('DEEPCNN_DEVICE', name)
        assert choose_device() == device


@pytest.mark.parametrize('name', ['cuda:2', 'cuda:10', 'mps', 'mps:0', 'mps:1', 'cpu:1'])
def test_a_number_that_is_not_there_is_refused(two_gpus: None, name: str) -> None:
    with pytest.raises(ValueError, match=f'没有可用的 {name}：请改用 auto 或 cpu'):
        choose_device(name)


@pytest.mark.parametrize('name', ['cuda:', 'cuda:x', 'cuda:-1', 'cuda:1:2', 'gpu', '1'])
def test_a_name_that_is_none_is_refused(two_gpus: None, name: str) -> None:
    with pytest.raises(ValueError, match='auto、cuda、mps、cpu 中选一个.*cuda:1'):
        choose_device(name)


@pytest.mark.parametrize('name', ['cuda', 'cuda:0', 'mps', torch.device('cuda')])
def test_absent_hardware_is_named(no_gpu: None, name: object) -> None:
    with pytest.raises(ValueError, match=f'没有可用的 {name}'):
        choose_device(name)
    assert choose_device() == CPU
    assert describe_device(CPU).startswith('CPU（')


@pytest.mark.parametrize(
    ('wrong', 'legal'),
    [
        ({'profile': 'fast'}, 'quick、laptop、full、gpu'),
        ({'device': 'tpu'}, 'auto、cuda、mps、cpu'),
        ({'device': torch.device('meta')}, 'auto、cuda、mps、cpu'),
    ],
)
@pytest.mark.parametrize('start', [train, train_seeds])
def test_train_refuses_an_unknown_profile_or_device(
    start: Callable, wrong: dict, legal: str
) -> None:
    """在建网络之前就拒绝：不能等到训练完，才发现记录上写着不存在的档位。"""

    def build() -> nn.Module:
        pytest.fail('不应当走到建网络这一步')

    with pytest.raises(ValueError, match=legal):
        start(build, load_digits_dataset(), SHORT, **wrong)


@pytest.mark.parametrize('name', ['cpu', 'cpu:0', torch.device('cpu', 0)])
def test_device_may_be_given_by_name(name: object) -> None:
    digits = load_digits_dataset()
    _, named = train(small_net, digits, SHORT, 'quick', name)
    _, given = train(small_net, digits, SHORT, 'quick', CPU)
    assert named.runs[0].train_loss == given.runs[0].train_loss
    assert named.device == given.device


def test_processor_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """训练的每一步都要知道精度；/proc/cpuinfo 却不必每一步都读。"""
    asked, original = [], Path.read_text

    def counting(path: Path, *args: object, **settings: object) -> str:
        asked.append(str(path))
        return original(path, *args, **settings)

    monkeypatch.setattr(Path, 'read_text', counting)
    hardware._cpuinfo.cache_clear()
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    recipe = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)
    train(lambda: net, load_digits_dataset(), recipe, 'quick', 'cpu')
    cpuinfo = '/proc/cpuinfo'  # 别的系统没有这个文件
    assert asked.count(cpuinfo) == Path(cpuinfo).exists()


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
