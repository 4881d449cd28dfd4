"""长的训练：与 ``training.fit`` 同样的一步，另外随时可以中断、接着做、由几个进程合做。

每一步的随机数（丢弃法）由种子、步数与进程号定，一轮的次序由种子与轮数定：断点只要记下走到
第几步，接着做就与没有中断过逐位相同（CPU 上，同样的线程数）。
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.data.batches import plan_epoch, prepare
from deepcnn.data.fashion_mnist import DataError
from deepcnn.given_numbers import whole_number
from deepcnn.own.augmentation import Augmentation
from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.feeding import Feed, Images, Waited, part_of, rows_of, train_steps
from deepcnn.own.processes import Team, joined
from deepcnn.own.stopping import PREEMPTED, Stopped, StopSignals
from deepcnn.records.runs import Run
from deepcnn.training.cpu_speedups import faster_small_maps, keep_freed_memory
from deepcnn.training.evaluation import TEST_BATCH, evaluating
from deepcnn.training.fitting import NO_VARIANCE, require_small_shift
from deepcnn.training.hardware import autocast, layout_of, to_layout
from deepcnn.training.loop import Session, require_finite, train_step
from deepcnn.training.memory_errors import (
    NotEnoughMemory,
    advice,
    is_out_of_memory,
)
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
LISTENING = 10  # 几个进程每隔几步问一次有没有谁收到信号


@dataclass
class Place:
    """走到了哪里：这一轮走过的步、各步的损失与命中数，至今最好的一轮。"""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    best_accuracy: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0  # 这一轮至今的秒数
    waited: float = 0.0  # 其中等图像的秒数
    waiting_shares: list[float] = field(default_factory=list)  # 每轮一个


@dataclass(frozen=True)
class Tuning:
    """微调：``frozen`` 的层不动，``head`` 之外的层学习率乘以 ``body_rate``。"""

    head: str = 'head'
    body_rate: float = 1.0
    frozen: tuple[str, ...] = ()


class Watch:
    """训练途中通知它；平常什么也不做。``best`` 只在 0 号进程上。"""

    def start(self, long_run: 'LongRun') -> None:
        """读回了断点（有的话），还没有走第一步。"""

    def step(self, long_run: 'LongRun') -> None:
        """走完一步。"""

    def best(self, long_run: 'LongRun') -> None:
        """验证准确率至今最高。"""

    def epoch(self, long_run: 'LongRun') -> None:
        """一轮评价完，断点也存好了。"""


class LongRun:
    """一次长训练；``train`` 返回记录，``net`` 就地训练。"""

    def __init__(
        self,
        net: nn.Module,
        feed: Feed,
        recipe: Recipe,
        device: torch.device,
        seed: int = 0,
        team: Team | None = None,
        tuning: Tuning | None = None,
        checkpoints: Checkpoints | None = None,
        save_every: float = 600.0,
        watch: Watch | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        """``save_every`` 是两次存断点最多隔的秒数；每轮结束总要存。

        小批量大于训练集、不能由各进程平分，或平移不小于图像时抛出 ValueError。
        """
        self.net, self.feed, self.recipe, self.device = net, feed, recipe, device
        self.seed, self.team = whole_number('seed', seed), team or Team()
        self.tuning, self.checkpoints = tuning or Tuning(), checkpoints
        self.save_every, self.watch = save_every, watch or Watch()
        self.augmentation = augmentation or Augmentation()
        require_trainable(feed, recipe, self.team)
        self.steps = len(feed.train) // recipe.batch_size
        self.place = Place()
        self.session: Session | None = None

    def train(self) -> Run:
        """从断点（有的话）接着训练到底。

        收到 SIGTERM 或 Ctrl-C 时存下断点（有地方存的话），抛出 Stopped；损失发散时抛出
        TrainingDiverged；内存不够时抛出 NotEnoughMemory，写明减小什么。
        """
        try:
            self._start()
            with (
                one_number_told(self.recipe.batch_size, self.recipe.image_size),
                StopSignals() as signals,
                keep_freed_memory(self.device),
                faster_small_maps(self.net),
            ):
                while len(self.run.test_accuracy) < self.recipe.epochs:
                    self._train_epoch(signals)
                    self._judge()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise NotEnoughMemory(advice(self.recipe, self.device)) from error
        return self.run

    @property
    def run(self) -> Run:
        return self.session.run

    @property
    def done_steps(self) -> int:
        return len(self.run.test_accuracy) * self.steps + self.place.step

    # ---- 开始与断点 ------------------------------------------------------------------

    def _start(self) -> None:
        net, recipe = self.net, self.recipe
        net.to(self.device, memory_format=layout_of(recipe))
        for name in self.tuning.frozen:
            net.get_submodule(name).requires_grad_(False)
        optimizer = make_optimizer(net, recipe, self.device)
        split_rates(optimizer, net.get_submodule(self.tuning.head))
        schedule = make_schedule(optimizer, recipe, self.steps)
        slow_down(optimizer, self.tuning.body_rate)
        self.session = Session(net, optimizer, schedule, Run(self.seed))
        self.saved_at = perf_counter()
        self.damaged: list[str] = []
        if self.checkpoints:
            state, self.damaged = self.checkpoints.newest()
            if state:
                self.session.restore(state)
                vars(self.place).update(state['place'])
        self.wrapped = joined(net, self.team)
        self.watch.start(self)

    def save(self) -> None:
        """存一份断点；只有 0 号进程写。"""
        if self.checkpoints and self.team.leads:
            state = self.session.state() | {'place': vars(self.place)}
            self.checkpoints.save(self.done_steps, state)
        self.saved_at = perf_counter()

    # ---- 一轮 --------------------------------------------------------------------------

    def _train_epoch(self, signals: StopSignals) -> None:
        recipe, place, team = self.recipe, self.place, self.team
        epoch, share = len(self.run.test_accuracy), team.share(recipe.batch_size)
        plan = plan_epoch(
            len(self.feed.train), self.seed, epoch, recipe.flip, recipe.shift, CPU,
            recipe.erasing,
        )  # fmt: skip
        rows = rows_of(len(plan.order), recipe.batch_size, share, place.step)
        changes = self.augmentation.plan(len(plan.order), self.seed, epoch).part(rows)
        plan = part_of(plan, rows)
        each = recipe.batch_size // team.size
        self.net.train()
        for name in self.tuning.frozen:
            self.net.get_submodule(name).eval()  # 批量归一化的滑动平均也不动
        running = Session(
            self.wrapped, self.session.optimizer, self.session.schedule, self.run
        )
        waited, before = Waited(), (place.seconds, place.waited)
        started, first = perf_counter(), place.step
        losses = torch.zeros(self.steps - first, device=self.device)
        hits, rates = torch.zeros_like(losses), []

        def gather() -> None:
            """设备上的各步读回来，各进程合在一起。"""
            count = place.step - first
            place.losses[first:] = (
                team.total(losses[:count].clone()) / team.size
            ).tolist()
            place.hits[first:] = team.total(hits[:count].clone()).tolist()
            place.seconds = before[0] + perf_counter() - started
            place.waited = before[1] + waited.seconds

        batches = train_steps(
            self.feed, plan, each, recipe.image_size, self.device, waited, changes
        )
        for X, y in batches:
            torch.manual_seed(self._step_seed(epoch))
            rates.append(running.schedule.get_last_lr()[-1])
            loss, hit = train_step(running, X, y, recipe, self.device)
            losses[place.step - first], hits[place.step - first] = loss, hit
            place.step += 1
            self.watch.step(self)
            if place.step < self.steps:  # 一轮走完的断点等评价之后再存
                self._stop_or_save(signals, gather)
        gather()
        rates = rates[:1] * first + rates  # 断点之前的学习率没有记
        require_finite(torch.tensor(place.losses), epoch, rates)
        self._stop_or_save(signals, lambda: None, often=False)

    def _step_seed(self, epoch: int) -> int:
        step = epoch * self.steps + self.place.step
        return (self.seed * 1_000_003 + step) * self.team.size + self.team.rank

    def _stop_or_save(
        self, signals: StopSignals, gather: Callable[[], None], often: bool = True
    ) -> None:
        stop, due = signals.code is not None, False
        if often:
            due = perf_counter() - self.saved_at > self.save_every
        if self.team.size > 1:
            if often and self.place.step % LISTENING:
                return
            stop, due = (self.team.any(one, self.device) for one in (stop, due))
        if not (stop or due):
            return
        gather()
        self.save()
        if stop:
            raise Stopped(signals.code or PREEMPTED, bool(self.checkpoints))

    def _judge(self) -> None:
        """评价，记下这一轮，存断点。"""
        recipe, place, run = self.recipe, self.place, self.run
        judging = perf_counter()
        accuracy = self.accuracy()
        images = self.steps * recipe.batch_size
        run.train_loss.append(sum(place.losses) / self.steps)
        run.train_accuracy.append(sum(place.hits) / images)
        run.epoch_seconds.append(place.seconds)
        run.test_accuracy.append(accuracy)
        run.seconds += place.seconds + perf_counter() - judging
        place.waiting_shares.append(place.waited / max(place.seconds, 1e-9))
        place.step, place.losses, place.hits = 0, [], []
        place.seconds = place.waited = 0.0
        if accuracy > place.best_accuracy:
            place.best_accuracy, place.best_epoch = accuracy, len(run.test_accuracy)
            if self.team.leads:
                self.watch.best(self)
        self.save()
        self.watch.epoch(self)

    def accuracy(self) -> float:
        """验证准确率；各进程各看一份。"""
        test = self.feed.test
        rows = torch.arange(self.team.rank, len(test), self.team.size)
        counts = torch.zeros(2, device=self.device)  # 答对的，读得了的
        if len(rows):
            scores, labels, _ = scores_of(
                self.net, test, rows, self.feed, self.recipe, self.device
            )
            counts[0], counts[1] = (scores.argmax(1) == labels).sum(), len(labels)
        hits, read = self.team.total(counts).tolist()
        if not read:
            raise DataError(
                f'{self.feed.standard.name} 的验证集里没有一张读得了的图像：请修好或换掉它们'
            )
        return hits / read


@contextmanager
def one_number_told(batch: int, side: int) -> Iterator[None]:
    """归一化层的每个通道只有一个数时，PyTorch 的英文换成一行中文。"""
    try:
        yield
    except ValueError as error:
        if NO_VARIANCE not in str(error):
            raise
        raise ValueError(
            f'小批量 {batch} 张、边长 {side} 时，归一化层的每个通道只有一个数，没有方差可算：'
            '请加大 --batch 或 --side'
        ) from error


def require_trainable(feed: Feed, recipe: Recipe, team: Team) -> None:
    """小批量大于训练集、不能由各进程平分，或平移不小于图像时抛出 ValueError。"""
    if len(feed.train) < recipe.batch_size:
        raise ValueError(
            f'小批量有 {recipe.batch_size} 张，训练图像却只有 {len(feed.train)} 张：'
            '请减小 --batch'
        )
    if recipe.batch_size % team.size:
        raise ValueError(
            f'小批量的 {recipe.batch_size} 张不能由 {team.size} 个进程平分：请换一个 --batch'
        )
    require_small_shift(recipe.shift, feed.train.side)


@torch.inference_mode()
def scores_of(
    net: nn.Module,
    images: Images,
    rows: Tensor,
    feed: Feed,
    recipe: Recipe,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:
    """``images`` 里 ``rows`` 那几张的概率 float (n, K)、标签 (n,) 与号码 (n,)。

    读不了的不在其中；网络的方式不变。
    """
    found = [torch.zeros(0, len(feed.class_names), device=device)]
    labels, kept = [rows.new_zeros(0).to(device)], [rows.new_zeros(0)]
    with evaluating(net), autocast(recipe, device):
        for numbers, (part, y) in images.readable(
            rows.split(min(TEST_BATCH, 4 * recipe.batch_size))
        ):
            X = prepare(part.to(device), recipe.image_size, feed.standard)
            found.append(F.softmax(net(to_layout(X, recipe)).float(), 1))
            labels.append(y.to(device))
            kept.append(numbers)
    return torch.cat(found), torch.cat(labels), torch.cat(kept)


def split_rates(optimizer: torch.optim.Optimizer, head: nn.Module) -> None:
    """一个参数组分成两组：输出头之外的在前，输出头的在后。"""
    [whole] = optimizer.param_groups
    own = {id(one) for one in head.parameters()}
    parts = [[], []]
    for one in whole['params']:
        parts[id(one) in own].append(one)
    optimizer.param_groups[:] = [whole | {'params': part} for part in parts]


def slow_down(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """第一组（输出头之外）的学习率乘以 ``factor``；调度已经建好。"""
    body = optimizer.param_groups[0]
    for name in ('lr', 'initial_lr', 'max_lr', 'min_lr'):
        if name in body:
            body[name] *= factor
