"""「一级一级的梯子」里手写的数：由各级的记录与存下的表再算一遍。"""

from functools import cache
from itertools import pairwise
from statistics import mean

from test_printed_numbers import RUNGS, gap_between, printed_by, prose_of
from test_told_statistics import defined_by, real_work
from trial_records import load_trial

from deepcnn.anatomy.layers import count_parameters
from deepcnn.records.trials import Trial, compare

TOLD = prose_of('experiments/ladder')


@cache
def rung(name: str) -> Trial:
    return load_trial(f'ladder-{name}')


def percent(name: str, measure: str) -> str:
    return f'{mean(rung(name).measure(measure)):.2%}'


@cache
def costs() -> dict[str, tuple[int, float]]:
    """存下的表：{级: (MACs，训练一万张图像的秒数)}；参数与准确率另有测试。"""
    lines = printed_by('experiments/ladder', 'results').strip().splitlines()[2:]
    found = [line.strip('| ').split(' | ')[-2:] for line in lines]
    cells = [(int(macs.replace(',', '')), float(seconds)) for macs, seconds in found]
    return dict(zip(RUNGS, cells, strict=True))


def macs(name: str) -> int:
    return costs()[name][0]


def slower(above: str, below: str) -> float:
    return costs()[above][1] / costs()[below][1]


def test_training_is_told_as_recorded() -> None:
    history = rung('dense').history
    assert f'用全部 {history.train_images:,} 张训练图像，八轮，五个种子' in TOLD
    assert (history.epochs, len(history.seeds)) == (8, 5)
    runs = [run for name in RUNGS for run in rung(name).history.runs]
    assert len(runs) == 40 and '四十次训练已要几个小时' in TOLD
    assert 2 < sum(run.seconds for run in runs) / 3600 < 5


def test_accuracies_are_told_as_recorded() -> None:
    ends = (percent(name, 'test_accuracy') for name in ('sigmoid', 'relu'))
    assert ' 个百分点，从 {} 到 {}，别的各步'.format(*ends) in TOLD
    steps = [
        gap_between(rung(above), rung(below)).mean for below, above in pairwise(RUNGS)
    ]
    assert max(map(abs, steps[1:])) < 1 and '往后的六步，变化都不到 1 个百分点' in TOLD
    assert sum(map(abs, steps[1:])) < steps[0]  # 「别的各步加起来也没有它大」
    assert f'稠密的一级是 {percent("dense", "test_accuracy")}' in TOLD
    assert (
        max(RUNGS, key=lambda one: mean(rung(one).measure('test_accuracy'))) == 'dense'
    )
    slow, fast = (percent(name, 'train_accuracy') for name in ('sigmoid', 'relu'))
    assert f'sigmoid 的训练准确率才 {slow}，ReLU 已有 {fast}' in TOLD
    lower = -compare(rung('vgg'), rung('relu'), 'train_accuracy').mean
    assert f'训练准确率也低了约 {100 * lower:.1f} 个百分点' in TOLD


def test_each_step_is_told_again_as_recorded() -> None:
    """讨论的各条再说一遍的差别。"""
    for words, above, below in (
        ('Inception 更省，准确率低 {} 个百分点', 'inception', 'pooled'),
        ('测试准确率只低 {} 个百分点。用时', 'inception', 'pooled'),
        ('准确率比 Inception 高 {} 个百分点', 'normalized', 'inception'),
        ('比残差高 {} 个百分点，七步一起比区间含 0', 'dense', 'residual'),
        ('比第二级只高 {} 个，区间含 0', 'dense', 'relu'),
    ):
        found = gap_between(rung(above), rung(below)).mean
        assert (found < 0) == ('低' in words)
        assert words.format(f'{abs(found):.2f}') in TOLD


def test_costs_of_the_top_are_told_as_counted() -> None:
    top, second = rung('dense').parameters, rung('relu').parameters
    assert '参数是第二级的六分之一，MACs 是四分之一，用时却将近两倍' in TOLD
    assert round(second / top) == 6 and round(macs('relu') / macs('dense')) == 4
    assert 1.7 < slower('dense', 'relu') < 2
    backbone = defined_by('experiments/ladder', 'backbone')
    used = {name: real_work(backbone(name))[0] for name in ('relu', 'dense')}
    assert used['dense'] < used['relu'] / 4 and top < used['relu'] / 4
    assert '除去它们，顶上一级仍不到第二级的四分之一' in TOLD
    assert f'第二级的 {second:,} 个参数里' in TOLD


def test_costs_of_each_step_are_told_as_counted() -> None:
    parameters = {name: rung(name).parameters for name in RUNGS}
    vgg, pooled, inception = (parameters[one] for one in ('vgg', 'pooled', 'inception'))
    assert f'MACs 从 {macs("relu"):,} 降到 {macs("vgg"):,}' in TOLD
    net = defined_by('experiments/ladder', 'backbone')('vgg')
    dense = count_parameters(net.head) / vgg
    assert 0.4 < dense < 0.45 and '参数的四成多在三个全连接层里' in TOLD
    assert f'少了 {vgg - pooled:,} 个参数，剩 {pooled:,} 个' in TOLD
    assert f'MACs 只少了 {1 - macs("pooled") / macs("vgg"):.0%}' in TOLD
    left = f'{inception / pooled:.0%} 与 {macs("inception") / macs("pooled"):.0%}'
    assert f'分别降到 {left}，是 {inception:,} 和 {macs("inception"):,}' in TOLD
    assert 4 * inception < pooled and 4 * macs('inception') < macs('pooled')
    assert '用时却没有减少' in TOLD and slower('inception', 'pooled') >= 1
    assert f'只多 {parameters["normalized"] - inception} 个参数，MACs 不变' in TOLD
    assert macs('normalized') == macs('inception')
    assert (
        '用时多了四成' in TOLD and round(10 * slower('normalized', 'inception')) == 14
    )
    added = parameters['residual'] - parameters['normalized']
    assert f'1×1 捷径，共 {added:,} 个参数' in TOLD
    grown = parameters['dense'] / parameters['residual'] - 1
    assert '参数增加三分之一' in TOLD and 0.3 < grown < 0.37


def test_deep_networks_quoted_are_those_recorded() -> None:
    deep, *others = (mean(load_trial(f'plain-{n}').train_accuracy) for n in (56, 20, 8))
    assert f'56 层网络训练准确率只有 {deep:.1%}，浅的都是 100%' in TOLD
    assert others == [1, 1]
