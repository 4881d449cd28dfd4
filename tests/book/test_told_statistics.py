"""正文手写的统计：放宽的区间、散布、最后几轮的变化，由记录再算一遍。"""

from itertools import combinations, pairwise
from statistics import mean, stdev

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from book_source import read_page
from scipy.stats import tukey_hsd
from test_printed_numbers import CHAPTERS, RUNGS, SUCCESSORS, prose_of
from torch import Tensor, nn
from trial_records import fallen, half_of_welch, load_trial

from deepcnn.anatomy import count_parameters
from deepcnn.data import load_dataset
from deepcnn.records import interval, paired_interval
from deepcnn.records.agreement import predictions_of
from deepcnn.records.attempts import Attempt, load_attempts
from deepcnn.records.benchmark import load_report
from deepcnn.records.comparison import load_records
from deepcnn.records.store import RESULTS, read_json

SHIRT, T_SHIRT = 6, 0


def points(values: list[float]) -> list[float]:
    return [100 * one for one in values]


def ends(low: float, high: float) -> str:
    return f'[{low:.2f}, {high:.2f}]'.replace('-', '−')


def widened(first: list[float], second: list[float], level: float) -> str:
    """Welch 的区间，每个的水平是 ``level``。"""
    gap, half = mean(first) - mean(second), half_of_welch(first, second, level)
    return ends(gap - half, gap + half)


def test_steps_of_the_ladder_compared_together() -> None:
    told = prose_of('experiments/ladder')
    steps = [points(load_trial(f'ladder-{one}').measure('test_accuracy')) for one in RUNGS]
    found = {
        name: widened(above, below, 0.05 / 7)
        for name, (below, above) in zip(RUNGS[1:], pairwise(steps), strict=True)
    }
    assert f'稠密是 {found["dense"]}，VGG 块是 {found["vgg"]}，都含 0' in told
    clear = {name for name, text in found.items() if text.count('−') in (0, 2)}
    assert clear == {'relu', 'inception', 'normalized'}


def test_losses_in_the_middle_of_the_degradation() -> None:
    told = prose_of('experiments/degradation')
    tenth = {
        name: f'{mean(run.train_loss[9] for run in load_trial(name).history.runs):.3f}'
        for name in ('plain-8', 'plain-20', 'residual-8', 'residual-56')
    }
    assert f'8 层是 {tenth["residual-8"]}，56 层是 {tenth["residual-56"]}' in told
    assert f'是 {tenth["plain-20"]}，8 层是 {tenth["plain-8"]}' in told


def test_plain_network_of_56_layers_had_not_flattened() -> None:
    trial = load_trial('plain-56')
    runs = trial.history.runs
    told = prose_of('experiments/degradation')
    losses = np.array([run.train_loss for run in runs])
    middle = losses.mean(axis=0)
    low, high = losses[:, -1].min(), losses[:, -1].max()
    assert (
        f'第 20 轮是 {middle[19]:.3f}，第 30 轮是 {middle[29]:.3f}，'
        f'五个种子从 {low:.2f} 到 {high:.2f}'
    ) in told
    risen = 100 * mean(run.test_accuracy[-1] - run.test_accuracy[-6] for run in runs)
    assert f'最后五轮降了 {fallen(trial, 5):.0f}%，测试准确率还升了 {risen:.2f} 个百分点' in told


def test_how_far_the_rungs_were_from_flat() -> None:
    trials = {name: load_trial(f'ladder-{name}') for name in RUNGS}
    risen = max(
        100 * mean(run.test_accuracy[-1] - run.test_accuracy[-2] for run in one.history.runs)
        for one in trials.values()
    )
    falls = {name: fallen(one, 1) for name, one in trials.items()}
    assert (max(falls, key=falls.get), min(falls, key=falls.get)) == ('relu', 'sigmoid')
    ends = f'{min(falls.values()):.0f}% 到 {max(falls.values()):.0f}%'
    told = f'至多升 {risen:.2f} 个百分点，训练损失却还降了 {ends}'
    assert told in prose_of('experiments/ladder')
    normalized, pooled = (
        points(trials[one].measure('test_accuracy')) for one in ('normalized', 'pooled')
    )
    found = interval(normalized, pooled)
    assert f'高 {found.mean:.2f} 个，区间 {found.text()} 含 0' in prose_of('experiments/ladder')


def test_the_epilogue_says_what_five_pairs_together_show() -> None:
    told = prose_of('after_densenet')
    trials = {one: load_trial(f'after-{one}') for one in SUCCESSORS}
    test = {one: points(trial.measure('test_accuracy')) for one, trial in trials.items()}
    residual = test.pop('residual')
    upper = {
        one: mean(values) - mean(residual) + half_of_welch(values, residual, 0.05 / 5)
        for one, values in test.items()
    }
    assert {one for one, end in upper.items() if end < 0} == test.keys() - {'se'}
    losses = [trials[one].measure('train_loss') for one in ('se', 'residual')]
    se = interval(*losses)
    assert f'训练损失低 {-se.mean:.3f}，区间 {se.text(3)}，五对一起比也不含 0' in told
    assert half_of_welch(*losses, 0.05 / 5) < -se.mean
    falls = [fallen(trial, 1) for trial in trials.values()]
    assert f'训练损失还降了 {min(falls):.0f}% 到 {max(falls):.0f}%' in told


def test_the_gap_of_regularization_is_split() -> None:
    """差变小，有多少是训练准确率降低，有多少是测试准确率提高。"""
    told = prose_of('experiments/regularization')
    for size in ('large', 'small'):
        change = {}
        for arm in ('neither', 'augmentation', 'both'):
            trial = load_trial(f'alexnet-{size}-{arm}')
            measured = map(trial.measure, ('train_accuracy', 'test_accuracy'))
            change[arm] = [100 * mean(one) for one in measured]
        (train, test), (with_train, with_test) = change['neither'], change['augmentation']
        both_train, both_test = change['both']
        again = (with_train - with_test) - (both_train - both_test)
        if size == 'large':
            assert (
                f'小 {(train - test) - (with_train - with_test):.2f} 个百分点，'
                f'其中 {train - with_train:.2f} 个是训练准确率降低，{with_test - test:.2f} 个才是'
            ) in told
            large = again, with_train - both_train
        else:
            small = again, with_train - both_train
            assert f'差也再小 {small[0]:.2f} 个百分点，其中 {small[1]:.2f} 个是' in told
    assert (
        f'差再小 {small[0]:.2f} 与 {large[0]:.2f} 个百分点，'
        f'主要是训练准确率低了 {small[1]:.2f} 与 {large[1]:.2f} 个'
    ) in told


@pytest.mark.parametrize(
    ('arm', 'title'), [('augmentation', '只有增广'), ('both', '丢弃法与增广')]
)
def test_the_last_ten_epochs_still_fall(arm: str, title: str) -> None:
    runs = load_trial(f'alexnet-small-{arm}').history.runs
    losses = np.mean([run.train_loss for run in runs], axis=0)
    told = f'「{title}」从 {losses[-20:-10].mean():.3f} 降到 {losses[-10:].mean():.3f}'
    assert told in prose_of('experiments/regularization')


def test_sigmoid_still_learned_at_the_end() -> None:
    falls = {
        name: f'{fallen(load_trial(f"alexnet-sigmoid-{name}"), 5):.0f}'
        for name in ('he', 'xavier', 'faster')
    }
    assert falls['he'] == falls['xavier']
    told = f'学习率 ×4 的损失还降了 {falls["faster"]}%，另两种 sigmoid 降了 {falls["he"]}%'
    assert told in prose_of('experiments/activation')


def test_the_four_cells_of_batch_normalization() -> None:
    told = prose_of('experiments/batch_normalization')
    trials = {
        one: load_trial(f'twenty-{one}') for one in ('neither', 'shortcut', 'normalized', 'both')
    }
    gap = {
        one: mean(points(trial.measure('train_accuracy')))
        - mean(points(trial.measure('test_accuracy')))
        for one, trial in trials.items()
    }
    low, high = min(gap.values()), max(gap.values())
    assert f'训练与测试差 {low:.2f} 到 {high:.2f} 个百分点' in told
    first = [run.train_loss[0] for run in trials['shortcut'].history.runs]
    assert f'训练损失从 {min(first):.2f} 到 {max(first):.2f}' in told
    trained = {one: mean(points(trials[one].measure('train_accuracy'))) for one in trials}
    assert f'都没有的一种，训练准确率是 {trained["neither"]:.2f}%。' in told
    ceiling = f'训练准确率是 {trained["shortcut"]:.2f}% 与 {trained["both"]:.2f}%'
    assert ceiling in told
    spreads = {
        one: stdev(run.train_loss[-1] for run in trial.history.runs)
        for one, trial in trials.items()
    }
    assert max(spreads, key=spreads.get) == 'neither'


def test_normalization_lowers_the_loss_with_and_without_the_shortcut() -> None:
    """末尾的准确率到头了；各轮的训练损失、首末两轮的测试准确率，由记录再算。"""
    told = prose_of('experiments/batch_normalization')
    runs = {
        one: load_trial(f'twenty-{one}').history.runs
        for one in ('neither', 'shortcut', 'normalized', 'both')
    }
    by_seed = {one: np.array([run.train_loss for run in runs[one]]) for one in runs}
    losses = {one: values.mean(axis=0) for one, values in by_seed.items()}
    plain, beside = (
        by_seed[without] - by_seed[with_it]
        for without, with_it in (('neither', 'normalized'), ('shortcut', 'both'))
    )
    rest = (plain - beside).T  # 一轮一行，每个种子一个
    similar = [not interval(one, np.zeros(len(one))).clear for one in rest]
    assert all(similar[1:12]) and not any(similar[12:]) and not similar[0]
    ranges = (
        f'{min(found):.3f} 到 {max(found):.3f}'
        for found in (one.mean(axis=0)[1:12] for one in (plain, beside))
    )
    middle = '从第 2 轮到第 12 轮，没有捷径时批量归一化低 {}，有捷径时低 {}'
    assert middle.format(*ranges) in told
    lower = [f'{losses[one][12]:.3f}' for one in ('shortcut', 'both')]
    assert f'那时有捷径的损失已降到 {" 与 ".join(lower)}' in told
    worse = interval(by_seed['normalized'][:, 0], by_seed['neither'][:, 0])
    assert f'损失反而高 {worse.mean:.3f}，区间 {worse.text(3)}' in told
    order = ('both', 'shortcut', 'normalized', 'neither')
    for better, worse in pairwise(order):
        assert all(losses[better][1:] < losses[worse][1:])
    tests = {one: np.mean([run.test_accuracy for run in runs[one]], axis=0) for one in runs}
    first, last = (100 * (tests['both'][at] - tests['neither'][at]) for at in (0, -1))
    epochs = len(losses['both'])
    assert f'高 {first:.1f} 个百分点，到第 {epochs} 轮只高 {last:.2f} 个' in told
    changes = np.array([
        [losses[one][-1] - losses[one][-2], 100 * (tests[one][-1] - tests[one][-2])]
        for one in order
    ])  # fmt: skip
    most = abs(changes).max(axis=0)
    assert f'测试准确率至多变 {most[1]:.2f} 个百分点，是平的' in told
    assert f'训练损失至多变 {most[0]:.3f}，可是没有捷径的两种' in told
    slow = [losses[one] for one in ('neither', 'normalized')]
    late = [curve[at] for at in (-6, -1) for curve in slow]
    assert '最后五轮还从 {:.3f} 与 {:.3f} 降到 {:.3f} 与 {:.3f}'.format(*late) in told
    assert max(losses[one][-1] for one in ('both', 'shortcut')) < 0.01


def test_training_losses_of_the_three_nins() -> None:
    told, answer = prose_of('exercises/nin_without_1x1'), read_page(CHAPTERS / 'exercises.md')
    two, one, linear = (
        load_trial(f'nin-{name}').measure('train_loss') for name in ('two', 'one', 'linear')
    )
    fewer, plain = interval(two, one), interval(two, linear)
    said = f'高 {fewer.mean:.3f} 与 {plain.mean:.3f}，区间都不含 0'
    assert said in told and said in answer
    assert f'训练损失低 {fewer.mean:.3f}，区间 {fewer.text(3)}' in told
    assert f'只去掉 ReLU 的低 {plain.mean:.3f}，区间 {plain.text(3)}' in told
    curves = (
        [run.train_loss for run in load_trial(f'nin-{name}').history.runs]
        for name in ('linear', 'one')
    )
    linear_by, one_by = (zip(*runs, strict=True) for runs in curves)
    epochs = [interval(*pair) for pair in zip(linear_by, one_by, strict=True)]
    lower = epochs[6:17]
    assert all(one.clear for one in lower) and not epochs[-1].clear
    least, most = (f'{f(one.mean for one in lower):.3f}' for f in (min, max))
    assert f'第 7 到 17 轮「一个」低 {least} 到 {most}，单看每一轮的区间都不含 0' in told


def test_successors_learn_more_than_they_recognize() -> None:
    told = prose_of('exercises/inception_successors')
    names = ('original', 'bn', 'factorized', 'residual')
    trials = [load_trial(f'inception-{name}') for name in names]
    gaps = [100 * mean(trial.measure('gap')) for trial in trials]
    assert f'都比测试高 {min(gaps):.1f} 到 {max(gaps):.1f} 个百分点' in told
    trained = 100 * mean(trials[0].measure('train_accuracy'))
    assert f'「原来的」训练准确率是 {trained:.2f}%' in told
    for measure, best in (('train_loss', max), ('test_accuracy', max)):
        assert best(trials, key=lambda one: mean(one.measure(measure))) is trials[0]
    before, after = (
        points(load_trial(f'ladder-{rung}').measure('test_accuracy'))
        for rung in ('inception', 'normalized')
    )
    lower = 100 * interval(*(one.measure('test_accuracy') for one in trials[:2])).mean
    contrast = f'测试准确率高 {mean(after) - mean(before):.2f} 个百分点，这里低 {lower:.2f} 个'
    assert contrast in told
    assert f'最长的一条路上有 {3 + 2 * 3 + 7 * 3} 个卷积层' in told  # 入口与第二模块三个


def test_what_the_first_test_images_show() -> None:
    """各章「数据」一节的图：八张里各类有几件。"""
    data = load_dataset()
    shown = [data.class_names[label] for label in data.test.labels[:8]]
    assert '八张里有三条裤子、一只短靴' in prose_of('alexnet')
    assert (shown.count('裤子'), shown.count('短靴')) == (3, 1)
    assert '两件衬衫，' in prose_of('vgg') and shown.count('衬衫') == 2
    for page in ('alexnet', 'resnet'):
        assert '套头衫、衬衫与外套' in prose_of(page)
    assert {*shown} == {'裤子', '短靴', '衬衫', '套头衫', '外套'}
    black = (data.test.images[:8, 0, :, [0, -1]] == 0).float().mean()
    assert black > 0.9 and '四周是黑的' in prose_of('nin')


def test_adding_with_equal_macs_has_fewer_parameters() -> None:
    concatenated, added = (
        load_trial(f'densenet-{one}').parameters for one in ('concatenate', 'add-macs')
    )
    told = f'相加的参数少 {100 * (1 - added / concatenated):.1f}%'
    assert told in prose_of('experiments/add_or_concatenate')


def test_what_unequal_spreads_change_in_the_summary() -> None:
    told, records = prose_of('summary'), load_records()
    accuracy = {name: points(record.accuracies) for name, record in records.items()}
    found = tukey_hsd(*accuracy.values(), equal_var=False).confidence_interval()
    names, nin = list(records), list(records).index('nin')
    low, high = (
        {name: side[at][nin] for at, name in enumerate(names)} for side in (found.low, found.high)
    )
    above = mean(accuracy['alexnet']) - mean(accuracy['nin'])
    nearest = ends(low['alexnet'], high['alexnet'])
    assert f'AlexNet 高 {above:.2f} 个百分点，区间是 {nearest}' in told
    assert all(low[name] < 0 for name in ('alexnet', 'vgg11', 'googlenet'))
    assert all(low[name] > 0 for name in ('resnet18', 'densenet'))
    residual, dense = names.index('resnet18'), names.index('densenet')
    together = ends(found.low[residual][dense], found.high[residual][dense])
    assert f'十五对一起比，区间是 {together}，不含 0' in told and found.low[residual][dense] > 0
    unclear = {
        frozenset((one, other))
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i < j and found.low[i][j] < 0 < found.high[i][j]
    }
    three = ('alexnet', 'vgg11', 'googlenet')
    assert unclear == {frozenset(pair) for pair in combinations((*three, 'nin'), 2)}


def test_finalists_of_the_search_compared_together() -> None:
    """练习 1：单比一对与四种一起比（Games–Howell），结论不同。"""
    told = prose_of('exercises/tuning')
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    groups: dict[tuple, list[Attempt]] = {}
    for one in trials:
        key = tuple(one.recipe[name] for name in ('lr', 'weight_decay', 'flip'))
        groups.setdefault(key, []).append(one)
    accuracies = {key: [100 * one.accuracy for one in group] for key, group in groups.items()}
    repeated = {key: values for key, values in accuracies.items() if len(values) == 5}
    order = [(3e-3, 0.01, True)]  # 写在预算里的设置
    order += sorted(repeated.keys() - {*order}, key=lambda key: -mean(repeated[key]))
    chapter, winner, first = (repeated[key] for key in order[:3])
    assert f'单比这一对，区间 {interval(winner, chapter).text()} 不含 0' in told
    values = [repeated[key] for key in order]
    low = tukey_hsd(*values, equal_var=False).confidence_interval().low[:, 0]
    assert abs(low[1]) < 0.005 and '下端就到 0' in told
    assert low[2] > 0
    pair = interval(winner, values[3])
    together = tukey_hsd(*values, equal_var=False).confidence_interval()
    assert pair.clear and together.low[1][3] < 0 < together.high[1][3]
    assert f'比第二名高 {pair.mean:.2f} 个，单比区间不含 0，四种一起比就含 0' in told
    losses = [
        [*map(mean, zip(*(one.train_loss[-2:] for one in groups[key]), strict=True))]
        for key in order
    ]
    falls = [100 * (1 - after / before) for before, after in losses]
    assert f'四种设置的训练损失还降了 {min(falls):.0f}% 到 {max(falls):.0f}%' in told
    assert f'种子 0 的第一名高 {mean(first) - mean(chapter):.2f} 个，一起比也不含 0' in told
    assert max(accuracies, key=lambda key: accuracies[key][0]) == order[2]


def test_few_images_do_not_decide_between_learned_and_made_features() -> None:
    told = read_page(CHAPTERS / 'introduction.ipynb')
    record = read_json(RESULTS / 'introduction.json')
    counts = record['recipe']['train_images']
    learned, made = (record['test_accuracy'][kind] for kind in ('学得的特征', '手工特征'))
    gaps = [paired_interval(points(a), points(b)) for a, b in zip(learned, made, strict=True)]
    few = gaps[counts.index(300)]
    said = f'学得的低 {-few.mean:.1f} 个百分点，95% 区间 {few.text(1)} 含 0'
    assert said in told and not few.clear
    later = [gap for count, gap in zip(counts, gaps, strict=True) if count >= 10_000]
    assert min(gap.mean for gap in later) > 1.45 and '高 1.5 个百分点以上' in told
    assert f'高 {gaps[counts.index(3000)].mean:.1f} 个，还不宜当真' in told


def test_what_shifting_did_to_vgg_in_the_search() -> None:
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    found = {}
    for one in load_attempts(RESULTS / 'tuning' / 'vgg11.json'):
        r = one.recipe
        if not r['erasing']:
            found[r['epochs'], r['lr'], r['label_smoothing'], r['shift']] = 100 * one.accuracy
    slow, fast = (found[6, lr, 0, 0] - found[6, lr, 0, 1] for lr in (5e-4, 1e-3))
    gained = found[12, 1e-3, 0.1, 1] - found[12, 1e-3, 0.1, 0]
    assert f'平移低 {slow:.1f} 与 {fast:.1f} 个百分点' in page
    assert f'（有标签平滑）高 {gained:.1f} 个' in page


def test_the_fastest_of_the_six_without_bf16_drifted() -> None:
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    found = load_report(RESULTS / 'bench-cpu-fp32.json').comparisons
    times = {name: one.speedup(one.engine) for name, one in found.items()}
    first, *others = sorted(times, key=times.get, reverse=True)
    assert first == 'resnet18'
    assert f'（{times[first]:.1f} 倍只有 ResNet-18' in page
    assert f'前后两次 d2l 相差 {100 * found[first].drift:.0f}%；' in page
    assert f'别的五个至多 {times[others[0]]:.1f} 倍' in page


def test_first_losses_of_nin_in_the_answer() -> None:
    answer = read_page(CHAPTERS / 'exercises.md')
    two, one = (
        [run.train_loss[0] for run in load_trial(f'nin-{name}').history.runs]
        for name in ('two', 'one')
    )
    found = interval(two, one)
    assert f'比去掉一层的高 {found.mean:.3f}，区间 {found.text(3)} 含 0' in answer
    assert not found.clear


def test_answers_of_nin_in_the_summary() -> None:
    told, records = prose_of('summary'), load_records()
    labels = load_dataset().test.labels
    answers = {name: predictions_of(record) for name, record in records.items()}
    wrong = {
        name: [100 * (one[labels == SHIRT] == T_SHIRT).float().mean().item() for one in runs]
        for name, runs in answers.items()
    }
    found = interval(wrong['nin'], wrong['resnet18'])
    assert f'多 {found.mean:.2f} 个百分点，区间也是 {found.text()}' in told and not found.clear
    spreads = [f'{stdev(wrong[name]):.2f}' for name in ('nin', 'alexnet')]
    assert f'标准差是 {spreads[0]} 个百分点，AlexNet 只有 {spreads[1]} 个' in told
    shirts = {
        name: mean((one == SHIRT).sum().item() for one in runs)
        for name, runs in answers.items()
    }
    assert f'平均只答 {shirts.pop("nin"):.0f} 次' in told
    assert f'别的网络答 {min(shirts.values()):.0f} 到 {max(shirts.values()):.0f} 次' in told


def defined_by(page: str, name: str) -> object:
    """执行一页的代码，直到 ``name`` 定义出来。"""
    found: dict[str, object] = {}
    for cell in nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells:
        if cell.cell_type == 'code' and name not in found:
            exec(cell.source, found)
    return found[name]


def real_work(net: nn.Module) -> tuple[int, int]:
    """（参数，乘加次数），碰不到图像、只碰得到补的 0 的不算；输入 32 像素。"""
    work = []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        if isinstance(layer, nn.Linear):
            pairs, used = 1, 1
        else:
            ones = torch.ones(1, 1, *inputs[0].shape[2:])
            patches = F.unfold(ones, layer.kernel_size, 1, layer.padding, layer.stride)
            pairs, used = int(patches.sum()), int(patches.any(2).sum())
        channels = layer.weight.shape[0] * layer.weight.shape[1]
        window = layer.weight[0, 0].numel() if layer.weight.dim() == 4 else 1
        work.append(((window - used) * channels, pairs * channels))

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    net.eval()(torch.zeros(1, 1, 32, 32))
    idle, macs = map(sum, zip(*work, strict=True))
    return count_parameters(net) - idle, macs


def test_work_on_padding_is_left_out() -> None:
    told = prose_of('experiments/ladder')
    backbone = defined_by('experiments/ladder', 'backbone')
    relu, vgg, dense = (real_work(backbone(name)) for name in ('relu', 'vgg', 'dense'))
    assert f'参数是 {vgg[0]:,} 对 {relu[0]:,}，MACs 是 {vgg[1]:,} 对 {relu[1]:,}' in told
    assert f'{count_parameters(backbone("relu")) - relu[0]:,} 个这样闲着' in told
    assert f'{dense[1] / relu[1]:.1f}' == '0.4' and '顶上一级约是第二级的四成' in told
