"""在同一份配方下训练几个网络，每个种子各一次；记录存进 results/exercises/。"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from deepcnn import checkpoint
from deepcnn.data import Dataset
from deepcnn.history import RESULTS, History
from deepcnn.network import Network, require_image_size
from deepcnn.profile import choose_device
from deepcnn.recipe import Recipe
from deepcnn.spread import spread
from deepcnn.table import Table
from deepcnn.train import new_history, run_seed

FOLDER = RESULTS / 'exercises'


def train_seeds(
    build: Callable[[], nn.Module],
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
    device: torch.device | None = None,
) -> tuple[list[nn.Module], History]:
    """按 ``recipe`` 的每个种子各训练一次，返回各个网络与记录。

    与 ``train`` 是同一个循环，``make record`` 时也存、也读回断点；但不写
    ``results/<网络>.json``，那里只放各章的网络。按 Ctrl-C 时抛出 KeyboardInterrupt：
    缺了几轮的记录不能拿来比较。
    """
    device = device or choose_device()
    data = data.first(recipe.train_images, recipe.test_images).to(device)
    nets, history = [], None
    for seed in recipe.seeds:
        torch.manual_seed(seed)
        net = build()
        history = history or new_history(net, data, recipe, profile, device)
        run = run_seed(net, data, recipe, seed, device)
        if len(run.test_accuracy) < recipe.epochs:
            raise KeyboardInterrupt
        history.runs.append(run)
        nets.append(net)
    return nets, history


def compare(
    name: str,
    builds: Mapping[str, Callable[[], Network]],
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
) -> dict[str, History]:
    """用同一份配方训练 ``builds`` 里的每个网络，返回由名称到记录的字典。

    由 ``make record`` 执行时，另存为 ``results/exercises/<name>.json``。没有网络，或
    图像对其中一个太小时，在训练之前就抛出 ValueError。
    """
    if not builds:
        raise ValueError('至少要给一个网络：builds 是 {名称: 不带参数的函数}')
    for build in builds.values():
        net = build()
        require_image_size(net.name, recipe.image_size, net.smallest_input)
    histories = {}
    for label, build in builds.items():
        print(f'—— {label}')
        _, histories[label] = train_seeds(build, data, recipe, profile)
    if checkpoint.recording():
        save(name, histories)
    return histories


def save(name: str, histories: Mapping[str, History], folder: Path = FOLDER) -> Path:
    """写成 ``<folder>/<name>.json`` 并返回路径。"""
    records = {label: history.to_dict() for label, history in histories.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{name}.json'
    text = json.dumps(records, ensure_ascii=False, indent=1)
    path.write_text(text + '\n', encoding='utf-8')
    return path


def load(name: str, folder: Path = FOLDER) -> dict[str, History]:
    """读回 ``compare`` 存下的记录；没有这个文件时抛出 ValueError。"""
    path = folder / f'{name}.json'
    if not path.exists():
        raise ValueError(
            f'results/exercises/ 里没有 {name}.json：'
            f'先运行 make record ARGS=exercises/{name}'
        )
    records = json.loads(path.read_text(encoding='utf-8'))
    return {label: History.from_dict(one) for label, one in records.items()}


def final(history: History, series: str = 'test_accuracy') -> list[float]:
    """每个种子最后一轮的值；``series`` 是 ``Run`` 里的一个列表的名字。"""
    return [getattr(run, series)[-1] for run in history.runs]


def results_table(histories: Mapping[str, History]) -> Table:
    """最后一轮的训练损失、训练与测试准确率（各种子的平均 ± 标准差）和吞吐量。"""
    return Table(
        ('网络', '训练损失', '训练准确率', '测试准确率', '张/秒'),
        tuple(
            (
                label,
                spread(final(history, 'train_loss')).text(),
                spread(final(history, 'train_accuracy')).text(1, percent=True),
                spread(final(history)).text(2, percent=True),
                f'{history.images_per_second:.0f}',
            )
            for label, history in histories.items()
        ),
    )
