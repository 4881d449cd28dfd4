"""书里印出的数字由 results/*.json 重新算出，逐项比较。"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median

import nbformat
import pytest
import torch
from nbformat import NotebookNode
from torch import nn

from deepcnn import experiment
from deepcnn.comparison import Record, load_records
from deepcnn.data import load_dataset
from deepcnn.history import History, load_history
from deepcnn.inspect import count_parameters, layer_table
from deepcnn.memory import saved_bytes
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import WIDTH, vgg11
from deepcnn.tuning import load_trials

CHAPTERS = Path(__file__).resolve().parent.parent / 'chapters'
# 章名 → results/ 里的名字、小结里的名字、按边长建网络。
NETWORKS: dict[str, tuple[str, str, Callable[[int], nn.Module]]] = {
    'alexnet': ('alexnet', 'AlexNet', lambda size: alexnet(image_size=size)),
    'vgg': ('vgg11', 'VGG-11（1/4 宽）', lambda n: vgg11(image_size=n, width=WIDTH)),
    'nin': ('nin', 'NiN', lambda size: nin()),
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
    speeds = [
        record.recipe['train_images'] / median(run.epoch_seconds) for run in record.runs
    ]
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
        'AlexNet': 2012, 'NiN': 2013, 'VGG-11（1/4 宽）': 2014, 'GoogLeNet': 2014,
        'ResNet-18': 2015, 'DenseNet': 2016,
    }  # fmt: skip


@pytest.mark.parametrize('chapter', NETWORKS)
def test_conditions_are_those_recorded(chapter: str) -> None:
    name, title, _ = NETWORKS[chapter]
    history, record = load_history(name), load_records()[name]
    seconds = [s for run in history.runs for s in run.epoch_seconds]
    total = sum(run.seconds for run in history.runs) / len(history.runs)
    assert summary_table('conditions')[title] == [
        str(record.recipe['image_size']),
        mean_and_sd([run.seconds for run in record.runs], 0),
        str(history.image_size),
        str(history.epochs),
        f'{total / 60:.1f}',
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


# ---- 训练过的练习 ----


def printed_by(notebook: str, name: str) -> str:
    """练习 ``notebook`` 里名为 ``name`` 的单元印出的文字。"""
    (text,) = (t for n, t in printed_text(f'exercises/{notebook}') if n == name)
    return text


@pytest.mark.parametrize('notebook', ['nin_without_1x1', 'inception_successors'])
def test_comparison_of_an_exercise_is_recomputed(notebook: str) -> None:
    histories = experiment.load(notebook)
    printed = printed_by(notebook, 'results').strip()
    assert printed == experiment.results_table(histories)._repr_markdown_()
    sentences = printed_by(notebook, 'compare')
    for label, history in histories.items():
        assert history.provenance in sentences
        assert f'「{label}」' in sentences


def test_every_trial_printed_is_recorded() -> None:
    trials = load_trials(experiment.FOLDER / 'tuning.json')
    printed = printed_by('tuning', 'search') + printed_by('tuning', 'finalists')
    shown = re.findall(r'测试准确率 ([\d.]+)', printed)
    recorded = [f'{a:.3f}' for one in trials for a in one.validation_accuracy]
    assert shown == recorded
    assert len({one.budget for one in trials}) == 1
