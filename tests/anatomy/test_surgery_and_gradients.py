"""对照实验的零件：换层，各层的梯度，梯度的直方图。"""

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deepcnn.anatomy.gradients import share_below, sigmoid_slopes, weight_gradients
from deepcnn.anatomy.surgery import replace_modules
from deepcnn.models.alexnet import alexnet
from deepcnn.plot.gradients import gradient_histograms

matplotlib.use('Agg')


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 2)
    )


# ---- 换层 ---------------------------------------------------------------------


def test_replacing_changes_the_kind_and_nothing_else() -> None:
    torch.manual_seed(0)
    before = alexnet(image_size=63)
    torch.manual_seed(0)
    after = replace_modules(alexnet(image_size=63), nn.ReLU, nn.Sigmoid)
    kinds = [type(module) for module in after.modules()]
    assert kinds.count(nn.Sigmoid) == 7 and nn.ReLU not in kinds
    assert list(after.state_dict()) == list(before.state_dict())
    pairs = zip(after.parameters(), before.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    places = {name for name, m in after.named_modules() if isinstance(m, nn.Sigmoid)}
    assert places == {n for n, m in before.named_modules() if isinstance(m, nn.ReLU)}


def test_replacing_an_absent_kind_lists_the_present_ones() -> None:
    with pytest.raises(ValueError, match='Conv2d.*ReLU'):
        replace_modules(small(), nn.Sigmoid, nn.ReLU)


def test_a_shared_layer_is_replaced_wherever_it_stands() -> None:
    shared = nn.ReLU().eval()
    net = nn.Sequential(shared, nn.Sequential(shared), shared)
    replace_modules(net, nn.ReLU, nn.Sigmoid)
    assert not any(isinstance(module, nn.ReLU) for module in net.modules())
    assert net[0] is net[1][0] is net[2] and not net[0].training


# ---- 梯度 ---------------------------------------------------------------------


def test_weight_gradients_are_those_of_backward() -> None:
    torch.manual_seed(0)
    net = small().eval()
    X, y = torch.randn(8, 1, 8, 8), torch.arange(8) % 2
    found = weight_gradients(net, X, y)
    assert list(found) == ['0', '4']
    assert all(parameter.grad is None for parameter in net.parameters())
    F.cross_entropy(net(X), y).backward()
    assert torch.allclose(found['0'], net[0].weight.grad.abs())
    assert torch.allclose(found['4'], net[4].weight.grad.abs())


def test_sigmoid_slopes_are_those_of_autograd() -> None:
    net = nn.Sequential(nn.Sigmoid())
    X = torch.linspace(-6, 6, 50, requires_grad=True)
    [slope] = sigmoid_slopes(net, X).values()
    assert torch.allclose(slope, torch.autograd.grad(net(X).sum(), X)[0], atol=1e-6)


def test_share_below_counts_strictly() -> None:
    assert share_below(torch.tensor([0.0, 0.1, 0.2, 0.3]), 0.2) == 0.5
    with pytest.raises(ValueError, match='大于 0'):
        share_below(torch.zeros(3), 0)


def test_networks_without_the_layers_are_refused() -> None:
    with pytest.raises(ValueError, match='没有权重'):
        weight_gradients(
            nn.Sequential(nn.ReLU()), torch.zeros(1, 2), torch.zeros(1).long()
        )
    with pytest.raises(ValueError, match=r'nn\.Sigmoid'):
        sigmoid_slopes(small(), torch.zeros(1, 1, 8, 8))


def test_histograms_mark_the_median_and_the_zeros() -> None:
    values = torch.tensor([0.0, 1e-4, 1e-3, 1e-2])
    fig = gradient_histograms({'甲': {'a': values}, '乙': {'a': values}}, ['a'], '来历')
    axes = fig.axes[0]
    [median] = [line.get_xdata()[0] for line in axes.lines]
    assert median == pytest.approx(-3)
    assert axes.texts[0].get_text() == '0 占 25%'
    [outline] = axes.patches  # 每个条形的左上、右上各一个顶点
    assert outline.get_xy()[:, 1].sum() / 2 == 3


def test_gradients_that_are_no_numbers_are_not_zero() -> None:
    """发散之后的梯度全是 NaN，不能说成恰好为 0。"""
    values = torch.tensor([float('nan')] * 3 + [0.0])
    fig = gradient_histograms({'甲': {'a': values}}, ['a'])
    assert fig.axes[0].texts[0].get_text() == '0 占 25%'


def test_histogram_of_an_absent_layer_lists_the_present_ones() -> None:
    with pytest.raises(ValueError, match='甲 没有 b 这一层：可以用 a'):
        gradient_histograms({'甲': {'a': torch.ones(2)}}, ['b'])


# ---- 换层的边角 -----------------------------------------------------------------


@pytest.mark.parametrize('training', [True, False])
def test_a_new_layer_has_the_mode_of_the_old_one(training: bool) -> None:
    net = small().train(training)
    replace_modules(net, nn.Dropout, lambda: nn.Dropout(0.2))
    assert net[3].p == 0.2 and net[3].training is training
    X = torch.randn(4, 1, 8, 8)
    assert torch.equal(net(X), net(X)) is not training


class Leaky(nn.ReLU):
    """ReLU 的子类，做的是另一件事。"""


def test_a_subclass_is_another_kind() -> None:
    net = replace_modules(nn.Sequential(nn.ReLU(), Leaky()), nn.ReLU, nn.Sigmoid)
    assert [type(layer) for layer in net] == [nn.Sigmoid, Leaky]


def test_gradients_are_those_of_the_mean_loss_in_the_mode_of_the_network() -> None:
    torch.manual_seed(0)
    net, X = small().eval(), torch.randn(3, 1, 8, 8)
    y = torch.tensor([0, 1, 1])
    once = weight_gradients(net, X, y)
    twice = weight_gradients(net, X.repeat(2, 1, 1, 1), y.repeat(2))
    for name in once:
        torch.testing.assert_close(once[name], twice[name])
        assert once[name].min() >= 0


def test_a_layer_in_two_places_is_replaced_in_both_by_one() -> None:
    shared = nn.ReLU()
    net = nn.Sequential(shared, nn.Linear(2, 2), shared, nn.ReLU())
    replace_modules(net, nn.ReLU, nn.Sigmoid)
    assert [type(layer) for layer in net] == [
        nn.Sigmoid, nn.Linear, nn.Sigmoid, nn.Sigmoid,
    ]  # fmt: skip
    assert net[0] is net[2] is not net[3]
