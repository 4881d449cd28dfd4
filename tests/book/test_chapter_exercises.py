"""各章末尾的练习：每题都有提示，约一半有解答，解答里的数由包重新算出。"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

from deepcnn.anatomy.layers import count_parameters, layer_table
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.alexnet import alexnet
from deepcnn.models.nin import nin
from deepcnn.models.resnet import VARIANTS, resnet
from deepcnn.models.vgg import vgg, vgg11

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
PAGES = (
    'introduction', 'toolbox', 'clinic', 'alexnet', 'vgg', 'nin', 'googlenet', 'resnet',
    'densenet', 'summary', 'after_densenet', 'own_images',
)  # fmt: skip


@cache
def text_of(page: str) -> str:
    """一页末尾从「练习」起的文字。"""
    cells = nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == 'markdown']
    whole = '\n\n'.join(texts)
    label = {'after_densenet': 'after', 'own_images': 'own'}.get(page, page)
    return whole.split(f'<a id="sec-{label}-exercises"></a>', 1)[1]


def exercises(page: str) -> int:
    """练习的题数；列表里可能夹着折叠的解答。"""
    listed = text_of(page).split('第 1 题的提示', 1)[0]
    return len(re.findall(r'^\d+\. ', listed, re.M))


def answer(page: str, number: int) -> str:
    found = re.search(
        rf'<summary>第 {number} 题的(?:解答|参考思路)</summary>\n\n([\s\S]+?)\n\n</details>',
        text_of(page),
    )
    assert found, (page, number)
    return found[1]


def numbers(text: str) -> set[str]:
    return set(re.findall(r'\d[\d,]*', text))


@pytest.mark.parametrize('page', PAGES)
def test_every_exercise_has_a_hint(page: str) -> None:
    hints = re.findall(r'<summary>第 (\d) 题的提示</summary>', text_of(page))
    assert hints == [str(n) for n in range(1, exercises(page) + 1)]
    assert exercises(page) >= 3


def test_a_third_of_the_exercises_is_worked_out() -> None:
    solved = sum(
        text_of(page).count('题的解答</summary>')
        + text_of(page).count('参考思路</summary>')
        + text_of(page).count('<summary>先预测：练习')
        for page in PAGES
    )
    assert solved >= sum(map(exercises, PAGES)) / 3


def test_toolbox_1() -> None:
    convolutions = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 3),
        nn.AvgPool2d(2),
    )
    flat = convolutions(torch.zeros(1, 1, 28, 28)).numel()
    dense = ((flat, 120), (120, 84), (84, 10))
    linear = sum((n + 1) * m for n, m in dense)
    total = count_parameters(convolutions) + linear
    macs = 25 * 6 * 28**2 + 54 * 16 * 12**2 + sum(n * m for n, m in dense)
    told = numbers(answer('toolbox', 1))
    assert {f'{flat}', f'{total:,}', f'{macs:,}', '61,706', '416,520'} <= told


def test_alexnet_4() -> None:
    data = load_dataset()
    black = -data.mean[0] / data.std[0]
    assert f'−{-black:.2f}' in answer('alexnet', 4)


def test_alexnet_5() -> None:
    with torch.device('meta'):
        whole = count_parameters(alexnet(in_channels=3, num_classes=1000))
    halved = 25 * 96 * 256 + 9 * 384 * 384 + 9 * 384 * 256
    assert {f'{whole:,}', f'{whole - halved // 2:,}'} <= numbers(answer('alexnet', 5))


def test_vgg_3() -> None:
    with torch.device('meta'):
        rows = layer_table(vgg11(), 224, detail=True).rows
    macs = [row.macs for row in rows if 'Conv' in row.name]
    assert macs[1] == macs[2] == macs[4] and macs[3] == macs[5]
    assert macs[6] == macs[7] == macs[5] // 4
    assert {f'{macs[n]:,}' for n in (1, 3, 6)} <= numbers(answer('vgg', 3))


def test_vgg_5() -> None:
    with torch.device('meta'):
        net = vgg11(width=0.25)
    convolutions = count_parameters(net) - count_parameters(net.head)
    total = convolutions + 128 * 10 + 10
    told = answer('vgg', 5)
    assert {f'{convolutions:,}', f'{total:,}'} <= numbers(told)
    assert f'{total / count_parameters(net):.1%}' in told


def test_nin_1() -> None:
    with torch.device('meta'):
        net = nin()
    blocks = [net.stem[0], *(stage[0] for stage in net.stages), net.head[1]]
    fewer = [count_parameters(block[4]) for block in blocks]
    told = answer('nin', 1)
    assert {f'{one:,}' for one in [*fewer, sum(fewer)]} <= numbers(told)
    assert f'{sum(fewer) / count_parameters(net):.0%}' in told


def test_after_2() -> None:
    """边长加倍：权重部分 4 倍，两两相看的部分 16 倍。"""
    spots = 14**2
    weights, pairs = spots * (4 * 256**2 + 2 * 256 * 1024), 2 * spots**2 * 256
    told = answer('after_densenet', 2)
    assert f'{weights:,}'.replace(',', '{,}') in told
    assert f'{(4 * weights + 16 * pairs) / (weights + pairs):.1f}$ 倍' in told


def test_after_3() -> None:
    gate = nn.Sequential(nn.Conv2d(256, 64, 1), nn.Conv2d(64, 256, 1))
    told = answer('after_densenet', 3)
    assert f'{count_parameters(gate):,}'.replace(',', '{,}') in told


def test_googlenet_3() -> None:
    def size(*channels: int, kernel: int) -> int:
        pairs = zip(channels, channels[1:], strict=False)
        return sum(count_parameters(nn.Conv2d(a, b, kernel)) for a, b in pairs)

    old = size(16, 32, kernel=5)
    narrow, wide = size(16, 16, 32, kernel=3), size(16, 32, 32, kernel=3)
    told = numbers(answer('googlenet', 3))
    assert narrow < old < wide
    assert {f'{n:,}' for n in (old, narrow, wide, old - narrow, wide - old)} <= told


def test_resnet_3() -> None:
    assert answer('resnet', 3).startswith('不需要')


def test_resnet_5() -> None:
    with torch.device('meta'):
        nets = [resnet(name, 3, 1000) for name in VARIANTS] + [vgg('vgg16', 3, 1000)]
        macs = [layer_table(net, 224, in_channels=3).macs for net in nets]
    told = answer('resnet', 5)
    assert re.findall(r'\d+\.\d', told) == [f'{count / 1e8:.1f}' for count in macs]
    assert macs[-2] < macs[-1]
