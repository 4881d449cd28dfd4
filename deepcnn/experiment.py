"""对照实验：几种做法用同样的数据与种子各训练若干次；训练由 ``deepcnn.train`` 完成。

``train`` 只返回第一个种子的网络，记录写成 ``results/<网络>.json``，那里只放各章的网络。
实验要留下每个种子的网络，在训练之后另测一次训练集：``Run`` 里的训练准确率是训练途中
开着丢弃法、用增广过的图像累计的，不能与测试准确率相减。
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from deepcnn import checkpoint
from deepcnn.data import Dataset
from deepcnn.history import RESULTS, History
from deepcnn.inspect import count_parameters
from deepcnn.network import Network, require_image_size
from deepcnn.profile import choose_device, choose_profile
from deepcnn.recipe import Recipe
from deepcnn.train import evaluate, new_history, on_device, run_seed

FOLDER = RESULTS / 'experiments'
MEASURES = {
    'train_loss': '训练损失',
    'running_accuracy': '训练准确率（途中累计）',
    'train_accuracy': '训练准确率',
    'test_accuracy': '测试准确率',
    'gap': '训练减测试',
}


@dataclass(frozen=True)
class Variant:
    """一种做法。

    ``name`` 是记录的文件名，要与别的做法不同；``label`` 是图表里的中文名；``build()``
    不带参数，返回一个新网络。
    """

    name: str
    label: str
    build: Callable[[], nn.Module]
    recipe: Recipe


@dataclass(frozen=True)
class Trial:
    """一种做法的全部训练，与 ``results/experiments/<name>.json`` 对应。

    ``train_accuracy`` 每个种子一个：训练之后在没有增广的训练图像上、关掉丢弃法测得的
    准确率，0～1。``net`` 是第一个种子训练好的网络，在 CPU 上，评价模式；从记录读回的
    没有网络。
    """

    label: str
    history: History
    train_accuracy: tuple[float, ...]
    parameters: int
    net: nn.Module | None = field(default=None, compare=False)

    def measure(self, name: str) -> tuple[float, ...]:
        """最后一轮的 ``name``，每个种子一个；名字见 MEASURES，不认识时抛出 ValueError。"""
        if name not in MEASURES:
            legal = '、'.join(MEASURES)
            raise ValueError(f'没有 {name!r} 这个量：请从 {legal} 中选一个')
        runs = self.history.runs
        test = tuple(run.test_accuracy[-1] for run in runs)
        if name == 'gap':
            pairs = zip(self.train_accuracy, test, strict=True)
            return tuple(train - tested for train, tested in pairs)
        return {
            'train_loss': tuple(run.train_loss[-1] for run in runs),
            'running_accuracy': tuple(run.train_accuracy[-1] for run in runs),
            'train_accuracy': self.train_accuracy,
            'test_accuracy': test,
        }[name]

    def save(self, folder: Path | None = None) -> Path:
        """写成 ``<folder>/<网络>.json``；先写完再改名，中断时不留半个文件。"""
        folder = folder or FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{self.history.network}.json'
        record = self.history.to_dict() | {
            'label': self.label,
            'parameters': self.parameters,
            'clean_train_accuracy': list(self.train_accuracy),
        }
        partial = path.with_suffix(f'.{os.getpid()}.part')
        text = json.dumps(record, ensure_ascii=False, indent=1)
        partial.write_text(text + '\n', encoding='utf-8')
        partial.replace(path)
        return path


def load_trial(name: str, folder: Path | None = None) -> Trial:
    """读回一种做法的记录；没有这个文件时抛出 ValueError。"""
    path = (folder or FOLDER) / f'{name}.json'
    if not path.exists():
        raise ValueError(
            f'results/experiments/ 里没有 {name} 的记录：先用 make record 重录那一页'
        )
    record = json.loads(path.read_text(encoding='utf-8'))
    accuracy = tuple(record['clean_train_accuracy'])
    history = History.from_dict(record)
    return Trial(record['label'], history, accuracy, record['parameters'])


def recipe_of(recipes: dict[str, Recipe], profile: str | None = None) -> Recipe:
    """返回 ``profile`` 档（不给时由环境决定）的配方；没有这一档时抛出 ValueError。"""
    profile = choose_profile(profile)
    if profile not in recipes:
        raise ValueError(
            f'这个实验没有 {profile} 档：DEEPCNN_PROFILE 可以是 {"、".join(recipes)}'
        )
    return recipes[profile]


def train_seeds(
    build: Callable[[], nn.Module],
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
    device: torch.device | str | None = None,
) -> tuple[list[nn.Module], History]:
    """按 ``recipe`` 的每个种子各训练一次，返回各个网络与记录。

    与 ``train`` 是同一个循环，``make record`` 时也存、也读回断点。按 Ctrl-C 时抛出
    KeyboardInterrupt：缺了几轮的记录不能拿来比较。
    """
    device, profile = choose_device(device), choose_profile(profile)
    data = on_device(data.first(recipe.train_images, recipe.test_images), device)
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


def run_variants(
    variants: Sequence[Variant], data: Dataset, profile: str | None = None
) -> list[Trial]:
    """逐个训练，每种做法先打印一行名字；由 ``make record`` 执行时存下记录。

    一种做法也没有、重名，或图像对其中一个网络太小，都在训练之前抛出 ValueError。
    """
    if not variants:
        raise ValueError('至少要给一种做法：variants 是 Variant 的列表')
    names = [variant.name for variant in variants]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f'做法的名字要互不相同，重复的是 {"、".join(repeated)}')
    for variant in variants:
        net = variant.build()
        if isinstance(net, Network):
            size = variant.recipe.image_size
            require_image_size(variant.label, size, net.smallest_input)
    trials = []
    for variant in variants:
        print(f'—— {variant.label} ——')
        trials.append(run_variant(variant, data, profile))
    return trials


def run_variant(variant: Variant, data: Dataset, profile: str | None = None) -> Trial:
    """把一种做法的各个种子训练完，并另测一次训练集。"""
    device, recipe = choose_device(), variant.recipe

    def named() -> nn.Module:
        net = variant.build()
        net.name = variant.name
        return net

    nets, history = train_seeds(named, data, recipe, profile, device)
    used = data.first(recipe.train_images, recipe.test_images).to(device)
    on_training_images = replace(used, test=used.train)
    accuracy = tuple(evaluate(net, on_training_images, recipe) for net in nets)
    first = nets[0].cpu().eval()
    trial = Trial(variant.label, history, accuracy, count_parameters(first), first)
    if checkpoint.recording():
        trial.save()
    return trial
