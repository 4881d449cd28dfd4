"""训练循环：同一个循环训练全部六个网络，CPU 与 GPU 走同一条路。

一轮之内不等设备：每步的损失与命中数留在设备上，轮末才读回一次。
"""

from copy import deepcopy
from dataclasses import dataclass
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.data.batches import plan_epoch, train_batches
from deepcnn.data.dataset import Dataset
from deepcnn.given_numbers import whole_number
from deepcnn.records.runs import Run
from deepcnn.training.checkpoint import Checkpoint
from deepcnn.training.cpu_speedups import faster_small_maps, keep_freed_memory
from deepcnn.training.evaluation import evaluate
from deepcnn.training.fitting import NO_VARIANCE
from deepcnn.training.hardware import (
    autocast,
    describe_device,
    layout_of,
    to_layout,
)
from deepcnn.training.memory_errors import (
    NotEnoughMemory,
    advice,
    is_out_of_memory,
)
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.progress import progress_bar, report_epoch, show_step
from deepcnn.training.recipe import Recipe


class TrainingDiverged(ArithmeticError):
    """损失变成 NaN 或无穷大；消息里写明步数、学习率和可以怎么改。"""


@dataclass(frozen=True)
class Finished:
    """最近走完的一轮：那时的权重与记录。两样放在一起，Ctrl-C 不会把它们拆开。"""

    weights: dict[str, Tensor]
    run: Run


@dataclass
class Session:
    """训练到一半的全部状态：下一轮从它接着做，与没有中断过逐位相同（CPU 上）。"""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    run: Run

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def state(self) -> dict:
        """可以存盘的状态；张量与正在训练的共用存储，要留着就先复制。"""
        random = {'cpu': torch.get_rng_state()}
        if self.device.type == 'cuda':
            random['cuda'] = torch.cuda.get_rng_state(self.device)
        return {
            'weights': self.net.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'schedule': self.schedule.state_dict(),
            'run': vars(self.run),
            'random': random,
        }

    def restore(self, state: dict) -> None:
        self.net.load_state_dict(state['weights'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])
        vars(self.run).update(state['run'])
        restore_random(state['random'], self.device)

    def resumed(self, checkpoint: Checkpoint) -> bool:
        """有断点就接上。读回的那一份到此为止，不留在内存里占着。"""
        state = checkpoint.load()
        if state:
            self.restore(state)
        return state is not None

    def finished(self) -> Finished:
        """复制一份，留作退路。"""
        weights = self.net.state_dict()
        copies = {name: tensor.clone() for name, tensor in weights.items()}
        return Finished(copies, deepcopy(self.run))

    def go_back(self, finished: Finished) -> None:
        self.net.load_state_dict(finished.weights)
        vars(self.run).update(vars(finished.run))


def restore_random(random: dict[str, Tensor], device: torch.device) -> None:
    """随机数接着 ``Session.state`` 存下的往后抽。"""
    torch.set_rng_state(random['cpu'])
    if device.type == 'cuda':
        torch.cuda.set_rng_state(random['cuda'], device)


def fit(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Run:
    """就地训练一个网络并返回记录。

    给了 ``checkpoint`` 时，每轮存一次，已有的接着做。按 Ctrl-C 时返回已完成的轮，网络也
    退回那时的权重；一轮也没有完成时抛出 KeyboardInterrupt。损失不再是有限数时抛出
    TrainingDiverged；内存不够时抛出 NotEnoughMemory，写明可以减小什么；小批量大于训练集，
    或归一化层的每个通道只有一个数时抛出 ValueError。
    """
    seed = whole_number('seed', seed)
    steps = len(data.train) // recipe.batch_size
    if steps == 0:
        raise ValueError(
            f'batch_size={recipe.batch_size} 大于训练图像数 {len(data.train)}：请减小它'
        )
    run, finished = Run(seed), None
    try:
        net.to(device, memory_format=layout_of(recipe))
        optimizer = make_optimizer(net, recipe, device)
        session = Session(net, optimizer, make_schedule(optimizer, recipe, steps), run)
        torch.manual_seed(seed)  # Dropout 的随机数与 build() 用掉多少个无关
        if checkpoint and session.resumed(checkpoint):
            report_resumed(run, recipe, data)
            finished = session.finished()
        note_device(run, describe_device(device), recipe)
        before, started = run.seconds, perf_counter()
        with keep_freed_memory(device), faster_small_maps(net):
            for epoch in range(len(run.test_accuracy), recipe.epochs):
                train_epoch(session, data, recipe, device)
                run.test_accuracy.append(evaluate(net, data, recipe))
                run.seconds = before + perf_counter() - started
                finished = session.finished()
                report_epoch(run, epoch, recipe, data)
                if checkpoint:
                    checkpoint.save(session.state())
    except KeyboardInterrupt:
        if finished is None:
            raise
        session.go_back(finished)
        print(f'{data.name}  已中断：保留前 {len(run.test_accuracy)} 轮的记录')
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise NotEnoughMemory(advice(recipe, device)) from error
    except ValueError as error:
        if NO_VARIANCE not in str(error):
            raise
        raise ValueError(
            f'batch_size={recipe.batch_size}、image_size={recipe.image_size} 时，归一化层的'
            '每个通道只有一个数，没有方差可算：请加大 batch_size 或 image_size'
        ) from error
    return run


def report_resumed(run: Run, recipe: Recipe, data: Dataset) -> None:
    """说明断点里有几轮；全部都有时，逐轮再印一遍。"""
    done = len(run.test_accuracy)
    if done < recipe.epochs:
        print(f'{data.name}  接着训练：前 {done} 轮此前已完成')
        return
    print(
        f'{data.name}  种子 {run.seed} 此前已用同一份代码与配方训练完，读回记录：'
    )
    for epoch in range(done):
        report_epoch(run, epoch, recipe, data)


def note_device(run: Run, device: str, recipe: Recipe) -> None:
    """还有轮要训练，就记下在哪里训练：读回的几轮也许是别的机器上的。"""
    if len(run.test_accuracy) < recipe.epochs and device not in run.devices:
        run.devices.append(device)


def train_epoch(
    session: Session, data: Dataset, recipe: Recipe, device: torch.device
) -> None:
    """训练一轮，把平均损失、准确率与用时添到 ``session.run``。"""
    net, run = session.net, session.run
    net.train()
    epoch, count = len(run.train_loss), len(data.train)
    plan = plan_epoch(
        count, run.seed, epoch, recipe.flip, recipe.shift, device, recipe.erasing
    )
    batches = train_batches(data, plan, recipe.batch_size, recipe.image_size)
    steps = count // recipe.batch_size
    losses = torch.zeros(steps, device=device)
    hits = torch.zeros(steps, device=device)
    rates = []
    started = perf_counter()
    with progress_bar(steps, run, recipe, data) as bar:  # 出错或中断时也要收起来
        for step, (X, y) in enumerate(batches):
            rates.append(session.schedule.get_last_lr()[0])
            losses[step], hits[step] = train_step(session, X, y, recipe, device)
            show_step(bar, losses, hits, step, recipe)
    require_finite(losses, epoch, rates)  # GPU 上到这里才第一次等设备
    accuracy = hits.sum().item() / (steps * recipe.batch_size)
    run.epoch_seconds.append(perf_counter() - started)
    run.train_loss.append(losses.mean().item())
    run.train_accuracy.append(accuracy)


def train_step(
    session: Session, X: Tensor, y: Tensor, recipe: Recipe, device: torch.device
) -> tuple[Tensor, Tensor]:
    """一步：前向、反向、裁剪、更新；返回损失与命中数，都是设备上的一个数。

    形状：X float (n, C, size, size)，y int64 (n,)。
    """
    net, optimizer = session.net, session.optimizer
    with autocast(recipe, device):
        scores = net(to_layout(X, recipe))
        loss = F.cross_entropy(scores, y, label_smoothing=recipe.label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if recipe.clip is not None:
        nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
    optimizer.step()
    session.schedule.step()
    return loss.detach(), (scores.detach().argmax(1) == y).sum()


def require_finite(losses: Tensor, epoch: int, rates: list[float]) -> None:
    """有一步的损失不是有限数时抛出 TrainingDiverged。"""
    finite = losses.isfinite()
    if not finite.all():
        step = int((~finite).nonzero()[0, 0])
        raise TrainingDiverged(
            f'第 {epoch + 1} 轮第 {step + 1} 步损失不再是有限数（学习率 {rates[step]:.2g}）：'
            '请把 lr 减小到三分之一，或设 clip=1.0、precision="fp32" 再试'
        )
