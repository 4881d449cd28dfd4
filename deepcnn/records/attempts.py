"""挑选超参数的记录：读回 results/tuning/<网络>.json，比较同样预算的各次尝试。"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from deepcnn.records.runs import completed
from deepcnn.records.store import explaining, read_json, write_json

# 预算：训练多久、用多少图像、多大。预算不同的尝试不能放在一起比。
BUDGET = ('epochs', 'train_images', 'image_size')
VALIDATION_IMAGES = 5_000  # 训练集的最后 5,000 张
TUNING_IMAGES = 60_000 - VALIDATION_IMAGES


@dataclass(frozen=True)
class Attempt:
    """一次尝试。``recipe`` 是完整的配方；发散时 ``validation_accuracy`` 为空。"""

    recipe: dict
    train_loss: list[float]
    validation_accuracy: list[float]  # 每轮一个，0～1
    seconds: float
    device: str
    versions: dict[str, str]
    commit: str | None
    # 训练之后第一个卷积层的粗糙度，噪声是 2（neighbour_roughness）；没有量时是 None。
    roughness: float | None = None

    @property
    def accuracy(self) -> float:
        """最后一轮的验证准确率；发散算作 0。"""
        return self.validation_accuracy[-1] if self.validation_accuracy else 0.0

    @property
    def budget(self) -> tuple:
        return tuple(self.recipe[name] for name in BUDGET)

    @property
    def images_trained(self) -> int:
        """各轮一共训练了多少张；没有写明张数的用全部 55,000 张。"""
        return self.recipe['epochs'] * (self.recipe['train_images'] or TUNING_IMAGES)

    @property
    def choice(self) -> dict:
        """被挑选的那些设置：预算与种子之外的全部字段。"""
        return choice_of(self.recipe)


def choice_of(recipe: dict) -> dict:
    """配方里除去预算与种子的部分。"""
    return {k: v for k, v in recipe.items() if k not in (*BUDGET, 'seeds')}


def load_attempts(path: Path) -> list[Attempt]:
    """读回全部尝试；没有这个文件就是一次也没有试过；残缺时抛出 ValueError。"""
    if not path.exists():
        return []
    with explaining(path, '请用 git 取回它；取不回就删除它，从头再试'):
        return [
            Attempt(**one | {'recipe': completed(one['recipe'])})
            for one in read_json(path)
        ]


def varied(attempts: list[Attempt]) -> list[str]:
    """各次尝试之间有所不同的设置，按配方里的顺序。"""
    return [
        name
        for name in attempts[0].choice
        if any(one.choice[name] != attempts[0].choice[name] for one in attempts)
    ]


def sampling_error(accuracy: float, images: int) -> float:
    """``images`` 张图像上测得的准确率的标准误差：按独立的对错计，√(p(1−p)/n)。

    准确率不在 0～1 之间，或一张图像也没有时，抛出 ValueError。
    """
    if not 0 <= accuracy <= 1 or images < 1:
        raise ValueError(
            f'准确率要在 0～1 之间、图像至少 1 张，现在是 {accuracy} 和 {images}'
        )
    return math.sqrt(accuracy * (1 - accuracy) / images)


def best(attempts: list[Attempt]) -> Attempt:
    """验证准确率最高的一次；一样高时取先试的。"""
    return max(attempts, key=lambda one: one.accuracy)


def by_budget(attempts: list[Attempt]) -> list[list[Attempt]]:
    """预算相同的放在一起，训练图像（轮数乘张数）少的在前；只有同一组里的可以比。"""
    groups: dict[tuple, list[Attempt]] = {}
    for one in attempts:
        groups.setdefault(one.budget, []).append(one)
    return sorted(groups.values(), key=lambda group: group[0].images_trained)


def save_attempts(path: Path, attempts: list[Attempt]) -> None:
    """写出全部尝试，代替原有的。"""
    write_json(path, [asdict(one) for one in attempts])


def add_attempt(path: Path, attempt: Attempt) -> None:
    """添一条。读与写之间锁住，几个进程各做各的，一条也不会丢。"""
    from filelock import FileLock  # 只有写的时候要它，构建网站的环境里没有

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix('.lock')):
        save_attempts(path, [*load_attempts(path), attempt])


def values_of(attempts: list[Attempt], name: str) -> list:
    """``name`` 这一项试过的值，按第一次出现的次序；没有这一项时抛出 ValueError。"""
    legal = attempts[0].recipe
    if name not in legal:
        raise ValueError(f'配方里没有 {name!r} 这一项：可以用 {"、".join(legal)}')
    return list(dict.fromkeys(one.recipe[name] for one in attempts))


def accuracy_grid(
    attempts: list[Attempt], rows: str, columns: str
) -> list[list[float | None]]:
    """验证准确率排成表：``rows`` 的每个值一行，``columns`` 的每个值一列。

    发散的格子是 NaN，没有试过的是 None。同一格有两次尝试（例如增广不同），或没有这项设置时，抛出
    ValueError。
    """
    down, across = values_of(attempts, rows), values_of(attempts, columns)
    cells = {}
    for one in attempts:
        place = one.recipe[rows], one.recipe[columns]
        if place in cells:
            raise ValueError(
                f'{rows}={place[0]}、{columns}={place[1]} 试了不止一次：'
                '请先按其余各项把尝试分开'
            )
        cells[place] = one.accuracy if one.validation_accuracy else math.nan
    return [[cells.get((r, c)) for c in across] for r in down]


def effect(attempts: list[Attempt], name: str) -> dict:
    """``name`` 取各个值时的平均验证准确率，对其余各项求平均。"""
    return {
        value: mean(one.accuracy for one in attempts if one.recipe[name] == value)
        for value in values_of(attempts, name)
    }
