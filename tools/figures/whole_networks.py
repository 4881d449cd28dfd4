"""整个网络画成一列板：GoogLeNet 与 DenseNet。宽按通道数的对数，高按边长，右边是花费。

网页上的结构图（site/assets/living/structure_drawing.js）用同样的画法，并且能点；这里是没有
脚本时看到的。
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from figures.canvas import KINDS, MARGIN, SMALL, Drawing
from figures.steps import CONVS, WEIGHTED, Step, Steps, of_kind, under

UNIT = 13.0  # 通道数每翻一倍，板宽这么多
LANE_UNIT = 4.2  # Inception 的四条线路并排时
PIXEL = 0.25  # 输入的一个像素画成这么高
MIDDLE, TEXT, BARS = 134, 236, 392
BAR = 72  # 最长的一根条
ROW, THIN = 42, 30
COLOURS = {'参数': KINDS['fc'][2], '乘加次数': KINDS['conv'][2]}

Cost = tuple[int, int]  # 参数、乘加次数


@dataclass(frozen=True)
class Whole:
    """一个网络的各层，与每层的花费（键是模块路径）。"""

    steps: Steps
    costs: dict[str, Cost]

    def cost(self, *steps: Step) -> Cost:
        """几层合起来的花费。"""
        known = [self.costs.get(step.path, (0, 0)) for step in steps]
        return sum(one for one, _ in known), sum(macs for _, macs in known)


class Column:
    """一列板，从上往下排；``largest`` 是一行里最大的花费，条按它来定长短。"""

    def __init__(self, draw: Drawing, whole: Whole, largest: Cost) -> None:
        self.draw, self.whole, self.largest = draw, whole, largest
        self.y = 20.0
        self.below: float | None = None  # 上一块板的底边

    def plate(self, step: Step, x: float, y: float, unit: float) -> tuple[float, float]:
        """一块板，中心在 (x, y)；返回它的上沿与下沿。"""
        channels, side = step.shape[0], step.shape[1] if len(step.shape) > 1 else 1
        width, height = unit * log2(channels + 1), max(3, side * PIXEL)
        kind = 'data' if step.kind == 'input' else step.colour
        self.draw.plate(kind, x, y, width, height)
        return y - height / 2, y + height / 2

    def row(self, step: Step, height: float, *lines: str, cost: Cost = (0, 0)) -> None:
        """一行：板、一两行字、两根条。"""
        middle = self.y + height / 2
        top, bottom = self.plate(step, MIDDLE, middle, UNIT)
        self.flow(top, bottom)
        for index, line in enumerate(lines):
            offset = 18 * (index - (len(lines) - 1) / 2)
            self.draw.text(TEXT, middle + offset, line, SMALL, 'start')
        self.bars(middle, cost)
        self.y += height

    def flow(self, top: float, bottom: float) -> None:
        if self.below is not None and top > self.below:
            self.draw.line((MIDDLE, self.below), (MIDDLE, top))
        self.below = bottom

    def bars(self, middle: float, cost: Cost) -> None:
        for index, colour in enumerate(COLOURS.values()):
            if cost[index]:
                length = max(1.0, BAR * cost[index] / self.largest[index])
                y = middle - 9 + 10 * index
                self.draw.bar(BARS, y, length, 8, colour)

    def layer(self, step: Step, *others: Step) -> None:
        """一层，连同不另画的 ``others``（批量归一化）。"""
        cost = self.whole.cost(step, *others)
        self.row(step, max(ROW, tall(step) + 8), step.name, step.size, cost=cost)

    def legend(self) -> None:
        y = self.y + 22
        self.draw.text(MARGIN, y, '板：宽是通道数的对数，高是边长', SMALL, 'start')
        x = float(MARGIN)
        for name, colour in COLOURS.items():
            self.draw.bar(x, y + 18, 24, 10, colour)
            self.draw.text(x + 32, y + 23, f'{name}', SMALL, 'start')
            x += 120
        kinds = ['conv', 'conv1x1', 'pool', 'gap', 'fc', 'concat']
        self.draw.legend(y + 50, kinds)


def tall(step: Step) -> float:
    return step.shape[1] * PIXEL if len(step.shape) > 1 else 0


def googlenet(whole: Whole) -> Drawing:
    steps = whole.steps
    blocks = inceptions(steps)
    flows = [step for step in steps if step.kind in (*WEIGHTED, 'maxpool', 'gap')]
    largest = biggest(whole, [*blocks.values(), *((step,) for step in steps)])
    names = '、'.join(blocks)
    pools = [step for step in of_kind(steps, 'maxpool') if step.stride > 1]
    dense = of_kind(steps, 'fc')[0]
    draw = Drawing(
        'googlenet',
        'GoogLeNet 的结构',
        f'输入 {steps[0].size}。先是三个卷积层与两个池化层，得 {pools[1].size}；'
        f'随后是九个 Inception 块 {names}，其间两次池化，边长减到 '
        f'{pools[2].shape[1]} 和 {pools[3].shape[1]}；最后是全局平均池化与 '
        f'{dense.size} 个输出的全连接层。每块四条线路的输出在通道维上连结。',
        1312,
    )
    column = Column(draw, whole, largest)
    column.row(steps[0], ROW + 24, '输入', steps[0].size)
    drawn: set[str] = set()
    for step in flows:
        name = next((name for name, inside in blocks.items() if step in inside), '')
        if not name:
            column.layer(step)
        elif name not in drawn:
            drawn.add(name)
            inception_row(column, name, blocks[name])
    column.legend()
    return draw


def inceptions(steps: Steps) -> dict[str, Steps]:
    """各 Inception 块里的层；名字照论文：3a、3b、4a……"""
    found: dict[str, list[Step]] = {}
    for step in steps:
        if '.path' in step.path:
            found.setdefault(step.path.split('.path')[0], []).append(step)
    stages = {path: int(path.split('.')[1]) + 2 for path in found}
    counted: dict[int, int] = {}
    names = {}
    for path, stage in stages.items():
        counted[stage] = counted.get(stage, -1) + 1
        names[path] = f'{stage}{"abcde"[counted[stage]]}'
    return {names[path]: tuple(inside) for path, inside in found.items()}


def biggest(whole: Whole, groups: list[Steps]) -> Cost:
    costs = [whole.cost(*group) for group in groups]
    return max(one for one, _ in costs), max(macs for _, macs in costs)


def inception_row(column: Column, name: str, block: Steps) -> None:
    """四条线路并排，然后连结成一块板。"""
    draw, top = column.draw, column.y + 10
    prefix = block[0].path.split('.path')[0]
    lanes = [
        of_kind(under(block, f'{prefix}.path{index}'), *CONVS, 'maxpool')
        for index in range(1, 5)
    ]
    centres = [MIDDLE + 49 * (index - 1.5) for index in range(4)]
    first, second, end = top + 8, top + 24, top + 38
    if column.below is not None:
        draw.line((MIDDLE, column.below), (MIDDLE, top))
    draw.line((centres[0], top), (centres[-1], top))
    for x, lane in zip(centres, lanes, strict=True):
        draw.line((x, top), (x, end))
        for y, step in zip((first, second)[-len(lane) :], lane, strict=True):
            column.plate(step, x, y, LANE_UNIT)
    draw.line((centres[0], end), (centres[-1], end))
    column.below = end
    column.y = end + 2
    channels = [lane[-1].channels for lane in lanes]
    joined = Step(prefix, 'concat', (sum(channels), *lanes[0][-1].shape[1:]))
    draw.text(TEXT, top + 16, '+'.join(map(str, channels)), SMALL, 'start')
    cost = column.whole.cost(*block)
    column.row(joined, 26, f'{name}：{joined.size}', cost=cost)
    column.y += 6


def densenet(whole: Whole) -> Drawing:
    steps = whole.steps
    convs = [step for step in of_kind(steps, *CONVS) if '.convs.' in step.path]
    stages = list(dict.fromkeys(step.path.split('.convs.')[0] for step in convs))
    blocks = [
        [step for step in convs if step.path.startswith(f'{path}.')] for path in stages
    ]
    largest = biggest(whole, [(step,) for step in steps])
    rate = convs[0].channels
    (dense,) = of_kind(steps, 'fc')
    totals = [
        joined_of(whole, path, block)
        for path, block in zip(stages, blocks, strict=True)
    ]
    draw = Drawing(
        'densenet-network',
        'DenseNet 的结构',
        f'输入 {steps[0].size}，经 {steps[1].name}与池化后是四个稠密块，每块 '
        f'{len(blocks[0])} 个卷积块，每个添 {rate} 个通道；各块的输出依次为 '
        f'{"、".join(step.size for step in totals)}。块与块之间的过渡层把通道数与边长'
        f'都减半。最后是全局平均池化与 {dense.size} 个输出的全连接层。'
        '左边的弧线是稠密连接：每个卷积块读到前面所有的输出。',
        1262,
    )
    column = Column(draw, whole, largest)
    column.row(steps[0], ROW + 24, '输入', steps[0].size)
    outside = of_kind(steps, *WEIGHTED, 'maxpool', 'avgpool', 'gap')
    waiting = dict(zip(stages, zip(blocks, totals, strict=True), strict=True))
    for step in outside:
        path = step.path.split('.convs.')[0]
        if path in waiting:
            dense_rows(column, *waiting.pop(path))
        elif '.convs.' not in step.path:
            column.layer(step)
    column.legend()
    return draw


def joined_of(whole: Whole, path: str, block: list[Step]) -> Step:
    """一个稠密块的输出：输入的通道，加上各卷积块添的。"""
    first = whole.steps.index(block[0])
    before = next(
        s for s in reversed(whole.steps[:first]) if s.kind not in ('bn', 'relu')
    )
    channels = before.channels + sum(step.channels for step in block)
    return Step(path, 'concat', (channels, *block[0].shape[1:]))


def dense_rows(column: Column, block: list[Step], joined: Step) -> None:
    """稠密块：一个卷积块一行；弧线把前面的输出都送过来。"""
    read = joined.channels - sum(step.channels for step in block)
    sources = [column.y]
    for step in block:
        reach(column.draw, sources, column.y + 6)
        line = f'读 {read} 通道，添 {step.channels}'
        column.row(step, THIN, line, cost=column.whole.cost(step))
        sources.append(column.y - 6)
        read += step.channels
    reach(column.draw, sources, column.y + 16)
    column.row(joined, ROW - 6, f'连结：{joined.size}')


def reach(draw: Drawing, sources: list[float], target: float) -> None:
    """左边的弧：隔得越远，弧越鼓。"""
    for source in sources:
        far = min(1.0, (target - source) / (5 * THIN))
        draw.bow(70, source, target, 8 + 46 * far)
