"""数内存的字节与重新计算：数目可手算，重算不改变训练。"""

from copy import deepcopy

import pytest
import torch
from random_images import random_images
from torch import nn

from deepcnn.anatomy.memory import LiveBytes, frozen_statistics, peak_bytes, saved_bytes
from deepcnn.anatomy.recompute import STRATEGIES, recomputing
from deepcnn.models.densenet import DenseBlock, bottleneck_block, densenet
from deepcnn.models.resnet import resnet18

every_strategy = pytest.mark.parametrize('strategy', STRATEGIES)


def test_saved_bytes_of_a_dense_block_by_hand() -> None:
    channels = 64 + 96 + 128 + 160
    expected = 2 * channels * 2 * 8 * 8 * 4  # 归一化的输入与 ReLU 的输出
    expected += 2 * channels * 4  # 每个通道的均值与标准差的倒数
    assert saved_bytes(DenseBlock(4, 64, 32), random_images(2, 64, 8)) == expected


def test_shared_storage_and_parameters_count_once_or_not_at_all() -> None:
    X = random_images(1, 4, 8).requires_grad_()
    relus = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Unflatten(1, (4, 8, 8)))
    assert saved_bytes(relus, X) == X.nbytes
    conv = nn.Conv2d(4, 4, 3, padding=1)  # 保留输入与权重，权重不算
    assert saved_bytes(conv, random_images(1, 4, 8)) == X.nbytes


@pytest.mark.parametrize('build', [resnet18, densenet])
def test_shapes_alone_give_the_same_bytes(build: type[nn.Module]) -> None:
    X, net = random_images(2, 1, 64), build()
    expected = saved_bytes(net, X), peak_bytes(net, X)
    X, net = X.to('meta'), net.to('meta')
    assert (saved_bytes(net, X), peak_bytes(net, X)) == expected


def test_live_bytes_follow_what_is_freed() -> None:
    with LiveBytes() as live:
        first = torch.ones(1000)
        second = first + 1
        del first
        third = second.view(10, 100)
        assert (live.current, live.peak) == (4000, 8000)
        del second, third
        assert live.current == 0
    assert live.peak == 8000


def test_a_later_smaller_tensor_does_not_lower_the_peak() -> None:
    with LiveBytes() as live:
        large = torch.ones(1000)
        del large
        small = torch.ones(10)
    assert (live.current, live.peak) == (small.nbytes, 4000)


def test_views_and_changes_of_what_was_there_are_not_new() -> None:
    before = torch.ones(1000)
    with LiveBytes() as live:
        before.view(10, 100)[0].add_(1)
        assert (live.current, live.peak) == (0, 0)


def test_peak_contains_the_gradients() -> None:
    net, X = nn.Sequential(nn.Conv2d(1, 256, 3), nn.Conv2d(256, 256, 1)), None
    X = random_images(1, 1, 3)
    weights = sum(parameter.nbytes for parameter in net.parameters())
    assert weights < peak_bytes(net, X) < 2 * weights


def test_counting_leaves_the_network_as_it_was() -> None:
    net, X = densenet().eval(), random_images(2, 1, 32)
    before = deepcopy(net.state_dict())
    saved_bytes(net, X)
    peak_bytes(net, X)
    assert not net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    after = net.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


@pytest.mark.parametrize('shape', [(1, 32, 32), (0, 1, 32, 32)])
def test_something_that_is_not_a_batch_is_refused(shape: tuple[int, ...]) -> None:
    for count in (saved_bytes, peak_bytes):
        with pytest.raises(ValueError, match='N, C, H, W'):
            count(densenet(), torch.empty(shape))


def test_too_small_an_image_names_the_smallest() -> None:
    with pytest.raises(ValueError, match='至少要 32 像素'):
        saved_bytes(densenet(), torch.empty(1, 1, 16, 16))


@every_strategy
@pytest.mark.parametrize('block', [None, bottleneck_block])
def test_recomputing_changes_neither_gradients_nor_statistics(
    strategy: str, block: type[nn.Module] | None
) -> None:
    arguments = {} if block is None else {'block': block}
    torch.manual_seed(0)
    plain = densenet(**arguments).train()
    other = deepcopy(plain)
    X = random_images(2, 1, 64)
    plain(X).square().sum().backward()
    with recomputing(other, strategy):
        other(X).square().sum().backward()
    for ours, theirs in zip(other.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    for ours, theirs in zip(other.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_recomputing_twice_would_show_without_frozen_statistics() -> None:
    norm, X = nn.BatchNorm2d(3), random_images(2, 3, 4)
    norm(X)
    once = norm.running_mean.clone()
    with frozen_statistics(norm):
        norm(X)
    assert torch.equal(norm.running_mean, once)
    assert norm.num_batches_tracked == 1
    norm(X)
    assert not torch.equal(norm.running_mean, once)


def test_each_strategy_keeps_what_it_says() -> None:
    block, X = DenseBlock(4, 64, 32), random_images(1, 64, 8)
    pixels = 4 * 8 * 8
    kept = {}
    for strategy in STRATEGIES:
        with recomputing(block, strategy):
            kept[strategy] = saved_bytes(block, X)
    assert kept == {
        'none': 2 * (64 + 96 + 128 + 160) * (pixels + 4),
        'convolution': (64 + 96 + 128 + 160) * pixels,
        'concatenation': (64 + 3 * 32) * pixels,
        'block': 64 * pixels,
    }


def test_the_network_is_restored_even_after_an_error() -> None:
    net = densenet()
    with pytest.raises(RuntimeError, match='中断'), recomputing(net, 'block'):
        raise RuntimeError('中断')
    blocks = [m for m in net.modules() if isinstance(m, DenseBlock)]
    assert not any('forward' in vars(block) for block in blocks)


def test_recomputing_may_be_nested() -> None:
    """里层离开时回到外层的办法，外层离开时回到类里的。"""
    block, X = DenseBlock(4, 64, 32), random_images(1, 64, 8)
    alone = {}
    for strategy in STRATEGIES:
        with recomputing(block, strategy):
            alone[strategy] = saved_bytes(block, X)
    assert alone['block'] < alone['convolution'] < alone['none'] == saved_bytes(block, X)
    for outer in STRATEGIES:
        with recomputing(block, outer):
            with recomputing(block, 'block'):
                with recomputing(block, 'convolution'):
                    assert saved_bytes(block, X) == alone['convolution']
                assert saved_bytes(block, X) == alone['block']
            assert saved_bytes(block, X) == alone[outer]
        assert 'forward' not in vars(block)


def test_a_forward_of_ones_own_comes_back() -> None:
    block = DenseBlock(2, 4, 4)
    own = block.forward = lambda X: X
    with recomputing(block, 'convolution'):
        assert block.forward is not own
    assert vars(block)['forward'] is own


@pytest.mark.parametrize('norm', [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_statistics_of_every_batch_norm_are_frozen(norm: type[nn.Module]) -> None:
    layer = norm(2)
    X = torch.randn(4, 2, *(1, 1, 1)[: {'1': 0, '2': 2, '3': 3}[norm.__name__[-2]]])
    with frozen_statistics(layer):
        layer(X)
    assert torch.equal(layer.running_mean, torch.zeros(2))
    assert layer.num_batches_tracked == 0 and layer.momentum == 0.1


def test_unknown_strategy_or_network_without_dense_blocks_is_refused() -> None:
    with (
        pytest.raises(ValueError, match='none、convolution、concatenation、block'),
        recomputing(densenet(), 'layer'),
    ):
        pass
    with (
        pytest.raises(ValueError, match='没有稠密块'),
        recomputing(resnet18(), 'block'),
    ):
        pass


def test_network_without_dense_blocks_may_recompute_nothing() -> None:
    """练习 6 在显卡上把 ResNet-18 与 DenseNet 放在同一个循环里量。"""
    X = torch.empty(1, 1, 64, 64, device='meta')
    net = resnet18().to('meta')
    plain = saved_bytes(net, X)
    with recomputing(net, 'none'):
        assert saved_bytes(net, X) == plain


def test_an_unusual_momentum_comes_back() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=0.3))
    saved_bytes(net, random_images(2, 1, 8))
    assert net[1].momentum == 0.3
    assert net[1].num_batches_tracked == 0
    cumulative = nn.BatchNorm2d(4, momentum=None)
    with pytest.raises(RuntimeError, match='中断'), frozen_statistics(cumulative):
        raise RuntimeError('中断')
    assert cumulative.momentum is None and cumulative.num_batches_tracked == 0
