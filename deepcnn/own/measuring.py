"""各个网络在这台机器上的大小与快慢：``deepcnn models --measure``，挑网络之前看一眼。

训练走的是 ``deepcnn train`` 的同一步，图像是随机数：不解码，量的是网络自己。在 torchrun 下，
小批量由各进程平分，速度是合计的。
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from time import perf_counter, process_time

import torch

from deepcnn.anatomy.layers import count_parameters
from deepcnn.models.lineup import LINEUP
from deepcnn.models.registry import BUILDERS, create
from deepcnn.own.defaults import LARGEST_SIDE
from deepcnn.own.long_run import one_number_told
from deepcnn.own.processes import Team, joined
from deepcnn.records.comparison import FOLDER, read_record
from deepcnn.records.runs import Run
from deepcnn.records.store import results_folder
from deepcnn.training.cpu_speedups import faster_small_maps, keep_freed_memory
from deepcnn.training.hardware import layout_of, resolve_precision
from deepcnn.training.loop import Session, train_step
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe

SIX = tuple(LINEUP)
FEWEST = 3  # 热身之后至少量几次
NARROW = 'vgg11'  # 书里训练的是四分之一宽的


@dataclass(frozen=True)
class Setup:
    """量的条件：边长、通道、类别数、小批量（全部进程合计）、每一项至少量几秒。"""

    side: int
    channels: int = 3
    classes: int = 10
    batch: int = 32
    seconds: float = 2.0


@dataclass(frozen=True)
class Measured:
    """一个网络：参数个数，每秒训练、认多少张，单独认一张要几毫秒，书里的准确率。"""

    name: str
    parameters: int
    training: float
    predicting: float
    milliseconds: float
    accuracy: float | None


def setup_for(device: torch.device, **given: float | None) -> Setup:
    """没有给的照平常的；不是有限的正数时抛出 ValueError。"""
    usual = {'side': LARGEST_SIDE['cpu' if device.type == 'cpu' else 'other']}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        if not 0 < value < inf:
            raise ValueError(f'--{name} 要大于 0、不是无穷，现在是 {value}')
    return Setup(**(usual | chosen))


def measure(
    names: Sequence[str], setup: Setup, device: torch.device, team: Team
) -> Iterator[Measured]:
    """逐个量；名字不认识、边长太小、小批量不能平分时抛出 ValueError。"""
    if strange := [name for name in names if name not in BUILDERS]:
        raise ValueError(
            f'没有叫 {strange[0]!r} 的网络：请从 {"、".join(BUILDERS)} 中选'
        )
    if setup.batch % team.size:
        raise ValueError(f'小批量的 {setup.batch} 张不能由 {team.size} 个进程平分')
    return (_measured(name, setup, device, team) for name in names)


def _measured(name: str, setup: Setup, device: torch.device, team: Team) -> Measured:
    own = setup.batch // team.size
    recipe = Recipe(setup.side, 1, 1e-3, max(1, own))
    net = create(name, setup.channels, setup.classes, setup.side)
    net.to(device, memory_format=layout_of(recipe))
    optimizer = make_optimizer(net, recipe, device)
    schedule = make_schedule(optimizer, recipe, 10**6)
    session = Session(joined(net, team), optimizer, schedule, Run(0))
    X = torch.randn(own, setup.channels, setup.side, setup.side, device=device)
    y = torch.arange(own, device=device) % setup.classes
    net.train()
    with (
        one_number_told(setup.batch, setup.side),
        keep_freed_memory(device),
        faster_small_maps(net),
    ):
        step = _seconds(
            lambda: train_step(session, X, y, recipe, device),
            setup.seconds,
            device,
            team,
        )
    net.eval()
    with torch.inference_mode():
        # 认图像时各做各的，不必互相等
        many = _seconds(lambda: net(X), setup.seconds / 4, device)
        one = _seconds(lambda: net(X[:1]), setup.seconds / 8, device)
    return Measured(
        name,
        count_parameters(net),
        setup.batch / step,
        setup.batch / many,
        1e3 * one,
        book_accuracy(name),
    )


def clock_of(device: torch.device) -> Callable[[], float]:
    """CPU 上只用一个线程时，数处理器的时间：别的程序在忙，也不影响它。"""
    if device.type == 'cpu' and torch.get_num_threads() == 1:
        return process_time
    return perf_counter


def _seconds(
    act: Callable[[], object],
    least: float,
    device: torch.device,
    team: Team | None = None,
) -> float:
    """``act`` 一次的秒数，中位数；先热身一次，至少做 ``FEWEST`` 次、``least`` 秒。

    几个进程要做得一样多：次数由 0 号进程定。
    """
    clock, taken = clock_of(device), []
    act()
    _settle(device)
    while True:
        started = clock()
        act()
        _settle(device)
        taken.append(clock() - started)
        enough = len(taken) >= FEWEST and sum(taken) >= least
        if team is not None and team.size > 1:
            enough = team.any(enough and team.leads, device)
        if enough:
            return max(median(taken), 1e-9)


def _settle(device: torch.device) -> None:
    """等设备做完。"""
    if device.type != 'cpu':
        getattr(torch, device.type).synchronize()


def book_accuracy(name: str) -> float | None:
    """书里六网对比的测试准确率，各种子的平均；别的网络没有。"""
    path = results_folder() / FOLDER / f'{name}.json'
    return read_record(path).test_accuracy if path.is_file() else None


def conditions(setup: Setup, device: torch.device, team: Team) -> str:
    """量的条件，一行。"""
    precision = resolve_precision(Recipe(setup.side, 1, 1e-3), device)
    many = f'，{team.size} 个进程' if team.size > 1 else ''
    timed = '；按处理器用时算' if clock_of(device) is process_time else ''
    return (
        f'{setup.side} 像素，{setup.channels} 个通道，{setup.classes} 类，小批量 '
        f'{setup.batch} 张，训练用 {precision}{many}{timed}'
    )
