"""基准测试的参赛者：d2l 的循环、调好的读取、本书的循环；每行只比上一行改一处。

同一个网络的全部行从同一份起始权重出发，用同一批图像、同样的边长，在同一个进程里测。
两边都不做增广；先热身若干步，再退回起始权重开始计时。评价另记，不在吞吐量里。
"""

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from roofline import synchronize
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deepcnn.d2l_bridge import (
    FEWEST_BATCHES,
    Batches,
    ReplayedBatches,
    d2l_loaders,
    timers_kept,
    train_like_d2l,
)
from deepcnn.data.batches import prepare, test_batches
from deepcnn.data.dataset import Dataset
from deepcnn.records.benchmark import AGAIN, BASELINE, ENGINE, TUNED, Row
from deepcnn.records.runs import Run
from deepcnn.training import loop
from deepcnn.training.cpu_speedups import (
    faster_small_maps,
    keep_freed_memory,
    used_on,
)
from deepcnn.training.evaluation import evaluate
from deepcnn.training.hardware import autocast, has_fast_bf16, layout_of, to_layout
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe

RATE = 0.01  # 学习率不影响快慢；取小一些，六个网络都不会发散
SEED = 0


@dataclass(frozen=True)
class Contest:
    """一个网络的比赛：怎样造网络、数据在哪里、边长、批量、轮数、热身几步。"""

    build: Callable[[], nn.Module]
    data: Dataset  # 已截短，并放在设备上
    image_size: int
    batch_size: int
    epochs: int
    warm_up_steps: int
    device: torch.device

    def fresh(self) -> nn.Module:
        """返回一个起始网络：每次都是同一份权重，用 d2l 的 Xavier 初始化。"""
        torch.manual_seed(SEED)
        return self.build().apply(xavier)

    def recipe(self, **changes: object) -> Recipe:
        """与 ``train_ch6`` 相同的算法：普通 SGD，不增广，fp32。"""
        same = Recipe(
            self.image_size, self.epochs, RATE, self.batch_size, optimizer='sgd',
            schedule='constant', weight_decay=0, momentum=0, clip=None, flip=False,
            precision='fp32', channels_last=False,
        )  # fmt: skip
        return replace(same, **changes)

    def warm_up_epochs(self, steps: int) -> int:
        return math.ceil(self.warm_up_steps / steps)


def xavier(module: nn.Module) -> None:
    """``train_ch6`` 里的初始化。"""
    if type(module) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


# ---- d2l 的循环 ---------------------------------------------------------------


class TimedBatches:
    """照样给出小批量，并记下每次遍历用了多少秒、多久才拿到第一批。"""

    def __init__(self, batches: Batches, device: torch.device) -> None:
        self.batches = batches
        self.device = device
        self.seconds: list[float] = []
        self.starts: list[float] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        synchronize(self.device)
        began = perf_counter()
        for index, batch in enumerate(self.batches):
            if index == 0:
                self.starts.append(perf_counter() - began)
            yield batch
        synchronize(self.device)  # 走到这里时，最后一步已经做完
        self.seconds.append(perf_counter() - began)


class FewBatches:
    """每次遍历只给前几个小批量，热身用。"""

    def __init__(self, batches: Batches, count: int) -> None:
        self.batches = batches
        self.count = min(count, len(batches))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return islice(iter(self.batches), self.count)


class MovedBatches:
    """小批量在交给循环之前，就已经不等完成地搬往设备。"""

    def __init__(self, loader: DataLoader, device: torch.device) -> None:
        self.loader = loader
        self.device = device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for X, y in self.loader:
            yield (
                X.to(self.device, non_blocking=True),
                y.to(self.device, non_blocking=True),
            )


def tuned_loader(plain: DataLoader, workers: int, device: torch.device) -> MovedBatches:
    """同一个数据集的 DataLoader：进程数等于核数且常驻，GPU 上用锁页内存。"""
    shuffle = isinstance(plain.sampler, torch.utils.data.RandomSampler)
    loader = DataLoader(
        plain.dataset, plain.batch_size, shuffle=shuffle, num_workers=workers,
        pin_memory=device.type == 'cuda', persistent_workers=True,
    )  # fmt: skip
    return MovedBatches(loader, device)


def measure_d2l(contest: Contest, row: Row, train: Batches, test: Batches) -> Row:
    """用没有改动的 ``d2l.train_ch6`` 训练，填好 ``row``。"""
    few = FewBatches(train, max(contest.warm_up_steps, FEWEST_BATCHES))
    net, device = contest.fresh(), contest.device
    epochs = contest.warm_up_epochs(len(few))
    train_like_d2l(net, few, FewBatches(test, 1), epochs, RATE, device)
    net.load_state_dict(contest.fresh().state_dict())
    timed, tested = TimedBatches(train, device), TimedBatches(test, device)
    with peak_memory(row, device), timers_kept() as timers:
        train_like_d2l(net, timed, tested, contest.epochs, RATE, device)
    row.epoch_seconds, row.start_seconds = timed.seconds, timed.starts
    row.evaluation_seconds = tested.seconds
    steps, times = len(train), timers[0].times
    row.step_seconds = [
        sum(times[first : first + steps]) for first in range(0, len(times), steps)
    ]
    return row


# ---- 本书的循环 ---------------------------------------------------------------


@contextmanager
def waiting_timed() -> Iterator[list[float]]:
    """记下每轮为等数据花了多少秒；一轮的总时间减去它，就是时钟 B。"""
    original, waited = loop.train_batches, []

    def timed(*args: object) -> Iterator[tuple[Tensor, Tensor]]:
        waited.append(0.0)
        batches = original(*args)
        while True:
            began = perf_counter()
            batch = next(batches, None)
            waited[-1] += perf_counter() - began
            if batch is None:
                return
            yield batch

    loop.train_batches = timed
    try:
        yield waited
    finally:
        loop.train_batches = original


def plain_sgd(net: nn.Module) -> torch.optim.Optimizer:
    """``train_ch6`` 的优化器，不融合。"""
    return torch.optim.SGD(net.parameters(), lr=RATE)


def run_epochs(
    net: nn.Module,
    stepping: nn.Module,
    data: Dataset,
    recipe: Recipe,
    fused: bool,
    row: Row | None = None,
    small: bool = False,
    kept: bool = False,
) -> Run:
    """与 ``loop.fit`` 相同的循环，只是把训练与评价分开计时。

    ``stepping`` 是训练时调用的网络：编译过的，或者就是 ``net``；评价总用 ``net``。
    ``small``、``kept`` 两样加速见 ``cpu_speedups.used_on``（``fit`` 照它用）。
    """
    device = data.train.images.device
    steps = len(data.train) // recipe.batch_size
    optimizer = make_optimizer(net, recipe, device) if fused else plain_sgd(net)
    schedule = make_schedule(optimizer, recipe, steps)
    session = loop.Session(stepping, optimizer, schedule, Run(SEED))
    torch.manual_seed(SEED)
    with ExitStack() as switched_on:
        if kept:
            switched_on.enter_context(keep_freed_memory(device))
        if small:
            switched_on.enter_context(faster_small_maps(net))
        for _ in range(recipe.epochs):
            synchronize(device)
            began = perf_counter()
            loop.train_epoch(session, data, recipe, device)
            synchronize(device)
            trained = perf_counter()
            session.run.test_accuracy.append(evaluate(net, data, recipe))
            if row:
                row.epoch_seconds.append(trained - began)
                row.evaluation_seconds.append(perf_counter() - trained)
    return session.run


def measure_engine(
    contest: Contest,
    row: Row,
    recipe: Recipe,
    fused: bool,
    compiled: bool = False,
    small: bool = False,
    kept: bool = False,
) -> Row:
    """用本书的训练循环训练，填好 ``row``。"""
    device, data = contest.device, contest.data
    net = contest.fresh().to(device, memory_format=layout_of(recipe))
    stepping = net
    if compiled:
        stepping, row.compile_seconds = compile_network(net, data, recipe)
    few = data.first(recipe.batch_size * contest.warm_up_steps, 100)
    epochs = contest.warm_up_epochs(len(few.train) // recipe.batch_size)
    few_recipe = replace(recipe, epochs=epochs)
    run_epochs(net, stepping, few, few_recipe, fused, small=small, kept=kept)
    net.load_state_dict(contest.fresh().state_dict())
    with peak_memory(row, device), waiting_timed() as waited:
        run_epochs(net, stepping, data, recipe, fused, row, small, kept)
    pairs = zip(row.epoch_seconds, waited, strict=True)
    row.step_seconds = [whole - waiting for whole, waiting in pairs]
    return row


def compile_network(
    net: nn.Module, data: Dataset, recipe: Recipe
) -> tuple[nn.Module, float]:
    """返回编译过的网络与编译（第一步）用的秒数；``net`` 的权重不变。"""
    device = data.train.images.device
    compiled = torch.compile(net)
    began = perf_counter()
    training_step(compiled, data, recipe)
    net.zero_grad(set_to_none=True)
    synchronize(device)
    return compiled, perf_counter() - began


def training_step(net: nn.Module, data: Dataset, recipe: Recipe) -> None:
    """一步的前向与反向，不更新权重。"""
    device = data.train.images.device
    X = prepare(data.train.images[: recipe.batch_size], recipe.image_size, data)
    net.train()
    with autocast(recipe, device):
        scores = net(to_layout(X, recipe))
        loss = F.cross_entropy(scores, data.train.labels[: recipe.batch_size])
    loss.backward()


# ---- 内存 ---------------------------------------------------------------------


@contextmanager
def peak_memory(row: Row, device: torch.device) -> Iterator[None]:
    """在 with 块内测内存峰值：GPU 上是显存，Linux 的 CPU 上是本进程的常驻内存。"""
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        reset_resident_peak()
    yield
    if device.type == 'cuda':
        row.peak_bytes = torch.cuda.max_memory_allocated(device)
    else:
        row.peak_bytes = resident_peak()


def reset_resident_peak() -> None:
    clear = Path('/proc/self/clear_refs')
    if clear.exists():
        clear.write_text('5', encoding='utf-8')  # 5：把峰值 VmHWM 重置为现值


def resident_peak() -> int | None:
    status = Path('/proc/self/status')
    if not status.exists():
        return None
    for line in status.read_text(encoding='utf-8').splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return None


# ---- 梯子 ---------------------------------------------------------------------


@dataclass(frozen=True)
class Rung:
    """梯子的一级：代号、比上一级改了什么、怎样测。"""

    name: str
    change: str
    recipe: Recipe
    measure: Callable[[Row], Row]


def ladder(contest: Contest, workers: int) -> list[Rung]:
    """返回这场比赛的全部行，按测量的次序；第一行与最后一行都是 d2l（A/B/A）。"""
    size, batch = contest.image_size, contest.batch_size
    count, tested = len(contest.data.train), len(contest.data.test)
    plain = d2l_loaders(batch, size, count, tested)
    base = contest.recipe()

    def with_d2l(train: Batches, test: Batches) -> Callable[[Row], Row]:
        return lambda row: measure_d2l(contest, row, train, test)

    def on_device(row: Row) -> Row:
        # 放大后的测试集有 2 GB，只在测这一行时才有，别的行的内存峰值不含它
        tests = list(test_batches(contest.data, size))
        return measure_d2l(contest, row, replayed, tests)

    def with_engine(
        recipe: Recipe, fused: bool = True, **switches: bool
    ) -> Callable[[Row], Row]:
        return lambda row: measure_engine(contest, row, recipe, fused, **switches)

    tuned = [tuned_loader(loader, workers, contest.device) for loader in plain]
    replayed = ReplayedBatches(contest.data, base, SEED)
    layout = replace(base, channels_last=True)
    bf16 = replace(layout, precision='bf16')
    fast = bf16 if has_fast_bf16(contest.device) else layout
    switches = used_on(contest.device)  # fit 用哪几样，这里就有哪几行
    rungs = [
        Rung(BASELINE, 'd2l 原样', base, with_d2l(*plain)),
        Rung(TUNED, '只调 DataLoader', base, with_d2l(*tuned)),
        Rung('device', '数据放进设备', base, on_device),
        Rung('nosync', '本书的循环', base, with_engine(base, False)),
        Rung('layout', 'channels_last', layout, with_engine(layout, False)),
        Rung('bf16', 'bf16', bf16, with_engine(bf16, False)),
        Rung('small', '小图当作全连接层', fast, with_engine(fast, False, small=True)),
        Rung('heap', '内存留着再用', fast, with_engine(fast, False, **switches)),
        Rung(ENGINE, '融合的优化器', fast, with_engine(fast, **switches)),
    ]
    used = {'bf16': fast is bf16, 'small': switches['small'], 'heap': switches['kept']}
    rungs = [rung for rung in rungs if used.get(rung.name, True)]
    if contest.device.type == 'cuda':
        large = replace(fast, batch_size=512)
        compiled = with_engine(large, compiled=True)
        rungs += [
            Rung('batch', '批量 512', large, with_engine(large)),
            Rung('compile', 'torch.compile', large, compiled),
        ]
    return [*rungs, Rung(AGAIN, '再测一次 d2l', base, with_d2l(*plain))]


def new_row(rung: Rung, contest: Contest) -> Row:
    recipe, count = rung.recipe, len(contest.data.train)
    whole = rung.name in (BASELINE, TUNED, AGAIN)  # DataLoader 不丢最后一批
    images = count if whole else count // recipe.batch_size * recipe.batch_size
    precision = precision_of(recipe, contest.device)
    return Row(rung.name, rung.change, precision, recipe.batch_size, images)


def precision_of(recipe: Recipe, device: torch.device) -> str:
    """写明实际用的精度：CUDA 上「fp32」的卷积默认其实是 TF32。"""
    if recipe.precision == 'fp32' and device.type == 'cuda':
        return 'fp32（卷积 TF32）' if torch.backends.cudnn.allow_tf32 else 'fp32'
    return recipe.precision
