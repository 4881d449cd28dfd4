"""书里印出的数字由 results/*.json 重新算出，逐项比较。"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median

import nbformat
import pytest
import torch
from nbformat import NotebookNode
from torch import nn

from deepcnn.anatomy.layers import count_parameters, layer_table
from deepcnn.anatomy.memory import saved_bytes
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.lineup import LINEUP
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import WIDTH, vgg11
from deepcnn.records.attempts import load_attempts
from deepcnn.records.benchmark import FULL_TRAIN_SET, load_report
from deepcnn.records.comparison import Record, load_records
from deepcnn.records.runs import History, load_history
from deepcnn.records.store import RESULTS
from deepcnn.records.trials import load_trial, results_table, verdicts

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
# 章名 → results/ 里的名字、小结里的名字、按边长建网络。
NETWORKS: dict[str, tuple[str, str, Callable[[int], nn.Module]]] = {
    'alexnet': ('alexnet', 'AlexNet', lambda size: alexnet(image_size=size)),
    'vgg': ('vgg11', 'VGG-11（1/4 宽）', lambda n: vgg11(image_size=n, width=WIDTH)),
    'nin': ('nin', 'NiN（末尾无 ReLU）', lambda size: nin()),
    'googlenet': ('googlenet', 'GoogLeNet', lambda size: googlenet()),
    'resnet': ('resnet18', 'ResNet-18', lambda size: resnet18()),
    'densenet': ('densenet', 'DenseNet', lambda size: densenet()),
}


@cache
def printed_text(chapter: str) -> list[tuple[str, str]]:
    """返回一章里每个代码单元的 (名字, 印出的文字)；Markdown 表格也算文字。"""
    cells = nbformat.read(CHAPTERS / f'{chapter}.ipynb', as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == 'code']
    return [
        (cell.metadata.get('name', ''), '\n'.join(map(text_of, cell.outputs)))
        for cell in code
    ]


def text_of(output: NotebookNode) -> str:
    if output.output_type == 'stream':
        return output.text
    return output.get('data', {}).get('text/markdown', '')


def summary_table(cell: str) -> dict[str, list[str]]:
    """小结里名叫 ``cell`` 的单元的表：{第一格: 其余各格}。"""
    text = dict(printed_text('summary')).get(cell, '')
    lines = [line for line in text.splitlines() if line.startswith('|')]
    if not lines:
        pytest.fail(
            f'小结还没有存下 {cell} 的表：请依次运行 make compare、'
            'make record ARGS=summary',
            pytrace=False,
        )
    rows = [line.strip('| ').split('|') for line in lines[2:]]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def mean_and_sd(values: list[float], digits: int) -> str:
    center = sum(values) / len(values)
    variance = sum((value - center) ** 2 for value in values) / (len(values) - 1)
    return f'{center:.{digits}f} ± {variance**0.5:.{digits}f}'


def minutes_to_ninety(history: History) -> str:
    """第一次答对九成的那一轮结束时的分钟；每轮测试的用时取平均。"""
    minutes = []
    for run in history.runs:
        testing = (run.seconds - sum(run.epoch_seconds)) / history.epochs
        elapsed = 0.0
        for seconds, accuracy in zip(run.epoch_seconds, run.test_accuracy, strict=True):
            elapsed += seconds + testing
            if round(accuracy * history.test_images) >= 0.9 * history.test_images:
                minutes.append(elapsed / 60)
                break
        else:
            return '未达到'
    return f'{sum(minutes) / len(minutes):.1f}'


def expected_row(
    history: History, record: Record, build: Callable[[int], nn.Module]
) -> list[str]:
    """年份之外的各格，直接由记录与网络算出。"""
    size, batch = record.recipe['image_size'], record.recipe['batch_size']
    net = build(size)
    kept = saved_bytes(net.to('meta'), torch.empty(batch, 1, size, size, device='meta'))
    trained = record.recipe['train_images'] // batch * batch  # 末尾不足一批的不训练
    speeds = [trained / median(run.epoch_seconds) for run in record.runs]
    return [
        f'{count_parameters(net) / 1e6:.2f}',
        f'{layer_table(net, size).macs / 1e6:.0f}',
        f'{kept / batch / 1e6:.2f}',
        mean_and_sd(speeds, 0),
        minutes_to_ninety(history),
        f'{100 * history.test_accuracy:.2f}',
        mean_and_sd([100 * run.test_accuracy[-1] for run in record.runs], 2),
    ]


@pytest.mark.parametrize('chapter', NETWORKS)
def test_comparison_table_is_recomputed(chapter: str) -> None:
    name, title, build = NETWORKS[chapter]
    table = summary_table('comparison')
    assert len(table) == len(NETWORKS)
    record = load_records()[name]
    assert table[title][1:] == expected_row(load_history(name), record, build)


def test_years_are_those_of_the_chapter() -> None:
    years = {title: int(row[0]) for title, row in summary_table('comparison').items()}
    assert years == {
        'AlexNet': 2012, 'NiN（末尾无 ReLU）': 2013, 'VGG-11（1/4 宽）': 2014,
        'GoogLeNet': 2014, 'ResNet-18': 2015, 'DenseNet': 2016,
    }  # fmt: skip


def training_minutes(history: History) -> float:
    """一次完整的训练用了几分钟，测试在内；几个种子取平均。"""
    return sum(run.seconds for run in history.runs) / len(history.runs) / 60


@pytest.mark.parametrize('chapter', NETWORKS)
def test_conditions_are_those_recorded(chapter: str) -> None:
    name, title, _ = NETWORKS[chapter]
    history, record = load_history(name), load_records()[name]
    seconds = [s for run in history.runs for s in run.epoch_seconds]
    assert summary_table('conditions')[title] == [
        str(record.recipe['image_size']),
        mean_and_sd([run.seconds for run in record.runs], 0),
        str(history.image_size),
        str(history.epochs),
        history.precision,
        f'{training_minutes(history):.1f}',
        f'{min(seconds):.0f}～{max(seconds):.0f}',
    ]


def test_claimed_differences_are_those_of_the_records() -> None:
    """列出的对，差别大于界线；没有列出的，不大于：4.75/√3 倍的合并标准差。"""
    records = load_records()
    assert all(len(record.runs) == 3 for record in records.values())
    titles = {name: title for name, title, _ in NETWORKS.values()}
    values = {titles[n]: [100 * a for a in r.accuracies] for n, r in records.items()}
    means = {title: sum(row) / 3 for title, row in values.items()}
    squares = [(v - means[t]) ** 2 for t, row in values.items() for v in row]
    limit = 4.7502 / 3**0.5 * (sum(squares) / 12) ** 0.5
    expected = {
        (high, low, f'{means[high] - means[low]:.2f}')
        for high in means
        for low in means
        if means[high] - means[low] > limit
    }
    text = dict(printed_text('summary'))['differences']
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if '～' in line]
    assert {tuple(row[:3]) for row in rows} == expected
    assert f'分得出高低的有 {len(expected)} 对' in text


def test_counts_of_lonely_answers_are_recomputed() -> None:
    """逐张图像地数，不用 deepcnn.comparison 里的函数。"""
    records, labels = load_records(), load_dataset().test.labels.tolist()
    counts = dict.fromkeys(records, 0)
    for index, label in enumerate(labels):
        right = [
            name
            for name, record in records.items()
            if sum(int(run.predictions[index]) == label for run in record.runs) >= 2
        ]
        if len(right) == 1:
            counts[right[0]] += 1
    titles = {name: title for name, title, _ in NETWORKS.values()}
    printed = {title: int(row[0]) for title, row in summary_table('alone').items()}
    assert printed == {titles[name]: count for name, count in counts.items()}


def test_summary_names_the_conditions_of_every_network() -> None:
    text = '\n'.join(text for _, text in printed_text('summary'))
    for name, title, _ in NETWORKS.values():
        history = load_history(name)
        seeds = '、'.join(map(str, history.seeds))
        assert title in text
        assert (
            f'{history.dataset}，{history.train_images:,} 张训练图像，'
            f'{history.profile} 档，{history.device}，{history.precision}'
        ) in text
        assert f'种子 {seeds}' in text


@pytest.mark.parametrize('chapter', NETWORKS)
def test_results_of_the_chapter_are_those_recorded(chapter: str) -> None:
    """各章写准确率的位数不同，按它印出的位数比较。"""
    history = load_history(NETWORKS[chapter][0])
    (text,) = (text for name, text in printed_text(chapter) if name == 'results')
    printed = re.search(r'测试准确率\D*?(\d+\.(\d+))(%?)', text)
    assert printed, f'{chapter} 的 results 单元没有印出测试准确率'
    number, digits, percent = printed[1], len(printed[2]), printed[3]
    scale = 100 if percent else 1
    assert number == f'{scale * history.test_accuracy:.{digits}f}'
    assert history.provenance in text
    speed = re.search(r'([\d,]+) 张/秒', text)
    assert speed and speed[1].replace(',', '') == f'{history.images_per_second:.0f}'


@pytest.mark.parametrize('chapter', NETWORKS)
def test_every_epoch_printed_is_recorded(chapter: str) -> None:
    history = load_history(NETWORKS[chapter][0])
    (text,) = (text for name, text in printed_text(chapter) if name == 'train')
    printed = re.findall(
        r'损失 ([\d.]+)  训练准确率 ([\d.]+)  测试准确率 ([\d.]+)', text
    )
    recorded = [
        (f'{loss:.3f}', f'{train:.3f}', f'{test:.3f}')
        for run in history.runs
        for loss, train, test in zip(
            run.train_loss, run.train_accuracy, run.test_accuracy, strict=True
        )
    ]
    assert printed == recorded


# ---- 对照实验与训练过的练习 ----

CURVES = ('train_loss', 'running_accuracy', 'test_accuracy')
DEFAULT = ('train_loss', 'train_accuracy', 'test_accuracy')


@dataclass(frozen=True)
class Page:
    """一页实验：有哪些做法（记录的名字）、结果表列哪些量、各张比较表比什么。"""

    trials: tuple[str, ...]
    measures: tuple[str, ...]
    comparisons: dict[str, tuple[str, str]]  # 单元名 → （量，「前减后」的序号）
    table: str = 'results'  # 结果表的单元名


PAGES = {
    'exercises/nin_without_1x1': Page(
        ('nin-two', 'nin-one', 'nin-linear'), CURVES,
        {'compare': ('test_accuracy', '01 02 21')},
    ),
    'exercises/inception_successors': Page(
        ('inception-original', 'inception-bn', 'inception-factorized', 'inception-residual'),
        CURVES,
        {'compare': ('test_accuracy', '10 21 32 30')},
    ),
    'experiments/activation': Page(
        ('alexnet-relu-he', 'alexnet-relu-xavier', 'alexnet-sigmoid-he',
         'alexnet-sigmoid-xavier', 'alexnet-sigmoid-faster'),
        DEFAULT,
        {'compare': ('train_loss', '02 13 14')},
    ),
    'experiments/degradation': Page(
        ('plain-8', 'plain-20', 'plain-56', 'residual-8', 'residual-20', 'residual-56'),
        DEFAULT,
        {'compare': ('train_accuracy', '20 21 53 54 25')},
    ),
    'experiments/add_or_concatenate': Page(
        ('densenet-concatenate', 'densenet-add-parameters', 'densenet-add-macs'),
        DEFAULT,
        {'compare': ('test_accuracy', '01 02'), 'loss': ('train_loss', '01 02')},
    ),
}  # fmt: skip
# 丢弃法与增广：三种预算，各有自己的表。
ARMS = 'neither dropout augmentation both pooled'
PAIRS = '01 23 02 13 04'
REGULARIZED = {
    'short': {'accuracy-short': ('test_accuracy', PAIRS), 'speed': ('train_loss', '04')},
    'small': {'accuracy': ('test_accuracy', PAIRS), 'compare': ('gap', PAIRS)},
    'large': {'accuracy-large': ('test_accuracy', PAIRS), 'compare-large': ('gap', PAIRS)},
}
PAGES |= {
    f'experiments/regularization {name}': Page(
        tuple(f'alexnet-{name}-{arm}' for arm in ARMS.split()),
        ('train_accuracy', 'test_accuracy', 'gap'),
        comparisons,
        'results' if name == 'small' else f'results-{name}',
    )
    for name, comparisons in REGULARIZED.items()
}


def printed_by(page: str, name: str) -> str:
    """``page`` 里名为 ``name`` 的单元印出的文字。"""
    (text,) = (text for cell, text in printed_text(page) if cell == name)
    return text


@pytest.mark.parametrize('key', PAGES)
def test_tables_of_an_experiment_are_recomputed(key: str) -> None:
    expected, page = PAGES[key], key.partition(' ')[0]
    trials = [load_trial(name) for name in expected.trials]
    table = results_table(trials, expected.measures)
    assert printed_by(page, expected.table).strip() == table._repr_markdown_()
    for cell, (measure, numbers) in expected.comparisons.items():
        pairs = [(trials[int(a)], trials[int(b)]) for a, b in numbers.split()]
        assert verdicts(pairs, measure)._repr_markdown_() in printed_by(page, cell)
    named = printed_by(page, 'profile') + printed_by(page, 'compare')
    assert trials[0].history.provenance in named


def networks_of_exercise_5() -> dict[str, list[float]]:
    """三种宽度的 ResNet-18（由宽到窄）与 DenseNet：名字 → 各种子的测试准确率。"""
    records = load_records()
    narrow = [load_trial(f'resnet18-{name}') for name in ('half', 'narrow')]
    return {
        'ResNet-18': records['resnet18'].accuracies,
        **{t.label: [run.test_accuracy[-1] for run in t.history.runs] for t in narrow},
        'DenseNet': records['densenet'].accuracies,
    }


def test_networks_of_equal_size_are_those_of_the_records() -> None:
    """练习 5：两个网络取自六网对比，缩窄的两个是同一预算下另外训练的。"""
    record = load_records()['resnet18']
    table = printed_by('exercises/fewer_parameters', 'equal')
    for name in ('half', 'narrow'):
        history = load_trial(f'resnet18-{name}').history
        recipe = {k: v for k, v in history.recipe.items() if k != 'seeds'}
        assert recipe == record.recipe and list(history.seeds) == [0, 1, 2]
        assert history.device == record.device
        assert history.provenance in table
    values = networks_of_exercise_5()
    verdict = printed_by('exercises/fewer_parameters', 'verdict')
    for title, accuracies in values.items():
        (line,) = (row for row in table.splitlines() if row.startswith(f'| {title} |'))
        center, wobble = mean_and_sd([100 * a for a in accuracies], 2).split(' ± ')
        assert line.endswith(f'| {center}% ± {wobble}% |')
    whole, *narrow, dense = values
    for title in (whole, dense):
        for label in narrow:
            gap = sum(values[title]) / 3 - sum(values[label]) / 3
            assert f'{title} 减 {label}：{100 * gap:+.2f} 个百分点' in verdict


def costs_at_equal_accuracy(accuracies: tuple[float, ...], costs: list[int]) -> float:
    """三种宽度（由宽到窄）与 DenseNet 各一次训练：同准确率的代价之比，逐段手算。"""
    *found, target = accuracies
    for above, below in ((0, 1), (1, 2)):
        if found[below] <= target <= found[above]:
            share = (target - found[below]) / (found[above] - found[below])
            cost = costs[below] ** (1 - share) * costs[above] ** share
            return cost / costs[3]
    raise AssertionError(f'{target} 不在三种宽度之间，那就是外推')


def test_costs_at_equal_accuracy_are_recomputed() -> None:
    """练习 5：不用笔记本里的插值函数，由记录重算那张表与正文、答案里的比值。"""
    counts = {
        'parameters': [11_175_370, 2_798_314, 701_818, count_parameters(densenet())],
        'macs': [94_348_288, 24_039_936, 6_236_416, layer_table(densenet(), 48).macs],
    }
    trials = [load_trial(f'resnet18-{name}') for name in ('half', 'narrow')]
    assert [t.parameters for t in trials] == counts['parameters'][1:3]
    columns = list(networks_of_exercise_5().values())
    table = printed_by('exercises/fewer_parameters', 'needed')
    page = (CHAPTERS / 'exercises' / 'fewer_parameters.ipynb').read_text(
        encoding='utf-8'
    )
    answers = (CHAPTERS / 'exercises.md').read_text(encoding='utf-8')
    lines = [line for line in table.splitlines() if '～' in line]
    for costs, line in zip(counts.values(), lines, strict=True):
        by_seed = [
            costs_at_equal_accuracy(v, costs) for v in zip(*columns, strict=True)
        ]
        every = [costs_at_equal_accuracy(v, costs) for v in product(*columns)]
        assert len(every) == 81
        assert (
            f'| {mean_and_sd(by_seed, 2)} | {min(every):.2f}～{max(every):.2f} |'
            in line
        )
        assert '，'.join(f'{ratio:.2f}' for ratio in by_seed) in line
        if costs is counts['parameters']:
            assert f'从 {min(every):.2f} 到 {max(every):.2f}' in page
            assert f'{mean_and_sd(by_seed, 1)} 倍' in page
            assert f'{mean_and_sd(by_seed, 1)} 倍' in answers
        else:
            assert f'只要 {sum(by_seed) / 3:.2f} 倍' in page
            assert f'只要 {sum(by_seed) / 3:.2f} 倍' in answers


def test_every_trial_printed_is_recorded() -> None:
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    printed = ''.join(
        printed_by('exercises/tuning', n) for n in ('search', 'finalists')
    )
    shown = re.findall(r'测试准确率 ([\d.]+)', printed)
    recorded = [f'{a:.3f}' for one in trials for a in one.validation_accuracy]
    assert shown == recorded
    assert len({one.budget for one in trials}) == 1


def test_times_of_recomputing_are_those_printed() -> None:
    """练习 6：正文与答案里的百分数，取自存下的那张表。"""
    table = printed_by('exercises/memory', 'time')
    lines = [
        line.strip('| ').split(' | ') for line in table.splitlines() if '～' in line
    ]
    found = [[float(x) for x in re.findall(r'[\d.]+', line[2])] for line in lines]
    (plain, *recomputed), middles = found, [row[0] for row in found[1:]]
    assert plain == [1, 1, 1] and len(recomputed) == 3
    assert all(low <= middle <= high for middle, low, high in found)
    assert min(middles) > 1 and max(middles) < 4 / 3
    page = (CHAPTERS / 'exercises' / 'memory.ipynb').read_text(encoding='utf-8')
    answers = (CHAPTERS / 'exercises.md').read_text(encoding='utf-8')
    assert f'{min(middles):.2f} 到 {max(middles):.2f} 倍' in page
    slower = f'慢 {100 * min(middles) - 100:.0f}% 到 {100 * max(middles) - 100:.0f}%'
    assert slower in page and slower in answers


def test_minutes_told_in_words_are_those_recorded() -> None:
    """README 与「性能」正文里手写的完整训练的分钟数。"""
    histories = [load_history(name) for name, _, _ in NETWORKS.values()]
    assert {history.precision for history in histories} == {'bf16'}
    fast = [training_minutes(history) for history in histories]
    slow = minutes_without_bf16()
    readme = (CHAPTERS.parent / 'README.md').read_text(encoding='utf-8')
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    assert f'六章各用 {min(fast):.0f} 到 {max(fast):.0f} 分钟' in readme
    for text in (readme, page):
        assert f'要 {min(slow):.0f} 到 {max(slow):.0f} 分钟' in text


def minutes_without_bf16() -> list[float]:
    """照基准测试在没有 bf16 的 CPU 上的速度，六章的 laptop 训练各要几分钟（不含测试）。"""
    report = load_report(RESULTS / 'bench-cpu-fp32.json')
    return [
        LINEUP[name].recipes['laptop'].epochs * FULL_TRAIN_SET / one.engine.rate / 60
        for name, one in report.comparisons.items()
    ]
