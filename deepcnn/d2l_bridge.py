"""与 d2l 1.0.3 对照；全书只有这个模块导入 d2l。

d2l 的代码原样运行。它的进度文字与动画不显示，matplotlib 的输出格式也不改成 SVG。
"""

import importlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deepcnn.data.batches import plan_epoch, train_batches
from deepcnn.data.dataset import Dataset
from deepcnn.data.fashion_mnist import ARCHIVES, FILES, read_archive
from deepcnn.live_kernel import running_kernel
from deepcnn.training.recipe import Recipe

VERSION = '1.0.3'
INSTALL = f'pip install --no-deps d2l=={VERSION}'
INSTALL_NEEDED = 'pip install pandas requests'  # d2l 导入的，deepcnn 用不到的
FEWEST_BATCHES = 5  # train_ch6 每轮汇报 5 次，以 len(batches) // 5 作除数


class Batches(Protocol):
    """可以反复遍历、知道长度的小批量：X float (n, C, H, W)，y int64 (n,)。"""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...


@dataclass(frozen=True)
class EpochRecord:
    """一轮的结果：平均训练损失、训练准确率、测试准确率（0～1）。"""

    train_loss: float
    train_accuracy: float
    test_accuracy: float


class ReplayedBatches:
    """第 k 次遍历时，依次给出本书的训练循环在第 k 轮用到的小批量。

    ``data`` 应当已经按配方取好前若干张，并放在训练用的设备上。
    """

    def __init__(self, data: Dataset, recipe: Recipe, seed: int) -> None:
        self.data = data
        self.recipe = recipe
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.data.train) // self.recipe.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        data, recipe = self.data, self.recipe
        plan = plan_epoch(
            len(data.train), self.seed, self.epoch, recipe.flip, recipe.shift,
            data.train.images.device, recipe.erasing,
        )  # fmt: skip
        self.epoch += 1
        return train_batches(data, plan, recipe.batch_size, recipe.image_size)


def d2l_residual(
    out_channels: int, use_projection: bool = False, stride: int = 1
) -> nn.Module:
    """返回一个 ``d2l.Residual``；它的输入通道数在第一次前向计算时才确定。

    X: (N, C, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)。没有安装 d2l 时抛出
    ImportError。
    """
    return load_d2l().Residual(out_channels, use_projection, stride)


def train_like_d2l(
    net: nn.Module,
    batches: Batches,
    test_batches: Batches,
    epochs: int,
    lr: float,
    device: torch.device,
) -> list[EpochRecord]:
    """从 ``net`` 现有的权重出发，用 ``d2l.train_ch6`` 就地训练，返回每轮的结果。

    小批量是 X float (n, C, H, W) 与 y int64 (n,)。``train_ch6`` 原本先重新初始化权重，
    这里不让它这样做。轮数小于 1 或小批量不足 5 个时抛出 ValueError，没有安装 d2l 时
    抛出 ImportError。
    """
    if epochs < 1:
        raise ValueError(f'epochs 至少为 1，现在是 {epochs}')
    if len(batches) < FEWEST_BATCHES:
        raise ValueError(
            f'd2l.train_ch6 每轮至少要 {FEWEST_BATCHES} 个小批量，现在只有 '
            f'{len(batches)} 个：请减小 batch_size 或多用一些图像'
        )
    d2l = load_d2l()
    with (
        weights_kept(net),
        animator_replaced(d2l) as recorder,
        redirect_stdout(io.StringIO()),
    ):
        d2l.train_ch6(net, batches, test_batches, epochs, lr, device)
    return recorder.epochs


def d2l_loaders(
    batch_size: int,
    image_size: int,
    train_images: int | None = None,
    test_images: int | None = None,
) -> tuple[DataLoader, DataLoader]:
    """返回 ``d2l.load_data_fashion_mnist`` 给出的训练与测试 DataLoader。

    d2l 把数据的位置写死成 ``../data``，所以把随书的文件解压到一个临时文件夹，到那里去
    调用它。只要前若干张时，读完再截短数据集，读取的代码不变。
    """
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / 'data' / 'FashionMNIST' / 'raw'
        raw.mkdir(parents=True)
        for name in ARCHIVES:
            (raw / name.removesuffix('.gz')).write_bytes(read_archive(FILES, name))
        here = Path(scratch) / 'here'
        here.mkdir()
        with working_in(here):
            loaders = load_d2l().load_data_fashion_mnist(batch_size, resize=image_size)
    for loader, count in zip(loaders, (train_images, test_images), strict=True):
        loader.dataset.data = loader.dataset.data[:count]
        loader.dataset.targets = loader.dataset.targets[:count]
    return loaders


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def timers_kept() -> Iterator[list]:
    """在 with 块里收集 d2l 新建的 ``Timer``：它的 ``times`` 每步一个值，秒。"""
    d2l = load_d2l()
    original, timers = d2l.Timer, []

    def remember() -> object:
        timers.append(original())
        return timers[-1]

    d2l.Timer = remember
    try:
        yield timers
    finally:
        d2l.Timer = original


def load_d2l() -> ModuleType:
    """返回 ``d2l.torch``。

    没有安装时，在笔记本里先装上；装不上，或不在笔记本里，抛出 ImportError。装了别的
    版本时也是：不去换它。
    """
    try:
        return import_d2l()
    except ModuleNotFoundError as error:
        if running_kernel():
            install_d2l()
            with suppress(ModuleNotFoundError):
                return import_d2l()
        missing = ImportError(
            f'与 d2l 对照还缺少 {error.name}：请联网运行 {INSTALL}，再运行 {INSTALL_NEEDED}'
        )
        missing._render_traceback_ = lambda: [str(missing)]  # 笔记本里只显示这一行
        raise missing from error


def import_d2l() -> ModuleType:
    import d2l as package
    from d2l import torch as module

    if package.__version__ != VERSION:
        raise ImportError(
            f'本书与 d2l {VERSION} 对照，现在装的是 {package.__version__}：'
            f'请运行 {INSTALL}'
        )
    return module


def install_d2l() -> None:
    """装进正在运行的环境；不带 d2l 的依赖，它会把 NumPy 降到 1.23.5。"""
    print(f'安装 d2l {VERSION}（不带它的依赖）……')
    for command in (INSTALL, INSTALL_NEEDED):
        subprocess.run(
            [sys.executable, '-m', *command.split(), '--quiet', '--timeout=60'],
            capture_output=True,  # 装不上时，随后的那一行会说明
        )
    importlib.invalidate_caches()


class SilentRecorder:
    """代替 ``d2l.Animator``：只记数，不画图。"""

    def __init__(self) -> None:
        self.epochs: list[EpochRecord] = []
        self._so_far = (float('nan'), float('nan'))  # 本轮至今的损失与准确率

    def add(self, x: float, y: tuple[float | None, float | None, float | None]) -> None:
        """``y`` 是 ``(损失, 训练准确率, None)``，轮末是 ``(None, None, 测试准确率)``。"""
        train_loss, train_accuracy, test_accuracy = y
        if test_accuracy is None:
            self._so_far = (train_loss, train_accuracy)
        else:
            self.epochs.append(EpochRecord(*self._so_far, test_accuracy))


@contextmanager
def animator_replaced(d2l: ModuleType) -> Iterator[SilentRecorder]:
    """在 with 块内让 ``d2l.Animator`` 返回一个静默的记录器，离开时还原。"""
    original, recorder = d2l.Animator, SilentRecorder()
    d2l.Animator = lambda *args, **settings: recorder
    try:
        yield recorder
    finally:
        d2l.Animator = original


@contextmanager
def weights_kept(net: nn.Module) -> Iterator[None]:
    """在 with 块内 ``net.apply`` 什么也不做：train_ch6 靠它重新初始化权重。"""
    net.apply = lambda function: net
    try:
        yield
    finally:
        del net.apply
