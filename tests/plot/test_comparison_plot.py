"""六网对比的图：画出的就是给的数，中文都有字形。"""

import warnings

import matplotlib
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.container import BarContainer
from trial_records import load_trial

from deepcnn import plot
from deepcnn.data.fashion_mnist import FASHION_CLASSES
from deepcnn.plot.comparison import (
    accuracy_scatter,
    disagreement_grid,
    mean_curves,
    others_said,
    paired_bars,
)
from deepcnn.plot.curves import (
    curves_with_spread,
    lines_with_spread,
    training_curves,
)
from deepcnn.plot.heat_maps import heat_maps
from deepcnn.records import load_history
from deepcnn.records.agreement import UNDECIDED
from deepcnn.records.comparison import Record, SeedRun
from deepcnn.records.spreads import Spread

matplotlib.use('Agg')


@pytest.fixture(autouse=True)
def strict() -> None:
    """缺字形时 matplotlib 只警告；这里当作错误。"""
    plot.use_book_style()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield
    plt.close('all')


def test_training_curves_are_titled_by_the_name_of_the_network() -> None:
    assert training_curves(load_history('full/resnet18')).axes[0].get_title() == 'ResNet-18'


def test_error_bars_are_one_standard_deviation() -> None:
    fig = accuracy_scatter(
        {'NiN': Spread(0.9, 0.01)}, {'NiN': Spread(100, 20)}, '时间', '来历'
    )
    fig.draw_without_rendering()
    [drawn] = fig.axes[0].containers
    [[across], [upright]] = [bars.get_segments() for bars in drawn.lines[2]]
    assert across.ravel().tolist() == pytest.approx([80, 90, 120, 90])
    assert upright.ravel().tolist() == pytest.approx([100, 89, 100, 91])


def test_curves_show_the_mean_and_one_standard_deviation() -> None:
    runs = tuple(
        SeedRun(seed, test_accuracy=curve, predictions='0')
        for seed, curve in enumerate(([0.1, 0.6], [0.2, 0.6], [0.3, 0.6]))
    )
    record = Record('nin', '', 1, {'epochs': 2}, 'fp32', 'CPU', {}, runs)
    fig = mean_curves({'NiN': record}, '来历')
    fig.draw_without_rendering()
    [line] = fig.axes[0].lines
    assert line.get_ydata().tolist() == pytest.approx([20, 60])
    [band] = fig.axes[0].collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((10, 60))


def test_a_single_seed_is_drawn_without_a_deviation() -> None:
    one = {'NiN': Spread(0.9, None)}
    run = SeedRun(0, test_accuracy=[0.5, 0.9], predictions='0')
    record = Record('nin', '', 1, {'epochs': 2}, 'fp32', 'CPU', {}, (run,))
    scatter = accuracy_scatter(one, {'NiN': Spread(100, None)}, '时间')
    curves = mean_curves({'NiN': record})
    bars = paired_bars({'甲': {'NiN': Spread(0.9, None)}}, '比例')
    for fig in (scatter, curves, bars):
        fig.draw_without_rendering()
    assert scatter.axes[0].lines[0].get_ydata() == pytest.approx([90])
    assert curves.axes[0].lines[0].get_ydata() == pytest.approx([50, 90])
    assert bars.axes[0].patches[0].get_height() == pytest.approx(90)


def test_bars_stand_side_by_side() -> None:
    series = {
        '衬衫被认作T恤': {'甲': Spread(0.2, 0.01), '乙': Spread(0.1, 0.02)},
        'T恤被认作衬衫': {'甲': Spread(0.3, 0.01), '乙': Spread(0.4, 0.02)},
    }
    fig = paired_bars(series, '比例（%）')
    fig.draw_without_rendering()
    bars = sorted(fig.axes[0].patches, key=lambda bar: bar.get_x())
    assert [bar.get_height() for bar in bars] == pytest.approx([20, 30, 10, 40])
    for left, right in zip(bars[::2], bars[1::2], strict=True):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x())


def test_heat_maps_tell_diverged_from_untried() -> None:
    labels = (['1', '2'], ['甲', '乙'], ('纵', '横'))
    fig = heat_maps({'一': [[0.5, None], [float('nan'), 0.7]]}, *labels)
    assert [text.get_text() for text in fig.axes[0].texts] == ['50.0', '', '发散', '70.0']
    for wrong in ([[0.5, 0.6], [0.7]], [[0.5, 0.6]], []):
        with pytest.raises(ValueError, match=r'每一幅应有 \(2, 2\)（行、列）个格子'):
            heat_maps({'一': wrong}, *labels)


def test_more_curves_than_markers_are_all_drawn() -> None:
    names = [f'网络 {number}' for number in range(8)]
    spreads = dict.fromkeys(names, Spread(0.9, 0.01))
    [axes] = accuracy_scatter(spreads, spreads, '时间').axes
    assert len(axes.containers) == 8
    run = SeedRun(0, test_accuracy=[0.5, 0.6], predictions='0')
    record = Record('nin', '', 1, {'epochs': 2}, 'fp32', 'CPU', {}, (run, run))
    [axes] = mean_curves(dict.fromkeys(names, record)).axes
    assert len(axes.lines) == 8
    [axes] = paired_bars(dict.fromkeys(names, spreads), '比例').axes
    bars = [one for one in axes.containers if isinstance(one, BarContainer)]
    assert len(bars) == 8
    [axes] = lines_with_spread(
        dict.fromkeys(names, {1: [0.1, 0.2]}), '轮', '准确率'
    ).axes
    assert len(axes.containers) == 8
    fig = curves_with_spread([load_trial('residual-8')] * 8)
    assert [len(axes.lines) for axes in fig.axes] == [8, 8]


ANSWERS = {
    '甲': torch.tensor([6, 0]), '乙': torch.tensor([0, 0]),
    '丙': torch.tensor([0, 4]), '丁': torch.tensor([UNDECIDED, 2]),
}  # fmt: skip


def test_the_others_are_counted_without_the_one_that_is_right() -> None:
    assert others_said(ANSWERS, '甲', 0, FASHION_CLASSES) == 'T恤 2、不一 1'
    assert others_said(ANSWERS, '甲', 1, FASHION_CLASSES) == 'T恤 1、外套 1\n套头衫 1'


def test_grid_shows_the_true_class_and_leaves_the_rest_empty() -> None:
    images = torch.arange(2 * 28 * 28).reshape(2, 1, 28, 28).to(torch.uint8)
    alone = {'甲': torch.tensor([0]), '乙': torch.tensor([], dtype=torch.int64)}
    fig = disagreement_grid(
        images, torch.tensor([6, 0]), ANSWERS, alone, FASHION_CLASSES, '来历', columns=2
    )
    fig.draw_without_rendering()
    assert [axes.get_title() for axes in fig.axes] == ['衬衫', '', '', '']
    [shown] = fig.axes[0].images
    assert (shown.get_array() == images[0, 0].numpy()).all()
    assert not any(axes.images for axes in fig.axes[1:])


def test_grid_shows_colours() -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    fig = disagreement_grid(
        images, torch.tensor([6, 0]), ANSWERS, {'甲': torch.tensor([1])},
        FASHION_CLASSES, columns=1,
    )  # fmt: skip
    [shown] = fig.axes[0].images
    assert torch.equal(
        torch.tensor(shown.get_array() * 255).round(),
        images[1].permute(1, 2, 0).float(),
    )
