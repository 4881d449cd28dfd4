"""各网络对测试图像的预测：混淆与分歧。记录里只有这个模块用 PyTorch。"""

from collections.abc import Sequence

import torch
from torch import Tensor

from deepcnn.records.comparison import Record

UNDECIDED = -1  # 各种子的说法不一，没有过半的类别


def predictions_of(record: Record) -> Tensor:
    """各种子的预测类别，int64 (S, N)，S 是种子数。"""
    digits = [list(map(int, run.predictions)) for run in record.runs]
    return torch.tensor(digits, dtype=torch.int64)


def labels_for(records: Sequence[Record], data: object) -> Tensor:
    """返回记录所用测试图像的类别，int64 (N,)；``data`` 不是那份数据时 ValueError。"""
    for one in records:
        if one.dataset != data.name or one.test_images > len(data.test):
            raise ValueError(
                f'{one.network} 的预测是对 {one.dataset} 的 {one.test_images:,} 张测试图像'
                f'做的，现在的数据是 {data.name}：请用 load_dataset() 的 {one.dataset}'
            )
    return data.test.labels[: records[0].test_images]


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
