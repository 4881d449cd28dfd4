"""配置的花费：默认值是各章写明的数，别的值与真的网络一致。"""

import pytest
import torch

from deepcnn.anatomy.choice import Choice
from deepcnn.anatomy.configurations import CONFIGURABLE, choices_of, cost_of
from deepcnn.anatomy.layers import layer_table
from deepcnn.anatomy.memory import saved_bytes
from deepcnn.models.densenet import densenet
from deepcnn.models.nin import nin


@pytest.mark.parametrize(
    ('network', 'parameters', 'macs'),
    [
        ('alexnet', 58_299_082, 1_060_924_256),
        ('vgg', 128_806_154, 7_547_232_256),
        ('nin', 1_992_166, 762_297_352),
        ('inception', 163_696, 163_328 * 28 * 28),
        ('googlenet', 5_977_530, 276_066_304),
        ('resnet', 11_175_370, 318_657_536),
        ('densenet', 757_322, 129_077_168),
    ],
)
def test_defaults_are_the_chapters(network: str, parameters: int, macs: int) -> None:
    cost = cost_of(network)
    assert (cost.parts.parameters, cost.parts.macs) == (parameters, macs)


@pytest.mark.parametrize(
    ('network', 'chosen', 'parameters'),
    [
        ('alexnet', {'in_channels': 3, 'num_classes': 1000}, 62_378_344),
        ('alexnet', {'first_padding': 1}, 46_764_746),
        ('vgg', {'width': 0.25, 'image_size': 48}, 17_927_498),
        ('vgg', {'depth': 'vgg16', 'in_channels': 3, 'num_classes': 1000}, 138_357_544),
        ('resnet', {'depth': 'resnet50', 'in_channels': 3, 'num_classes': 1000}, 25_557_032),
        (
            'densenet',
            {'num_convs': (6, 12, 24, 16), 'bottleneck': True, 'in_channels': 3,
             'num_classes': 1000},
            7_978_856,
        ),
    ],
)  # fmt: skip
def test_known_variants(network: str, chosen: dict, parameters: int) -> None:
    assert cost_of(network, **chosen).parts.parameters == parameters


def test_costs_are_those_of_a_real_network() -> None:
    cost = cost_of('densenet', growth_rate=12, image_size=32, batch_size=2)
    net = densenet(growth_rate=12)
    table = layer_table(net, 32)
    assert cost.parts == table
    assert cost.activations == saved_bytes(net, torch.zeros(2, 1, 32, 32))
    assert cost.memory['AdamW'] == 2 * cost.memory['参数'] == 8 * table.parameters


def test_the_lines_of_an_inception_block_by_hand() -> None:
    rows = cost_of('inception').parts.rows
    assert [row.parameters for row in rows] == [12_352, 129_248, 15_920, 6_176]
    assert [row.shape[0] for row in rows] == [64, 128, 32, 32]
    unreduced = cost_of('inception', reduce5=192).parts.rows[2]
    assert unreduced.macs > 10 * rows[2].macs


def test_narrow_nin_keeps_its_windows() -> None:
    half = cost_of('nin', width=0.5).parts
    assert half == layer_table(
        nin(blocks=((48, 11, 4, 0), (128, 5, 1, 2), (192, 3, 1, 1))), 224
    )


@pytest.mark.parametrize('network', CONFIGURABLE)
def test_every_legal_value_builds_or_says_why_not(network: str) -> None:
    """一次改一项。"""
    for name, choice in choices_of(network).items():
        for value in (choice.options[0], choice.options[-1]):
            assert cost_of(network, **{name: value}).parts.parameters > 0


def test_two_legal_values_may_not_go_together() -> None:
    """只有 AlexNet 的图像下限随填充变化。"""
    with pytest.raises(ValueError, match='至少要 65 像素'):
        cost_of('alexnet', image_size=63, first_padding=1)


@pytest.mark.parametrize(
    ('network', 'chosen', 'message'),
    [
        ('vgg12', {}, 'alexnet、vgg、nin、inception、googlenet、resnet、densenet'),
        ('densenet', {'growth_rate': -1}, r'不能是 -1：可以用 4、8'),
        ('resnet', {'image_size': 28}, '可以用 32、48'),
        ('resnet', {'depth': 'resnet19'}, "'resnet18'、'resnet34'"),
        ('vgg', {'width': -0.5}, '0.125、0.25'),
        ('vgg', {'depths': 1}, 'depth、width、image_size'),
        ('nin', {'batch_size': 0}, '可以用 2、16'),
    ],
)
def test_bad_input_names_the_legal_values(
    network: str, chosen: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cost_of(network, **chosen)


def test_a_default_outside_the_options_is_refused() -> None:
    with pytest.raises(ValueError, match='1～3 的整数'):
        Choice('层数', range(1, 4), 4)


def test_a_switch_is_not_a_number() -> None:
    with pytest.raises(ValueError, match='False、True'):
        Choice('瓶颈', (False, True), False).require('bottleneck', 1)


def test_legal_values_are_listed() -> None:
    """连续的整数写成一段，不连续的逐个写出。"""
    with pytest.raises(ValueError, match=r'x（甲）不能是 9：可以用 0～3 的整数$'):
        Choice('甲', range(4), 0).require('x', 9)
    with pytest.raises(ValueError, match=r'x（甲）不能是 1：可以用 0、2、4$'):
        Choice('甲', range(0, 5, 2), 0).require('x', 1)


def test_memory_of_a_step_by_hand() -> None:
    """单精度，四个字节一个数；AdamW 另存两个。激活随批量成比例，参数不变。"""
    small, large = (cost_of('vgg', width=0.125, image_size=32, batch_size=n) for n in (2, 16))
    parameters = small.parts.parameters
    assert small.memory == {
        '参数': 4 * parameters,
        '梯度': 4 * parameters,
        'AdamW': 8 * parameters,
        '激活': small.activations,
    }
    assert large.parts == small.parts
    assert large.activations == pytest.approx(8 * small.activations, rel=0.02)
    total = (16 * parameters + small.activations) / 2**20
    assert f'要存 {total:,.1f} MiB' in small.summary()
    assert small.summary().startswith(f'vgg11，输入 1×32×32：{parameters:,} 个参数，')


@pytest.mark.parametrize('network', CONFIGURABLE)
def test_input_channels_are_those_of_the_images(network: str) -> None:
    channels = choices_of(network)['in_channels'].options[-1]
    cost = cost_of(network, in_channels=channels)
    assert cost.input_shape[0] == channels
    assert cost.parts.macs > cost_of(network).parts.macs
