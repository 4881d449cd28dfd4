"""「引言」里手写的数：由 results/introduction.json、各网络的形状与页里的代码再算一遍。"""

from itertools import pairwise
from statistics import mean

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_printed_numbers import (
    COUNTS,
    LEARNED,
    MADE,
    RAW,
    introduction,
    printed_text,
    prose_of,
)
from test_told_statistics import defined_by, points

from deepcnn.anatomy.layers import layer_table
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.densenet import paper_densenet
from deepcnn.models.vgg import WIDTH, vgg11
from deepcnn.records.attempts import VALIDATION_IMAGES, sampling_error
from deepcnn.records.spreads import paired_interval, spread

TOLD = prose_of('introduction')


def scores(kind: str, images: int) -> list[float]:
    """各种子的测试准确率，%。"""
    return points(introduction()['test_accuracy'][kind][COUNTS.index(images)])


def test_chosen_settings_are_told_as_recorded() -> None:
    record = introduction()
    settings = record['recipe']['settings']
    (strength,) = {*settings[RAW], *settings[MADE]}
    assert f'两种特征的 `C` 在各种训练量下都挑中 {strength:g}' in TOLD
    steps = settings[LEARNED]
    assert f'步数随图像增多，从 {steps[0]:,} 步到 {steps[-1]:,} 步' in TOLD
    assert steps == sorted(steps)
    for tried in record['held_out'][LEARNED][:-1]:
        before, last = list(tried.values())[-2:]
        assert last < before and '前五条线过了圆点，再训练一倍也没有升' in TOLD
    assert steps[:2] == [500, 500] and '300 张与 1,000 张挑中的 500 步' in TOLD
    measured = [
        100 * sampling_error(accuracy, VALIDATION_IMAGES)
        for rows in record['held_out'].values()
        for tried in rows
        for accuracy in tried.values()
    ]
    error = f'{min(measured):.1f} 到 {max(measured):.1f} 个百分点'
    assert f'{VALIDATION_IMAGES:,} 张图像上，准确率的标准误差有 {error}' in TOLD


def test_revealed_answers_are_those_recorded() -> None:
    raw, made, learned = (mean(scores(kind, 60_000)) for kind in (RAW, MADE, LEARNED))
    assert f'手工特征更准，{made:.1f}% 比 {raw:.1f}%' in TOLD
    few = [
        spread([one / 100 for one in scores(kind, 300)]).text(1, percent=True)
        for kind in (LEARNED, MADE)
    ]
    assert f'说不准：{few[0]} 与 {few[1]}' in TOLD
    most = paired_interval(scores(LEARNED, 60_000), scores(MADE, 60_000))
    assert f'高 {most.mean:.1f} 个百分点，95% 区间是 {most.text(1)}' in TOLD
    means = [mean(scores(LEARNED, count)) for count in COUNTS]
    steps = [after - before for before, after in pairwise(means)]
    assert (
        f'升 {means[-1] - means[0]:.1f} 个百分点。加到 3,000 张，就已经升了一多半'
        in TOLD
    )
    late = means[-1] - means[COUNTS.index(10_000)]
    assert f'从 10,000 张到 60,000 张，再升 {late:.1f} 个' in TOLD
    assert sum(steps[:2]) > (means[-1] - means[0]) / 2


def test_few_images_are_told_as_recorded() -> None:
    for count in (300, 1_000):
        found = paired_interval(scores(LEARNED, count), scores(MADE, count))
        assert abs(found.mean) < 1 and not found.clear
    assert '300 张与 1,000 张时，差不到 1 个百分点，区间都含 0' in TOLD
    assert (
        '只有 300 到 1,000 张时，学得的特征与最简单的手工特征差不到 1 个百分点' in TOLD
    )
    error = 100 * sampling_error(round(mean(scores(LEARNED, 10_000))) / 100, 10_000)
    assert f'0.87 的准确率还有约 {error:.2f} 个百分点的标准误差' in TOLD


def test_self_check_7_tells_what_was_recorded() -> None:
    raw, made, learned = (
        mean(scores(kind, 60_000)) - mean(scores(kind, 10_000))
        for kind in (RAW, MADE, LEARNED)
    )
    assert (
        f'手工特征只涨 {made:.1f} 个百分点，学得的特征涨 {learned:.1f} 个。为什么'
        in TOLD
    )
    assert f'原始像素也是这样，也只涨 {raw:.1f} 个百分点' in TOLD


def test_macs_are_told_as_printed() -> None:
    (table,) = (
        text for _, text in printed_text('introduction') if 'MACs（百万）' in text
    )
    macs = {
        line.split()[0]: 1e6 * float(line.split()[2]) for line in table.splitlines()[1:]
    }
    assert (max(macs, key=macs.get), min(macs, key=macs.get)) == ('VGG-11', 'DenseNet')
    most, least = macs['VGG-11'], macs['DenseNet']
    words = (
        f'{most / 1e8:.0f} 亿次；最少的是 DenseNet，{least / 1e8:.0f} 亿次；相差十倍多'
    )
    assert f'乘加最多的是 VGG-11，{words}' in TOLD and 10 < most / least < 11
    assert '从七亿次到七十五亿次' in TOLD and round(most / 1e8) == 75
    with torch.device('meta'):
        narrow = layer_table(vgg11(width=WIDTH), 224).macs
        deep = layer_table(paper_densenet('densenet121'), 224).macs
    assert f'只用四分之一的通道，约 {narrow / 1e8:.0f} 亿次' in TOLD and WIDTH == 0.25
    assert f'论文的 DenseNet-121 约 {deep / 1e8:.0f} 亿次' in TOLD
    size, power = f'{3 * most * 1.28e6:.1e}'.split('e+')
    whole = rf'{most / 1e9:.1f}\times 10^{{9}} \times 1.28\times 10^{{6}}'
    assert rf'3 \times {whole} \approx {size}\times 10^{{{power}}}' in TOLD


@pytest.mark.filterwarnings('ignore')
def test_edges_of_the_boot_are_told_as_computed() -> None:
    oriented_edges = defined_by('introduction', 'oriented_edges')
    image = load_dataset().test.images[:1].float()
    strength = oriented_edges(image).sum(dim=(0, 2, 3))
    shares = strength / strength.sum()
    order = shares.argsort(descending=True).tolist()
    assert 0.35 < shares[4] < 0.45 and order[0] == 4
    assert '有四成在 #4，也就是水平的边缘' in TOLD
    assert {2, 3} <= {*order[:4]} and '斜的鞋面落在 #2 和 #3' in TOLD


def test_a_tighter_stop_gains_next_to_nothing() -> None:
    """逻辑回归停得早不早：判据收紧一百倍，手工特征高多少。"""
    hog, draw = (defined_by('introduction', name) for name in ('hog', 'draw'))
    data, rows = load_dataset(), draw(10_000, 60_000, seed=0)
    setting = introduction()['recipe']['settings'][MADE][COUNTS.index(10_000)]
    X, X_new = (
        hog(one.float()).flatten(1).numpy() for one in (data.train.images[rows], data.test.images)
    )
    loose, tight = (
        make_pipeline(StandardScaler(), LogisticRegression(C=setting, tol=tol, max_iter=1000))
        .fit(X, data.train.labels[rows].numpy())
        .score(X_new, data.test.labels.numpy())
        for tol in (1e-3, 1e-5)
    )
    assert round(100 * loose, 1) == round(scores(MADE, 10_000)[0], 1)  # 记录里的种子 0
    assert 0 < tight - loose < 1e-3 and '（种子 0）也只高不到 0.1 个百分点' in TOLD
