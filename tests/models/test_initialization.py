"""He 初始化：每一层权重的方差是 2/fan_in，偏置是 0。"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.network import Network, initialize
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import vgg11

BUILDERS = {
    'alexnet': lambda: alexnet(image_size=63),
    'vgg11': lambda: vgg11(image_size=32, width=0.25),
    'nin': nin,
    'googlenet': googlenet,
    'resnet18': resnet18,
    'densenet': densenet,
}


@pytest.mark.parametrize('name', BUILDERS)
def test_variance_of_every_layer_is_two_over_its_inputs(name: str) -> None:
    torch.manual_seed(0)
    net: Network = BUILDERS[name]()
    for key, layer in net.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        weight = layer.weight.detach().double()
        inputs = weight[0].numel()  # fan_in：一个输出连着几个输入
        # n 个正态数的方差，相对误差的标准差是 √(2/n)；五倍之内算一致。
        margin = 5 * math.sqrt(2 / weight.numel())
        assert weight.square().mean().item() * inputs == pytest.approx(2, rel=margin), (
            key
        )
        assert abs(weight.mean().item()) < 5 * math.sqrt(2 / inputs / weight.numel()), (
            key
        )
        assert layer.bias is None or not layer.bias.any(), key


@pytest.mark.parametrize(
    ('layer', 'inputs'),
    [
        (lambda: nn.Linear(500, 2000), 500),
        (lambda: nn.Conv2d(32, 256, 5), 800),
        (lambda: nn.Conv2d(64, 256, 5, groups=2), 800),
    ],
)
def test_weights_are_normal_and_count_the_inputs_not_the_outputs(
    layer: Callable[[], nn.Module], inputs: int
) -> None:
    torch.manual_seed(0)
    built = layer()
    nn.init.ones_(built.bias)
    assert initialize(built) is built
    unit = built.weight.detach() * math.sqrt(inputs / 2)
    assert unit.var().item() == pytest.approx(1, abs=0.03)
    assert (unit.abs() > 2).float().mean().item() == pytest.approx(0.0455, abs=0.003)
    assert not built.bias.any()
    assert built.weight.requires_grad


def test_signal_keeps_its_size_through_twenty_layers_of_relu() -> None:
    """方差 2/fan_in 的意义：均方值逐层不变；1/fan_in 的话二十层后只剩百万分之一。"""
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(512, 512), nn.ReLU()) for _ in range(20)]
    net = initialize(nn.Sequential(*layers))
    X = torch.randn(64, 512)
    with torch.no_grad():
        assert 0.3 < net(X).square().mean() / net[:1](X).square().mean() < 3


def test_normalization_is_left_alone() -> None:
    net = initialize(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))
    assert net[0].weight.tolist() == [1] * 4 and net[0].bias.tolist() == [0] * 4
