"""对照实验：几种做法用同样的数据与种子各训练若干次。

``train`` 只返回第一个种子的网络，记录写成 ``results/<网络>.json``（full 档在 ``full/`` 里），那里
只放各章的网络。实验要留下每个种子的网络，在训练之后另测一次训练集：``Run`` 里的训练准确率是
训练途中开着丢弃法、用增广过的图像累计的，不能与测试准确率相减。
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.trials import FOLDER, Trial
from deepcnn.training.evaluation import evaluate
from deepcnn.training.fitting import require_fitting
from deepcnn.training.hardware import choose_device, choose_profile
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import current_recording
from deepcnn.training.seeds import train_seeds


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
    """逐个训练，每种做法先打印一行名字；正在录制时存下记录。

    一种做法也没有、重名，或其中一个网络与数据不合（图像太小、通道数不对、输出少于类别），
    都在训练之前抛出 ValueError。
    """
    if not variants:
        raise ValueError('至少要给一种做法：variants 是 Variant 的列表')
    names = [variant.name for variant in variants]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f'做法的名字要互不相同，重复的是 {"、".join(repeated)}')
    for variant in variants:
        require_usable(variant, data)
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
    parameters = sum(one.numel() for one in first.parameters())
    trial = Trial(variant.label, history, accuracy, parameters, first)
    if recording := current_recording():
        trial.save(recording.results / FOLDER)
    return trial


def require_usable(variant: Variant, data: Dataset) -> None:
    """网络与数据不合时抛出 ValueError；图像太小时用这种做法的中文名说。"""
    net = variant.build()
    if hasattr(net, 'require_side'):
        net.require_side(variant.recipe.image_size, variant.label)
    require_fitting(net, data, variant.recipe)
