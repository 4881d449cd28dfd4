"""配方：每一项的界限都管用，不合法的值指出是哪一项、怎样改；默认值是书里写的那些。"""

import json
import math
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
import torch

from deepcnn.training.recipe import Recipe

LEGAL = {'image_size': 28, 'epochs': 1, 'lr': 0.1}


@pytest.mark.parametrize(
    ('name', 'legal', 'illegal'),
    [
        ('image_size', (1, 28), (0, -1, 1.5, True, None)),
        ('epochs', (1,), (0, 0.5, True)),
        ('lr', (1e-6, 3), (0, -1.0, True, '1')),
        ('batch_size', (1,), (0, 2.0, True)),
        ('train_images', (1, None), (0, 1.0, True)),
        ('test_images', (1, None), (0, -3, True)),
        ('weight_decay', (0, 0.5), (-0.1, False)),
        ('momentum', (0, 0.9, 1), (-0.1, 1.1, True)),
        ('clip', (0.1, None), (0, -1, True)),
        ('label_smoothing', (0, 1), (-0.1, 1.1, None)),
        ('erasing', (0, 1), (-0.1, 1.1, True)),
        ('shift', (0, 4), (-1, 0.5, True)),
        ('flip', (True, False), ('no', 0, 1, None)),
        ('channels_last', (True, False), ('False', 1)),
        ('seeds', ((0,), [3, 1]), ((), 0, (True,), (0.0,), '01')),
        ('optimizer', ('adamw', 'sgd'), ('Adam', None, ['sgd'])),
        ('schedule', ('onecycle', 'constant'), ('', None)),
        ('precision', ('auto', 'fp32', 'bf16'), ('fp16', 32)),
    ],
)
def test_every_setting_has_its_limits(name: str, legal: tuple, illegal: tuple) -> None:
    for value in legal:
        kept = getattr(Recipe(**LEGAL | {name: value}), name)
        assert kept == (tuple(value) if isinstance(value, list) else value)
    for value in illegal:
        with pytest.raises(ValueError, match=name):
            Recipe(**LEGAL | {name: value})


@pytest.mark.parametrize(
    ('wrong', 'named'),
    [
        ({'optimizer': 'adam'}, 'adamw'),
        ({'schedule': 'cosine'}, 'onecycle'),
        ({'precision': 'fp8'}, 'bf16'),
        ({'precision': None}, 'bf16'),
        ({'optimizer': ['sgd']}, 'adamw'),
        ({'lr': math.nan}, 'lr 要是大于 0 的有限数'),
        ({'lr': math.inf}, 'lr 要是大于 0 的有限数'),
        ({'lr': 10**400}, 'lr 要是大于 0 的有限数'),
        ({'lr': '0.1'}, 'lr 要是大于 0 的有限数'),
        ({'lr': True}, 'lr 要是大于 0 的有限数'),
        ({'lr': None}, 'lr 要是大于 0 的有限数'),
        ({'lr': 1j}, 'lr 要是大于 0 的有限数'),
        ({'lr': torch.tensor(0.1)}, 'lr 要是大于 0 的有限数'),
        ({'lr': np.bool_(True)}, 'lr 要是大于 0 的有限数'),
        ({'lr': [0.1]}, 'lr 要是大于 0 的有限数'),
        ({'weight_decay': math.nan}, 'weight_decay 要是不小于 0 的有限数'),
        ({'clip': math.inf}, 'clip 要是大于 0 的有限数'),
        ({'clip': 0}, 'clip 必须大于 0'),
        ({'clip': False}, 'clip 要是大于 0 的有限数'),
        ({'momentum': 1.5}, 'momentum 要在 0～1 之间'),
        ({'momentum': -0.1}, 'momentum 不能是负数'),
        ({'erasing': 1.5}, 'erasing 要在 0～1 之间'),
        ({'erasing': -0.1}, 'erasing 不能是负数'),
        ({'label_smoothing': 1.5}, 'label_smoothing 要在 0～1 之间'),
        ({'batch_size': 2.5}, 'batch_size 要是大于 0 的整数'),
        ({'batch_size': np.float64(16)}, 'batch_size 要是大于 0 的整数'),
        ({'epochs': 1.5}, 'epochs 要是大于 0 的整数'),
        ({'epochs': np.array([1])}, 'epochs 要是大于 0 的整数'),
        ({'image_size': True}, 'image_size 要是大于 0 的整数'),
        ({'train_images': 10.0}, 'train_images 要是大于 0 的整数'),
        ({'shift': 0.5}, 'shift 要是不小于 0 的整数'),
        ({'flip': 'no'}, "flip 是开关，要写 True 或 False，现在是 'no'"),
        ({'flip': 1}, 'flip 是开关'),
        ({'flip': None}, 'flip 是开关'),
        ({'channels_last': 'False'}, 'channels_last 是开关'),
        ({'channels_last': 0.0}, 'channels_last 是开关'),
        ({'seeds': (0.5,)}, r'seeds 要是整数的元组，例如 \(0, 1, 2\)'),
        ({'seeds': (True,)}, 'seeds 要是整数的元组'),
        ({'seeds': ('0',)}, 'seeds 要是整数的元组'),
        ({'seeds': ((0, 1),)}, 'seeds 要是整数的元组'),
        ({'seeds': '012'}, 'seeds 要是整数的元组'),
        ({'seeds': {0, 1}}, 'seeds 要是整数的元组'),
        ({'seeds': None}, 'seeds 要是整数的元组'),
        ({'seeds': 3}, 'seeds 要是整数的元组'),
        ({'seeds': (0, 1, 0)}, 'seeds 要互不相同'),
        ({'seeds': (-1,)}, 'seeds 要互不相同，都在 0～4294967295 之间'),
        ({'seeds': (2**32,)}, 'seeds 要互不相同，都在 0～4294967295 之间'),
    ],
    ids=str,
)
def test_recipe_refuses_illegal_values(wrong: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        Recipe(**LEGAL | wrong)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('given', 'kept'),
    [
        ({'batch_size': np.int64(16)}, 16),
        ({'epochs': np.uint8(3)}, 3),
        ({'lr': np.float64(0.25)}, 0.25),
        ({'lr': np.float32(0.25)}, 0.25),
        ({'lr': 1}, 1.0),
        ({'lr': np.int32(1)}, 1.0),
        ({'lr': Fraction(1, 4)}, 0.25),
        ({'flip': np.bool_(False)}, False),
        ({'channels_last': np.True_}, True),
        ({'optimizer': np.str_('sgd')}, 'sgd'),
        ({'clip': None}, None),
        ({'clip': np.float32(0.5)}, 0.5),
        ({'train_images': None}, None),
        ({'train_images': np.int16(7)}, 7),
        ({'seeds': [0]}, (0,)),
        ({'seeds': tuple(np.arange(2))}, (0, 1)),
        ({'seeds': [np.uint64(5), 2]}, (5, 2)),
    ],
    ids=str,
)
def test_numbers_of_other_libraries_become_pythons(given: dict, kept: object) -> None:
    recipe = Recipe(**LEGAL | given)
    [name] = given
    value = getattr(recipe, name)
    assert value == kept and type(value) is type(kept)
    if isinstance(kept, tuple):
        assert {type(one) for one in value} == {int}
    hash(recipe)
    plain = {**LEGAL, name: kept}
    assert recipe == Recipe(**plain)
    assert json.dumps(recipe.to_dict()) == json.dumps(Recipe(**plain).to_dict())


def test_a_recipe_comes_back_from_its_dictionary() -> None:
    recipe = Recipe(28, 2, 0.1, optimizer='sgd', momentum=0.5, seeds=(3, 1))
    assert Recipe(**json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.to_dict().keys() == {field.name for field in fields(Recipe)}


def test_defaults_are_those_the_book_states() -> None:
    assert Recipe(28, 1, 0.1).to_dict() == {
        'image_size': 28, 'epochs': 1, 'lr': 0.1, 'batch_size': 128,
        'train_images': None, 'test_images': None, 'optimizer': 'adamw',
        'schedule': 'onecycle', 'weight_decay': 0.01, 'momentum': 0.9, 'clip': 1.0,
        'label_smoothing': 0.0, 'flip': True, 'shift': 0, 'erasing': 0.0,
        'precision': 'auto', 'channels_last': True, 'seeds': [0],
    }  # fmt: skip
