"""在造好的网络上只改一处：换掉某一种层。"""

from collections.abc import Callable

from torch import nn


def replace_modules(
    net: nn.Module, kind: type[nn.Module], make: Callable[[], nn.Module]
) -> nn.Module:
    """就地把 ``net`` 里每个 ``kind`` 换成 ``make()``，返回 ``net``；权重都不动，
    新的层沿用原来那一层的训练或评价模式，用在几处的一层仍是一层。

    一个也没有时抛出 ValueError，并列出网络里有哪几种层。
    """
    places = [
        (parent, name, child)
        for parent in net.modules()
        for name, child in parent._modules.items()  # named_children 不重复列共用的层
        if type(child) is kind
    ]
    if not places:
        raise ValueError(f'网络里没有 {kind.__name__}：可以换的有 {_kinds(net)}')
    replaced: dict[nn.Module, nn.Module] = {}
    for parent, name, child in places:
        if child not in replaced:
            replaced[child] = make().train(child.training)
        setattr(parent, name, replaced[child])
    return net


def _kinds(net: nn.Module) -> str:
    return '、'.join(sorted({type(module).__name__ for module in net.modules()}))
