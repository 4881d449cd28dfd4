"""挑选超参数的记录：读回 results/tuning/<网络>.json，比较同样预算的各次尝试。"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

# 预算：训练多久、用多少图像。预算不同的尝试不能放在一起比。
BUDGET = ('epochs', 'train_images')


@dataclass(frozen=True)
class Trial:
    """一次尝试。``recipe`` 是完整的配方；发散时 ``validation_accuracy`` 为空。"""

    recipe: dict
    train_loss: list[float]
    validation_accuracy: list[float]  # 每轮一个，0～1
    seconds: float
    device: str
    versions: dict[str, str]
    commit: str | None

    @property
    def accuracy(self) -> float:
        """最后一轮的验证准确率；发散算作 0。"""
        return self.validation_accuracy[-1] if self.validation_accuracy else 0.0

    @property
    def budget(self) -> tuple:
        return tuple(self.recipe[name] for name in BUDGET)

    @property
    def choice(self) -> dict:
        """被挑选的那些设置：预算与种子之外的全部字段。"""
        return choice_of(self.recipe)


def choice_of(recipe: dict) -> dict:
    """配方里除去预算与种子的部分。"""
    return {k: v for k, v in recipe.items() if k not in (*BUDGET, 'seeds')}


def load_trials(path: Path) -> list[Trial]:
    """读回全部尝试；没有这个文件就是一次也没有试过。"""
    if not path.exists():
        return []
    return [Trial(**one) for one in json.loads(path.read_text(encoding='utf-8'))]


def varied(trials: list[Trial]) -> list[str]:
    """各次尝试之间有所不同的设置，按配方里的顺序。"""
    return [
        name
        for name in trials[0].choice
        if any(one.choice[name] != trials[0].choice[name] for one in trials)
    ]


def standard_error(trial: Trial, validation_images: int = 5_000) -> float:
    """验证准确率的标准差：按 n 次独立的对错计，√(p(1−p)/n)。"""
    p = trial.accuracy
    return math.sqrt(p * (1 - p) / validation_images)


def best(trials: list[Trial]) -> Trial:
    """验证准确率最高的一次；一样高时取先试的。"""
    return max(trials, key=lambda one: one.accuracy)
