"""层表：各行之和等于整个网络的参数与乘加，不论网络怎样写；特征图是那一层当时的输出。"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from deepcnn.anatomy.layers import capture, count_parameters, layer_table
from deepcnn.models import create, names

devices = pytest.mark.parametrize('device', ['cpu', 'meta'])


class Written(nn.Module):
    """``run(self, X)`` 是 forward，``layers`` 是它的层。"""

    def __init__(self, run: Callable, **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, X: Tensor) -> object:
        return self.run(self, X)


def shared_in_two_places() -> nn.Module:
    first = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    second = nn.Sequential(first[0], nn.Conv2d(1, 2, 1))
    return Written(lambda self, X: self.b(self.a(self.a(X))), a=first, b=second)


def tied() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    net[1].weight = net[0].weight
    return net


def attention() -> nn.Module:
    def run(self: nn.Module, X: Tensor) -> Tensor:
        Y = self.enter(X[:, 0])
        return self.mix(Y, Y, Y)[0]

    mix = nn.MultiheadAttention(16, 4, batch_first=True)
    return Written(run, enter=nn.Linear(8, 16), mix=mix)


def with_a_parameter_of_its_own() -> nn.Module:
    net = Written(lambda self, X: X[:, 0] @ self.weight)
    net.weight = nn.Parameter(torch.ones(8, 4))
    return net


# 名字 → (造网络, 参数个数, 一张 1×8×8 图像的乘加)，乘加由手算
NETS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    'GroupNorm and PReLU': (
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.PReLU(8)),
        80 + 16 + 8, 36 * 9 * 8,
    ),
    'ConvTranspose2d': (
        lambda: nn.Sequential(nn.ConvTranspose2d(1, 3, 3, stride=2)), 30, 64 * 27,
    ),
    'Conv1d and Conv3d': (
        lambda: nn.Sequential(
            nn.Flatten(1, 2), nn.Conv1d(8, 2, 3), nn.Unflatten(1, (1, 2, 1)),
            nn.Conv3d(1, 2, (1, 1, 3)),
        ),
        50 + 8, 6 * 48 + 2 * 4 * 6,
    ),
    'groups and dilation': (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 1), nn.Conv2d(4, 8, 3, groups=4, dilation=2)
        ),
        8 + 80, 64 * 4 + 16 * 8 * 9,
    ),
    'Linear on three dimensions': (
        lambda: nn.Sequential(nn.Flatten(1, 2), nn.Linear(8, 5)), 45, 8 * 8 * 5,
    ),
    'Linear on four dimensions': (lambda: nn.Linear(8, 5), 45, 8 * 8 * 5),
    'Bilinear': (
        lambda: Written(lambda self, X: self.b(X, X), b=nn.Bilinear(8, 8, 2)), 130, None,
    ),
    'MultiheadAttention': (
        attention, 144 + 3 * (256 + 16) + 272,
        64 * 16 + 4 * 8 * 256 + 2 * 4 * 64 * 4,
    ),
    'TransformerEncoderLayer': (
        lambda: Written(
            lambda self, X: self.e(X[:, 0]),
            e=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        ),
        600, 8 * 4 * 64 + 2 * 64 * 8 + 2 * 8 * 128,
    ),
    'a tuple': (
        lambda: nn.Sequential(
            Written(lambda self, X: (X, None, {'a': self.c(X)}), c=nn.Conv2d(1, 2, 1)),
        ),
        4, 128,
    ),
    'nothing but a number': (
        lambda: Written(
            lambda self, X: (self.note(X), self.c(X))[1],
            note=Written(lambda self, X: 7), c=nn.Conv2d(1, 2, 1),
        ),
        4, 128,
    ),
    'a layer called twice': (
        lambda: Written(lambda self, X: self.c(self.c(X)), c=nn.Conv2d(1, 1, 1)), 2, 128,
    ),
    'a layer in two places': (shared_in_two_places, 10 + 4, 3 * 64 * 9 + 128),
    'tied weights': (tied, 64 + 16, 2 * 8 * 64),
    'an unused layer': (
        lambda: Written(lambda self, X: X, unused=nn.Linear(9, 9)), 90, 0,
    ),
    'functions in forward': (with_a_parameter_of_its_own, 32, 8 * 8 * 4),
    'functions beside layers': (
        lambda: Written(
            lambda self, X: self.c(X) + torch.einsum('nchw,ncvw->nchv', X, X),
            c=nn.Conv2d(1, 1, 1),
        ),
        2, 64 + 8 * 8 * 8,
    ),
    'a layer without its call': (
        lambda: Written(lambda self, X: self.c.forward(X), c=nn.Conv2d(1, 2, 1)), 4, 128,
    ),
    'no parameter at all': (nn.ReLU, 0, 0),
    'half precision': (lambda: nn.Conv2d(1, 2, 3).bfloat16(), 20, 36 * 18),
    'frozen': (lambda: nn.Conv2d(1, 2, 3).requires_grad_(False), 20, 36 * 18),
}  # fmt: skip


def counted(net: nn.Module, images: Tensor) -> float:
    """PyTorch 自己的数法，整个网络一次；在 meta 上没有合在一起的算子。"""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.train()(images)
    return counter.get_total_flops() / 2


@devices
@pytest.mark.parametrize('name', NETS)
def test_rows_add_up_to_the_network(name: str, device: str) -> None:
    build, parameters, macs = NETS[name]
    with torch.device(device):
        net = build()
    table = layer_table(net, 8, detail=True)
    assert table.parameters == count_parameters(net) == parameters
    assert all(row.parameters >= 0 and row.macs >= 0 for row in table.rows)
    if macs is not None:
        assert table.macs == macs
    kind = next(net.parameters(), torch.empty(0)).dtype
    with torch.device('meta'):
        meta = build()
    images = torch.zeros(1, 1, 8, 8, device='meta', dtype=kind)
    assert table.macs == counted(meta, images)


@pytest.mark.parametrize('detail', [False, True])
@pytest.mark.parametrize('name', names())
def test_every_network_of_the_book_adds_up(name: str, detail: bool) -> None:
    with torch.device('meta'):
        net = create(name, image_size=224)
    table = layer_table(net, 224, detail=detail)
    assert table.parameters == count_parameters(net)
    assert table.macs == counted(net, torch.zeros(1, 1, 224, 224, device='meta'))


def test_the_table_on_the_processor_is_the_one_on_meta() -> None:
    net = create('googlenet')
    on_cpu = layer_table(net, 96, detail=True)
    assert layer_table(net.to('meta'), 96, detail=True) == on_cpu


def test_a_learned_layer_outside_the_stages_has_a_row() -> None:
    net = create('nin')
    plain = layer_table(net, 96)
    net.extra = nn.Linear(3, 4)
    table = layer_table(net, 96)
    assert table.rows[-1].name == '其余' and table.rows[:-1] == plain.rows
    assert table.parameters == count_parameters(net)


def test_unused_layers_are_marked() -> None:
    net = Written(lambda self, X: self.c(X), c=nn.Conv2d(1, 2, 1), d=nn.Linear(2, 2))
    table = layer_table(net, 8, detail=True)
    assert [row.shape for row in table.rows] == [(2, 8, 8), ()]
    assert '| d（Linear） | 没有用到 | 6 | 0 |' in table._repr_markdown_()


def test_a_network_without_stages_says_how_to_list_it() -> None:
    with pytest.raises(ValueError, match='Sequential 没有分成.*detail=True'):
        layer_table(nn.Sequential(nn.Conv2d(1, 2, 1)), 8)


def test_attention_is_as_fast_afterwards_as_before() -> None:
    fast = torch.backends.mha.get_fastpath_enabled()
    for setting in (True, False):
        torch.backends.mha.set_fastpath_enabled(setting)
        layer_table(attention(), 8, detail=True)
        assert torch.backends.mha.get_fastpath_enabled() is setting
    torch.backends.mha.set_fastpath_enabled(fast)


def test_learnable_parameters_leave_the_frozen_ones_out() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    net[0].requires_grad_(False)
    assert count_parameters(net) == 16 + 25
    assert count_parameters(net, learnable_only=True) == 25


# ---- 特征图 -------------------------------------------------------------------


def test_captured_maps_are_of_their_moment() -> None:
    """ResNet 的 ReLU 就地改写批量归一化的输出。"""
    torch.manual_seed(0)
    net = models.resnet18().eval()
    X = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), capture(net, 'conv1', 'bn1', 'relu') as maps:
        net(X)
        expected = net.bn1(net.conv1(X))
    assert torch.equal(maps['bn1'], expected)
    assert (maps['bn1'] < 0).any()
    assert torch.equal(maps['relu'], maps['bn1'].relu())


def test_captured_maps_are_not_the_input_changed_later() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    X = torch.tensor([-1.0, 1.0])
    with capture(net, '0') as maps:
        net(X)
    assert maps['0'].tolist() == [-1, 1]


@pytest.mark.parametrize(
    'output',
    [
        lambda self, X: (X, 1),
        lambda self, X: [None, X],
        lambda self, X: {'a': 'b', 'c': (X,)},
    ],
)
def test_the_first_tensor_of_several_is_captured(output: Callable) -> None:
    net = nn.Sequential(Written(output))
    with capture(net, '0') as maps:
        net(torch.ones(2, 2).bfloat16())
    assert maps['0'].dtype == torch.float32 and maps['0'].shape == (2, 2)


def test_a_module_without_a_tensor_cannot_be_captured() -> None:
    net = nn.Sequential(Written(lambda self, X: 3))
    with (
        pytest.raises(ValueError, match='0 返回的是 int，里面没有张量'),
        capture(net, '0'),
    ):
        net(torch.ones(2))
    assert not net[0]._forward_hooks
