"""权重的紧凑写法：int8 差不到半级，其余逐位相同，低秩的乘得回来。"""

import pytest
import torch
from torch import nn

from deepcnn.training.weight_codec import decode, dequantize, encode, quantize


def toy() -> nn.Module:
    """每种层各一个：普通的、分组的、全连接的、没有偏置的、批量归一化。"""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.Flatten(), nn.Linear(24, 10),
    )  # fmt: skip
    net(torch.randn(8, 2, 6, 6))  # 滑动平均因此不是起始值
    return net.eval()


INT8 = ('0.weight', '3.weight', '5.weight')


@pytest.mark.parametrize(
    'layout', [torch.contiguous_format, torch.channels_last], ids=['NCHW', 'NHWC']
)
def test_a_network_comes_back_within_half_a_step(layout: torch.memory_format) -> None:
    net = toy().to(memory_format=layout)
    stored = encode(net)
    assert {n for n, value in stored.items() if value.dtype == torch.int8} == set(INT8)
    assert all(value.is_contiguous() for value in stored.values())
    state, back = net.state_dict(), decode(stored)
    assert list(back) == list(state)
    for name, value in state.items():
        if name not in INT8:
            assert torch.equal(back[name], value) and back[name].dtype == value.dtype
            continue
        largest = value.flatten(1).abs().amax(1)
        error = (back[name] - value).flatten(1).abs().amax(1)
        assert (error <= largest / 127 / 2 * 1.0001).all() and error.max() > 0
    other = toy()
    other.load_state_dict(back)
    X = torch.randn(5, 2, 6, 6)
    assert torch.allclose(other(X), net(X), atol=0.02)


def test_what_is_stored_shares_nothing_with_the_network() -> None:
    net = toy()
    stored = encode(net)
    bias = stored['0.bias'].clone()
    with torch.no_grad():
        net[0].bias += 1
    assert torch.equal(stored['0.bias'], bias)


def test_every_channel_has_its_own_scale() -> None:
    """全零的、恒定的、极小的、极大的通道互不影响。"""
    W = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    W[0], W[1], W[2] = 0, 0.37, -0.37
    W[3] *= 1e-6
    W[4] *= 1e6
    steps, scale = quantize(W)
    assert steps.dtype == torch.int8 and scale.shape == (6,) and scale.min() > 0
    back = dequantize(steps, scale)
    assert torch.equal(back[0], W[0])
    assert torch.allclose(back[1:3], W[1:3], rtol=1e-6, atol=0)
    assert steps.int().flatten(1).abs().amax(1).tolist() == [0, *[127] * 5]
    error = (back - W).flatten(1).abs().amax(1)
    assert (error <= W.flatten(1).abs().amax(1) / 250).all()
    _, scale = quantize(torch.full((1, 4), 1e-44))
    assert scale.min() > 0  # 小到下溢，也不会除以零


@pytest.mark.parametrize('wrong', [float('nan'), float('inf')])
def test_numbers_that_are_not_finite_are_refused(wrong: float) -> None:
    net = toy()
    with torch.no_grad():
        net[3].weight[1, 0, 0, 0] = wrong
    with pytest.raises(ValueError, match='NaN 或无穷大.*重新训练'):
        encode(net)


def test_factors_take_the_place_of_a_weight() -> None:
    net = toy()
    left, right, bias = torch.randn(10, 3), torch.randn(3, 24), torch.randn(10)
    stored = encode(net, {'5.weight': (left, right)}, {'5.bias': bias})
    assert '5.weight' not in stored
    assert stored['5.weight.left'].shape == (10, 3)
    assert stored['5.weight.right'].shape == (3, 24)
    back = decode(stored)
    assert back.keys() == net.state_dict().keys()
    assert torch.equal(back['5.bias'], bias)
    expected = dequantize(*quantize(left)) @ dequantize(*quantize(right))
    assert torch.equal(back['5.weight'], expected)
    assert torch.allclose(back['5.weight'], left @ right, atol=0.15)
