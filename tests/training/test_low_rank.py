"""低秩的全连接层：本来只有 r 个方向的层不变，方向不够时差得最少。"""

import pytest
import torch
from torch import Tensor, nn

from deepcnn.training.low_rank import (
    Directions,
    principal_directions,
    project,
    recorded_outputs,
)


def layer_of_rank(rank: int) -> nn.Linear:
    """30 个输入、20 个输出，权重的秩是 ``rank``，偏置在那几个方向之外。"""
    torch.manual_seed(3)
    layer = nn.Linear(30, 20)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(20, rank) @ torch.randn(rank, 30))
        layer.bias.copy_(torch.randn(20))
    return layer


def replaced(layer: nn.Linear, directions: Directions, rank: int, X: Tensor) -> Tensor:
    left, right, bias = project(layer, directions, rank)
    assert left.shape == (20, rank) and right.shape == (rank, 30)
    return X @ (left @ right).T + bias


@torch.no_grad()
def test_a_layer_of_rank_r_is_kept_exactly_by_r_directions() -> None:
    """输入的均值不是零；没有见过的输入也照样。"""
    layer, X = layer_of_rank(4), torch.randn(60, 30) + 2
    directions = principal_directions(layer(X), 6)
    unseen = 3 * torch.randn(50, 30)
    for rank in (4, 6):
        assert torch.allclose(
            replaced(layer, directions, rank, unseen), layer(unseen), atol=1e-3
        )
    short = replaced(layer, directions, 3, unseen)
    assert not torch.allclose(short, layer(unseen), atol=1)


@torch.no_grad()
def test_what_is_lost_is_what_the_other_directions_carry() -> None:
    """Eckart–Young：在求方向的图像上，误差正好是其余各方向的方差。"""
    layer, X = layer_of_rank(10), torch.randn(200, 30) + 1
    Y = layer(X)
    directions = principal_directions(Y, 20)
    values = torch.linalg.svdvals((Y - Y.mean(0)).double())
    for rank in (1, 4, 9):
        lost = (replaced(layer, directions, rank, X) - Y).double().square().sum()
        assert lost.item() == pytest.approx(values[rank:].square().sum().item(), 1e-3)


def test_fewer_images_give_fewer_directions_and_the_same_ones_again() -> None:
    Y = torch.randn(7, 20)
    one, other = principal_directions(Y, 16), principal_directions(Y, 16)
    assert one.basis.shape == (20, 7)
    assert torch.equal(one.basis, other.basis) and torch.equal(one.mean, other.mean)


def test_outputs_are_recorded_only_inside_the_block() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with recorded_outputs({'0': net[0], '2': net[2]}) as seen:
        whole = [net(torch.randn(5, 4)), net(torch.randn(2, 4))]
    net(torch.randn(1, 4))
    assert [len(Y) for Y in seen['0']] == [5, 2]
    assert all(torch.equal(*pair) for pair in zip(seen['2'], whole, strict=True))
