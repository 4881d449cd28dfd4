"""「NiN 要更大的学习率吗」一页的表与话，由存下的各次尝试再算一遍。"""

import re
from statistics import mean, stdev

import pytest
from test_printed_numbers import CHAPTERS, printed_by, prose_of
from test_told_statistics import widened

from deepcnn.records.attempts import load_attempts

PAGE = 'experiments/learning_rates'
RECORDS = CHAPTERS.parent / 'results' / 'experiments'
EARLY = {'nin': 'NiN', 'vgg11': 'VGG-11（1/4 宽）', 'alexnet': 'AlexNet'}
LATE = {'googlenet': 'GoogLeNet', 'resnet18': 'ResNet-18', 'densenet': 'DenseNet'}
TITLES = EARLY | LATE
BEST = {
    'nin': 2e-3, 'vgg11': 2e-3, 'alexnet': 2.5e-4,
    'googlenet': 1e-3, 'resnet18': 4e-3, 'densenet': 16e-3,
}  # fmt: skip
ALL_SIX = (
    f'平均最高的，AlexNet 是 {BEST["alexnet"]:g}，GoogLeNet {BEST["googlenet"]:g}，'
    f'NiN 与 VGG {BEST["nin"]:g}，ResNet-18 {BEST["resnet18"]:g}，DenseNet {BEST["densenet"]:g}'
)


def found(network: str) -> dict[float, list[float]]:
    """学习率 → 各种子的验证准确率，%。"""
    path = RECORDS / f'rates-{network}.json'
    by_rate: dict[float, list[float]] = {}
    for one in load_attempts(path):
        by_rate.setdefault(one.recipe['lr'], []).append(100 * one.accuracy)
    return by_rate


def gap(network: str, first: float, second: float) -> tuple[float, str]:
    """``first`` 减 ``second``：差别与 95% 区间。"""
    a, b = found(network)[first], found(network)[second]
    return mean(a) - mean(b), widened(a, b, 0.05)


@pytest.mark.parametrize('network', TITLES)
def test_every_rate_has_five_seeds_and_the_same_budget(network: str) -> None:
    path = RECORDS / f'rates-{network}.json'
    attempts = load_attempts(path)
    assert len({(one.budget, one.recipe['image_size']) for one in attempts}) == 1
    assert all(len(values) == 5 for values in found(network).values())
    assert len({(one.recipe['lr'], *one.recipe['seeds']) for one in attempts}) == len(attempts)


@pytest.mark.parametrize('network', TITLES)
def test_the_best_rate_lies_inside_its_grid(network: str) -> None:
    by = found(network)
    best = max(by, key=lambda rate: mean(by[rate]))
    assert best == BEST[network] and min(by) < best < max(by)


@pytest.mark.parametrize(
    ('titles', 'results', 'compared'),
    [(EARLY, 'results', 'compare'), (LATE, 'late-results', 'late-compare')],
)
def test_tables_are_recomputed(titles: dict[str, str], results: str, compared: str) -> None:
    rows = printed_by(PAGE, results)
    for number, network in enumerate(titles):
        for rate, values in found(network).items():
            (line,) = re.findall(rf'^\| {re.escape(f"{rate:g}")} \| (.*) \|$', rows, re.M)
            cell = f'{mean(values):.2f}% ± {stdev(values):.2f}%'
            assert line.split(' | ')[number] == cell
    rows = printed_by(PAGE, compared)
    for network, title in titles.items():
        top = BEST[network]
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


def test_what_eight_times_the_rate_did_is_told_as_recorded() -> None:
    told = prose_of(PAGE)
    lost, ends = gap('alexnet', 4e-3, 5e-4)
    assert f'AlexNet，低 {-lost:.2f} 个百分点，区间不含 0。' in told and '[−' in ends
    assert ', −' in ends
    gained = [gap(network, 4e-3, 5e-4) for network in ('vgg11', 'nin')]
    assert all(ends.startswith('[−') and ', −' not in ends for _, ends in gained)
    said = 'VGG 高 {:.2f} 个，NiN 高 {:.2f} 个，区间都含 0'
    assert said.format(*(one for one, _ in gained)) in told


def test_the_best_rates_are_told_as_recorded() -> None:
    told = prose_of(PAGE)
    for rate in (5e-4, 1e-3, 4e-3):
        assert gap('nin', 2e-3, rate)[1].startswith('[−')
    assert '减其余三种的区间都含 0' in told
    said = (
        'VGG 的 0.002 比 0.004 高 {:.2f} 个百分点，区间 {}，比 0.0005 高 {:.2f} 个，区间 {}，'
        '单看都不含 0；比 0.001 高 {:.2f} 个，区间 {} 刚刚不含 0'
    )
    pairs = [gap('vgg11', 2e-3, rate) for rate in (4e-3, 5e-4, 1e-3)]
    assert said.format(*(value for pair in pairs for value in pair)) in told
    assert not any(ends.startswith('[−') for _, ends in pairs)
    assert f'VGG 的 0.001 平均低 {pairs[2][0]:.2f} 个百分点，区间刚刚不含 0' in told
    assert gap('alexnet', 2.5e-4, 5e-4)[1].startswith('[−')
    assert f'只差 {gap("alexnet", 2.5e-4, 5e-4)[0]:.2f} 个' in told
    for rate in (1.25e-4, 2e-3):
        middle, ends = gap('alexnet', 2.5e-4, rate)
        assert f'比 {rate:.15g} 高 {middle:.2f} 个，区间 {ends}' in told and '−' not in ends
    falls = [gap(network, BEST[network], 4e-3) for network in ('alexnet', 'vgg11')]
    said = 'AlexNet 低 {:.2f} 个百分点，区间 {}；VGG 低 {:.2f} 个，区间 {}：单看都不含 0'
    assert said.format(*(value for pair in falls for value in pair)) in told
    assert f'NiN 低 {gap("nin", 2e-3, 4e-3)[0]:.2f} 个，区间含 0' in told


def test_the_seed_that_learned_slowly_is_told_as_recorded() -> None:
    told, by = prose_of(PAGE), found('nin')
    slow = [by[rate][3] for rate in sorted(by)]
    assert slow == sorted(slow)  # 每加倍都高一截
    assert f'四种学习率得到 {"、".join(f"{value:.1f}%" for value in slow)}' in told
    attempts = load_attempts(RECORDS / 'rates-nin.json')
    ends = [one.train_loss[-1] for one in attempts if one.recipe['seeds'] == [3]]
    assert f'训练损失最后是 {"、".join(f"{loss:.2f}" for loss in ends)}：' in told
    rest = [by[rate][seed] for rate in (5e-4, 1e-3, 2e-3) for seed in (0, 1, 2, 4)]
    assert f'都在 {min(rest):.1f}% 到 {max(rest):.1f}% 之间' in told


def test_most_of_the_spread_comes_from_one_seed_but_not_the_doubt() -> None:
    by = found('nin')
    rest = {rate: values[:3] + values[4:] for rate, values in by.items()}
    for rate in (5e-4, 1e-3, 2e-3):
        assert stdev(rest[rate]) < stdev(by[rate]) / 2
    assert stdev(rest[4e-3]) > stdev(by[4e-3])
    assert max(rest, key=lambda rate: mean(rest[rate])) == 2e-3
    for rate in (5e-4, 1e-3, 4e-3):
        assert widened(rest[2e-3], rest[rate], 0.05).startswith('[−')
    assert '不算它，平均最高的也是 0.002，与其余三种之差的区间也都含 0' in prose_of(PAGE)


def test_what_stays_clear_when_all_are_compared_together_is_told() -> None:
    pairs = [(n, rate) for n in EARLY for rate in found(n) if rate != BEST[n]]
    assert len(pairs) == 11
    clear = {
        (n, rate)
        for n, rate in pairs
        if '−' not in widened(found(n)[BEST[n]], found(n)[rate], 0.05 / 11)
    }
    assert clear == {('vgg11', 5e-4), ('alexnet', 1.25e-4), ('alexnet', 4e-3)}
    assert 'VGG 减 0.0005，AlexNet 减 0.000125 与减 0.004' in prose_of(PAGE)


def includes_zero(ends: str) -> bool:
    return ends.startswith('[−') and ', −' not in ends


def test_the_late_three_are_told_as_recorded() -> None:
    told = prose_of(PAGE)
    near, far = gap('googlenet', 1e-3, 2e-3), gap('googlenet', 1e-3, 4e-3)
    assert includes_zero(near[1]) and f'只差 {near[0]:.2f} 个百分点，区间含 0；它的 0.004' in told
    assert f'它的 0.004 低 {far[0]:.2f} 个，区间 {far[1]}' in told and '−' not in far[1]
    for network, low in (('resnet18', 1e-3), ('densenet', 1e-3)):
        middle, ends = gap(network, BEST[network], low)
        assert f'比 0.001 高 {middle:.2f} 个，区间 {ends}' in told and '−' not in ends
        best = found(network)[BEST[network]]
        together = widened(best, found(network)[low], 0.05 / 12)
        assert ('−' in together) == (network == 'resnet18')
    assert sum(len(found(network)) - 1 for network in LATE) == 12
    for rate in (8e-3, 16e-3):
        assert includes_zero(gap('resnet18', 4e-3, rate)[1])
    for rate in (2e-3, 4e-3, 8e-3, 32e-3):
        assert includes_zero(gap('densenet', 16e-3, rate)[1])
    lower, best = found('resnet18')[2e-3], found('resnet18')[4e-3]
    assert f'ResNet-18 的 0.002 低 {mean(best) - mean(lower):.2f} 个，十二个差' in told
    assert '−' in widened(best, lower, 0.05 / 12)


def test_how_flat_the_right_ends_are_is_told() -> None:
    flat = {}
    for network, start in (('resnet18', 4e-3), ('densenet', 8e-3)):
        means = [mean(values) for rate, values in found(network).items() if rate >= start]
        assert len(means) == 3
        flat[network] = max(means) - min(means)
    told = prose_of(PAGE)
    assert f'ResNet-18 从 0.004 到 0.016 至多差 {flat["resnet18"]:.2f} 个百分点' in told
    assert f'DenseNet 从 0.008 到 0.032 至多差 {flat["densenet"]:.2f} 个' in told
    assert {f'{mean(found(network)[16e-3]):.1f}%' for network in flat} == {'89.0%'}
    assert 'ResNet-18 与 DenseNet 平均仍有 89.0%' in told
    for network, rate in (('resnet18', 16e-3), ('densenet', 32e-3)):
        ends = gap(network, BEST[network], rate)[1]
        assert includes_zero(ends) and float(ends.strip('[]').split(', ')[1]) < 0.6
    rises = {network: gap(network, 4e-3, 1e-3) for network in TITLES}
    assert f'AlexNet 低 {-rises["alexnet"][0]:.2f} 个百分点' in told
    assert f'GoogLeNet 低 {-rises["googlenet"][0]:.2f} 个，ResNet-18 与 DenseNet 各高' in told
    higher = {f'{rises[network][0]:.2f}' for network in flat}
    assert len(higher) == 1 and f'各高 {higher.pop()} 个，单看区间都不含 0' in told
    clear = {network for network, (_, ends) in rises.items() if not includes_zero(ends)}
    assert clear == {'alexnet', 'googlenet', *flat}
    assert 'VGG 与 NiN 的区间含 0' in told
    together = {
        network
        for network in TITLES
        if not includes_zero(widened(found(network)[4e-3], found(network)[1e-3], 0.05 / 6))
    }
    assert together == clear - {'resnet18'} and '六个一起比，ResNet-18 的也含 0' in told


def test_no_network_excludes_the_same_rate() -> None:
    for titles, pairs in ((EARLY, 11), (LATE, 12)):
        for network in titles:
            by = found(network)
            best = BEST[network]
            assert best == 2e-3 or '−' in widened(by[best], by[2e-3], 0.05 / pairs)
    assert '一起比，0.002 对六个网络都还不能排除' in prose_of(PAGE)


def test_other_pages_tell_the_same() -> None:
    rates = {network: f'{rate:g}' for network, rate in BEST.items()}
    assert rates['nin'] == rates['vgg11']
    same = f'平均最高的，NiN 与 VGG 都是 {rates["nin"]}，AlexNet 是 {rates["alexnet"]}'
    assert same in prose_of('nin') and same in prose_of('summary')
    claims = (CHAPTERS / 'experiments.md').read_text(encoding='utf-8')
    assert same.replace('都是', '一样是') in claims
    for page in (PAGE, 'exercises/tuning'):
        assert ALL_SIX in prose_of(page)
    ends = f'从 AlexNet 的 {rates["alexnet"]} 到 DenseNet 的 {rates["densenet"]}'
    assert ends in (CHAPTERS / 'exercises.md').read_text(encoding='utf-8')
