"""tools/measure/compare.py：补齐种子、接着做、条件变了重来、写错的名字。"""

from pathlib import Path

import compare
import pytest
import torch
from small_data import load_digits_dataset

from deepcnn.anatomy import layer_table
from deepcnn.models.lineup import LINEUP
from deepcnn.records.agreement import predictions_of
from deepcnn.records.comparison import Record, laptop_record, load_records, read_record
from deepcnn.training.memory_errors import NotEnoughMemory

ROOT = Path(__file__).resolve().parents[2]

SMALL = {'train_images': 128, 'test_images': 50, 'epochs': 1, 'image_size': 32}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """真的训练，小到几秒：手写数字、32 像素、一轮。"""
    digits = load_digits_dataset()
    monkeypatch.setattr(compare, 'load_dataset', lambda: digits)
    monkeypatch.setattr(compare, 'ROOT', tmp_path)
    monkeypatch.setattr(compare, 'QUICK', SMALL)
    monkeypatch.setattr(compare, 'QUICK_FOLDER', tmp_path / 'quick')
    monkeypatch.setattr(compare, 'FOLDER', tmp_path / 'full')
    return tmp_path / 'quick'


def run(*networks: str) -> int:
    return compare.main([*networks, '--quick'])


def densenet(folder: Path) -> Record:
    return read_record(folder / 'densenet.json')


def test_three_seeds_are_trained_and_their_predictions_kept(folder: Path) -> None:
    assert run('densenet') == 0
    record = densenet(folder)
    labels = load_digits_dataset().test.labels[:50]
    hits = (predictions_of(record) == labels).float().mean(dim=1)
    assert record.seeds == [0, 1, 2]
    assert hits.tolist() == pytest.approx(record.accuracies)
    assert len({one.predictions for one in record.runs}) > 1
    for one in record.runs:
        assert len(one.train_loss) == len(one.test_accuracy) == 1
        assert one.seconds > 0
    assert record.recipe['train_images'] == 128
    assert 'seeds' not in record.recipe
    assert set(record.versions) >= {'python', 'torch'}


def test_interrupted_run_keeps_its_seeds_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train_seed = compare.train_seed

    def interrupted(*arguments: object) -> object:
        if arguments[3] == 1:
            raise KeyboardInterrupt
        return train_seed(*arguments)

    monkeypatch.setattr(compare, 'train_seed', interrupted)
    assert run('densenet') == 130
    assert '接着做' in capsys.readouterr().err
    [first] = densenet(folder).runs
    monkeypatch.setattr(compare, 'train_seed', train_seed)
    assert run('densenet') == 0
    assert '种子 0 已经训练过，跳过' in capsys.readouterr().out
    assert densenet(folder).seeds == [0, 1, 2]
    assert densenet(folder).runs[0] == first


def test_ctrl_c_during_an_epoch_keeps_no_half_seed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepcnn.training import loop

    def pressed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, 'train_epoch', pressed)
    assert run('densenet') == 130
    assert not folder.exists()


def test_interrupted_seed_goes_on_from_its_last_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from deepcnn.training import loop

    monkeypatch.setattr(compare, 'QUICK', {**SMALL, 'epochs': 2})
    train_epoch, started = loop.train_epoch, []

    def pressed_in_the_second(*arguments: object) -> None:
        started.append(1)
        if len(started) == 2:
            raise KeyboardInterrupt
        train_epoch(*arguments)

    monkeypatch.setattr(loop, 'train_epoch', pressed_in_the_second)
    assert run('densenet') == 130
    assert run('densenet') == 0
    assert '前 1 轮此前已完成' in capsys.readouterr().out
    assert densenet(folder).seeds == [0, 1, 2]
    assert len(started) == 7  # 三个种子各两轮，打断的一轮重来


def test_a_shortage_of_memory_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = NotEnoughMemory('内存不够：请减小 batch_size')

    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(compare, 'train_seed', fails)
    assert run('densenet') == 1
    assert capsys.readouterr().err == f'{error}\n'


def test_finished_networks_are_not_trained_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run('densenet') == 0
    before = (folder / 'densenet.json').read_bytes()

    def never(*arguments: object) -> None:
        raise AssertionError('不该再训练')

    monkeypatch.setattr(compare, 'train_seed', never)
    assert run('densenet') == 0
    assert (folder / 'densenet.json').read_bytes() == before


def test_changed_recipe_starts_again_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run('densenet') == 0
    monkeypatch.setattr(compare, 'QUICK', {**SMALL, 'lr': 1e-4})
    assert run('densenet') == 0
    assert capsys.readouterr().out.count('recipe 变了') == 1
    record = densenet(folder)
    assert record.seeds == [0, 1, 2]
    assert record.recipe['lr'] == 1e-4


def test_seeds_are_the_outer_loop(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    monkeypatch.setattr(
        compare, 'train_seed', lambda network, *rest: order.append((rest[2], network))
    )
    monkeypatch.setattr(Record, 'with_run', lambda self, run: self)
    monkeypatch.setattr(Record, 'save', lambda self, folder: None)
    assert run() == 0
    assert order == [(seed, name) for seed in (0, 1, 2) for name in LINEUP]


def test_diverging_seed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {
        'lr': 1e30, 'optimizer': 'sgd', 'schedule': 'constant', 'clip': None,
        'precision': 'fp32', 'batch_size': 16,
    }  # fmt: skip
    monkeypatch.setattr(compare, 'QUICK', SMALL | broken)
    assert run('densenet') == 1
    assert 'densenet 的种子 0：' in capsys.readouterr().err
    assert not folder.exists()


def test_unknown_network_names_the_legal_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run('nin', 'lenet') == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'alexnet、vgg11' in error
    assert not folder.exists()


@pytest.mark.parametrize('name', LINEUP)
def test_budget_is_the_same(name: str) -> None:
    recipe = compare.planned(name, laptop=False, quick=False)
    assert (recipe.train_images, recipe.epochs, recipe.batch_size) == (10_000, 3, 64)
    assert recipe.test_images is None and recipe.seeds == (0, 1, 2)
    assert recipe.shift == 0 and recipe.label_smoothing == 0.1


@pytest.mark.parametrize('name', LINEUP)
def test_laptop_recipe_leaves_a_last_map_of_three_by_three(name: str) -> None:
    recipe = LINEUP[name].recipes['laptop']
    with torch.device('meta'):
        net = LINEUP[name].build(recipe.image_size)
    *_, last, head = layer_table(net, recipe.image_size).rows
    assert head.name == 'head'
    assert last.shape[1:] == (3, 3)


@pytest.mark.parametrize('name', LINEUP)
def test_laptop_record_was_made_with_the_chapters_recipe(name: str) -> None:
    """改了 laptop 配方，就要重新运行 make compare ARGS=--laptop。"""
    recipe = compare.planned(name, laptop=True, quick=False)
    kept = recipe.to_dict()
    del kept['seeds']
    record = laptop_record(name)
    assert record.recipe == kept
    assert record.seeds == [*recipe.seeds[: len(record.seeds)]]


@pytest.mark.parametrize('name', LINEUP)
def test_published_record_was_made_with_the_present_recipe(name: str) -> None:
    """改了 SHORT，就要重新运行 make compare 与 make record ARGS=summary。"""
    recipe = compare.planned(name, laptop=False, quick=False).to_dict()
    del recipe['seeds']
    assert load_records()[name].recipe == recipe
