"""「工具箱」里手写的数：数据、配方、第一次训练与对照，由包、记录或存下的输出再算。"""

import re
from pathlib import Path

import pytest
from test_performance_told import attempts, smoothing
from test_printed_numbers import (
    NETWORKS,
    printed_by,
    printed_text,
    prose_of,
    training_minutes,
)

import deepcnn.data.files
from deepcnn.data.batches import ERASED_AREA
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.lineup import LINEUP
from deepcnn.records.attempts import by_budget
from deepcnn.records.runs import load_history

TOLD = prose_of('toolbox')


def test_data_is_told_as_it_is() -> None:
    data = load_dataset()
    assert f'整个训练集只有 {data.train.images.nbytes / 1e6:.0f} MB' in TOLD
    assert f'均值约为 {data.mean[0]:.5f}，标准差约为 {data.std[0]:.5f}' in TOLD
    (folder,) = map(Path, deepcnn.data.files.__path__)
    packed = list(folder.glob('*.gz'))
    assert len(packed) == 4 and '官方的四个 `.gz` 文件' in TOLD
    assert f'一共 {sum(one.stat().st_size for one in packed) / 1e6:.0f} MB' in TOLD


def test_counts_of_lenet_are_those_of_the_stored_table() -> None:
    table = '\n'.join(text for _, text in printed_text('toolbox'))
    rows = re.findall(
        r'^\| (?:\*\*)?(合计|\w+\.\d[.\d]*).*?([\d,]+)\D+([\d,]+)\D*$', table, re.M
    )
    counts = {name: [int(one.replace(',', '')) for one in pair] for name, *pair in rows}
    parameters, macs = counts['合计']
    assert f'一个 {parameters:,} 个参数的 LeNet' in TOLD
    assert f'= {parameters} .' in TOLD and f'= {macs} .' in TOLD
    dense = counts['head.1'][0]
    assert f'{parameters:,} 个里的 {dense:,} 个' in TOLD
    assert 0.75 < dense / parameters < 0.8 and '参数近八成在第一个全连接层' in TOLD
    convolved = (counts['stem.0'][1] + counts['stages.0.0'][1]) / macs
    assert 0.8 < convolved < 0.9 and '乘加却有八成以上在两个卷积层' in TOLD


def test_recipes_are_told_as_they_are() -> None:
    rates = [one.recipes['laptop'].lr for one in LINEUP.values()]
    assert f'`laptop` 档的峰值从 {min(rates):g} 到 {max(rates):g}' in TOLD
    erased = {name for name, one in LINEUP.items() if one.recipes['gpu'].erasing}
    assert erased == {'resnet18', 'densenet'}
    assert '只有 ResNet 与 DenseNet 两章的 `gpu` 档使用它' in TOLD
    assert '矩形占图像的 {:.0%}～{:.0%}'.format(*ERASED_AREA) in TOLD


def test_smoothing_and_erasing_are_told_as_tried() -> None:
    gains = {name: smoothing(name) for name in LINEUP}
    assert abs(gains.pop('vgg11')) < 0.05
    low, high = min(gains.values()), max(gains.values())
    assert (
        f'五个的验证准确率高 {low:.1f} 到 {high:.1f} 个百分点，VGG 用不用几乎一样'
        in TOLD
    )
    lost = {}
    for name in LINEUP:
        group = by_budget(attempts(name))[-1]
        if erased := [one for one in group if one.recipe['erasing']]:
            (with_it,) = erased
            (without,) = [
                one for one in group if one.recipe == with_it.recipe | {'erasing': 0}
            ]
            lost[name] = 100 * (without.accuracy - with_it.accuracy)
    assert list(lost) == ['vgg11', 'resnet18'] and with_it.recipe['epochs'] == 12
    words = '{:.1f} 与 {:.1f} 个百分点'.format(*lost.values())
    assert with_it.recipe['erasing'] == 0.25
    said = f'本书试过 12 轮（擦四分之一的图像）：VGG 与 ResNet-18 用上它，验证准确率低 {words}'
    assert said in TOLD and max(lost.values()) < 0.6


def test_first_training_is_told_as_recorded() -> None:
    history = load_history('lenet')
    recipe, (run,) = history.recipe, history.runs
    assert run.seconds < 10 and '几秒钟就能跑完' in TOLD
    steps = recipe['epochs'] * (recipe['train_images'] // recipe['batch_size'])
    assert f'共 {steps} 步的 OneCycle' in TOLD and f'训练只走了 {steps} 步' in TOLD
    assert (
        f'{recipe["train_images"]:,} 张训练图像，批量 {recipe["batch_size"]}，'
        f'学习率的峰值 {recipe["lr"]}，{recipe["epochs"]} 轮；'
        f'测试只用前 {recipe["test_images"]:,} 张'
    ) in TOLD
    ahead = [a > b for a, b in zip(run.test_accuracy, run.train_accuracy, strict=True)]
    assert ahead == [True, True, False] and '前两轮的测试准确率高过训练准确率' in TOLD


def test_full_training_takes_hours() -> None:
    hours = [
        training_minutes(load_history(f'full/{name}')) / 60
        for name, *_ in NETWORKS.values()
    ]
    assert min(hours) > 1 and max(hours) < 4
    assert '一个网络在一两个有 bf16 指令的 CPU 核上要一到四个小时' in TOLD


def test_both_loops_lose_the_same() -> None:
    rows = re.findall(
        r'^ ?\d +([\d.]+) +([\d.]+)$', printed_by('toolbox', 'compare'), re.M
    )
    assert len(rows) == 3 and '损失的相对误差不超过万分之一' in TOLD
    for ours, theirs in rows:
        assert float(ours) == pytest.approx(float(theirs), rel=1e-4)
