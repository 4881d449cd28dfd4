"""评价：按评价方式前向，每个模块离开时与原来一样。"""

from collections.abc import Callable

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn

from deepcnn.anatomy import layer_table, peak_bytes, saved_bytes
from deepcnn.training.evaluation import evaluate, predict
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
    assert set(net[2].modes) == {False}


def test_last_accuracy_is_the_networks_accuracy() -> None:
    net, history = train(mixed_modes, DATA, RECIPE, 'quick', CPU)
    assert evaluate(net, DATA, RECIPE) == history.test_accuracy
    assert all(module.training for module in net.modules())
