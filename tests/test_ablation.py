"""对照实验的零件：做法、散布、换层、梯度、图。"""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from torch import nn

from deepcnn import ablation
from deepcnn.ablation import Trial, Variant, recipe_of, run_variants
from deepcnn.data import Dataset, ImageSet
from deepcnn.gradient_plot import gradient_histograms
from deepcnn.gradients import share_below, sigmoid_slopes, weight_gradients
from deepcnn.models.alexnet import alexnet
from deepcnn.recipe import Recipe
from deepcnn.seed_spread import compare, difference, results_table, spread, verdicts
from deepcnn.seeds_plot import curves_with_spread, dots_with_spread, lines_with_spread
from deepcnn.surgery import replace_modules, set_dropout
from deepcnn.train import evaluate

matplotlib.use('Agg')
RECIPE = Recipe(8, 2, 1e-2, 16, precision='fp32', flip=False, seeds=(0, 1, 2))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close('all')


@pytest.fixture
def data() -> Dataset:
    """左半边亮的是 0 类，右半边亮的是 1 类。"""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    images = torch.randint(0, 60, (64, 1, 8, 8), generator=generator).to(torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[..., 4 * label : 4 * label + 4] += 150
    part = ImageSet(images, labels)
    return Dataset('两半', part, part.first(20), ('左', '右'), 0.4, 0.3, False)


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 2)
    )


def trial_with(train: list[float], test: list[float], label: str = '一种') -> Trial:
    """训练准确率与测试准确率是给定的一种做法，每个种子一个值。"""
    from deepcnn.history import Run
    from deepcnn.train import new_history

    part = ImageSet(torch.zeros(16, 1, 8, 8, dtype=torch.uint8), torch.zeros(16).long())
    data = Dataset('假的', part, part, ('甲',), 0.5, 0.5, False)
    history = new_history(small(), data, RECIPE, 'quick', torch.device('cpu'))
    for seed, value in enumerate(test):
        history.runs.append(Run(seed, [2.0, 1.0], [0.5, 0.6], [0.1, value], [1.0, 1.0]))
    variant = Variant(label, label, small, RECIPE)
    return Trial(variant, history, small(), tuple(train))


# ---- 做法 ---------------------------------------------------------------------


def test_every_seed_is_trained_and_the_first_net_comes_back(data: Dataset) -> None:
    [trial] = run_variants([Variant('small', '小网络', small, RECIPE)], data, 'quick')
    assert trial.history.seeds == [0, 1, 2]
    assert trial.history.network == trial.net.name == 'small'
    assert len(trial.train_accuracy) == 3
    assert not trial.net.training
    on_training = replace(data, test=data.train)
    assert evaluate(trial.net, on_training, RECIPE) == trial.train_accuracy[0]
    assert trial.measure('test_accuracy')[0] == evaluate(trial.net, data, RECIPE)
    assert min(trial.train_accuracy) > 0.8


def test_training_accuracy_is_measured_without_dropout(data: Dataset) -> None:
    """途中累计的训练准确率开着丢弃法；另测的那一个没有。"""

    def dropped() -> nn.Module:
        return set_dropout(small(), 0.9)

    [trial] = run_variants([Variant('small', '小网络', dropped, RECIPE)], data, 'quick')
    running = [run.train_accuracy[-1] for run in trial.history.runs]
    assert all(a > b for a, b in zip(trial.train_accuracy, running, strict=True))


def test_recording_writes_one_file_per_variant(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('DEEPCNN_RECORD', '1')
    monkeypatch.setattr(ablation, 'EXPERIMENTS', tmp_path / 'experiments')
    monkeypatch.setattr('deepcnn.checkpoint.FOLDER', tmp_path / 'runs')
    variants = [Variant(name, name, small, RECIPE) for name in ('a', 'b')]
    first = run_variants(variants, data, 'quick')
    saved = json.loads(
        (tmp_path / 'experiments' / 'b.json').read_text(encoding='utf-8')
    )
    assert saved['seeds'] == [0, 1, 2] and saved['profile'] == 'quick'
    assert len(list((tmp_path / 'runs').glob('*.pt'))) == 6
    again = run_variants(variants, data, 'quick')  # 从断点读回，不重训
    assert [t.train_accuracy for t in again] == [t.train_accuracy for t in first]


def test_an_interrupted_seed_stops_the_experiment(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepcnn.history import Run

    cut = Run(0, [1.0], [0.5], [0.5], [1.0])
    monkeypatch.setattr(ablation, 'run_seed', lambda *args: cut)
    with pytest.raises(KeyboardInterrupt):
        run_variants([Variant('small', '小网络', small, RECIPE)], data, 'quick')


def test_two_variants_of_one_name_are_refused(data: Dataset) -> None:
    twice = [Variant('same', label, small, RECIPE) for label in ('甲', '乙')]
    with pytest.raises(ValueError, match='重复的是 same'):
        run_variants(twice, data, 'quick')


def test_unknown_measure_and_missing_profile_name_the_legal_ones() -> None:
    with pytest.raises(
        ValueError, match='train_loss、train_accuracy、test_accuracy、gap'
    ):
        trial_with([1], [1]).measure('loss')
    with pytest.raises(ValueError, match='没有 gpu 档.*quick'):
        recipe_of({'quick': RECIPE}, 'gpu')
    assert recipe_of({'quick': RECIPE}, 'quick') is RECIPE


# ---- 散布 ---------------------------------------------------------------------


def test_spread_is_the_sample_standard_deviation() -> None:
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.sd) == (2.0, 1.0)
    assert str(found) == '2.000 ± 1.000'
    assert str(spread([0.5])) == '0.500（1 个种子）'
    with pytest.raises(ValueError, match='一个也没有'):
        spread([])


def test_a_difference_must_be_twice_its_spread() -> None:
    found = difference([10, 11, 12], [6, 7, 8])
    assert found.value == 4 and found.spread == pytest.approx(2**0.5)
    assert found.clear and found.verdict == '分得出'
    assert not difference([10, 11, 12], [8, 9, 10]).clear
    assert difference([10, 11, 12], [8, 9, 10]).verdict == '分不出'


@pytest.mark.parametrize('values', [[1.0], [1.0, 1.0]])
def test_fewer_than_three_seeds_decide_nothing(values: list[float]) -> None:
    found = difference(values, [0.0, 0.0, 0.0])
    assert not found.clear
    assert found.verdict == f'只有 {len(values)} 个种子，不下结论'


def test_tables_show_means_spreads_and_verdicts() -> None:
    a = trial_with([0.9, 0.91, 0.92], [0.8, 0.8, 0.8], '甲')
    b = trial_with([0.5, 0.51, 0.52], [0.8, 0.81, 0.82], '乙')
    rows = results_table([a, b], ('train_accuracy', 'gap')).rows
    assert rows[0][0] == '甲' and rows[0][1] == 4 * 9 + 4 + 144 * 2 + 2
    assert rows[0][2:] == ('0.910 ± 0.010', '0.110 ± 0.010')
    assert compare(a, b, 'train_accuracy').value == pytest.approx(0.4)
    [row] = verdicts([(a, b)], 'train_accuracy').rows
    assert row == ('甲 减 乙', '+0.400', '0.014', '分得出')
    [row] = verdicts([(a, b)], 'test_accuracy').rows
    assert row[-1] == '分不出'


# ---- 换层 ---------------------------------------------------------------------


def test_replacing_changes_the_kind_and_nothing_else() -> None:
    torch.manual_seed(0)
    before = alexnet(image_size=63)
    torch.manual_seed(0)
    after = replace_modules(alexnet(image_size=63), nn.ReLU, nn.Sigmoid)
    kinds = [type(module) for module in after.modules()]
    assert kinds.count(nn.Sigmoid) == 7 and nn.ReLU not in kinds
    assert list(after.state_dict()) == list(before.state_dict())
    pairs = zip(after.parameters(), before.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    places = {name for name, m in after.named_modules() if isinstance(m, nn.Sigmoid)}
    assert places == {n for n, m in before.named_modules() if isinstance(m, nn.ReLU)}


def test_replacing_an_absent_kind_lists_the_present_ones() -> None:
    with pytest.raises(ValueError, match='Conv2d.*ReLU'):
        replace_modules(small(), nn.Sigmoid, nn.ReLU)


def test_dropout_rate_is_set_everywhere() -> None:
    net = set_dropout(alexnet(image_size=63), 0)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0, 0]


@pytest.mark.parametrize('rate', [-0.1, 1, 1.5, float('nan')])
def test_bad_dropout_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match='0 ≤ rate < 1'):
        set_dropout(small(), rate)


# ---- 梯度 ---------------------------------------------------------------------


def test_weight_gradients_are_those_of_backward() -> None:
    torch.manual_seed(0)
    net = small().eval()
    X, y = torch.randn(8, 1, 8, 8), torch.arange(8) % 2
    found = weight_gradients(net, X, y)
    assert list(found) == ['0', '4']
    assert all(parameter.grad is None for parameter in net.parameters())
    F.cross_entropy(net(X), y).backward()
    assert torch.allclose(found['0'], net[0].weight.grad.abs())
    assert torch.allclose(found['4'], net[4].weight.grad.abs())


def test_sigmoid_slopes_are_those_of_autograd() -> None:
    net = nn.Sequential(nn.Sigmoid())
    X = torch.linspace(-6, 6, 50, requires_grad=True)
    [slope] = sigmoid_slopes(net, X).values()
    assert torch.allclose(slope, torch.autograd.grad(net(X).sum(), X)[0], atol=1e-6)


def test_share_below_counts_strictly() -> None:
    assert share_below(torch.tensor([0.0, 0.1, 0.2, 0.3]), 0.2) == 0.5
    with pytest.raises(ValueError, match='大于 0'):
        share_below(torch.zeros(3), 0)


def test_networks_without_the_layers_are_refused() -> None:
    with pytest.raises(ValueError, match='没有权重'):
        weight_gradients(
            nn.Sequential(nn.ReLU()), torch.zeros(1, 2), torch.zeros(1).long()
        )
    with pytest.raises(ValueError, match=r'nn\.Sigmoid'):
        sigmoid_slopes(small(), torch.zeros(1, 1, 8, 8))


# ---- 图 -----------------------------------------------------------------------


def test_histograms_mark_the_median_and_the_zeros() -> None:
    values = torch.tensor([0.0, 1e-4, 1e-3, 1e-2])
    fig = gradient_histograms({'甲': {'a': values}, '乙': {'a': values}}, ['a'], '来历')
    axes = fig.axes[0]
    [median] = [line.get_xdata()[0] for line in axes.lines]
    assert median == pytest.approx(-3)
    assert axes.texts[0].get_text() == '0 占 25%'
    assert sum(bar.get_height() for bar in axes.patches) == 3


def test_histogram_of_an_absent_layer_lists_the_present_ones() -> None:
    with pytest.raises(ValueError, match='甲 没有 b 这一层：可以用 a'):
        gradient_histograms({'甲': {'a': torch.ones(2)}}, ['b'])


def test_curves_show_means_and_bands() -> None:
    trials = [trial_with([0.9] * 3, [0.7, 0.8, 0.9], name) for name in ('甲', '乙')]
    fig = curves_with_spread(trials)
    left, right = fig.axes
    assert [line.get_ydata()[-1] for line in right.lines] == pytest.approx([0.8, 0.8])
    band = right.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.1, 0.9))
    assert [line.get_label() for line in left.lines] == ['甲', '乙']
    with pytest.raises(ValueError, match='train_loss'):
        curves_with_spread(trials, ['accuracy'])


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
