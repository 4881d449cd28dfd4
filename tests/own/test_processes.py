"""两个进程（CPU，gloo）各一半小批量：损失曲线与一个进程的相同，一起停，接得上。"""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from small_data import load_digits_dataset
from torch import nn
from two_processes import in_two_processes, needs_fork

from deepcnn.data.dataset import Dataset
from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.feeding import feed_of
from deepcnn.own.long_run import LongRun, Watch
from deepcnn.own.orders import Order, place_for
from deepcnn.own.processes import Team, store_of_this_start, team_from_environment
from deepcnn.own.stopping import PREEMPTED, Stopped
from deepcnn.records.store import write_json
from deepcnn.training import Recipe

CPU = torch.device('cpu')
RECIPE = Recipe(32, 2, 2e-3, batch_size=8, shift=1, precision='fp32')
pytestmark = [needs_fork, pytest.mark.usefixtures('one_thread')]


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_digits_dataset().first(43, 21)  # 验证集不能平分


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential()
    # 批量归一化之前的偏置没有梯度，只有舍入：Adam 会把它放大
    first = nn.Conv2d(1, 4, 3, 4, bias=False)
    net.add_module('stem', nn.Sequential(first, nn.BatchNorm2d(4)))
    net.add_module('head', nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)))
    return net


def run_of(
    data: Dataset, team: Team, folder: Path | None = None, watch: Watch | None = None
) -> LongRun:
    checkpoints = Checkpoints(folder) if folder else None
    return LongRun(
        network(),
        feed_of(data),
        RECIPE,
        CPU,
        team=team,
        checkpoints=checkpoints,
        watch=watch,
    )


def together(work: Callable[[Team], object]) -> list[int]:
    """在两个分出的进程里各做一遍，返回各自的退出码。"""

    def one(rank: int) -> int:
        try:
            with team_from_environment(on_cuda=False) as team:
                work(team)
        except Stopped as stopped:
            return stopped.code
        return 0

    return in_two_processes(one)


def told(folder: Path, long_run: LongRun) -> None:
    """0 号进程写下曲线与权重的和，给父进程看。"""
    if long_run.team.leads:
        weights = {
            name: one.tolist() for name, one in long_run.net.state_dict().items()
        }
        write_json(folder / 'told.json', vars(long_run.run) | {'weights': weights})


def matches(folder: Path, alone: LongRun) -> None:
    found = json.loads((folder / 'told.json').read_text('utf-8'))
    for name in ('train_loss', 'train_accuracy', 'test_accuracy'):
        assert found[name] == pytest.approx(getattr(alone.run, name), rel=1e-5), name
    for name, one in alone.net.state_dict().items():
        other = torch.tensor(found['weights'][name], dtype=one.dtype)
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5, msg=name)


@pytest.fixture(scope='module')
def alone(data: Dataset) -> LongRun:
    long_run = run_of(data, Team())
    long_run.train()
    return long_run


def test_two_halves_give_the_curve_of_the_whole(
    data: Dataset, alone: LongRun, tmp_path: Path
) -> None:
    def work(team: Team) -> None:
        long_run = run_of(data, team, tmp_path / 'c')
        long_run.train()
        told(tmp_path, long_run)

    assert together(work) == [0, 0]
    matches(tmp_path, alone)
    assert len(Checkpoints(tmp_path / 'c').found()) == 2


class Signalled(Watch):
    """1 号进程在第 2 步收到 SIGTERM。"""

    def step(self, long_run: LongRun) -> None:
        if long_run.team.rank == 1 and long_run.done_steps == 2:
            signal.raise_signal(signal.SIGTERM)


def test_one_is_told_to_stop_and_both_do_then_go_on(
    data: Dataset, alone: LongRun, tmp_path: Path
) -> None:
    place = tmp_path / 'c'
    codes = together(lambda team: run_of(data, team, place, Signalled()).train())
    assert codes == [PREEMPTED, PREEMPTED]
    assert Checkpoints(place).found()

    def work(team: Team) -> None:
        long_run = run_of(data, team, place)
        long_run.train()
        told(tmp_path, long_run)

    assert together(work) == [0, 0]
    matches(tmp_path, alone)
    # 一个进程也接得上两个进程的断点
    for path in Checkpoints(place).found()[:1]:
        path.unlink()
    single = run_of(data, Team(), place)
    single.train()
    assert single.run.train_loss == pytest.approx(alone.run.train_loss, rel=1e-5)


def test_the_batch_is_shared_out_evenly(data: Dataset) -> None:
    with pytest.raises(ValueError, match='8 张不能由 3 个进程平分'):
        run_of(data, Team(1, 3))
    assert [Team(rank, 4).share(8) for rank in range(4)] == [
        slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8),
    ]  # fmt: skip


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert Team(1, 2, 1).device(CPU) == CPU
    with pytest.raises(ValueError, match='有 1 块显卡.*第 2 个进程.*--nproc-per-node=1'):
        Team(1, 2, 1).device(torch.device('cuda'))


def test_several_processes_need_a_named_folder() -> None:
    with pytest.raises(ValueError, match='torchrun 时请用 --out'):
        place_for(Order('resnet18', '花'), Team(0, 2))


def test_half_of_the_variables_of_torchrun_are_not_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    for name in ('RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    joining = team_from_environment(on_cuda=False)
    with pytest.raises(ValueError, match='没有设 RANK：请用 torchrun'), joining:
        pass


def test_after_a_restart_it_resumes_unasked(tmp_path: Path) -> None:
    (tmp_path / 'run.json').write_text(
        json.dumps({'order': {'network': 'nin', 'data': 'fashion_mnist', 'epochs': 3}}),
        encoding='utf-8',
    )
    order = Order('nin', 'fashion_mnist', out=str(tmp_path))
    with pytest.raises(ValueError, match='不覆盖'):
        place_for(order, Team(0, 2))
    _, found = place_for(order, Team(0, 2, restarts=1))
    assert found.epochs == 3


def test_a_restart_does_not_see_what_the_dead_wrote() -> None:
    store = dist.HashStore()
    store_of_this_start(store, 0).set('0', '死去的进程的地址')
    again = store_of_this_start(store, 1)
    assert not again.check(['0'])
    again.set('0', '新的')
    assert store_of_this_start(store, 1).get('0') == '新的'.encode()
