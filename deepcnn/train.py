"""训练循环：同一个循环训练全部六个网络，CPU 与 GPU 走同一条路。

一轮之内不等设备：每步的损失与命中数留在设备上，轮末才读回一次。
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn import checkpoint
from deepcnn.batches import plan_epoch, test_batches, train_batches
from deepcnn.cpu_speedups import faster_small_maps, keep_freed_memory
from deepcnn.data import Dataset
from deepcnn.history import History, Run
from deepcnn.profile import choose_device, choose_profile, describe_device
from deepcnn.progress import progress_bar, report_epoch, show_step
from deepcnn.recipe import Recipe

TEST_BATCH = 500  # 评价时每批的图像数


class TrainingDiverged(ArithmeticError):
    """损失变成 NaN 或无穷大；消息里写明步数、学习率和可以怎么改。"""


def train(
    build: Callable[[], nn.Module],
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
    device: torch.device | str | None = None,
) -> tuple[nn.Module, History]:
    """按 ``recipe`` 的每个种子各训练一次，返回第一个种子的网络与全部记录。

    ``build()`` 不带参数，返回一个新网络。档位或设备不认识时抛出 ValueError。由
    ``make record`` 执行时，结果另存为 ``results/<网络>.json``。
    """
    device, profile = choose_device(device), choose_profile(profile)
    data = on_device(data.first(recipe.train_images, recipe.test_images), device)
    first_net, history = None, None
    for seed in recipe.seeds:
        try:
            torch.manual_seed(seed)
            net = build()
            history = history or new_history(net, data, recipe, profile, device)
            history.runs.append(run_seed(net, data, recipe, seed, device))
        except KeyboardInterrupt:  # 一轮也没有完成的种子不留，已完成的种子要留
            if first_net is None:
                raise
            print(f'{data.name}  已中断：保留前 {len(history.runs)} 个种子的记录')
            return first_net, history
        first_net = first_net or net
        if len(history.runs[-1].train_loss) < recipe.epochs:
            return first_net, history  # 被 Ctrl-C 打断，不再开新种子
    if checkpoint.recording():
        history.save()
    return first_net, history


def run_seed(
    net: nn.Module, data: Dataset, recipe: Recipe, seed: int, device: torch.device
) -> Run:
    """训练一个种子；``make record`` 中断后重来时，读回已完成的种子并说明。"""
    if not checkpoint.recording():
        return fit(net, data, recipe, seed, device)
    path = checkpoint.path_of(net, data, recipe, seed, device)
    run = checkpoint.load(path, net, device)
    if run is None:
        run = fit(net, data, recipe, seed, device)
        if len(run.train_loss) == recipe.epochs:
            checkpoint.save(path, net, run)
    else:
        print(f'{data.name}  种子 {seed} 此前已用同一份代码与配方训练完，读回记录：')
        for epoch in range(recipe.epochs):
            report_epoch(run, epoch, recipe, data)
    return run


def new_history(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    profile: str | None,
    device: torch.device,
) -> History:
    return History(
        network=getattr(net, 'name', type(net).__name__),
        profile=choose_profile(profile),
        dataset=data.name,
        train_images=len(data.train),
        test_images=len(data.test),
        image_size=recipe.image_size,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        precision=resolve_precision(recipe, device),
        device=describe_device(device),
        torch=torch.__version__,
        recipe=recipe.to_dict(),
    )


def fit(
    net: nn.Module, data: Dataset, recipe: Recipe, seed: int, device: torch.device
) -> Run:
    """训练一个网络并返回记录；按 Ctrl-C 时返回已完成的轮。

    损失不再是有限数时抛出 TrainingDiverged；显存不够时抛出 RuntimeError，写明可以
    减小什么。
    """
    steps = len(data.train) // recipe.batch_size
    if steps == 0:
        raise ValueError(
            f'batch_size={recipe.batch_size} 大于训练图像数 {len(data.train)}：请减小它'
        )
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    run = Run(seed)
    try:
        net.to(device, memory_format=layout)
        optimizer = make_optimizer(net, recipe, device)
        schedule = make_schedule(optimizer, recipe, steps)
        torch.manual_seed(seed)  # Dropout 的随机数与 build() 用掉多少个无关
        started = perf_counter()
        with keep_freed_memory(device), faster_small_maps(net):
            for epoch in range(recipe.epochs):
                train_epoch(net, data, recipe, run, optimizer, schedule, device)
                run.test_accuracy.append(evaluate(net, data, recipe))
                run.seconds = perf_counter() - started
                report_epoch(run, epoch, recipe, data)
    except KeyboardInterrupt:
        print(f'{data.name}  已中断：保留前 {len(run.test_accuracy)} 轮的记录')
        keep_finished_epochs(run)
    except torch.OutOfMemoryError as error:
        raise RuntimeError(out_of_memory(recipe)) from error
    return run


def train_epoch(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    run: Run,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    device: torch.device,
) -> None:
    """训练一轮，把平均损失、准确率与用时添到 ``run``。"""
    net.train()
    epoch = len(run.train_loss)
    flip = recipe.flip and data.mirrored_is_same_class
    shift = scaled_shift(recipe, data)
    count, erasing = len(data.train), recipe.erasing
    plan = plan_epoch(count, run.seed, epoch, flip, shift, device, erasing)
    batches = train_batches(data, plan, recipe.batch_size, recipe.image_size)
    steps = count // recipe.batch_size
    losses = torch.zeros(steps, device=device)
    hits = torch.zeros(steps, device=device)
    rates = []
    started = perf_counter()
    with progress_bar(steps, run, recipe, data) as bar:  # 出错或中断时也要收起来
        for step, (X, y) in enumerate(batches):
            with autocast(recipe, device):
                scores = net(to_layout(X, recipe))
                loss = F.cross_entropy(
                    scores, y, label_smoothing=recipe.label_smoothing
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
            optimizer.step()
            rates.append(schedule.get_last_lr()[0])
            schedule.step()
            losses[step] = loss.detach()
            hits[step] = (scores.detach().argmax(1) == y).sum()
            show_step(bar, losses, hits, step, recipe)
    require_finite(losses, epoch, rates)  # GPU 上到这里才第一次等设备
    accuracy = hits.sum().item() / (steps * recipe.batch_size)
    run.epoch_seconds.append(perf_counter() - started)
    run.train_loss.append(losses.mean().item())
    run.train_accuracy.append(accuracy)


def predict(net: nn.Module, data: Dataset, recipe: Recipe) -> Tensor:
    """返回测试集每张图像的预测类别，int64 (N,)。

    每批 500 张；显存不够时减半再试，直到与训练的批量一样小。
    """
    count = TEST_BATCH
    while True:
        try:
            return predict_by(count, net, data, recipe)
        except torch.OutOfMemoryError:
            if count <= recipe.batch_size:
                raise
        count = max(recipe.batch_size, count // 2)


@torch.inference_mode()
def predict_by(count: int, net: nn.Module, data: Dataset, recipe: Recipe) -> Tensor:
    """与 ``predict`` 相同，每批 ``count`` 张。"""
    device = data.test.images.device
    net.eval()
    predictions = []
    for X, _ in test_batches(data, recipe.image_size, count):
        with autocast(recipe, device):
            predictions.append(net(to_layout(X, recipe)).argmax(1))
    return torch.cat(predictions)


def evaluate(net: nn.Module, data: Dataset, recipe: Recipe) -> float:
    """返回测试准确率，0～1。"""
    return (predict(net, data, recipe) == data.test.labels).float().mean().item()


# ---- 优化器、精度、数据布局 ---------------------------------------------------


def make_optimizer(
    net: nn.Module, recipe: Recipe, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW，或带 0.9 Nesterov 动量的 SGD（constant 时为不带动量的普通 SGD）。"""
    fused = device.type in ('cuda', 'cpu')
    settings = {
        'lr': recipe.lr,
        'weight_decay': recipe.weight_decay,
        'fused': fused,
    }
    if recipe.optimizer == 'adamw':
        return torch.optim.AdamW(net.parameters(), **settings)
    if recipe.schedule == 'constant':
        return torch.optim.SGD(net.parameters(), **settings)
    return torch.optim.SGD(net.parameters(), momentum=0.9, nesterov=True, **settings)


def make_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """``onecycle``：先升到峰值再降到接近 0（Smith 与 Topin，2019）；``constant``：不变。"""
    if recipe.schedule == 'constant':
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    total_steps = recipe.epochs * steps
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.lr,
        total_steps=total_steps,
        pct_start=0.5 if total_steps == 4 else 0.25,  # 4 步的四分之一：它会除以 0
        div_factor=10,
        final_div_factor=100,
        cycle_momentum=False,
    )


def resolve_precision(recipe: Recipe, device: torch.device) -> str:
    """``auto`` 在硬件有 bf16 指令时取 ``bf16``，否则取 ``fp32``。"""
    if recipe.precision != 'auto':
        return recipe.precision
    return 'bf16' if has_fast_bf16(device) else 'fp32'


@cache  # 每一步都要问，答案不会变
def has_fast_bf16(device: torch.device) -> bool:
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu':  # 没有这条指令的 CPU 上 bf16 反而更慢
        flags = Path('/proc/cpuinfo')
        return flags.exists() and 'avx512_bf16' in flags.read_text(errors='replace')
    return False


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    enabled = resolve_precision(recipe, device) == 'bf16'
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def to_layout(X: Tensor, recipe: Recipe) -> Tensor:
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return X.contiguous(memory_format=layout)


def scaled_shift(recipe: Recipe, data: Dataset) -> int:
    """配方里的平移按 28 像素计；更小的图像（手写数字）按比例缩小。"""
    return round(recipe.shift * data.train.images.shape[-1] / 28)


# ---- 检查 ---------------------------------------------------------------


def on_device(data: Dataset, device: torch.device) -> Dataset:
    """把数据整个放进设备；放不下时抛出 RuntimeError。"""
    try:
        return data.to(device)
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f'显存放不下 {len(data.train) + len(data.test):,} 张图像：请用 train_images、'
            'test_images 少取一些，或先结束占着显存的程序'
        ) from error


def out_of_memory(recipe: Recipe) -> str:
    """显存不够时给读者的一行建议。"""
    smaller = f'减小 image_size（现在是 {recipe.image_size}），或把网络改窄'
    if recipe.batch_size == 1:
        return f'显存不够，batch_size 已经是 1：请{smaller}，再试'
    return (
        f'显存不够：请把 batch_size 从 {recipe.batch_size} 减到 '
        f'{recipe.batch_size // 2} 再试；仍然不够就{smaller}'
    )


def require_finite(losses: Tensor, epoch: int, rates: list[float]) -> None:
    finite = losses.isfinite()
    if not finite.all():
        step = int((~finite).nonzero()[0, 0])
        raise TrainingDiverged(
            f'第 {epoch + 1} 轮第 {step + 1} 步损失不再是有限数（学习率 {rates[step]:.2g}）：'
            '请把 lr 减小到三分之一，或设 clip=1.0、precision="fp32" 再试'
        )


def keep_finished_epochs(run: Run) -> None:
    finished = len(run.test_accuracy)
    if finished == 0:
        raise KeyboardInterrupt
    for series in (run.train_loss, run.train_accuracy, run.epoch_seconds):
        del series[finished:]
