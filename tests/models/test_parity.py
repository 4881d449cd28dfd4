"""AlexNet、NiN 与 GoogLeNet 逐层对照：照论文的表另写一遍，用同样的权重。

VGG、ResNet、DenseNet 与 torchvision 逐位对照（见 test_models）。这三个网络在 torchvision 里
不是没有，就是与论文不同：AlexNet 各层的宽度是后来的，GoogLeNet 有批量归一化、把 5×5 换成了
3×3。所以这里只用 ``torch.nn.functional`` 再写一遍前向，每层写明论文的数。
"""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from random_images import random_images
from torch import Tensor, nn
from torchvision import models as torchvision_models

from deepcnn.anatomy.layers import capture, count_parameters, layer_table
from deepcnn.models import alexnet as alexnet_module
from deepcnn.models.alexnet import alexnet
from deepcnn.models.googlenet import INCEPTIONS, Inception, googlenet
from deepcnn.models.network import Network
from deepcnn.models.nin import nin


class Layers:
    """依次取出网络里带权重的层，每取一层先核对形状；偏置换成随机数，漏加才看得出。"""

    def __init__(self, net: nn.Module) -> None:
        generator = torch.Generator().manual_seed(1)
        self.layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for layer in self.layers:
            assert layer.bias is not None
            values = torch.randn(layer.bias.shape, generator=generator)
            layer.bias.data.copy_(0.1 * values)
        self.remaining: Iterator[nn.Module] = iter(())

    def restart(self) -> None:
        self.remaining = iter(self.layers)

    def conv(
        self,
        X: Tensor,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> Tensor:
        layer = next(self.remaining)
        assert layer.weight.shape == (out_channels, X.shape[1], kernel, kernel)
        return F.conv2d(X, layer.weight, layer.bias, stride, padding)

    def conv_relu(self, X: Tensor, *window: int) -> Tensor:
        return self.conv(X, *window).clamp(min=0)

    def linear(self, X: Tensor, out_features: int) -> Tensor:
        layer = next(self.remaining)
        assert layer.weight.shape == (out_features, X.shape[1])
        return X @ layer.weight.T + layer.bias


# ---- 照论文另写的前向：依次返回各阶段的输出，最后是得分 ----------------------------


def alexnet_of_the_paper(layers: Layers, X: Tensor, classes: int) -> list[Tensor]:
    """Krizhevsky 等（2012）3.5 节，不分成两路，不做局部响应归一化。"""
    first = F.max_pool2d(layers.conv_relu(X, 96, 11, 4, 2), 3, 2)
    second = F.max_pool2d(layers.conv_relu(first, 256, 5, 1, 2), 3, 2)
    third = layers.conv_relu(second, 384, 3, 1, 1)
    fourth = layers.conv_relu(third, 384, 3, 1, 1)
    fifth = F.max_pool2d(layers.conv_relu(fourth, 256, 3, 1, 1), 3, 2)
    hidden = fifth.flatten(1)
    for _ in range(2):
        hidden = F.dropout(layers.linear(hidden, 4096).clamp(min=0), 0.5)
    return [first, second, third, fourth, fifth, layers.linear(hidden, classes)]


def nin_of_d2l(layers: Layers, X: Tensor, classes: int) -> list[Tensor]:
    """Lin 等（2013）的结构，d2l 给出的数；得分之后没有 ReLU。"""
    outputs = []
    for channels, kernel, stride, padding in (
        (96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1),
    ):  # fmt: skip
        X = layers.conv_relu(X, channels, kernel, stride, padding)
        X = layers.conv_relu(layers.conv_relu(X, channels, 1), channels, 1)
        X = F.max_pool2d(X, 3, 2)
        outputs.append(X)
    X = layers.conv_relu(F.dropout(X, 0.5), classes, 3, 1, 1)
    scores = layers.conv(layers.conv_relu(X, classes, 1), classes, 1)
    return [*outputs, scores.mean(dim=(2, 3))]


# Szegedy 等（2015）表 1 的各行：#1×1、#3×3 reduce、#3×3、#5×5 reduce、#5×5、pool proj。
TABLE_1 = {
    'inception (3a)': (64, 96, 128, 16, 32, 32),
    'inception (3b)': (128, 128, 192, 32, 96, 64),
    'inception (4a)': (192, 96, 208, 16, 48, 64),
    'inception (4b)': (160, 112, 224, 24, 64, 64),
    'inception (4c)': (128, 128, 256, 24, 64, 64),
    'inception (4d)': (112, 144, 288, 32, 64, 64),
    'inception (4e)': (256, 160, 320, 32, 128, 128),
    'inception (5a)': (256, 160, 320, 32, 128, 128),
    'inception (5b)': (384, 192, 384, 48, 128, 128),
}
# 同一张表的输出大小一列：通道数。
OUTPUT_CHANNELS = dict(
    zip(TABLE_1, (256, 480, 512, 512, 512, 528, 832, 832, 1024), strict=True)
)


def largest_of_neighbours(X: Tensor) -> Tensor:
    """3×3、步幅 1 的最大池化，逐个邻居取最大；图像之外的不参加。"""
    height, width = X.shape[-2:]
    padded = F.pad(X, (1, 1, 1, 1), value=-torch.inf)
    shifted = [
        padded[..., row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    return torch.stack(shifted).amax(dim=0)


def inception_of_the_paper(layers: Layers, X: Tensor, row: str) -> Tensor:
    """论文图 2(b) 的四条线路，按图里从左到右的次序连结。"""
    one, reduce3, three, reduce5, five, projection = TABLE_1[row]
    return torch.cat(
        [
            layers.conv_relu(X, one, 1),
            layers.conv_relu(layers.conv_relu(X, reduce3, 1), three, 3, 1, 1),
            layers.conv_relu(layers.conv_relu(X, reduce5, 1), five, 5, 1, 2),
            layers.conv_relu(largest_of_neighbours(X), projection, 1),
        ],
        dim=1,
    )


def googlenet_of_the_paper(layers: Layers, X: Tensor, classes: int) -> list[Tensor]:
    """表 1 从上到下，不含局部响应归一化、丢弃法与辅助分类器。"""

    def pool(X: Tensor) -> Tensor:
        return F.max_pool2d(X, 3, 2, 1)

    outputs = [pool(layers.conv_relu(X, 64, 7, 2, 3))]
    X = layers.conv_relu(layers.conv_relu(outputs[0], 64, 1), 192, 3, 1, 1)
    outputs.append(pool(X))
    for module in '345':
        X = outputs[-1]
        for row in TABLE_1:
            if f'({module}' in row:
                X = inception_of_the_paper(layers, X, row)
        outputs.append(X if module == '5' else pool(X))
    return [*outputs, layers.linear(X.mean(dim=(2, 3)), classes)]


Reference = Callable[[Layers, Tensor, int], list[Tensor]]
NETWORKS: dict[str, tuple[Callable[[], Network], Reference, int]] = {
    'alexnet': (lambda: alexnet(3, 7, image_size=95), alexnet_of_the_paper, 95),
    'nin': (lambda: nin(3, 7), nin_of_d2l, 99),  # 最后的图还有 2×2
    'googlenet': (lambda: googlenet(3, 7), googlenet_of_the_paper, 70),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_every_stage_and_gradient_is_that_of_the_paper(name: str) -> None:
    """训练模式，丢弃的随机数也相同：丢弃法少了、换了地方或换了概率都看得出。"""
    torch.manual_seed(0)
    build, reference, size = NETWORKS[name]
    net = build().train()
    layers = Layers(net)
    X = random_images(2, 3, size)
    stages = [f'stages.{i}' for i in range(len(net.stages))]
    torch.manual_seed(5)
    with capture(net, 'stem', *stages) as maps:
        scores = net(X)
    torch.manual_seed(5)
    layers.restart()
    *expected, expected_scores = reference(layers, X, 7)
    assert next(layers.remaining, None) is None, '网络里还有论文没有的层'
    assert len(maps) == len(expected)
    for stage, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(maps[stage], theirs.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scores, expected_scores, rtol=1e-4, atol=1e-4)
    parameters = list(net.parameters())
    direction = random_images(1, 1, 14, seed=2)[0, 0, :2, :7]
    ours, theirs = (
        torch.autograd.grad((one * direction).sum(), parameters)
        for one in (scores, expected_scores)
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert other.any()
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('last_relu', [False, True])
def test_relu_on_the_scores_of_nin_is_a_choice(last_relu: bool) -> None:
    torch.manual_seed(0)
    net = nin(1, 7, last_relu=last_relu).eval()
    X = random_images(2, 1, 67)
    with capture(net, 'head.1', 'head.1.4') as maps:
        net(X)
    raw = maps['head.1.4']
    assert raw.min() < 0
    assert torch.equal(maps['head.1'], raw.clamp(min=0) if last_relu else raw)


def test_channels_of_every_branch_are_those_of_table_1() -> None:
    assert [f'inception ({name})' for name in INCEPTIONS] == list(TABLE_1)
    width = 192
    for name, row in zip(INCEPTIONS, TABLE_1, strict=True):
        one, reduce3, three, reduce5, five, projection = TABLE_1[row]
        block = Inception(width, *INCEPTIONS[name])
        paths = (block.path1, block.path2, block.path3, block.path4)
        found = [
            [(m.in_channels, m.out_channels, m.kernel_size, m.stride, m.padding)
             for m in path.modules() if isinstance(m, nn.Conv2d)]
            for path in paths
        ]  # fmt: skip
        unit = ((1, 1), (1, 1), (0, 0))
        assert found == [
            [(width, one, *unit)],
            [(width, reduce3, *unit), (reduce3, three, (3, 3), (1, 1), (1, 1))],
            [(width, reduce5, *unit), (reduce5, five, (5, 5), (1, 1), (2, 2))],
            [(width, projection, *unit)],
        ], row
        width = one + three + five + projection
        assert width == OUTPUT_CHANNELS[row]


def test_pooling_branch_takes_the_largest_of_its_neighbours() -> None:
    block = Inception(16, 8, (4, 8), (4, 8), 8)
    X = random_images(2, 16, 9)
    pooled = block.path4[0](X)
    assert torch.equal(pooled, largest_of_neighbours(X))
    assert not torch.allclose(pooled, F.avg_pool2d(X, 3, 1, 1), atol=0.1)


def test_operations_of_googlenet_are_those_of_table_1() -> None:
    """ops 一列的百万次乘加；7×7 卷积与 5a 两行，论文的数与它写明的形状不合，不在此列。"""
    published = {
        '3a': 128, '3b': 304, '4a': 73, '4b': 88, '4c': 100, '4d': 119, '4e': 170,
        '5b': 71,
    }  # fmt: skip
    with torch.device('meta'):
        net = googlenet(3, 1000)
    rows = layer_table(net, 224, 3, detail=True).rows
    places = {'3': 'stages.1.0', '4': 'stages.2.0', '5': 'stages.3'}
    for name, millions in published.items():
        prefix = f'{places[name[0]]}.{"abcde".index(name[1])}.'
        macs = sum(row.macs for row in rows if row.name.startswith(prefix))
        assert macs / 1e6 == pytest.approx(millions, abs=1), name
    stem = sum(row.macs for row in rows if row.name.startswith('stages.0.'))
    assert stem / 1e6 == pytest.approx(360, abs=1)


# ---- torchvision 的 AlexNet：只有宽度与论文不同 -------------------------------------


def test_alexnet_with_torchvisions_widths_gives_its_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alexnet_module, 'CHANNELS', (64, 192, 384, 256, 256))
    net = alexnet(3, 1000).eval()
    with torch.device('meta'):
        other = torchvision_models.alexnet().eval()
    copied = zip(other.state_dict(), net.state_dict().values(), strict=True)
    other.load_state_dict(dict(copied), assign=True)
    published = torchvision_models.AlexNet_Weights.IMAGENET1K_V1.meta['num_params']
    assert count_parameters(net) == published
    X = random_images(2, 3, 224)
    with torch.no_grad():
        torch.testing.assert_close(net(X), other(X), rtol=1e-4, atol=1e-4)


def test_parameters_of_alexnet_layer_by_layer() -> None:
    """论文的形状，不分成两路：各层的权重加偏置，合计 62,378,344。"""
    shapes = [
        (96, 3 * 11 * 11), (256, 96 * 5 * 5), (384, 256 * 3 * 3), (384, 384 * 3 * 3),
        (256, 384 * 3 * 3), (4096, 256 * 6 * 6), (4096, 4096), (1000, 4096),
    ]  # fmt: skip
    with torch.device('meta'):
        net = alexnet(3, 1000)
    rows = [r for r in layer_table(net, 224, 3, detail=True).rows if r.parameters]
    assert [row.parameters for row in rows] == [out * (fan + 1) for out, fan in shapes]
    assert count_parameters(net) == 62_378_344


def test_parameters_of_nin_layer_by_layer() -> None:
    """d2l 的数：单通道、10 类，合计 1,992,166。"""
    shapes = [(96, 121), (96, 96), (96, 96), (256, 96 * 25), (256, 256), (256, 256)]
    shapes += [
        (384, 256 * 9),
        (384, 384),
        (384, 384),
        (10, 384 * 9),
        (10, 10),
        (10, 10),
    ]
    with torch.device('meta'):
        net = nin()
    rows = [row for row in layer_table(net, 224, detail=True).rows if row.parameters]
    assert [row.parameters for row in rows] == [out * (fan + 1) for out, fan in shapes]
    assert count_parameters(net) == 1_992_166
