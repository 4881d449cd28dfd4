"""运算与字节的计数：与手算和已发表的计数一致。"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from roofline import OpCost, Peaks, count_costs, lower_bound, measure_peaks
from torch import nn

from deepcnn.models.alexnet import alexnet
from deepcnn.models.nin import nin
from deepcnn.models.vgg import vgg11


def test_a_matrix_product_by_hand() -> None:
    a, b = torch.zeros(3, 5), torch.zeros(5, 7)
    (cost,) = count_costs(lambda: a @ b)
    assert cost.flops == 2 * 3 * 5 * 7
    assert cost.bytes == 4 * (15 + 35 + 21)
    assert cost.calls == 1


def test_views_cost_nothing() -> None:
    a = torch.zeros(4, 6)
    assert count_costs(lambda: a.view(6, 4).t().detach()) == []


def test_fused_optimizer_reads_and_writes() -> None:
    net = nn.Linear(8, 8, bias=False)
    net.weight.grad = torch.zeros(8, 8)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, fused=True)
    costs = [c for c in count_costs(optimizer.step) if 'sgd' in c.name]
    assert len(costs) == 1
    # 读权重与梯度，写权重；梯度也算写过
    assert costs[0].bytes in (3 * 64 * 4, 4 * 64 * 4)


def test_slower_of_the_two_limits_counts() -> None:
    peaks = Peaks({'float32': 10.0, 'bfloat16': 20.0}, bandwidth=5.0)
    product = OpCost('mm', 'float32', 1, flops=100.0, bytes=5.0)
    addition = OpCost('add', 'bfloat16', 1, flops=0.0, bytes=50.0)
    assert lower_bound([product], peaks) == 10.0
    assert lower_bound([product, addition], peaks) == 20.0


@pytest.mark.parametrize(
    ('build', 'gigaflops'),
    [
        (lambda: alexnet(first_padding=1), 5.561),
        (lambda: vgg11(width=0.25), 3.058),
        (nin, 4.506),
    ],
    ids=['alexnet', 'vgg11', 'nin'],
)
def test_training_flops_of_one_image(
    build: Callable[[], nn.Module], gigaflops: float
) -> None:
    """前向加反向，224 像素；第一层不对输入求梯度。"""
    with torch.device('meta'):
        net = build()
        X, y = torch.zeros(1, 1, 224, 224), torch.zeros(1, dtype=torch.long)
    costs = count_costs(lambda: F.cross_entropy(net(X), y).backward())
    total = sum(cost.flops for cost in costs)
    assert total / 1e9 == pytest.approx(gigaflops, abs=5e-4)


def test_only_the_wanted_precisions_are_measured() -> None:
    """没有 bf16 指令的 CPU 上，一次 bf16 乘法要一分钟，所以不测。"""
    peaks = measure_peaks(torch.device('cpu'), [torch.float32])
    assert set(peaks.flops) == {'float32'}
    assert peaks.flops['float32'] > 0 and peaks.bandwidth > 0
