"""长训练：与各章的循环逐位相同；停在任何一步、任何时刻被杀死，接着做的结果都一样。"""

import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn
from two_processes import needs_fork

from deepcnn.data.batches import plan_epoch
from deepcnn.data.dataset import Dataset
from deepcnn.own import sealed
from deepcnn.own.augmentation import Augmentation
from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.feeding import feed_of, part_of, rows_of
from deepcnn.own.long_run import LongRun, Tuning, Watch
from deepcnn.own.stopping import INTERRUPTED, PREEMPTED, Stopped
from deepcnn.training import Recipe
from deepcnn.training.loop import TrainingDiverged, fit

CPU = torch.device('cpu')
RECIPE = Recipe(32, 2, 2e-3, batch_size=8, shift=1, erasing=0.5, precision='fp32')
STEPS = 5  # 每轮
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_digits_dataset().first(8 * STEPS + 3, 20)


def network(dropout: float = 0.3) -> nn.Module:
    """很小，有批量归一化、丢弃法与输出头。"""
    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module('stem', nn.Sequential(nn.Conv2d(1, 4, 3, 4), nn.BatchNorm2d(4)))
    net.add_module(
        'stages', nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Dropout(dropout))
    )
    net.add_module('head', nn.Linear(4 * 8 * 8, 10))
    return net


def state_of(net: nn.Module) -> dict[str, Tensor]:
    return {name: one.clone() for name, one in net.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one | other)


class Acting(Watch):
    """在第 ``step`` 步之后做一件事。"""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.wanted, self.act = step, act

    def step(self, long_run: LongRun) -> None:
        if long_run.done_steps == self.wanted:
            self.act()


def started(
    data: Dataset, folder: Path, watch: Watch | None = None, **how: object
) -> LongRun:
    checkpoints = Checkpoints(folder)
    return LongRun(
        network(),
        feed_of(data),
        RECIPE,
        CPU,
        checkpoints=checkpoints,
        watch=watch,
        augmentation=Augmentation(0.6, 0.2),
        **how,
    )


@pytest.fixture(scope='module')
def unbroken(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> LongRun:
    long_run = started(data, tmp_path_factory.mktemp('unbroken'))
    long_run.train()
    return long_run


def test_the_curve_is_that_of_the_chapters(data: Dataset) -> None:
    """没有丢弃法时逐位相同：随机数的次序只差那一样。"""
    recipe = replace(RECIPE, label_smoothing=0.1)
    theirs, ours = network(dropout=0.0), network(dropout=0.0)
    one = fit(theirs, data, recipe, 3, CPU)
    other = LongRun(ours, feed_of(data), recipe, CPU, seed=3).train()
    assert same(state_of(theirs), state_of(ours))
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-6)
    assert other.train_accuracy == one.train_accuracy
    assert other.test_accuracy == pytest.approx(one.test_accuracy)
    assert len(other.epoch_seconds) == 2 and other.seconds > sum(other.epoch_seconds)


@pytest.mark.parametrize(
    ('number', 'code'), [(signal.SIGTERM, PREEMPTED), (signal.SIGINT, INTERRUPTED)]
)
@pytest.mark.parametrize('step', [1, 3, 5, 8, 10])
def test_stopped_at_any_step_it_ends_the_same(
    step: int, number: int, code: int, data: Dataset, unbroken: LongRun, tmp_path: Path
) -> None:
    handler = signal.getsignal(number)
    stopping = Acting(step, lambda: signal.raise_signal(number))
    with pytest.raises(Stopped) as told:
        started(data, tmp_path, stopping).train()
    assert told.value.code == code
    assert signal.getsignal(number) == handler
    again = started(data, tmp_path)
    run = again.train()
    assert same(state_of(again.net), state_of(unbroken.net))
    for name in ('train_loss', 'train_accuracy', 'test_accuracy'):
        assert getattr(run, name) == getattr(unbroken.run, name)
    assert vars(again.place)['best_epoch'] == unbroken.place.best_epoch
    assert again.steps == STEPS


def in_a_child(work: Callable[[], object]) -> int:
    """在分出的进程里做，返回它怎样结束的（被信号杀死是负数）。"""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
@pytest.mark.parametrize('time', range(3))
def test_killed_at_a_random_step_it_ends_the_same(
    time: int, data: Dataset, unbroken: LongRun, tmp_path: Path
) -> None:
    """每一步都存：杀死的时候，上一步的断点刚存好。"""
    step = secrets.randbelow(9) + 1  # 每次运行都不同；几个进程收集到的测试要同名
    killing = Acting(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    long_run = started(data, tmp_path, killing, save_every=0.0)
    assert in_a_child(long_run.train) == -signal.SIGKILL
    assert bool(Checkpoints(tmp_path).found()) == (step > 1)
    again = started(data, tmp_path)
    again.train()
    assert same(state_of(again.net), state_of(unbroken.net))


@needs_fork
@pytest.mark.parametrize('moment', ['before', 'half', 'after'])
def test_killed_while_saving_it_ends_the_same(
    moment: str, data: Dataset, unbroken: LongRun, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """写断点的途中：还没有改名、写了一半、刚改完名。"""
    replace_file, saved = os.replace, []

    def dying(source: Path, target: Path) -> None:
        saved.append(target)
        if len(saved) < 3:
            return replace_file(source, target)
        if moment == 'half':
            os.truncate(source, 1000)
        if moment == 'after':
            replace_file(source, target)
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        monkeypatch.setattr(sealed.os, 'replace', dying)
        started(data, tmp_path, save_every=0.0).train()

    assert in_a_child(work) == -signal.SIGKILL
    assert len(Checkpoints(tmp_path).found()) >= 2
    again = started(data, tmp_path)
    again.train()
    assert same(state_of(again.net), state_of(unbroken.net))


def test_a_torn_checkpoint_costs_a_few_steps_only(
    data: Dataset, unbroken: LongRun, tmp_path: Path
) -> None:
    stopping = Acting(8, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Stopped):
        started(data, tmp_path, stopping).train()
    newest, before = Checkpoints(tmp_path).found()
    newest.write_bytes(newest.read_bytes()[:-100])
    again = started(data, tmp_path)
    again.train()
    assert newest.name in again.damaged[0]
    assert same(state_of(again.net), state_of(unbroken.net))


def test_a_resumed_epoch_counts_its_steps_from_the_first(
    data: Dataset, tmp_path: Path
) -> None:
    """第 2 轮第 2 步停下，第 4 步才发散：说的是第 4 步，不是接着之后的第 2 步。"""
    stopping = Acting(STEPS + 2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Stopped):
        started(data, tmp_path, stopping).train()
    again = started(data, tmp_path)

    def spoil() -> None:
        with torch.no_grad():
            again.net.head.weight.fill_(torch.nan)

    again.watch = Acting(STEPS + 3, spoil)
    with pytest.raises(TrainingDiverged, match='第 2 轮第 4 步'):
        again.train()


def test_stopping_without_checkpoints_does_not_promise_one(data: Dataset) -> None:
    stopping = Acting(2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Stopped, match='没有存断点') as told:
        LongRun(network(), feed_of(data), RECIPE, CPU, watch=stopping).train()
    assert told.value.code == PREEMPTED


def test_saving_takes_no_longer_than_asked(data: Dataset, tmp_path: Path) -> None:
    class Noting(Checkpoints):
        def save(self, step: int, state: dict) -> None:
            steps.append(step)

    def saves(every: float) -> list[int]:
        steps.clear()
        noting = Noting(tmp_path)
        LongRun(
            network(), feed_of(data), RECIPE, CPU, checkpoints=noting, save_every=every
        ).train()
        return list(steps)

    steps: list[int] = []
    assert saves(600.0) == [5, 10]
    assert saves(0.0) == list(range(1, 11))


def test_frozen_layers_stay_and_the_body_is_slower(data: Dataset) -> None:
    recipe = replace(RECIPE, schedule='constant', weight_decay=0.0)
    net = network()
    before = state_of(net)
    LongRun(
        net, feed_of(data), recipe, CPU, tuning=Tuning('head', 1.0, ('stem',))
    ).train()
    after = state_of(net)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {'head.weight', 'head.bias'}  # 滑动平均也没有动

    long_run = LongRun(
        network(), feed_of(data), RECIPE, CPU, tuning=Tuning('head', 0.1)
    )
    long_run.train()
    body, head = long_run.session.optimizer.param_groups
    assert body['lr'] == pytest.approx(0.1 * head['lr'])
    assert body['max_lr'] == pytest.approx(0.1 * RECIPE.lr)
    assert {id(one) for one in head['params']} == {
        id(one) for one in long_run.net.get_submodule('head').parameters()
    }


def test_the_rows_of_every_process_make_the_whole_batch() -> None:
    plan = plan_epoch(19, 0, 0, True, 2, CPU, erasing=0.5)
    whole = part_of(plan, rows_of(19, 6, slice(0, 6), 0))
    assert torch.equal(whole.order, plan.order[:18])
    halves = (rows_of(19, 6, one, 1) for one in (slice(0, 3), slice(3, 6)))
    left, right = (part_of(plan, rows) for rows in halves)
    for name in ('order', 'mirrored', 'offset', 'boxes'):
        parts = [getattr(one, name).split(3) for one in (left, right)]
        joined = [torch.cat(pair) for pair in zip(*parts, strict=True)]
        assert torch.equal(torch.cat(joined), getattr(whole, name)[6:])


@pytest.mark.parametrize(
    ('recipe', 'said'),
    [
        (replace(RECIPE, batch_size=64), '训练图像却只有 43 张.*--batch'),
        (replace(RECIPE, shift=8), '平移要小于图像的边长 8 像素，现在 shift 是 8'),
        (replace(RECIPE, lr=1e8, clip=None, optimizer='sgd'), '损失不再是有限数'),
    ],
)
def test_what_cannot_be_trained_says_so(
    recipe: Recipe, said: str, data: Dataset
) -> None:
    with pytest.raises((ValueError, TrainingDiverged), match=said):
        LongRun(network(), feed_of(data), recipe, CPU).train()
