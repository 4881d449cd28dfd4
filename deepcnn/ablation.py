"""对照实验：几种只差一处的做法，用同样的数据、配方和种子各训练若干次。

训练仍由 ``deepcnn.train`` 完成；这里只管把几种做法跑全，并在训练之后另测一次训练集：
``Run`` 里的训练准确率是训练途中开着丢弃法、用增广过的图像累计的，不能与测试准确率相减。
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from deepcnn import checkpoint
from deepcnn.data import Dataset
from deepcnn.history import RESULTS, History
from deepcnn.profile import choose_device, choose_profile
from deepcnn.recipe import Recipe
from deepcnn.train import evaluate, new_history, run_seed

EXPERIMENTS = RESULTS / 'experiments'
MEASURES = {
    'train_loss': '训练损失',
    'train_accuracy': '训练准确率',
    'test_accuracy': '测试准确率',
    'gap': '训练减测试',
}


@dataclass(frozen=True)
class Variant:
    """一种做法。

    ``name`` 是记录的文件名，要与别的网络不同；``label`` 是图表里的中文名；``build()``
    不带参数，返回一个新网络。
    """

    name: str
    label: str
    build: Callable[[], nn.Module]
    recipe: Recipe


@dataclass(frozen=True)
class Trial:
    """一种做法的全部训练。

    ``net`` 是第一个种子训练好的网络，在 CPU 上，评价模式；``train_accuracy`` 每个种子
    一个：训练之后在没有增广的训练图像上、关掉丢弃法测得的准确率，0～1。
    """

    variant: Variant
    history: History
    net: nn.Module
    train_accuracy: tuple[float, ...]

    @property
    def label(self) -> str:
        return self.variant.label

    def measure(self, name: str) -> tuple[float, ...]:
        """最后一轮的 ``name``，每个种子一个；名字见 MEASURES，不认识时抛出 ValueError。"""
        if name not in MEASURES:
            legal = '、'.join(MEASURES)
            raise ValueError(f'没有 {name!r} 这个量：请从 {legal} 中选一个')
        runs = self.history.runs
        test = tuple(run.test_accuracy[-1] for run in runs)
        if name == 'train_loss':
            return tuple(run.train_loss[-1] for run in runs)
        if name == 'train_accuracy':
            return self.train_accuracy
        if name == 'test_accuracy':
            return test
        pairs = zip(self.train_accuracy, test, strict=True)
        return tuple(train - tested for train, tested in pairs)


def recipe_of(recipes: dict[str, Recipe], profile: str | None = None) -> Recipe:
    """返回 ``profile`` 档（不给时由环境决定）的配方；没有这一档时抛出 ValueError。"""
    profile = choose_profile(profile)
    if profile not in recipes:
        raise ValueError(
            f'这个实验没有 {profile} 档：DEEPCNN_PROFILE 可以是 {"、".join(recipes)}'
        )
    return recipes[profile]


def run_variants(
    variants: Sequence[Variant], data: Dataset, profile: str | None = None
) -> list[Trial]:
    """逐个训练，每种做法先打印一行名字；做法重名时抛出 ValueError。"""
    names = [variant.name for variant in variants]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f'做法的名字要互不相同，重复的是 {"、".join(repeated)}')
    trials = []
    for variant in variants:
        print(f'—— {variant.label} ——')
        trials.append(run_variant(variant, data, profile))
    return trials


def run_variant(
    variant: Variant,
    data: Dataset,
    profile: str | None = None,
    device: torch.device | None = None,
) -> Trial:
    """把一种做法的各个种子训练完。

    少一个种子就比不成，所以按 Ctrl-C 会中断整个实验。由 ``make record`` 执行时，记录
    另存为 ``results/experiments/<name>.json``，已完成的种子不重训。
    """
    device, recipe = device or choose_device(), variant.recipe
    data = data.first(recipe.train_images, recipe.test_images).to(device)
    on_training_images = replace(data, test=data.train)
    first_net, history, accuracy = None, None, []
    for seed in recipe.seeds:
        torch.manual_seed(seed)
        net = variant.build()
        net.name = variant.name
        history = history or new_history(net, data, recipe, profile, device)
        run = run_seed(net, data, recipe, seed, device)
        if len(run.train_loss) < recipe.epochs:
            raise KeyboardInterrupt
        history.runs.append(run)
        accuracy.append(evaluate(net, on_training_images, recipe))
        first_net = first_net or net
    if checkpoint.recording():
        history.save(EXPERIMENTS)
    return Trial(variant, history, first_net.cpu().eval(), tuple(accuracy))
