"""训练的保证：真正的网络逐位重现；出错或被打断时说清楚，留下能用的记录。"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.plot import training_curves
from deepcnn.records.runs import History, Run
from deepcnn.training import loop
from deepcnn.training.evaluation import predict
from deepcnn.training.loop import TrainingDiverged, fit
from deepcnn.training.progress import progress_bar
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train

CPU = torch.device('cpu')
SHORT = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset()


def linear_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


@pytest.mark.parametrize(
    ('build', 'size'),
    [(lambda: alexnet(image_size=63), 63), (densenet, 32)],
    ids=['alexnet', 'densenet'],
)
def test_same_seed_gives_the_same_curve_bit_for_bit(
    digits: Dataset, build: Callable[[], nn.Module], size: int
) -> None:
    """一个有丢弃法，一个有批量归一化；增广也打开。"""
    recipe = Recipe(
        size, 2, 1e-3, 32, train_images=64, test_images=32, shift=2, erasing=0.5
    )
    first, second = (train(build, digits, recipe, 'quick', CPU) for _ in range(2))
    one, other = first[1].runs[0], second[1].runs[0]
    assert one.train_loss == other.train_loss
    assert one.train_accuracy == other.train_accuracy
    assert one.test_accuracy == other.test_accuracy
    for name, tensor in first[0].state_dict().items():
        assert torch.equal(tensor, second[0].state_dict()[name]), name


def exhausted(*args: object, **settings: object) -> None:
    raise torch.OutOfMemoryError('CUDA out of memory.')


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
    monkeypatch.setattr(loop, place, exhausted)
    data, recipe = digits.first(64, 32), replace(SHORT, batch_size=batch_size)
    with pytest.raises(RuntimeError, match=advice):
        fit(linear_net(), data, recipe, 0, CPU)


def test_out_of_memory_while_moving_the_network_is_explained(digits: Dataset) -> None:
    net = linear_net()
    net.to = exhausted
    with pytest.raises(RuntimeError, match='batch_size 从 64 减到 32'):
        fit(net, digits, SHORT, 0, CPU)


def test_out_of_memory_while_moving_the_data_is_explained(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dataset, 'to', exhausted)
    with pytest.raises(RuntimeError, match='放不下 356 张图像.*train_images'):
        train(linear_net, digits, SHORT, 'quick', CPU)


class SmallMemory(nn.Module):
    """一次最多装得下 ``most`` 张图像的网络；记下每批的张数。"""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.inner = linear_net()
        self.counts: list[int] = []

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        self.counts.append(len(X))
        if len(X) > self.most:
            exhausted()
        return self.inner(X)


def test_evaluation_takes_smaller_batches_when_memory_is_short(digits: Dataset) -> None:
    data, recipe = digits.first(64, 297), replace(SHORT, batch_size=32)
    net = SmallMemory(most=70)
    usual = predict(net.inner, data, recipe)
    assert torch.equal(predict(net, data, recipe), usual)
    assert net.counts == [297, 250, 125, 62, 62, 62, 62, 49]


def test_evaluation_never_needs_less_than_the_training_batch(digits: Dataset) -> None:
    net = SmallMemory(most=20)
    with pytest.raises(torch.OutOfMemoryError):
        predict(net, digits.first(64, 297), replace(SHORT, batch_size=32))
    assert net.counts[-1] == 32


def test_divergence_names_step_rate_and_remedy(digits: Dataset) -> None:
    recipe = Recipe(
        8, 1, 1e30, 64, train_images=512, test_images=200, optimizer='sgd',
        schedule='constant', clip=None, precision='fp32',
    )  # fmt: skip
    with pytest.raises(TrainingDiverged) as caught:
        train(linear_net, digits, recipe, 'quick', CPU)
    for part in ('第 1 轮第', '步', '学习率 1e+30', 'lr 减小', 'clip', 'fp32'):
        assert part in str(caught.value)


def test_the_first_step_that_diverged_is_named_with_its_rate() -> None:
    losses = torch.tensor([1.0, 2.0, float('nan'), 3.0, float('inf')])
    with pytest.raises(TrainingDiverged, match=r'第 4 轮第 3 步.*学习率 0\.3）'):
        loop.require_finite(losses, 3, [0.1, 0.2, 0.3, 0.4, 0.5])
    loop.require_finite(losses[:2], 3, [0.1, 0.2])


def test_a_batch_of_one_with_batch_normalization_is_explained(digits: Dataset) -> None:
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    with pytest.raises(ValueError, match='batch_size=1 时.*加大到 2 以上'):
        fit(net, digits.first(4, 4), replace(SHORT, batch_size=1), 0, CPU)


@pytest.mark.parametrize('error', [ValueError, RuntimeError])
def test_other_errors_of_a_network_keep_their_words(
    digits: Dataset, error: type[Exception]
) -> None:
    class Faulty(nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            raise error('形状不对')

    with pytest.raises(error, match='^形状不对$'):
        fit(Faulty(64, 10), digits.first(64, 32), SHORT, 0, CPU)


def test_the_processors_own_shortage_of_memory_is_recognized(digits: Dataset) -> None:
    """CPU 上没有专门的异常：真的要一块不可能有的内存，看认不认得。"""

    class Greedy(nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return super().forward(X.flatten(1)) + torch.empty(2**58)[:1]

    with pytest.raises(RuntimeError, match='内存不够：请把 batch_size 从 64 减到 32'):
        fit(Greedy(64, 10), digits.first(64, 32), SHORT, 0, CPU)


def interrupt_at(call: int) -> Callable[..., float]:
    """第 ``call`` 次评价时像按了 Ctrl-C 一样中断。"""
    calls = []

    def evaluate(net: nn.Module, *rest: object) -> float:
        calls.append(net)
        if len(calls) == call:
            raise KeyboardInterrupt
        return 0.5

    return evaluate


def test_ctrl_c_in_a_later_seed_keeps_the_earlier_ones(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100, seeds=(0, 1, 2))
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(4))
    net, history = train(linear_net, digits, recipe, 'quick', CPU)
    assert [len(run.test_accuracy) for run in history.runs] == [2, 1]
    assert history.test_accuracy == 0.5
    assert history.images_per_second > 0
    assert len(training_curves(history).axes) == 2
    assert history.to_dict()['seeds'] == [0, 1]


def test_ctrl_c_in_the_first_epoch_of_a_later_seed_keeps_the_first(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100, seeds=(0, 1, 2))
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(3))
    _, history = train(linear_net, digits, recipe, 'quick', CPU)
    assert [run.seed for run in history.runs] == [0]
    assert '保留前 1 个种子' in capsys.readouterr().out


def interrupted_history() -> History:
    """种子 0 训练了 5 轮，种子 1 在第 2 轮里被打断。"""
    whole = Run(0, [1.0] * 5, [0.8] * 5, [0.9] * 5, [1.0] * 5, 5.0)
    cut = Run(1, [2.0], [0.2], [0.1], [1.0], 1.0)
    return History(
        'net', 'quick', 'digits', 64, 32, 8, 5, 16, 'fp32', 'CPU', '2', {}, [whole, cut]
    )


def test_an_interrupted_seed_is_not_averaged_in() -> None:
    history = interrupted_history()
    assert history.test_accuracy == 0.9
    assert '种子 0、1（1 没有训练完' in history.provenance


def test_an_interrupted_seed_does_not_shorten_the_curves() -> None:
    for axes, last in zip(training_curves(interrupted_history()).axes, (1.0, 0.8), strict=True):
        mean, *seeds = axes.get_lines()[:3]
        assert [len(line.get_xdata()) for line in (mean, *seeds)] == [5, 5, 1]
        assert mean.get_ydata()[-1] == pytest.approx(last)


def test_ctrl_c_while_a_later_network_is_built_keeps_the_first(
    digits: Dataset,
) -> None:
    built = []

    def build() -> nn.Module:
        if built:
            raise KeyboardInterrupt
        built.append(linear_net())
        return built[0]

    recipe = replace(SHORT, seeds=(0, 1))
    net, history = train(build, digits, recipe, 'quick', CPU)
    assert history.seeds == [0]
    assert net is built[0]
    built[:] = [linear_net()]
    with pytest.raises(KeyboardInterrupt):  # 还没有一个种子，就没有记录可留
        train(build, digits, recipe, 'quick', CPU)


@pytest.mark.parametrize('error', [KeyboardInterrupt, torch.OutOfMemoryError])
def test_the_progress_bar_is_put_away_when_a_step_fails(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    bars = []

    def remember(*args: object) -> object:
        bars.append(progress_bar(*args))
        return bars[-1]

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setenv('DEEPCNN_PROGRESS', '1')
    monkeypatch.setattr(loop, 'progress_bar', remember)
    monkeypatch.setattr(loop, 'show_step', fail)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        fit(linear_net(), digits.first(128, 32), SHORT, 0, CPU)
    [bar] = bars
    assert bar not in type(bar)._instances


@pytest.mark.parametrize('steps', range(1, 10))
def test_any_number_of_steps_can_be_scheduled(digits: Dataset, steps: int) -> None:
    recipe = Recipe(8, 1, 1e-2, 8, train_images=8 * steps, test_images=8)
    run = fit(linear_net(), digits.first(8 * steps, 8), recipe, 0, CPU)
    assert len(run.train_loss) == 1


def test_ctrl_c_before_anything_is_finished_stops(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """一轮也没有完成，就没有记录可留：照常中断，而不是交出空的记录。"""
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(1))
    with pytest.raises(KeyboardInterrupt):
        train(linear_net, digits, SHORT, 'quick', CPU)


def test_nothing_reads_the_device_inside_an_epoch(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """每步都读一次结果，GPU 就要每步等一次：步与步之间不许出现这种读取。"""
    monkeypatch.setenv('DEEPCNN_PROGRESS', '0')
    reads: list[str] = []
    stepping = False

    def spy(name: str) -> Callable:
        original = getattr(torch.Tensor, name)

        def read(tensor: torch.Tensor, *args: object) -> object:
            if stepping:
                reads.append(name)
            return original(tensor, *args)

        return read

    for name in ('item', 'tolist', '__bool__', '__float__', '__int__', 'numpy'):
        monkeypatch.setattr(torch.Tensor, name, spy(name))
    original = loop.train_batches

    def watched(*args: object) -> object:
        nonlocal stepping
        batches = original(*args)
        first = next(batches)  # 一轮之初判断要不要增广，只读一次
        stepping = True
        yield first
        yield from batches
        stepping = False

    monkeypatch.setattr(loop, 'train_batches', watched)
    recipe = Recipe(
        8, 1, 1e-2, 32, train_images=256, test_images=100, flip=False, erasing=0.5
    )
    fit(linear_net(), digits.first(256, 100), recipe, 0, CPU)
    assert reads == []
