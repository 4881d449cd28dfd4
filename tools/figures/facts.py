"""图里的数从哪里来：逐层走一遍真的网络，读各章的代码与文献表。

网络建在 meta 设备上，只推算形状，不占内存。画图的模块只收到这里的结果，不用 PyTorch。
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from pybtex.database import parse_file
from torch import Tensor, nn

from deepcnn.anatomy import layer_table
from deepcnn.data import load_dataset, prepare
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.network import Network
from deepcnn.models.nin import nin
from deepcnn.models.resnet import ResidualBlock, resnet18
from deepcnn.models.trained import load
from deepcnn.models.vgg import vgg, vgg_block
from deepcnn.records.weight_facts import weight_facts
from figures.colour_pictures import PICTURE, ClassMap, Picture, grey
from figures.dense_reading import Strengths
from figures.ideas import Chain, Link
from figures.steps import Step, Steps
from figures.timeline import IDEAS, LATER, Milestone
from figures.whole_networks import Whole

ROOT = Path(__file__).resolve().parents[2]

KINDS = {
    nn.MaxPool2d: 'maxpool',
    nn.AvgPool2d: 'avgpool',
    nn.AdaptiveAvgPool2d: 'gap',
    nn.Linear: 'fc',
    nn.BatchNorm2d: 'bn',
    nn.ReLU: 'relu',
    nn.Sigmoid: 'sigmoid',
    nn.Dropout: 'dropout',
    nn.Flatten: 'flatten',
    nn.Identity: 'identity',
}
INPUT_SIZE = 224  # 各图都画论文的输入边长（像素）
LENET_SIZE = 28
SHOWN_CLASSES = ('短靴', '运动鞋')  # 第一张测试图像是短靴
DEPTH = 7  # 正文里设想的七个隐藏层
# 红绿蓝各乘以多少：明暗；红的地方。二的幂，乘加没有舍入。
MIXING = ((0.25, 0.5, 0.25), (1.0, -0.5, -0.5))


def trace(module: nn.Module, *shape: int) -> Steps:
    """让一个形状为 ``shape`` 的输入走一遍 ``module``，按执行的次序返回各层。"""
    steps: list[Step] = [Step('', 'input', shape)]

    def remember(path: str):
        def hook(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            steps.append(read(path, layer, tuple(output.shape[1:])))

        return hook

    for path, layer in module.named_modules():
        if not any(layer.children()):
            layer.register_forward_hook(remember(path))
    module.eval()(torch.zeros(1, *shape, device='meta'))
    return tuple(steps)


def read(path: str, layer: nn.Module, shape: tuple[int, ...]) -> Step:
    """一层的种类、窗口、步幅与填充；不认识的层或不是方的窗口抛出 ValueError。"""
    if isinstance(layer, nn.Conv2d):
        windows = (layer.kernel_size, layer.stride, layer.padding)
        if any(height != width for height, width in windows):
            raise ValueError(f'{path} 的窗口不是方的：请先让图能画出长方形的窗口')
        window, stride, padding = (height for height, _ in windows)
        kind = 'conv1x1' if window == 1 else 'conv'
        return Step(path, kind, shape, window, stride, padding)
    if type(layer) not in KINDS:
        raise ValueError(f'不知道怎样画 {path}（{type(layer).__name__}）')
    kind = KINDS[type(layer)]
    if kind in ('maxpool', 'avgpool'):
        return Step(path, kind, shape, layer.kernel_size, layer.stride, layer.padding)
    return Step(path, kind, shape)


def lenet() -> nn.Sequential:
    """LeNet 的教学版：AlexNet 一章的表里的各层，那一章只数它的参数，不训练它。"""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(),
        nn.Linear(120, 84), nn.Sigmoid(),
        nn.Linear(84, 10),
    )  # fmt: skip


def milestone(key: str) -> Milestone:
    """从文献表读年份；arXiv 编号的前两位是首次公开的年份。"""
    fields = parse_file(str(ROOT / 'references.bib')).entries[key].fields
    published = int(fields['year'])
    arxiv = fields.get('eprint')
    public = 2000 + int(arxiv[:2]) if arxiv else published
    return Milestone(key, public, published)


def called_with(chapter: str, function: str) -> tuple[list, dict]:
    """某一章里第一次这样调用 ``function`` 时的参数；参数须是写明的数。

    没有这样的调用时抛出 ValueError。
    """
    notebook = ROOT / 'chapters' / f'{chapter}.ipynb'
    for cell in json.loads(notebook.read_text(encoding='utf-8'))['cells']:
        if cell['cell_type'] != 'code':
            continue
        for node in ast.walk(ast.parse(''.join(cell['source']))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
                try:
                    return (
                        [ast.literal_eval(value) for value in node.args],
                        {k.arg: ast.literal_eval(k.value) for k in node.keywords},
                    )
                except ValueError:  # 参数里有变量，不是章里的例子
                    continue
    raise ValueError(f'{notebook.name} 里没有写明参数的 {function}(…)')


@dataclass(frozen=True)
class Facts:
    """各图用到的数；每个 Steps 的第一项是输入。"""

    lenet: Steps
    alexnet: Steps
    vgg_block: Steps  # 图里的通道与边长用字母，只取窗口与缩小的倍数
    vgg16: Steps
    nin: Steps
    inception: Steps  # 3a，GoogLeNet 的第一个 Inception 块
    residual: Steps  # 形状不变的残差块
    projection: Steps  # 高和宽减半、通道数改变的残差块
    resnet18: Steps
    googlenet: Whole
    densenet: Whole
    dense_block: Steps  # DenseNet 一章的第一个稠密块
    one_by_one: Steps  # NiN 一章的例子：1×1 卷积
    sigmoid_chain: Chain
    relu_chain: Chain
    mixing: tuple[tuple[tuple[float, ...], ...], tuple]
    identity: tuple[Picture, Picture]
    milestones: tuple[Milestone, ...]
    patch: tuple[tuple[int, ...], ...]  # 第一张测试图像的一角，灰度
    later_milestones: tuple[Milestone, ...]


def read_facts() -> Facts:
    image = (1, INPUT_SIZE, INPUT_SIZE)
    entry = (64, 56, 56)  # ResNet-18 第一个残差块的输入；通道数不对时会报错
    with torch.device('meta'):
        residual = resnet18()
        inception = googlenet().stages[1][0][0]
        dense = densenet().stages[0]
        one_by_one, one_by_one_input = one_by_one_example()
        return Facts(
            lenet=trace(lenet(), 1, LENET_SIZE, LENET_SIZE),
            alexnet=trace(alexnet(), *image),
            vgg_block=trace(vgg_block(2, 64, 128), 64, 56, 56),
            vgg16=trace(vgg('vgg16'), *image),
            nin=trace(nin(), *image),
            inception=trace(inception, inception.path1[0].in_channels, 28, 28),
            residual=trace(residual.stages[0][0], *entry),
            projection=trace(residual.stages[1][0], *entry),
            resnet18=trace(resnet18(), *image),
            googlenet=whole(googlenet()),
            densenet=whole(densenet()),
            dense_block=trace(dense, dense.convs[0][0].num_features, 56, 56),
            one_by_one=trace(one_by_one, *one_by_one_input),
            sigmoid_chain=chain(torch.sigmoid),
            relu_chain=chain(torch.relu),
            mixing=mixed(),
            identity=through_zeroed_blocks(),
            milestones=tuple(map(milestone, IDEAS)),
            patch=corner(),
            later_milestones=tuple(map(milestone, LATER)),
        )


def whole(net: Network) -> Whole:
    """整个网络的各层，连同层表里的参数与乘加次数。"""
    rows = layer_table(net, INPUT_SIZE, detail=True).rows
    costs = {row.name.split('（')[0]: (row.parameters, row.macs) for row in rows}
    return Whole(trace(net, 1, INPUT_SIZE, INPUT_SIZE), costs)


def corner() -> tuple[tuple[int, ...], ...]:
    """短靴的鞋面与背景相接的一角，6×6 个像素。"""
    image = load_dataset().test.images[0, 0, 10:16, 12:18]
    return tuple(map(tuple, image.tolist()))


def chain(activation: Callable[[Tensor], Tensor]) -> Chain:
    """DEPTH 个激活函数首尾相接，输入是 1：由自动求导得到各处的导数与梯度。"""
    values = [torch.ones((), dtype=torch.float64, device='cpu', requires_grad=True)]
    for _ in range(DEPTH):
        values.append(activation(values[-1]))
    slopes = [
        torch.autograd.grad(after, before, retain_graph=True)[0].item()
        for before, after in pairwise(values)
    ]
    gradients = torch.autograd.grad(values[-1], values[:-1])
    return tuple(
        Link(slope, gradient.item())
        for slope, gradient in zip(slopes, gradients, strict=True)
    )


def mixed() -> tuple[tuple[tuple[float, ...], ...], tuple]:
    """真的 1×1 卷积作用在那张小画上：(权重，两张 0～255 的图)。"""
    conv = nn.Conv2d(3, len(MIXING), 1, bias=False, device='cpu')
    weights = torch.tensor(MIXING, device='cpu')
    conv.load_state_dict({'weight': weights[:, :, None, None]})
    with torch.no_grad():
        maps = conv(picture_as_input())[0].clamp(0, 255).int().tolist()
    return MIXING, tuple(tuple(map(tuple, one)) for one in maps)


def picture_as_input() -> Tensor:
    """那张小画，float (1, 3, 12, 12)，0～255。"""
    picture = torch.tensor(PICTURE, dtype=torch.float32, device='cpu')
    return picture.movedim(2, 0)[None]


def through_zeroed_blocks() -> tuple[Picture, Picture]:
    """小画经过最后的 γ 为 0 的残差块，以及同样的、没有捷径的块。"""
    block = ResidualBlock(3, 3).to_empty(device='cpu').eval()
    for module in block.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    nn.init.zeros_(block.residual[2][1].weight)
    X = picture_as_input()
    with torch.no_grad():
        results = block(X), block.residual(X).relu()
    with_shortcut, without = (
        tuple(tuple(map(tuple, line)) for line in one[0].movedim(0, 2).int().tolist())
        for one in results
    )
    return with_shortcut, without


@cache
def class_maps() -> tuple[Picture, int, tuple[ClassMap, ...]]:
    """第一张测试图像，边长，以及随书的 DenseNet 给出的两类的得分图。

    全连接层先作用在每个位置、再平均，与先平均再作用得到同一个得分。
    """
    size = weight_facts('densenet').image_size
    with torch.device('cpu'), torch.no_grad():  # 别处在 meta 设备上
        net, data = load('densenet'), load_dataset()
        images = data.test.images[:1]
        *before, _, _, linear = net.head  # 最后三层：全局平均池化、展平、全连接
        maps = nn.Sequential(net.stem, net.stages, *before)(prepare(images, size, data))
        scores = linear(maps.movedim(1, -1))[0]  # (高, 宽, 类)
    found = []
    for name in SHOWN_CLASSES:
        values = scores[..., data.class_names.index(name)]
        found.append(
            ClassMap(name, tuple(map(tuple, values.tolist())), values.mean().item())
        )
    return grey(tuple(map(tuple, images[0, 0].tolist()))), size, tuple(found)


@cache
def reading_strengths() -> tuple[int, int, Strengths]:
    """随书的 DenseNet 的第一个稠密块：输入的通道，增长率，各读取者读各来源的强度。

    强度是权重绝对值的平均，以初始化时的期望为 1；那时权重服从 N(0, 2/m)，m 是一个输出
    用到的权重个数，绝对值的期望是 2/√(πm)。
    """
    with torch.device('cpu'):  # 别处在 meta 设备上
        net = load('densenet')
    block, transition = net.stages[:2]
    weights = [conv[2].weight for conv in block.convs] + [transition[2].weight]
    entering, added = weights[0].shape[1], weights[0].shape[0]
    columns = []
    for number, weight in enumerate(weights):
        at_start = 2 / (torch.pi * weight[0].numel()) ** 0.5
        sources = weight.detach().abs().split([entering, *[added] * number], dim=1)
        columns.append(tuple((one.mean() / at_start).item() for one in sources))
    return entering, added, tuple(columns)


def one_by_one_example() -> tuple[nn.Module, tuple[int, ...]]:
    """NiN 一章与全连接层对照的 1×1 卷积，以及它的输入形状。"""
    arguments, keywords = called_with('nin', 'torch.nn.Conv2d')
    (_, *shape), _ = called_with('nin', 'torch.randn')
    return nn.Conv2d(*arguments, **keywords), tuple(shape)
