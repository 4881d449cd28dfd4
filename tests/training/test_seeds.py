"""按种子训练：真正的网络逐位重现，记录写明来历；没有录制就一个文件也不写。"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.models import create
from deepcnn.training.evaluation import evaluate
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train, train_seeds

CPU = torch.device('cpu')
ROOT = Path(__file__).parents[2]
SHORT = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset()


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


@pytest.mark.parametrize(
    ('build', 'size'),
    [(small_net, 8), (lambda: create('densenet'), 32)],
    ids=['small', 'densenet'],
)
def test_same_seed_gives_the_same_curve_bit_for_bit(
    digits: Dataset, build: Callable[[], nn.Module], size: int
) -> None:
    """一个有丢弃法，一个有批量归一化；增广也打开。"""
    recipe = Recipe(
        size, 2, 1e-3, 16, train_images=32, test_images=16, shift=2, erasing=0.5
    )
    first, second = (train(build, digits, recipe, 'quick', CPU) for _ in range(2))
    one, other = first[1].runs[0], second[1].runs[0]
    assert one.train_loss == other.train_loss
    assert one.train_accuracy == other.train_accuracy
    assert one.test_accuracy == other.test_accuracy
    for name, tensor in first[0].state_dict().items():
        assert torch.equal(tensor, second[0].state_dict()[name]), name


def test_other_seed_gives_another_curve(digits: Dataset) -> None:
    recipe = replace(SHORT, epochs=1, seeds=(0, 1))
    _, history = train(small_net, digits, recipe, 'quick', CPU)
    assert history.seeds == [0, 1]
    assert history.runs[0].train_loss != history.runs[1].train_loss


def test_seeds_are_trained_in_the_order_of_the_recipe(digits: Dataset) -> None:
    """每个种子与单独训练它相同；``train`` 返回第一个的网络。"""
    recipe = replace(SHORT, epochs=1, seeds=(5, 0, 3))
    first, history = train(small_net, digits, recipe, 'quick', CPU)
    nets, again = train_seeds(small_net, digits, recipe, 'quick', CPU)
    assert history.seeds == again.seeds == [5, 0, 3]
    assert same_weights(first, nets[0])
    data = digits.first(256, 100)
    for net, run in zip(nets, again.runs, strict=True):
        assert run.test_accuracy[-1] == evaluate(net, data, recipe)
        alone = replace(recipe, seeds=(run.seed,))
        net_alone, one = train(small_net, digits, alone, 'quick', CPU)
        assert one.runs[0].train_loss == run.train_loss
        assert same_weights(net_alone, net)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(tensor, twin) for tensor, twin in pairs)


def test_the_seed_fixes_first_weights_and_dropout(digits: Dataset) -> None:
    """build() 用掉多少随机数，都不影响此后的丢弃法。"""

    def wasteful() -> nn.Module:
        net = small_net()
        torch.rand(3)
        return net

    recipe = replace(SHORT, epochs=1)
    torch.manual_seed(99)
    one, _ = train(small_net, digits, recipe, 'quick', CPU)
    torch.manual_seed(100)
    other, _ = train(wasteful, digits, recipe, 'quick', CPU)
    assert same_weights(one, other)


def test_history_says_what_was_trained(digits: Dataset) -> None:
    recipe = replace(SHORT, epochs=1, train_images=64, test_images=30, precision='fp32')
    _, history = train(small_net, digits, recipe, 'quick', CPU)
    assert (history.train_images, history.test_images) == (64, 30)
    assert (history.image_size, history.epochs, history.batch_size) == (8, 1, 64)
    assert history.precision == 'fp32' and history.recipe == recipe.to_dict()
    assert len(history.runs[0].train_loss) == 1


def test_history_names_the_data_the_device_and_the_seed(digits: Dataset) -> None:
    _, history = train(small_net, digits, SHORT, 'quick', CPU)
    for fact in ('digits', 'quick', 'CPU', '种子 0'):
        assert fact in history.provenance
    assert history.images_per_second > 0
    assert history.runs[0].seconds >= sum(history.runs[0].epoch_seconds)


def test_numbers_of_numpy_train_as_pythons_do(digits: Dataset) -> None:
    given = Recipe(
        np.int64(8), np.int32(2), np.float64(1e-2), np.int64(64),
        train_images=np.int64(256), test_images=np.uint8(100),
        seeds=tuple(np.arange(2)),
    )  # fmt: skip
    _, numpys = train_seeds(small_net, digits, given, 'quick', CPU)
    plain = replace(SHORT, seeds=(0, 1))
    _, pythons = train_seeds(small_net, digits, plain, 'quick', CPU)
    assert [run.train_loss for run in numpys.runs] == [
        run.train_loss for run in pythons.runs
    ]
    assert numpys.recipe == pythons.recipe


# 在另一个进程里读数据、训练，记下每一次写文件；标准输出像中文 Windows 一样是 GBK
TRAIN = """
import os, sys, tempfile
written = []
def watch(event, arguments):
    if event == 'open' and isinstance(arguments[2], int):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(str(arguments[0]))
    elif event in ('os.mkdir', 'os.rename', 'os.link', 'os.symlink'):
        written.append(str(arguments[event != 'os.mkdir']))
sys.addaudithook(watch)
handle, own = tempfile.mkstemp()
os.close(handle)
os.remove(own)
from torch import nn
from deepcnn.data import load_dataset
from deepcnn.training import Recipe, train
recipe = Recipe(28, 1, 1e-2, 32, train_images=64, test_images=32)
build = lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
train(build, load_dataset(), recipe, 'quick', 'cpu')
print([path for path in written if path != os.devnull], file=sys.stderr)
"""


def test_training_writes_nothing_wherever_it_runs(tmp_path: Path) -> None:
    """没有主文件夹、当前文件夹只读也能训练；环境变量不会使 ``train`` 写文件。"""
    folder = tmp_path / 'here'
    folder.mkdir()
    environment = {
        **os.environ,
        'HOME': '/nonexistent/home',
        'USERPROFILE': '/nonexistent/home',
        'PYTHONDONTWRITEBYTECODE': '1',
        'PYTHONIOENCODING': 'gbk',
        'LC_ALL': 'C',
        'PYTHONCOERCECLOCALE': '0',
        'PYTHONUTF8': '0',
        'DEEPCNN_RECORD': '1',
        'DEEPCNN_PROGRESS': '0',
        'PYTHONPATH': str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, '-c', TRAIN],
        cwd=folder, env=environment, capture_output=True, encoding='gbk',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'Fashion-MNIST  第 1/1 轮' in done.stdout
    written = eval(done.stderr.splitlines()[-1], {'__builtins__': {}})
    # PyTorch 自己也在临时文件夹里试写；上面先写了一个，看记不记得下来
    assert {str(Path(path).parent) for path in written} == {tempfile.gettempdir()}
    assert not list(folder.iterdir())
