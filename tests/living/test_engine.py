"""网页里的引擎：六个网络的得分、每一段的特征图、遮挡、类激活与手术都与 PyTorch 相同。

随书有权重的网络用随书的，没有的用包里的写法现造一份，边长取小：形状与算子一样。
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from book_living.weight_scripts import write_script, write_weight_scripts
from living_page import copy_living, open_page, pixels, put_numbers, run_async
from selenium.webdriver.chrome.webdriver import WebDriver
from torch import Tensor, nn

from deepcnn.anatomy import capture, class_activation, occlusion_map
from deepcnn.anatomy.program import page_program
from deepcnn.data import load_dataset, prepare
from deepcnn.models import Network, load
from deepcnn.models.lineup import LINEUP
from deepcnn.records.titles import NETWORKS
from deepcnn.records.weight_facts import KEY, weight_facts, write_weights
from deepcnn.training.weight_codec import encode

SIDES = {'alexnet': 63, 'vgg11': 32, 'nin': 71, 'googlenet': 40, 'resnet18': 40}
SIDES['densenet'] = 96  # 随书的
IMAGES = {name: 10 if name == 'densenet' else 2 for name in SIDES}
SCRIPTS = ('frame', 'kernel', 'engine', 'laboratory')
CLOSE = 1e-3
RANK = 16

# 页面里的小工具：读回 float32，与期望相差多少（除以期望的均方根）。
TOOLS = """
const floats = (text) => new Float32Array(
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer)
function largest(found, expected) {
  if (found.length !== expected.length) return `长度 ${found.length}，应是 ${expected.length}`
  let [difference, squares] = [0, 0]
  for (let i = 0; i < found.length; i++) {
    const one = Math.abs(found[i] - expected[i])
    if (!(one <= difference)) difference = one
    squares += expected[i] * expected[i]
  }
  return [difference, Math.sqrt(squares / found.length)]
}
const list = (values) => Uint8Array.from(values)
"""


def small_network(name: str, generator: torch.Generator) -> nn.Module:
    """一个没有训练的网络，归一化的统计也不是 0 与 1；要换成低秩的层不填。"""
    with torch.device('meta'):
        net = LINEUP[name].build(SIDES[name])
    net.to_empty(device='cpu')
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0, 0.1, generator=generator)
            layer.running_mean.normal_(0, 0.1, generator=generator)
            layer.num_batches_tracked.zero_()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            if not is_large(layer):
                fan = layer.weight[0].numel()
                layer.weight.data.normal_(0, (2 / fan) ** 0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0, 0.1, generator=generator)
    return net


def is_large(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) and layer.out_features == 4096


def small_weights(name: str, generator: torch.Generator, folder: Path) -> None:
    net = small_network(name, generator)
    large = {f'{path}.weight': m for path, m in net.named_modules() if is_large(m)}
    factors = {
        path: (
            torch.randn(layer.out_features, RANK, generator=generator) / RANK**0.5,
            torch.randn(RANK, layer.in_features, generator=generator)
            / layer.in_features**0.5,
        )
        for path, layer in large.items()
    }
    facts = weight_facts('densenet')
    source = {**facts.source, 'image_size': SIDES[name]}
    facts = replace(facts, network=name, source=source)
    content = safetensors.torch.save(encode(net, factors), {KEY: facts.to_json()})
    write_weights(name, content, folder)


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """六个网络的权重：DenseNet 是随书的，别的现造。"""
    folder = tmp_path_factory.mktemp('weights')
    generator = torch.Generator().manual_seed(0)
    for name in NETWORKS:
        if name == 'densenet':
            content = Path('weights/densenet.safetensors').read_bytes()
            write_weights(name, content, folder)
        else:
            small_weights(name, generator, folder)
    return folder


@pytest.fixture(scope='module')
def networks(weights: Path) -> dict[str, Network]:
    return {name: load(name, weights) for name in NETWORKS}


@pytest.fixture(scope='module')
def lab(
    chromium: WebDriver,
    weights: Path,
    networks: dict[str, Network],
    tmp_path_factory: pytest.TempPathFactory,
) -> WebDriver:
    """打开了实验室的页面；PyTorch 的答案也在里面，叫 expected-<网络>-<第几张>。"""
    site = tmp_path_factory.mktemp('site')
    data = copy_living(site)
    write_weight_scripts(data, weights)
    dataset = load_dataset()
    for name, net in networks.items():
        side = SIDES[name]
        program = page_program(net, name, side, dataset)
        write_script(data, f'program-{name}', program)
        images = dataset.test.images[: IMAGES[name]]
        X = prepare(images, side, dataset)
        with torch.inference_mode(), capture(net, *program['taps']) as maps:
            scores = net(X)
        for i in range(len(X)):
            values = {tap: found[i] for tap, found in maps.items()}
            found = {**values, 'scores': scores[i], 'image': X[i]}
            put_numbers(site, f'expected-{name}-{i}', found)
    open_page(chromium, site, SCRIPTS)
    return chromium


RUN_ALL = """
const [name, images] = [arguments[0], arguments[1]]
const laboratory = Living.laboratory()
const steps = []
const { program } = await laboratory.load(name, (part, parts) => steps.push([part, parts]))
const found = []
for (const [i, image] of images.entries()) {
  const expected = await Living.data(`expected-${name}-${i}`)
  const result = await laboratory.call('run', { name, pixels: list(image), maps: program.taps })
  const each = { scores: largest(result.scores, floats(expected.scores)) }
  for (const tap of program.taps) each[tap] = largest(result.maps[tap].data, floats(expected[tap]))
  found.push(each)
  Living.put(`expected-${name}-${i}`, null)
}
return { found, steps, kernel: (await laboratory.call('engine')).kernel }
"""


@pytest.mark.parametrize('name', NETWORKS)
def test_scores_and_maps_are_those_of_pytorch(lab: WebDriver, name: str) -> None:
    images = load_dataset().test.images[: IMAGES[name]]
    result = run_async(lab, TOOLS + RUN_ALL, name, [pixels(one) for one in images])
    assert result['kernel'] is True
    steps = result['steps']
    assert [part for part, _ in steps] == [*range(steps[0][1] + 1)]
    assert len(result['found']) == IMAGES[name]
    for each in result['found']:
        scores, _ = each.pop('scores')
        assert scores < CLOSE
        assert len(each) > 3
        for tap, (difference, rms) in each.items():
            assert rms > 0 and difference < CLOSE * rms, tap
