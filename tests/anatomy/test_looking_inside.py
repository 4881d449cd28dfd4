"""看进网络里：挑通道，最能激起通道的图像，遮挡图，类激活图，卷积核的图样。"""

import re
from dataclasses import replace
from functools import cache

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn

from deepcnn.anatomy import (
    class_activation,
    examples,
    most_active,
    neighbour_roughness,
    occlusion,
    occlusion_map,
    pattern_correlation,
    responses,
    right_and_wrong,
)
from deepcnn.anatomy.class_activation import ClassActivation
from deepcnn.anatomy.occlusion import covered_images
from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.network import Network
from deepcnn.models.nin import BLOCKS, nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import vgg11


@cache
def digits() -> Dataset:
    return load_digits_dataset().first(8, 50)


# ---- 变化最大的通道 --------------------------------------------------------------


def test_the_most_active_channels_are_those_that_vary_most() -> None:
    """处处一样亮的通道，再亮也不选。"""
    ramp = torch.arange(9.0).view(3, 3)
    values = torch.stack([torch.full((3, 3), 99.0), ramp, -3 * ramp, 2 * ramp])[None]
    assert most_active(values) == [2, 3, 1, 0]
    assert most_active(values, 2) == [2, 3]
    assert most_active(values, 2, among=range(3, 1, -1)) == [2, 3]
    assert most_active(values, among=[0, 3]) == [3, 0]


def test_single_cells_are_ranked_by_their_size() -> None:
    values = torch.tensor([1.0, -5.0, 0.0, 3.0]).view(1, 4, 1, 1)
    assert most_active(values, 3) == [1, 3, 0]


@pytest.mark.parametrize(
    ('shape', 'options', 'message'),
    [
        ((2, 4, 3, 3), {}, r'现在是 \(2, 4, 3, 3\)'),
        ((1, 4), {}, r'现在是 \(1, 4\)'),
        ((1, 4, 3, 3), {'count': 0}, 'count 要是正整数'),
        ((1, 4, 3, 3), {'among': [1, 4, -1]}, r'没有通道 \[4, -1\].*0～3'),
    ],
)
def test_other_maps_and_channels_are_refused(
    shape: tuple[int, ...], options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        most_active(torch.rand(shape), **options)


# ---- 最能激起通道的图像 -----------------------------------------------------------


def two_channels() -> nn.Sequential:
    """通道 0 是图像本身，通道 1 是它的负片；后面的批量归一化与丢弃法不该起作用。"""
    conv = nn.Conv2d(1, 2, 1, bias=False)
    conv.weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    return nn.Sequential(nn.Dropout(0.9), conv, nn.BatchNorm2d(2), nn.Flatten())


def test_exciting_images_hold_the_largest_values_and_their_places() -> None:
    net, data = two_channels(), digits()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = responses(net, data, 8, '1', images=40, batch_size=7)
    X = prepare(data.test.images[:40], 8, data)
    for channel, maps in enumerate((X[:, 0], -X[:, 0])):
        best = maps.flatten(1).max(1)
        top = found.top(channel, 5)
        assert torch.equal(top.responses, best.values.sort(descending=True).values[:5])
        assert torch.equal(best.values[top.indices], top.responses)
        for index, place in zip(top.indices, top.places, strict=True):
            row, column = (8 * place - 0.5).round().int().tolist()
            assert maps[index, row, column] == best.values[index]
            assert torch.equal(place, torch.tensor([row + 0.5, column + 0.5]) / 8)
    assert all(module.training for module in net.modules())
    assert all(torch.equal(before[name], v) for name, v in net.state_dict().items())


def test_fewer_images_than_asked_are_all_shown() -> None:
    found = responses(two_channels(), digits(), 8, '1', images=3)
    assert found.map_shape == (8, 8) and len(found.top(0).indices) == 3


@pytest.mark.parametrize(
    ('layer', 'channel', 'message'),
    [('1', 2, '1 没有通道 2：编号是 0～1'), ('3', 0, r'3 的输出是 \(50, 128\)'),
     ('9', 0, '网络里没有 9')],
)  # fmt: skip
def test_absent_layers_and_channels_are_refused(
    layer: str, channel: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        responses(two_channels(), digits(), 8, layer).top(channel)


# ---- 遮挡图 --------------------------------------------------------------------


def one_pixel(row: int, column: int) -> nn.Sequential:
    """类别 1 的得分只看一个像素。"""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3, bias=False))
    net[1].weight.data.zero_()[1, 8 * row + column] = 1.0
    return net


@pytest.mark.parametrize(('patch', 'stride'), [(3, 1), (2, 1), (3, 2), (5, 3)])
def test_only_the_patches_over_the_pixel_change_the_answer(
    patch: int, stride: int
) -> None:
    data, net = digits(), one_pixel(2, 5)
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    image[0, 0, 2, 5] = 255
    found = occlusion_map(net, image, data, 8, patch=patch, stride=stride, batch_size=5)
    centres = range(0, 8, stride)
    assert found.label == 1 and found.values.shape == (len(centres),) * 2
    hidden = torch.tensor([[
        0 <= 2 - row + patch // 2 < patch and 0 <= 5 - column + patch // 2 < patch
        for column in centres] for row in centres])  # fmt: skip
    assert hidden.any()
    assert torch.equal(found.values < found.probability - 0.1, hidden)
    untouched = found.values[~hidden]
    assert torch.allclose(untouched, torch.full_like(untouched, found.probability))
    # 盖上的是平均：归一化后为 0，三个类别一样
    assert found.values[hidden].numpy() == pytest.approx(1 / 3, abs=2e-3)
    other = occlusion_map(net, image, data, 8, label=0, patch=patch, stride=stride)
    assert other.values[hidden].min() > other.probability


def test_patches_reach_every_corner_and_only_cover_the_image() -> None:
    data = replace(digits(), mean=(0.2,))
    image = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    covered = covered_images(image, data, patch=3, stride=7)
    counts = (covered == 51).sum((1, 2, 3)).tolist()
    assert counts == [4, 4, 4, 4] and (covered != 51).any()
    assert ((covered == 51) | (covered == 255)).all()
    assert covered[1, 0, 0, 7] == covered[2, 0, 7, 0] == 51


@pytest.mark.parametrize('batch_size', [1, 5, 17, 99])
def test_covered_images_are_made_a_batch_at_a_time(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """不遮挡的在最前面，随后每个中心一张；没有一次多于一批。"""
    data, seen = digits(), []
    image = data.test.images[:1]

    def watched(*arguments: object) -> Tensor:
        made = covered_images(*arguments)
        assert len(made) <= batch_size
        return made

    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, X: Tensor) -> Tensor:
            seen.append(X)
            return X.flatten(1)

    monkeypatch.setattr(occlusion, 'covered_images', watched)
    occlusion_map(Seen(), image, data, 8, patch=3, stride=2, batch_size=batch_size)
    whole = torch.cat([image, covered_images(image, data, 3, 2)])
    expected = prepare(whole, 8, data).split(batch_size)
    assert len(seen) == len(expected)
    assert all(map(torch.equal, seen, expected))


@pytest.mark.parametrize(
    ('count', 'options', 'message'),
    [
        (2, {}, '一次只看一张图像，现在有 2 张'),
        (1, {'patch': 0}, 'patch 要是正整数'),
        (1, {'stride': 0}, 'stride 要是正整数'),
        (1, {'label': 3}, '没有类别 3：编号是 0～2'),
    ],
)
def test_other_occlusions_are_refused(count: int, options: dict, message: str) -> None:
    images = torch.zeros(count, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=message):
        occlusion_map(one_pixel(0, 0), images, digits(), 8, **options)


# ---- 一张答对的，一张答错的 ----------------------------------------------------------


class Answers(nn.Module):
    """不看图像，依次给出写好的得分。"""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, X: Tensor) -> Tensor:
        return self.logits[: len(X)]


def answering(*truth: float) -> Answers:
    """第 i 张图像：正确类别的概率是 ``truth[i]``，其余的概率都给另一类。"""
    labels = digits().test.labels[: len(truth)]
    chances = torch.full((len(truth), 10), 1e-9)
    for row, label, chance in zip(chances, labels, truth, strict=True):
        row[label], row[(label + 1) % 10] = chance, 1 - chance
    return Answers(chances.log())


def test_the_first_right_and_the_most_undecided_wrong_answer() -> None:
    assert right_and_wrong(answering(0.1, 0.4, 0.6, 0.9, 0.3), digits(), 8, 5) == [2, 1]
    assert right_and_wrong(answering(0.6, 0.4, 0.6, 0.45), digits(), 8, 4) == [0, 3]


def test_images_are_looked_at_a_batch_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """几百张 224 像素的图像一次前向，内存放不下。"""
    monkeypatch.setattr(examples, 'TOGETHER', 2)
    sizes, net = [], nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    net.register_forward_hook(lambda net, given, scores: sizes.append(len(scores)))
    pair = right_and_wrong(net, digits(), 8, 25)
    assert sizes == [2] * 12 + [1]
    monkeypatch.undo()
    assert right_and_wrong(net, digits(), 8, 25) == pair and sizes[13:] == [25]


@pytest.mark.parametrize(('chance', 'message'), [(0.9, '全部答对'), (0.1, '全部答错')])
def test_without_a_pair_the_caller_is_told(chance: float, message: str) -> None:
    with pytest.raises(ValueError, match=f'前 3 张测试图像{message}.*请多看几张'):
        right_and_wrong(answering(*[chance] * 3), digits(), 8, 3)


# ---- 类激活图 -------------------------------------------------------------------


def small_nin() -> Network:
    return nin(blocks=tuple((8, *window) for _, *window in BLOCKS))


@pytest.mark.parametrize(
    ('build', 'side'),
    [(small_nin, 99), (googlenet, 64), (resnet18, 64), (densenet, 64)],
    ids=['nin', 'googlenet', 'resnet18', 'densenet'],
)
@torch.no_grad()
def test_the_mean_of_the_map_and_the_bias_are_the_score(build: type, side: int) -> None:
    """双精度：只差舍入。丢弃法与批量归一化按评价的方式。"""
    torch.manual_seed(0)
    net = build().double()
    for name, parameter in net.named_parameters():
        if name.endswith('bias'):
            parameter.normal_()
    X = torch.randn(1, 1, side, side, dtype=torch.float64)
    scores = net.eval()(X)[0]
    net.train()
    found = [class_activation(net, X, label) for label in (0, 9)]
    expected = scores[[0, 9]].tolist()
    assert [one.score for one in found] == pytest.approx(expected, abs=1e-10)
    assert found[0].values.shape == (2, 2) and found[0].values.std() > 0
    own = class_activation(net, X)
    assert own.label == scores.argmax() and own.resized(28).shape == (28, 28)
    assert all(module.training for module in net.modules())


def test_resizing_keeps_the_corners_apart() -> None:
    found = ClassActivation(0, torch.tensor([[0.0, 1.0], [2.0, 3.0]]), bias=0.5)
    large = found.resized(8)
    corners = large[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [0, 1, 2, 3] and large.mean() == pytest.approx(1.5)
    assert found.score == 2


def test_networks_without_global_pooling_have_no_activation() -> None:
    two_layers = densenet(num_convs=(1, 1), growth_rate=4)
    two_layers.head.append(nn.Linear(10, 10))
    partly_pooled = densenet(num_convs=(1, 1), growth_rate=4)
    partly_pooled.head[2] = nn.AdaptiveAvgPool2d(2)
    for net in (vgg11(image_size=32, width=0.125), two_layers, partly_pooled):
        with pytest.raises(ValueError, match='可以用 NiN、GoogLeNet、ResNet、DenseNet'):
            class_activation(net, torch.zeros(1, 1, 32, 32))


def test_one_image_and_a_known_class_are_needed() -> None:
    net = densenet(num_convs=(1, 1), growth_rate=4)
    with pytest.raises(ValueError, match='一次只看一张图像，现在有 2 张'):
        class_activation(net, torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r'现在是 \(1, 32, 32\)：请用 X\[:1\]'):
        class_activation(net, torch.zeros(1, 1, 32, 32)[0])
    with pytest.raises(ValueError, match='没有类别 10：编号是 0～9'):
        class_activation(net, torch.zeros(1, 1, 32, 32), 10)


# ---- 卷积核的图样 ---------------------------------------------------------------


@pytest.mark.parametrize('side', [2, 3, 7, 11])
def test_white_noise_has_roughness_two_whatever_the_size(side: int) -> None:
    noise = torch.randn(60_000 // side, 1, side, side, generator=generator())
    assert neighbour_roughness(noise) == pytest.approx(2, abs=0.06)
    assert neighbour_roughness(5 * noise + 3) == pytest.approx(
        neighbour_roughness(noise)
    )


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_roughness_by_hand() -> None:
    """左右差 1，上下差 0，平均 1/2；方差 (4 × 1/4) / 3 = 1/3。"""
    stripe = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2)
    assert neighbour_roughness(stripe) == pytest.approx(1.5)
    assert neighbour_roughness(stripe.mT) == pytest.approx(1.5)
    # 几乎为 0 的核不起作用，处处一样的核也不使图样显得平滑
    faint = torch.cat([stripe, 1e-6 * torch.eye(2)[None, None]])
    assert neighbour_roughness(faint) == pytest.approx(1.5)
    flat = torch.cat([stripe, torch.full((3, 1, 2, 2), 7.0)])
    assert neighbour_roughness(flat) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ('weight', 'message'),
    [
        (torch.rand(4, 1, 1, 3), '高和宽都大于 1，现在是 (4, 1, 1, 3)'),
        (torch.rand(4, 9), '现在是 (4, 9)'),
        (torch.ones(4, 1, 3, 3), '没有图样可量'),
    ],
)
def test_kernels_without_neighbours_or_pattern_are_refused(
    weight: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        neighbour_roughness(weight)


def test_correlation_compares_patterns_not_brightness_or_size() -> None:
    """减去平均再乘以正数，图样不变；正负互换得 -1；互不相干的噪声平均是 0。"""
    noise = torch.randn(2000, 1, 3, 3, generator=generator())
    other = torch.randn(2000, 1, 3, 3, generator=generator().manual_seed(1))
    ones = torch.ones(2000)
    assert torch.allclose(pattern_correlation(noise, noise / 15 + 3), ones, atol=1e-5)
    assert torch.allclose(pattern_correlation(noise, 7 - noise), -ones, atol=1e-5)
    assert pattern_correlation(noise, other).mean() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize('size', [1e-4, 1e-10, 1e-30])
def test_decay_does_not_change_the_correlation(size: float) -> None:
    first, second = torch.randn(2, 50, 1, 3, 3, generator=generator())
    expected = pattern_correlation(first, second)
    for pair in ((first, size * second), (size * first, size * second)):
        assert torch.allclose(pattern_correlation(*pair), expected, atol=1e-6)
    flat = torch.full((1, 1, 3, 3), 0.1 * size, dtype=torch.float64)
    noise = torch.randn(1, 1, 3, 3, generator=generator(), dtype=torch.float64)
    assert pattern_correlation(noise, flat).item() == pytest.approx(0, abs=1e-6)


def test_correlation_by_hand() -> None:
    """(1, -1, 1, -1) 与 (1, -1, 0, 0)：2 / √(4 × 2) = 1/√2；没有图样的核得 0。"""
    first = torch.tensor([[1.0, -1], [1, -1]]).view(1, 1, 2, 2)
    second = torch.tensor([[1.0, -1], [0, 0]]).view(1, 1, 2, 2)
    assert pattern_correlation(first, second).item() == pytest.approx(0.5**0.5)
    assert pattern_correlation(first, torch.ones(1, 1, 2, 2)).item() == 0


@pytest.mark.parametrize('shape', [(4, 1, 3, 3), (3, 1, 1, 3), (3, 9)])
def test_correlation_needs_two_alike_with_neighbours(shape: tuple[int, ...]) -> None:
    before = torch.rand(3, *shape[1:])
    with pytest.raises(ValueError, match=re.escape(f'与 {shape}')):
        pattern_correlation(before, torch.rand(shape))
