"""「小结」里手写、别处没有查过的数：由同一预算的记录、预测与存下的表再算一遍。"""

from functools import cache
from itertools import combinations
from statistics import mean, stdev

import torch
from scipy.stats import tukey_hsd
from test_performance_told import attempts
from test_printed_numbers import NETWORKS, faster, prose_of, summary_table
from test_told_statistics import SHIRT, T_SHIRT, points
from torch import Tensor
from trial_records import load_trial

from deepcnn.anatomy.layers import count_parameters
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.lineup import LINEUP
from deepcnn.records.agreement import confused, majority, only_right, predictions_of
from deepcnn.records.comparison import load_records
from deepcnn.records.pairwise import differences
from deepcnn.records.runs import load_history

TOLD = prose_of('summary')
MIDDLE = ('alexnet', 'vgg11', 'googlenet')  # 分不出高低的三个


@cache
def answers() -> dict[str, Tensor]:
    """{网络: 各种子的预测 (3, N)}。"""
    return {name: predictions_of(record) for name, record in load_records().items()}


@cache
def after_epoch(number: int) -> dict[str, float]:
    """{网络: 这一轮之后各种子的平均测试准确率，%}。"""
    return {
        name: 100 * mean(run.test_accuracy[number] for run in one.runs)
        for name, one in load_records().items()
    }


@cache
def mistaken(true: int, said: int) -> dict[str, list[float]]:
    labels = load_dataset().test.labels
    return {
        name: points(confused(one, labels, true, said))
        for name, one in answers().items()
    }


def test_parameters_are_told_as_counted() -> None:
    with torch.device('meta'):
        sizes = {
            name: count_parameters(
                LINEUP[name].build(load_history(f'full/{name}').image_size)
            )
            for name in LINEUP
        }
    fixed = [
        f'{sizes[name]:,}' for name in ('nin', 'googlenet', 'resnet18', 'densenet')
    ]
    assert f'{"、".join(fixed[:3])} 和 {fixed[3]}' in TOLD
    large, small = (sizes[name] / 1e4 for name in ('alexnet', 'densenet'))
    assert f'{large:,.0f} 万个与 {small:.0f} 万个' in TOLD
    budget = {title: float(row[1]) for title, row in summary_table('budget').items()}
    vgg, nin = (budget[NETWORKS[name][1]] for name in ('vgg', 'nin'))
    assert TOLD.count('参数是 NiN 的九倍') == 2 and round(vgg / nin) == 9


def test_experiments_quoted_are_those_recorded() -> None:
    large, short = (
        load_trial(f'alexnet-{size}-pooled').history for size in ('large', 'short')
    )
    assert f'用 {large.train_images:,} 张图像训练 {large.epochs} 轮，训练与测试' in TOLD
    steps = short.epochs * (short.train_images // short.recipe['batch_size'])
    assert f'只用 {short.train_images} 张图像，训练 {steps} 步之后' in TOLD
    deep, plain = (
        mean(load_trial(f'{kind}-56').train_accuracy) for kind in ('residual', 'plain')
    )
    assert f'有捷径的训练准确率是 {deep:.0%}，没有的是 {plain:.1%}' in TOLD


def test_the_shared_budget_is_told_as_recorded() -> None:
    recipes = {name: one.recipe for name, one in load_records().items()}
    (steps,) = {
        r['epochs'] * (r['train_images'] // r['batch_size']) for r in recipes.values()
    }
    assert f'只训练 {steps} 步时' in TOLD and f'一共只有 {steps} 步' in TOLD
    twice = 2 * recipes['nin']['lr']
    assert f'NiN 照挑出的 {twice:g} 学不动' in TOLD and '只有它的学习率减半' in TOLD
    same = ('weight_decay', 'label_smoothing', 'flip', 'batch_size', 'train_images', 'epochs')
    assert all(len({recipe[key] for recipe in recipes.values()}) == 1 for key in same)
    assert not any(recipe['shift'] for recipe in recipes.values())


def test_shifting_did_not_help_in_six_epochs() -> None:
    """6 轮的一组里，别的设置相同的两次相比。"""
    tried = set()
    for name in LINEUP:
        group = [one for one in attempts(name) if one.recipe['epochs'] == 6]
        for shifted in (one for one in group if one.recipe['shift']):
            same = shifted.recipe | {'shift': 0}
            (plain,) = (one for one in group if one.recipe == same)
            assert shifted.accuracy < plain.accuracy
            tried.add(name)
    assert tried == {'nin', 'vgg11'} and '只试过 NiN 与 VGG，各一个种子' in TOLD


def test_spreads_are_told_as_recorded() -> None:
    spreads = {
        name: stdev(points(one.accuracies)) for name, one in load_records().items()
    }
    nin = spreads.pop('nin')
    assert f'NiN，标准差是 {nin:.2f} 个百分点，别的都在 0.3 以内' in TOLD
    assert 0.25 < max(spreads.values()) < 0.3 and nin > 4 * max(spreads.values())


def test_curves_are_told_as_recorded() -> None:
    ranks = [
        sorted(after_epoch(n), key=after_epoch(n).get, reverse=True) for n in range(3)
    ]
    assert all(one[0] == 'resnet18' for one in ranks)
    assert [one.index('densenet') == 1 for one in ranks] == [False, True, True]
    assert ranks[0][-1] == ranks[-1][-1] == 'nin'
    start = dict(after_epoch(0))
    nin = start.pop('nin')
    assert f'第一轮之后只有 {nin:.1f}%，末轮也在最下面' in TOLD
    assert (
        f'测试准确率是 {nin:.1f}%，别的网络都在 {min(start.values()) // 1:.0f}% 以上'
        in TOLD
    )
    close = [after_epoch(-1)[name] for name in MIDDLE]
    assert f'三条末轮挤在 {min(close):.1f}% 到 {max(close):.1f}% 之间' in TOLD


def test_the_outdated_time_of_resnet_is_told_as_measured() -> None:
    """换掉小图的算法之后快多少：没有 bf16 的梯子上量的。"""
    faster_by = faster('fp32', 'layout', 'small')['resnet18'] / 100
    assert 0.45 < faster_by < 0.55 and '如今在同样的处理器上快约一半' in TOLD
    assert 0.3 < 1 - 1 / (1 + faster_by) < 0.36 and '如今要短约三分之一' in TOLD


def test_unclear_pairs_are_those_told() -> None:
    found = differences({name: one.accuracies for name, one in load_records().items()})
    unclear = {frozenset((one.higher, one.lower)) for one in found if not one.clear}
    assert unclear == {
        *map(frozenset, combinations(MIDDLE, 2)),
        frozenset(('resnet18', 'densenet')),
    }
    words = {11: '11', 4: '四'}
    told = f'{words[15 - len(unclear)]} 对。含 0 的{words[len(unclear)]}对，'
    assert (
        f'{told}是 AlexNet、VGG、GoogLeNet 三个之间的三对，和 ResNet-18 与 DenseNet'
        in TOLD
    )


def test_shirts_and_t_shirts_are_told_as_recorded() -> None:
    labels = load_dataset().test.labels
    (count,) = {int((labels == kind).sum()) for kind in (SHIRT, T_SHIRT)}
    assert TOLD.count(f'测试集里两类各有 {count:,} 张') == 2
    there, back = (
        {name: mean(rates) for name, rates in mistaken(*pair).items()}
        for pair in ((SHIRT, T_SHIRT), (T_SHIRT, SHIRT))
    )
    gaps = {name: abs(there[name] - back[name]) for name in there}
    assert max(gaps, key=gaps.get) == 'nin'
    own = f'{there.pop("nin"):.0f}% 的衬衫认作T恤，反过来只有 {back.pop("nin"):.0f}%'
    others = [*there.values(), *back.values()]
    low, high = min(others) // 1, -(-max(others) // 1)
    assert f'NiN 把 {own}' in TOLD
    assert f'其余五个网络的两个方向都在 {low:.0f}% 到 {high:.0f}% 之间' in TOLD


def test_no_pair_of_shirts_is_clear_without_equal_spreads() -> None:
    found = differences(mistaken(SHIRT, T_SHIRT))
    clear = [one.difference for one in found if one.clear]
    assert len(clear) == 3 and all(one.higher == 'nin' for one in found[:3])
    assert f'比对方多 {min(clear):.1f} 到 {max(clear):.1f} 个百分点' in TOLD
    rates = mistaken(SHIRT, T_SHIRT).values()
    low = tukey_hsd(*rates, equal_var=False).confidence_interval().low
    assert not (low > 0).any() and '十五对都这样一起比，区间都含 0' in TOLD


def test_lonely_answers_of_every_seed_are_told_as_printed() -> None:
    smaller = {
        title.split('（')[0]
        for title, (voted, alone) in summary_table('alone').items()
        if float(alone.split(' ± ')[0]) < float(voted)
    }
    assert smaller == {'ResNet-18', 'DenseNet'}
    assert '四个网络的数大些，ResNet-18 与 DenseNet 的反而小些' in TOLD


def test_first_lonely_images_of_nin_are_t_shirts() -> None:
    labels = load_dataset().test.labels
    said = {name: majority(one) for name, one in answers().items()}
    first = only_right(said, labels)['nin'][:4]
    assert labels[first].eq(T_SHIRT).tolist() == [True] * 3 + [False]
    others = [said[name][first[:3]] for name in said if name != 'nin']
    assert all((one == SHIRT).all() for one in others)
    assert 'NiN 一行前三张都是 T恤，别的网络都答衬衫' in TOLD


def test_votes_without_the_weakest_are_told_as_counted() -> None:
    labels, said = load_dataset().test.labels, answers()

    def right(voters: list[Tensor]) -> float:
        ballots = torch.nn.functional.one_hot(torch.stack(voters), 10).sum(dim=0)
        return 100 * float((ballots.argmax(dim=-1) == labels).float().mean())

    strong = [one for name, one in said.items() if name != 'nin']
    three = [right([one[seed] for one in strong]) for seed in range(3)]
    assert f'再表决，是 {"、".join(f"{one:.1f}%" for one in three)}，高了一点' in TOLD
    assert f'也只有 {min(three):.1f}% 到 {max(three):.1f}%' in TOLD
    for seed, without in enumerate(three):
        alone = 100 * float((said['resnet18'][seed] == labels).float().mean())
        assert right([one[seed] for one in said.values()]) < without < alone
    own = right([*said['resnet18']])
    assert f'ResNet-18 自己的三个种子表决，却有 {own:.1f}%' in TOLD


def test_ties_and_single_hits_are_counted() -> None:
    votes = torch.nn.functional.one_hot(torch.stack([*answers().values()]), 10).sum(0)
    ties = (votes == votes.amax(-1, keepdim=True)).sum(-1).gt(1).sum(-1)
    assert ties.sub(250).abs().max() < 20 and '每个种子约有 250 张' in TOLD
    labels = load_dataset().test.labels
    once = [int(((one == labels).sum(0) == 1).sum()) for one in answers().values()]
    assert 200 < min(once) < max(once) < 1000
    assert '换一个种子，同一个网络也会有几百张只有一次答对' in TOLD
