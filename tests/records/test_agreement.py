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


def test_shares_are_of_the_true_class_and_one_for_each_seed() -> None:
    labels = torch.tensor([6, 6, 6, 6, 0, 0])
    predicted = torch.tensor([[6, 0, 0, 2, 0, 6], [6, 6, 6, 6, 0, 0]])
    assert confused(predicted, labels, true=6, said=0) == [0.5, 0.0]
    assert confused(predicted, labels, true=0, said=6) == [0.5, 0.0]
    assert confused(predicted, labels, true=6, said=6) == [0.25, 1.0]


def test_rows_of_the_matrix_are_the_true_classes() -> None:
    labels = torch.tensor([0, 0, 1, 2])
    predicted = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 2]])
    expected = [[0.75, 0.25, 0], [0, 1, 0], [0.5, 0, 0.5]]
    assert confusion_matrix(predicted, labels, 3).tolist() == expected


def test_exactly_half_is_not_a_majority() -> None:
    votes = torch.tensor([[1, 1, 1, 5], [1, 2, 2, 5], [1, 2, 3, 4]])
    assert majority(votes).tolist() == [1, 2, UNDECIDED, 5]
    assert majority(votes[:2]).tolist() == [1, UNDECIDED, UNDECIDED, 5]
    four = torch.tensor([[3, 3], [3, 4], [5, 3], [5, 3]])
    assert majority(four).tolist() == [UNDECIDED, 3]


def test_images_that_two_networks_get_right_belong_to_neither() -> None:
    labels = torch.tensor([0, 1, 2, 3, 4])
    answers = {
        '甲': torch.tensor([0, 1, 9, 3, 4]),
        '乙': torch.tensor([0, 9, 9, UNDECIDED, 4]),
        '丙': torch.tensor([0, 9, 2, 9, 9]),
    }
    found = {name: one.tolist() for name, one in only_right(answers, labels).items()}
    assert found == {'甲': [1, 3], '乙': [], '丙': [2]}


def record(dataset: str = '数据', images: int = 4) -> SimpleNamespace:
    runs = [SimpleNamespace(predictions='0129'), SimpleNamespace(predictions='9210')]
    return SimpleNamespace(
        network='nin', dataset=dataset, test_images=images, runs=runs
    )


def test_predictions_are_one_digit_an_image_one_row_a_seed() -> None:
    assert predictions_of(record()).tolist() == [[0, 1, 2, 9], [9, 2, 1, 0]]


def test_labels_are_those_of_the_recorded_images() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    part = ImageSet(torch.zeros(6, 1, 2, 2, dtype=torch.uint8), labels)
    data = Dataset('数据', part, part, ('甲', '乙'), (0.5,), (0.1,))
    assert labels_for([record(), record()], data).tolist() == [0, 0, 0, 0]
    for bad in (record('别的'), record(images=7)):
        with pytest.raises(ValueError, match=f'请用 load_dataset.. 的 {bad.dataset}'):
            labels_for([record(), bad], data)
