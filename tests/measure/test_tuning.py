"""挑选超参数：验证集从训练集里留出，测试集不参与；写错的命令说清楚。"""

import json
from pathlib import Path

import pytest
import torch
import tune
from small_data import load_digits_dataset

from deepcnn.models.lineup import LINEUP, entry
from deepcnn.records.attempts import (
    load_attempts,
)


def test_held_out_images_are_the_last_of_the_training_set() -> None:
    digits = load_digits_dataset()
    held = digits.hold_out(100)
    count = len(digits.train) - 100
    assert (len(held.train), len(held.test)) == (count, 100)
    assert '留出 100 张验证' in held.name
    joined = torch.cat([held.train.images, held.test.images])
    assert torch.equal(joined, digits.train.images)
    labels = torch.cat([held.train.labels, held.test.labels])
    assert torch.equal(labels, digits.train.labels)


@pytest.mark.parametrize('count', [0, -5, 10**6])
def test_impossible_split_is_refused(count: int) -> None:
    digits = load_digits_dataset()
    with pytest.raises(ValueError, match='前一份要有 1～'):
        digits.hold_out(count)


def test_changes_are_read_by_type() -> None:
    changes = tune.parse_changes(
        'lr=2e-3 epochs=6 flip=False clip=null seeds=[1] optimizer=sgd'
    )
    assert changes == {
        'lr': 2e-3, 'epochs': 6, 'flip': False, 'clip': None, 'seeds': (1,),
        'optimizer': 'sgd',
    }  # fmt: skip
    assert tune.parse_changes('') == {}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['lenet', ''], 'densenet'),
        (['nin', 'rate=1'], '看不懂'),
        (['nin', 'lr'], '看不懂'),
        (['nin', 'lr=-1'], '必须大于 0'),
        (['nin', 'optimizer=lion'], 'adamw'),
        (['nin', '', '--profile', 'quick'], 'laptop、full、gpu'),
    ],
)
def test_bad_command_gets_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune.main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


@pytest.fixture
def small_tuning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """两次真的尝试，小到一两秒：DenseNet、手写数字、一轮。"""
    monkeypatch.setattr(tune, 'FOLDER', tmp_path)
    monkeypatch.setattr(tune, 'load_dataset', load_digits_dataset)
    monkeypatch.setenv('DEEPCNN_PROGRESS', '0')
    return tmp_path / 'densenet.json'


def test_trials_are_kept_and_not_repeated(small_tuning: Path) -> None:
    small = 'image_size=32 epochs=1 train_images=128'
    assert tune.main(['densenet', small, f'{small} lr=1e-3']) == 0
    trials = json.loads(small_tuning.read_text(encoding='utf-8'))
    assert [one['recipe']['lr'] for one in trials] == [
        LINEUP['densenet'].recipes['laptop'].lr, 1e-3,
    ]  # fmt: skip
    for one in trials:
        assert len(one['validation_accuracy']) == 1
        assert 1.5 < one['roughness'] < 2.5  # 几步训练去不掉初始的噪声
        assert torch.__version__.startswith(one['versions']['torch'])
    assert tune.main(['densenet', small]) == 0
    assert json.loads(small_tuning.read_text(encoding='utf-8')) == trials


def test_gpu_trials_start_from_the_gpu_recipe_and_are_kept_apart(
    small_tuning: Path,
) -> None:
    small = 'image_size=32 epochs=1 train_images=128 batch_size=64'
    assert tune.main(['densenet', small, '--profile', 'gpu']) == 0
    assert not small_tuning.exists()  # 「性能」一页的表只列 laptop 档
    [one] = load_attempts(small_tuning.with_name('densenet-gpu.json'))
    gpu = LINEUP['densenet'].recipes['gpu']
    assert (one.recipe['optimizer'], one.recipe['lr']) == (gpu.optimizer, gpu.lr)
    assert one.recipe['seeds'] == [0]


def test_diverging_trial_is_kept_as_such(small_tuning: Path) -> None:
    broken = (
        'image_size=32 epochs=1 train_images=256 batch_size=32 lr=1e30 '
        'optimizer=sgd schedule=constant clip=null precision=fp32'
    )
    assert tune.main(['densenet', broken]) == 0
    [one] = json.loads(small_tuning.read_text(encoding='utf-8'))
    assert one['validation_accuracy'] == []


@pytest.mark.parametrize('name', LINEUP)
def test_lineup_builds_what_its_chapter_trains(name: str) -> None:
    quick = LINEUP[name].recipes['quick']
    net = LINEUP[name].build(quick.image_size).eval()
    size = (2, 1, quick.image_size, quick.image_size)
    with torch.no_grad():
        assert net(torch.zeros(size)).shape == (2, 10)
    assert net.name == name


def test_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match='alexnet、vgg11'):
        entry('lenet')
