"""训练记录：写得出、读得回；被打断的种子不混进平均。"""

from pathlib import Path

import pytest

from deepcnn.plot import training_curves
from deepcnn.records.runs import History, Run, load_history


def history_of(*runs: Run) -> History:
    recipe = {'lr': 0.1, 'erasing': 0.5, 'momentum': 0.9}
    return History(
        'net', 'quick', 'digits', 64, 32, 8, 5, 16, 'fp32', 'CPU', '2', recipe, [*runs]
    )


def interrupted() -> History:
    """种子 0 训练了 5 轮，种子 1 在第 2 轮里被打断。"""
    whole = Run(0, [1.0] * 5, [0.8] * 5, [0.9] * 5, [1.0] * 5, 5.0)
    return history_of(whole, Run(1, [2.0], [0.2], [0.1], [1.0], 1.0))


def test_history_survives_json(tmp_path: Path) -> None:
    history = interrupted()
    assert history.save(tmp_path) == tmp_path / 'net.json'
    assert load_history('net', tmp_path) == history
    with pytest.raises(ValueError, match='没有 missing 的训练记录（现有：net）'):
        load_history('missing', tmp_path)


@pytest.mark.parametrize(
    ('older', 'momentum'),
    [
        ({'optimizer': 'sgd', 'schedule': 'constant'}, 0.0),
        ({'optimizer': 'sgd', 'schedule': 'onecycle'}, 0.9),
        ({'optimizer': 'adamw', 'schedule': 'constant'}, 0.9),
    ],
)
def test_history_from_before_erasing_and_momentum_is_read_back(
    tmp_path: Path, older: dict, momentum: float
) -> None:
    """那时不擦除；学习率不变的 SGD 没有动量。"""
    history = interrupted()
    history.recipe = older
    history.save(tmp_path)
    read = load_history('net', tmp_path).recipe
    assert read == older | {'erasing': 0.0, 'momentum': momentum}


def test_an_interrupted_seed_is_not_averaged_in() -> None:
    history = interrupted()
    assert history.test_accuracy == 0.9
    assert '种子 0、1（1 没有训练完' in history.provenance


def test_an_interrupted_seed_does_not_shorten_the_curves() -> None:
    figure = training_curves(interrupted())
    for axes, last in zip(figure.axes, (1.0, 0.8), strict=True):
        mean, *seeds = axes.get_lines()[:3]
        assert [len(line.get_xdata()) for line in (mean, *seeds)] == [5, 5, 1]
        assert mean.get_ydata()[-1] == pytest.approx(last)


def test_images_that_no_batch_took_are_not_counted() -> None:
    history = history_of(Run(0, [1.0], [0.5], [0.5], [2.0], 2.5))
    history.train_images, history.batch_size = 99, 50
    assert history.images_per_second == 25


@pytest.mark.parametrize('run', [Run(0), Run(0, [1.0], [0.5], [0.3], [1.0], 1.5)])
def test_an_accuracy_that_was_not_reached_took_no_time(run: Run) -> None:
    assert run.seconds_until(0.9) is None


def test_time_until_an_accuracy_includes_its_share_of_testing() -> None:
    run = Run(0, [1.0] * 4, [0.5] * 4, [0.3, 0.5, 0.6, 0.7], [1.0] * 4, 6.0)
    assert run.seconds_until(0.5) == 3.0
    assert run.seconds_until(0.7) == 6.0
