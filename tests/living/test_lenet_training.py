"""页面里训练 LeNet 的算术：与工具箱一章的 LeNet、PyTorch 的自动求导逐个比。"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from book_source import read_cells
from selenium.webdriver.chrome.webdriver import WebDriver
from torch import Tensor, nn

from deepcnn.data import load_dataset
from deepcnn.models.network import Network, initialize

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'site' / 'assets' / 'living' / 'lenet_training.js'
LAYERS = ('stem.0', 'stages.0.0', 'head.1', 'head.3', 'head.5')
BATCH, RATE = 8, 0.05
PINNED = [3.8442, 4.22552, 2.50714, 2.44741, 1.94613]  # 种子 0，头四步

# 两步梯度下降：第一步的损失与梯度，以及两步之后的权重
TWO_STEPS = """
const [pixels, labels, sigmoid, batch, rate] = arguments
const E = Living.lenetTraining()
const net = E.create(1.5, E.random(3))
const flat = (name) => net.map((one) => [...one[name]])
const normalized = E.normalizer(pixels)
const at = (index) => normalized(pixels, index)
const start = [flat('weight'), flat('bias')]
const chosen = (step) => labels.map((_, i) => i).slice(step * batch, (step + 1) * batch)
const loss = E.gradients(net, at, labels, chosen(0), sigmoid)
const found = [flat('weightGradient'), flat('biasGradient')]
E.descend(net, rate)
E.gradients(net, at, labels, chosen(1), sigmoid)
E.descend(net, rate)
return { start, loss, found, end: [flat('weight'), flat('bias')] }
"""
# 真的训练，图像少，走几步：第一份报告在训练之前
FEW_STEPS = """
const [pixels, labels, settings, count] = arguments
const train = { pixels, labels }
const reports = []
for (const report of Living.lenetTraining().train(settings, { train, held: train })) {
  reports.push(report)
  if (reports.length === count) break
}
return reports
"""


@pytest.fixture
def script(chromium: WebDriver) -> WebDriver:
    """空白页，只载入算术。"""
    chromium.get('about:blank')
    chromium.execute_script(SCRIPT.read_text('utf-8'))
    return chromium


def chapter_lenet(activation: type[nn.Module]) -> Network:
    """工具箱一章里定义的 LeNet。"""
    names = {'nn': nn, 'Network': Network, 'initialize': initialize}
    found = read_cells(ROOT / 'chapters' / 'toolbox.ipynb')
    exec(next(text for _, text in found if text.startswith('def lenet(')), names)
    return names['lenet'](activation)


def load(net: Network, weights: list[list], biases: list[list]) -> None:
    for name, weight, bias in zip(LAYERS, weights, biases, strict=True):
        layer = net.get_submodule(name)
        layer.weight.data = torch.tensor(weight).view_as(layer.weight)
        layer.bias.data = torch.tensor(bias, dtype=torch.float32)


def close(found: list[list], expected: list[Tensor]) -> None:
    """相对于这一层最大的数，相差不到十万分之一。"""
    for mine, its in zip(found, expected, strict=True):
        error = (torch.tensor(mine) - its.detach().flatten()).abs().max()
        assert error <= 1e-5 * its.abs().max(), error


def images(count: int) -> tuple[Tensor, Tensor]:
    train = load_dataset().train
    return train.images[:count], train.labels[:count]


@pytest.mark.parametrize('activation', [nn.ReLU, nn.Sigmoid])
def test_gradients_are_those_of_pytorch(
    script: WebDriver, activation: type[nn.Module]
) -> None:
    pixels, labels = images(2 * BATCH)
    is_sigmoid = activation is nn.Sigmoid
    arguments = (pixels.flatten().tolist(), labels.tolist(), is_sigmoid, BATCH, RATE)
    said = script.execute_script(TWO_STEPS, *arguments)
    net = chapter_lenet(activation)
    load(net, *said['start'])
    layers = [net.get_submodule(name) for name in LAYERS]
    X = pixels.float()
    X = (X - X.mean()) / X.std(correction=0)
    sgd = torch.optim.SGD(net.parameters(), RATE)
    for step, (x, y) in enumerate(
        zip(X.split(BATCH), labels.split(BATCH), strict=True)
    ):
        sgd.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        if step == 0:
            assert said['loss'] == pytest.approx(loss.item(), rel=1e-5)
            close(said['found'][0], [one.weight.grad for one in layers])
            close(said['found'][1], [one.bias.grad for one in layers])
        sgd.step()
    close(said['end'][0], [one.weight for one in layers])
    close(said['end'][1], [one.bias for one in layers])


def few_steps(
    script: WebDriver, count: int, *, number: int = 64, **changed: object
) -> list[dict]:
    pixels, labels = images(number)
    settings = dict(rate=0.05, scale=1, sigmoid=False, batch=16, seed=0) | changed
    return script.execute_script(
        FEW_STEPS, pixels.flatten().tolist(), labels.tolist(), settings, count
    )


def test_the_seed_decides_the_losses(script: WebDriver) -> None:
    losses = [one['loss'] for one in few_steps(script, 5)]
    assert losses == pytest.approx(PINNED, rel=1e-4)
    assert [one['loss'] for one in few_steps(script, 5)] == losses
    assert few_steps(script, 2, seed=1)[1]['loss'] != losses[1]


def test_reports_count_the_gradients(script: WebDriver) -> None:
    first, *_, last = few_steps(script, 6)
    assert (first['epoch'], last['epoch']) == (0, 1.25)
    hits = last['accuracy'] * 64
    assert 0 <= hits <= 64 and hits == round(hits)
    weights = [chapter_lenet(nn.ReLU).get_submodule(n).weight.numel() for n in LAYERS]
    for layer, size in zip(first['layers'], weights, strict=True):
        assert sum(layer['bins']) == round((1 - layer['zero']) * size)


def test_a_histogram_is_that_of_the_book(script: WebDriver) -> None:
    values = [0, 0, 3e-14, -1e-6, 2e-6, 0.5, -0.0001, 50]
    ask = f'return Living.lenetTraining().histogram({json.dumps(values)})'
    found = script.execute_script(ask)
    assert found['zero'] == 0.25
    assert found['median'] == pytest.approx(np.median(np.log10(np.abs(values[2:]))))
    places = {i for i, count in enumerate(found['bins']) if count}
    wanted = (math.floor(4 * (math.log10(abs(v)) + 12)) for v in values if v)
    assert places == {min(max(place, 0), 51) for place in wanted}


def test_a_loss_that_is_not_finite_ends_it(script: WebDriver) -> None:
    reports = few_steps(script, 50, rate=10)
    *finite, last = reports
    assert all(one['loss'] < math.inf for one in finite)
    # 每步一份报告，第一份在训练之前：坏在第 (len(finite) - 1) 步之后的那一步
    epoch, step = divmod(len(finite) - 1, 4)
    assert last == {'broken': {'epoch': epoch + 1, 'step': step + 1}}


def test_weights_that_overflowed_are_no_report(script: WebDriver) -> None:
    """损失还是有限的，梯度已经不是数：不画直方图，照样说坏在哪一步。"""
    *finite, last = few_steps(script, 9, number=512, rate=3, batch=64, scale=2)
    assert 'broken' in last
    bins = [count for one in finite for layer in one['layers'] for count in layer['bins']]
    assert bins and all(isinstance(count, int) for count in bins)


def test_the_hints_are_true_before_training(script: WebDriver) -> None:
    def medians(**changed: object) -> list[float]:
        (report,) = few_steps(script, 1, number=128, **changed)
        return [layer['median'] for layer in report['layers']]

    relu = medians()
    assert max(relu) - min(relu) < 1.6  # 「相差不过一个量级多」
    small = medians(sigmoid=True, scale=0.25)
    assert small[4] - small[0] > 3  # 「小三个量级」
    assert small == sorted(small)  # 「越靠前的层越靠左」
    assert medians(sigmoid=True, scale=4)[0] - small[0] > 3  # 「前几层收得到梯度」
