"""「性能」里手写的数：测量、目标与挑配方的各次尝试，由记录再算一遍。"""

from math import sqrt

import pytest
import torch
from book_source import read_page
from test_printed_numbers import CHAPTERS, NETWORKS, faster, training_minutes
from torch import nn

from deepcnn.anatomy.memory import peak_bytes
from deepcnn.models.lineup import LINEUP
from deepcnn.records.attempts import (
    TUNING_IMAGES,
    VALIDATION_IMAGES,
    Attempt,
    best,
    by_budget,
    load_attempts,
    sampling_error,
)
from deepcnn.records.benchmark import GOALS, NOISE, SHARE_GOALS, Report, load_report
from deepcnn.records.runs import load_history
from deepcnn.records.store import RESULTS
from deepcnn.training.cpu_speedups import is_worth_it

PAGE = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')


def report(precision: str) -> Report:
    return load_report(RESULTS / f'bench-cpu-{precision}.json')


def attempts(name: str) -> list[Attempt]:
    return load_attempts(RESULTS / 'tuning' / f'{name}.json')


def test_how_often_the_machine_drifted() -> None:
    drifts = [
        one.drift for p in ('bf16', 'fp32') for one in report(p).comparisons.values()
    ]
    counts = len(drifts), sum(abs(one) > NOISE for one in drifts)
    words = [{12: '十二', 7: '七'}[one] for one in counts]
    told = f'{words[0]}次测量里，有{words[1]}次前后两次 d2l 相差 {NOISE:.0%} 以上'
    assert told in PAGE


def test_waiting_and_the_limit_are_told_as_measured() -> None:
    waits = [
        1 - step / whole
        for one in report('bf16').comparisons.values()
        for row in [one.row('d2l')]
        for step, whole in zip(row.step_seconds, row.counted_seconds, strict=True)
    ]
    assert f'等数据只占 d2l 一轮的 {min(waits):.0%} 到 {max(waits):.0%}；' in PAGE
    shares = [
        one.share_of_limit(one.engine) for one in report('fp32').comparisons.values()
    ]
    assert f'本书达到极限的 {min(shares):.0%} 到 {max(shares):.0%}。' in PAGE


def test_channels_last_helps_all_but_alexnet() -> None:
    assert '两种 CPU 上对多数网络都有用，AlexNet 没有得益' in PAGE
    for precision in ('bf16', 'fp32'):
        gains = faster(precision, 'nosync', 'layout')
        assert {name for name, gain in gains.items() if gain < 1} == {'alexnet'}


def test_small_maps_of_the_other_networks_are_told_as_measured() -> None:
    gains = faster('bf16', 'bf16', 'small')
    assert f'AlexNet 的这一行却也快 {gains["alexnet"]:.0f}%' in PAGE
    assert f'GoogLeNet 与 NiN 快不到 {NOISE:.0%}，当作没有差别' in PAGE
    assert all(0 < gains[name] < 100 * NOISE for name in ('googlenet', 'nin'))
    assert (
        f'DenseNet 慢 {-gains["densenet"]:.0f}%，可是它从 bf16 一行起逐行变慢' in PAGE
    )
    dense = report('bf16').comparisons['densenet']
    rates = [dense.row(name).rate for name in ('bf16', 'small', 'heap', 'fused')]
    assert rates == sorted(rates, reverse=True)


def taken_as_dense(network: str, side: int, batch: int) -> list[str]:
    """图比核还小、当作全连接层来算的卷积层。"""
    seen = {}

    def note(layer: nn.Conv2d, inputs: tuple[torch.Tensor], output: object) -> None:
        seen[layer] = inputs[0].shape[1:]

    with torch.device('meta'):
        net = LINEUP[network].build(side).eval()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1):
            layer.register_forward_hook(note)
    net(torch.empty(1, 1, side, side, device='meta'))
    names = {layer: name for name, layer in net.named_modules()}
    return [
        names[layer]
        for layer, shape in seen.items()
        if shape[-1] < layer.kernel_size[0]
        and is_worth_it(layer, torch.empty(batch, *shape))
    ]


def test_layers_of_googlenet_treated_as_fully_connected() -> None:
    """卷积层收到的图由 ``meta`` 上的形状得来，够不够小由训练用的同一个函数定。"""
    side = report('bf16').comparisons['googlenet'].image_size
    taken = taken_as_dense('googlenet', side, 128)
    assert all(name.startswith('stages.3.') for name in taken)  # stages.0 是第二模块
    assert f'现在当作全连接层的只有第五模块的 {len(taken)} 层' in PAGE


@pytest.mark.parametrize('profile', ['laptop', 'full'])
@pytest.mark.parametrize('network', LINEUP)
def test_the_recipes_of_the_chapters_have_no_such_layers(network: str, profile: str) -> None:
    recipe = LINEUP[network].recipes[profile]
    assert taken_as_dense(network, recipe.image_size, recipe.batch_size) == []
    assert '各章的 `laptop` 与 `full` 档没有这样小的图，用不到它' in PAGE


def test_memory_of_a_step_is_counted() -> None:
    peaks = []
    for name, one in report('bf16').comparisons.items():
        with torch.device('meta'):
            net = LINEUP[name].build(one.image_size)
        shape = one.row('d2l').batch_size, 1, one.image_size, one.image_size
        peaks.append(peak_bytes(net, torch.empty(shape, device='meta')) / 1e6)
    told = f'每一步的中间结果与梯度，最多时占 {min(peaks):.0f} 到 {max(peaks):.0f} MB'
    assert told in PAGE


def test_goals_are_those_of_the_code() -> None:
    fast, wide = GOALS['cuda']['*'], GOALS['cuda']['vgg11-full']
    assert f'GPU 上的目标是至少 {fast:g} 倍，全宽的 VGG-11 是 {wide:g} 倍' in PAGE
    assert f'硬件极限的 {SHARE_GOALS["cuda"]:.0%}，两样都达到才算达到' in PAGE
    assert f'目标是 CPU 上至少 {GOALS["cpu"]["*"]:g} 倍' in PAGE


def test_length_of_a_training_is_told_as_recorded() -> None:
    full = [training_minutes(load_history(f'full/{name}')) for name, *_ in NETWORKS.values()]
    assert '`full` 档的一次训练要一到近四个小时' in PAGE
    assert 60 < min(full) < 90 and 210 < max(full) < 240


@pytest.mark.parametrize('name', LINEUP)
def test_smoothing_and_shift_are_the_best_of_their_group(name: str) -> None:
    """训练图像最多的一组里最好的一次；VGG 与 ResNet 另有加倍轮数的一组，平移由它定。"""
    first, *longer = by_budget(attempts(name))
    recipes = [LINEUP[name].recipes[profile].to_dict() for profile in ('laptop', 'full')]
    for recipe in recipes:
        smoothed = best(first).recipe['label_smoothing'] == recipe['label_smoothing']
        assert smoothed == (name != 'vgg11')  # 「VGG 用不用几乎一样」
        assert recipe['shift'] == 1 and not recipe['erasing']
    assert bool(longer) == (name in ('vgg11', 'resnet18'))
    if longer:
        epochs, usual = (group[0].recipe['epochs'] for group in (longer[0], first))
        assert epochs == 2 * usual and '又用加倍的轮数比了平移与擦除' in PAGE
        top = best(longer[0]).recipe
        assert top['shift'] == 1 and not top['erasing']


def smoothing(name: str) -> float:
    """标签平滑使验证准确率高几个百分点；其余设置相同，只看轮数少的一组。"""
    group = [one for one in by_budget(attempts(name))[0] if not one.recipe['shift']]
    (rate,) = {one.recipe['lr'] for one in group if one.recipe['label_smoothing']}
    found = {
        one.recipe['label_smoothing']: 100 * one.accuracy
        for one in group
        if one.recipe['lr'] == rate
    }
    return found[0.1] - found[0]


def test_label_smoothing_hardly_changed_vgg() -> None:
    group = by_budget(attempts('vgg11'))[0]
    assert f'在 {group[0].recipe["epochs"]} 轮的一组里用不用几乎一样' in PAGE
    assert abs(smoothing('vgg11')) < 0.05


def test_images_of_the_search_are_those_of_the_code() -> None:
    assert (
        f'在前 {TUNING_IMAGES:,} 张里训练，用留出的 {VALIDATION_IMAGES:,} 张验证集'
        in PAGE
    )
    error = sampling_error(0.9, VALIDATION_IMAGES)
    assert rf'\sqrt{{0.9\times 0.1/{VALIDATION_IMAGES}}}\approx {error:.3f}' in PAGE


def test_search_for_the_full_recipes_is_told_as_recorded() -> None:
    tried = {name: by_budget(attempts(f'{name}-full'))[0] for name in LINEUP}
    assert {len(group) for group in tried.values()} == {2, 3} and '只试了两三种' in PAGE
    gap, times = {}, {}  # 差几个百分点，是误差（两个数之差的）的几倍
    for name, group in tried.items():
        low, *_, high = sorted(one.accuracy for one in group)
        error = sqrt(2) * sampling_error(high, VALIDATION_IMAGES)
        gap[name], times[name] = 100 * (high - low), (high - low) / error
    assert {name for name, one in times.items() if one > 1} == {'nin'}
    told = f'差别超过误差的只有 NiN，{gap["nin"]:.1f} 个百分点，也只有误差的一倍多'
    assert told in PAGE and times['nin'] < 1.5
    assert f'GoogLeNet 差 {gap["googlenet"]:.1f} 个，与误差相当' in PAGE
    assert times['googlenet'] > 0.8
    assert (
        f'DenseNet 的两种只差 {gap["densenet"]:.2f} 个百分点，衰减大的粗糙度小' in PAGE
    )
    heavy, light = sorted(
        tried['densenet'], key=lambda one: -one.recipe['weight_decay']
    )
    assert heavy.roughness < light.roughness


EXCEPTIONS = (  # 改配方之前看过测试准确率的，每一页都要说到
    ('performance', '看到测试准确率在 14 轮是 92.41%、18 轮是 92.15%'),
    ('performance', 'GoogLeNet、NiN 与 ResNet-18 的 `full` 档又是例外：改配方之前看过测试准确率'),
    ('performance', 'NiN 的 `laptop` 档用同样的批量、学习率与衰减，也在其中'),
    ('vgg', '平移 1 像素，GoogLeNet、NiN 与 ResNet-18 的 `full` 档有例外，见'),
    ('summary', '平移 1 像素，是看过 VGG 的测试准确率之后才加比的'),
    ('summary', 'GoogLeNet、NiN 与 ResNet-18 的 `full` 档，改配方之前也看过'),
    ('exercises/tuning', 'VGG 与 ResNet-18 后来加比的平移与擦除例外'),
)


@pytest.mark.parametrize(('page', 'words'), EXCEPTIONS)
def test_every_page_names_the_recipes_changed_after_a_test_accuracy(page: str, words: str) -> None:
    name = f'{page}.md' if page == 'performance' else f'{page}.ipynb'
    assert words in read_page(CHAPTERS / name)


def test_second_search_for_nin_is_told_as_recorded() -> None:
    first, short, long = by_budget(attempts('nin-full'))
    assert {one.recipe['image_size'] for one in first} == {224}
    assert {one.recipe['image_size'] for one in (*short, *long)} == {71}
    dead, narrow, wide, chosen = sorted(short, key=lambda one: one.accuracy)
    assert [one.recipe['batch_size'] for one in (dead, narrow, wide, chosen)] == [64, 32, 128, 64]
    assert (dead.recipe['lr'], chosen.recipe['lr']) == (0.002, 0.001)
    assert dead.accuracy < 0.11 and f'损失一直停在 {dead.train_loss[-1]:.2f}' in PAGE
    assert all(0.8 < 100 * (chosen.accuracy - one.accuracy) < 1.2 for one in (narrow, wide))
    assert wide.recipe['lr'] == 0.002
    told = '批量 64、学习率 0.001 最好；批量改成 32，或者照旧用 128 与 0.002，都低大约 1 个百分点'
    assert told in PAGE
    heavy, light = sorted(long, key=lambda one: -one.recipe['weight_decay'])
    decays = [f'{one.recipe["weight_decay"]:g}' for one in (heavy, light)]
    gap = 100 * abs(heavy.accuracy - light.accuracy)
    assert f'衰减 {decays[0]} 与 {decays[1]} 只差 {gap:.2f} 个百分点，取大的' in PAGE
    assert heavy.roughness < light.roughness
    recipe = LINEUP['nin'].recipes['full'].to_dict()
    kept = ('lr', 'batch_size', 'weight_decay', 'label_smoothing', 'shift', 'flip')
    assert [recipe[key] for key in kept] == [heavy.recipe[key] for key in kept]
    assert f'`full` 档再把轮数加到 {recipe["epochs"]}' in PAGE


@pytest.mark.parametrize('name', LINEUP)
def test_laptop_recipe_follows_from_the_search(name: str) -> None:
    """最后一组里最好的一次；DenseNet 的两种一样好，取粗糙度小的。"""
    group = by_budget(attempts(f'{name}-full'))[-1]
    chosen = best(group) if name != 'densenet' else min(group, key=lambda one: one.roughness)
    recipe = LINEUP[name].recipes['laptop'].to_dict()
    kept = ('lr', 'batch_size', 'weight_decay', 'label_smoothing', 'shift', 'flip')
    assert [recipe[key] for key in kept] == [chosen.recipe[key] for key in kept]
    assert 'DenseNet 的 `laptop` 档取粗糙度小的' in PAGE


def test_full_recipes_follow_from_the_search() -> None:
    """学习率取最好的一次的（NiN 的最后一组）；衰减也是，三个网络轮数多了，另取。"""
    changed = {}
    for name in LINEUP:
        recipe = LINEUP[name].recipes['full']
        group = by_budget(attempts(f'{name}-full'))[-1]
        assert recipe.lr == best(group).recipe['lr']
        tried = {(one.recipe['lr'], one.recipe['weight_decay']) for one in group}
        if (recipe.lr, recipe.weight_decay) not in tried:
            changed[name] = recipe.weight_decay
            assert 4 <= recipe.epochs / group[0].recipe['epochs'] < 6
        elif name != 'densenet':
            assert recipe.weight_decay == best(group).recipe['weight_decay']
    assert list(changed) == ['googlenet', 'resnet18', 'densenet']
    told = '衰减因此改取 {}、{} 与 {}，表里没有这三种搭配'.format(*changed.values())
    assert f'GoogLeNet、ResNet-18 与 DenseNet 的 `full` 档，轮数是这里的四到六倍，{told}' in PAGE
