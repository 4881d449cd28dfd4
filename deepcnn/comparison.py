"""六网对比：同一预算、几个种子的记录；均值与起伏、混淆、分歧。这里不训练。

tools/compare.py 训练并写出 results/comparison/<网络>.json。
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from math import isnan
from pathlib import Path
from statistics import mean, median

import torch
from scipy.stats import tukey_hsd
from torch import Tensor

from deepcnn.data import Dataset
from deepcnn.history import INSTALLED_RESULTS, RESULTS, Run
from deepcnn.lineup import LINEUP
from deepcnn.recipe import completed

FOLDER = 'comparison'  # 在 results/ 里
UNDECIDED = -1  # 各种子的说法不一，没有过半的类别


@dataclass
class SeedRun(Run):
    """一个种子的训练过程，以及最后一轮对每张测试图像的预测。"""

    predictions: str = ''  # 一张图像一个数字（类别 0～9），按测试集的次序
    commit: str | None = None  # 训练时代码的提交


@dataclass(frozen=True)
class Record:
    """一个网络在同一预算下的各个种子，与 ``results/comparison/<网络>.json`` 对应。

    某个种子没有训练完、或预测的个数不对时，抛出 ValueError。
    """

    network: str
    dataset: str
    test_images: int
    recipe: dict  # 不含种子
    precision: str
    device: str
    versions: dict[str, str]
    runs: tuple[SeedRun, ...] = ()

    def __post_init__(self) -> None:
        for run in self.runs:
            if len(run.test_accuracy) != self.recipe['epochs']:
                raise ValueError(f'{self.network} 的种子 {run.seed} 没有训练完')
            said = run.predictions
            if len(said) != self.test_images or not (said.isascii() and said.isdigit()):
                raise ValueError(
                    f'{self.network} 的种子 {run.seed} 应有 {self.test_images} 个预测，'
                    '每个是一位数字'
                )

    @property
    def conditions(self) -> dict:
        """种子之外的全部条件；两份记录的条件相同，种子才能放在一起。"""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in record.items() if name != 'runs'}

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    @property
    def accuracies(self) -> list[float]:
        """最后一轮的测试准确率，每个种子一个。"""
        return [run.test_accuracy[-1] for run in self.runs]

    @property
    def seconds(self) -> list[float]:
        """一次训练的秒数（连测试在内），每个种子一个。"""
        return [run.seconds for run in self.runs]

    @property
    def images_per_second(self) -> list[float]:
        """训练吞吐量（不含测试），张/秒：每个种子取各轮的中位数。"""
        images = self.recipe['train_images']
        return [images / median(run.epoch_seconds) for run in self.runs]

    @property
    def predicted(self) -> Tensor:
        """各种子的预测类别，int64 (S, N)，S 是种子数。"""
        digits = [list(map(int, run.predictions)) for run in self.runs]
        return torch.tensor(digits, dtype=torch.int64)

    @property
    def provenance(self) -> str:
        """图注用的一行来历：数据集、预算、设备、精度、种子。"""
        seeds = '、'.join(map(str, self.seeds))
        return (
            f'{self.dataset} · {self.recipe["train_images"]:,} 张 × '
            f'{self.recipe["epochs"]} 轮 · {self.device} · {self.precision} · '
            f'种子 {seeds}'
        )

    def with_run(self, run: SeedRun) -> 'Record':
        """返回添上一个种子的记录；种子从小到大排。"""
        runs = sorted((*self.runs, run), key=lambda one: one.seed)
        return replace(self, runs=tuple(runs))

    def save(self, folder: Path) -> Path:
        """写成 ``<folder>/<network>.json``；先写完再改名，中断时不留半个文件。"""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{self.network}.json'
        partial = path.with_suffix(f'.{os.getpid()}.part')
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        partial.write_text(text + '\n', encoding='utf-8')
        partial.replace(path)
        return path


def results_folder() -> Path:
    """返回记录所在的文件夹：仓库里的 results/comparison，或安装的包里的那一份。"""
    base = INSTALLED_RESULTS if INSTALLED_RESULTS.is_dir() else RESULTS
    return base / FOLDER


def read_record(path: Path) -> Record:
    """读回一份记录；没有这个文件、残缺或被改动时抛出 ValueError。"""
    if not path.exists():
        raise ValueError(
            f'results/comparison/ 里没有 {path.stem} 的记录：先运行 make compare'
        )
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        runs = tuple(SeedRun(**run) for run in record.pop('runs'))
        record['recipe'] = completed(record['recipe'])
        return Record(**record, runs=runs)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f'{path.name} 读不了（{error}）：请删除它，再运行 make compare'
        ) from error


def load_records(folder: Path | None = None) -> dict[str, Record]:
    """读六个网络的记录，按各章的次序；条件不同而不能相比时抛出 ValueError。"""
    folder = folder or results_folder()
    records = {name: read_record(folder / f'{name}.json') for name in LINEUP}
    require_comparable(list(records.values()))
    return records


def require_comparable(records: Sequence[Record]) -> None:
    """数据、预算、设备、精度、版本与种子都相同，且种子不止一个，否则 ValueError。"""
    first = records[0]
    for one in records:
        different = [
            title
            for title, value in _shared(one).items()
            if value != _shared(first)[title]
        ]
        if different:
            raise ValueError(
                f'{first.network} 与 {one.network} 的{"、".join(different)}不同，'
                '不能放在一起比：请运行 make compare 把缺的补齐'
            )
        if len(one.runs) < 2:
            raise ValueError(
                f'{one.network} 只有 {len(one.runs)} 个种子，算不出起伏：'
                '请运行 make compare'
            )


def _shared(record: Record) -> dict[str, object]:
    return {
        '数据集': (record.dataset, record.test_images),
        '预算': [record.recipe[k] for k in ('train_images', 'epochs', 'batch_size')],
        '设备': record.device,
        '精度': record.precision,
        '版本': record.versions,
        '种子': record.seeds,
    }


def labels_for(records: Sequence[Record], data: Dataset) -> Tensor:
    """返回记录所用测试图像的类别，int64 (N,)；``data`` 不是那份数据时 ValueError。"""
    for one in records:
        if one.dataset != data.name or one.test_images > len(data.test):
            raise ValueError(
                f'{one.network} 的预测是对 {one.dataset} 的 {one.test_images:,} 张测试图像'
                f'做的，现在的数据是 {data.name}：请先取得 {one.dataset}（见 README）'
            )
    return data.test.labels[: records[0].test_images]


# ---- 两两比较 ---------------------------------------------------------------


@dataclass(frozen=True)
class RankedPair:
    """两个网络的均值之差，以及它的 95% 联合置信区间。"""

    higher: str
    lower: str
    difference: float  # 不小于 0
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """区间不含 0：差别大过随机的起伏。起伏为 0 而算不出区间时，不作结论。"""
        return not isnan(self.low) and self.low > 0


def differences(groups: dict[str, Sequence[float]]) -> list[RankedPair]:
    """两两比较各组的均值，差别从大到小排。

    用 Tukey 的 HSD 检验（``scipy.stats.tukey_hsd``，假定各组的方差相同）：全部区间
    同时成立的把握是 95%，所以比较的对数再多，也不会更容易碰巧「分出高低」。六组各三个
    数时，分得出的差别至少是最大的标准差的 1.12 倍：界线是 4.75/√3 倍的合并标准差，而合并
    标准差不小于最大的那个除以 √6。
    """
    short = [name for name, values in groups.items() if len(values) < 2]
    if short:
        raise ValueError(f'{"、".join(short)} 只有一个数，算不出起伏：至少要两个')
    means = {name: mean(values) for name, values in groups.items()}
    interval = tukey_hsd(*groups.values()).confidence_interval(0.95)
    found = []
    for (i, first), (j, second) in combinations(enumerate(groups), 2):
        if means[first] < means[second]:
            i, j, first, second = j, i, second, first
        gap = means[first] - means[second]
        low, high = float(interval.low[i, j]), float(interval.high[i, j])
        found.append(RankedPair(first, second, gap, low, high))
    return sorted(found, key=lambda one: -one.difference)


# ---- 混淆与分歧 ---------------------------------------------------------------


def confused(predicted: Tensor, labels: Tensor, true: int, said: int) -> list[float]:
    """真实类别为 ``true`` 的图像里，有多大比例被认作 ``said``；每个种子一个数，0～1。

    形状：predicted int64 (S, N)，S 是种子数，labels int64 (N,)。
    """
    of_class = predicted[:, labels == true]
    return (of_class == said).double().mean(dim=1).tolist()


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """返回混淆矩阵 float64 (classes, classes)：第 i 行是真实类别 i 被认作各类的比例。

    各种子合在一起算。形状：predicted int64 (S, N)，S 是种子数，labels int64 (N,)。
    """
    cells = (labels * classes + predicted).flatten()
    counted = cells.bincount(minlength=classes**2).reshape(classes, classes).double()
    return counted / counted.sum(dim=1, keepdim=True)


def majority(predicted: Tensor) -> Tensor:
    """各种子的多数意见，int64 (N,)；没有过半的类别时是 ``UNDECIDED``。

    形状：predicted int64 (S, N)，S 是种子数。
    """
    answers, _ = predicted.mode(dim=0)
    votes = (predicted == answers).sum(dim=0)
    return torch.where(2 * votes > len(predicted), answers, UNDECIDED)


def only_right(answers: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """只有一个网络答对的图像：由网络名到图像的序号，int64，按测试集的次序。

    形状：answers 的每一项与 labels 都是 int64 (N,)。
    """
    right = torch.stack([answer == labels for answer in answers.values()])
    alone = right.sum(dim=0) == 1
    return {
        name: (alone & hits).nonzero().flatten()
        for name, hits in zip(answers, right, strict=True)
    }
