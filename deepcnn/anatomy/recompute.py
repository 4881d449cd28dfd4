"""用时间换内存：稠密块的中间结果不保留，反向传播时重新计算。"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from deepcnn.anatomy.memory import frozen_statistics
from deepcnn.models.densenet import DenseBlock

Forward = Callable[[Tensor], Tensor]


def recomputed(
    run: Callable[..., Tensor], module: nn.Module, *inputs: Tensor
) -> Tensor:
    """返回 ``run(*inputs)``；反向传播只保留 ``inputs``，其余的到时再算一遍。

    重算的那一遍不再更新 ``module`` 里批量归一化的滑动平均，否则每步会更新两次。
    """
    return checkpoint(
        run,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,  # 稠密块里没有丢弃法之类的随机运算
        context_fn=lambda: (nullcontext(), frozen_statistics(module)),
    )


def not_at_all(block: DenseBlock) -> Forward:
    """不重算：中间结果全部保留。"""
    return block.forward


def by_convolution(block: DenseBlock) -> Forward:
    """每个卷积块重算：保留各次连结的结果，不保留归一化与激活的结果。"""

    def forward(X: Tensor) -> Tensor:
        for conv in block.convs:
            X = torch.cat([X, recomputed(conv, conv, X)], dim=1)
        return X

    return forward


def by_concatenation(block: DenseBlock) -> Forward:
    """连结也重算：各层新增的通道只存一份，要用时再连结。"""

    def forward(X: Tensor) -> Tensor:
        features = [X]
        for conv in block.convs:

            def run(*parts: Tensor, conv: nn.Module = conv) -> Tensor:
                return conv(torch.cat(parts, dim=1))

            features.append(recomputed(run, conv, *features))
        return torch.cat(features, dim=1)

    return forward


def by_block(block: DenseBlock) -> Forward:
    """整个稠密块重算：只保留它的输入。"""
    forward = block.forward
    return lambda X: recomputed(forward, block, X)


STRATEGIES = {
    'none': not_at_all,
    'convolution': by_convolution,
    'concatenation': by_concatenation,
    'block': by_block,
}


@contextmanager
def recomputing(net: nn.Module, strategy: str) -> Iterator[None]:
    """在 with 块内，``net`` 的每个稠密块按 ``strategy`` 重算；离开时恢复原样。

    ``strategy`` 是 STRATEGIES 的键。名字不认识，或要重算而网络里没有稠密块时，抛出
    ValueError。
    """
    if strategy not in STRATEGIES:
        legal = '、'.join(STRATEGIES)
        raise ValueError(f'没有 {strategy!r} 这种重算办法：可以用 {legal}')
    blocks = [module for module in net.modules() if isinstance(module, DenseBlock)]
    if not blocks and strategy != 'none':
        raise ValueError(
            '网络里没有稠密块（DenseBlock）：请换成 densenet 或 paper_densenet'
        )
    with ExitStack() as replaced:
        for block in blocks:
            replaced.callback(_put_back, block, vars(block).get('forward'))
            block.forward = STRATEGIES[strategy](block)
        yield


def _put_back(block: DenseBlock, forward: Forward | None) -> None:
    """还原：外层的 ``recomputing`` 换上的那一个，或者类里的。"""
    if forward is None:
        vars(block).pop('forward', None)
    else:
        block.forward = forward
