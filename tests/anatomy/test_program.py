"""网络写成一串算子：名字与结构对得上，引擎不会的东西当场说出名字。"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from living.write_programs import DATA, script_of
from torch import Tensor, nn

from deepcnn.anatomy.program import NotInPage, describe, page_program
from deepcnn.data import load_dataset
from deepcnn.models.lineup import LINEUP


@pytest.mark.parametrize('name', LINEUP)
def test_committed_programs_are_those_of_the_networks(name: str) -> None:
    """不同的话，运行 python tools/living/write_programs.py。"""
    found = (DATA / f'program-{name}.js').read_text(encoding='utf-8')
    assert found == script_of(name, load_dataset())
    assert len(found) < 25_000


def built(name: str) -> nn.Module:
    with torch.device('meta'):
        return LINEUP[name].build(224)


def test_stages_keep_the_names_of_the_modules() -> None:
    net = built('resnet18')
    program = describe(net)
    taps = program['taps']
    assert taps[:2] == ['stem.0.0', 'stem.2'] and taps[-1] == 'stages.3.1'
    modules = dict(net.named_modules())
    assert set(taps) <= set(modules) and program['output'] in modules
    written = [one['to'] for one in program['operators']]
    assert len(written) == len(set(written))


def test_the_score_maps_of_nin_can_be_looked_at() -> None:
    """全局平均池化之前，一个通道一类；别的网络交给池化的是最后一段。"""
    with torch.device('meta'):
        program = page_program(built('nin'), 'NiN', 224, load_dataset())
    assert program['taps'][-1] == 'head.1.4'
    assert program['titles']['head.1.4'] == '得分图'
    for name in LINEUP.keys() - {'nin'}:
        assert describe(built(name))['taps'][-1].startswith('stages.')


def test_a_layer_used_twice_writes_two_tensors() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, X: Tensor) -> Tensor:
            return self.conv(self.conv(X)) + X

    operators = describe(Twice())['operators']
    assert [one['to'] for one in operators] == ['conv', 'conv#2', 'add']
    assert operators[1]['from'] == ['conv'] and operators[0]['weight'] == 'conv.weight'
    assert operators[2]['from'] == ['conv#2', 'image']


class Written(nn.Module):
    """``forward`` 里直接写着 ``compute``。"""

    def __init__(self, compute: Callable[[nn.Module, Tensor], object]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.bn = nn.BatchNorm2d(2)
        self.relu = nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.ones(1))
        self.compute = compute

    def forward(self, X: Tensor) -> object:
        return self.compute(self, X)


@pytest.mark.parametrize(
    ('compute', 'kinds'),
    [
        (lambda net, X: F.relu(net.conv(X)), ['conv', 'relu']),
        (lambda net, X: net.conv(X).relu().flatten(1), ['conv', 'relu', 'flatten']),
        (lambda net, X: torch.cat((X, net.conv(X)), 1), ['conv', 'concat']),
        (lambda net, X: torch.cat(tensors=[X, net.conv(X)], dim=1), ['conv', 'concat']),
        (lambda net, X: torch.cat([net.conv(X)], 1), ['conv', 'same']),
        (
            lambda net, X: torch.sigmoid(net.relu(net.conv(X))),
            ['conv', 'relu', 'sigmoid'],
        ),
        (lambda net, X: torch.add(X, net.conv(X)), ['conv', 'add']),
    ],
)
def test_functions_in_forward_are_understood(
    compute: Callable, kinds: list[str]
) -> None:
    assert [one['do'] for one in describe(Written(compute))['operators']] == kinds


@pytest.mark.parametrize(
    ('net', 'shown'),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU()), '不会算 1（GELU）'),
        (nn.Conv2d(2, 2, 3, groups=2), 'groups 是 2'),
        (nn.Conv2d(1, 2, 3, dilation=2), 'dilation 是 (2, 2)'),
        (nn.Conv2d(1, 2, 3, padding='same'), 'padding 写成了文字'),
        (nn.Conv2d(1, 2, 3, padding=1, padding_mode='reflect'), 'padding_mode'),
        (nn.MaxPool2d(3, ceil_mode=True), 'ceil_mode 是 True'),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), 'count_include_pad'),
        (nn.AdaptiveAvgPool2d((None, 1)), '输出边长没有写定'),
        (nn.BatchNorm2d(1, affine=False), 'affine 是 False'),
        (nn.BatchNorm2d(1, track_running_stats=False), 'track_running_stats'),
        (nn.Flatten(2), 'start_dim 是 2'),
        (Written(lambda net, X: F.gelu(net.conv(X))), '不会算 gelu'),
        (Written(lambda net, X: X * 2), '不会算 mul'),
        (Written(lambda net, X: X + 1), '只会把两个张量相加'),
        (Written(lambda net, X: net.conv(X) * net.scale), '不会'),
        (Written(lambda net, X: torch.cat([X, X], 1)), '每个张量用一次'),
        (Written(lambda net, X: torch.cat([X, net.conv(X)])), '通道维'),
        (Written(lambda net, X: X.flatten()), 'flatten(1)'),
        (Written(lambda net, X: net.conv(X) if X.sum() > 0 else X), '分支或循环'),
        (Written(lambda net, X: [net.conv(X) for _ in range(X)]), '分支或循环'),
        (Written(lambda net, X: net.conv(X).view(len(X), -1)), '分支或循环'),
        (Written(lambda net, X: (X, net.conv(X))), '不是一个张量'),
        (Written(lambda net, X: net.relu(Y := net.bn(net.conv(X))) + Y), '就地改写'),
    ],
)
def test_what_the_engine_cannot_do_is_named(net: nn.Module, shown: str) -> None:
    with pytest.raises(NotInPage) as caught:
        describe(net)
    assert shown in str(caught.value) and '\n' not in str(caught.value)


def test_a_mistake_in_the_network_stays_what_it_is() -> None:
    net = Written(lambda net, X: X + (torch.ones(2) + torch.ones(3)))
    with pytest.raises(RuntimeError, match='size of tensor'):
        describe(net)


def test_dropout_and_identity_do_nothing() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.Identity())
    assert [one['do'] for one in describe(net)['operators']] == ['same', 'same']
