"""训练：同一种子逐位重现，出错时说清楚怎么办。六个网络学不学得会，各章自己检查。"""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.plot import training_curves
from deepcnn.records.runs import load_history
from deepcnn.training import checkpoint, hardware, loop
from deepcnn.training.checkpoint import TRAINING_CODE, checkpoint_for
from deepcnn.training.evaluation import evaluate
from deepcnn.training.hardware import choose_device, choose_profile
from deepcnn.training.loop import TrainingDiverged, fit
from deepcnn.training.optimization import make_optimizer
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train, train_seeds

CPU = torch.device('cpu')


@pytest.fixture
def digits() -> Dataset:
    return load_digits_dataset()


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))


SHORT = Recipe(8, 2, 1e-2, 64, train_images=512, test_images=200)


@pytest.mark.parametrize('build', [small_net, with_dropout])
def test_same_seed_gives_the_same_curve(digits: Dataset, build: Callable) -> None:
    first, second = (train(build, digits, SHORT, 'quick', CPU)[1] for _ in range(2))
    assert first.runs[0].train_loss == second.runs[0].train_loss
    assert first.runs[0].test_accuracy == second.runs[0].test_accuracy


def test_other_seed_gives_another_curve(digits: Dataset) -> None:
    recipe = Recipe(8, 1, 1e-2, 64, train_images=512, test_images=200, seeds=(0, 1))
    _, history = train(small_net, digits, recipe, 'quick', CPU)
    assert history.seeds == [0, 1]
    assert history.runs[0].train_loss != history.runs[1].train_loss


def test_history_names_the_data_the_device_and_the_seed(digits: Dataset) -> None:
    _, history = train(small_net, digits, SHORT, 'quick', CPU)
    for fact in ('digits', 'quick', 'CPU', '种子 0'):
        assert fact in history.provenance
    assert history.images_per_second > 0
    assert history.runs[0].seconds >= sum(history.runs[0].epoch_seconds)


def test_history_survives_json(digits: Dataset, tmp_path: Path) -> None:
    _, history = train(small_net, digits, SHORT, 'quick', CPU)
    history.network = 'small'
    history.save(tmp_path)
    assert load_history('small', tmp_path) == history
    with pytest.raises(ValueError, match='small'):
        load_history('missing', tmp_path)


def test_history_from_before_random_erasing_is_read_back(
    digits: Dataset, tmp_path: Path
) -> None:
    _, history = train(small_net, digits, SHORT, 'quick', CPU)
    del history.recipe['erasing']
    history.network = 'older'
    history.save(tmp_path)
    assert load_history('older', tmp_path).recipe == SHORT.to_dict()


def test_last_accuracy_is_the_networks_accuracy(digits: Dataset) -> None:
    net, history = train(small_net, digits, SHORT, 'quick', CPU)
    assert evaluate(net, digits.first(512, 200), SHORT) == history.test_accuracy


def test_constant_sgd_step_is_the_textbook_step() -> None:
    net = nn.Linear(3, 2, bias=False)
    before = net.weight.detach().clone()
    recipe = Recipe(8, 1, 0.1, optimizer='sgd', schedule='constant', weight_decay=0, momentum=0)
    optimizer = make_optimizer(net, recipe, CPU)
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.testing.assert_close(net.weight, before - 0.1 * torch.ones(2, 3))


def test_diverging_loss_names_step_and_remedy(digits: Dataset) -> None:
    recipe = Recipe(
        8, 1, 1e30, 64, train_images=512, test_images=200, optimizer='sgd',
        schedule='constant', clip=None, precision='fp32',
    )  # fmt: skip
    with pytest.raises(TrainingDiverged, match=r'第 1 轮第 \d+ 步.*lr'):
        train(small_net, digits, recipe, 'quick', CPU)


def test_ctrl_c_keeps_the_finished_epochs(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    calls = []

    def interrupt_in_second_epoch(net: nn.Module, *rest: object) -> float:
        calls.append(net)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return 0.5

    monkeypatch.setattr(loop, 'evaluate', interrupt_in_second_epoch)
    _, history = train(small_net, digits, SHORT, 'quick', CPU)
    run = history.runs[0]
    assert len(run.train_loss) == len(run.test_accuracy) == len(run.epoch_seconds) == 1
    assert '已中断' in capsys.readouterr().out
    assert training_curves(history).axes


def test_batch_larger_than_the_data_is_refused(digits: Dataset) -> None:
    recipe = Recipe(8, 1, 1e-2, 64, train_images=10)
    with pytest.raises(ValueError, match='batch_size'):
        fit(small_net(), digits.first(10, 10), recipe, 0, CPU)


@pytest.mark.parametrize(
    ('wrong', 'named'),
    [
        ({'lr': -1}, 'lr'),
        ({'epochs': 0}, 'epochs'),
        ({'weight_decay': -0.1}, 'weight_decay'),
        ({'optimizer': 'adam'}, 'adamw'),
        ({'schedule': 'cosine'}, 'onecycle'),
        ({'precision': 'fp8'}, 'bf16'),
        ({'train_images': 0}, 'train_images'),
        ({'seeds': ()}, 'seeds'),
        ({'lr': math.nan}, 'lr 要是大于 0 的有限数'),
        ({'lr': math.inf}, 'lr 要是大于 0 的有限数'),
        ({'lr': '0.1'}, 'lr 要是大于 0 的有限数'),
        ({'weight_decay': math.nan}, 'weight_decay 要是不小于 0 的有限数'),
        ({'clip': math.inf}, 'clip 要是大于 0 的有限数'),
        ({'erasing': 1.5}, 'erasing 要在 0～1 之间'),
        ({'erasing': -0.1}, 'erasing 不能是负数'),
        ({'label_smoothing': 1.5}, 'label_smoothing 要在 0～1 之间'),
        ({'batch_size': 2.5}, 'batch_size 要是大于 0 的整数'),
        ({'epochs': 1.5}, 'epochs 要是大于 0 的整数'),
        ({'image_size': True}, 'image_size 要是大于 0 的整数'),
        ({'train_images': 10.0}, 'train_images 要是大于 0 的整数'),
        ({'shift': 0.5}, 'shift 要是不小于 0 的整数'),
        ({'seeds': (0.5,)}, r'seeds 要是整数的元组，例如 \(0, 1, 2\)'),
        ({'seeds': 3}, 'seeds 要是整数的元组'),
    ],
)
def test_recipe_refuses_illegal_values(wrong: dict, named: str) -> None:
    legal = {'image_size': 28, 'epochs': 1, 'lr': 0.1}
    with pytest.raises(ValueError, match=named):
        Recipe(**legal | wrong)


def test_profile_and_device_name_the_legal_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('DEEPCNN_PROFILE', 'fast')
    with pytest.raises(ValueError, match='quick、laptop、gpu'):
        choose_profile()
    with pytest.raises(ValueError, match='cuda、mps、cpu'):
        choose_device('tpu')
    monkeypatch.delenv('DEEPCNN_PROFILE')
    expected = 'gpu' if torch.cuda.is_available() else 'laptop'
    assert choose_profile() == expected


@pytest.mark.parametrize(
    ('wrong', 'legal'),
    [
        ({'profile': 'fast'}, 'quick、laptop、gpu'),
        ({'device': 'tpu'}, 'auto、cuda、mps、cpu'),
        ({'device': torch.device('meta')}, 'auto、cuda、mps、cpu'),
    ],
)
@pytest.mark.parametrize('start', [train, train_seeds])
def test_train_refuses_an_unknown_profile_or_device(
    digits: Dataset, start: Callable, wrong: dict, legal: str
) -> None:
    """在建网络之前就拒绝：不能等到训练完，才发现记录上写着不存在的档位。"""

    def build() -> nn.Module:
        pytest.fail('不应当走到建网络这一步')

    with pytest.raises(ValueError, match=legal):
        start(build, digits, SHORT, **wrong)


def test_device_may_be_given_by_name(digits: Dataset) -> None:
    _, named = train(small_net, digits, SHORT, 'quick', 'cpu')
    _, given = train(small_net, digits, SHORT, 'quick', CPU)
    assert named.runs[0].train_loss == given.runs[0].train_loss


def test_finished_seed_is_read_back_and_announced(
    digits: Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    recording = Recording(tmp_path / 'results', tmp_path / 'checkpoints')
    net, first = train(small_net, digits, SHORT, 'quick', CPU, recording)
    again, second = train(small_net, digits, SHORT, 'quick', CPU, recording)
    assert '读回' in capsys.readouterr().out
    assert first == second
    for ours, theirs in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    longer = Recipe(8, 1, 1e-2, 64, train_images=512, test_images=200)
    _, third = train(small_net, digits, longer, 'quick', CPU, recording)
    assert third.runs[0].epoch_seconds != first.runs[0].epoch_seconds


@pytest.mark.parametrize('path', TRAINING_CODE, ids=lambda path: path.stem)
def test_checkpoint_belongs_to_the_code_that_computed_it(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    before = checkpoint_name(small_net(), digits)
    original = checkpoint.syntax_of
    code = path.read_text(encoding='utf-8')

    def edited(source: str) -> str:
        return original(source + '\npass' * (source == code))

    monkeypatch.setattr(checkpoint, 'syntax_of', edited)
    assert checkpoint_name(small_net(), digits) != before


def checkpoint_name(net: nn.Module, data: Dataset, recipe: Recipe = SHORT) -> str:
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)
    return checkpoint_for(Path(), net, data, recipe, 0, CPU).path.name


def test_processor_is_asked_once(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, original = [], Path.read_text

    def counting(path: Path, *args: object, **settings: object) -> str:
        asked.append(str(path))
        return original(path, *args, **settings)

    monkeypatch.setattr(Path, 'read_text', counting)
    hardware._cpuinfo.cache_clear()
    fit(small_net(), digits.first(256, 20), SHORT, 0, CPU)
    assert asked.count('/proc/cpuinfo') <= 1  # 别的系统没有这个文件
