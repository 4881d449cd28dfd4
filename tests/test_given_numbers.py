"""NumPy 的数到处与 Python 的一样用；不是数的马上被拒绝，消息里写明是哪一个。"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.anatomy import layer_table, share_below
from deepcnn.anatomy.configurations import cost_of
from deepcnn.anatomy.windows import Window, repeated, seen_units, view_layers
from deepcnn.data import plan_epoch, prepare, test_batches, train_batches
from deepcnn.given_numbers import finite_number, finite_numbers, whole_number
from deepcnn.models import create
from deepcnn.plot import filters, lines_with_spread
from deepcnn.records import interval, sampling_error, spread
from deepcnn.training import Recipe, fit, grid, make_schedule

test_batches.__test__ = False  # 名字像测试，其实是被测的函数
CPU = torch.device('cpu')
DATA = load_digits_dataset().first(64, 20)
RECIPE = Recipe(8, 1, 1e-2, batch_size=32)
PLAN = plan_epoch(64, 0, 0, True, 1, CPU)
INT, FLOAT, BOOL = np.int64, np.float32, np.bool_
HUGE = pytest.param(10**400, id='10**400')


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def losses(seed: object) -> str:
    run = fit(linear(), DATA, RECIPE, seed, CPU)
    return json.dumps([run.seed, run.train_loss])


def rates(steps: object) -> list[float]:
    optimizer = torch.optim.SGD(linear().parameters(), lr=0.1)
    schedule = make_schedule(optimizer, RECIPE, steps)
    return schedule.get_last_lr()


def plan(*numbers: object) -> list[list]:
    count, seed, epoch, flip, shift, erasing = numbers
    found = plan_epoch(count, seed, epoch, flip, shift, CPU, erasing)
    return [one.tolist() for one in vars(found).values()]


SAME: dict[str, tuple[Callable, tuple]] = {
    'first': (lambda a, b: len(DATA.first(a, b).train), (INT(30), INT(10))),
    'hold_out': (lambda n: DATA.hold_out(n).name, (INT(5),)),
    'prepare': (
        lambda n: prepare(DATA.test.images, n, DATA).sum().item(), (INT(12),)
    ),
    'plan_epoch': (plan, (INT(9), INT(3), INT(1), BOOL(True), INT(2), FLOAT(0.5))),
    'train_batches': (
        lambda n, size: len(list(train_batches(DATA, PLAN, n, size))), (INT(16), INT(8)),
    ),
    'test_batches': (
        lambda size, n: len(list(test_batches(DATA, size, n))), (INT(8), INT(7))
    ),
    'fit': (losses, (INT(3),)),
    'make_schedule': (rates, (INT(7),)),
    'grid': (
        lambda lr, n: [(one.lr, one.batch_size) for one in grid(RECIPE, lr=lr, batch_size=n)],
        (np.array([0.5, 0.25]), np.arange(1, 3)),
    ),
    'create': (lambda *numbers: str(create('vgg11', *numbers)), (INT(3), INT(5), INT(32))),
    'layer_table': (
        lambda *given: repr(layer_table(create('resnet18', 3), *given)),
        (INT(32), INT(3), BOOL(True)),
    ),
    'Window': (lambda *given: Window(*given), (INT(3), INT(2), INT(1))),
    'view_layers': (lambda n: view_layers(n, [Window(3)]), (INT(13),)),
    'seen_units': (lambda n: seen_units([Window(3)], n), (INT(2),)),
    'repeated': (lambda a, b: repeated(image_size=a, layers=b), (INT(13), INT(3))),
    'cost_of': (
        lambda size, switch, blocks: cost_of(
            'densenet', image_size=size, bottleneck=switch, num_convs=blocks
        ).summary(),
        (INT(32), BOOL(True), np.array([2, 2, 2, 2])),
    ),
    'share_below': (lambda limit: share_below(torch.arange(4.0), limit), (FLOAT(2),)),
    'spread': (lambda values: spread(values), (np.array([0.25, 0.5, 1]),)),
    'interval': (
        lambda a, b: interval(a, b).text(), (np.array([1, 2, 3]), np.array([7, 8, 9]))
    ),
    'sampling_error': (sampling_error, (FLOAT(0.5), INT(100))),
    'filters': (
        lambda n: filters(torch.ones(4, 1, 3, 3), columns=n).get_size_inches().tolist(),
        (INT(2),),
    ),
    'lines_with_spread': (
        lambda values: str(
            lines_with_spread({'甲': {1: values}}, '轮', '准确率').axes[0].dataLim
        ),
        (np.array([0.5, 0.75]),),
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', SAME)
def test_numpy_numbers_give_the_same_as_those_of_python(name: str) -> None:
    call, given = SAME[name]
    plain = [value.tolist() for value in given]
    plain = [tuple(value) if isinstance(value, list) else value for value in plain]
    found = call(*given)
    assert found == call(*plain)
    assert 'np.' not in repr(found)  # 存下的、显示的都是 Python 自己的


def window(**given: object) -> Window:
    return Window(**{'kernel_size': 3} | given)


REFUSED: dict[str, tuple[Callable, str]] = {
    'first': (lambda n: DATA.first(n, None), '张数'),
    'split': (DATA.train.split, '张数'),
    'hold_out': (DATA.hold_out, 'validation_images'),
    'prepare': (lambda n: prepare(DATA.test.images, n, DATA), 'image_size'),
    'plan count': (lambda n: plan(n, 0, 0, True, 0, 0.0), 'count'),
    'plan seed': (lambda n: plan(5, n, 0, True, 0, 0.0), 'seed'),
    'plan epoch': (lambda n: plan(5, 0, n, True, 0, 0.0), 'epoch'),
    'plan shift': (lambda n: plan(5, 0, 0, True, n, 0.0), 'shift'),
    'train_batches': (lambda n: list(train_batches(DATA, PLAN, n, 8)), 'batch_size'),
    'test_batches': (lambda n: list(test_batches(DATA, 8, n)), 'batch_size'),
    'fit': (losses, 'seed'),
    'make_schedule': (rates, 'steps'),
    'create': (partial(create, 'resnet18'), 'in_channels'),
    'layer_table': (lambda n: layer_table(create('resnet18'), n), 'image_size'),
    'Window': (lambda n: window(kernel_size=n), 'kernel_size'),
    'stride': (lambda n: window(stride=n), 'stride'),
    'padding': (lambda n: window(padding=n), 'padding'),
    'view_layers': (lambda n: view_layers(n, [Window(3)]), 'image_size'),
    'seen_units': (lambda n: seen_units([Window(3)], n), 'unit'),
    'filters': (lambda n: filters(torch.ones(4, 1, 3, 3), columns=n), 'columns'),
}  # fmt: skip


WRONG = (FLOAT(2.5), 2.0, BOOL(True), True, '2', None)
ALLOWED = {('first', None), ('filters', None)}  # 全部，或由个数定


@pytest.mark.parametrize(
    ('name', 'value'), [pair for pair in product(REFUSED, WRONG) if pair not in ALLOWED]
)
def test_other_values_are_refused_by_name(name: str, value: object) -> None:
    call, argument = REFUSED[name]
    with pytest.raises(ValueError, match=argument) as told:
        call(value)
    assert '\n' not in str(told.value) and '现在是' in str(told.value)


def test_whole_numbers() -> None:
    for value in (3, INT(3), np.uint8(3), np.array(3), torch.tensor(3)):
        assert whole_number('n', value) == 3 and type(whole_number('n', value)) is int
    with pytest.raises(ValueError, match='n 要是正整数，现在是 0'):
        whole_number('n', 0, 1)
    with pytest.raises(ValueError, match='n 要是不小于 0 的整数，现在是 -1'):
        whole_number('n', -1)
    assert whole_number('n', -1, None) == -1


@pytest.mark.parametrize(
    'value', [np.nan, np.inf, HUGE, '1', True, BOOL(False), None, 1j]
)
def test_finite_numbers(value: object) -> None:
    with pytest.raises(ValueError, match='x 要是有限的数'):
        finite_number('x', value)
    with pytest.raises(ValueError, match='x 要是有限的数'):
        finite_numbers('x', [0.5, value])
    assert finite_numbers('x', np.array([1, 2])) == (1.0, 2.0)
    for other in (0.5, '0.5', None):
        with pytest.raises(ValueError, match='x 要是几个数'):
            finite_numbers('x', other)


def test_statistics_must_allow_dividing() -> None:
    with pytest.raises(ValueError, match='标准差要大于 0'):
        replace(DATA, std=(0.0,))
    with pytest.raises(ValueError, match='std 要是有限的数'):
        replace(DATA, std=np.array([np.nan]))
