"""几个网络的比较：同一个训练循环，记录存得下、读得回，坏输入在训练之前拒绝。"""

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from deepcnn import checkpoint, experiment, history
from deepcnn.data import Dataset, load_digits_dataset
from deepcnn.network import Network
from deepcnn.recipe import Recipe
from deepcnn.train import train

RECIPE = Recipe(
    8, 2, 1e-2, batch_size=64, train_images=256, test_images=100, seeds=(0, 1)
)


def small(width: int = 4) -> Network:
    stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
    head = nn.Sequential(nn.Flatten(), nn.Linear(width * 64, 10))
    return Network(f'small-{width}', stem, nn.Sequential(), head, smallest_input=8)


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_digits_dataset()


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """像 make record 那样执行，但文件都写到临时文件夹里。"""
    monkeypatch.setenv('DEEPCNN_RECORD', '1')
    monkeypatch.setattr(checkpoint, 'FOLDER', tmp_path / 'runs')
    monkeypatch.setattr(experiment.save, '__defaults__', (tmp_path / 'exercises',))
    monkeypatch.setattr(history.History.save, '__defaults__', (tmp_path / 'results',))
    return tmp_path


def test_seeds_train_as_in_the_chapters(data: Dataset) -> None:
    nets, mine = experiment.train_seeds(small, data, RECIPE, 'quick')
    _, theirs = train(small, data, RECIPE, 'quick')
    assert [run.train_loss for run in mine.runs] == [r.train_loss for r in theirs.runs]
    assert len(nets) == 2


def test_comparison_is_saved_and_read_back(data: Dataset, recording: Path) -> None:
    builds: dict[str, Callable[[], Network]] = {'窄': small, '宽': lambda: small(8)}
    trained = experiment.compare('widths', builds, data, RECIPE, 'quick')
    stored = experiment.load('widths', recording / 'exercises')
    assert list(stored) == ['窄', '宽']
    assert stored == trained
    assert not (recording / 'results').exists()  # 各章的记录不受影响
    assert len(list((recording / 'runs').iterdir())) == 4


def test_finished_seeds_come_back(
    data: Dataset, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = experiment.compare('one', {'窄': small}, data, RECIPE, 'quick')
    capsys.readouterr()
    again = experiment.compare('one', {'窄': small}, data, RECIPE, 'quick')
    assert capsys.readouterr().out.count('此前已用同一份代码与配方训练完') == 2
    assert again['窄'].runs == first['窄'].runs


def test_nothing_is_written_while_reading(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('DEEPCNN_RECORD', raising=False)
    monkeypatch.setattr(experiment.save, '__defaults__', (tmp_path,))
    experiment.compare('one', {'窄': small}, data, RECIPE, 'quick')
    assert not list(tmp_path.iterdir())


def test_interrupted_comparison_stops(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_epoch_only(*arguments: object) -> history.Run:
        return history.Run(0, [1.0], [0.5], [0.5], [1.0])

    monkeypatch.setattr(experiment, 'run_seed', one_epoch_only)
    with pytest.raises(KeyboardInterrupt):
        experiment.train_seeds(small, data, RECIPE, 'quick')


def test_image_too_small_is_refused_before_training(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, 'run_seed', lambda *_: pytest.fail('已经开始训练'))
    with pytest.raises(ValueError, match='至少要 8 像素，现在是 6'):
        experiment.compare('x', {'窄': small}, data, Recipe(6, 1, 1e-2))


def test_no_network_is_refused(data: Dataset) -> None:
    with pytest.raises(ValueError, match='至少要给一个网络'):
        experiment.compare('x', {}, data, RECIPE)


def test_missing_record_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='make record ARGS=exercises/none'):
        experiment.load('none', tmp_path)


def test_results_table_holds_means_and_deviations(data: Dataset) -> None:
    trained = experiment.compare('one', {'窄': small}, data, RECIPE, 'quick')
    row = experiment.results_table(trained).rows[0]
    accuracies = [run.test_accuracy[-1] for run in trained['窄'].runs]
    assert row[3].startswith(f'{sum(accuracies) / 2:.2%} ± ')
