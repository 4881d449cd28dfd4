"""自测：每章十道，答案里的数由包重新算出，理由说到了每一个错的选项。"""

import re
import shlex
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from math import e, log, sqrt
from operator import truediv
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

from deepcnn.anatomy.layers import count_parameters, layer_table
from deepcnn.anatomy.windows import Window, view_layers
from deepcnn.models.alexnet import alexnet, output_size
from deepcnn.models.densenet import (
    DenseBlock,
    bottleneck_block,
    conv_block,
    densenet,
    transition_block,
)
from deepcnn.models.googlenet import INCEPTIONS, googlenet
from deepcnn.models.nin import nin
from deepcnn.models.resnet import ResidualBlock, resnet, resnet18
from deepcnn.models.vgg import CHANNELS, NUM_CONVS, vgg

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
PAGES = (
    'introduction', 'toolbox', 'clinic', 'alexnet', 'vgg', 'nin', 'googlenet', 'resnet',
    'densenet', 'summary', 'after_densenet',
)  # fmt: skip
QUESTION = re.compile(
    r'<!-- 活页：predict (.+) -->\n<details>\n<summary>自测 (\d+)：(.+)</summary>\n\n'
    r'([\s\S]+?)\n\n</details>'
)
# 答案里的数只是说法：1×1 卷积、恒为 0。
WORDED = {
    'self-googlenet-3',
    'self-nin-7',
    'self-nin-8',
    'self-resnet-1',
    'self-resnet-7',
}
# 这几章的准确率会重新录制，题目不能靠它。
RECORDED = ('alexnet', 'vgg', 'nin', 'googlenet', 'resnet')


@cache
def questions() -> dict[str, tuple[dict[str, str], int, str, str]]:
    """键 -> 标记里的选项、题号、题目、理由。"""
    found = {}
    for page in PAGES:
        for cell in nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells:
            for marker, number, asked, reason in QUESTION.findall(cell.source):
                options = dict(one.split('=', 1) for one in shlex.split(marker))
                found[options['key']] = options, int(number), asked, reason
    return found


def right(key: str) -> str:
    """对的选项，或滑块上真的数。"""
    options = questions()[key][0]
    if 'choices' not in options:
        return options['answer']
    return options['choices'].split('|')[int(options['answer']) - 1]


def conv(k: int, c_in: int, c_out: int) -> int:
    with torch.device('meta'):
        return count_parameters(nn.Conv2d(c_in, c_out, k))


def field(*layers: tuple[int, int]) -> int:
    """叠几层（窗口，步幅）之后的感受野，像素。"""
    windows = [Window(kernel, stride, 0) for kernel, stride in layers]
    return view_layers(400, windows)[-1].receptive_field


def side(net: nn.Module, size: int) -> int:
    """最后一段的特征图的边长。"""
    with torch.device('meta'):
        return net.stages(net.stem(torch.zeros(1, 1, size, size))).shape[-1]


@cache
def network(
    build: Callable[..., nn.Module], *given: object, **chosen: object
) -> nn.Module:
    with torch.device('meta'):
        return build(*given, **chosen)


def parameters(
    build: Callable[..., nn.Module], *given: object, **chosen: object
) -> int:
    return count_parameters(network(build, *given, **chosen))


def inception_parameters() -> dict[str, int]:
    blocks = [
        block
        for stage in network(googlenet).stages
        for block in stage.modules()
        if type(block).__name__ == 'Inception'
    ]
    return dict(zip(INCEPTIONS, map(count_parameters, blocks), strict=True))


def before_last_pool(size: int) -> int:
    """AlexNet 最后一个池化层的输入边长。"""
    first = (size + 4 - 11) // 4 + 1
    return ((first - 3) // 2 + 1 - 3) // 2 + 1


def passed_negative() -> float:
    """最后的 γ 为 0 的残差块，输入全是 −1 时的输出。"""
    block = ResidualBlock(2, 2).eval()
    nn.init.zeros_(block.residual[2][1].weight)
    (value,) = block(-torch.ones(1, 2, 4, 4)).unique().tolist()
    return value


def unreduced() -> tuple[int, int]:
    """4a 块的线路 3，每个位置的乘加次数：直接做，先减再做。"""
    _, _, (narrow, wide), _ = INCEPTIONS['4a']
    inputs = 480
    return inputs * wide * 25, inputs * narrow + narrow * wide * 25


def worthwhile(inputs: int) -> bool:
    """不计批量归一化，瓶颈版卷积块是不是省参数；增长率 12。"""
    plain, narrow = (
        sum(p.numel() for p in block.parameters() if p.dim() == 4)
        for block in (conv_block(inputs, 12), bottleneck_block(inputs, 12))
    )
    return narrow < plain


def grouped(groups: int, channels: int = 128) -> int:
    """3×3 分组卷积的权重个数，输入、输出的通道一样多，没有偏置。"""
    layer = nn.Conv2d(channels, channels, 3, groups=groups, bias=False, device='meta')
    return layer.weight.numel()


def patches(size: int) -> int:
    """32×32 的图块的个数。"""
    return nn.Conv2d(3, 1, 32, stride=32)(torch.zeros(1, 3, size, size)).numel()


def vgg_macs(width: int) -> int:
    """width 个通道、边长随之减半的 3×3 卷积层的乘加次数。"""
    return 9 * width**2 * (224 * 64 // width) ** 2


# 键 -> 由代码算出的答案；选择题里是一个选项的开头，别的选项不这样开头。
COMPUTED: dict[str, Callable[[], str]] = {
    'introduction-2': lambda: f'{(28 // 4) ** 2 * 8} 个',
    'introduction-6': lambda: f'{0.6 / sqrt(5):.2f} 个百分点',
    'introduction-8': lambda: '约 {:.0f} 分钟'.format(
        round(3 * layer_table(network(vgg, 'vgg11', 3, 1000), 224, in_channels=3).macs
              * 1.28e6 / 1e13 / 60, -1)
    ),
    'introduction-9': lambda: {0.5: '一半', 0.25: '四分之一'}[112**2 / 224**2],
    'toolbox-1': lambda: '×'.join(
        map(str, nn.Conv2d(1, 6, 5, padding=2)(torch.zeros(1, 28, 28)).shape)
    ),
    'toolbox-2': lambda: str(nn.MaxPool2d(5, 2)(torch.zeros(1, 32, 32)).shape[-1]),
    'toolbox-3': lambda: f'{conv(3, 3, 16)} 个',
    'toolbox-4': lambda: f'参数不变，乘加变成 {56**2 // 28**2} 倍',
    'toolbox-5': lambda: f'{field((3, 2), (3, 1))} 个像素',
    'toolbox-7': lambda: f'{1 - 0.1 + 0.1 / 10:.2f}',
    'toolbox-8': lambda: '约千分之一' if 5e-4 < 0.5 ** (20 / 2) < 2e-3 else '约一半',
    'toolbox-9': lambda: f'{10_240 // 256} 步',
    'alexnet-1': lambda: str(
        nn.Conv2d(1, 1, 11, 4, 2)(torch.zeros(1, 256, 256)).shape[-1]
    ),
    'alexnet-2': lambda: f'{conv(3, 256, 384):,} 个',
    'alexnet-4': lambda: f'{nn.Dropout(0.2)(torch.ones(1000)).max():g}',
    'alexnet-8': lambda: '约四百万个' if round(
        (parameters(alexnet, num_classes=1000) - parameters(alexnet)) / 1e6
    ) == 4 else '约四千万个',
    'alexnet-9': lambda: '最后一个池化层' if (
        before_last_pool(62) == 2 and before_last_pool(63) == 3 and output_size(63, 2) == 1
    ) else '第一个',
    'vgg-1': lambda: '{0}×{0}'.format(field(*[(3, 1)] * 4)),
    'vgg-2': lambda: str(sum(NUM_CONVS['vgg13'])),
    'vgg-4': lambda: '不变' if vgg_macs(64) == vgg_macs(128) else '减半',
    'vgg-5': lambda: f'{conv(3, 512, 512):,} 个',
    'vgg-6': lambda: f'{CHANNELS[-1] * (96 // 2**5) ** 2:,} 个',
    'vgg-7': lambda: '{:.0f}'.format(
        100 * parameters(vgg, 'vgg11', image_size=96) / parameters(vgg, 'vgg11')
    ),
    'vgg-8': lambda: '后三个块各一个' if [
        a - b for a, b in zip(NUM_CONVS['vgg19'], NUM_CONVS['vgg16'], strict=True)
    ] == [0, 0, 1, 1, 1] else '别处',
    'nin-1': lambda: f'{conv(1, 64, 10)} 个',
    'nin-3': lambda: f'{nn.AdaptiveAvgPool2d(1)(torch.zeros(10, 5, 5)).numel()} 个',
    'nin-4': lambda: '约 10 倍' if 9.5 < (
        count_parameters(network(nin, num_classes=100).head)
        / count_parameters(network(nin).head)
    ) < 10.6 else '约 100 倍',
    # 图很大，边上就不算什么
    'nin-6': lambda: f'变成约 {(side(network(nin), 1792) / side(network(nin), 896)) ** 2:.0f} 倍',
    'nin-10': lambda: str(side(network(nin), 160)),
    'googlenet-1': lambda: f'{128 + 192 + 96 + 64} 个',
    'googlenet-2': lambda: '{} 个'.format(
        *[p for p in (1, 2, 5)
          if nn.Conv2d(1, 1, 5, padding=p)(torch.zeros(1, 9, 9)).shape[-1] == 9]
    ),
    'googlenet-4': lambda: f'{truediv(*unreduced()):.1f}',
    'googlenet-7': lambda: f'约 {(1024 * 49 + 1) / (1024 + 1):.0f} 倍',
    'googlenet-8': lambda: max(inception_parameters(), key=inception_parameters().get),
    'googlenet-9': lambda: str(
        field((7, 2), (3, 2), (1, 1), (3, 1), (3, 2), *[(1, 1), (5, 1)] * 2)
    ),
    'resnet-3': lambda: f'{count_parameters(nn.BatchNorm2d(256))} 个',
    'resnet-4': lambda: f'{8 * 14 * 14:,} 个',
    'resnet-8': lambda: f'{passed_negative():g}',
    'resnet-9': lambda: str(sum(
        isinstance(m, nn.Conv2d) and 'shortcut' not in name
        for name, m in network(resnet, 'resnet34').named_modules()
    )),
    'resnet-10': lambda: str(side(network(resnet18), 160)),
    'densenet-1': lambda: str(DenseBlock(6, 48, 12).out_channels),
    'densenet-3': lambda: f'{len(list(combinations(range(7), 2)))} 条',
    'densenet-4': lambda: f'{count_parameters(transition_block(256, 128)):,} 个',
    'densenet-7': lambda: '输入 96 个通道' if worthwhile(96) > worthwhile(48) else '两种',
    'densenet-9': lambda: str(side(network(densenet), 160)),
    'clinic-1': lambda: f'约 {log(100):.1f}',
    'clinic-4': lambda: f'{-log(e / (e + 99)):.1f}',
    'summary-2': lambda: 'VGG-11' if (
        parameters(vgg, 'vgg11', image_size=96) < parameters(vgg, 'vgg11')
    ) else '没有一个',
    'summary-3': lambda: f'{len(list(combinations(range(6), 2))) * 0.05:g}',
    'summary-8': lambda: f'{0.3 * sqrt(2 / 3):.2f} 个百分点',
    'after-1': lambda: f'{grouped(8):,} 个',
    'after-4': lambda: f'{100 * (grouped(512, 512) + 512**2) / grouped(1, 512):.1f}',
    'after-5': lambda: '1×1 卷积' if 20 * grouped(256, 256) < 256**2 else '逐通道卷积',
    'after-6': lambda: str(patches(224)),
    'after-7': lambda: f'{patches(448) ** 2 // patches(224) ** 2} 倍',
}  # fmt: skip


@pytest.mark.parametrize('page', PAGES)
def test_every_chapter_has_ten(page: str) -> None:
    label = page.removesuffix('_densenet')  # 尾声的锚点与键只写 after
    asked = {
        key: one for key, one in questions().items() if key.startswith(f'self-{label}-')
    }
    assert [number for _, number, _, _ in asked.values()] == list(range(1, 11))
    assert list(asked) == [f'self-{label}-{number}' for number in range(1, 11)]


@pytest.mark.parametrize('key', COMPUTED)
def test_the_answer_is_the_computed_one(key: str) -> None:
    options, wanted = questions()[f'self-{key}'][0], COMPUTED[key]()
    if 'choices' in options:
        choices = options['choices'].split('|')
        begun = [choice for choice in choices if choice.startswith(wanted)]
        assert begun == [right(f'self-{key}')]
    else:
        assert options['answer'] == wanted


def test_every_number_that_is_an_answer_is_computed() -> None:
    free = {f'self-{key}' for key in COMPUTED}
    told = {key for key in questions() if re.search(r'\d', right(key))}
    assert told - free == WORDED


def test_choices_are_three_and_not_all_in_one_place() -> None:
    places = Counter()
    for options, *_ in questions().values():
        if 'choices' in options:
            choices = options['choices'].split('|')
            assert len(set(choices)) == 3
            places[options['answer']] += 1
    assert set(places) == {'1', '2', '3'}
    assert max(places.values()) < 0.55 * sum(places.values())


def test_reasons_explain_more_than_the_answer() -> None:
    """选择题的理由至少两句：为什么对，别的为什么不对。"""
    for key, (options, _, _, reason) in questions().items():
        assert 'choices' not in options or len(re.findall('[。；！？]', reason)) >= 2, (
            key
        )


def test_no_question_leans_on_accuracies_that_are_recorded_again() -> None:
    for key, (_, _, asked, reason) in questions().items():
        if key.split('-')[1] in RECORDED:
            assert not re.search(r'准确率[^。]*\d', asked + reason), key


def numbers_told(key: str) -> set[str]:
    return set(re.findall(r'\d[\d,]*\d(?:\.\d+)?', questions()[key][3]))


def test_numbers_in_the_reasons() -> None:
    bottleneck, plain = 12 * 4, 12
    assert {'10,368', '9,792', '5,184', '7,488'} <= numbers_told('self-densenet-7')
    assert (
        9 * 96 * plain == 10_368 and 96 * bottleneck + 9 * bottleneck * plain == 9_792
    )
    assert 9 * 48 * plain == 5_184 and 48 * bottleneck + 9 * bottleneck * plain == 7_488
    wide, usual = network(nin, num_classes=100).head, network(nin).head
    assert (count_parameters(usual), count_parameters(wide)) == (34_790, 365_900)
    assert {'34,790', '365,900'} <= numbers_told('self-nin-4')
    assert parameters(alexnet, num_classes=1000) - parameters(alexnet) == 4_056_030
    assert '4,056,030' in numbers_told('self-alexnet-8')
    assert {f'{n:,}' for n in unreduced()} <= numbers_told('self-googlenet-4')
    assert {'10,250', '501,770'} <= numbers_told('self-googlenet-7')
    assert min(inception_parameters(), key=inception_parameters().get) == '3a'
    assert grouped(128) == 1_152 and grouped(1) == 147_456
    large = nn.Conv2d(256, 256, 7, groups=256).weight.numel()
    assert large == 12_544 and large / 539_136 < 0.03  # 后者是尾声断言过的全块参数
    assert {'12,544', '539,136'} <= numbers_told('self-after-9')
    for key, kernel in (('alexnet-2', 1), ('alexnet-2', 5)):
        wrong = f'{conv(kernel, 256, 384):,}'
        assert wrong in questions()[f'self-{key}'][0]['choices']
