"""对照实验：同一个训练循环，每个种子都训练，记录存得下、读得回，坏输入在训练之前拒绝。"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
import torch
from torch import nn
from trial_records import load_trial

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.models.network import Network
from deepcnn.plot.curves import curves_with_spread, dots_with_spread, lines_with_spread
from deepcnn.records import runs, trials
from deepcnn.records.runs import Run
from deepcnn.records.trials import Trial
from deepcnn.training import seeds
from deepcnn.training.evaluation import evaluate
from deepcnn.training.experiment import Variant, recipe_of, run_variants
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording, start_recording
from deepcnn.training.seeds import new_history, train, train_seeds

matplotlib.use('Agg')
RECIPE = Recipe(8, 2, 1e-2, 16, precision='fp32', flip=False, seeds=(0, 1, 2))


@pytest.fixture
def data() -> Dataset:
    """左半边亮的是 0 类，右半边亮的是 1 类。"""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    images = torch.randint(0, 60, (64, 1, 8, 8), generator=generator).to(torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[..., 4 * label : 4 * label + 4] += 150
    part = ImageSet(images, labels)
    return Dataset('两半', part, part.first(20), ('左', '右'), (0.4,), (0.3,))


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """像 make record 那样执行，但文件都写到临时文件夹里。"""
    monkeypatch.setattr('deepcnn.training.recording._current', [])
    start_recording(Recording(tmp_path / 'results', tmp_path / 'runs'))
    return tmp_path


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 2)
    )


def variant(name: str = 'small', label: str = '小网络') -> Variant:
    return Variant(name, label, small, RECIPE)


def trial_with(train: list[float], test: list[float], label: str = '一种') -> Trial:
    """训练准确率与测试准确率是给定的一种做法，每个种子一个值。"""
    part = ImageSet(torch.zeros(16, 1, 8, 8, dtype=torch.uint8), torch.zeros(16).long())
    data = Dataset('假的', part, part, ('甲',), (0.5,), (0.5,))
    record = new_history(small(), data, RECIPE, 'quick', torch.device('cpu'), [])
    for seed, value in enumerate(test):
        record.runs.append(Run(seed, [2.0, 1.0], [0.5, 0.6], [0.1, value], [1.0, 1.0]))
    return Trial(label, record, tuple(train), 330)


# ---- 训练 ---------------------------------------------------------------------


def test_seeds_train_as_in_the_chapters(data: Dataset) -> None:
    nets, mine = train_seeds(small, data, RECIPE, 'quick')
    _, theirs = train(small, data, RECIPE, 'quick')
    assert [run.train_loss for run in mine.runs] == [r.train_loss for r in theirs.runs]
    assert len(nets) == 3


def test_every_seed_is_trained_and_the_first_net_comes_back(data: Dataset) -> None:
    [trial] = run_variants([variant()], data, 'quick')
    assert trial.history.seeds == [0, 1, 2]
    assert trial.history.network == trial.net.name == 'small'
    assert trial.parameters == 4 * 9 + 4 + 144 * 2 + 2
    assert len(trial.train_accuracy) == 3
    assert not trial.net.training
    on_training = replace(data, test=data.train)
    assert evaluate(trial.net, on_training, RECIPE) == trial.train_accuracy[0]
    assert trial.measure('test_accuracy')[0] == evaluate(trial.net, data, RECIPE)
    assert min(trial.train_accuracy) > 0.8


def test_a_trial_keeps_the_first_net_and_measures_each_on_the_training_images(
    data: Dataset,
) -> None:
    """标签全是错的测试集：两种准确率不同，也就不会弄混。"""
    wrong = replace(data, test=ImageSet(data.test.images, 1 - data.test.labels))
    recipe = replace(RECIPE, seeds=(4, 2), lr=1e-3)
    used = replace(wrong, test=wrong.train)
    [trial] = run_variants([Variant('small', '小网络', small, recipe)], wrong, 'quick')
    nets, _ = train_seeds(small, wrong, recipe, 'quick')
    assert trial.train_accuracy == tuple(evaluate(net, used, recipe) for net in nets)
    assert trial.train_accuracy[0] > trial.measure('test_accuracy')[0]
    for mine, theirs in zip(trial.net.parameters(), nets[0].parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_training_accuracy_is_measured_without_dropout(data: Dataset) -> None:
    """途中累计的训练准确率开着丢弃法；另测的那一个没有。"""

    def dropped() -> nn.Module:
        net = small()
        net[3].p = 0.9
        return net

    [trial] = run_variants([Variant('small', '小网络', dropped, RECIPE)], data, 'quick')
    running = trial.measure('running_accuracy')
    assert running == tuple(run.train_accuracy[-1] for run in trial.history.runs)
    assert all(a > b for a, b in zip(trial.train_accuracy, running, strict=True))


# ---- 记录 ---------------------------------------------------------------------


def test_recording_writes_one_file_per_variant(data: Dataset, recording: Path) -> None:
    first = run_variants([variant('a', '甲'), variant('b', '乙')], data, 'quick')
    folder = recording / 'results' / 'experiments'
    saved = json.loads((folder / 'b.json').read_text('utf-8'))
    assert saved['seeds'] == [0, 1, 2] and saved['profile'] == 'quick'
    assert [load_trial(name, folder) for name in 'ab'] == first
    assert not list((recording / 'results').glob('*.json'))  # 各章的记录不受影响
    assert len(list((recording / 'runs').glob('*.pt'))) == 6


def test_finished_seeds_come_back(
    data: Dataset, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_variants([variant()], data, 'quick')
    capsys.readouterr()
    again = run_variants([variant()], data, 'quick')
    assert capsys.readouterr().out.count('此前已用同一份代码与配方训练完') == 3
    assert [trial.history.runs for trial in again] == [t.history.runs for t in first]
    assert [trial.train_accuracy for trial in again] == [
        t.train_accuracy for t in first
    ]


def test_nothing_is_written_while_reading(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """没有在录制，就一个文件也不写；环境变量不能使它写。"""

    def never(*arguments: object) -> None:
        raise AssertionError('不该写文件')

    monkeypatch.setenv('DEEPCNN_RECORD', '1')
    monkeypatch.chdir(tmp_path)
    for module, name in ((trials, 'write_json'), (runs, 'write_json')):
        monkeypatch.setattr(module, name, never)
    monkeypatch.setattr(torch, 'save', never)
    run_variants([variant()], data, 'quick')
    assert not list(tmp_path.iterdir())


def test_an_interrupted_seed_stops_the_experiment(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Run(0, [1.0], [0.5], [0.5], [1.0])
    monkeypatch.setattr(seeds, 'run_seed', lambda *args: cut)
    with pytest.raises(KeyboardInterrupt):
        run_variants([variant()], data, 'quick')


# ---- 坏输入 -------------------------------------------------------------------


def test_no_variant_and_two_of_one_name_are_refused(data: Dataset) -> None:
    with pytest.raises(ValueError, match='至少要给一种做法'):
        run_variants([], data)
    with pytest.raises(ValueError, match='重复的是 same'):
        run_variants([variant('same', '甲'), variant('same', '乙')], data, 'quick')


def test_image_too_small_is_refused_before_training(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Network:
        return Network('eight', nn.Identity(), nn.Sequential(), nn.Flatten(), 8)

    monkeypatch.setattr(seeds, 'run_seed', lambda *_: pytest.fail('已经开始训练'))
    with pytest.raises(ValueError, match='至少要 8 像素，现在是 6'):
        run_variants([Variant('x', '甲', build, Recipe(6, 1, 1e-2))], data)


@pytest.mark.parametrize(
    ('build', 'said'),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), '只有 1 个输出'),
        (lambda: Network('six', nn.Identity(), nn.Sequential(), small(), 6, 6), '按 6×6'),
        (lambda: Network('rgb', nn.Conv2d(3, 4, 3), nn.Identity(), nn.Flatten(), 8), '3 个通道'),
    ],
    ids=['outputs', 'side', 'channels'],
)  # fmt: skip
def test_a_network_that_does_not_fit_is_refused_before_the_first_is_trained(
    build: Callable[[], nn.Module], said: str, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, 'run_seed', lambda *_: pytest.fail('已经开始训练'))
    with pytest.raises(ValueError, match=said):
        run_variants([variant(), Variant('x', '甲', build, RECIPE)], data, 'quick')


def test_networks_without_running_statistics_are_trained(data: Dataset) -> None:
    """它们评价时也照这一批算：只看一张图像，就没有方差。"""

    def build() -> nn.Module:
        norm = nn.BatchNorm1d(64, track_running_stats=False)
        return nn.Sequential(nn.Flatten(), norm, nn.Linear(64, 2))

    recipe = replace(RECIPE, seeds=(0,))
    assert run_variants([Variant('x', '甲', build, recipe)], data, 'quick')


def test_a_missing_profile_names_the_legal_ones() -> None:
    with pytest.raises(ValueError, match='没有 gpu 档.*quick'):
        recipe_of({'quick': RECIPE}, 'gpu')
    assert recipe_of({'quick': RECIPE}, 'quick') is RECIPE


# ---- 图 -----------------------------------------------------------------------


def test_curves_show_means_and_bands() -> None:
    trials = [trial_with([0.9] * 3, [0.7, 0.8, 0.9], name) for name in ('甲', '乙')]
    fig = curves_with_spread(trials)
    upper, lower = fig.axes
    assert [line.get_ydata()[-1] for line in lower.lines] == pytest.approx([0.8, 0.8])
    band = lower.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.1, 0.9))
    assert upper.get_position().y0 > lower.get_position().y0
    assert [line.get_label() for line in upper.lines] == ['甲', '乙']
    with pytest.raises(ValueError, match='train_loss'):
        curves_with_spread(trials, ['accuracy'])
    for draw in (curves_with_spread, lambda none: dots_with_spread(none, 'gap')):
        with pytest.raises(ValueError, match='run_variants'):
            draw([])


def test_lines_and_dots_show_every_seed() -> None:
    fig = lines_with_spread({'甲': {8: [0.1, 0.3], 20: [0.2]}}, '层数', '误差')
    [axes] = fig.axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.2, 0.2])
    assert list(axes.get_xticks()) == [8, 20]
    fig = dots_with_spread([trial_with([0.9, 0.8], [0.5, 0.6])], 'gap')
    [axes] = fig.axes
    assert axes.lines[0].get_xdata()[0] == pytest.approx(0.3)
    seeds = axes.collections[-1].get_offsets()
    assert seeds[:, 0].tolist() == pytest.approx([0.4, 0.2])
    assert [line.get_linestyle() for line in axes.lines].count('--') == 1
    assert axes.get_xlabel() == '训练减测试'
