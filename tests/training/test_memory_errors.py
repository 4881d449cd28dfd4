"""内存或显存不够：说出减小什么；评价先自己把批量减半。"""

from dataclasses import replace

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.training import loop
from deepcnn.training.evaluation import predict
from deepcnn.training.loop import fit
from deepcnn.training.memory_errors import NotEnoughMemory, is_out_of_memory
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train

CPU = torch.device('cpu')
SHORT = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)

# 各种设备不够时抛出的异常，文字照抄 PyTorch 的
CUDA = torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
SHORTAGES = {
    'cuda': CUDA,
    'cpu': RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't "
        'allocate memory: you tried to allocate 4000000000000 bytes.'
    ),
    'windows': RuntimeError('DefaultCPUAllocator: not enough memory: you tried to'),
    'mps': RuntimeError('MPS backend out of memory (MPS allocated: 5 GB, other'),
    'cublas': RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling'),
}


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset()


def linear_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def failing(error: Exception) -> object:
    def fail(*args: object, **settings: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize('error', SHORTAGES.values(), ids=SHORTAGES)
def test_every_kind_of_shortage_is_recognised(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(loop, 'train_epoch', failing(error))
    with pytest.raises(
        RuntimeError, match='^内存不够：.*batch_size 从 64 减到 32'
    ) as got:
        fit(linear_net(), digits, SHORT, 0, CPU)
    assert got.value.__cause__ is error


def test_the_allocator_of_this_machine_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ('batch_size', 'advice'),
    [
        (64, r'batch_size 从 64 减到 32.*image_size（现在是 8）'),
        (3, 'batch_size 从 3 减到 1 '),
        (1, r'batch_size 已经是 1：请减小 image_size（现在是 8），或把网络改窄'),
    ],
)
@pytest.mark.parametrize('place', ['train_epoch', 'evaluate', 'make_optimizer'])
def test_out_of_memory_names_what_to_reduce(
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    batch_size: int,
    advice: str,
) -> None:
    monkeypatch.setattr(loop, place, failing(CUDA))
    data, recipe = digits.first(64, 32), replace(SHORT, batch_size=batch_size)
    with pytest.raises(NotEnoughMemory, match=advice):
        fit(linear_net(), data, recipe, 0, CPU)


def test_out_of_memory_while_moving_the_network_is_explained(digits: Dataset) -> None:
    net = linear_net()
    net.to = failing(CUDA)
    with pytest.raises(RuntimeError, match='batch_size 从 64 减到 32'):
        fit(net, digits, SHORT, 0, CPU)


def test_out_of_memory_while_moving_the_data_is_explained(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dataset, 'to', failing(SHORTAGES['cpu']))
    with pytest.raises(NotEnoughMemory, match='内存放不下 356 张图像.*train_images'):
        train(linear_net, digits, SHORT, 'quick', CPU)


class SmallMemory(nn.Module):
    """一次最多装得下 ``most`` 张图像的网络；记下每批的张数。"""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most = most
        self.error = error
        self.inner = linear_net()
        self.counts: list[int] = []

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        self.counts.append(len(X))
        if len(X) > self.most:
            raise self.error
        return self.inner(X)


@pytest.mark.parametrize('error', SHORTAGES.values(), ids=SHORTAGES)
def test_evaluation_takes_smaller_batches_when_memory_is_short(
    digits: Dataset, error: Exception
) -> None:
    data, recipe = digits.first(64, 297), replace(SHORT, batch_size=32)
    net = SmallMemory(70, error)
    usual = predict(net.inner, data, recipe)
    assert torch.equal(predict(net, data, recipe), usual)
    assert net.counts == [297, 250, 125, 62, 62, 62, 62, 49]


def test_evaluation_never_needs_less_than_the_training_batch(digits: Dataset) -> None:
    net = SmallMemory(20, CUDA)
    with pytest.raises(torch.OutOfMemoryError):
        predict(net, digits.first(64, 297), replace(SHORT, batch_size=32))
    assert net.counts[-1] == 32
    assert all(module.training for module in net.modules())


def test_other_errors_of_the_data_or_the_network_come_at_once(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = SmallMemory(20, RuntimeError('形状不对'))
    with pytest.raises(RuntimeError, match='^形状不对$'):
        predict(net, digits.first(64, 297), replace(SHORT, batch_size=32))
    assert net.counts == [297]
    monkeypatch.setattr(Dataset, 'to', failing(RuntimeError('设备坏了')))
    with pytest.raises(RuntimeError, match='^设备坏了$'):
        train(linear_net, digits, SHORT, 'quick', CPU)
