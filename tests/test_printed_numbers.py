"""书里印出的数字由 results/*.json 重新算出，逐项比较。"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from torch import nn

from deepcnn import search
from deepcnn.experiment import load_trial
from deepcnn.history import History, load_history
from deepcnn.inspect import count_parameters, layer_table
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import WIDTH, vgg11
from deepcnn.trial_tables import results_table, verdicts
from deepcnn.tuning import load_trials

CHAPTERS = Path(__file__).resolve().parent.parent / 'chapters'
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


def comparison_table() -> dict[str, list[str]]:
    """小结里的对比表：{网络: 其余各格}。"""
    tables = [text for _, text in printed_text('summary') if text.startswith('| 网络')]
    if not tables:
        pytest.fail('小结还没有存下对比表：请运行 make record ARGS=summary')
    rows = [line.strip('| ').split('|') for line in tables[0].splitlines()[2:]]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def expected_row(history: History, build: Callable[[int], nn.Module]) -> list[str]:
    """年份之外的各格：边长、轮、参数、MACs、准确率、张/秒、分钟。"""
    net = build(history.image_size)
    macs = layer_table(net, history.image_size).macs
    minutes = sum(run.seconds for run in history.runs) / len(history.runs) / 60
    return [
        str(history.image_size),
        str(history.epochs),
        f'{count_parameters(net) / 1e6:.2f}',
        f'{macs / 1e6:.0f}',
        f'{history.test_accuracy:.2%}',
        f'{history.images_per_second:.0f}',
        f'{minutes:.1f}',
    ]


@pytest.mark.parametrize('chapter', NETWORKS)
def test_comparison_table_is_recomputed(chapter: str) -> None:
    name, title, build = NETWORKS[chapter]
    table = comparison_table()
    assert len(table) == len(NETWORKS)
    assert table[title][1:] == expected_row(load_history(name), build)


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
    'experiments/regularization': Page(
        ('alexnet-neither', 'alexnet-dropout', 'alexnet-augmentation', 'alexnet-both',
         'alexnet-pooled'),
        ('train_accuracy', 'test_accuracy', 'gap'),
        {'compare': ('gap', '01 23 02 13 04'),
         'accuracy': ('test_accuracy', '01 23 02 13 04')},
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


def printed_by(page: str, name: str) -> str:
    """``page`` 里名为 ``name`` 的单元印出的文字。"""
    (text,) = (text for cell, text in printed_text(page) if cell == name)
    return text


@pytest.mark.parametrize('page', PAGES)
def test_tables_of_an_experiment_are_recomputed(page: str) -> None:
    expected = PAGES[page]
    trials = [load_trial(name) for name in expected.trials]
    table = results_table(trials, expected.measures)
    assert printed_by(page, 'results').strip() == table._repr_markdown_()
    for cell, (measure, numbers) in expected.comparisons.items():
        pairs = [(trials[int(a)], trials[int(b)]) for a, b in numbers.split()]
        assert verdicts(pairs, measure)._repr_markdown_() in printed_by(page, cell)
    named = printed_by(page, 'profile') + printed_by(page, 'compare')
    assert trials[0].history.provenance in named


def test_every_trial_printed_is_recorded() -> None:
    trials = load_trials(search.FOLDER / 'tuning.json')
    printed = ''.join(printed_by('exercises/tuning', n) for n in ('search', 'finalists'))
    shown = re.findall(r'测试准确率 ([\d.]+)', printed)
    recorded = [f'{a:.3f}' for one in trials for a in one.validation_accuracy]
    assert shown == recorded
    assert len({one.budget for one in trials}) == 1
