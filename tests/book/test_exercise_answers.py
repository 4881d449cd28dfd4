"""练习一页的解答里写的数，都要与模型算出来的相等。"""

import re
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest
import torch
from book_source import read_cells, read_page
from percentage_points import in_points
from test_printed_numbers import printed_text
from torch import Tensor, nn
from trial_records import load_trial

from deepcnn.anatomy.layers import count_parameters, layer_table
from deepcnn.anatomy.memory import peak_bytes, saved_bytes
from deepcnn.anatomy.recompute import recomputing
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import VARIANTS, DenseBlock, densenet, paper_densenet
from deepcnn.models.googlenet import INCEPTIONS, Inception, googlenet
from deepcnn.models.lineup import LINEUP
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import vgg11
from deepcnn.records.attempts import (
    TUNING_IMAGES,
    Attempt,
    effect,
    load_attempts,
    sampling_error,
)
from deepcnn.records.comparison import laptop_record
from deepcnn.records.runs import load_history
from deepcnn.records.spreads import interval, spread
from deepcnn.records.store import RESULTS
from deepcnn.training.grid_search import VALIDATION_IMAGES

ROOT = Path(__file__).resolve().parents[2]


# 四个 NiN 块里的后一个 1×1 卷积层
SECOND_CONVOLUTIONS = ('stem.0.4', 'stages.0.0.4', 'stages.1.0.4', 'head.1.4')


def answer(label: str) -> str:
    """``(label)=`` 那道练习的解答。"""
    text = read_page(ROOT / 'chapters' / 'exercises.md')
    exercise = text.split(f'({label})=', 1)[1].split('\n## ', 2)[1]
    return exercise.split('{dropdown} 解答', 1)[1].split(':::', 1)[0]


def images(count: int, channels: int) -> Tensor:
    return torch.empty(count, channels, 224, 224, device='meta')


@pytest.mark.parametrize(
    ('label', 'notebook'),
    [
        ('ex-tuning', 'tuning'),
        ('ex-nin-two-convolutions', 'nin_without_1x1'),
        ('ex-googlenet-successors', 'inception_successors'),
        ('ex-parameter-sizes', 'parameter_sizes'),
        ('ex-densenet-parameters', 'fewer_parameters'),
        ('ex-densenet-memory', 'memory'),
        ('ex-densenet-versions', 'densenet_table'),
    ],
)
def test_answer_leads_to_its_notebook(label: str, notebook: str) -> None:
    target = re.findall(r'\{ref\}`[^`<]* <([\w-]+)>`', answer(label))[-1]
    path = ROOT / 'chapters' / 'exercises' / f'{notebook}.ipynb'
    assert f'({target})=' in read_page(path)


def test_tuning() -> None:
    text = answer('ex-tuning')
    assert f'后 {VALIDATION_IMAGES:,} 张验证' in text
    assert f'{100 * sampling_error(0.9, VALIDATION_IMAGES):.2f} 个百分点' in text
    rates = {name: one.recipes['laptop'].lr for name, one in LINEUP.items()}
    normalized = [rates.pop('resnet18'), rates.pop('densenet')]
    assert max(rates.values()) <= min(normalized)
    assert min(rates.values()) < min(normalized)


def test_nin_with_one_convolution_less() -> None:
    text = answer('ex-nin-two-convolutions')
    with torch.device('meta'):
        table = layer_table(nin(), 224, detail=True)
    second = [row for row in table.rows if row.name.startswith(SECOND_CONVOLUTIONS)]
    assert len(second) == 4
    removed = sum(row.parameters for row in second)
    assert f'从 {table.parameters:,} 个减少 {removed:,} 个' in text
    assert f'是 {removed / table.parameters:.0%}' in text
    assert f'乘加次数少 {sum(row.macs for row in second) / table.macs:.0%}' in text


def test_blocks_of_the_successors() -> None:
    text = answer('ex-googlenet-successors')
    c1, c2, c3, c4 = INCEPTIONS['3a']
    quarters = [c1 // 4, *(c // 4 for c in c2 + c3), c4 // 4]
    a, *middle, d = quarters
    block = Inception(192 // 4, a, tuple(middle[:2]), tuple(middle[2:]), d)
    assert f'原来有 {count_parameters(block):,} 个参数' in text
    # 每个输出通道少一个偏置，多两个批量归一化的参数
    assert f'有 {count_parameters(block) + sum(quarters):,} 个' in text
    original, factorized, residual = (
        load_trial(f'inception-{one}').parameters for one in ('original', 'factorized', 'residual')
    )
    assert f'比原来的少 {1 - factorized / original:.0%} 的参数' in text
    assert f'残差的多 {residual / original - 1:.0%}' in text


def test_parameter_sizes() -> None:
    text = answer('ex-parameter-sizes')
    with torch.device('meta'):
        for build in (alexnet, vgg11, nin, googlenet):
            assert f'{count_parameters(build()):,}' in text
        ratio = layer_table(googlenet(), 224).macs / layer_table(alexnet(), 224).macs
    assert f'{ratio:.1f} 倍' in text


def test_fewer_parameters() -> None:
    text = answer('ex-densenet-parameters')
    with torch.device('meta'):
        dense, residual = count_parameters(densenet()), count_parameters(resnet18())
    assert f'{dense:,}' in text
    assert f'{residual:,}' in text
    assert f'{residual / dense:.1f} 倍' in text
    assert '不能只归因于连结' in text


def test_memory() -> None:
    text = answer('ex-densenet-memory')
    with torch.device('meta'):
        for build in (densenet, resnet18):
            assert f'{saved_bytes(build(), images(1, 1)) / 1e6:.1f} MB' in text
        deep = paper_densenet('densenet121', 3, 1000)
    assert f'{peak_bytes(deep, images(8, 3)) / 1e6:.0f} MB' in text
    with recomputing(deep, 'concatenation'):
        assert f'{peak_bytes(deep, images(8, 3)) / 1e6:.0f} MB' in text


def test_batch_size_at_which_densenet_takes_more() -> None:
    text = answer('ex-densenet-memory')
    with torch.device('meta'):
        nets = densenet(), resnet18()
    dense, residual = (
        {
            size: 12 * count_parameters(net) + peak_bytes(net, images(size, 1))
            for size in (14, 15)
        }
        for net in nets
    )
    assert dense[14] < residual[14]
    assert dense[15] > residual[15]
    assert '批量不超过 14 时' in text


@pytest.mark.parametrize('name', VARIANTS)
def test_versions_of_the_paper(name: str) -> None:
    text = answer('ex-densenet-versions')
    with torch.device('meta'):
        table = layer_table(paper_densenet(name, 3, 1000), 224, in_channels=3)
    assert f'{table.parameters:,}' in text
    assert f'{table.macs / 1e8:.1f}' in text


def test_results_of_the_successors_are_those_recorded() -> None:
    text = answer('ex-googlenet-successors')
    names = ('original', 'bn', 'factorized', 'residual')
    trials = [load_trial(f'inception-{name}') for name in names]
    means = [spread(trial.measure('test_accuracy')).mean for trial in trials]
    assert all(round(100 * one) in (87, 88) for one in means) and '都在 87% 上下' in text
    history = trials[0].history
    assert f'用 {history.train_images:,} 张图像各训练五个种子，{history.epochs} 轮' in text
    gaps = [
        in_points(b.measure('test_accuracy'), a.measure('test_accuracy'))
        for a, b in pairwise(trials)
    ]
    assert (
        f'加批量归一化低 {-gaps[0].mean:.2f} 个百分点，区间 {gaps[0].text()} 不含 0；'
        f'再分解低 {-gaps[1].mean:.2f} 个，再加残差高 {gaps[2].mean:.2f} 个，区间都含 0'
    ) in text
    assert [gap.clear for gap in gaps] == [True, False, False]
    loss = interval(trials[1].measure('train_loss'), trials[0].measure('train_loss'))
    assert f'训练损失低 {-loss.mean:.3f}，区间 {loss.text(3)}' in text and loss.clear


def test_results_of_nin_with_one_convolution_less_are_those_recorded() -> None:
    text = answer('ex-nin-two-convolutions')
    two, one, linear = (load_trial(f'nin-{name}') for name in ('two', 'one', 'linear'))
    means = [spread(t.measure('test_accuracy')).mean for t in (two, one, linear)]
    assert f'用 {two.history.train_images:,} 张图像' in text
    assert f'是 {"、".join(f"{one:.1%}" for one in means)}（' in text
    pairs = (two, one), (two, linear), (linear, one)
    gaps = [in_points(*(t.measure('test_accuracy') for t in pair)) for pair in pairs]
    assert not any(gap.clear for gap in gaps)
    assert f'至多 {max(abs(gap.mean) for gap in gaps):.2f} 个百分点，区间都含 0' in text
    first = [[run.train_loss[0] for run in t.history.runs] for t in (two, linear)]
    start = interval(*first)
    assert f'高 {start.mean:.3f}，区间 {start.text(3)} 不含 0' in text and start.clear
    path = ROOT / 'chapters' / 'exercises' / 'nin_without_1x1.ipynb'
    discussion = '\n'.join(text for kind, text in read_cells(path) if kind == 'markdown')
    assert all(f'{mean:.2%}' in discussion for mean in means)
    for other in (one, linear):
        gap = in_points(other.train_accuracy, two.train_accuracy)
        assert re.search(f'高 {gap.mean:.2f} 个(百分点)?，区间 {re.escape(gap.text())}', discussion)
        assert gap.clear


def test_what_tuning_raised_is_told_as_recorded() -> None:
    """练习 1：同一预算里换设置、加轮数、加图像，各提高多少。"""
    path = ROOT / 'chapters' / 'exercises' / 'tuning.ipynb'
    page, stored = read_page(path), path.read_text(encoding='utf-8')
    gains, smoothed = [], {}
    for name in LINEUP:
        tried = load_attempts(RESULTS / 'tuning' / f'{name}.json')
        for budget in {one.budget for one in tried}:
            same = [one.accuracy for one in tried if one.budget == budget]
            gains.append(100 * (max(same) - same[0]))
        for one in tried:
            recipe = one.recipe
            if recipe['label_smoothing'] and not recipe['shift']:
                smoothed[name, recipe['epochs']] = 100 * one.accuracy
    raised = f'换设置提高 {min(gains):.2f} 到 {max(gains):.2f} 个百分点'
    longer = [smoothed[name, 12] - smoothed[name, 6] for name in ('vgg11', 'resnet18')]
    assert f'VGG 高 {longer[0]:.2f} 个百分点，ResNet-18 高 {longer[1]:.2f} 个' in page
    records = laptop_record('densenet'), load_history('full/densenet')
    chapter, full = (100 * one.test_accuracy for one in records)
    (searched,) = re.findall(r'测试准确率 ([\d.]+)%（10,000 张', stored)
    told = answer('ex-tuning')
    for text in (page, told):
        assert raised in text
        for value in (float(searched), chapter, full):
            assert f'{value:.1f}%' in text


def test_what_larger_budgets_gave_each_network_is_told_as_recorded() -> None:
    page = read_page(ROOT / 'chapters' / 'exercises' / 'tuning.ipynb')
    rising = {}
    for name in LINEUP:
        tried = max(t.accuracy for t in load_attempts(RESULTS / 'tuning' / f'{name}.json'))
        laptop, full = laptop_record(name), load_history(f'full/{name}')
        assert tried < laptop.test_accuracy
        rising[name] = 100 * (full.test_accuracy - laptop.test_accuracy)
    gap = abs(rising.pop('nin'))
    assert min(rising.values()) > 0.5 and '五个网络都是一列比一列高' in page
    assert gap < 0.1 and f'NiN 的后两列只差 {gap:.2f} 个百分点' in page


def test_the_influence_of_each_hyperparameter_is_that_recorded() -> None:
    trials = [
        t for t in load_attempts(RESULTS / 'exercises' / 'tuning.json') if t.recipe['seeds'] == [0]
    ]
    spans = {
        name: 100 * (max(found.values()) - min(found.values()))
        for name in ('lr', 'weight_decay', 'flip')
        if (found := effect(trials, name))
    }
    assert len(trials) == 24 and max(spans, key=spans.__getitem__) == 'lr'
    assert (
        f'学习率最多相差 {spans["lr"]:.1f} 个百分点，权重衰减 {spans["weight_decay"]:.1f} 个，'
        f'翻转 {spans["flip"]:.1f} 个'
    ) in answer('ex-tuning')
    by_place = {
        (t.recipe['flip'], t.recipe['lr'], t.recipe['weight_decay']): t.accuracy for t in trials
    }
    corner = {flip: by_place[flip, 0.03, 1] for flip in (False, True)}
    assert sorted(by_place.values())[:2] == sorted(corner.values())
    page = read_page(ROOT / 'chapters' / 'exercises' / 'tuning.ipynb')
    assert f'只有 {corner[False]:.1%} 与 {corner[True]:.1%}' in page
    for flip in (False, True):  # 高的一格随学习率往小的衰减移
        best = [
            max((0.01, 0.1, 1), key=lambda decay: by_place[flip, rate, decay])  # noqa: B023
            for rate in (0.001, 0.003, 0.01, 0.03)
        ]
        assert best == sorted(best, reverse=True) and best[0] == 1 and best[-1] == 0.01


def test_the_winner_of_the_search_beats_the_setting_it_started_from() -> None:
    """种子 0 的前三名与写在预算里的设置，各五个种子；胜者平均最高。"""
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    first = [t for t in trials if t.recipe['seeds'] == [0]]
    first.sort(key=lambda trial: trial.accuracy, reverse=True)
    budget = (3e-3, 0.01, True)  # 写在预算里的设置
    assert LINEUP['densenet'].recipes['laptop'].lr == budget[0]

    def choice(trial: Attempt) -> tuple[float, float, bool]:
        return tuple(trial.recipe[name] for name in ('lr', 'weight_decay', 'flip'))

    places = [*map(choice, first[:3]), budget]
    assert budget not in places[:3]
    scores = [[100 * t.accuracy for t in trials if choice(t) == place] for place in places]
    assert [len(one) for one in scores] == [5] * 4
    assert max(scores, key=mean) is scores[2] and places[2] == (0.003, 1, False)
    assert '胜者（学习率 0.003、衰减 1、不翻转）' in answer('ex-tuning')
    first_, second, chapter = (interval(scores[2], scores[n]) for n in (0, 1, 3))
    assert not first_.clear and second.clear and chapter.clear
    page = read_page(ROOT / 'chapters' / 'exercises' / 'tuning.ipynb')
    assert f'比第一名只高 {first_.mean:.2f} 个百分点' in page
    assert f'比第二名高 {second.mean:.2f} 个' in page
    spread_ = 100 * (first[0].accuracy - first[2].accuracy)
    assert f'前三名只差 {spread_:.2f} 个百分点' in page
    for text in (page, answer('ex-tuning')):
        assert f'高 {chapter.mean:.2f} 个百分点，单比这一对，区间 {chapter.text()} 不含 0' in text
    assert f'比另一格只高 {first_.mean:.2f} 个，区间含 0' in answer('ex-tuning')
    assert f'最高的一格是 {first[0].accuracy:.2%}' in page
    flat, flipped = ([one for one in first if one.recipe['flip'] == flip] for flip in (0, 1))
    diagonal = {choice(one)[:2] for one in flat[:3]}
    assert diagonal == {(0.03, 0.01), (0.01, 0.1), (0.003, 1)}
    assert 100 * (flipped[0].accuracy - flipped[4].accuracy) < 0.3
    assert len({choice(one)[:2] for one in flipped[:5]} - diagonal) == 2
    assert '下图里看不出斜线：高的五格相差不到 0.3 个百分点，有两格不在斜线上' in page


def test_what_recomputing_keeps_is_told_as_counted() -> None:
    """练习 6 的图：32 个卷积块，28×28，输入 64 个通道，增长率 32。"""
    page = read_page(ROOT / 'chapters' / 'exercises' / 'memory.ipynb')
    kept = {}
    with torch.device('meta'):
        for strategy in ('none', 'concatenation', 'block'):
            block = DenseBlock(32, 64, 32)
            with recomputing(block, strategy):
                kept[strategy] = saved_bytes(block, torch.empty(1, 64, 28, 28)) / 1e6
    assert (
        f'不重算要保留 {kept["none"]:.1f} MB，连结也重算只要 {kept["concatenation"]:.1f} MB，'
        f'重算整块只有 {kept["block"]:.1f} MB'
    ) in page


def stored(page: str, row: str, width: int) -> list[str]:
    """练习 ``page`` 存下的表里以 ``row`` 开头的一行，其余 ``width`` 格；同名的行格数不同。"""
    text = '\n'.join(text for _, text in printed_text(f'exercises/{page}'))
    lines = re.findall(rf'^\| {re.escape(row)} \| (.*) \|$', text, re.M)
    (cells,) = (one for line in lines if len(one := line.split(' | ')) == width)
    return cells


def whole(cell: str) -> int:
    return int(cell.replace(',', ''))


def test_trials_of_parameter_sizes_are_told_as_printed() -> None:
    text = answer('ex-parameter-sizes')
    with torch.device('meta'):
        nets = [build() for build in (alexnet, vgg11)]
    for net in nets:
        linear = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
        assert 0.9 < sum(map(count_parameters, linear)) / count_parameters(net) < 0.95
    assert '九成多在全连接层里' in text
    _, pooled = stored('parameter_sizes', 'AlexNet', 2)
    assert f'就只剩 {pooled} 个' in text
    _, direct = stored('parameter_sizes', '直接卷积', 2)
    assert f'不减的话要有 {direct} 个' in text
    pairs = (
        map(whole, stored('parameter_sizes', name, 2)) for name in ('NiN', 'GoogLeNet')
    )
    times = [f'{grown / size:.0f} 倍' for size, grown in pairs]
    assert f'参数要涨到原来的 {times[0]}和 {times[1]}' in text


def test_ratios_of_exercise_5_are_told_as_printed() -> None:
    text, page = answer('ex-densenet-parameters'), 'fewer_parameters'
    blocks = [map(whole, stored(page, f'{n}', 4)[1:3]) for n in (1, 2, 3, 4)]
    joined, added = map(sum, zip(*blocks, strict=True))
    with torch.device('meta'):
        nets = densenet(), resnet18()
    dense, residual = map(count_parameters, nets)
    replaced = dense - joined + added
    told = f'从 {dense:,} 个变成 {replaced:,} 个，是 {replaced / dense:.1f} 倍'
    assert told in text and f'余下的 {residual / replaced:.1f} 倍差别' in text
    narrow, wide = (net.head[-1].in_features for net in nets)
    assert f'最后一个模块：{wide} 个通道对 {narrow} 个' in text
    parameters, macs, *_ = stored(page, '半宽的 ResNet-18', 4)
    fewer = f'{float(parameters):.1f} 倍'
    assert f'缩到一半，参数还是 DenseNet 的 {fewer}' in text
    assert f'ResNet-18 的参数要多于它的 {fewer}，乘加要多于 {macs} 倍' in text
    history = load_trial('densenet-whole').history
    budget = f'{history.train_images:,} 张图像、{history.epochs} 轮、五个种子'
    assert f'{budget}，DenseNet 比 ResNet-18 高' in text and len(history.runs) == 5
    ratios = [float(stored(page, f'DenseNet{n}', 4)[2]) for n in (121, 169, 201, 161)]
    assert f'ResNet 的参数是 DenseNet 的 {min(ratios)} 到 {max(ratios)} 倍' in text


def test_budget_of_the_search_is_told_as_recorded() -> None:
    text = answer('ex-tuning')
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    cells = [one for one in trials if one.recipe['seeds'] == [0]]
    ((epochs, images, _),) = {one.budget for one in trials}
    assert f'`laptop` 档 {len(cells)} 格' in text
    assert f'前 {TUNING_IMAGES:,} 张里的 {images:,} 张训练 {epochs} 轮' in text


def test_what_recomputing_costs_is_told_as_printed() -> None:
    text = answer('ex-densenet-memory')
    names = '重算卷积块', '连结也重算', '重算整块'
    ranges = [re.findall(r'[\d.]+', stored('memory', name, 2)[1])[1:] for name in names]
    unclear = sum(float(low) <= 1 <= float(high) for low, high in ranges)
    assert f'其中{"零一两三"[unclear]}种的范围含 1' in text
    with torch.device('meta'):
        dense, residual = (
            saved_bytes(net(), images(1, 1)) for net in (densenet, resnet18)
        )
    assert f'前者是后者的 {dense / residual:.1f} 倍' in text


def test_blocks_that_change_their_channels_are_counted() -> None:
    outputs = [c1 + c2[1] + c3[1] + c4 for c1, c2, c3, c4 in INCEPTIONS.values()]
    changed = sum(before != after for before, after in pairwise([192, *outputs]))
    text = answer('ex-googlenet-successors')
    assert (len(outputs), changed) == (9, 6) and '换进 GoogLeNet 的九个位置' in text
    assert '输入与输出通道数不同的六块' in text
