"""层表：每个数可以手算，各行之和等于整个网络的，不论网络怎样写；特征图是当时的副本。"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepcnn.anatomy.layers import (
    LayerRow,
    LayerTable,
    capture,
    count_parameters,
    layer_table,
)
from deepcnn.models import create, names
from deepcnn.models.network import Network


def tiny() -> Network:
    """入口、两个阶段、输出头；每个数都能手算。"""
    stages = nn.Sequential(
        nn.Sequential(
            nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6), nn.AvgPool2d(2)
        ),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, groups=2), nn.ReLU()),
    )
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    return Network('tiny', nn.Conv2d(2, 4, 3, padding=1), stages, head, 10)


STEM = LayerRow('stem', (4, 14, 14), 4 * 2 * 9 + 4, 4 * 2 * 9 * 14 * 14)
FIRST = LayerRow('stages.0', (6, 7, 7), 24 + 12, 24 * 14 * 14)
SECOND = LayerRow('stages.1', (8, 3, 3), 8 * 3 * 9 + 8, 8 * 3 * 9 * 3 * 3)
HEAD = LayerRow('head', (3,), 8 * 3 + 3, 8 * 3)


def test_stages_by_hand() -> None:
    table = layer_table(tiny(), 14, in_channels=2)
    assert table.rows == (STEM, FIRST, SECOND, HEAD)
    assert table.parameters == 76 + 36 + 224 + 27
    assert table.macs == sum(row.macs for row in table.rows)


def test_layers_by_hand() -> None:
    """有参数的、有乘加的，以及池化层；ReLU 与 Flatten 不列。"""
    rows = layer_table(tiny(), 14, in_channels=2, detail=True).rows
    assert rows == (
        LayerRow('stem（Conv2d）', *vars_of(STEM)),
        LayerRow('stages.0.0（Conv2d）', (6, 14, 14), 24, 24 * 14 * 14),
        LayerRow('stages.0.1（BatchNorm2d）', (6, 14, 14), 12, 0),
        LayerRow('stages.0.2（AvgPool2d）', (6, 7, 7), 0, 0),
        LayerRow('stages.1.0（Conv2d）', *vars_of(SECOND)),
        LayerRow('head.0（AdaptiveAvgPool2d）', (8, 1, 1), 0, 0),
        LayerRow('head.2（Linear）', *vars_of(HEAD)),
    )


def vars_of(row: LayerRow) -> tuple[tuple[int, ...], int, int]:
    return row.shape, row.parameters, row.macs


def test_every_kind_of_pool_is_listed() -> None:
    pools = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)
    )
    names = [row.name for row in layer_table(pools, 8, detail=True).rows]
    assert names == [
        '0（Conv2d）', '1（MaxPool2d）', '2（AvgPool2d）', '3（AdaptiveAvgPool2d）',
    ]  # fmt: skip


class Owner(nn.Module):
    """自己有参数、自己做乘法，下面还有一层；另一层没有用到。"""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5, 6))
        self.inner = nn.Linear(5, 2)
        self.unused = nn.Linear(7, 7)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(X.flatten(1) @ self.weight.T), X


def test_a_module_counts_its_own_work_without_its_children() -> None:
    net = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 0)), Owner())
    table = layer_table(net, 2, detail=True)
    assert [(row.name, row.parameters, row.macs) for row in table.rows] == [
        ('1（Owner）', 30, 30),
        ('1.inner（Linear）', 12, 10),
        ('1.unused（Linear）', 56, 0),
    ]
    assert [row.shape for row in table.rows] == [(2,), (2,), ()]
    assert '| 1.unused（Linear） | 没有用到 | 56 | 0 |' in repr(table)


def test_frozen_parameters_are_counted() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 5))
    net[0].requires_grad_(False)
    assert count_parameters(net) == 8 + 15


def test_the_table_shows_shapes_thousands_and_a_total() -> None:
    table = LayerTable(
        (LayerRow('甲', (6, 7, 7), 1234, 5_000_000), LayerRow('乙', (3,), 1, 2))
    )
    lines = [
        '| 层 | 输出形状 | 参数 | MACs |',
        '|:--|:--|--:|--:|',
        '| 甲 | 6×7×7 | 1,234 | 5,000,000 |',
        '| 乙 | 3 | 1 | 2 |',
    ]
    shown = [*lines, '| **合计** | | **1,235** | **5,000,002** |']
    assert table._repr_markdown_().splitlines() == shown
    assert repr(table).splitlines() == [*lines, '| 合计 | | 1,235 | 5,000,002 |']


def test_layer_table_looks_in_evaluation_mode_and_puts_it_back() -> None:
    """评价模式：一张 1×1 的图像也能过批量归一化，滑动平均不变。"""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    mean = net[1].running_mean.clone()
    layer_table(net, 3, detail=True)
    assert net.training and net[1].training
    assert torch.equal(net[1].running_mean, mean) and net[1].num_batches_tracked == 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_stage_without_parameters_is_listed() -> None:
    stages = nn.Sequential(
        nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), nn.Conv2d(4, 3, 1)
    )
    net = Network('pooled', nn.Conv2d(1, 4, 1), stages, nn.Flatten(), 8)
    rows = layer_table(net, 8).rows
    assert [(row.name, row.parameters) for row in rows[:3]] == [
        ('stem', 8), ('stages.0', 0), ('stages.1', 15),
    ]  # fmt: skip


def test_hand_counted_macs_of_nin() -> None:
    first_conv = 11 * 11 * 1 * 96 * 54 * 54
    pixelwise = 2 * 96 * 96 * 54 * 54
    assert layer_table(create('nin'), 224).rows[0].macs == first_conv + pixelwise


class Gram(nn.Module):
    def forward(self, X: Tensor) -> Tensor:
        rows = X.flatten(1)
        return rows.T @ rows


def test_work_without_parameters_is_listed() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), Gram())
    last = layer_table(net, 2, detail=True).rows[-1]
    assert last == LayerRow('1（Gram）', (12,), 0, 12 * 12)


# ---- 各行之和 -------------------------------------------------------------------

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


# ---- 特征图 --------------------------------------------------------------------


def test_captured_maps_are_copies_before_anything_in_place() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True))
    X = torch.randn(2, 1, 6, 6)
    with capture(net, '0', '1') as maps:
        Y = net(X)
    assert maps['0'].min() < 0  # 就地的 ReLU 没有改到它
    assert torch.equal(maps['1'], Y.detach())
    Y.data.zero_()
    assert maps['1'].any()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_captured_maps_are_plain_single_precision_on_the_cpu(
    dtype: torch.dtype,
) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3)).to(dtype)
    with capture(net, '0') as maps:
        net(torch.randn(1, 1, 6, 6, dtype=dtype))
    assert maps['0'].dtype == torch.float32
    assert maps['0'].device.type == 'cpu'
    assert not maps['0'].requires_grad


def test_hooks_are_taken_off_even_after_an_error() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3))
    with pytest.raises(RuntimeError, match='中断'), capture(net, '0'):
        raise RuntimeError('中断')
    assert not net[0]._forward_hooks
    with capture(net, '0') as maps:
        pass
    net(torch.zeros(1, 1, 6, 6))
    assert not maps


def test_the_first_tensor_of_several_outputs_is_captured() -> None:
    net, X = nn.Sequential(nn.LSTM(3, 5)), torch.randn(4, 2, 3)
    with capture(net, '0') as maps:
        outputs, _ = net(X)
    assert torch.equal(maps['0'], outputs.detach())


class Odd(nn.Module):
    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output

    def forward(self, X: Tensor) -> object:
        return self.output


def test_outputs_in_dictionaries_are_found_and_none_is_refused() -> None:
    value = torch.ones(2, 3)
    for output in ({'a': None, 'b': value}, [None, (value,)], (value, torch.zeros(1))):
        net = nn.Sequential(Odd(output))
        with capture(net, '0') as maps:
            net(value)
        assert torch.equal(maps['0'], value)
    net = nn.Sequential(Odd({'a': 3}))
    with (
        pytest.raises(ValueError, match='返回的是 dict，里面没有张量'),
        capture(net, '0'),
    ):
        net(value)
    assert not net[0]._forward_hooks


def test_unknown_modules_are_named_beside_the_legal_ones() -> None:
    net = nn.Sequential(nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3))), nn.ReLU())
    with (
        pytest.raises(ValueError, match='没有 stem、2：可以用 0、0.0、1 等'),
        capture(net, '0', 'stem', '2'),
    ):
        pass


def test_captured_maps_are_not_the_input_changed_later() -> None:
    net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    X = torch.tensor([-1.0, 1.0])
    with capture(net, '0') as maps:
        net(X)
    assert maps['0'].tolist() == [-1, 1]
