"""img/ 里的图：合乎格式、写明中文说明、与脚本所绘相同，图里的数与真的网络相同。

图里的数在这里另行算出：用钩子走一遍真的网络，不经过画图的脚本。
"""

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from math import log2
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from book_source import read_page
from figures import draw, facts, whole_networks
from figures.canvas import Drawing
from figures.colour_pictures import PICTURE
from figures.timeline import IDEAS, LATER
from selenium.webdriver.chrome.webdriver import WebDriver
from torch import Tensor, nn

from deepcnn.anatomy import count_parameters, layer_table
from deepcnn.data import load_dataset, prepare
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import DenseBlock, densenet
from deepcnn.models.googlenet import Inception, googlenet
from deepcnn.models.network import Network
from deepcnn.models.nin import nin
from deepcnn.models.resnet import ResidualBlock, resnet18
from deepcnn.models.trained import load
from deepcnn.models.vgg import vgg, vgg_block

ROOT = Path(__file__).resolve().parents[2]

SVG = '{http://www.w3.org/2000/svg}'
HAN = re.compile('[\u4e00-\u9fff]')
FILES = sorted((ROOT / 'img').glob('*.svg'))
EXPECTED = {
    'alexnet',
    'channel-mixing',
    'convolution',
    'degradation',
    'dense-reading',
    'densenet',
    'densenet-network',
    'global-average-pooling',
    'googlenet',
    'growth',
    'identity-block',
    'inception',
    'logo',
    'nin',
    'one-by-one',
    'pipeline',
    'pooled-map',
    'receptive-field',
    'residual-block',
    'resnet18',
    'sigmoid-chain',
    'timeline',
    'timeline-after',
    'vgg-block',
    'vgg16',
}


def labels(name: str) -> list[str]:
    root = ET.parse(ROOT / 'img' / f'{name}.svg').getroot()
    return [element.text or '' for element in root.iter(f'{SVG}text')]


def test_every_figure_of_the_book_is_there() -> None:
    assert {path.stem for path in FILES} == EXPECTED


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_figure_is_described_and_fits_a_page(path: Path) -> None:
    root = ET.parse(path).getroot()
    assert root.tag == f'{SVG}svg'
    assert root.get('role') == 'img'
    for tag in ('title', 'desc'):
        assert HAN.search(root.findtext(f'{SVG}{tag}', default='')), tag
    left, top, width, height = map(float, root.get('viewBox', '').split())
    assert (left, top) == (0, 0)
    assert 0 < width <= 640
    assert (float(root.get('width')), float(root.get('height'))) == (width, height)
    assert path.stat().st_size < 40_000


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_text_is_readable_on_a_phone(path: Path) -> None:
    root = ET.parse(path).getroot()
    scale = min(1, 343 / float(root.get('viewBox', '').split()[2]))
    for element in root.iter(f'{SVG}text'):
        assert float(element.get('font-size')) * scale >= 10, element.text


# 每段文字在画面里的矩形；文字的框比字略高，先去掉上下各四分之一。
TEXT_BOXES = """
return [...document.querySelectorAll('text')].filter(t => t.textContent).map(t => {
  const b = t.getBBox();
  return [t.textContent, b.x, b.y + b.height / 4, b.x + b.width, b.y + b.height * 3 / 4];
})
"""


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_texts_neither_overlap_nor_leave_the_figure(
    path: Path, chromium: WebDriver
) -> None:
    chromium.get(path.as_uri())
    size = chromium.execute_script(
        'const v = document.documentElement.viewBox.baseVal; return [v.width, v.height]'
    )
    boxes = chromium.execute_script(TEXT_BOXES)
    assert [box[0] for box in boxes] == [*filter(None, labels(path.stem))]
    for text, left, top, right, bottom in boxes:
        assert left >= 2 and top >= 2, text
        assert right <= size[0] - 2 and bottom <= size[1] - 2, text
    for one, other in combinations(boxes, 2):
        apart = (
            one[3] <= other[1] or other[3] <= one[1]
            or one[4] <= other[2] or other[4] <= one[2]
        )  # fmt: skip
        assert apart, (one[0], other[0])


def test_committed_figures_equal_what_the_script_draws() -> None:
    assert draw.differing(ROOT / 'img') == []


def test_check_names_changed_missing_and_foreign_figures(tmp_path: Path) -> None:
    names = draw.write_all(tmp_path)
    assert draw.differing(tmp_path) == []
    (tmp_path / names[0]).write_text('<svg/>', encoding='utf-8')
    (tmp_path / names[1]).unlink()
    (tmp_path / 'zz.svg').write_text('<svg/>', encoding='utf-8')
    assert draw.differing(tmp_path) == [names[0], names[1], 'zz.svg']


def test_check_exits_with_1_and_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw, 'IMG_DIR', tmp_path)
    assert draw.main([]) == 0
    assert draw.main(['--check']) == 0
    (tmp_path / 'nin.svg').unlink()
    capsys.readouterr()
    assert draw.main(['--check']) == 1
    assert 'nin.svg' in capsys.readouterr().out


def test_text_that_leaves_its_box_is_refused() -> None:
    drawing = Drawing('x', '题', '述', 100)
    with pytest.raises(ValueError, match='框放不下'):
        drawing.box('conv', 0, 0, 30, 30, '全局平均池化')
    with pytest.raises(ValueError, match='超出画面'):
        drawing.box('conv', 460, 0, 30, 30)


SHAPE = re.compile(r'(\d+)×(\d+)×\2')
LAYER = re.compile(
    r'(\d+)×\1 (卷积|最大池化|平均池化)(?:，步幅 (\d+))?(?:，填充 (\d+))?'
)


def shape_labels(name: str) -> list[str]:
    return [line for line in labels(name) if SHAPE.fullmatch(line)]


def size_text(shape: tuple[int, ...]) -> str:
    return '×'.join(map(str, shape))


def outputs(
    net: nn.Module, modules: Iterator[nn.Module], *shape: int
) -> list[tuple[int, ...]]:
    """各模块对一张形状为 shape 的图像的输出形状，按执行的次序。"""
    found: list[tuple[int, ...]] = []

    def remember(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        found.append(tuple(output.shape[1:]))

    for module in modules:
        module.register_forward_hook(remember)
    net.eval()(torch.zeros(1, *shape, device='meta'))
    return found


def layers(net: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, kinds)]


@pytest.fixture(autouse=True)
def on_the_meta_device() -> Iterator[None]:
    """只推算形状，不占内存；要真的数的测试自己另建。"""
    with torch.device('meta'):
        yield


def drawn_column(lines: list[str]) -> tuple[list[tuple[int, ...]], int]:
    """一列「层、形状」：各层的形状，以及由写着的数算出的参数个数。

    卷积与池化的输出边长由窗口、步幅、填充另算一遍，必须等于写着的。
    """
    shapes: list[tuple[int, ...]] = []
    channels = size = parameters = 0
    for line, following in zip(lines, [*lines[1:], ''], strict=True):
        if line == '输入':
            channels, size = map(int, following.split('×')[:2])
        elif line.startswith('展平'):
            assert int(line.partition('：')[2]) == channels * size**2
            channels, size = channels * size**2, 1
        elif line.startswith('全连接') and following.isdigit():
            parameters += (channels + 1) * int(following)
            channels = int(following)
            shapes.append((channels,))
        elif layer := LAYER.fullmatch(line):
            window, stride, padding = (int(layer[i] or 0) for i in (1, 3, 4))
            size = (size + 2 * padding - window) // (stride or 1) + 1
            after = int(following.split('×')[0])
            if layer[2] == '卷积':
                parameters += (window**2 * channels + 1) * after
            channels = after
            shapes.append((channels, size, size))
            assert following == size_text(shapes[-1]), line
    return shapes, parameters


def test_alexnet_is_the_network_of_its_chapter() -> None:
    lines = labels('alexnet')
    _, first, second = (i for i, line in enumerate(lines + ['输入']) if line == '输入')
    shapes, parameters = drawn_column(lines[lines.index('输入') : first])
    net = alexnet()
    wanted = layers(net, nn.Conv2d, nn.MaxPool2d, nn.Linear)
    assert shapes == outputs(net, wanted, 1, 224, 224)
    assert parameters == count_parameters(net)

    shapes, parameters = drawn_column(lines[first:second])
    assert len(shapes) == 2 + 2 + 3
    assert f'| 参数个数 | {parameters:,} |' in chapter_text('alexnet')


def test_vgg_block_halves_the_size() -> None:
    block = vgg_block(2, 64, 128)
    conv, pool = layers(block, nn.Conv2d)[0], layers(block, nn.MaxPool2d)[0]
    lines = labels('vgg-block')
    window, padding = conv.kernel_size[0], conv.padding[0]
    assert f'{window}×{window} 卷积，填充 {padding}' in lines
    size = pool.kernel_size
    assert f'{size}×{size} 最大池化，步幅 {pool.stride}' in lines
    (_, height, _) = outputs(block, [block], 64, 56, 56)[0]
    assert f'c′×h/{56 // height}×w/{56 // height}' in lines


def test_vgg16_is_the_network_of_its_chapter() -> None:
    lines, net = labels('vgg16'), vgg('vgg16')
    convs, dense = layers(net, nn.Conv2d), layers(net, nn.Linear)
    drawn = [line for line in lines if line.startswith('3×3 卷积，')]
    assert drawn == [f'3×3 卷积，{conv.out_channels}' for conv in convs]
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    widths = [line for line in lines if line.startswith('全连接，')]
    assert widths == [f'全连接，{fc.out_features}' for fc in dense[:2]] + [
        '全连接，类别数'
    ]
    assert f'展平：{dense[0].in_features}' in lines
    blocks = outputs(net, [net.stem, *net.stages], 1, 224, 224)
    drawn = [line for line in lines if line.startswith('输出 ')]
    assert drawn == [f'输出 {size_text(shape)}' for shape in blocks]
    assert f'圆圈给 {len(convs) + len(dense)} 个' in lines[-1]
    badges = [int(line) for line in lines if line.isdigit()]
    assert badges == list(range(1, len(convs) + len(dense) + 1))


def test_nin_is_the_network_of_its_chapter() -> None:
    lines, net = labels('nin'), nin()
    drawn = [line for line in lines if re.match(r'\d+×\d+ 卷积，\d+$', line)]
    assert drawn == [
        f'{size_text(conv.kernel_size)} 卷积，{conv.out_channels}'
        for conv in layers(net, nn.Conv2d)
    ]
    parts = [net.stem[0], net.stem[1], *net.stages[0], *net.stages[1], net.head[1]]
    shapes = outputs(net, parts, 1, 224, 224)
    assert shape_labels('nin') == [size_text(shape) for shape in shapes]
    assert lines.count(f'{shapes[-1][0]} 个输出') == 2
    left = [line for line in lines if line.startswith('全连接，')]
    widths = [fc.out_features for fc in layers(alexnet(), nn.Linear)]
    assert left == [f'全连接，{width}' for width in widths]


def test_inception_is_the_first_block_of_googlenet() -> None:
    lines, net = labels('inception'), googlenet()
    block = layers(net, Inception)[0]
    seen: list[int] = []
    block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    (shape,) = outputs(net, [block], 1, 224, 224)
    assert f'输入：{seen[0]} 通道，高 h，宽 w' in lines
    assert f'输出：{shape[0]} 通道，高 h，宽 w' in lines
    drawn = sorted(line for line in lines if re.fullmatch(r'\d+ 通道', line))
    convs = layers(block, nn.Conv2d)
    assert drawn == sorted(f'{conv.out_channels} 通道' for conv in convs)
    ends = [layers(path, nn.Conv2d)[-1].out_channels for path in block.children()]
    assert f'{" + ".join(map(str, ends))} = {sum(ends)}' in lines
    for conv in convs:
        window = size_text(conv.kernel_size)
        assert f'{window} 卷积' in lines
        if conv.padding != (0, 0):
            assert lines[lines.index(f'{window} 卷积') + 1] == f'填充 {conv.padding[0]}'


@pytest.mark.parametrize(
    ('panel', 'block'), [(1, (64, 64, 1)), (2, (64, 128, 2))], ids=['形状不变', '减半']
)
def test_residual_panels_are_the_blocks_of_the_chapter(
    panel: int, block: tuple[int, int, int]
) -> None:
    lines = labels('residual-block')
    starts = [i for i, line in enumerate(lines) if line == '输入 x'] + [len(lines)]
    part = lines[starts[panel] : starts[panel + 1]]
    drawn = [line for line in part if line.startswith('步幅')]
    convs = layers(ResidualBlock(*block), nn.Conv2d)
    assert drawn == [f'步幅 {conv.stride[0]}' for conv in convs]
    windows = [line for line in part if line.endswith('×3 卷积') or line == '1×1 卷积']
    assert windows == [f'{size_text(conv.kernel_size)} 卷积' for conv in convs]
    assert part.count('批量归一化') == len(convs)


def test_resnet18_is_the_network_of_its_chapter() -> None:
    lines, net = labels('resnet18'), resnet18()
    blocks = [net.stem[0], net.stem, *net.stages, net.head[0]]
    shapes = outputs(net, blocks, 1, 224, 224)
    assert f'输出 {size_text(shapes[0])}' in lines
    assert f'输出 {size_text(shapes[1])}' in lines
    modules = [line for line in lines if line.startswith('模块')]
    assert modules == [
        f'模块 {i}：{shape[0]} 通道，输出 {size_text(shape)}'
        for i, shape in enumerate(shapes[2:6], start=1)
    ]
    assert size_text(shapes[-1]) in lines
    strides = [line for line in lines if re.fullmatch(r'步幅 \d', line)]
    straight = [net.stem[0][0], net.stem[2]]
    for block in layers(net, ResidualBlock):
        straight += layers(block.residual, nn.Conv2d)
    drawn = [int(line.split()[1]) for line in strides]
    assert drawn == [
        layer.stride if isinstance(layer, nn.MaxPool2d) else layer.stride[0]
        for layer in straight
    ]
    convolutions = sum(line in ('7×7 卷积', '3×3 卷积') for line in lines)
    assert convolutions + lines.count('全连接') == 18
    assert lines.count('1×1 卷积，步幅 2') == 3


def test_growth_is_the_first_block_of_densenet() -> None:
    net = densenet()
    block = net.stages[0]
    channels = [conv[0].num_features for conv in block.convs]
    channels += [shape[0] for shape in outputs(net, [block], 1, 96, 96)]
    rate = channels[1] - channels[0]
    root = ET.parse(ROOT / 'img' / 'growth.svg').getroot()
    segments = [
        float(rect.get('width'))
        for rect in root.iter(f'{SVG}rect')
        if rect.get('height') == '30'
    ]
    wanted = [one for row in range(5) for one in (channels[0], *[rate] * row)]
    unit = sum(segments) / sum(wanted)
    assert segments == pytest.approx([unit * one for one in wanted], abs=0.06)
    lines = labels('growth')
    assert f'输入：{channels[0]} 个通道' in lines
    for before, after in pairwise(channels):
        assert f'{before} + {rate} = {after}' in lines
    assert lines.count(f'3×3 卷积，{rate}') == len(block.convs) == 4


def drawn_plates(name: str) -> list[tuple[float, float]]:
    """整列的板的宽与高，照画的次序；并排的线路里的不算。"""
    root = ET.parse(ROOT / 'img' / f'{name}.svg').getroot()
    plates = [rect for rect in root.iter(f'{SVG}rect') if rect.get('rx') == '1.5']
    found = []
    for plate in plates:
        left, width = float(plate.get('x')), float(plate.get('width'))
        if abs(left + width / 2 - whole_networks.MIDDLE) < 0.1:
            found.append((width, float(plate.get('height'))))
    return found


def drawn_bars(name: str, largest: int, most: int) -> list[int]:
    """一列里某一种条的长短换成数；最长的一根是 ``most``。"""
    root = ET.parse(ROOT / 'img' / f'{name}.svg').getroot()
    colour = [*whole_networks.COLOURS.values()][largest]
    bars = [rect for rect in root.iter(f'{SVG}rect') if rect.get('fill') == colour]
    widths = [float(bar.get('width')) for bar in bars if bar.get('height') == '8']
    return [round(width / whole_networks.BAR * most) for width in widths]


def plate_of(shape: tuple[int, ...]) -> tuple[float, float]:
    side = shape[1] if len(shape) > 1 else 1
    return (
        whole_networks.UNIT * log2(shape[0] + 1),
        max(3, side * whole_networks.PIXEL),
    )


@pytest.mark.parametrize('name', ['googlenet', 'densenet-network'])
def test_plates_and_bars_are_those_of_the_network(name: str) -> None:
    net = googlenet() if name == 'googlenet' else densenet()
    rows = layer_table(net, 224, detail=True).rows
    groups: dict[str, list] = {}
    for row in rows:
        path = row.name.partition('（')[0]
        if 'BatchNorm' not in row.name:
            groups.setdefault(path.split('.path')[0], []).append(row)
    parts = [net.get_submodule(path) for path in groups]
    if name == 'densenet-network':
        for index, block in reversed([*enumerate(net.stages)]):
            if isinstance(block, DenseBlock):
                last = max(i for i, p in enumerate(groups) if f'stages.{index}.' in p)
                parts.insert(last + 1, block)
    shapes = [(1, 224, 224), *outputs(net, parts, 1, 224, 224)]
    assert drawn_plates(name) == [
        pytest.approx(plate_of(shape), abs=0.11) for shape in shapes
    ]
    for index, cost in enumerate(('parameters', 'macs')):
        sums = [sum(getattr(row, cost) for row in part) for part in groups.values()]
        drawn = drawn_bars(name, index, max(sums))
        tolerance = max(sums) / whole_networks.BAR  # 一根条至少画一个单位
        assert drawn == pytest.approx([one for one in sums if one], abs=tolerance)


def seen_pixels(net: nn.Module, channels: int) -> int:
    """中间的一个输出能看到几个像素：对输入求梯度，数不为零的。"""
    X = torch.ones(1, channels, 9, 9, device='cpu', requires_grad=True)
    net(X)[0, :, 4, 4].sum().backward()
    return int((X.grad[0].abs().sum(0) > 0).sum())


def test_both_receptive_fields_are_measured() -> None:
    channels = 3
    with torch.device('cpu'):
        two = nn.Sequential(*layers(vgg_block(2, channels, channels), nn.Conv2d))
        one = nn.Conv2d(channels, channels, 5, padding=2)
    lines = labels('receptive-field')
    pixels = seen_pixels(two, channels)
    assert pixels == seen_pixels(one, channels)
    side = round(pixels**0.5)
    assert lines.count(f'看到 {side}×{side} = {pixels} 个像素') == 2
    each, total, large = (
        sum(conv.weight.numel() for conv in convs) // channels**2
        for convs in ([two[0]], two, [one])
    )
    assert f'权重 2×{each}c² = {total}c²' in lines
    assert f'权重 {large}c²' in lines


def test_one_by_one_is_the_example_of_the_chapter() -> None:
    text = chapter_text('nin')
    ins, outs = re.search(r'Conv2d\((\d+), (\d+), kernel_size=1\)', text).groups()
    conv = nn.Conv2d(int(ins), int(outs), kernel_size=1)
    side = int(re.search(rf'randn\(2, {ins}, (\d+), \1\)', text)[1])
    (shape,) = outputs(conv, [conv], int(ins), side, side)
    lines = labels('one-by-one')
    assert shape_labels('one-by-one') == [f'{ins}×{side}×{side}', size_text(shape)]
    rows, columns = conv.weight.shape[:2]
    assert f'权重 {columns}×{rows} 个，偏置 {conv.bias.numel()} 个' in lines
    root = ET.parse(ROOT / 'img' / 'one-by-one.svg').getroot()
    drawn = [e for e in root.iter(f'{SVG}polyline') if e.get('stroke') == '#b8730f']
    assert len(drawn) == conv.weight.numel()
    assert any(line.startswith(f'{side**2} 个像素共用') for line in lines)


def test_convolution_is_that_of_a_real_image() -> None:
    """一角的像素、卷积核、输出与写出的和，由 F.conv2d 重新算出。"""
    corner = load_dataset().test.images[:1, :, 10:16, 12:18].double()
    kernel = torch.tensor([-1.0, 0, 1], device='cpu').double().repeat(3, 1)
    output = F.conv2d(corner, kernel.view(1, 1, 3, 3))[0, 0]
    numbers = [*corner.flatten(), *kernel.flatten(), *output.flatten()]
    lines = labels('convolution')
    drawn = [line for line in lines if re.fullmatch(r'−?\d+', line)]
    assert drawn == [str(int(value)).replace('-', '−') for value in numbers]
    rows = [line.removesuffix(' +') for line in lines if line.count('×') == 3]
    products = [[str(int(x)) for x in line] for line in corner[0, 0, 1:4, 1:4].tolist()]
    assert [re.findall(r'(\d+)×\(?−?\d', row) for row in rows] == products
    assert f'= {int(output[1, 1])}' in lines


def test_global_average_pooling_is_the_head_of_nin() -> None:
    net = nin()
    maps, scores = outputs(net, [net.head[1], net.head[2]], 1, 224, 224)
    lines = labels('global-average-pooling')
    assert shape_labels('global-average-pooling') == [
        size_text(maps),
        size_text(scores),
    ]
    dense = nn.Linear(maps[0] * maps[1] * maps[2], scores[0])
    weights = dense.weight.numel()
    flat = dense.in_features
    assert f'{scores[0]} 个得分要 {flat}×{scores[0]} = {weights} 个权重' in lines
    assert lines.count(f'{maps[1] * maps[2]} 个数取平均') == 3
    assert f'类别 {scores[0]}' in lines


@pytest.mark.parametrize(
    ('name', 'ideas'), [('timeline', IDEAS), ('timeline-after', LATER)]
)
def test_timeline_has_the_years_of_the_bibliography(
    name: str, ideas: dict[str, tuple[str, str, str]]
) -> None:
    bibliography = (ROOT / 'references.bib').read_text(encoding='utf-8')
    wanted: list[str] = []
    for key in ideas:
        entry = re.search(rf'@\w+{{{key},\n(.*?)\n}}', bibliography, re.S)[1]
        published = re.search(r'\byear\s*= {(\d{4})}', entry)[1]
        arxiv = re.search(r'\beprint\s*= {(\d\d)\d\d\.', entry)
        public = f'20{arxiv[1]}' if arxiv else published
        wanted += [public] if public == published else [public, f'发表 {published}']
    lines = labels(name)
    drawn = [line for line in lines if re.fullmatch(r'(发表 )?\d{4}', line)]
    assert drawn == wanted
    apart = [line for line in lines if line.startswith('相隔')]
    gap = [f'相隔 {int(wanted[1]) - int(wanted[0])} 年'] if ideas is IDEAS else []
    assert apart == gap
    root = ET.parse(ROOT / 'img' / f'{name}.svg').getroot()
    dots = [float(dot.get('cy')) for dot in root.iter(f'{SVG}circle')]
    years = sorted({int(line) for line in wanted if line.isdigit()})
    year = (dots[-1] - dots[0]) / (years[-1] - years[0])
    assert dots == [dots[0] + year * (one - years[0]) for one in years]


def test_gradients_of_the_chain_are_products_of_slopes() -> None:
    """不用自动求导：σ' = σ(1 − σ)，从末尾往前连乘；ReLU 的都是 1。"""
    x, slopes = 1.0, []
    for _ in range(7):
        x = 1 / (1 + math.exp(-x))
        slopes.append(x * (1 - x))
    lines = labels('sigmoid-chain')
    drawn = [line for line in lines if '（导数 ' in line]
    assert drawn.count('1（导数 1）') == 7
    shown = [re.findall(r'[\d.]+', line) for line in drawn if line != '1（导数 1）']
    for number, (gradient, slope) in enumerate(shown):
        product = math.prod(slopes[number:])
        assert float(gradient) == pytest.approx(product, rel=0.05)
        assert float(slope) == pytest.approx(slopes[number], rel=0.05)
    assert len(shown) == 7 and shown[0][0] == '0.000025'


def test_pictures_went_through_real_layers() -> None:
    """混合的两张图由整数另算一遍；γ 为 0 的残差块不改变画，没有捷径的块全是 0。"""
    found = facts.read_facts()
    (_, (grey, red)), (kept, lost) = found.mixing, found.identity
    for row, line in enumerate(PICTURE):
        for column, (r, g, b) in enumerate(line):
            assert grey[row][column] == (r + 2 * g + b) // 4
            assert red[row][column] == max(0, (2 * r - g - b) // 2)
    assert kept == PICTURE
    assert {value for line in lost for pixel in line for value in pixel} == {0}


def test_the_averages_are_the_scores_of_the_shipped_network() -> None:
    with torch.device('cpu'), torch.no_grad():
        net, data = load('densenet'), load_dataset()
        [scores] = net(prepare(data.test.images[:1], 96, data))
    assert scores.argmax() == data.class_names.index('短靴')
    drawn = [
        float(line.replace('−', '-')) for line in labels('pooled-map') if '.' in line
    ]
    assert len(drawn) == 2 * (9 + 1)
    for name, values in (('短靴', drawn[:10]), ('运动鞋', drawn[10:])):
        *cells, average = values
        assert average == pytest.approx(
            scores[data.class_names.index(name)].item(), abs=0.051
        )
        assert average == pytest.approx(sum(cells) / 9, abs=0.1)


@cache
def chapter_strengths(block: int) -> Tensor:
    """由 DenseNet 一章自己的两个函数，算出一个稠密块的读取强度：（来源，读取者）。"""
    space = {'torch': torch, 'Tensor': Tensor, 'Network': Network}
    notebook = json.loads((ROOT / 'chapters' / 'densenet.ipynb').read_text('utf-8'))
    for cell in notebook['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code' and re.search(r'^def (strengths|reading)\(', source, re.M):
            exec(source, space)
    with torch.device('cpu'):
        return space['reading'](load('densenet'), block)


def test_the_strengths_drawn_are_those_of_the_chapter() -> None:
    table = chapter_strengths(0)
    expected = [f'{one:.1f}' for column in table.T for one in column if not one.isnan()]
    assert len(expected) == 15
    assert [line for line in labels('dense-reading') if '.' in line] == expected
    text = chapter_text('densenet')
    assert f'（{table[3, 3]:.1f}）' in text
    last = [chapter_strengths(block)[:4, 3] for block in range(4)]
    inputs = [f'{one[0]:.1f}' for one in last]
    assert f'块 1、块 4 读得轻（{inputs[0]}、{inputs[3]}）' in text
    assert f'块 2、块 3 比训练前还重（{inputs[1]}、{inputs[2]}）' in text
    assert all(one[0] < one[3] for one in last)  # 都不如最近的来源重


def test_the_heat_map_is_told_as_the_weights_are() -> None:
    told, tables = chapter_text('densenet'), [chapter_strengths(n) for n in range(4)]
    ratios = [[table[0, at] / table[at, at] for at in (1, 2, 3)] for table in tables]
    for number in (0, 3):
        first, last = ratios[number][0], ratios[number][-1]
        assert f'块 {number + 1} 从 {first:.1f} 降到 {last:.1f}' in told
    steady = [one.item() for number in (1, 2) for one in ratios[number]]
    assert f'一直在 {min(steady):.1f} 到 {max(steady):.1f}' in told
    assert {f'{one:.1f}' for one in tables[0][0, :4]} == {'0.6'} and '一直在 0.6 上下' in told
    after = torch.cat([table[:, 4] for table in tables[:3]])
    assert f'在 {after.min():.1f} 到 {after.max():.1f} 之间' in told
    ending = tables[3]
    assert f'{ending[4, 4]:.1f} 比 {ending[:4, 4].min():.1f}' in told


def chapter_text(name: str) -> str:
    """一章的全部文字与代码。"""
    return read_page(ROOT / 'chapters' / f'{name}.ipynb')


FIGURE = re.compile(
    r':::{figure-md} (\S+)\n!\[(.+?)\]\(/img/([\w-]+)\.svg\)\n\n(.+?)\n:::', re.S
)
CHAPTERS = [path.stem for path in sorted((ROOT / 'chapters').glob('*.ipynb'))]


@pytest.mark.parametrize('name', CHAPTERS)
def test_figures_are_referred_to_and_alt_texts_say_what_is_drawn(name: str) -> None:
    text = chapter_text(name)
    for label, alt, stem, caption in (m.groups() for m in FIGURE.finditer(text)):
        assert f'{{numref}}`{label}`' in text, label
        assert HAN.search(alt) and HAN.search(caption), label
        svg = (ROOT / 'img' / f'{stem}.svg').read_text(encoding='utf-8')
        drawn = set(
            re.findall(r'\d+', ' '.join(labels(stem)) + svg[: svg.index('<rect')])
        )
        assert set(re.findall(r'\d+', alt)) <= drawn, label


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match='不知道怎样画 .*Softmax'):
        facts.trace(nn.Sequential(nn.Softmax(1)), 1, 4, 4)


def test_a_missing_example_is_named() -> None:
    with pytest.raises(ValueError, match='nin.ipynb 里没有写明参数的 没有这个'):
        facts.called_with('nin', '没有这个')
