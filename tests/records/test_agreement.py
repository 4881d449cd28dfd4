"""预测的混淆与分歧：方向、除以谁、过半、只有一个答对。"""

from types import SimpleNamespace

import pytest
import torch

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.records.agreement import (
    UNDECIDED,
    confused,
    confusion_matrix,
    labels_for,
    majority,
    only_right,
    predictions_of,
)

LABELS = torch.tensor([0, 0, 0, 0, 1, 1])
# 0 类的四张里，两个种子分别有一张、三张认作 1；1 类的都认对。
PREDICTED = torch.tensor([[0, 0, 0, 1, 1, 1], [1, 1, 0, 1, 1, 1]])


def test_shares_are_of_the_true_class_and_one_for_each_seed() -> None:
    assert confused(PREDICTED, LABELS, true=0, said=1) == [0.25, 0.75]
    assert confused(PREDICTED, LABELS, true=1, said=0) == [0.0, 0.0]


def test_rows_of_the_matrix_are_the_true_classes() -> None:
    assert confusion_matrix(PREDICTED, LABELS, 2).tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_exactly_half_is_not_a_majority() -> None:
    votes = torch.tensor([[3, 3], [3, 4], [5, 3], [5, 3]])
    assert majority(votes).tolist() == [UNDECIDED, 3]


def test_images_that_two_networks_get_right_belong_to_neither() -> None:
    answers = {'甲': PREDICTED[0], '乙': PREDICTED[1], '丙': torch.full((6,), 9)}
    found = {
        name: places.tolist() for name, places in only_right(answers, LABELS).items()
    }
    assert found == {'甲': [0, 1], '乙': [], '丙': []}


def record(dataset: str = '数据', images: int = 4) -> SimpleNamespace:
    runs = [SimpleNamespace(predictions='0129'), SimpleNamespace(predictions='9210')]
    return SimpleNamespace(
        network='nin', dataset=dataset, test_images=images, runs=runs
    )


def test_predictions_are_one_digit_an_image_one_row_a_seed() -> None:
    assert predictions_of(record()).tolist() == [[0, 1, 2, 9], [9, 2, 1, 0]]


def test_labels_are_those_of_the_recorded_images() -> None:
    part = ImageSet(torch.zeros(6, 1, 2, 2, dtype=torch.uint8), LABELS)
    data = Dataset('数据', part, part, ('甲', '乙'), (0.5,), (0.1,))
    assert labels_for([record(), record()], data).tolist() == [0, 0, 0, 0]
    for bad in (record('别的'), record(images=7)):
        with pytest.raises(ValueError, match='请用 load_dataset'):
            labels_for([record(), bad], data)
