"""挑选超参数的记录：比较、排成表，几个进程同时写也一条不丢。"""

import math
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from deepcnn.records.attempts import (
    TUNING_IMAGES,
    Attempt,
    accuracy_grid,
    add_attempt,
    best,
    by_budget,
    choice_of,
    effect,
    load_attempts,
    sampling_error,
    save_attempts,
    values_of,
    varied,
)

RECIPE = {
    'epochs': 2, 'train_images': 100, 'image_size': 28, 'lr': 0.1, 'flip': True, 'seeds': [0],
    'erasing': 0.0, 'momentum': 0.9,
}  # fmt: skip


def attempt(*accuracy: float, **changes: object) -> Attempt:
    return Attempt(RECIPE | changes, [1.0], list(accuracy), 1.0, 'CPU', {}, None)


def test_accuracy_is_that_of_the_last_epoch_and_zero_after_divergence() -> None:
    assert attempt(0.9, 0.8).accuracy == 0.8
    assert attempt().accuracy == 0.0


def test_budget_is_not_a_choice() -> None:
    one = attempt(0.5)
    assert one.budget == (2, 100, 28)
    assert one.choice == choice_of(RECIPE)
    assert set(one.choice) == {'lr', 'flip', 'erasing', 'momentum'}


def test_images_trained_are_those_of_all_epochs() -> None:
    assert attempt(0.5).images_trained == 200
    assert TUNING_IMAGES == 55_000
    assert attempt(0.5, train_images=None, epochs=3).images_trained == 165_000


def test_only_what_differs_is_listed() -> None:
    tried = [attempt(0.5), attempt(0.6, lr=0.2), attempt(0.7, lr=0.3, epochs=9)]
    assert varied(tried) == ['lr']
    assert varied(tried[:1]) == []


@pytest.mark.parametrize(
    ('accuracy', 'images', 'expected'),
    [(0.5, 100, 0.05), (0.9, 10_000, 0.003), (0.9, 5000, 0.00424264), (0, 1, 0), (1, 10, 0)],
)
def test_sampling_error_of_a_share(
    accuracy: float, images: int, expected: float
) -> None:
    assert sampling_error(accuracy, images) == pytest.approx(expected)


@pytest.mark.parametrize(('accuracy', 'images'), [(-0.1, 5), (1.1, 5), (0.5, 0)])
def test_impossible_shares_are_refused(accuracy: float, images: int) -> None:
    with pytest.raises(ValueError, match='准确率要在 0～1 之间、图像至少 1 张'):
        sampling_error(accuracy, images)


def test_the_first_of_equals_is_best() -> None:
    first, second = attempt(0.1, 0.8, lr=1), attempt(0.9, 0.8, lr=2)
    assert best([attempt(0.7), first, second, attempt()]) is first


def test_shorter_budgets_come_first() -> None:
    long, short = attempt(0.1, epochs=3), attempt(0.2, train_images=50)
    even_longer = attempt(0.3, epochs=1, train_images=None)
    again = attempt(0.4, epochs=3, lr=9)
    larger = attempt(0.9, epochs=3, image_size=96)  # 图像大的另成一组
    groups = by_budget([long, even_longer, short, again, larger])
    assert groups == [[short], [long, again], [larger], [even_longer]]
    assert [group[0].images_trained for group in groups] == [100, 300, 300, 55_000]


def test_grid_by_rows_and_columns() -> None:
    tried = [
        attempt(0.1, lr=1, flip=True), attempt(0.2, lr=1, flip=False),
        attempt(0.3, lr=2, flip=True), attempt(lr=3, flip=True),
    ]  # fmt: skip
    assert values_of(tried, 'lr') == [1, 2, 3]
    first, (known, untried), third = accuracy_grid(tried, 'lr', 'flip')
    assert first == [0.1, 0.2] and known == 0.3 and untried is None
    assert math.isnan(third[0]) and third[1] is None  # 发散的，与没有试的
    with pytest.raises(ValueError, match='lr=1、flip=True 试了不止一次'):
        accuracy_grid([*tried, attempt(0.5, lr=1, erasing=0.5)], 'lr', 'flip')
    for ask in (values_of, effect, lambda tried, name: accuracy_grid(tried, 'lr', name)):
        with pytest.raises(ValueError, match="没有 'rate' 这一项：可以用 epochs"):
            ask(tried, 'rate')


def test_effect_is_the_mean_over_everything_else() -> None:
    tried = [attempt(0.2, lr=1), attempt(0.4, lr=1, flip=False), attempt(lr=2)]
    assert effect(tried, 'lr') == {1: pytest.approx(0.3), 2: 0.0}


# ---- 存与读 ---------------------------------------------------------------------


def test_attempts_come_back_and_are_added_to(tmp_path: Path) -> None:
    path = tmp_path / 'tuning' / 'nin.json'
    assert load_attempts(path) == []
    add_attempt(path, attempt(0.5))
    add_attempt(path, attempt(0.6))
    assert load_attempts(path) == [attempt(0.5), attempt(0.6)]
    save_attempts(path, [attempt(0.7)])
    assert load_attempts(path) == [attempt(0.7)]


def test_older_attempts_are_completed(tmp_path: Path) -> None:
    path = tmp_path / 'nin.json'
    old = {k: v for k, v in RECIPE.items() if k not in ('erasing', 'momentum')}
    plain = old | {'optimizer': 'sgd', 'schedule': 'constant'}
    save_attempts(
        path, [Attempt(one, [], [], 0.0, 'CPU', {}, None) for one in (old, plain)]
    )
    first, second = load_attempts(path)
    assert first.recipe == RECIPE
    assert second.recipe['momentum'] == 0.0


def test_an_attempt_waits_for_the_one_that_is_being_added(tmp_path: Path) -> None:
    """别的进程拿着锁时不读也不写；它写完之后再读，两条都在。"""
    path = tmp_path / 'nin.json'
    waiting = threading.Thread(target=add_attempt, args=(path, attempt(0.6)))
    with FileLock(path.with_suffix('.lock')):
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not path.exists()
        save_attempts(path, [attempt(0.5)])
    waiting.join(30)
    assert load_attempts(path) == [attempt(0.5), attempt(0.6)]


def test_damaged_attempts_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'nin-gpu.json'
    for text in ('[{"recipe"', '[{}]', '7'):
        path.write_text(text, encoding='utf-8')
        with pytest.raises(ValueError, match='nin-gpu.json 读不了.*请用 git 取回'):
            load_attempts(path)
