"""按 Ctrl-C：在任何一处打断，交回的网络得分都等于记录里的最后一个；没有走完的不留。"""

import sys
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.plot import training_curves
from deepcnn.records.runs import Run
from deepcnn.training import loop
from deepcnn.training.checkpoint import Checkpoint
from deepcnn.training.evaluation import evaluate
from deepcnn.training.loop import Session, fit
from deepcnn.training.progress import progress_bar
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train, train_seeds

CPU = torch.device('cpu')
SHORT = Recipe(8, 3, 3e-2, 64, train_images=128, test_images=100, precision='fp32')
SEVERAL = replace(SHORT, epochs=2, seeds=(0, 1, 2))


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset().first(128, 100)


def small_net() -> nn.Module:
    """批量归一化的滑动平均也要退回去。"""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(144, 10),
    )  # fmt: skip


def tiny_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))


class PressedAt:
    """执行到训练循环的第 ``when`` 条指令时，像信号那样就地抛出 KeyboardInterrupt。"""

    CODES = (fit.__code__, Session.finished.__code__, Checkpoint.save.__code__)

    def __init__(self, when: int) -> None:
        self.left = when

    def __call__(self, frame: FrameType, event: str, argument: object) -> object:
        if frame.f_code not in self.CODES:
            return None
        frame.f_trace_opcodes = event == 'call' or frame.f_trace_opcodes
        if event == 'opcode':
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def __enter__(self) -> 'PressedAt':
        sys._getframe().f_trace_opcodes = True  # Python 3.12 在 settrace 之前就要知道
        sys.settrace(self)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)


def require_agreement(net: nn.Module, run: Run, data: Dataset, recipe: Recipe) -> None:
    """记录里各项一样长，最后一个准确率就是这个网络的。"""
    done = len(run.test_accuracy)
    lists = (run.train_loss, run.train_accuracy, run.epoch_seconds)
    assert [len(one) for one in lists] == [done] * 3
    assert run.seconds >= sum(run.epoch_seconds)
    assert evaluate(net, data, recipe) == run.test_accuracy[-1]


@pytest.mark.parametrize('with_checkpoint', [False, True])
def test_wherever_it_is_pressed_network_and_record_agree(
    digits: Dataset, tmp_path: Path, with_checkpoint: bool
) -> None:
    """从头到尾各处都按一次；有断点时，断点也要读得回，接着做与没有打断过相同。"""
    data, recipe = digits.first(64, 50), replace(SHORT, epochs=2, batch_size=32)
    whole = fit(tiny_net(), data, recipe, 0, CPU)
    with PressedAt(10**9) as counter:
        first = Checkpoint(tmp_path / 'whole.pt') if with_checkpoint else None
        fit(tiny_net(), data, recipe, 0, CPU, first)
    finished = set()
    for when in range(1, 10**9 - counter.left, 31 if with_checkpoint else 13):
        checkpoint = Checkpoint(tmp_path / f'{when}.pt') if with_checkpoint else None
        net, run = tiny_net(), None
        with suppress(KeyboardInterrupt), PressedAt(when):
            run = fit(net, data, recipe, 0, CPU, checkpoint)
        if run:
            require_agreement(net, run, data, recipe)
            assert run.test_accuracy == whole.test_accuracy[: len(run.test_accuracy)]
            finished.add(len(run.test_accuracy))
        assert not list(tmp_path.glob('*.part'))
        if checkpoint:
            again = fit(tiny_net(), data, recipe, 0, CPU, checkpoint)
            assert again.train_loss == whole.train_loss
            assert again.test_accuracy == whole.test_accuracy
    assert finished == {1, 2}


@pytest.mark.parametrize('resumed', [False, True])
def test_ctrl_c_in_the_second_epoch_goes_back_to_the_first_bit_by_bit(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    """这一轮已经走了一步；接着做的训练再被打断，也退回断点里的权重。"""
    checkpoint = Checkpoint(tmp_path / 'one.pt')
    first: list[dict] = []
    with monkeypatch.context() as patched:
        patched.setattr(
            Checkpoint, 'save', lambda self, state: first.append(deepcopy(state))
        )
        fit(small_net(), digits, SHORT, 0, CPU, checkpoint)
    for _ in range(1 + resumed):
        net = small_net()
        with monkeypatch.context() as patched:
            patched.setattr(loop, 'train_step', stopping_in_the_second_epoch())
            run = fit(net, digits, SHORT, 0, CPU, checkpoint)
        assert len(run.test_accuracy) == len(run.train_loss) == 1
        for name, tensor in net.state_dict().items():
            assert torch.equal(tensor, first[0]['weights'][name]), name


def stopping_in_the_second_epoch() -> Callable:
    """第二轮的第二步像按了 Ctrl-C 一样中断。"""
    real, steps = loop.train_step, []

    def step(session: Session, *rest: object) -> object:
        steps.append(len(session.run.train_loss))
        if steps.count(1) == 2:
            raise KeyboardInterrupt
        return real(session, *rest)

    return step


def interrupt_at(call: int) -> Callable[..., float]:
    """第 ``call`` 次评价做到一半时按 Ctrl-C。"""
    calls = []

    def pressed(net: nn.Module, *rest: object) -> float:
        calls.append(net)
        accuracy = evaluate(net, *rest)
        if len(calls) == call:
            raise KeyboardInterrupt
        return accuracy

    return pressed


def test_ctrl_c_keeps_the_finished_epochs(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(2))
    net, history = train(small_net, digits, SHORT, 'quick', CPU)
    [run] = history.runs
    assert len(run.test_accuracy) == 1
    require_agreement(net, run, digits, SHORT)
    assert '已中断：保留前 1 轮的记录' in capsys.readouterr().out
    assert training_curves(history).axes


def test_an_interrupted_recording_is_not_saved_and_goes_on(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recording = Recording(tmp_path / 'results', tmp_path / 'checkpoints')
    with monkeypatch.context() as patched:
        patched.setattr(loop, 'evaluate', interrupt_at(3))
        net, history = train(small_net, digits, SHORT, 'quick', CPU, recording)
        require_agreement(net, history.runs[0], digits, SHORT)
    assert not (tmp_path / 'results').exists()
    _, resumed = train(small_net, digits, SHORT, 'quick', CPU, recording)
    _, whole = train(small_net, digits, SHORT, 'quick', CPU)
    assert resumed.runs[0].train_loss == whole.runs[0].train_loss
    assert resumed.runs[0].test_accuracy == whole.runs[0].test_accuracy
    [saved] = (tmp_path / 'results').iterdir()
    assert saved.name == 'Sequential.json'


def test_ctrl_c_in_a_later_seed_keeps_the_earlier_ones(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(4))
    net, history = train(small_net, digits, SEVERAL, 'quick', CPU)
    assert [len(run.test_accuracy) for run in history.runs] == [2, 1]
    assert history.test_accuracy == history.runs[0].test_accuracy[-1]
    require_agreement(net, history.runs[0], digits, SEVERAL)
    assert history.images_per_second > 0
    assert len(training_curves(history).axes) == 2
    assert history.to_dict()['seeds'] == [0, 1]


def test_ctrl_c_in_the_first_epoch_of_a_later_seed_keeps_the_first(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(3))
    net, history = train(small_net, digits, SEVERAL, 'quick', CPU)
    assert [run.seed for run in history.runs] == [0]
    require_agreement(net, history.runs[0], digits, SEVERAL)
    assert '保留前 1 个种子' in capsys.readouterr().out


def test_ctrl_c_while_a_later_network_is_built_keeps_the_first(
    digits: Dataset,
) -> None:
    built = []

    def build() -> nn.Module:
        if built:
            raise KeyboardInterrupt
        built.append(small_net())
        return built[0]

    recipe = replace(SHORT, seeds=(0, 1))
    net, history = train(build, digits, recipe, 'quick', CPU)
    assert history.seeds == [0]
    assert net is built[0]
    built[:] = [small_net()]
    with pytest.raises(KeyboardInterrupt):  # 还没有一个种子，就没有记录可留
        train(build, digits, recipe, 'quick', CPU)


def test_a_network_that_counts_as_false_is_kept_too(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nn.Module 可以自己定义 ``__len__``；长度是 0 的网络也是网络。"""

    class Unsized(nn.Sequential):
        def __len__(self) -> int:
            return 0

    nets = []

    def build() -> nn.Module:
        nets.append(Unsized(*small_net()))
        return nets[-1]

    net, _ = train(build, digits, SEVERAL, 'quick', CPU)
    assert net is nets[0]


def test_ctrl_c_before_anything_is_finished_stops(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """一轮也没有完成，就没有记录可留：照常中断，而不是交出空的记录。"""
    for start in (train, train_seeds):
        monkeypatch.setattr(loop, 'evaluate', interrupt_at(1))
        with pytest.raises(KeyboardInterrupt):
            start(small_net, digits, SHORT, 'quick', CPU)


def test_train_seeds_keeps_no_incomplete_record(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, 'evaluate', interrupt_at(2))
    with pytest.raises(KeyboardInterrupt):
        train_seeds(small_net, digits, SHORT, 'quick', CPU)


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
        fit(small_net(), digits, SHORT, 0, CPU)
    [bar] = bars
    assert bar not in type(bar)._instances
