"""评价：按评价方式前向，每个模块离开时与原来一样；数得也对。"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn

from deepcnn.anatomy import layer_table, peak_bytes, saved_bytes
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training import evaluation
from deepcnn.training.evaluation import evaluate, predict
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train

CPU = torch.device('cpu')
RECIPE = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)
DATA = load_digits_dataset().first(256, 100)


class Spy(nn.Module):
    """记下被调用时自己的模式；``fails`` 时出错。"""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.modes: list[bool] = []
        self.fails = fails

    def forward(self, X: Tensor) -> Tensor:
        self.modes.append(self.training)
        if self.fails:
            raise ArithmeticError('中途')
        return X


def mixed_modes(fails: bool = False) -> nn.Module:
    """冻结了批量归一化的网络：根在训练方式，里面有一层在评价方式。"""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), Spy(fails),
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    net[1].eval()
    return net


LOOKS = {
    'predict': lambda net: predict(net, DATA, RECIPE),
    'evaluate': lambda net: evaluate(net, DATA, RECIPE),
    'layer_table': lambda net: layer_table(net, 8, detail=True),
    'saved_bytes': lambda net: saved_bytes(net, torch.zeros(2, 1, 8, 8)),
    'peak_bytes': lambda net: peak_bytes(net, torch.zeros(2, 1, 8, 8)),
}


@pytest.mark.parametrize('fails', [False, True], ids=['works', 'fails'])
@pytest.mark.parametrize('training', [False, True], ids=['evaluating', 'training'])
@pytest.mark.parametrize('look', LOOKS.values(), ids=LOOKS)
def test_looking_at_a_network_leaves_every_module_as_it_was(
    look: Callable[[nn.Module], object], training: bool, fails: bool
) -> None:
    net = mixed_modes(fails)
    net.training = training
    modes = [module.training for module in net.modules()]
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    if fails:
        with pytest.raises(ArithmeticError):
            look(net)
    else:
        look(net)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(net.state_dict()[name], state[name]) for name in state)
    assert not net[2]._forward_hooks and not net[2]._forward_pre_hooks


def test_predictions_are_made_in_evaluation_mode() -> None:
    net = mixed_modes()
    first, second = (predict(net, DATA, RECIPE) for _ in range(2))
    assert torch.equal(first, second)  # 丢弃法关着
    assert first.dtype == torch.int64 and first.shape == (100,)


def test_last_accuracy_is_the_networks_accuracy() -> None:
    net, history = train(mixed_modes, DATA, RECIPE, 'quick', CPU)
    assert evaluate(net, DATA, RECIPE) == history.test_accuracy
    assert all(module.training for module in net.modules())


# ---- 每张图像一种灰度，数得出来 --------------------------------------------------

EIGHT = Recipe(4, 2, 1e-2, 8, flip=False, precision='fp32')


def gray(values: list[int], labels: list[int]) -> ImageSet:
    """每张图像一种灰度。"""
    images = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(images.expand(-1, 1, 4, 4).contiguous(), torch.tensor(labels))


def dataset(test: ImageSet) -> Dataset:
    train = gray(list(range(0, 240, 10)), [0, 1, 2] * 8)
    return Dataset('灰的', train, test, tuple('甲乙丙'), (0.5,), (0.5,))


GRAY = dataset(gray([0, 120, 250], [0, 1, 2]))


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
    measure(net, GRAY, EIGHT)
    assert net.modes == [{False}]
    assert net.differentiable == [False]
    assert {module.training for module in net.modules()} == {training}


def test_training_alternates_between_the_two_modes() -> None:
    """24 张、每批 8 张：每轮三步训练方式，再一次评价方式；交来时是哪一种都一样。"""
    net = Watched().eval()
    fit(net, GRAY, EIGHT, 0, CPU)
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
    small = replace(EIGHT, batch_size=1)
    assert predict(Brightness(), data, small).tolist() == [0, 0, 1, 1, 2, 2, 0]
    assert evaluate(Brightness(), data, small) == pytest.approx(5 / 7)
