"""网格搜索：由一份配方排出一格格的配方，各训练一次，只看验证集。"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import product
from time import perf_counter

from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.attempts import VALIDATION_IMAGES, Attempt, save_attempts
from deepcnn.records.provenance import code_version, library_versions
from deepcnn.training.hardware import choose_device, describe_device
from deepcnn.training.loop import TrainingDiverged
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import current_recording
from deepcnn.training.seeds import train_seeds

FOLDER = 'exercises'  # 在 results/ 里


def hold_out_validation(data: Dataset) -> Dataset:
    """留出训练集的最后 5,000 张作验证集；较小的数据集留出五分之一。"""
    return data.hold_out(min(VALIDATION_IMAGES, len(data.train) // 5))


def grid(recipe: Recipe, **choices: Sequence) -> list[Recipe]:
    """``choices`` 的全部组合，其余各项同 ``recipe``；最后一项变得最快。

    字段名不认识，某一项不是一串值或没有值时抛出 ValueError；值不合法由 ``Recipe`` 报告。
    """
    known = [field.name for field in fields(Recipe)]
    for name, values in choices.items():
        if name not in known:
            raise ValueError(f'配方里没有 {name!r} 这一项：可以用 {"、".join(known)}')
        if isinstance(values, str) or not hasattr(values, '__len__'):
            raise ValueError(f'{name} 要给一串值，例如 [{values!r}]')
        if len(values) == 0:  # 也可以是 NumPy 的数组
            raise ValueError(f'{name} 至少要有一个值')
    combinations = product(*choices.values())
    return [
        replace(recipe, **dict(zip(choices, values, strict=True)))
        for values in combinations
    ]


def try_recipe(
    build: Callable[[], nn.Module],
    recipe: Recipe,
    data: Dataset,
    profile: str | None = None,
    roughness_of: Callable[[nn.Module], float] | None = None,
) -> Attempt:
    """训练一次；``data`` 的测试集位置上要是验证集。

    给了 ``roughness_of`` 时，训练之后用它量一次网络。配方里不止一个种子时抛出 ValueError。
    损失不再是有限数时不抛出异常，返回没有准确率的 Attempt。
    """
    if len(recipe.seeds) != 1:
        raise ValueError(f'一次尝试只用一个种子，例如 (0,)，现在是 {recipe.seeds}')
    device = choose_device()
    losses, accuracy, seconds, roughness = [], [], 0.0, None
    where, started = describe_device(device), perf_counter()
    try:
        nets, history = train_seeds(build, data, recipe, profile, device)
        run, where = history.runs[0], history.device
        losses, accuracy, seconds = run.train_loss, run.test_accuracy, run.seconds
        roughness = roughness_of(nets[0]) if roughness_of else None
    except TrainingDiverged as error:
        print(f'发散：{error}')
        seconds = perf_counter() - started
    return Attempt(
        recipe.to_dict(), losses, accuracy, seconds,
        where, library_versions(), code_version(), roughness,
    )  # fmt: skip


def search(
    build: Callable[[], nn.Module],
    recipes: Sequence[Recipe],
    data: Dataset,
    profile: str | None = None,
) -> list[Attempt]:
    """依次试 ``recipes``，每次先写明是第几次。"""
    attempts = []
    for number, recipe in enumerate(recipes, start=1):
        print(
            f'—— {number}/{len(recipes)}：学习率 {recipe.lr:g}，'
            f'权重衰减 {recipe.weight_decay:g}，{augmentation(recipe)}，'
            f'种子 {recipe.seeds[0]}'
        )
        attempts.append(try_recipe(build, recipe, data, profile))
    return attempts


def augmentation(recipe: Recipe) -> str:
    """配方里的图像增广，用文字写出来。"""
    used = ['翻转'] if recipe.flip else []
    used += [f'平移 {recipe.shift} 像素'] if recipe.shift else []
    used += [f'擦除 {recipe.erasing:g}'] if recipe.erasing else []
    return '、'.join(used) or '不增广'


def keep_attempts(name: str, attempts: list[Attempt], folder: str = FOLDER) -> None:
    """正在录制时存成 results/<folder>/<name>.json；平时不写文件。"""
    if recording := current_recording():
        save_attempts(recording.results / folder / f'{name}.json', attempts)
