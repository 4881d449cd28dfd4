"""配方：每一项的界限都管用，默认值是书里写的那些。"""

from dataclasses import fields

import numpy as np
import pytest

from deepcnn.training.recipe import Recipe


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
    usual = {'image_size': 28, 'epochs': 1, 'lr': 0.1}
    for value in legal:
        kept = getattr(Recipe(**usual | {name: value}), name)
        assert kept == (tuple(value) if isinstance(value, list) else value)
    for value in illegal:
        with pytest.raises(ValueError, match=name):
            Recipe(**usual | {name: value})


def test_numbers_of_numpy_become_pythons_own() -> None:
    """存进 JSON、当作字典的键都不出错。"""
    recipe = Recipe(
        np.int64(28), 1, np.float32(0.5), seeds=[np.int64(2), 1], flip=np.bool_(False)
    )
    kinds = [type(getattr(recipe, field.name)) for field in fields(Recipe)[:3]]
    assert kinds == [int, int, float]
    assert recipe.seeds == (2, 1) and type(recipe.seeds[0]) is int
    assert recipe.flip is False
    assert hash(recipe) == hash(Recipe(28, 1, 0.5, seeds=(2, 1), flip=False))


def test_defaults_are_those_the_book_states() -> None:
    assert Recipe(28, 1, 0.1).to_dict() == {
        'image_size': 28, 'epochs': 1, 'lr': 0.1, 'batch_size': 128,
        'train_images': None, 'test_images': None, 'optimizer': 'adamw',
        'schedule': 'onecycle', 'weight_decay': 0.01, 'momentum': 0.9, 'clip': 1.0,
        'label_smoothing': 0.0, 'flip': True, 'shift': 0, 'erasing': 0.0,
        'precision': 'auto', 'channels_last': True, 'seeds': [0],
    }  # fmt: skip
