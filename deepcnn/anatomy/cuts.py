"""网页里剪得断的地方：一处相加或连结，读不到它的某一份输入。

残差块有捷径与残差两份，Inception 块有四条线路，稠密块有它的输入与各个卷积块。名字是书里的叫法；
读者自己的网络用它的层的名字。
"""

import re
from itertools import accumulate

from torch import nn

from deepcnn.models.densenet import DenseBlock
from deepcnn.models.googlenet import INCEPTIONS, Inception
from deepcnn.models.resnet import Bottleneck, ResidualBlock

Operator = dict[str, object]
BLOCKS = (ResidualBlock, Bottleneck, Inception, DenseBlock)
PARTS = (  # 块里一层的名字 → 读者看到的
    (r'shortcut', lambda found: '捷径'),
    (r'residual', lambda found: '残差'),
    (r'path(\d+)', lambda found: f'线路 {found[1]}'),
    (r'convs\.(\d+)', lambda found: f'卷积 {int(found[1]) + 1}'),
)


def cuts(net: nn.Module, operators: list[Operator]) -> list[dict[str, object]]:
    """``[{'title', 'parts': [{'title', 'tensor', 'at', 'input'}], 'readers'}]``。

    剪断一份，就是写 ``at`` 的算子当它的第 ``input`` 个输入（``tensor``）是 0。``readers`` 只有
    连成一串的连结（稠密块）才有：写 ``at`` 的那一层读到前 ``sees`` 份，可以只叫它读不到。
    """
    layers = dict(net.named_modules())
    chains = chained([one for one in operators if one['do'] in ('add', 'concat')])
    blocks = [block_of(chain, layers) for chain in chains]
    return [
        {
            'title': title_of(blocks, number, chain[-1], layers),
            'parts': parts_of(chain, block),
            **({'readers': readers_of(chain, block, operators)} if chain[1:] else {}),
        }
        for number, (chain, block) in enumerate(zip(chains, blocks, strict=True))
    ]


def chained(joins: list[Operator]) -> list[list[Operator]]:
    """一个连结接着上一个的输出往下连，就是同一处。"""
    chains: list[list[Operator]] = []
    for join in joins:
        last = chains[-1][-1] if chains else None
        concats = last and last['do'] == join['do'] == 'concat'
        if concats and join['from'][0] == last['to']:
            chains[-1].append(join)
        else:
            chains.append([join])
    return chains


def block_of(chain: list[Operator], layers: dict[str, nn.Module]) -> str | None:
    """这一处在哪个块里：块的名字；不是书里的块时是 None。"""
    names = list(accumulate(chain[0]['from'][1].split('.'), '{}.{}'.format))
    found = [one for one in names if isinstance(layers.get(one), BLOCKS)]
    return found[-1] if found else None


def parts_of(chain: list[Operator], block: str | None) -> list[dict[str, object]]:
    return [
        {'title': part_title(tensor, block), 'tensor': tensor, 'at': join['to'], 'input': i}
        for join in chain
        for i, tensor in enumerate(join['from'])
        if join is chain[0] or i
    ]  # fmt: skip


def readers_of(
    chain: list[Operator], block: str | None, operators: list[Operator]
) -> list[dict[str, object]]:
    sees = len(chain[0]['from'])
    readers = []
    for join in chain:
        for one in operators:
            if one['from'][0] == join['to'] and one not in chain:
                title = part_title(one['to'], block, '块之后的层')
                readers.append({'title': title, 'at': one['to'], 'sees': sees})
        sees += 1
    return readers


def part_title(name: str, block: str | None, outside: str = '输入') -> str:
    if block is None:
        return name
    if not name.startswith(f'{block}.'):
        return outside
    inside = name.removeprefix(f'{block}.')
    for pattern, write in PARTS:
        if found := re.match(pattern, inside):
            return write(found)
    return inside


def title_of(
    blocks: list[str | None], number: int, join: Operator, layers: dict[str, nn.Module]
) -> str:
    """稠密块 1、Inception 块 3a、第 2 段的残差块 1；别的写那一处的名字。"""
    block = blocks[number]
    if block is None:
        return f'{"相加" if join["do"] == "add" else "连结"} {join["to"]}'
    kind = type(layers[block])
    same = [one for one in blocks if one and type(layers[one]) is kind]
    if kind is DenseBlock:
        return f'稠密块 {same.index(block) + 1}'
    if kind is Inception:
        at = same.index(block)
        whole = len(same) == len(INCEPTIONS)  # GoogLeNet 的九块：3a～5b
        return f'Inception 块 {list(INCEPTIONS)[at] if whole else at + 1}'
    stage = block.rpartition('.')[0]
    inside = [one for one in same if one.rpartition('.')[0] == stage]
    where = re.fullmatch(r'stages\.(\d+)', stage)
    place = f'第 {int(where[1]) + 1} 段的' if where else ''
    return f'{place}残差块 {inside.index(block) + 1}'
