"""配方：不合法的值指出是哪一项、怎样改；NumPy 的数也接受，存成 Python 自己的。"""

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
    ('wrong', 'named'),
    [
        ({'lr': -1}, 'lr'),
        ({'epochs': 0}, 'epochs'),
        ({'weight_decay': -0.1}, 'weight_decay'),
        ({'optimizer': 'adam'}, 'adamw'),
        ({'schedule': 'cosine'}, 'onecycle'),
        ({'precision': 'fp8'}, 'bf16'),
        ({'precision': None}, 'bf16'),
        ({'optimizer': ['sgd']}, 'adamw'),
        ({'train_images': 0}, 'train_images'),
        ({'seeds': ()}, 'seeds'),
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
