"""「NiN 要更大的学习率吗」一页的表与话，由存下的各次尝试再算一遍。"""

import re
from statistics import mean, stdev

import pytest
from test_printed_numbers import CHAPTERS, printed_by, prose_of
from test_told_statistics import widened

from deepcnn.records.attempts import load_attempts

PAGE = 'experiments/learning_rates'
RECORDS = CHAPTERS.parent / 'results' / 'experiments'
TITLES = {'nin': 'NiN', 'vgg11': 'VGG-11（1/4 宽）', 'alexnet': 'AlexNet'}


def found(network: str) -> dict[float, list[float]]:
    """学习率 → 各种子的验证准确率，%。"""
    path = RECORDS / f'rates-{network}.json'
    by_rate: dict[float, list[float]] = {}
    for one in load_attempts(path):
        by_rate.setdefault(one.recipe['lr'], []).append(100 * one.accuracy)
    return by_rate


def best(network: str) -> float:
    return max(by := found(network), key=lambda rate: mean(by[rate]))


def gap(network: str, first: float, second: float) -> tuple[float, str]:
    """``first`` 减 ``second``：差别与 95% 区间。"""
    a, b = found(network)[first], found(network)[second]
    return mean(a) - mean(b), widened(a, b, 0.05)


@pytest.mark.parametrize('network', TITLES)
def test_every_rate_has_three_seeds_and_the_same_budget(network: str) -> None:
    path = RECORDS / f'rates-{network}.json'
    attempts = load_attempts(path)
    assert len({(one.budget, one.recipe['image_size']) for one in attempts}) == 1
    assert all(len(values) == 3 for values in found(network).values())
    assert len({(one.recipe['lr'], *one.recipe['seeds']) for one in attempts}) == len(attempts)


def test_tables_are_recomputed() -> None:
    rows = printed_by(PAGE, 'results')
    for number, network in enumerate(TITLES):
        for rate, values in found(network).items():
            (line,) = re.findall(rf'^\| {re.escape(f"{rate:g}")} \| (.*) \|$', rows, re.M)
            cell = f'{mean(values):.2f}% ± {stdev(values):.2f}%'
            assert line.split(' | ')[number] == cell
    rows = printed_by(PAGE, 'compare')
    for network, title in TITLES.items():
        top = best(network)
        for rate in found(network).keys() - {top}:
            middle, ends = gap(network, top, rate)
            shown = f'+{middle:.2f}' if ends.startswith('[−') else f'**+{middle:.2f}**'
            assert f'| {title} | {top:g} | {rate:g} | {shown} | {ends} |' in rows


def test_how_flat_the_last_epoch_was_is_told() -> None:
    changes = []
    for network in TITLES:
        by_rate: dict[float, list[tuple[float, float]]] = {}
        for one in load_attempts(RECORDS / f'rates-{network}.json'):
            loss, accuracy = one.train_loss, one.validation_accuracy
            last = loss[-1] - loss[-2], 100 * (accuracy[-1] - accuracy[-2])
            by_rate.setdefault(one.recipe['lr'], []).append(last)
        changes += [[*map(mean, zip(*seeds, strict=True))] for seeds in by_rate.values()]
    losses, accuracies = zip(*changes, strict=True)
    told = f'至多变 {max(map(abs, accuracies)):.2f} 个百分点，训练损失至多还降 {-min(losses):.3f}；'
    assert told in prose_of(PAGE)


def test_what_the_rates_say_is_told_as_recorded() -> None:
    told = prose_of(PAGE)
    assert {one: best(one) for one in TITLES} == {'nin': 1e-3, 'vgg11': 2e-3, 'alexnet': 5e-4}
    nin, vgg, alexnet = ({r: mean(v) for r, v in found(one).items()} for one in TITLES)
    assert abs(nin[1e-3] - nin[2e-3]) < 0.005 and '平均一样高' in told
    middle, ends = gap('vgg11', 2e-3, 1e-3)
    assert f'VGG 的 0.002 比 0.001 高 {middle:.2f} 个百分点，区间 {ends} 不含 0' in told
    assert '−' not in ends
    middle, ends = gap('vgg11', 2e-3, 4e-3)
    assert f'比 0.004 高 {middle:.2f} 个，区间 {ends} 含 0' in told and '[−' in ends
    for rate in (5e-4, 2e-3, 4e-3):
        assert gap('nin', 1e-3, rate)[1].startswith('[−')
    middle, ends = gap('alexnet', 5e-4, 1e-3)
    assert f'比 0.001 高 {middle:.2f} 个，区间 {ends}' in told
    middle, ends = gap('alexnet', 5e-4, 2e-3)
    assert f'比 0.002 高 {middle:.2f} 个，区间 {ends}' in told
    raised = f'提高 {vgg[2e-3] - vgg[1e-3]:.2f} 个百分点；NiN 一点没有提高'
    assert f'{raised}，AlexNet 反而低 {alexnet[1e-3] - alexnet[2e-3]:.2f} 个' in told
    middle, ends = gap('alexnet', 5e-4, 4e-3)
    assert f'AlexNet 低 {middle:.2f} 个百分点，区间 {ends} 不含 0' in told and '−' not in ends
    falls = [max(by.values()) - by[4e-3] for by in (vgg, nin)]
    assert 'VGG 低 {:.2f} 个，NiN 低 {:.2f} 个，区间都含 0'.format(*falls) in told
    seeds = '%、'.join(f'{value:.1f}' for value in found('nin')[4e-3])
    assert f'三个种子是 {seeds}%' in told
    assert 'NiN 的比 AlexNet 的大，不比 VGG 的大，三个种子还定不了' in prose_of('nin')
    summed = '平均最高的，NiN 是 0.001 与 0.002，AlexNet 是 0.0005，VGG 是 0.002，三个种子还定不了'
    assert summed in prose_of('summary')
