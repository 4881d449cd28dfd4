"""六个网络：形状、参数量、最小输入，以及与 torchvision 逐位对照的输出。"""

from collections.abc import Callable

import pytest
import torch
from random_images import random_images
from torch import nn
from torchvision import models as reference

from deepcnn.anatomy.layers import count_parameters, layer_table
from deepcnn.models import alexnet as alexnet_module
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import (
    DenseBlock,
    conv_block,
    densenet,
    paper_densenet,
    transition_block,
)
from deepcnn.models.googlenet import INCEPTIONS, Inception, googlenet, out_channels
from deepcnn.models.network import Network
from deepcnn.models.nin import nin, nin_block
from deepcnn.models.resnet import ResidualBlock, resnet, resnet18
from deepcnn.models.vgg import vgg, vgg11, vgg_block

# 每个网络在自己允许的最小边长上构造；第二个数是那个边长。
SMALLEST: dict[str, tuple[Callable[..., Network], int]] = {
    'alexnet': (lambda **kw: alexnet(image_size=63, **kw), 63),
    'vgg11': (lambda **kw: vgg11(image_size=32, width=0.125, **kw), 32),
    'nin': (nin, 67),
    'googlenet': (googlenet, 32),
    'resnet18': (resnet18, 32),
    'densenet': (densenet, 32),
}
every_network = pytest.mark.parametrize('name', SMALLEST)


@every_network
def test_scores_have_one_row_per_image(name: str) -> None:
    build, size = SMALLEST[name]
    for count in (1, 3):
        scores = build().eval()(random_images(count, 1, size))
        assert scores.shape == (count, 10)
        assert scores.isfinite().all()


@every_network
def test_channels_and_classes_are_arguments(name: str) -> None:
    build, size = SMALLEST[name]
    net = build(in_channels=3, num_classes=7).eval()
    assert net(random_images(2, 3, size)).shape == (2, 7)


@every_network
def test_every_parameter_gets_a_gradient(name: str) -> None:
    build, size = SMALLEST[name]
    torch.manual_seed(0)
    net = build().train()
    if net.image_size is None:
        size = max(size, 64)  # 最后的批量归一化在 1×1 的图上方差太小
    net(random_images(4, 1, size)).square().sum().backward()
    for key, value in net.named_parameters():
        assert value.grad is not None, f'{key} 没有梯度'
        assert value.grad.any() and value.grad.isfinite().all(), f'{key} 的梯度是 0'


@every_network
def test_too_small_an_image_names_the_smallest(name: str) -> None:
    build, size = SMALLEST[name]
    net = build().eval()
    with pytest.raises(ValueError, match=f'至少要 {size} 像素'):
        net(random_images(1, 1, size - 1))


@every_network
def test_state_dict_survives_a_round_trip(name: str) -> None:
    build, size = SMALLEST[name]
    first, second = build().eval(), build().eval()
    second.load_state_dict(first.state_dict())
    X = random_images(2, 1, size)
    assert torch.equal(first(X), second(X))


@pytest.mark.parametrize('build', [alexnet, vgg11])
def test_fixed_size_networks_refuse_other_sizes(build: Callable[..., Network]) -> None:
    with pytest.raises(ValueError, match='至少要'):
        build(image_size=16)
    with pytest.raises(ValueError, match='image_size=96'):
        build(image_size=64)(random_images(1, 1, 96))


@pytest.mark.parametrize('build', [nin, googlenet, resnet18, densenet])
def test_the_shorter_side_must_be_large_enough(build: Callable[..., Network]) -> None:
    net = build().eval()
    size = net.smallest_input
    assert net(torch.zeros(1, 1, size, size + 9)).shape == (1, 10)
    for height, width in ((size - 1, size + 9), (size + 9, size - 1)):
        with pytest.raises(ValueError, match=f'现在是 {size - 1}'):
            net(torch.zeros(1, 1, height, width))


@pytest.mark.parametrize(('height', 'width'), [(64, 96), (96, 64)])
def test_fixed_size_networks_refuse_other_shapes(height: int, width: int) -> None:
    net = vgg11(image_size=64, width=0.125).eval()
    with pytest.raises(ValueError, match=f'现在是 {height}×{width}'):
        net(torch.zeros(1, 1, height, width))


def test_the_shell_refuses_a_size_below_its_own_minimum() -> None:
    parts = nn.Identity(), nn.Sequential(), nn.Flatten()
    with pytest.raises(ValueError, match='shell 的输入边长至少要 8 像素，现在是 7'):
        Network('shell', *parts, smallest_input=8, image_size=7)


def test_vgg_keeps_at_least_one_channel() -> None:
    narrow = vgg11(image_size=32, width=1 / 64)
    first = next(m for m in narrow.modules() if isinstance(m, nn.Conv2d))
    assert first.out_channels == 1
    with pytest.raises(ValueError, match='至少要 1/64'):
        vgg11(image_size=32, width=1 / 65)


@pytest.mark.parametrize(
    ('name', 'convs'),
    [
        ('vgg11', (1, 1, 2, 2, 2)),
        ('vgg13', (2, 2, 2, 2, 2)),
        ('vgg16', (2, 2, 3, 3, 3)),
        ('vgg19', (2, 2, 4, 4, 4)),
    ],
)
def test_vgg_blocks_are_those_of_table_1(name: str, convs: tuple[int, ...]) -> None:
    """论文表 1 的 A、B、D、E 列：各块的卷积层数，都是 3×3、步幅 1、填充 1。"""
    with torch.device('meta'):
        net = vgg(name)
    found = []
    for block, channels in zip([net.stem, *net.stages], (64, 128, 256, 512, 512), strict=True):
        layers = [m for m in block if isinstance(m, nn.Conv2d)]
        found.append(len(layers))
        windows = {(m.out_channels, m.kernel_size, m.stride, m.padding) for m in layers}
        assert windows == {(channels, (3, 3), (1, 1), (1, 1))}
    assert tuple(found) == convs


def test_nothing_smaller_than_the_stated_minimum_works_in_alexnet() -> None:
    assert alexnet_module.output_size(63, first_padding=2) == 1
    assert alexnet_module.output_size(62, first_padding=2) == 0
    assert alexnet_module.output_size(65, first_padding=1) == 1
    with pytest.raises(ValueError, match='至少要 65 像素'):
        alexnet(image_size=64, first_padding=1)


@pytest.mark.parametrize(
    ('net', 'published'),
    [
        (lambda: alexnet(first_padding=1), 46_764_746),  # d2l 的版本
        (lambda: vgg11(width=0.25), 43_093_322),
    ],
)
def test_parameter_counts_of_other_widths_are_the_published_ones(
    net: Callable[[], Network], published: int
) -> None:
    """其余的见 test_registry.py 与 test_parity.py。"""
    with torch.device('meta'):
        assert count_parameters(net()) == published


def test_densenet_is_d2ls_without_the_redundant_biases() -> None:
    biases = 64 + 4 * 4 * 32 + 96 + 112 + 120  # 入口、各卷积块、三个过渡层
    net = densenet()
    d2l_count = 758_226
    redundant = sum(m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d))
    assert redundant == biases
    assert count_parameters(net) == d2l_count - biases


def unlike_new(net: Network) -> Network:
    """批量归一化换成随机的统计量、比例与偏移：刚造好时它在评价模式下几乎是恒等映射，
    多一个 ReLU 也看不出。"""
    generator = torch.Generator().manual_seed(7)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        for values in (norm.running_mean, norm.bias):
            values.data.normal_(0, 0.3, generator=generator)
        for values in (norm.running_var, norm.weight):
            values.data.uniform_(0.5, 1.5, generator=generator)
    return net


def same_weights(net: Network, theirs: Callable[[], nn.Module]) -> nn.Module:
    """torchvision 的网络，参数按出现的顺序一一换成 ``net`` 的副本。"""
    with torch.device('meta'):  # 权重马上换掉，不必初始化
        other = theirs()
    copied = [value.clone() for value in net.state_dict().values()]
    names = other.state_dict().keys()
    other.load_state_dict(dict(zip(names, copied, strict=True)), assign=True)
    return other.train(net.training)


WITH_NORMALIZATION = {
    'resnet18': (lambda: resnet('resnet18', 3, 10), reference.resnet18),
    'resnet50': (lambda: resnet('resnet50', 3, 10), reference.resnet50),
    'densenet121': (lambda: paper_densenet('densenet121', 3, 10), reference.densenet121),
}


@pytest.mark.parametrize('name', ['vgg11', *WITH_NORMALIZATION])
def test_torchvision_gives_the_same_scores(name: str) -> None:
    if name == 'vgg11':  # torchvision 的 VGG 只认 224 像素
        ours, theirs, size = lambda: vgg('vgg11', 3, 10, 224), reference.vgg11, 224
    else:
        (ours, theirs), size = WITH_NORMALIZATION[name], 64
    net = unlike_new(ours()).eval()
    other = same_weights(net, lambda: theirs(num_classes=10))
    X = random_images(2, 3, size)
    with torch.no_grad():
        torch.testing.assert_close(net(X), other(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', ['resnet18', 'densenet121'])
def test_torchvision_trains_the_same(name: str) -> None:
    """训练模式：得分、每个梯度、批量归一化的滑动平均都相同；双精度，免得误差被放大。"""
    ours, theirs = WITH_NORMALIZATION[name]
    torch.manual_seed(0)
    net = unlike_new(ours()).double().train()
    other = same_weights(net, lambda: theirs(num_classes=10))
    X = random_images(2, 3, 64).double()
    y = torch.tensor([1, 2])
    scores, expected = net(X), other(X)
    torch.testing.assert_close(scores, expected)
    for one in (scores, expected):
        nn.functional.cross_entropy(one, y).backward()
    for mine, other_one in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other_one.grad)
    for mine, other_one in zip(net.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(mine, other_one)


# ---- 原文写明的每个数 ---------------------------------------------------------


def weight_layers(net: nn.Module) -> int:
    """卷积层与全连接层的个数，不计残差块捷径上的 1×1 卷积。"""
    return sum(
        isinstance(module, nn.Conv2d | nn.Linear) and '.shortcut.' not in name
        for name, module in net.named_modules()
    )


@pytest.mark.parametrize(
    ('name', 'depth'),
    [('resnet18', 18), ('resnet34', 34), ('resnet50', 50), ('resnet101', 101)],
)
def test_resnet_is_as_deep_as_its_name(name: str, depth: int) -> None:
    with torch.device('meta'):
        assert weight_layers(resnet(name)) == depth


def test_alexnet_has_eight_layers_and_vgg_what_its_name_says() -> None:
    with torch.device('meta'):
        assert weight_layers(alexnet()) == 8
        for depth in (11, 13, 16, 19):
            assert weight_layers(vgg(f'vgg{depth}')) == depth


def test_alexnet_keeps_the_papers_sizes() -> None:
    rows = layer_table(alexnet(), 224).rows
    assert [row.shape for row in rows[:-1]] == [
        (96, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 6, 6),
    ]  # fmt: skip


def test_vgg_block_halves_the_image() -> None:
    assert vgg_block(2, 3, 16)(random_images(2, 3, 32)).shape == (2, 16, 16, 16)


def test_nin_block_keeps_its_channels_through_the_pixelwise_layers() -> None:
    block = nin_block(1, 96, 11, stride=4)
    assert block(random_images(2, 1, 224)).shape == (2, 96, 54, 54)
    kernels = [m.kernel_size for m in block if isinstance(m, nn.Conv2d)]
    assert kernels == [(11, 11), (1, 1), (1, 1)]


@pytest.mark.parametrize(
    ('name', 'parts', 'total'),
    [
        ('3a', (64, 128, 32, 32), 256),
        ('3b', (128, 192, 96, 64), 480),
        ('4a', (192, 208, 48, 64), 512),
        ('4b', (160, 224, 64, 64), 512),
        ('4c', (128, 256, 64, 64), 512),
        ('4d', (112, 288, 64, 64), 528),
        ('4e', (256, 320, 128, 128), 832),
        ('5a', (256, 320, 128, 128), 832),
        ('5b', (384, 384, 128, 128), 1024),
    ],
)
def test_inception_sums(name: str, parts: tuple[int, ...], total: int) -> None:
    c1, c2, c3, c4 = INCEPTIONS[name]
    assert (c1, c2[1], c3[1], c4) == parts
    assert out_channels(name) == sum(parts) == total
    block = Inception(16, c1, c2, c3, c4)
    assert block(random_images(1, 16, 8)).shape == (1, total, 8, 8)


def test_zero_residual_passes_a_nonnegative_input_unchanged() -> None:
    block = ResidualBlock(8, 8).eval()
    nn.init.zeros_(block.residual[-1][1].weight)
    X = random_images(2, 8, 8).relu()
    assert torch.equal(block(X), X)


def test_dense_block_grows_from_3_to_23() -> None:
    block = DenseBlock(2, 3, 10)
    X = random_images(4, 3, 8)
    Y = block(X)
    assert Y.shape == (4, 3 + 2 * 10, 8, 8)
    assert torch.equal(Y[:, :3], X)  # 输入原样留在前 3 个通道
    assert transition_block(23, 10)(Y).shape == (4, 10, 4, 4)
    assert conv_block(3, 10)(X).shape == (4, 10, 8, 8)


def test_each_dense_block_adds_128_channels() -> None:
    channels = [row.shape[0] for row in layer_table(densenet(), 96).rows[:-1]]
    assert channels == [64, 192, 96, 224, 112, 240, 120, 248]


@pytest.mark.parametrize('family', [vgg, resnet, paper_densenet])
def test_unknown_variant_names_the_known_ones(family: Callable[..., Network]) -> None:
    with pytest.raises(ValueError, match='可以用'):
        family('vgg12')
