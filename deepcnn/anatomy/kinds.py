"""按层的种类数参数。"""

from torch import nn

from deepcnn.anatomy.layers import count_parameters

# 种类与颜色；颜色与结构图里同种层的边框相同（tests/ 里对照）。
COLORS = {
    'k×k 卷积': '#2f6db3',
    '1×1 卷积': '#6b4bb0',
    '全连接': '#b8730f',
    '批量归一化': '#98820c',
}


def kind_of(layer: nn.Module) -> str:
    """返回带参数的层的种类，即 COLORS 的键；别的层抛出 ValueError。"""
    if isinstance(layer, nn.Conv2d):
        return '1×1 卷积' if layer.kernel_size == (1, 1) else 'k×k 卷积'
    if isinstance(layer, nn.Linear):
        return '全连接'
    if isinstance(layer, nn.BatchNorm2d):
        return '批量归一化'
    legal = '、'.join(COLORS)
    raise ValueError(f'不知道 {type(layer).__name__} 算哪一种层：只认识 {legal}')


def parameters_by_kind(net: nn.Module) -> dict[str, int]:
    """返回 ``{种类: 参数个数}``，各项之和就是网络的参数个数。"""
    counts = dict.fromkeys(COLORS, 0)
    for layer in net.modules():
        if any(True for _ in layer.parameters(recurse=False)):
            counts[kind_of(layer)] += count_parameters(layer)
    return counts
