"""书里印出的数字由 results/*.json 重新算出，逐项比较。"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev

import nbformat
import pytest
import torch
from book_source import chapter_files, read_page
from nbformat import NotebookNode
from percentage_points import in_points
from torch import nn
from trial_records import fallen, half_of_paired, half_of_welch, load_trial

from deepcnn.anatomy.channels import most_active
from deepcnn.anatomy.configurations import cost_of
from deepcnn.anatomy.excitation import responses
from deepcnn.anatomy.layers import capture, count_parameters, layer_table
from deepcnn.anatomy.memory import saved_bytes
from deepcnn.anatomy.occlusion import occlusion_map
from deepcnn.data.batches import prepare
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.alexnet import RECIPES, alexnet
from deepcnn.models.densenet import densenet, paper_densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.lineup import LINEUP
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.trained import load
from deepcnn.models.vgg import WIDTH, vgg11
from deepcnn.records.attempts import effect, load_attempts
from deepcnn.records.benchmark import load_report
from deepcnn.records.comparison import laptop_record, load_records
from deepcnn.records.pages import record_names, training_times
from deepcnn.records.runs import History, load_history
from deepcnn.records.spreads import Interval, interval
from deepcnn.records.store import RESULTS, WEIGHTS, read_json
from deepcnn.records.titles import TITLES
from deepcnn.records.trials import (
    Trial,
    compare,
    intervals,
    last_epoch,
    results_table,
)
from deepcnn.records.weight_facts import weight_facts
from deepcnn.training import make_optimizer, make_schedule
from deepcnn.training.announcement import minutes, profiles_of
from deepcnn.training.hardware import choose_profile

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


def epochs_to_ninety(history: History) -> str:
    """第几轮之后第一次答对九成；只有一个种子。"""
    (run,) = history.runs
    right = [round(accuracy * history.test_images) for accuracy in run.test_accuracy]
    return str(1 + [one >= 0.9 * history.test_images for one in right].index(True))


def untrained_cells(build: Callable[[int], nn.Module], recipe: dict) -> list[str]:
    """不靠训练的各格：边长、参数、乘加、激活内存。"""
    size, batch = recipe['image_size'], recipe['batch_size']
    with torch.device('meta'):
        net = build(size)
        kept = saved_bytes(net, torch.empty(batch, 1, size, size))
    return [
        str(size),
        f'{count_parameters(net) / 1e6:.2f}',
        f'{layer_table(net, size).macs / 1e6:.0f}',
        f'{kept / batch / 1e6:.2f}',
    ]


@pytest.mark.parametrize('chapter', NETWORKS)
def test_table_of_the_trained_networks_is_recomputed(chapter: str) -> None:
    """书里公布的准确率是各章存下输出的那一档的，不是 laptop 档的。"""
    name, title, build = NETWORKS[chapter]
    table, history = summary_table('trained'), load_history(f'full/{name}')
    assert len(table) == len(NETWORKS)
    assert history.profile == 'full'
    assert table[title][1:] == [
        *untrained_cells(build, history.recipe),
        str(history.epochs),
        epochs_to_ninety(history),
        f'{100 * history.test_accuracy:.2f}',
    ]


@pytest.mark.parametrize('chapter', NETWORKS)
def test_table_of_the_same_budget_is_recomputed(chapter: str) -> None:
    name, title, build = NETWORKS[chapter]
    record = load_records()[name]
    batch = record.recipe['batch_size']
    used = record.recipe['train_images'] // batch * batch  # 末尾不足一批的不训练
    assert summary_table('budget')[title] == [
        *untrained_cells(build, record.recipe),
        mean_and_sd([used / median(run.epoch_seconds) for run in record.runs], 0),
        mean_and_sd([run.seconds for run in record.runs], 0),
        mean_and_sd([100 * run.test_accuracy[-1] for run in record.runs], 2),
    ]


def test_the_trained_networks_are_told_as_recorded() -> None:
    told = prose_of('summary')
    histories = {name: load_history(f'full/{name}') for name, _, _ in NETWORKS.values()}
    points = {name: 100 * one.test_accuracy for name, one in histories.items()}
    low, high = min(points.values()), max(points.values())
    assert sorted(points, key=points.get)[-2:] == ['densenet', 'resnet18']
    assert f'从 {low:.2f}% 到 {high:.2f}%，相差 {high - low:.2f} 个百分点' in told
    error = 100 * (0.94 * 0.06 / 10_000) ** 0.5
    assert f'标准误差就有 {error:.2f} 个百分点左右' in told
    close = [points[name] for name in ('densenet', 'vgg11', 'resnet18')]
    assert max(close) - min(close) < 0.5 and sorted(points.values())[-3:] == sorted(close)
    assert f'它离 AlexNet 只有 {points["alexnet"] - points["nin"]:.2f} 个百分点' in told
    with torch.device('meta'):
        sizes = [count_parameters(LINEUP[n].build(histories[n].image_size)) for n in points]
    parameters = dict(zip(points, sizes, strict=True))
    assert min(parameters, key=parameters.get) == 'densenet'
    assert f'参数是 DenseNet 的 {parameters["alexnet"] // parameters["densenet"]} 倍多' in told


def test_years_are_those_of_the_chapter() -> None:
    years = {title: int(row[0]) for title, row in summary_table('trained').items()}
    assert years == {
        'AlexNet': 2012, 'NiN（末尾无 ReLU）': 2013, 'VGG-11（1/4 宽）': 2014,
        'GoogLeNet': 2014, 'ResNet-18': 2015, 'DenseNet': 2016,
    }  # fmt: skip


def training_minutes(history: History) -> float:
    """一次完整的训练用了几分钟，测试在内；几个种子取平均。"""
    return sum(run.seconds for run in history.runs) / len(history.runs) / 60


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
    assert f'，{len(expected)} 对的区间不含 0' in text


def test_the_summary_tells_its_tables_and_figures() -> None:
    told, records = prose_of('summary'), load_records()
    values = {name: [100 * a for a in one.accuracies] for name, one in records.items()}
    found = interval(values['resnet18'], values['densenet'])
    assert f'ResNet-18 比 DenseNet 高 {found.mean:.2f} 个百分点' in told
    gap = mean(values['densenet']) - mean(values['alexnet'])
    assert f'反而低 {gap:.2f} 个百分点' in told
    with torch.device('meta'):
        sizes = [
            count_parameters(NETWORKS[chapter][2](records[NETWORKS[chapter][0]].recipe['image_size']))
            for chapter in ('alexnet', 'densenet')
        ]
    assert f'AlexNet 是最少的 DenseNet 的 {sizes[0] // sizes[1]} 倍多' in told
    seconds = {name: mean(run.seconds for run in one.runs) for name, one in records.items()}
    assert min(seconds, key=seconds.get) == 'densenet'
    assert max(seconds, key=seconds.get) == 'resnet18'
    for name in ('densenet', 'nin', 'resnet18'):
        assert f'（{seconds[name]:.0f} 秒）' in told
    between = mean(values['densenet']) - mean(values['nin'])
    assert f'时间的误差棒有重叠，准确率却差 {between:.2f} 个百分点' in told
    rows = dict(printed_text('summary'))['differences'].splitlines()
    listed = [float(row.split(' | ')[2]) for row in rows if '～' in row]
    assert f'从 {max(listed)} 到 {min(listed)} 个百分点' in told
    alone = {title: int(row[0]) for title, row in summary_table('alone').items()}
    assert f'ResNet-18 独对的最多，{max(alone.values())} 张' in told
    few = {title.split('（')[0] for title, count in alone.items() if count < 20}
    assert few == {'AlexNet', 'VGG-11', 'GoogLeNet'}
    votes = re.findall(r'一人一票：([\d.]+)%', dict(printed_text('summary'))['votes'])
    assert len(votes) == 3 and all(round(float(one)) == 87 for one in votes)
    assert f'最好的是 ResNet-18，平均 {mean(values["resnet18"]):.2f}%' in told
    assert max(map(float, votes)) < min(values['resnet18'])
    assert max(alone, key=alone.get) == 'ResNet-18'
    assert min(alone, key=alone.get).startswith('VGG-11')
    agreed = dict(printed_text('summary'))['agreement']
    counts = re.findall(r'(\d) 个网络答对：([\d,]+) 张', agreed)
    by_count = {int(n): int(images.replace(',', '')) for n, images in counts}
    assert f'{by_count[0]} 张谁也没有答对，比只有一个网络答对的 {by_count[1]} 张' in told
    assert 0.74 < by_count[6] / 10_000 < 0.78  # 「四分之三」


def test_nins_claims_are_answered_in_the_summary() -> None:
    told = prose_of('summary')
    neither, pooled = (load_trial(f'alexnet-large-{arm}') for arm in ('neither', 'pooled'))
    gaps = ([100 * one for one in trial.measure('gap')] for trial in (neither, pooled))
    found = interval(*gaps)
    assert f'之差小 {found.mean:.2f} 个百分点，区间 {found.text()}' in told
    losses = (
        mean(load_trial(f'alexnet-short-{arm}').measure('train_loss'))
        for arm in ('pooled', 'neither')
    )
    slow, fast = losses
    assert f'训练损失高 {slow - fast:.3f}' in told
    lr = load_records()['nin'].recipe['lr']
    assert f'NiN 的 {2 * lr:g} 太大，要减到 {lr:g}' in told


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
        history = load_history(f'full/{name}')
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
    history = load_history(record_names(chapter)[0])
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
    history = load_history(record_names(chapter)[0])
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


def test_first_and_last_epoch_are_told() -> None:
    """训练曲线之后的一句话：头一轮与末一轮的数。"""
    run = load_history('lenet').runs[0]
    numbers = [values[n] for values in (run.train_loss, run.test_accuracy) for n in (0, -1)]
    words = '损失从 {:.3f} 降到 {:.3f}，测试准确率从 {:.3f} 升到 {:.3f}'
    assert words.format(*numbers) in prose_of('toolbox')


@pytest.mark.parametrize('chapter', ['alexnet', 'vgg', 'nin'])
def test_memory_of_a_step_is_told_as_printed(chapter: str) -> None:
    text = (CHAPTERS / f'{chapter}.ipynb').read_text(encoding='utf-8')
    (stored,) = re.findall(r'一步要存 ([\d,.]+) MiB，其中激活 ([\d,.]+) MiB', text)
    total, kept = (float(number.replace(',', '')) for number in stored)
    sentence = r'训练一步(?:只要|要)存的? ([\d,]+) MiB.*?([\d,]+) MiB'
    assert (f'{total:,.0f}', f'{kept:,.0f}') in re.findall(sentence, prose_of(chapter))


# ---- 引言：三种方法，六种训练量 ----

COUNTS = [300, 1_000, 3_000, 10_000, 30_000, 60_000]
RAW, MADE, LEARNED = '原始像素', '手工特征', '学得的特征'


def introduction() -> dict:
    return read_json(RESULTS / 'introduction.json')


def test_settings_of_the_introduction_are_chosen_on_held_out_images() -> None:
    """从小到大，下一个没有高出 0.2 个百分点就停；没有一个试到了头。"""
    record, table = introduction(), printed_by('introduction', 'settings')
    assert record['recipe']['train_images'] == COUNTS
    exhausted = []
    for name, row in record['recipe']['settings'].items():
        for count, setting, tried in zip(
            COUNTS, row, record['held_out'][name], strict=True
        ):
            gains = [b - a for a, b in pairwise(tried.values())]
            stopped = gains[-1] < 0.002
            assert min(gains[:-1] if stopped else gains, default=1) >= 0.002
            assert float(list(tried)[-2 if stopped else -1]) == setting
            exhausted += [] if stopped else [(name, count, setting)]
        assert f'| {name} | {" | ".join(f"{one:g}" for one in row)} |' in table
    assert exhausted == []


def test_scores_of_the_introduction_are_those_recorded() -> None:
    record, table = introduction(), printed_by('introduction', 'train')
    assert record['recipe']['seeds'] == [0, 1, 2, 3, 4]
    assert list(record['test_accuracy']) == [RAW, MADE, LEARNED]
    for name, groups in record['test_accuracy'].items():
        assert [len(group) for group in groups] == [5] * len(COUNTS)
        cells = [f'{mean(group):.1%} ± {stdev(group):.1%}' for group in groups]
        assert f'| {name} | {" | ".join(cells)} |' in table


def test_differences_of_the_introduction_are_recomputed() -> None:
    """逐个种子相减，照成对的 t 检验重算，不用 ``paired_interval``。"""
    scores = introduction()['test_accuracy']
    lines = [x for x in printed_by('introduction', 'verdict').splitlines() if '张' in x]
    for which, (line, count) in enumerate(zip(lines, COUNTS, strict=True)):
        cells = [f'{count:,} 张']
        for a, b in ((MADE, RAW), (LEARNED, MADE)):
            one, other = ([100 * v for v in scores[k][which]] for k in (a, b))
            gap = mean(one) - mean(other)
            half = half_of_paired(one, other)
            cells.append(f'{gap:+.1f} [{gap - half:.1f}, {gap + half:.1f}]')
        assert line == f'| {" | ".join(cells)} |'.replace('-', '−')


def test_text_of_the_introduction_tells_what_was_recorded() -> None:
    record = introduction()
    means = {
        name: [100 * mean(group) for group in groups]
        for name, groups in record['test_accuracy'].items()
    }
    made = [a - b for a, b in zip(means[MADE], means[RAW], strict=True)]
    rise = {name: values[-1] - values[3] for name, values in means.items()}
    steps = record['held_out'][LEARNED][-1]
    lead = f'{means[LEARNED][-1] - means[MADE][-1]:.1f} 个百分点'
    page = (CHAPTERS / 'introduction.ipynb').read_text(encoding='utf-8')
    for told in (
        f'手工特征都高 {min(made):.1f} 到 {max(made):.1f} 个百分点，区间都不含 0',
        f'原始像素升 {means[RAW][-1] - means[RAW][0]:.1f} 个百分点，'
        f'手工特征升 {means[MADE][-1] - means[MADE][0]:.1f} 个，'
        f'学得的特征升 {means[LEARNED][-1] - means[LEARNED][0]:.1f} 个。',
        f'从 8,000 步到 16,000 步只升 {100 * (steps["16000"] - steps["8000"]):.2f} 个百分点',
        f'到 60,000 张是 {lead}',
        f'60,000 张时，学得的高 {lead}',
        f'手工特征只涨 {rise[MADE]:.1f} 个百分点，原始像素只涨 {rise[RAW]:.1f} 个',
        f'学得的特征涨 {rise[LEARNED]:.1f} 个百分点，是它的两倍',
    ):
        assert told in page, told


@pytest.mark.parametrize('chapter', NETWORKS)
def test_the_recipe_printed_is_the_one_recorded(
    chapter: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """印出档位的单元不与重跑的比较：照记录的档位执行一次，印出的应当就是存下的。"""
    history = load_history(record_names(chapter)[0])
    monkeypatch.setenv('DEEPCNN_PROFILE', history.profile)
    cells = nbformat.read(CHAPTERS / f'{chapter}.ipynb', as_version=4).cells
    (cell,) = (cell for cell in cells if cell.metadata.get('name') == 'profile')
    recipes = import_module(f'deepcnn.models.{chapter}').RECIPES
    exec(cell.source, {'RECIPES': recipes, 'choose_profile': choose_profile})
    assert capsys.readouterr().out == printed_by(chapter, 'profile')
    assert history.recipe == recipes[history.profile].to_dict()


def test_minutes_announced_are_those_recorded() -> None:
    """各页开头印出的用时，由今天的记录再算一遍。"""
    pages = [page.relative_to(CHAPTERS) for page in chapter_files()]
    texts = {
        page.with_suffix('').as_posix(): text
        for page in pages
        for name, text in printed_text(page.with_suffix('').as_posix())
        if name == 'announce'
    }
    assert set(NETWORKS) < set(texts)
    for page, text in texts.items():
        profiles = profiles_of(page)
        assert f'DEEPCNN_PROFILE={"|".join(profiles)}，' in text
        source = read_page(CHAPTERS / f'{page}.ipynb')
        if found := re.search(r'^RECIPES = \{.*?^\}', source, re.M | re.S):
            assert tuple(re.findall(r"^    '(\w+)': ", found[0], re.M)) == profiles
        for recorded in training_times(page):
            assert f'录制时用了 {minutes(recorded.seconds)}（{recorded.device}' in text
            if slow := recorded.seconds_without_bf16:
                assert f'两种 CPU 之比，约 {minutes(slow)}' in text


# ---- 对照实验与训练过的练习 ----

DEFAULT = ('train_loss', 'train_accuracy', 'test_accuracy')


@dataclass(frozen=True)
class Page:
    """一页实验：有哪些做法（记录的名字）、结果表列哪些量、各张比较表比什么。"""

    trials: tuple[str, ...]
    measures: tuple[str, ...]
    comparisons: dict[str, tuple[str, str]]  # 单元名 → （量，「前减后」的序号）
    table: str = 'results'  # 结果表的单元名


FOUR_CELLS = ('neither', 'shortcut', 'normalized', 'both')  # 2 × 2：批量归一化，捷径
SUCCESSORS = ('residual', 'resnext', 'se', 'separable', 'vit', 'convnext')

PAGES = {
    'exercises/nin_without_1x1': Page(
        ('nin-two', 'nin-one', 'nin-linear'), DEFAULT,
        {'compare': ('test_accuracy', '01 02 21'), 'loss': ('train_loss', '01 02 21')},
    ),
    'exercises/inception_successors': Page(
        ('inception-original', 'inception-bn', 'inception-factorized', 'inception-residual'),
        DEFAULT,
        {'compare': ('test_accuracy', '10 21 32 30'), 'loss': ('train_loss', '10 21 32 30')},
    ),
    'experiments/activation': Page(
        ('alexnet-relu-he', 'alexnet-relu-xavier', 'alexnet-sigmoid-he',
         'alexnet-sigmoid-xavier', 'alexnet-sigmoid-faster'),
        DEFAULT,
        {'compare': ('train_loss', '02 13 14'), 'test-intervals': ('test_accuracy', '02 13 14')},
    ),
    'experiments/degradation': Page(
        ('plain-8', 'plain-20', 'plain-56', 'residual-8', 'residual-20', 'residual-56'),
        DEFAULT,
        {'compare': ('train_accuracy', '10 20 21 53 54 25')},
    ),
    'experiments/add_or_concatenate': Page(
        ('densenet-concatenate', 'densenet-add-parameters', 'densenet-add-macs'),
        DEFAULT,
        {'compare': ('test_accuracy', '01 02'), 'loss': ('train_loss', '01 02')},
    ),
    'after_densenet': Page(
        tuple(f'after-{name}' for name in SUCCESSORS), DEFAULT,
        {'compare': ('test_accuracy', '10 20 30 40 50')},
    ),
    'experiments/batch_normalization': Page(
        tuple(f'twenty-{name}' for name in FOUR_CELLS), DEFAULT, {},
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
        table = intervals(pairs, measure)
        assert table._repr_markdown_() in printed_by(page, cell)
    if any(name == 'flat' for name, _ in printed_text(page)):
        assert printed_by(page, 'flat').strip() == last_epoch(trials)._repr_markdown_()
    named = printed_by(page, 'profile') + printed_by(page, 'compare')
    assert trials[0].history.provenance in named


CONTRASTS = (  # 四格表里的两行之末、两列之末、右下角
    {'normalized': 1, 'neither': -1},
    {'both': 1, 'shortcut': -1},
    {'shortcut': 1, 'neither': -1},
    {'both': 1, 'normalized': -1},
    {'normalized': 1, 'neither': -1, 'both': -1, 'shortcut': 1},
)


@pytest.mark.parametrize(
    ('cell', 'measure', 'told'),
    [('compare', 'train_accuracy', range(5)), ('accuracy', 'test_accuracy', range(5))],
)
def test_four_cells_are_recomputed(cell: str, measure: str, told: range) -> None:
    """由每个种子的准确率重算；``told`` 是正文写出的那几个差别。

    两边的区间照 Welch 的公式写，不用 ``interval``；右下角是各种子的两个差别之差，与 0 比。
    """
    page = 'experiments/batch_normalization'
    values = {
        name: [100 * one for one in load_trial(f'twenty-{name}').measure(measure)]
        for name in FOUR_CELLS
    }
    text = (CHAPTERS / f'{page}.ipynb').read_text(encoding='utf-8')
    first, second, third = printed_by(page, cell).strip().splitlines()[2:]
    lines = (first, second, third, third, third)
    for number, (signs, line) in enumerate(zip(CONTRASTS, lines, strict=True)):
        gap = sum(sign * mean(values[name]) for name, sign in signs.items())
        names = [*signs]
        sides = [values[names[0]], values[names[1]]]
        if len(names) == 4:
            alone, beside = (differences(values, *two) for two in (names[:2], names[2:]))
            rest = [one - other for one, other in zip(alone, beside, strict=True)]
            sides = [rest, [0.0] * len(rest)]
        half = half_of_welch(*sides)
        ends = f'[{gap - half:.2f}, {gap + half:.2f}]'.replace('-', '−')
        shown = f'**{gap:+.2f}**' if abs(gap) > half else f'{gap:+.2f}'
        assert f'{shown} {ends}'.replace('-', '−') in line
        assert number not in told or f' {abs(gap):.2f} 个' in text
        assert len(names) < 4 or f'区间 {ends}' in text or f'区间是 {ends}' in text


def differences(values: dict[str, list[float]], more: str, less: str) -> list[float]:
    return [a - b for a, b in zip(values[more], values[less], strict=True)]


RUNGS = ['sigmoid', 'relu', 'vgg', 'pooled', 'inception', 'normalized', 'residual', 'dense']


def test_ladder_is_recomputed() -> None:
    """梯子的表比别的实验多两列；每一级与下面一级比，最后一行是顶与第二级。"""
    trials = [load_trial(f'ladder-{name}') for name in RUNGS]
    assert all(trial.history.seeds == [0, 1, 2, 3, 4] for trial in trials)
    expected = results_table(trials, ('train_accuracy', 'test_accuracy'))
    printed = printed_by('experiments/ladder', 'results').strip().splitlines()
    rows = expected._repr_markdown_().splitlines()
    for row, line in zip(rows, printed, strict=True):
        assert line.startswith(row.removesuffix('|'))
    pairs = [*zip(trials[1:], trials[:-1], strict=True), (trials[-1], trials[1])]
    table = intervals(pairs, 'test_accuracy')
    assert printed_by('experiments/ladder', 'compare').strip() == table._repr_markdown_()
    assert trials[0].history.provenance in printed_by('experiments/ladder', 'profile')


def gap_between(first: Trial, second: Trial) -> Interval:
    """测试准确率的差别，百分点。"""
    return in_points(*(one.measure('test_accuracy') for one in (first, second)))


def test_ladder_is_told_as_recorded() -> None:
    trials = {name: load_trial(f'ladder-{name}') for name in RUNGS}
    found = {
        above: gap_between(trials[above], trials[below])
        for below, above in pairwise(RUNGS)
    }
    told = prose_of('experiments/ladder')
    for words, name in {
        '测试准确率提高了': 'relu', 'VGG 块低': 'vgg', 'Inception 低': 'inception',
        '批量归一化高': 'normalized', '稠密比残差高': 'dense',
    }.items():  # fmt: skip
        assert found[name].clear and f'{words} {abs(found[name].mean):.2f} 个' in told
    assert not found['pooled'].clear and not found['residual'].clear
    top, second = trials['dense'], trials['relu']
    ends = gap_between(top, second)
    assert f'只高 {ends.mean:.2f} 个百分点，区间 {ends.text()} 含 0' in told
    assert not ends.clear
    assert 6 < second.parameters / top.parameters < 6.5
    gap = compare(trials['residual'], trials['normalized'], 'train_accuracy').mean
    assert f'训练准确率高 {100 * gap:.2f} 个百分点，测试准确率的区间含 0' in told


def test_epilogue_is_told_as_recorded() -> None:
    """尾声：五种块与残差块的差别、大小，以及最后一轮还变了多少。"""
    trials = {name: load_trial(f'after-{name}') for name in SUCCESSORS}
    residual = trials['residual']
    told = prose_of('after_densenet')
    found = {name: gap_between(trial, residual) for name, trial in trials.items()}
    for name, words in {
        'vit': 'ViT 低', 'convnext': 'ConvNeXt 低', 'resnext': 'ResNeXt 低',
        'separable': '逐通道低',
    }.items():  # fmt: skip
        assert found[name].clear and found[name].mean < 0
        assert f'{words} {-found[name].mean:.2f} 个' in told
    se = found['se']
    assert not se.clear and f'SE 高 {se.mean:.2f} 个百分点，区间 {se.text()} 含 0' in told
    small = trials['resnext'].parameters
    assert f'只有 {small:,} 个参数，是残差块的十二分之一' in told
    assert round(residual.parameters / small) == 12
    assert f'ViT 的网络有 {trials["vit"].parameters:,} 个参数' in told
    assert trials['se'].parameters > residual.parameters > trials['vit'].parameters
    last = [
        mean(run.test_accuracy[-1] - run.test_accuracy[-2] for run in one.history.runs)
        for one in trials.values()
    ]
    assert min(last) > 0 and f'平均至多升了 {100 * max(last):.2f} 个百分点' in told


def trials_of_exercise_5() -> list[Trial]:
    """四种宽度的 ResNet-18（由宽到窄）与 DenseNet。"""
    return [load_trial(Path(name).name) for name in record_names('exercises/fewer_parameters')]


def networks_of_exercise_5() -> dict[str, list[float]]:
    """名字 → 各种子的测试准确率，次序同上。"""
    return {one.label: list(one.measure('test_accuracy')) for one in trials_of_exercise_5()}


def test_networks_of_equal_size_are_those_of_the_records() -> None:
    """练习 5：五个网络只有学习率不同，其余的配方、设备与种子都相同。"""
    trials = trials_of_exercise_5()
    table = printed_by('exercises/fewer_parameters', 'equal')
    conditions = []
    for trial in trials:
        history = trial.history
        assert history.recipe['lr'] == (3e-3 if trial.label == 'DenseNet' else 2e-3)
        assert list(history.seeds) == [0, 1, 2, 3, 4]
        conditions.append((history.recipe | {'lr': None}, history.provenance))
    assert all(one == conditions[0] for one in conditions)
    assert conditions[0][1] in table
    flat = last_epoch(trials)._repr_markdown_()
    assert printed_by('exercises/fewer_parameters', 'flat').strip() == flat
    values = networks_of_exercise_5()
    verdict = printed_by('exercises/fewer_parameters', 'verdict')
    own = layer_table(densenet(), 48)
    macs = {
        'ResNet-18': 94_348_288, '半宽的 ResNet-18': 24_039_936,
        '八分之三宽的 ResNet-18': 13_692_288, '四分之一宽的 ResNet-18': 6_236_416,
    }  # fmt: skip
    for trial, (title, accuracies) in zip(trials, values.items(), strict=True):
        (line,) = (row for row in table.splitlines() if row.startswith(f'| {title} |'))
        center, wobble = mean_and_sd([100 * a for a in accuracies], 2).split(' ± ')
        assert line.endswith(f'| {center}% ± {wobble}% |')
        if title == 'DenseNet':
            continue
        found = in_points(values['DenseNet'], accuracies)
        times = trial.parameters / own.parameters, macs[title] / own.macs
        cells = title, *(f'{one:.2f}' for one in times), found.gap(), found.text()
        assert f'| {" | ".join(cells)} |' in verdict


def test_exercise_5_is_told_as_recorded() -> None:
    values, told = networks_of_exercise_5(), prose_of('exercises/fewer_parameters')
    answers = (CHAPTERS / 'exercises.md').read_text(encoding='utf-8')
    whole, half, middle, quarter = (
        in_points(values['DenseNet'], one) for one in list(values.values())[:-1]
    )
    assert [one.clear for one in (whole, half, middle, quarter)] == [False, True, True, True]
    assert f'高 {quarter.mean:.2f} 个百分点；比八分之三宽、半宽的高' in told
    assert f'高 {middle.mean:.2f} 与 {half.mean:.2f} 个' in told
    assert f'高 {whole.mean:.2f} 个百分点，区间 {whole.text()} 含 0' in answers
    assert f'准确率低 {half.mean:.2f} 个百分点，区间 {half.text()}；' in answers
    assert f'低 {quarter.mean:.2f} 个，区间 {quarter.text()}。' in answers
    assert f'测试准确率却低 {half.mean:.2f} 个百分点' in prose_of('densenet')
    short = load_records()
    gap = in_points(short['densenet'].accuracies, short['resnet18'].accuracies).mean
    assert f'那里 DenseNet 比 ResNet-18 低 {-gap:.2f} 个百分点' in told
    assert f'这里 10 轮，高 {whole.mean:.2f} 个，区间含 0' in told
    narrower = in_points(values['ResNet-18'], values['半宽的 ResNet-18'])
    said = f'低 {narrower.mean:.2f} 个百分点，区间 {narrower.text()}，在这份预算里'
    assert f'ResNet-18 自己缩到半宽，测试准确率{said}' in told
    losses, accuracies = (
        [
            mean(getattr(run, which)[-1] - getattr(run, which)[-2] for run in one.history.runs)
            for one in trials_of_exercise_5()
        ]
        for which in ('train_loss', 'test_accuracy')
    )
    assert f'至多变 {100 * max(map(abs, accuracies)):.2f} 个百分点。' in told
    assert f'还都降了 {-max(losses):.3f} 到 {-min(losses):.3f}' in told


def prose_of(page: str) -> str:
    """一页的全部文字单元。"""
    cells = nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells
    return '\n'.join(cell.source for cell in cells if cell.cell_type == 'markdown')


def test_saturation_told_in_words_is_the_one_measured() -> None:
    """AlexNet 一章说初始值放大几倍时饱和的单元占多少：取自实验里存下的表。"""
    table = printed_by('experiments/activation', 'saturation')
    told = prose_of('alexnet')
    for factor in (2, 4, 8):
        (share,) = re.findall(rf'\| He × {factor} \| [\d.]+ \| ([\d.]+%) \|', table)
        assert re.search(rf'{factor} 倍时(?: |，饱和的单元占 ){share}', told)


def test_directions_and_noise_told_in_words_are_those_printed() -> None:
    """AlexNet 一章：小块的方向数，与没有梯度的权重还剩几成。"""
    text, told = (
        '\n'.join(text for _, text in printed_text('alexnet')),
        prose_of('alexnet'),
    )
    found = dict(re.findall(r'(\d+) 像素：121 个方向里的 (\d+) 个', text))
    original, small, large = (found[size] for size in ('28', '63', '224'))
    assert f'原图要 {original} 个方向；放大到 63 像素，{small} 个就够' in told
    assert f'放大到 224 像素，只要 {large} 个' in told
    left = [int(n) for n in re.findall(r'权重衰减 [\d.]+：剩 (\d+)%', text)]
    assert left[0] > 95 and left[-1] == 30  # 「几乎原样留着」「只剩三成」


def test_what_was_erased_is_told_as_printed() -> None:
    """DenseNet 一章：抹去各组之后准确率降了多少个百分点，由回归代替之后回到多少。"""
    told = prose_of('densenet')
    text = printed_by('densenet', 'compare') + printed_by('densenet', 'regress')
    kept, *changed = [float(x) for x in re.findall(r'：(0\.\d+)', text)]
    erased, regressed = [100 * (kept - x) for x in changed[:6]], changed[6:]
    assert len(regressed) == 6 and max(erased) == erased[-1]
    assert f'只降 {min(erased):.1f} 到 {max(erased):.1f} 个百分点' in told
    assert f'输入的两半各降 {erased[0]:.1f} 与 {erased[1]:.1f} 个' in told
    assert f'恢复到 {min(regressed)} 以上，与不动时的 {kept} 相差不到 0.3 个' in told
    assert 100 * (kept - min(regressed)) < 0.3


def test_curves_are_told_as_recorded() -> None:
    """曲线之后的话：损失的两端，最后一轮的两种准确率。"""
    for chapter in ('alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet'):
        (run,) = load_history(record_names(chapter)[0]).runs
        told = prose_of(chapter)
        assert f'训练损失从 {run.train_loss[0]:.3f} 降到 {run.train_loss[-1]:.3f}' in told
        assert f'{run.test_accuracy[-1]:.3f}；训练准确率是 {run.train_accuracy[-1]:.3f}' in (
            told.replace('，训练准确率是', '；训练准确率是')
        )


def test_shares_told_after_the_bars_are_counted() -> None:
    """GoogLeNet 的线路 2、ResNet 的第四个模块、DenseNet 的第一个稠密块占几成。"""
    rows = cost_of('inception').parts.rows
    for what in ('parameters', 'macs'):
        line = getattr(rows[1], what) / sum(getattr(row, what) for row in rows)
        assert f'{100 * line:.0f}' == '79'
    assert '线路 2 占了参数的 79%，乘加次数也占 79%' in prose_of('googlenet')
    table = layer_table(resnet18(), 96)
    share = 100 * table.rows[4].parameters / table.parameters
    assert f'第四个模块占参数的 {share:.0f}%' in prose_of('resnet')
    table = layer_table(densenet(), 96)
    share = 100 * table.rows[1].macs / table.macs
    assert f'{share:.0f}% 的乘加次数都在那里' in prose_of('densenet')


def test_residuals_are_told_as_printed() -> None:
    """ResNet 一章的柱子，以及它引用的两个实验里的数。"""
    told = prose_of('resnet')
    ratios = re.findall(r'= ([\d.]+) ±', printed_by('resnet', 'compare'))
    assert len(ratios) == 8
    assert f'柱子都在 {min(ratios)} 到 {max(ratios)} 之间' in told
    for kind, said in (('residual', '有捷径的训练准确率是'), ('plain', '没有的是')):
        accuracy = mean(load_trial(f'{kind}-56').train_accuracy)
        assert f'{said} {accuracy:.1%}'.replace('100.0%', '100%') in told
    last = printed_by('experiments/degradation', 'kept').splitlines()[-1]
    plain, residual = (float(cell.split()[0]) for cell in last.split('|')[2:4])
    left = f'还能还原入口的 {residual:.0%}（平均到 4×4，按方差算）'
    assert f'{left}，没有捷径的只有 {plain:.0%}' in told
    gains = [
        100 * (mean(load_trial(f'twenty-{more}').train_accuracy)
               - mean(load_trial(f'twenty-{less}').train_accuracy))
        for more, less in (('normalized', 'neither'), ('both', 'shortcut'))
    ]  # fmt: skip
    assert f'高 {gains[0]:.2f} 个百分点，有捷径时只高 {gains[1]:.2f} 个' in told


@pytest.mark.parametrize('chapter', list(NETWORKS))
def test_what_is_seen_inside_is_told_as_printed(chapter: str) -> None:
    """随书附带的网络：卷积核的粗糙程度，遮挡前后的概率，类激活图的得分。"""
    told = prose_of(chapter)
    before, after = re.findall(r'：([\d.]+)', printed_by(chapter, 'roughness'))
    assert f'训练之前是 {before}，' in told and f'训练之后是 {after}。' in told
    right, wrong = printed_by(chapter, 'occlusions').strip().splitlines()
    whole, lowest, _ = re.findall(r' ([\d.]+)', right)
    assert f'概率从 {whole} 降到 {lowest}；' in told
    true, answer = re.match('(.+?)，答(.+?)：', wrong).groups()
    whole, lowest, highest = re.findall(r' ([\d.]+)', wrong)
    assert f'网络答成了{answer}，{true}的概率只有 {whole}。' in told
    assert re.search(f'降到 {lowest}[；。]', told)
    assert re.search(f'概率反而升到 {highest}[：，。]', told)
    if f'fig-{chapter}-activation' in told:
        _, answered, kept = re.findall(r'[\d.]+', printed_by(chapter, 'activations'))
        assert f'{answer}得 {answered} 分，{true}得 {kept} 分' in told
        (gap,) = re.findall(f'{true}得 {kept} 分，相差不到 ([\\d.]+)', told)
        assert float(gap) - 0.1 <= float(answered) - float(kept) < float(gap)


def test_kernels_of_vgg_are_told_as_printed() -> None:
    """3×3 的核减去平均，剩下的还是初始的噪声；随书的权重压缩前后的准确率。"""
    told, printed = prose_of('vgg'), printed_by('vgg', 'roughness')
    (lowest,) = re.findall(r'相关系数从 ([\d.]+) 到', printed)
    (shrunk,) = re.findall(r'缩到 1/(\d+)', printed)
    assert f'相关系数最低的也有 {lowest}：' in told and f'缩到约 1/{shrunk}' in told
    for chapter, network in (('vgg', 'vgg11'), ('alexnet', 'alexnet')):
        facts = weight_facts(network)
        changed = f'从 {facts.accuracy_before:.4f} 变成 {facts.accuracy_after:.4f}。'
        assert f'测试准确率因此{changed}' in prose_of(chapter)


def test_noise_left_in_alexnet_is_computed() -> None:
    """没有梯度的权重，照 full 档的配方训练之后还剩几成；最后一轮准确率升了多少。"""
    recipe = RECIPES['full']
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    layer.weight.grad = torch.zeros(1, 1)
    optimizer = make_optimizer(layer, recipe, torch.device('cpu'))
    schedule = make_schedule(optimizer, recipe, 468)
    for _ in range(recipe.epochs * 468):
        optimizer.step()
        schedule.step()
    told, (run,) = prose_of('alexnet'), load_history('full/alexnet').runs
    assert f'初始的噪声只剩 {layer.weight.item():.0%}' in told
    assert f'权重衰减取 {recipe.weight_decay}，训练 {recipe.epochs} 轮' in told
    last = 100 * (run.test_accuracy[-1] - run.test_accuracy[-2])
    assert f'最后一轮测试准确率还升了 {last:.1f} 个百分点' in told


def test_channels_of_resnet_are_told_as_computed() -> None:
    """哪些通道变化最大，以及模块 1 有几个与入口同号，照随书附带的权重再算一遍。"""
    net, data = load('resnet18'), load_dataset()
    with capture(net, 'stem', 'stages.0', 'stages.2') as maps, torch.no_grad():
        net(prepare(data.test.images[:1], 96, data))
    stem, first, third = (most_active(values) for values in maps.values())
    told = prose_of('resnet')
    shared = [channel for channel in first if channel in stem]
    assert len(shared) == 6
    assert f'同一个编号：{"、".join(f"#{channel}" for channel in shared)}。' in told
    assert all(re.search(rf'#{channel}(?!\d)', told) for channel in third[:4])


def test_where_the_boot_must_not_be_covered_is_told_as_computed() -> None:
    """最红的一格、往下两格（4 个像素）与鞋跟前面的拐角；灰块盖在黑背景上的比例。"""
    data, told = load_dataset(), prose_of('densenet')
    boot = data.test.images[:1]
    values = occlusion_map(load('densenet'), boot, data, 96, 9).values
    row, column = divmod(int(values.argmin()), values.shape[1])
    assert f'降到 {values[row, column]:.2f}' in told
    below = f'{values[row + 2, column]:.2f}'
    assert f'往下移 4 个像素，盖住的鞋更多，灰块下面两行伸到鞋底以下，概率却还是 {below}。' in told
    assert f'往下移 4 个像素，盖住的鞋更多，概率还是 {below}；' in told
    assert f'降到 {values[10, 8]:.2f}；盖住靴筒几乎没有影响' in told
    covered, lower = (
        boot[0, 0, 2 * at - 3 : 2 * at + 4, 2 * column - 3 : 2 * column + 4] < 5
        for at in (row, row + 2)
    )  # 看上去是黑的
    assert covered.shape == (7, 7) and '灰块有四成多在黑背景上' in told
    assert 0.4 < covered.float().mean() < 0.5
    assert lower[-2:].all() and not lower[:-2].any()  # 上面五行全是鞋
    values = occlusion_map(load('googlenet'), boot, data, 96, 9).values.flatten().sort().values
    assert f'盖住别处，影响小得多，最多降到 {values[1]:.2f}。' in prose_of('googlenet')


def test_what_resnet_sees_before_the_heel_is_told_as_computed() -> None:
    """最红的一格左右各一格（2 个像素）；盖不到鞋、套头衫的格子；蓝的一格。"""
    data, told = load_dataset(), prose_of('resnet')
    net, images = load('resnet18'), data.test.images
    boot = occlusion_map(net, images[:1], data, 96, 9).values
    assert divmod(int(boot.argmin()), boot.shape[1]) == (10, 8)  # 第 17～23 行，第 13～19 列
    left, least, right = boot[10, 7:10].tolist()
    assert f'降到 {least:.2f}；那正是上面三个通道看的地方。' in told
    assert f'往右移 2 个像素是 {right:.2f}，往左移 2 个像素' in told
    assert f'概率就是 {left:.2f}。' in told
    apart = min(boot[row, column].item() for row, column in ((6, 2), (6, 3), (4, 3)))
    assert images[0, 0, 5:16, 1:10].max() < 5  # 三格的灰块都在这里，看上去是黑的
    assert f'概率却最低降到 {apart:.2f}' in told
    jumper = occlusion_map(net, images[49:50], data, 96, 2)
    least, most = jumper.values.min(), jumper.values.max()
    assert f'套头衫的概率只有 {jumper.probability:.2f}' in told
    assert f'最低降到 {least:.2f}' in told and f'概率反而升到 {most:.2f}' in told
    assert not images[49, 0, :, :4].any() and jumper.values[11:, 0].max() < 0.12


def test_weak_kernels_of_densenet_are_told_as_computed() -> None:
    net = load('densenet')
    size = net.stem[0][0].weight.abs().amax(dim=(1, 2, 3))
    scale = net.stem[0][1].weight.abs()
    weak = int((scale[size.argsort()[:15]] < scale.median()).sum())
    assert f'最白的 15 个里，{weak} 个在批量归一化之后仍然很弱' in prose_of('densenet')
    assert f'另外 {15 - weak} 个的系数不小于中位数' in prose_of('densenet')


def test_weak_kernels_of_resnet_are_told_as_computed() -> None:
    net = load('resnet18')
    size = net.stem[0][0].weight.abs().amax(dim=(1, 2, 3))
    scale = net.stem[0][1].weight.abs()
    weak = int((scale[size.argsort()[:20]] < scale.median() / 2).sum())
    told = f'最白的 20 个里，{weak} 个后面的 $\\gamma$ 不到中位数的一半'
    assert told in prose_of('resnet')


def test_how_far_back_the_dense_blocks_read_is_told_as_computed() -> None:
    """「输入」一格比最近来源一格：卷积 2 到卷积 4，最后是「之后」一列。"""
    net, told = load('densenet'), prose_of('densenet')
    ratios = []
    for number, after in enumerate([*(net.stages[i][2] for i in (1, 3, 5)), net.head[-1]]):
        convs = [conv[2] for conv in net.stages[2 * number].convs]
        size = convs[0].in_channels
        weights = [layer.weight.detach().abs() for layer in (*convs, after)]
        read = [weight.transpose(0, 1).flatten(1).mean(1) for weight in weights]
        ratios.append([float(one[:size].mean() / one[-32:].mean()) for one in read[1:]])
    first, *middle, last = ratios
    assert min(map(min, (one[:3] for one in middle))) >= 0.65 and max(map(max, middle)) < 0.95
    for number, (far, _, near, after) in ((1, first), (4, last)):
        assert f'块 {number} 从 {far:.1f} 降到 {near:.1f}' in told
        back = '回到' if number == 1 else '只剩'
        assert f'块 {number} {back} {after:.1f}' in told


def test_where_the_two_accuracies_part_is_told_as_recorded() -> None:
    """一轮里训练准确率减测试准确率，百分点。"""
    def leads(network: str) -> list[float]:
        run = load_history(f'full/{network}').runs[0]
        pairs = zip(run.train_accuracy, run.test_accuracy, strict=True)
        return [100 * (trained - tested) for trained, tested in pairs]

    nin = leads('nin')
    assert [n for n, lead in enumerate(nin, start=1) if lead < -0.2] == [1, 2, 3, 4, 6, 7]
    assert [n for n, lead in enumerate(nin, start=1) if abs(lead) < 0.2] == [10]
    told = '头四轮与第六、七轮低于测试准确率，其余各轮高于它，只有第十轮两者几乎重合'
    assert told in prose_of('nin')
    resnet = leads('resnet18')
    assert min(resnet[2:]) > 0 > resnet[1]
    assert f'训练的一条从第三轮起一直在上，末尾高 {resnet[-1]:.1f} 个' in prose_of('resnet')


def test_nin_trained_on_smaller_images_is_told_as_recorded() -> None:
    laptop, full = laptop_record('nin'), load_history('full/nin')
    side, epochs = laptop.recipe['image_size'], laptop.recipe['epochs']
    assert (epochs, full.epochs - epochs) == (10, 6)
    assert f'{full.test_accuracy:.3f}' == f'{laptop.test_accuracy:.3f}'
    told = f'`laptop` 档用 {side} 像素、十轮，测试准确率也是 {laptop.test_accuracy:.3f}'
    assert told in prose_of('nin')


def test_hours_of_an_idle_machine_are_those_of_the_fastest_epoch() -> None:
    """录制时机器忙的两章：空闲时要多久，照最快的一轮算。"""
    for chapter, network, words, low, high in (
        ('alexnet', 'alexnet', '空闲时约一个半小时（录制时机器忙，用了', 1.4, 1.65),
        ('googlenet', 'googlenet', '空闲时近两小时（录制时机器忙，用了', 1.75, 2.0),
    ):
        (run,) = load_history(f'full/{network}').runs
        assert f'{words} {run.seconds / 60:.0f} 分钟）' in prose_of(chapter)
        assert low < min(run.epoch_seconds) * len(run.epoch_seconds) / 3600 < high


def test_shares_of_the_dense_blocks_are_recomputed() -> None:
    """练习 6、7：稠密块占多少乘加；参数与乘加各在前两块、后两块占几成。"""
    rows = {row.name: row for row in layer_table(densenet(), 96).rows}
    total = sum(row.macs for row in rows.values())
    blocks = 100 * sum(rows[f'stages.{at}'].macs for at in (0, 2, 4, 6)) / total
    assert f'重算的只有稠密块，占乘加的 {blocks:.0f}%' in prose_of('exercises/memory')
    assert f'约慢 {blocks / 3:.0f}%' in prose_of('exercises/memory')
    first, last = [], []
    for name in ('121', '169', '201', '161'):
        with torch.device('meta'):
            net = paper_densenet(f'densenet{name}', 3, 1000)
        table = layer_table(net, 224, 3)
        stages = [row for row in table.rows if row.name.startswith('stages')]
        first.append(100 * sum(row.macs for row in stages[:4]) / table.macs)
        last.append(100 * sum(row.parameters for row in stages[4:]) / table.parameters)
    told = prose_of('exercises/densenet_table')
    assert f'乘加次数有 {min(first):.0f}% 到 {max(first):.0f}% 在前两个稠密块' in told
    assert min(last) > 65 and max(last) < 85 and '参数的七到八成在后两个稠密块' in told


LINES_OF_3A = {'1×1': 0, '3×3': 64, '5×5': 192, '池化': 224}  # 各从哪个通道开始


def test_lines_of_googlenet_are_told_as_computed() -> None:
    """3a 变化最大的通道各来自哪条线路；四条线路对各类的偏好，照随书附带的权重再算。"""
    net, data = load('googlenet'), load_dataset()
    shown = data.test.first(1000)
    with capture(net, 'stages.1.0.0') as maps, torch.no_grad():
        net(prepare(shown.images, 96, data))
    (found,) = maps.values()
    told = prose_of('googlenet')
    ends = [*list(LINES_OF_3A.values())[1:], 256]
    lines = dict(zip(LINES_OF_3A, zip(LINES_OF_3A.values(), ends, strict=True), strict=True))
    for title, (start, end) in lines.items():
        own = [one for one in most_active(found[:1]) if start <= one < end]
        words = f'{"、".join(f"#{one}" for one in own)} 来自 {title}'.replace(' 池', '池')
        words = words if own else f'{title} 的一个也没有'
        assert re.search(rf'(?<![\d、]){words}', told)
    spread = {}
    for title, (start, end) in lines.items():
        by_image = found[:, start:end].mean(dim=(1, 2, 3))
        by_class = torch.stack([by_image[shown.labels == k].mean() for k in range(10)])
        spread[title] = 100 * (by_class / by_image.mean() - 1)
    shirt, trousers, sandal, sneaker = map(
        data.class_names.index, ('衬衫', '裤子', '凉鞋', '运动鞋')
    )
    pooled = spread['池化']
    assert (pooled.argmin(), pooled.argmax()) == (shirt, trousers)
    low, high = round(float(pooled[shirt])), round(float(pooled[trousers]))
    assert f'从衬衫的约 −{-low}% 到裤子的约 +{high}%' in told
    assert spread['1×1'].abs().max() < 10 and '1×1 线路的变化最小，都在 ±10% 以内' in told
    by_class = torch.stack([*spread.values()])
    assert (by_class.max(dim=0).values - by_class.min(dim=0).values).argmax() == trousers
    assert '个百分点，是十类里最大的' in told
    widths = {title: float(one.max() - one.min()) for title, one in spread.items()}
    assert (min(widths, key=widths.get), max(widths, key=widths.get)) == ('1×1', '池化')
    high, low = (float(spread[one][trousers]) for one in ('池化', '1×1'))
    assert f'池化线路高约 {high:.0f}%，1×1 线路低约 {-low:.0f}%，相差 {high - low:.0f} 个' in told
    high, low = (round(float(spread[one][sneaker])) for one in ('池化', '5×5'))
    assert f'池化线路高约 {high}%，5×5 线路低约 {-low}%' in told
    assert all(one[sandal] > 0 for one in spread.values())


def test_untrained_lines_of_googlenet_lean_to_one_side() -> None:
    """分工要与没有训练的网络比：那里四条线路对凉鞋、对运动鞋都低于自己的平均。"""
    data = load_dataset()
    shown = data.test.first(200)
    X = prepare(shown.images, 96, data)
    told = prose_of('googlenet')
    assert '（种子 0、1、2），四条线路对凉鞋、对运动鞋都朝左' in told
    widest: dict[float, str] = {}
    mixed: dict[float, str] = {}  # 一条朝右、一条朝左的类
    for seed in (0, 1, 2):
        torch.manual_seed(seed)
        net = googlenet().eval()
        with capture(net, 'stages.1.0.0') as maps, torch.no_grad():
            net.stages[:2](net.stem(X))
        (found,) = maps.values()
        by_image = torch.stack([
            found[:, start:end].mean(dim=(1, 2, 3))
            for start, end in pairwise([*LINES_OF_3A.values(), 256])
        ])  # fmt: skip
        by_image = 100 * (by_image / by_image.mean(dim=1, keepdim=True) - 1)
        for label, name in enumerate(data.class_names):
            lines = by_image[:, shown.labels == label].mean(dim=1)
            apart = float(lines.max() - lines.min())
            widest[apart] = name
            if lines.min() < 0 < lines.max():
                mixed[apart] = name
            assert name not in ('凉鞋', '运动鞋') or (lines < 0).all(), (seed, name)
    most, name = max(mixed.items())
    assert f'朝两边的类至多相差 {most:.0f} 个百分点（{name}）' in told
    most, name = max(widest.items())
    assert f'不论朝向，最大的差是 {most:.0f} 个（{name}，四条都朝左）' in told


def test_curve_of_googlenet_is_told_as_recorded() -> None:
    """从第八轮起训练的一条一直在上；测试的一条从第九轮起每轮都升。"""
    (run,), told = load_history('full/googlenet').runs, prose_of('googlenet')
    ahead = [a > b for a, b in zip(run.train_accuracy, run.test_accuracy, strict=True)]
    assert all(ahead[7:]) and not ahead[6] and '从第八轮起训练的一条一直在上' in told
    assert f'末尾高 {run.train_accuracy[-1] - run.test_accuracy[-1]:.3f}（' in told
    rises = [after - before for before, after in pairwise(run.test_accuracy)]
    assert all(one > 0 for one in rises[7:]) and not all(one > 0 for one in rises[6:])
    assert f'最后一轮只升了 {100 * rises[-1]:.2f} 个百分点' in told


def test_exciting_images_of_googlenet_are_told_as_computed() -> None:
    """4a 变化最大的四个通道，各最能激起它的八张：类别、位置与重复。"""
    net, data = load('googlenet'), load_dataset()
    with capture(net, 'stages.2.0.0') as maps, torch.no_grad():
        net(prepare(data.test.images[:1], 96, data))
    first, *others = most_active(*maps.values())[:4]
    found = responses(net, data, 96, 'stages.2.0.0', 1000)
    top = {channel: found.top(channel) for channel in (first, *others)}
    kinds = {
        c: {data.class_names[data.test.labels[i]] for i in one.indices} for c, one in top.items()
    }
    sandals, *same = others
    told = prose_of('googlenet')
    assert [kinds[c] for c in (first, sandals, *same)] == [{'短靴'}, {'凉鞋'}, {'短靴'}, {'短靴'}]
    assert f'#{first} 一组全是短靴' in told and f'#{sandals} 一组全是凉鞋，七张的' in told
    assert f'#{same[0]} 和 #{same[1]} 两组也全是短靴，十六张里有十五张的' in told
    assert sum(place[1] > 0.7 and place[0] > 0.5 for place in top[sandals].places) == 7
    places = [tuple(place.tolist()) for c in same for place in top[c].places]
    assert places.count(places[0]) == 15
    shared = set(top[same[0]].indices.tolist()) & set(top[same[1]].indices.tolist())
    assert len(shared) == 4 and '八张里有四张相同' in told


def test_other_pages_quoted_by_densenet_and_googlenet() -> None:
    told = prose_of('densenet')
    gap, _ = told_gap('densenet-concatenate', 'densenet-add-parameters', 'test_accuracy')
    assert f'测试准确率却只差 {gap} 个百分点' in told
    loss = compare(load_trial('inception-bn'), load_trial('inception-original'), 'train_loss')
    gap, _ = told_gap('inception-bn', 'inception-original', 'test_accuracy')
    known = f'训练损失低 {-loss.mean:.3f}，测试准确率却低 {gap} 个百分点；另两步的测试准确率'
    assert known in prose_of('googlenet')


def told_gap(first: str, second: str, measure: str) -> tuple[str, str]:
    """``first`` 减 ``second``：不带符号的差别与 95% 区间，百分点，照正文的写法。"""
    found = in_points(*(load_trial(name).measure(measure) for name in (first, second)))
    return f'{abs(found.mean):.2f}', found.text()


def test_degradation_is_told_as_recorded() -> None:
    told = prose_of('experiments/degradation')
    deep, *others = (load_trial(f'plain-{n}').train_accuracy for n in (56, 20, 8))
    assert len(deep) == 5 and all(set(one) == {1.0} for one in others)
    assert set(load_trial('residual-56').train_accuracy) == {1.0}
    for other in ('plain-20', 'residual-56'):
        gap, ends = told_gap('plain-56', other, 'train_accuracy')
        assert f'{gap} 个百分点，区间 {ends}' in told
    assert f'最好的是 {max(deep):.0%}' in told
    assert f'最好的也只有 {max(deep):.0%}' in prose_of('resnet')
    low, high = (100 * (1 - one) for one in (max(deep), min(deep)))
    assert f'散在 {low:.0f}% 到 {high:.0f}% 之间' in told
    errors = [100 - 100 * mean(load_trial(f'plain-{n}').train_accuracy) for n in (8, 20, 56)]
    assert f'训练误差是 {"、".join(f"{one:.1f}%" for one in errors)}' in told
    tests = [
        100 * mean(load_trial(f'{kind}-{n}').measure('test_accuracy'))
        for kind in ('plain', 'residual') for n in (8, 20, 56)
    ]
    low, *_, high = sorted(set(tests) - {tests[2]})
    assert f'测试准确率是 {tests[2]:.1f}%，其余五种在 {low:.1f}% 到 {high:.1f}% 之间' in told
    assert f'从 {tests[3]:.2f}% 到 {tests[5]:.2f}%' in told


def test_comparisons_told_in_words_are_those_of_the_records() -> None:
    told = prose_of('experiments/add_or_concatenate')
    for other in ('parameters', 'macs'):
        gap, ends = told_gap('densenet-concatenate', f'densenet-add-{other}', 'test_accuracy')
        assert f'差 {gap} 个百分点，区间 {ends}' in told and ends.startswith('[−')
        found = compare(
            *(load_trial(f'densenet-{one}') for one in ('concatenate', f'add-{other}')),
            'train_loss',
        )
        assert f'时低 {-found.mean:.3f}，区间 {found.text(3)}' in told and found.clear
    pairs = [
        (load_trial(f'alexnet-relu-{relu}'), load_trial(f'alexnet-sigmoid-{sigmoid}'))
        for relu, sigmoid in (('he', 'he'), ('xavier', 'xavier'), ('xavier', 'faster'))
    ]
    losses = [compare(*pair, 'train_loss') for pair in pairs]
    ends = sorted(-found.mean for found in losses)
    assert f'低 {ends[0]:.2f} 到 {ends[-1]:.2f}' in prose_of('alexnet')
    assert all(found.high < -0.15 for found in losses)  # 「离 0 都很远」
    gains = [compare(*pair, 'test_accuracy') for pair in pairs]
    told = prose_of('experiments/activation')
    low, gain = [-one.mean for one in losses], [100 * one.mean for one in gains]
    assert f'训练损失低 {low[0]:.2f} 与 {low[1]:.2f}，' in told
    assert f'测试准确率高 {gain[0]:.2f} 与 {gain[1]:.2f} 个百分点' in told
    assert f'差别还有 {low[2]:.2f} 与 {gain[2]:.2f} 个百分点' in told
    speeds = [trial.history.images_per_second for pair in pairs for trial in pair]
    assert f'每秒 {min(speeds):,.0f} 到 {max(speeds):,.0f} 张之间' in told
    assert max(speeds) < 1.1 * min(speeds)  # 「相差不到一成」
    assert speeds.index(max(speeds)) in (3, 5)  # sigmoid
    assert all(one.clear and one.mean > 0 for one in gains)
    (lower,) = re.findall(
        r'\| AlexNet \| NiN[^|]* \| ([\d.]+) \|',
        dict(printed_text('summary'))['differences'],
    )
    ends = in_points(*(load_records()[name].accuracies for name in ('alexnet', 'nin'))).text()
    told = f'比 AlexNet 低 {float(lower):.1f} 个百分点，只比这一对时区间是 {ends}，'
    assert told in prose_of('nin')


def test_what_a_cell_of_nins_class_map_sees() -> None:
    """类别图的一格看到多大一片，相邻两格相距多少：逐层数窗口与步幅。"""
    seen = spacing = 1
    for layer in nin().modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            window, stride = (torch.tensor(n).max().item()
                              for n in (layer.kernel_size, layer.stride))  # fmt: skip
            seen, spacing = seen + (window - 1) * spacing, spacing * stride
    told = prose_of('nin')
    assert f'能看到输入上 ${seen}\\times {seen}$ 的范围' in told
    assert f'相邻两格的中心在输入上相距 {spacing} 像素' in told


def test_exercises_told_in_words_are_those_of_the_records() -> None:
    """练习 2、3、5 的讨论：差别与区间。"""
    told = prose_of('exercises/nin_without_1x1')
    for first, second in (('one', 'two'), ('linear', 'two'), ('linear', 'one')):
        gap, ends = told_gap(f'nin-{first}', f'nin-{second}', 'test_accuracy')
        assert re.search(rf'[高差] {gap} 个(百分点)?，区间 {re.escape(ends)}', told)
    told = prose_of('exercises/inception_successors')
    names = ('original', 'bn', 'factorized', 'residual')
    trials = {name: load_trial(f'inception-{name}') for name in names}
    gap = in_points(*(trials[name].measure('test_accuracy') for name in ('bn', 'original')))
    starts = [
        mean(run.test_accuracy[0] for run in trials[name].history.runs)
        for name in ('bn', 'original')
    ]
    start = 100 * (starts[1] - starts[0])
    assert f'比「＋批量归一化」高 {start:.1f} 个百分点，到第四轮' in told
    assert f'测试准确率低 {-gap.mean:.2f} 个百分点，区间 {gap.text()} 不含 0' in told
    curves = {
        name: [mean(losses) for losses in zip(*(r.train_loss for r in t.history.runs), strict=True)]
        for name, t in trials.items()
    }
    ranks = [sorted(names, key=lambda name: curves[name][at]) for at in range(20)]
    assert [rank[0] for rank in ranks] == 3 * ['original'] + 17 * ['bn']
    assert [rank[-1] for rank in ranks[7:]] == 13 * ['original']
    losses = [compare(trials[b], trials[a], 'train_loss') for a, b in pairwise(names)]
    assert f'训练损失低 {-losses[0].mean:.3f}，区间 {losses[0].text(3)}' in told
    assert f'训练损失高 {losses[1].mean:.3f}，区间 {losses[1].text(3)}' in told
    assert f'末尾的训练损失只低 {-losses[2].mean:.3f}，区间含 0' in told
    assert [one.clear for one in losses] == [True, True, False]
    changes = printed_by('exercises/inception_successors', 'flat')
    numbers = re.findall(r'\| [−+](\d\.\d{3}) \| [−+](\d\.\d\d) \|', changes)
    most = [max(map(float, column)) for column in zip(*numbers, strict=True)]
    assert f'训练损失至多变 {most[0]:.3f}，测试准确率至多变 {most[1]:.2f} 个' in told


def test_what_was_seen_is_told_as_printed() -> None:
    """看图之后说的话，与同一页存下的输出相符。"""
    numerals = '零一二三四五六七八九'
    text, told = printed_by('nin', 'compare'), prose_of('nin')
    (right,) = re.findall(r'九件里有 (\d) 件', text)
    assert f'九件里有{numerals[int(right)]}件，自己的框里' in told
    pairs = re.findall(r'^(\S+)：框内得分最高的是 (\S+)$', text, re.MULTILINE)
    assert len(pairs) == 9
    for real, said in pairs:
        if real != said:
            assert f'{real}，它被认作{said}' in told
    sizes = re.findall(
        r'^块 .*理论边长 (\d+)，实测 (\d+)', printed_by('vgg', 'compare'), re.M
    )
    assert len(sizes) == 6 and all(expected == found for expected, found in sizes)
    assert '六个位置的实测都正好等于理论值' in prose_of('vgg')
    (most,) = re.findall(
        r'块 3 第 2 个卷积：.*九成的梯度在 (\d+) 个', printed_by('vgg', 'compare')
    )
    assert f'看到 {26**2} 个像素，九成的梯度在其中 {most} 个里' in prose_of('vgg')
    (most,) = re.findall(r'块 5：.*九成的梯度在 (\d+) 个', printed_by('vgg', 'compare'))
    assert f'块 5 看到 {150**2} 个，九成的梯度在其中 {most} 个里' in prose_of('vgg')
    shares = [
        int(n) for n in re.findall(r'0 占 (\d+)%', printed_by('alexnet', 'compare'))
    ]
    assert min(shares[:-1]) > 50 and max(shares) == shares[4]
    told = f'除最后一层外都多于一半，第 5 层最多，有 {shares[4]}%'
    assert told in prose_of('alexnet')


def test_every_trial_printed_is_recorded() -> None:
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    printed = ''.join(
        printed_by('exercises/tuning', n) for n in ('search', 'finalists')
    )
    shown = re.findall(r'测试准确率 ([\d.]+)', printed)
    recorded = [f'{a:.3f}' for one in trials for a in one.validation_accuracy]
    assert shown == recorded
    assert len({one.budget for one in trials}) == 1


def test_tables_of_the_search_are_recomputed() -> None:
    """练习 1 里没有逐字比较的两张表：各取值的平均，前三格与章里的设置，各种子的平均。"""
    trials = load_attempts(RESULTS / 'exercises' / 'tuning.json')
    first = [one for one in trials if one.recipe['seeds'] == [0]]
    table = printed_by('exercises/tuning', 'effect')
    for name in ('lr', 'weight_decay', 'flip'):
        words = {False: '不做', True: '做'} if name == 'flip' else {}
        means = effect(first, name)
        shown = '，'.join(f'{words.get(v, v)} → {a:.1%}' for v, a in means.items())
        gap = 100 * (max(means.values()) - min(means.values()))
        assert f'| {shown} | {gap:.1f} |' in table
    best = sorted(first, key=lambda one: one.accuracy, reverse=True)[:3]
    best += [  # 写在预算里的设置，列在最后
        one
        for one in first
        if (one.recipe['lr'], one.recipe['weight_decay'], one.recipe['flip']) == (3e-3, 0.01, True)
    ]
    lines = printed_by('exercises/tuning', 'results').splitlines()[2:]
    for one, line in zip(best, lines, strict=True):
        same = [o for o in trials if o.recipe | {'seeds': [0]} == one.recipe]
        center = mean_and_sd([100 * o.accuracy for o in same], 2).replace(' ', '% ', 1)
        assert line.endswith(f'| {one.accuracy:.2%} | {center}% |')


def test_first_losses_of_nin_are_recomputed() -> None:
    text = printed_by('exercises/nin_without_1x1', 'start')
    for name in ('nin-two', 'nin-one', 'nin-linear'):
        trial = load_trial(name)
        losses = [run.train_loss[0] for run in trial.history.runs]
        assert f'{trial.label}：第一轮 {mean_and_sd(losses, 3)}\n' in text


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


def maps_smaller_than_kernels(net: nn.Module, size: int) -> list[str]:
    """输入的图比卷积核还小的各层，输入边长 ``size``。"""
    found = []

    def look(layer: nn.Conv2d, inputs: tuple[torch.Tensor], output: object) -> None:
        if inputs[0].shape[-1] < layer.kernel_size[0]:
            found.append(next(n for n, one in net.named_modules() if one is layer))

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(look)
    net.eval()(torch.empty(1, 1, size, size, device='meta'))
    return found


def test_networks_with_very_small_maps_are_those_named() -> None:
    """「性能」说哪几个网络有比核还小的图、各几层：由形状重新数出。"""
    found = {}
    for name, one in load_report(RESULTS / 'bench-cpu-bf16.json').comparisons.items():
        with torch.device('meta'):
            net = LINEUP[name].build(one.image_size)
        found[name] = maps_smaller_than_kernels(net, one.image_size)
    assert all(name.startswith('stages.3.') for name in found['resnet18'])
    assert all(name.startswith(('stages.2', 'stages.3')) for name in found['googlenet'])
    assert all(name.startswith('stages.6.') for name in found['densenet'])
    assert found['nin'] == ['head.1.0'] and not found['alexnet'] + found['vgg11']
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    for title, name in (
        ('ResNet-18 的最后一个模块', 'resnet18'),
        ('GoogLeNet 的第四、第五模块', 'googlenet'),
        ('DenseNet 的最后一个稠密块', 'densenet'),
        ('NiN 的最后一个块', 'nin'),
    ):
        assert f'{title}有 {len(found[name])} 层' in page
    assert 'AlexNet 与 VGG 一层也没有' in page


def faster(device: str, before: str, after: str) -> dict[str, float]:
    """梯子上后一行比前一行快百分之几，各网络一个。"""
    ladders = load_report(RESULTS / f'bench-cpu-{device}.json').comparisons
    return {
        name: 100 * (one.row(after).rate / one.row(before).rate - 1)
        for name, one in ladders.items()
    }


def test_the_sources_of_speed_are_told_as_measured() -> None:
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    for device, said in (('bf16', '六个网络快到'), ('fp32', '没有的 CPU 上，快到')):
        ladders = load_report(RESULTS / f'bench-cpu-{device}.json').comparisons
        times = [one.speedup(one.engine) for one in ladders.values()]
        assert f'{said} {min(times):.1f} 至 {max(times):.1f} 倍' in page
    loading = faster('bf16', 'd2l', 'device')
    ends = f'{min(loading.values()):.0f}% 到 {max(loading.values()):.0f}%'
    assert f'比第一次的 d2l 快 {ends}，DenseNet 得益最大' in page
    assert max(loading, key=loading.get) == 'densenet'
    assert f'六个网络的训练快 {ends}；' in prose_of('toolbox')
    computing = [
        100 * (median(one.row('d2l').step_seconds) / median(one.row('device').step_seconds) - 1)
        for one in load_report(RESULTS / 'bench-cpu-bf16.json').comparisons.values()
    ]
    assert f'各步的计算自己也快 {min(computing):.0f}% 到 {max(computing):.0f}%' in page
    narrow = faster('bf16', 'layout', 'bf16')
    half = [1 + one / 100 for one in narrow.values()]
    assert sum(narrow[name] > loading[name] for name in narrow) == 4
    assert f'上一行的 {min(half):.2f} 到 {max(half):.2f} 倍' in page
    for device, before, said in (('bf16', 'bf16', '因此'), ('fp32', 'layout', '')):
        gain = faster(device, before, 'small')['resnet18']
        assert f'ResNet-18 {said}快 {gain:.0f}%'.replace('  ', ' ') in page
    heap = faster('bf16', 'small', 'heap')
    told = f'因此快 {heap.pop("alexnet"):.0f}% 与 {heap.pop("vgg11"):.0f}%'
    assert told in page and max(map(abs, heap.values())) < 5
    assert max(map(abs, faster('bf16', 'heap', 'fused').values())) < 5


def test_what_compression_changes_is_told_as_measured() -> None:
    """「实验台」的表：大小、压缩前后的准确率、答案不变的比例。"""
    page = (CHAPTERS / 'lab.md').read_text(encoding='utf-8')
    for name, title in TITLES.items():
        facts, size = weight_facts(name), (WEIGHTS / f'{name}.safetensors').stat().st_size
        shares = facts.accuracy_before, facts.accuracy_after, facts.kept_on_test
        cells = f'{size / 1e6:.1f}', *(f'{one:.2%}' for one in shares)
        assert f'| {title} | {" | ".join(cells)} |' in page


def test_accuracies_are_compared_as_published() -> None:
    """「性能」的表下面几句话：与 d2l、与公开的较好结果、与 laptop 档。"""
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    lines = re.findall(r'^(\w+): ([\d.]+) ([\d.]+|—)$', page, re.MULTILINE)
    ours = {name: load_history(f'full/{name}').test_accuracy for name in LINEUP}
    assert {name for name, _, _ in lines} == set(ours)
    assert all(ours[name] > float(d2l) for name, d2l, _ in lines)
    better = {name: float(one) for name, _, one in lines if one != '—'}
    ahead = {name: 100 * (ours[name] - one) for name, one in better.items()}
    assert min(ahead['alexnet'], ahead['vgg11']) > 1
    assert f'高一个百分点以上，GoogLeNet 高 {ahead["googlenet"]:.1f} 个' in page
    told = f'ResNet-18 高 {ahead["resnet18"]:.1f} 个，DenseNet 低 {-ahead["densenet"]:.1f} 个'
    assert told in page
    small = [100 * laptop_record(name).test_accuracy for name in LINEUP]
    lower = {name: ours[name] - one / 100 for name, one in zip(LINEUP, small, strict=True)}
    assert abs(lower.pop('nin')) < 0.001 < min(lower.values())
    assert '五个网络的准确率低一些，NiN 的一样' in page
    assert f'六个网络从 {min(small):.2f}% 到 {max(small):.2f}%' in page
    sizes = {name: load_history(f'full/{name}').image_size for name in LINEUP}
    assert {sizes[name] for name in ('alexnet', 'vgg11', 'nin')} == {224}
    assert {sizes[name] for name in ('googlenet', 'resnet18', 'densenet')} == {96}


def test_minutes_told_in_words_are_those_recorded() -> None:
    """README 与「性能」正文里手写的完整训练的分钟数。"""
    times = [training_times(chapter)[0] for chapter in NETWORKS]
    assert {(one.profile, one.precision) for one in times} == {('laptop', 'bf16')}
    fast = [one.seconds / 60 for one in times]
    slow = [one.seconds_without_bf16 / 60 for one in times]
    readme = (CHAPTERS.parent / 'README.md').read_text(encoding='utf-8')
    page = (CHAPTERS / 'performance.md').read_text(encoding='utf-8')
    assert f'六章各用 {min(fast):.0f} 到 {max(fast):.0f} 分钟' in readme
    for text in (readme, page):
        assert f'要 {min(slow):.0f} 到 {max(slow):.0f} 分钟' in text
    assert '半小时以内来定' in page and max(fast) < 30


def test_regularisation_is_told_as_recorded() -> None:
    """正文里丢弃法与增广的差别，由各种子的准确率重算。"""
    told = prose_of('experiments/regularization')
    arms = {
        budget: {arm: load_trial(f'alexnet-{budget}-{arm}') for arm in ARMS.split()}
        for budget in REGULARIZED
    }

    def drop(budget: str, arm: str, measure: str) -> float:
        """「都没有」减 ``arm``，百分点。"""
        values = (arms[budget][name].measure(measure) for name in ('neither', arm))
        first, second = map(mean, values)
        return 100 * (first - second)

    assert f'低 {drop("short", "augmentation", "test_accuracy"):.2f} 个百分点' in told
    assert f'高 {-drop("small", "augmentation", "test_accuracy"):.2f} 个' in told
    def gained(budget: str, arm: str, measure: str) -> Interval:
        pair = (arms[budget][name].measure(measure) for name in ('neither', arm))
        return in_points(*pair)

    for budget in ('small', 'large'):
        ends = gained(budget, 'augmentation', 'test_accuracy')
        assert ends.clear and f'高 {-ends.mean:.2f} 个' in told
        for arm in ('dropout', 'pooled'):
            assert not gained(budget, arm, 'gap').clear
    gaps = {arm: gained('large', arm, 'gap') for arm in ARMS.split()[1:]}
    together = gaps['both'].mean - gaps['augmentation'].mean
    of_alexnet, of_nin, of_summary = map(prose_of, ('alexnet', 'nin', 'summary'))
    for page in (told, of_alexnet):
        assert f'小 {gaps["augmentation"].mean:.2f} 个百分点' in page
        assert f'小 {gaps["dropout"].mean:.2f} 个' in page and f'再小 {together:.2f} 个' in page
    for page in (told, of_nin, of_summary):
        assert f'小 {gaps["pooled"].mean:.2f} 个百分点，区间 {gaps["pooled"].text()}' in page
    rows = (CHAPTERS / 'experiments.md').read_text(encoding='utf-8')
    assert f'800 张时差小 {drop("small", "augmentation", "gap"):.2f} 个百分点' in rows
    assert f'10,000 张时小 {gaps["augmentation"].mean:.2f} 个' in rows
    assert f'再小 {together:.2f} 个百分点' in rows
    assert f'差小 {gaps["pooled"].mean:.2f} 个百分点（10,000 张）' in rows
    left = [f'{fallen(arms["large"][arm], 10):.0f}' for arm in ('augmentation', 'both')]
    assert f'最后十轮里训练损失又降了 {left[0]}% 与 {left[1]}%' in told
    tests = [100 * mean(one.measure('test_accuracy')) for one in arms['small'].values()]
    assert f'挤在 {min(tests):.1f}% 到 {max(tests):.1f}% 之间' in told
    few = {arm: 100 * mean(one.measure('gap')) for arm, one in arms['small'].items()}
    assert f'最靠右，是 {few["neither"]:.2f}%；' in told
    assert f'最靠左，是 {few["both"]:.2f}%；' in told
    assert list(few.values())[0] == max(few.values()) and min(few, key=few.get) == 'both'
    assert max(few['neither'] - few[arm] for arm in ('dropout', 'pooled')) < 0.5
    slower = [mean(arms['short'][arm].measure('train_loss')) for arm in ('pooled', 'neither')]
    assert f'训练损失高 {slower[0] - slower[1]:.3f}' in prose_of('nin')
