"""训练时留着用过的内存：只在训练的那一段，出来后恢复。"""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.training import heap, loop
from deepcnn.training.heap import keep_freed_memory
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
LARGE = 64 * 2**20  # 字节；超过 glibc 的上限，平时总是 mmap
pytestmark = pytest.mark.skipif(not heap.available(), reason='不是 glibc')


class MallInfo(ctypes.Structure):
    """mallinfo2(3) 的返回值；hblks 是 mmap 来的块数。"""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            'arena', 'ordblks', 'smblks', 'hblks', 'hblkhd',
            'usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost',
        )
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def usual_settings_afterwards() -> Iterator[None]:
    yield
    with keep_freed_memory(CPU):
        pass


def mapped_blocks() -> int:
    glibc = ctypes.CDLL(None)
    if not hasattr(glibc, 'mallinfo2'):
        pytest.skip('glibc 早于 2.33，没有 mallinfo2')
    glibc.mallinfo2.restype = MallInfo
    return glibc.mallinfo2().hblks


def is_mapped() -> bool:
    """一个大张量是不是直接向内核要的。"""
    before = mapped_blocks()
    tensor = torch.empty(LARGE, dtype=torch.uint8)
    assert tensor.numel() == LARGE
    return mapped_blocks() > before


def test_large_tensors_come_from_the_heap_only_inside() -> None:
    assert is_mapped()
    with keep_freed_memory(CPU):
        assert not is_mapped()
    assert is_mapped()


def test_an_error_restores_the_usual_settings() -> None:
    with pytest.raises(KeyboardInterrupt), keep_freed_memory(CPU):
        raise KeyboardInterrupt
    assert is_mapped()


def test_a_gpu_does_not_need_it() -> None:
    with keep_freed_memory(torch.device('cuda')):
        assert is_mapped()


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.platform, 'libc_ver', lambda: ('', ''))
    with keep_freed_memory(CPU):
        assert is_mapped()


def test_training_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = loop.train_epoch

    def spy(*args: object) -> None:
        seen.append(is_mapped())
        original(*args)

    monkeypatch.setattr(loop, 'train_epoch', spy)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    data = load_digits_dataset().first(32, 10)
    loop.fit(net, data, Recipe(8, 2, 1e-3, 16), 0, CPU)
    assert seen == [False, False]
    assert is_mapped()
