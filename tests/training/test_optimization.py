"""优化器与学习率：逐步与公式对照。"""

import math

import pytest
import torch
from torch import Tensor, nn

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training import loop
from deepcnn.training.loop import fit
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
START = torch.tensor([[1.0, -2.0, 0.5]])
GRADIENTS = [
    torch.tensor(row) for row in ([[1.0, 2, -4]], [[-3.0, 1, 0.5]], [[2.0, 2, 2]])
]


def trajectory(recipe: Recipe) -> list[Tensor]:
    """权重从 START 出发，梯度依次是 GRADIENTS，每步之后的值。"""
    layer = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(START)
    optimizer = make_optimizer(layer, recipe, CPU)
    found = []
    for gradient in GRADIENTS:
        layer.weight.grad = gradient.clone()
        optimizer.step()
        found.append(layer.weight.detach().clone())
    return found


@pytest.mark.parametrize('weight_decay', [0, 0.1])
@pytest.mark.parametrize('momentum', [0, 0.5, 0.9])
def test_sgd_takes_nesterovs_steps(momentum: float, weight_decay: float) -> None:
    """v ← μv + g，w ← w − η(g + μv)；μ = 0 就是教科书上的一步。衰减是 g 里的 λw。"""
    recipe = Recipe(
        8, 1, 0.1, optimizer='sgd', momentum=momentum, weight_decay=weight_decay
    )
    weight, velocity = START.clone(), torch.zeros(1, 3)
    for found, gradient in zip(trajectory(recipe), GRADIENTS, strict=True):
        gradient = gradient + weight_decay * weight
        velocity = momentum * velocity + gradient
        weight = weight - 0.1 * (gradient + momentum * velocity)
        torch.testing.assert_close(found, weight)


@pytest.mark.parametrize('weight_decay', [0, 0.1])
def test_adamw_takes_the_papers_steps(weight_decay: float) -> None:
    """Loshchilov 与 Hutter（2019）算法 2：衰减直接减在权重上，不进入两个动量。"""
    recipe = Recipe(8, 1, 0.1, optimizer='adamw', weight_decay=weight_decay)
    weight, first, second = START.clone(), torch.zeros(1, 3), torch.zeros(1, 3)
    steps = zip(trajectory(recipe), GRADIENTS, strict=True)
    for step, (found, gradient) in enumerate(steps, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
        decayed = weight - 0.1 * weight_decay * weight
        weight = decayed - 0.1 * mean / (square.sqrt() + 1e-8)
        torch.testing.assert_close(found, weight)


def one_cycle(lr: float, total: int) -> list[float]:
    """前四分之一由 lr/10 升到 lr，其余降到 lr/1000，两段都沿余弦。

    峰值在第 0.25 × total − 1 步（从 0 数，可以不是整数）；只有 4 步时在第 1 步。
    """
    peak = (0.5 if total == 4 else 0.25) * total - 1

    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    return [
        between(lr / 10, lr, step / peak)
        if step <= peak
        else between(lr, lr / 1000, (step - peak) / (total - 1 - peak))
        for step in range(total)
    ]


def rates(recipe: Recipe, steps: int) -> list[float]:
    optimizer = make_optimizer(nn.Linear(1, 1), recipe, CPU)
    schedule = make_schedule(optimizer, recipe, steps)
    found = []
    for _ in range(recipe.epochs * steps):
        found.append(optimizer.param_groups[0]['lr'])
        assert schedule.get_last_lr() == [found[-1]]
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize('optimizer', ['sgd', 'adamw'])
@pytest.mark.parametrize(('epochs', 'steps'), [(1, 4), (3, 3), (4, 5), (2, 50)])
def test_one_cycle_follows_the_closed_form(
    epochs: int, steps: int, optimizer: str
) -> None:
    recipe = Recipe(8, epochs, 0.3, optimizer=optimizer, schedule='onecycle')
    found = rates(recipe, steps)
    assert found == pytest.approx(one_cycle(0.3, epochs * steps), rel=1e-6)
    assert found[0] == pytest.approx(0.03)
    assert found[-1] == pytest.approx(0.0003)


def test_one_cycle_peaks_after_a_quarter() -> None:
    found = rates(Recipe(8, 4, 0.3), 10)
    assert found[9] == max(found) == pytest.approx(0.3)
    assert found[:10] == sorted(found[:10])
    assert found[9:] == sorted(found[9:], reverse=True)


@pytest.mark.parametrize('optimizer', ['sgd', 'adamw'])
def test_constant_stays_the_same(optimizer: str) -> None:
    recipe = Recipe(8, 3, 0.3, optimizer=optimizer, schedule='constant')
    assert rates(recipe, 5) == [0.3] * 15


@pytest.mark.parametrize('schedule', ['onecycle', 'constant'])
def test_the_schedule_leaves_the_momentum_alone(schedule: str) -> None:
    recipe = Recipe(8, 2, 0.3, optimizer='sgd', schedule=schedule, momentum=0.7)
    optimizer = make_optimizer(nn.Linear(1, 1), recipe, CPU)
    moving = make_schedule(optimizer, recipe, 10)
    for _ in range(20):
        assert optimizer.param_groups[0]['momentum'] == 0.7
        assert optimizer.param_groups[0]['nesterov']
        optimizer.step()
        moving.step()


@pytest.mark.parametrize('schedule', ['onecycle', 'constant'])
def test_every_step_of_a_training_uses_its_own_rate(
    monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """两轮、每轮五步：优化器恰好走十步，第 n 步用的是第 n 个学习率。"""
    used = []

    def watched(*args: object) -> torch.optim.Optimizer:
        optimizer = make_optimizer(*args)
        optimizer.register_step_pre_hook(
            lambda it, *_: used.append(it.param_groups[0]['lr'])
        )
        return optimizer

    monkeypatch.setattr(loop, 'make_optimizer', watched)
    images = torch.randint(256, (21, 1, 4, 4), dtype=torch.uint8)
    part = ImageSet(images, torch.arange(21) % 2)
    data = Dataset('乱的', part, part, ('甲', '乙'), (0.5,), (0.5,))
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    fit(net, data, Recipe(4, 2, 0.01, 4, schedule=schedule), 0, CPU)
    expected = one_cycle(0.01, 10) if schedule == 'onecycle' else [0.01] * 10
    assert used == pytest.approx(expected, rel=1e-6)
