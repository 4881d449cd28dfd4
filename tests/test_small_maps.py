"""比核还小的特征图：另一种算法的梯度与 PyTorch 的相同，只在该用的地方用，用完恢复。"""

from collections.abc import Callable

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn

from deepcnn.models.resnet import resnet18
from deepcnn.training import small_maps
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train
from deepcnn.training.small_maps import faster_small_maps


@pytest.fixture(autouse=True)
def always_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """不管这台机器的 CPU 有没有 AVX-512，都当作需要。"""
    monkeypatch.setattr(small_maps, 'needed_here', lambda dtype: True)


def gradients(net: nn.Module, X: Tensor) -> list[Tensor]:
    X = X.detach().requires_grad_()
    net.zero_grad(set_to_none=True)
    net(X).square().sum().backward()
    return [X.grad, *[p.grad for p in net.parameters()]]


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('stride', [1, 2, (1, 2)])
@pytest.mark.parametrize(('height', 'width'), [(1, 1), (2, 2), (2, 5), (4, 1)])
def test_gradients_are_those_of_pytorch(
    height: int, width: int, stride: int, bias: bool, small_map_shapes: list
) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 8, 3, stride, padding=1, bias=bias)
    X = torch.randn(5, 3, height, width)
    expected = gradients(net, X)
    assert not small_map_shapes
    with faster_small_maps(net):
        found = gradients(net, X)
    assert small_map_shapes == [(5, 3, height, width)]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ('kernel', 'padding'), [((3, 5), (1, 2)), ((5, 3), (2, 0)), ((1, 5), (0, 3))]
)
def test_height_and_width_are_not_mixed_up(
    kernel: tuple[int, int], padding: tuple[int, int], small_map_shapes: list
) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 8, kernel, padding=padding)
    X = torch.randn(5, 3, 2, 4)
    expected = gradients(net, X)
    with faster_small_maps(net):
        found = gradients(net, X)
    assert len(small_map_shapes) == 1
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    'build',
    [
        lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2),
        lambda: nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        lambda: nn.Conv2d(4, 4, 3, padding='same'),
        lambda: nn.Conv2d(4, 4, 3, padding=1, padding_mode='reflect'),
        lambda: nn.Conv2d(4, 4, 1),
    ],
    ids=['分组', '膨胀', 'same', '镜像填充', '1×1'],
)
def test_other_convolutions_are_left_alone(
    build: Callable[[], nn.Module], small_map_shapes: list
) -> None:
    net = build()
    with faster_small_maps(net):
        gradients(net, torch.randn(2, 4, 2, 2))
    assert not small_map_shapes


def test_large_maps_and_evaluation_are_left_alone(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        gradients(net, torch.randn(2, 4, 3, 3))
    assert not small_map_shapes
    small = torch.randn(2, 4, 2, 2)
    assert small_maps.is_worth_it(net, small)
    for without_gradients in (torch.no_grad, torch.inference_mode):
        with without_gradients():
            assert not small_maps.is_worth_it(net, small)


def test_one_image_without_a_batch_is_left_alone(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        assert net(input=torch.randn(4, 2, 2)).shape == (4, 2, 2)
    assert not small_map_shapes


def test_network_is_as_before_afterwards() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1)
    with pytest.raises(KeyError), faster_small_maps(nn.Sequential(layer, layer)):
        assert 'forward' in vars(layer)
        raise KeyError
    assert 'forward' not in vars(layer)


def test_a_second_time_inside_changes_nothing(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        with faster_small_maps(net):
            pass
        gradients(net, torch.randn(2, 4, 2, 2))
    assert small_map_shapes == [(2, 4, 2, 2)]
    assert 'forward' not in vars(net)


@pytest.mark.parametrize('bias', [True, False])
def test_gradients_with_autocast_are_those_of_pytorch(
    bias: bool, small_map_shapes: list
) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 8, 3, padding=1, bias=bias)
    X = torch.randn(5, 3, 2, 2)

    def found() -> list[Tensor]:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return gradients(net, X)

    expected = found()
    assert not small_map_shapes
    with faster_small_maps(net):
        ours = found()
    assert small_map_shapes == [(5, 3, 2, 2)]
    for a, b in zip(ours, expected, strict=True):
        assert a.dtype == b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02 * b.abs().max().item())


@pytest.mark.parametrize(
    ('capability', 'precisions'),
    [
        ('AVX2', [torch.float32]),
        ('AVX512', [torch.bfloat16]),
        ('DEFAULT', []),
    ],
)
def test_only_where_it_was_measured(
    monkeypatch: pytest.MonkeyPatch, capability: str, precisions: list[torch.dtype]
) -> None:
    monkeypatch.undo()  # 这里要真的 needed_here
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: capability)
    needed = [one for one in small_maps.PRECISIONS if small_maps.needed_here(one)]
    assert needed == precisions
    net = nn.Conv2d(4, 4, 3)
    with faster_small_maps(net):
        assert ('forward' in vars(net)) is bool(precisions)


def test_training_uses_it_and_learns_the_same(
    small_map_shapes: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(2), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip

    recipe = Recipe(8, 2, 1e-2, 8, train_images=32, test_images=20, precision='fp32')
    data = load_digits_dataset()
    faster = train(build, data, recipe, device='cpu')[1].runs[0]
    assert small_map_shapes == [(8, 1, 2, 2)] * 8  # 2 轮，每轮 4 步
    monkeypatch.setattr(small_maps, 'is_worth_it', lambda layer, X: False)
    usual = train(build, data, recipe, device='cpu')[1].runs[0]
    assert len(small_map_shapes) == 8
    assert faster.train_loss == pytest.approx(usual.train_loss, rel=1e-5)


def test_resnet_at_48_pixels_has_three_such_layers(small_map_shapes: list) -> None:
    net = resnet18()
    with faster_small_maps(net):
        net(torch.zeros(2, 1, 48, 48)).sum().backward()
    assert small_map_shapes == [(2, 512, 2, 2)] * 3
