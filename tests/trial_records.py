"""读回一种做法的记录：书里的数字由它们再算一遍。"""

from pathlib import Path
from statistics import mean, variance

from scipy.stats import t

from deepcnn.records.runs import History
from deepcnn.records.store import RESULTS, read_json
from deepcnn.records.trials import FOLDER, Trial


def load_trial(name: str, folder: Path = RESULTS / FOLDER) -> Trial:
    """``<folder>/<name>.json``，没有网络。"""
    record = read_json(folder / f'{name}.json')
    accuracy = tuple(record['clean_train_accuracy'])
    history = History.from_dict(record)
    return Trial(record['label'], history, accuracy, record['parameters'])


def fallen(trial: Trial, epochs: int) -> float:
    """最后 ``epochs`` 轮里，训练损失（各种子的平均）又降了百分之几。"""
    before, after = (
        mean(run.train_loss[which] for run in trial.history.runs)
        for which in (-1 - epochs, -1)
    )
    return 100 * (1 - after / before)


def half_of_paired(first: list[float], second: list[float], level: float = 0.05) -> float:
    """一个种子一对时，差别的区间的一半：差的标准误乘 t 的分位数，自由度 n−1。"""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    return t.ppf(1 - level / 2, len(gaps) - 1) * (variance(gaps) / len(gaps)) ** 0.5


def half_of_welch(first: list[float], second: list[float], level: float = 0.05) -> float:
    """差别的区间的一半，``level`` 是落在外面的比例。

    标准误乘 t 的分位数，自由度按 Welch–Satterthwaite。
    """
    parts = [variance(one) / len(one) for one in (first, second)]
    if not sum(parts):  # 两边都没有起伏
        return 0.0
    freedom = sum(parts) ** 2 / sum(p**2 / (len(first) - 1) for p in parts)
    return t.ppf(1 - level / 2, freedom) * sum(parts) ** 0.5
