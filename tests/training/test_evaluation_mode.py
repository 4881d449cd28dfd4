"""评价：网络按评价方式前向，算完每个模块的方式与原来一样；数得也对。"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training import evaluation
from deepcnn.training.evaluation import evaluate, evaluating, predict
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
RECIPE = Recipe(4, 2, 1e-2, 8, flip=False, precision='fp32')


def gray(values: list[int], labels: list[int]) -> ImageSet:
    """每张图像一种灰度。"""
    images = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(images.expand(-1, 1, 4, 4).contiguous(), torch.tensor(labels))


def dataset(test: ImageSet) -> Dataset:
    train = gray(list(range(0, 240, 10)), [0, 1, 2] * 8)
    return Dataset('灰的', train, test, tuple('甲乙丙'), (0.5,), (0.5,))


DATA = dataset(gray([0, 120, 250], [0, 1, 2]))


class Watched(nn.Module):
    """记下每次前向时自己、丢弃层与批量归一化层的方式，以及要不要求梯度。"""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3)
        )
        self.modes: list[set[bool]] = []
        self.differentiable: list[bool] = []

    def forward(self, X: Tensor) -> Tensor:
        self.modes.append({module.training for module in self.modules()})
        scores = self.inner(X)
        self.differentiable.append(scores.requires_grad)
        return scores


@pytest.mark.parametrize('measure', [predict, evaluate])
@pytest.mark.parametrize('training', [True, False])
def test_the_whole_network_is_in_evaluation_mode_while_predicting(
    measure: Callable, training: bool
) -> None:
    net = Watched().train(training)
    measure(net, DATA, RECIPE)
    assert net.modes == [{False}]
    assert net.differentiable == [False]
    assert {module.training for module in net.modules()} == {training}


def test_every_module_gets_its_own_mode_back() -> None:
    """冻结的批量归一化（eval）在训练中的网络里，评价之后还是冻结的。"""
    net = Watched().train()
    net.inner[1].eval()
    before = {name: module.training for name, module in net.named_modules()}
    evaluate(net, DATA, RECIPE)
    assert {name: module.training for name, module in net.named_modules()} == before


def test_modes_come_back_even_after_an_error() -> None:
    net = Watched().train()
    with pytest.raises(ZeroDivisionError), evaluating(net):
        raise ZeroDivisionError
    assert all(module.training for module in net.modules())


def test_evaluation_does_not_change_the_running_statistics() -> None:
    net = Watched().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    evaluate(net, DATA, RECIPE)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_training_alternates_between_the_two_modes() -> None:
    """24 张、每批 8 张：每轮三步训练方式，再一次评价方式；交来时是哪一种都一样。"""
    net = Watched().eval()
    fit(net, DATA, RECIPE, 0, CPU)
    assert net.modes == [{True}, {True}, {True}, {False}] * 2
    assert net.differentiable == [True, True, True, False] * 2


class Brightness(nn.Module):
    """暗、中、亮判作第 0、1、2 类。"""

    def forward(self, X: Tensor) -> Tensor:
        level = X.mean((1, 2, 3))  # 归一化之后在 −1～1 之间
        return torch.stack([-level, 0.5 - level.abs(), level], dim=1)


def test_accuracy_is_the_share_of_right_answers_over_all_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """最后一批不满：各批准确率的平均会算错。"""
    values, labels = [0, 10, 120, 130, 250, 240, 0], [0, 0, 1, 1, 0, 0, 0]
    data = dataset(gray(values, labels))
    monkeypatch.setattr(evaluation, 'TEST_BATCH', 3)
    small = replace(RECIPE, batch_size=1)
    assert predict(Brightness(), data, small).tolist() == [0, 0, 1, 1, 2, 2, 0]
    assert evaluate(Brightness(), data, small) == pytest.approx(5 / 7)
