"""在造好的网络上只改一处：换掉某一种层，或改变丢弃的概率。"""

from collections.abc import Callable

from torch import nn


def replace_modules(
    net: nn.Module, kind: type[nn.Module], make: Callable[[], nn.Module]
) -> nn.Module:
    """就地把 ``net`` 里每个 ``kind`` 换成 ``make()``，返回 ``net``；权重都不动，
    新的层沿用原来那一层的训练或评价模式。

    一个也没有时抛出 ValueError，并列出网络里有哪几种层。
    """
    places = [
        (parent, name)
        for parent in net.modules()
        for name, child in parent.named_children()
        if type(child) is kind
    ]
    if not places:
        legal = '、'.join(sorted({type(m).__name__ for m in net.modules()}))
        raise ValueError(f'网络里没有 {kind.__name__}：可以换的有 {legal}')
    for parent, name in places:
        training = getattr(parent, name).training
        setattr(parent, name, make().train(training))
    return net


def set_dropout(net: nn.Module, rate: float) -> nn.Module:
    """就地把每个丢弃层的概率改成 ``rate``，返回 ``net``；0 表示不丢弃。

    ``rate`` 不在 0 ≤ rate < 1 里，或网络没有丢弃层时，抛出 ValueError。
    """
    if not 0 <= rate < 1:
        raise ValueError(f'丢弃的概率要满足 0 ≤ rate < 1，现在是 {rate}')
    return replace_modules(net, nn.Dropout, lambda: nn.Dropout(rate))
