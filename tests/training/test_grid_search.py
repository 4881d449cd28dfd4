"""网格搜索：格子齐全、只看验证集、发散不中断，坏输入说出合法的值。"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.models.network import Network
from deepcnn.records.attempts import (
    Attempt,
    load_attempts,
)
from deepcnn.training import grid_search as search
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording, start_recording

BASE = Recipe(8, 1, 1e-2, batch_size=64, train_images=256, test_images=100)


def small() -> Network:
    head = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    return Network('small', nn.Identity(), nn.Sequential(), head, smallest_input=8)


def trial(lr: float, weight_decay: float, accuracy: float | None) -> Attempt:
    recipe = {
        'lr': lr, 'weight_decay': weight_decay, 'epochs': 1, 'train_images': 9,
        'erasing': 0.0,
        'momentum': 0.9,
    }  # fmt: skip
    measured = [] if accuracy is None else [accuracy]
    return Attempt(recipe, measured, measured, 1.0, 'CPU', {}, None)


@pytest.fixture
def held() -> Dataset:
    return search.hold_out_validation(load_digits_dataset())


def test_grid_has_every_combination_once() -> None:
    recipes = search.grid(BASE, flip=(False, True), lr=(1e-3, 1e-2, 1e-1))
    assert [(one.flip, one.lr) for one in recipes] == [
        (flip, lr) for flip in (False, True) for lr in (1e-3, 1e-2, 1e-1)
    ]
    assert {one.train_images for one in recipes} == {256}


@pytest.mark.parametrize(
    ('choices', 'message'),
    [
        ({'learning_rate': (1,)}, 'image_size、epochs、lr'),
        ({'lr': (1e-3, -1e-3)}, 'lr 必须大于 0'),
        ({'weight_decay': (-1,)}, 'weight_decay 不能是负数'),
        ({'optimizer': ('lion',)}, 'adamw、sgd'),
        ({'lr': ()}, 'lr 至少要有一个值'),
        ({'lr': 1e-3}, r'lr 要给一串值，例如 \[0.001\]'),
        ({'optimizer': 'sgd'}, r"optimizer 要给一串值，例如 \['sgd'\]"),
    ],
)
def test_bad_grid_names_the_legal_values(choices: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search.grid(BASE, **choices)


def test_validation_images_are_the_last_of_the_training_set() -> None:
    digits = load_digits_dataset()
    held = search.hold_out_validation(digits)
    count = len(digits.train) // 5
    assert torch.equal(held.test.images, digits.train.images[-count:])


def test_search_reports_each_trial(
    held: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = search.grid(BASE, lr=(1e-3, 1e-1))
    trials = search.search(small, recipes, held, 'quick')
    assert [one.recipe for one in trials] == [one.to_dict() for one in recipes]
    assert trials[1].accuracy > trials[0].accuracy
    assert '2/2：学习率 0.1，权重衰减 0.01，翻转，种子 0' in capsys.readouterr().out


def test_an_attempt_keeps_what_the_training_measured(held: Dataset) -> None:
    recipe = replace(BASE, epochs=2)
    one = search.try_recipe(small, recipe, held, 'quick')
    _, history = search.train_seeds(small, held, recipe, 'quick')
    [run] = history.runs
    assert run.train_accuracy != run.test_accuracy
    assert one.train_loss == run.train_loss
    assert one.validation_accuracy == run.test_accuracy
    assert one.seconds > 0


def test_diverging_trial_is_kept_as_such(
    held: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = search.grid(
        BASE, lr=(1e38,), optimizer=('sgd',), schedule=('constant',),
        clip=(None,), precision=('fp32',),
    )  # fmt: skip
    [one] = search.search(small, wild, held, 'quick')
    assert one.validation_accuracy == []
    assert one.accuracy == 0
    assert one.seconds > 0
    assert '发散' in capsys.readouterr().out


def test_a_trial_has_one_seed(held: Dataset) -> None:
    recipe = Recipe(8, 1, 1e-2, seeds=(0, 1))
    with pytest.raises(ValueError, match='只用一个种子'):
        search.try_recipe(small, recipe, held)


def test_trials_are_kept_only_when_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, 'save_attempts', lambda *_: pytest.fail('不该写文件'))
    search.keep_attempts('tuning', [trial(1e-3, 0, 0.9)])
    monkeypatch.undo()
    monkeypatch.setattr('deepcnn.training.recording._current', [])
    start_recording(Recording(tmp_path))
    search.keep_attempts('tuning', [trial(1e-3, 0, 0.9)])
    path = tmp_path / 'exercises' / 'tuning.json'
    assert load_attempts(path) == [trial(1e-3, 0, 0.9)]
