"""一个网络写成一串算子：网页里的引擎照着它算，不认识 PyTorch。

``describe`` 用 ``torch.fx`` 走一遍 ``forward``，每个算子记下读哪些张量、写哪个张量、用状态里的
哪个权重。张量的名字就是写出它的那一层的名字（``stages.0.convs.1.2``），相加与连结用它们所在的
块的名字，所以页面与钩子说的是同一个地方。权重不在其中，边长也不在：同一串算子读 int8 的、低秩的
权重都行。
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from deepcnn.anatomy.cuts import cuts
from deepcnn.models.densenet import DenseBlock
from deepcnn.models.network import Network

INPUT = 'image'  # 图像的名字
PIXELS = 28  # 页面里的图像的边长
Operator = dict[str, object]


class NotInPage(ValueError):
    """网络里有网页的引擎不会算的东西；消息是一行中文，写明是什么。"""


def describe(net: nn.Module) -> dict[str, object]:
    """``net`` 的算子与要看的张量：``{'operators', 'taps', 'output': 名字, 'cuts'}``。

    按评价模式：丢弃层什么也不做。``taps`` 是第一个卷积层、各阶段与得分图的输出，一个也没有时是
    网络的输出；``cuts`` 见 cuts.py。
    引擎不会算的层、函数与写法抛出 NotInPage（ValueError 的一种），写明名字。
    """
    tracer = Tracer()
    try:
        graph = tracer.trace(Whole(net))
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        # len(X) 是 RuntimeError，没有自己的类；别的 RuntimeError 是网络自己的错
        if isinstance(error, RuntimeError) and 'symbolic tracing' not in str(error):
            raise
        raise NotInPage(
            f'{type(net).__name__} 的 forward 里有随输入而变的分支或循环，网页算不了：'
            '请改成固定的层、相加与连结'
        ) from error
    names = tracer.names()
    layers = dict(net.named_modules())
    operators: list[Operator] = []
    *nodes, output = graph.nodes
    for node in nodes:
        if node.op == 'placeholder':
            names[node] = INPUT
            continue
        names.setdefault(node, node.name)
        found = operator_of(node, layers)
        inputs = [names[one] for one in node.all_input_nodes]
        operators.append({**found, 'from': inputs, 'to': names[node]})
    if output.args[0] not in names:
        raise NotInPage(f'{type(net).__name__} 返回的不是一个张量：请只返回类别得分')
    stages = [names[node] for node in tracer.stages(net)]
    first = [one['to'] for one in operators if one['do'] == 'conv'][:1]
    last = names[output.args[0]]
    return {
        'operators': operators,
        'taps': list(dict.fromkeys([*first, *stages, *score_maps(operators)])) or [last],
        'output': last, 'cuts': cuts(net, operators),
    }  # fmt: skip


def score_maps(operators: list[Operator]) -> list[str]:
    """卷积直接交给全局平均池化的图：一个通道是一类的得分，NiN 才有。"""
    made = {one['to']: one['do'] for one in operators}
    pooled = [one['from'][0] for one in operators if one['do'] == 'adaptive']
    return [name for name in pooled if made.get(name) == 'conv']


class Described(Protocol):
    """网络所认的图像：数据集的名字、各通道的均值与标准差（像素 0～1）、类别。"""

    @property
    def name(self) -> str: ...
    @property
    def mean(self) -> Sequence[float]: ...
    @property
    def std(self) -> Sequence[float]: ...
    @property
    def class_names(self) -> Sequence[str]: ...


def page_program(
    net: nn.Module, title: str, side: int, data: Described
) -> dict[str, object]:
    """``describe`` 加上页面要知道的：名字、边长（像素）、均值与标准差、类别。

    页面里的图像是 28×28 的灰度图：``data`` 是彩色的或 ``side`` 比 28 小时抛出 NotInPage。
    """
    if len(data.mean) != 1:
        raise NotInPage(f'网页里只有灰度图像，{data.name} 却有 {len(data.mean)} 个通道')
    if side < PIXELS:
        raise NotInPage(f'网页里的图像只放大、不缩小：边长至少 {PIXELS}，现在是 {side}')
    program = describe(net)
    return {
        'title': title, 'side': side, 'mean': data.mean[0], 'std': data.std[0],
        'classes': list(data.class_names), **program,
        'titles': dict(zip(program['taps'], titles(net, program['taps']), strict=True)),
    }  # fmt: skip


def titles(net: nn.Module, names: list[str]) -> list[str]:
    """各处在页面上怎样叫：DenseNet 的稠密块与过渡层，别的网络的第几段；读者的用它的名字。"""
    if not isinstance(net, Network):
        return names
    dense = any(isinstance(layer, DenseBlock) for layer in net.modules())
    found = []
    for name in names:
        match = re.fullmatch(r'stages\.(\d+).*', name)
        if name.startswith('head'):
            found.append('得分图')
        elif match is None:
            found.append('第一个卷积层' if not found else '入口')
        elif dense:
            kind = ('稠密块', '过渡层')[int(match[1]) % 2]
            found.append(f'{kind} {int(match[1]) // 2 + 1}')
        else:
            found.append(f'第 {int(match[1]) + 1} 段')
    return found


class Whole(nn.Module):
    """把要走的网络包一层：最外面的也经过 ``Tracer.call_module``。"""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, X: Tensor) -> Tensor:
        return self.net(X)


class Tracer(fx.Tracer):
    """``outputs`` 依次记下模块与它的输出；``Network`` 只走三段，不走形状的检查。"""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[tuple[str, fx.Node]] = []

    def call_module(
        self, m: nn.Module, forward: Callable, args: tuple, kwargs: dict
    ) -> fx.Proxy:
        if isinstance(m, Network):
            forward = three_parts(m)
        result = super().call_module(m, forward, args, kwargs)
        path = self.path_of_module(m).removeprefix('net').lstrip('.')
        if isinstance(result, fx.Proxy):
            self.outputs.append((path, result.node))
        return result

    def names(self) -> dict[fx.Node, str]:
        """节点 → 最里面的、输出就是它的模块；同一层用几次时加上次数。"""
        names: dict[fx.Node, str] = {}
        for path, node in self.outputs:
            if path and node not in names:
                times = sum(one.split('#')[0] == path for one in names.values())
                names[node] = f'{path}#{times + 1}' if times else path
        return names

    def stages(self, net: nn.Module) -> list[fx.Node]:
        """入口与各阶段的输出；没有分成阶段的网络是最外面各个子模块的。"""
        if isinstance(net, Network):
            stages = [f'stages.{name}' for name, _ in net.stages.named_children()]
            parts = ['stem', *stages]
        else:
            parts = [name for name, _ in net.named_children()]
        return [node for path, node in self.outputs if path in parts]


def three_parts(net: Network) -> Callable[[Tensor], Tensor]:
    return lambda X: net.head(net.stages(net.stem(X)))


def path_of(node: fx.Node) -> str:
    return str(node.target).removeprefix('net').lstrip('.')


# ---- 各种层怎样写 ---------------------------------------------------------------


def operator_of(node: fx.Node, layers: dict[str, nn.Module]) -> Operator:
    if node.op == 'call_module':
        path = path_of(node)
        layer = layers[path]
        require_alone(node, path, getattr(layer, 'inplace', False))
        return layer_operator(layer, path)
    if node.op in ('call_function', 'call_method'):
        return function_operator(node)
    raise NotInPage(f'网页的引擎不会读 {node.target}：网络的参数只能在层里')


def require_alone(node: fx.Node, name: str, inplace: bool) -> None:
    """就地改写的张量后面不能再用：引擎总是另写一个。"""
    if inplace and len(node.all_input_nodes[0].users) > 1:
        raise NotInPage(f'{name} 就地改写了后面还要用的张量：请去掉 inplace=True')


def layer_operator(layer: nn.Module, path: str) -> Operator:
    write = LAYERS.get(type(layer))
    if write is None:
        legal = '、'.join(dict.fromkeys(kind.__name__ for kind in LAYERS))
        raise NotInPage(
            f'网页的引擎不会算 {path}（{type(layer).__name__}）：它会的层有 {legal}'
        )
    return write(layer, path)


def require(layer: nn.Module, path: str, **expected: object) -> None:
    """层的几个选项只认一个值；别的值抛出 NotInPage。"""
    for name, value in expected.items():
        if getattr(layer, name) not in (value, (value, value)):
            raise NotInPage(
                f'{path}（{type(layer).__name__}）的 {name} 是 {getattr(layer, name)}：'
                f'网页的引擎只会 {value}'
            )


def pair(value: int | tuple[int, int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def weights(layer: nn.Module, path: str) -> Operator:
    bias = {} if layer.bias is None else {'bias': f'{path}.bias'}
    return {'weight': f'{path}.weight', **bias}


def conv(layer: nn.Conv2d, path: str) -> Operator:
    require(layer, path, groups=1, dilation=1, padding_mode='zeros')
    if isinstance(layer.padding, str):
        raise NotInPage(f'{path}（Conv2d）的 padding 写成了文字：请写成数')
    window = {'stride': pair(layer.stride), 'padding': pair(layer.padding)}
    return {'do': 'conv', **weights(layer, path), **window}


def batch_norm(layer: nn.BatchNorm2d, path: str) -> Operator:
    require(layer, path, affine=True, track_running_stats=True)
    return {'do': 'norm', 'layer': path, 'epsilon': layer.eps}


def pool(layer: nn.MaxPool2d | nn.AvgPool2d, path: str) -> Operator:
    require(layer, path, ceil_mode=False)
    if isinstance(layer, nn.MaxPool2d):
        require(layer, path, dilation=1)
        kind = 'max'
    else:
        require(layer, path, count_include_pad=True, divisor_override=None)
        kind = 'average'
    return {
        'do': kind, 'kernel': pair(layer.kernel_size), 'stride': pair(layer.stride),
        'padding': pair(layer.padding),
    }  # fmt: skip


def adaptive(layer: nn.AdaptiveAvgPool2d, path: str) -> Operator:
    size = pair(layer.output_size)
    if None in size:
        raise NotInPage(f'{path}（AdaptiveAvgPool2d）的输出边长没有写定：请写成数')
    return {'do': 'adaptive', 'size': size}


def flatten(layer: nn.Flatten, path: str) -> Operator:
    require(layer, path, start_dim=1, end_dim=-1)
    return {'do': 'flatten'}


def plain(kind: str) -> Callable[[nn.Module, str], Operator]:
    return lambda layer, path: {'do': kind}


LAYERS: dict[type[nn.Module], Callable[[nn.Module, str], Operator]] = {
    nn.Conv2d: conv,
    nn.BatchNorm2d: batch_norm,
    nn.ReLU: plain('relu'),
    nn.Sigmoid: plain('sigmoid'),
    nn.MaxPool2d: pool,
    nn.AvgPool2d: pool,
    nn.AdaptiveAvgPool2d: adaptive,
    nn.Linear: lambda layer, path: {'do': 'linear', **weights(layer, path)},
    nn.Flatten: flatten,
    nn.Dropout: plain('same'),
    nn.Identity: plain('same'),
}
FUNCTIONS: dict[object, str] = {
    operator.add: 'add', operator.iadd: 'add', torch.add: 'add', 'add': 'add',
    torch.cat: 'concat', torch.concat: 'concat',
    F.relu: 'relu', torch.relu: 'relu', 'relu': 'relu',
    torch.sigmoid: 'sigmoid', F.sigmoid: 'sigmoid', 'sigmoid': 'sigmoid',
    torch.flatten: 'flatten', 'flatten': 'flatten',
}  # fmt: skip


def function_operator(node: fx.Node) -> Operator:
    """``forward`` 里直接写的运算：相加、在通道维上连结、激活、展平。"""
    name = node.target if isinstance(node.target, str) else node.target.__name__
    kind = FUNCTIONS.get(node.target)
    if kind is None:
        raise NotInPage(
            f'网页的引擎不会算 {name}：forward 里可以用的是相加、torch.cat、relu、sigmoid、'
            'flatten'
        )
    given = [*node.args, *node.kwargs.values()]
    require_alone(node, name, node.target is operator.iadd)
    if kind == 'add' and not all(isinstance(one, fx.Node) for one in given):
        raise NotInPage(f'网页的引擎只会把两个张量相加：{name} 加的不是')
    if kind == 'add' and len(node.all_input_nodes) != 2:
        raise NotInPage('网页的引擎只会把两个不同的张量相加')
    if kind == 'concat' and not on_channels(node):
        raise NotInPage('网页的引擎只会在通道维（dim=1）上连结，每个张量用一次')
    if kind == 'concat' and len(node.all_input_nodes) == 1:
        return {'do': 'same'}
    if kind == 'flatten' and node.args[1:] not in ((1,), (1, -1)):
        raise NotInPage('网页的引擎只会 flatten(1)：图像之内全部展平')
    return {'do': kind}


def on_channels(node: fx.Node) -> bool:
    given = dict(zip(('tensors', 'dim'), node.args, strict=False)) | node.kwargs
    return given.get('dim') == 1 and len(given['tensors']) == len(node.all_input_nodes)
