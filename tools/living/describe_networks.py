"""把六章的网络连同它们的家族写成一份描述：site/assets/living/data/structure.js。

结构图与形状计算器（site/assets/living/）只读这一份。描述由 deepcnn.models 的网络得出：
同一个配置换几组通道、类别各造一遍，一层的输出通道若随着变，就写成「哪一个量的几倍」，
所以页面里改一个量，不用重新描述。网络在 meta 设备上，不占内存。
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from itertools import groupby, product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

import torch  # noqa: E402
from book_living.script_files import script_text  # noqa: E402
from command_line import Command, run  # noqa: E402
from torch import nn  # noqa: E402

from deepcnn.anatomy.choice import Choice  # noqa: E402
from deepcnn.anatomy.configurations import CONFIGURABLE  # noqa: E402
from deepcnn.models import densenet, googlenet, resnet  # noqa: E402
from deepcnn.models.network import Network  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402
from deepcnn.records.titles import TITLES  # noqa: E402

TARGET = ROOT / 'site' / 'assets' / 'living' / 'data' / 'structure.js'
# 决定有哪些层的量；其余的量只决定层有多大。
SHAPING = ('depth', 'num_convs', 'bottleneck')
SIDES = (1, 512)  # 页面里的边长，像素
# 每种配置各造这几遍，看一层的输出随什么变；几个量的比各不相同，不会认错。
PROBES = (
    {'num_classes': 13, 'width': 0.5, 'growth_rate': 20, 'first_padding': 1},
    {'num_classes': 17, 'width': 0.25, 'growth_rate': 12, 'first_padding': 2},
)
POOLS = {nn.MaxPool2d: 'max', nn.AvgPool2d: 'average'}
# 描述里的名字 -> (PyTorch 里的名字, 不写时的值)。
WINDOW = {
    'window': ('kernel_size', None),
    'stride': ('stride', 1),
    'padding': ('padding', 0),
}
PLAIN = {
    nn.BatchNorm2d: 'norm',
    nn.ReLU: 'relu',
    nn.Dropout: 'dropout',
    nn.Flatten: 'flatten',
    nn.AdaptiveAvgPool2d: 'global',
}
# 一块的代码在哪一节。
CODE = {
    googlenet.Inception: 'sec-googlenet-inception',
    resnet.ResidualBlock: 'sec-resnet-block-code',
    resnet.Bottleneck: 'sec-resnet-bottleneck',
}
HEAD = ('输出头', 'sec-alexnet-classifier')
Node = dict[str, object]
Values = list[float]


def part_of(family: str, index: int, count: int) -> tuple[str, str]:
    """第 ``index`` 段的名字与代码所在的节；0 是 stem，最后一段是 head。

    AlexNet 的卷积部分没有分块，不起名字：图里一层接一层。
    """
    last = index == count - 1
    if family == 'alexnet':
        return HEAD if last else ('', 'sec-alexnet-configuration')
    if family == 'vgg':
        return HEAD if last else (f'块 {index + 1}', 'sec-vgg-block')
    if family == 'nin':
        end = '输出头', 'sec-nin-model'
        return end if last else (f'NiN 块 {index + 1}', 'sec-nin-block')
    if family == 'googlenet':
        title = '输出头' if last else f'模块 {index + 1}'
        return title, 'sec-googlenet-whole'
    if index in (0, count - 1):
        title = '输出头' if index else '入口'
        family = 'densenet' if family == 'densenet' and last else 'resnet'
        return title, f'sec-{family}-model'
    if family == 'resnet':
        return f'模块 {index}', 'sec-resnet-model'
    if index % 2:
        return f'稠密块 {index // 2 + 1}', 'sec-densenet-block'
    return f'过渡层 {index // 2}', 'sec-densenet-transition'


def by_value(wanted: Values, probes: list[dict], inputs: Values) -> object:
    """``wanted`` 各遍的数写成一个常数，或 [量, 倍数]；都不合时抛出 ValueError。

    [量, 倍数] 指乘积取整；量 'in' 是这一层的输入通道，过渡层取它的一半。
    """
    if len(set(wanted)) == 1:
        return wanted[0]
    known = {name: [one[name] for one in probes] for name in probes[0]}
    tried = [(name, have, round(wanted[0] / have[0])) for name, have in known.items()]
    for name, have, factor in [*tried, ('in', inputs, 0.5)]:
        if [int(value * factor) for value in have] == wanted:
            return [name, factor]
    raise ValueError(f'看不出 {wanted} 随哪个量变：请在 describe_networks 里添上')


def describe(layers: tuple[nn.Module, ...], probes: list[dict]) -> Node:
    """同一处的模块在各遍里的样子，合成一个节点；不认识的层抛出 ValueError。"""
    first = layers[0]
    if isinstance(first, nn.Conv2d):
        inputs = [one.in_channels for one in layers]
        out = by_value([one.out_channels for one in layers], probes, inputs)
        bias = {} if first.bias is not None else {'bias': False}
        return {'kind': 'conv', 'out': out} | window(layers, probes) | bias
    if isinstance(first, nn.Linear):
        outputs = [one.out_features for one in layers]
        return {'kind': 'linear', 'out': by_value(outputs, probes, [])}
    if type(first) in POOLS:
        return {'kind': POOLS[type(first)]} | window(layers, probes)
    if type(first) in PLAIN:
        return {'kind': PLAIN[type(first)]}
    if type(first) in CODE:
        return block(layers, probes)
    if isinstance(first, densenet.DenseBlock):
        return {'kind': 'dense', 'of': row(tuple(one.convs for one in layers), probes)}
    if isinstance(first, nn.Sequential):
        return {'kind': 'row', 'of': row(layers, probes)}
    raise ValueError(f'不知道怎样描述 {type(first).__name__}')


def window(layers: tuple[nn.Module, ...], probes: list[dict]) -> Node:
    """窗口、步幅、填充；步幅 1、填充 0 不写。窗口不是方的时抛出 ValueError。"""
    known = {}
    for name, (field, usual) in WINDOW.items():
        sizes = [square(getattr(one, field)) for one in layers]
        if any(size != usual for size in sizes):
            known[name] = by_value(sizes, probes, [])
    return known


def square(size: int | tuple[int, int]) -> int:
    height, width = size if isinstance(size, tuple) else (size, size)
    if height != width:
        raise ValueError(f'窗口 {height}×{width} 不是方的：页面里只画方的')
    return height


def block(layers: tuple[nn.Module, ...], probes: list[dict]) -> Node:
    """并行的线路：Inception 的四条连结，残差块的两条相加（恒等映射不写）。"""
    kind = 'branches' if isinstance(layers[0], googlenet.Inception) else 'sum'
    lanes = {
        name: describe(tuple(getattr(one, name) for one in layers), probes)
        for name, lane in layers[0].named_children()
        if not isinstance(lane, nn.Identity)
    }
    return {'kind': kind, 'code': CODE[type(layers[0])], 'of': lanes}


def row(layers: tuple[nn.Module, ...], probes: list[dict]) -> list[Node]:
    """依次相接的各层；一模一样的相邻几个写成一个，注明 times。"""
    nodes = [describe(one, probes) for one in zip(*layers, strict=True)]
    runs = [(node, len([*same])) for node, same in groupby(nodes)]
    return [node | ({'times': times} if times > 1 else {}) for node, times in runs]


def network(family: str, nets: tuple[Network, ...], probes: list[dict]) -> list[Node]:
    """一个配置的各段：stem、stages.0……、head。"""
    count = len(nets[0].stages)
    paths = ['stem', *(f'stages.{index}' for index in range(count)), 'head']
    parts = []
    for index, path in enumerate(paths):
        title, code = part_of(family, index, len(paths))
        layer = describe(tuple(net.get_submodule(path) for net in nets), probes)
        parts.append({'path': path, 'title': title, 'code': code, 'layer': layer})
    return parts


def name_inceptions(parts: list[Node]) -> None:
    """九个 Inception 块照论文叫 3a……5b。"""
    blocks = [node for part in parts for node in walk(part['layer'])]
    blocks = [node for node in blocks if node['kind'] == 'branches']
    for node, name in zip(blocks, googlenet.INCEPTIONS, strict=True):
        node['title'] = f'Inception {name}'


def walk(node: Node) -> Iterator[Node]:
    yield node
    inside = node.get('of', [])
    for child in inside.values() if isinstance(inside, dict) else inside:
        yield from walk(child)


def build(family: str, chosen: dict) -> Network:
    with torch.device('meta'):
        return builder(family)(image_size=224, in_channels=1, **chosen)


def builder(family: str) -> Callable[..., Network]:
    """照配置造网络；论文的 DenseNet 连第一层的通道数也不同。"""
    if family != 'densenet':
        return CONFIGURABLE[family].build

    def paper(image_size: int, num_convs: tuple, **chosen: object) -> Network:
        stem = {counts: stem for counts, _, stem in densenet.VARIANTS.values()}
        bottleneck = chosen.pop('bottleneck')
        return densenet.densenet(
            num_convs=num_convs,
            stem_channels=stem.get(num_convs, 64),
            block=densenet.bottleneck_block if bottleneck else densenet.conv_block,
            **chosen,
        )

    return paper


def choices_of(family: str) -> dict[str, Choice]:
    """``family`` 可以改的各项；DenseNet 的各块层数添上论文的几种。"""
    choices = dict(CONFIGURABLE[family].choices)
    if family == 'densenet':
        counts = [counts for counts, _, _ in densenet.VARIANTS.values()]
        options = tuple(dict.fromkeys([*choices['num_convs'].options, *counts]))
        choices['num_convs'] = Choice(choices['num_convs'].label, options, (4, 4, 4, 4))
    return choices


def forms_of(family: str) -> Iterator[Node]:
    """层不同的各种配置，各写一份。"""
    choices = choices_of(family)
    shaping = {name: one.options for name, one in choices.items() if name in SHAPING}
    sizing = [name for name in choices if name in PROBES[0]]
    for chosen in product(*shaping.values()):
        form = dict(zip(shaping, chosen, strict=True))
        probes = [{name: one[name] for name in sizing} for one in PROBES]
        nets = tuple(build(family, form | probe) for probe in probes)
        parts = network(family, nets, probes)
        if family == 'googlenet':
            name_inceptions(parts)
        yield {
            'when': {name: plain(value) for name, value in form.items()},
            'smallest': min(net.smallest_input for net in nets),
            'parts': parts,
        }


def plain(value: object) -> object:
    """元组写成「4-4-4-4」，别的照旧。"""
    return '-'.join(map(str, value)) if isinstance(value, tuple) else value


def control(name: str, choice: Choice) -> Node:
    """一个控件：边长可以是任何整数，别的从几个值里选。"""
    known = {'name': name, 'label': choice.label, 'value': plain(choice.default)}
    if name == 'image_size':
        return known | {'least': SIDES[0], 'most': SIDES[1]}
    return known | {'options': [option(value) for value in choice.options]}


def option(value: object) -> Node:
    """一个可选的值，与读者看到的字；论文里有名字的，选它时别的量也照论文。"""
    if isinstance(value, bool):
        return {'value': value, 'text': '有' if value else '没有'}
    for name, (counts, growth, _) in densenet.VARIANTS.items():
        if value == counts:
            also = {'growth_rate': growth, 'bottleneck': True}
            text = f'{plain(value)}（{titled(name)}）'
            return {'value': plain(value), 'text': text, 'also': also}
    return {'value': plain(value), 'text': titled(str(plain(value)))}


def titled(name: str) -> str:
    """代号 → 名字：vgg16 → VGG-16；不是网络的代号时照旧。"""
    families = {key.rstrip('0123456789'): title for key, title in TITLES.items()}
    found = re.fullmatch(r'([a-z]+)(\d+)', name)
    return f'{families[found[1]].split("-")[0]}-{found[2]}' if found else name


def sections(text: str) -> dict[str, dict[str, str]]:
    """描述里提到的各节：在哪一章，题目是什么。"""
    known = {}
    for anchor in sorted(set(re.findall(r'sec-[a-z-]+', text))):
        page = anchor.split('-')[1]
        notebook = (ROOT / 'chapters' / f'{page}.ipynb').read_text(encoding='utf-8')
        cells = (''.join(cell['source']) for cell in json.loads(notebook)['cells'])
        title = re.search(rf'<a id="{anchor}"></a>\n#+ (.+)', '\n'.join(cells))[1]
        known[anchor] = {'page': page, 'title': title}
    return known


def description() -> dict:
    families = {
        family: {
            'controls': [control(*item) for item in choices_of(family).items()],
            'forms': [*forms_of(family)],
        }
        for family in ('alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet')
    }
    return {'families': families, 'sections': sections(json.dumps(families))}


def script() -> str:
    """structure.js 的内容：一种配置一行，改了哪里看得出来。"""
    text = script_text('structure', description())
    text = re.sub(r'(?=\{"when"|"sections"|"[\w-]+":\{"(?:controls|page)")', '\n', text)
    return f'/* 由 tools/living/describe_networks.py 写出，不要手改。 */\n{text}'


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    write_text(TARGET, script())
    print(f'已写出 {TARGET.relative_to(ROOT).as_posix()}')
    return 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
