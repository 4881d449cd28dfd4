"""数据兵分几路的块与网络：Inception 块、残差块、ResNet-18、稠密连接与它的通道增长。"""

from __future__ import annotations

from itertools import pairwise

from figures.canvas import BODY, GAP, KINDS, MARGIN, SMALL, WIDTH, Box, Drawing
from figures.steps import CONVS, Step, Steps, by, of_kind, under


def lane_lines(step: Step) -> tuple[str, ...]:
    """Inception 图里一个框的各行。"""
    if step.colour == 'pool':
        window, name = step.name.split()
        return window, name, f'填充 {step.padding}'
    padding = (f'填充 {step.padding}',) if step.padding else ()
    return step.name, *padding, f'{step.channels} 通道'


def inception(steps: Steps) -> Drawing:
    paths = [
        [step for step in under(steps, f'path{index}') if step.kind != 'relu']
        for index in range(1, 5)
    ]
    source = steps[0].channels
    outputs = [path[-1].channels for path in paths]
    total = sum(outputs)
    described = '；'.join(
        '接 '.join(
            step.name + (f'（{step.channels} 通道）' if step.kind in CONVS else '')
            for step in path
        )
        for path in paths
    )
    draw = Drawing(
        'inception',
        'Inception 块的结构',
        f'{source} 个输入通道分到四条并行的线路：{described}。'
        f'四条线路的输出在通道维上连结成 {total} 通道，高和宽不变。',
        480,
    )
    lane_w, step_x = 104, 115
    lanes = [13 + step_x * index for index in range(4)]
    start = draw.box('data', 110, 18, 260, 30, f'输入：{source} 通道，高 h，宽 w')
    fork, upper_y, lower_y = start.bottom + 18, 116, 222
    concat = draw.box(
        'concat', lanes[0], 326, lanes[3] + lane_w - lanes[0], 30, '在通道维上连结'
    )
    draw.line((start.cx, start.bottom), (start.cx, fork))
    draw.line((lanes[0] + lane_w / 2, fork), (lanes[3] + lane_w / 2, fork))
    for index, (x, path) in enumerate(zip(lanes, paths, strict=True), start=1):
        draw.text(x + lane_w / 2 - 28, fork + 17, f'线路 {index}', SMALL)
        rows = (upper_y, lower_y)[-len(path) :]
        boxes = [
            draw.box(step.colour, x, y, lane_w, 72, *lane_lines(step))
            for y, step in zip(rows, path, strict=True)
        ]
        draw.arrow((boxes[0].cx, fork), (boxes[0].cx, boxes[0].y))
        draw.chain(*boxes, concat)
    output = draw.box('data', 110, 380, 260, 30, f'输出：{total} 通道，高 h，宽 w')
    draw.arrow((output.cx, concat.bottom), (output.cx, output.y))
    draw.text(WIDTH / 2, 432, f'{" + ".join(map(str, outputs))} = {total}', BODY)
    draw.text(WIDTH / 2, 458, '每个卷积后都有 ReLU', SMALL)
    return draw


def with_stride(step: Step) -> tuple[str, str]:
    return step.name, f'步幅 {step.stride}'


def conv_lines(step: Step) -> tuple[str, ...]:
    return *with_stride(step), f'{step.channels} 通道'


def residual_panel(
    draw: Drawing, x: float, head: str, goal: str, steps: Steps, bypass: bool
) -> None:
    """残差块图里的一列；``bypass`` 为假时不画捷径。"""
    w = 90
    draw.text(x + w / 2, 26, head, BODY, bold=True)
    source = draw.box('data', x, 48, w, 44, '输入 x', steps[0].size, size=SMALL)
    frame = draw.frame(x - 6, 130, w + 12, 358)
    y, previous = frame.y + 14, source
    for step in under(steps, 'residual'):
        lines = conv_lines(step) if step.kind in CONVS else (step.name,)
        height = 62 if step.kind in CONVS else 28
        box = draw.box(step.colour, x, y, w, height, *lines, size=SMALL)
        draw.down(previous, box)
        previous, y = box, box.bottom + 18
    draw.text(x + w / 2, y + 1, '虚线框拟合', SMALL)
    draw.text(x + w / 2, y + 22, goal, SMALL)
    end = draw.box('relu', x, 576, w, 44, 'ReLU', steps[-1].size, size=SMALL)
    if bypass:
        add = draw.plus(x + w / 2, 526)
        draw_shortcut(draw, source, add, frame.right, under(steps, 'shortcut'))
        draw.arrow((add.cx, frame.bottom), (add.cx, add.y))
        draw.down(add, end)
    else:
        draw.arrow((end.cx, frame.bottom), (end.cx, end.y))
    draw.text(end.cx + 10, 556, 'f(x)', SMALL, 'start')
    draw.arrow((end.cx, end.bottom), (end.cx, end.bottom + 22))


def draw_shortcut(
    draw: Drawing, source: Box, add: Box, edge: float, shortcut: Steps
) -> None:
    """绕过虚线框的线，从输入下面到相加处；``shortcut`` 为空就是恒等映射。"""
    branch = source.bottom + 18
    if not shortcut:
        x = edge + 14
        draw.arrow((source.cx, branch), (x, branch), (x, add.cy), (add.right, add.cy))
        draw.text(x + 12, 276, 'x', BODY)
        return
    conv, norm = shortcut
    colour = KINDS['conv1x1'][2]
    x = edge + 60
    box = draw.box('conv1x1', x - 38, 232, 76, 62, *conv_lines(conv), size=SMALL)
    below = draw.box('bn', x - 43, 312, 86, 28, norm.name, size=SMALL)
    draw.arrow((source.cx, branch), (x, branch), (x, box.y), dashed=True, colour=colour)
    draw.down(box, below)
    draw.arrow(
        (x, below.bottom), (x, add.cy), (add.right, add.cy), dashed=True, colour=colour
    )


def residual_block(same: Steps, smaller: Steps) -> Drawing:
    body = '、'.join(step.name for step in under(same, 'residual'))
    conv = under(smaller, 'shortcut')[0]
    stride = under(smaller, 'residual')[0].stride
    draw = Drawing(
        'residual-block',
        '普通块与残差块',
        f'三列都是 {body}，最后是 ReLU。左列没有跨层连接，虚线框必须直接拟合 f(x)。'
        '中列的虚线框拟合残差 g(x) = f(x) − x，输入 x 绕过虚线框与它相加，再经 ReLU。'
        f'右列第一个卷积步幅为 {stride}，捷径用步幅为 {conv.stride} 的 '
        f'{conv.name}和批量归一化改变形状后再相加，'
        f'{smaller[0].size} 变成 {smaller[-1].size}；前两列保持 {same[0].size} 不变。',
        686,
    )
    residual_panel(draw, 14, '普通块', 'f(x)', same, bypass=False)
    residual_panel(draw, 122, '残差块', 'g(x)=f(x)−x', same, bypass=True)
    residual_panel(draw, 262, f'残差块（步幅 {stride}）', 'g(x)', smaller, bypass=True)
    note = f'最右：高和宽减半，捷径上的 x 先经 {conv.name}改变形状'
    draw.text(WIDTH / 2, 664, note, SMALL)
    return draw


ENTRY = 150  # ResNet-18 的图里，第一个模块从这里开始


def resnet_stage(
    draw: Drawing, y: float, index: int, stage: list[Steps], entry: Box
) -> Box:
    """一行：两个残差块组成的模块。返回最后的相加。"""
    last = stage[-1][-1]
    title = f'模块 {index}：{last.channels} 通道，输出 {last.size}'
    draw.text(MARGIN + 14, y, title, BODY, 'start', bold=True)
    mid, x, previous = y + 76, 44.0, entry
    for number, block in enumerate(stage):
        convs = [step for step in block if '.residual.' in step.path]
        boxes = [
            draw.box(
                'conv', x + 86 * i, mid - 23, 74, 46, *with_stride(conv), size=SMALL
            )
            for i, conv in enumerate(convs)
        ]
        add = draw.plus(boxes[-1].right + 23, mid)
        draw.across(*boxes)
        draw.across(boxes[-1], add)
        if number == 0:
            draw.arrow(
                (entry.cx, entry.bottom),
                (entry.cx, y - 18),
                (MARGIN, y - 18),
                (MARGIN, mid),
                (x, mid),
            )
        else:
            draw.across(previous, boxes[0])
        projection = [step for step in block if '.shortcut.' in step.path]
        resnet_bypass(draw, x, mid, add, projection)
        previous = add
        x = add.right + 26
    return previous


def resnet_bypass(
    draw: Drawing, x: float, mid: float, add: Box, projection: list[Step]
) -> None:
    """一块上方的捷径；形状改变时线上有 1×1 卷积。"""
    branch, top = x - 14, mid - 42
    if not projection:
        draw.arrow((branch, mid), (branch, top), (add.cx, top), (add.cx, add.y))
        return
    colour, (conv,) = KINDS['conv1x1'][2], projection
    box = draw.box('conv1x1', x + 10, top - 12, 136, 24, conv.setting, size=SMALL)
    draw.line((branch, mid), (branch, top), (box.x, top), dashed=True, colour=colour)
    draw.arrow(
        (box.right, top), (add.cx, top), (add.cx, add.y), dashed=True, colour=colour
    )


def resnet18(steps: Steps) -> Drawing:
    source, conv, *_ = steps
    (pool,) = of_kind(steps, 'maxpool')
    (average,) = of_kind(steps, 'gap')
    (dense,) = of_kind(steps, 'fc')
    convs = of_kind(steps, *CONVS)
    stages = [
        [under(convs, f'stages.{stage}.{block}') for block in range(2)]
        for stage in range(4)
    ]
    outputs = [stage[-1][-1].size for stage in stages]
    projection = next(step for step in convs if '.shortcut.' in step.path)
    image = by(*source.shape[1:])
    draw = Drawing(
        'resnet18',
        'ResNet-18 的结构',
        f'输入 {image}，先经步幅为 {conv.stride} 的 {conv.name}、批量归一化和 ReLU，得 '
        f'{conv.size}，再经步幅为 {pool.stride} 的 {pool.name}得 {pool.size}。'
        f'随后四个模块各有两个残差块，输出依次为 {"、".join(outputs)}；'
        f'后三个模块的第一个残差块用步幅为 {projection.stride} 的 {projection.name}'
        f'改变捷径的形状。最后是全局平均池化和 {dense.size} 个输出的全连接层。',
        ENTRY + 714,
    )
    previous = resnet_entry(draw, image, conv, pool)
    for index, stage in enumerate(stages):
        previous = resnet_stage(draw, ENTRY + 148 * index, index + 1, stage, previous)
    y = ENTRY + 148 * len(stages)
    mean = draw.box('gap', 44, y - 8, 176, 46, average.name, average.size)
    end = draw.box('fc', mean.right + 24, y - 8, 110, 46, dense.name, dense.size)
    draw.across(mean, end)
    draw.arrow(
        (previous.cx, previous.bottom),
        (previous.cx, y - 26),
        (MARGIN, y - 26),
        (MARGIN, mean.cy),
        (mean.x, mean.cy),
    )
    for row, note in enumerate(
        (
            '实线的捷径直接相加；虚线的捷径先经 1×1 卷积再相加',
            '每个卷积后都有批量归一化；模块里的 ReLU 从略',
        )
    ):
        draw.text(MARGIN, y + 62 + 24 * row, note, SMALL, 'start')
    return draw


def resnet_entry(draw: Drawing, image: str, conv: Step, pool: Step) -> Box:
    """最上面一行：从输入到池化层，输出形状写在各自的上面。返回池化层的框。"""
    y, h = 42, 66
    lines = (conv.name, f'{conv.channels} 通道', f'步幅 {conv.stride}')
    source = draw.box('data', 16, y, 76, h, '输入', image)
    first = draw.box('conv', source.right + GAP, y, 84, h, *lines)
    norm = draw.box('bn', first.right + GAP, y, 70, h, '批量', '归一化')
    relu = draw.box('relu', norm.right + GAP, y, 58, h, 'ReLU')
    lines = (*pool.name.split(), f'步幅 {pool.stride}')
    end = draw.box('pool', relu.right + GAP, y, 84, h, *lines)
    for left, right in pairwise((source, first, norm, relu, end)):
        draw.across(left, right)
    draw.text(first.cx, y - 14, f'输出 {conv.size}', SMALL)
    draw.text(end.right, y - 14, f'输出 {pool.size}', SMALL, 'end')
    return end


def densenet_panel(
    draw: Drawing, x: float, head: str, joined: str, result: str
) -> None:
    """模块 A、B，以及从 A 绕过 B 到汇合处的线。"""
    w = 130
    draw.text(x + w / 2 + 12, 28, head, 18, bold=True)
    first = draw.box('module', x, 74, w, 46, '模块 A')
    second = draw.box('module', x, 166, w, 46, '模块 B')
    draw.arrow((first.cx, 48), (first.cx, first.y))
    draw.down(first, second)
    branch, side = first.bottom + 20, x + w + 22
    if joined == 'add':
        end = draw.plus(second.cx, 276, 14)
        path = ((side, end.cy), (end.right, end.cy))
        draw.text(end.x - 8, end.cy, '相加', BODY, 'end')
    else:
        end = draw.box('concat', x, 258, w + 44, 36, '在通道维上连结')
        path = ((side, end.y),)
    draw.down(second, end)
    draw.arrow((first.cx, branch), (side, branch), *path)
    draw.text(side + 8, second.cy, 'c 通道', SMALL, 'start')
    draw.text(second.cx - 8, 235, 'd 通道', SMALL, 'end')
    draw.arrow((second.cx, end.bottom), (second.cx, 330))
    draw.text(x + w / 2 + 12, 350, result, BODY)


def densenet() -> Drawing:
    draw = Drawing(
        'densenet',
        'ResNet（左）与 DenseNet（右）的跨层连接',
        '左边的 ResNet 把模块 A 的输出与模块 B 的输出相加，两者通道数必须相同，结果仍'
        '是 c 通道。右边的 DenseNet 把模块 A 的 c 个通道与模块 B 的 d 个通道在通道维'
        '上连结，得到 c + d 个通道，模块 A 的输出原样传给后面的层。',
        376,
    )
    densenet_panel(draw, 30, 'ResNet', 'add', '输出 c 通道（须 d = c）')
    densenet_panel(draw, 266, 'DenseNet', 'concat', '输出 c + d 通道')
    return draw


def growth(steps: Steps) -> Drawing:
    """稠密块里通道数的增长；一根条是已有的全部通道，一段是一个卷积块添的。"""
    source, convs = steps[0].channels, of_kind(steps, 'conv')
    rate = convs[0].channels
    totals = [source + rate * row for row in range(len(convs) + 1)]
    draw = Drawing(
        'growth',
        '稠密块里通道数的增长',
        f'输入有 {source} 个通道。{len(convs)} 个卷积块各以已有的全部通道为输入，产生 '
        f'{rate} 个通道，与它们连结，通道数依次增为 '
        f'{"、".join(map(str, totals[1:]))}。增长率是 {rate}。',
        GROWTH * len(convs) + 176,
    )
    unit = (WIDTH - 2 * MARGIN) / totals[-1]
    for row, total in enumerate(totals):
        y = 24 + GROWTH * row
        growth_bar(draw, y, [source, *[rate] * row], unit)
        terms = (
            f'{totals[row - 1]} + {rate} = {total}' if row else f'输入：{total} 个通道'
        )
        draw.text(MARGIN + 18, y + 45, terms, BODY, 'start', bold=True)
        if row < len(convs):
            growth_block(draw, y, total, rate, unit, under(steps, f'convs.{row}'))
    for row, note in enumerate(
        (
            '条长是通道数；颜色越深，产生得越晚',
            '左侧直下的箭头：已有的通道原样保留',
            f'增长率 {rate}：每个卷积块添 {rate} 个通道',
        )
    ):
        y = 24 + GROWTH * len(convs) + 78 + 26 * row
        draw.text(MARGIN, y, note, SMALL, 'start')
    return draw


GROWTH = 132  # 两根条相隔
SHADES = ('#ffffff', '#e3e9ec', '#c3ced4', '#9fb0b9', '#78909c')


def growth_bar(draw: Drawing, y: float, counts: list[int], unit: float) -> None:
    x = float(MARGIN)
    for count, shade in zip(counts, SHADES, strict=False):
        draw.segment(x, y, count * unit, 30, shade)
        x += count * unit


def growth_block(
    draw: Drawing, y: float, total: int, rate: int, unit: float, steps: Steps
) -> None:
    """一个卷积块：旧通道直下，新通道由右边的三层产生，接在后面。"""
    below, joins = y + GROWTH, MARGIN + (total + rate / 2) * unit
    draw.arrow((MARGIN + 8, y + 30), (MARGIN + 8, below))
    (conv,) = of_kind(steps, *CONVS)
    label = '、'.join(step.name for step in steps if step is not conv)
    w = 198
    box = draw.box(
        'conv',
        min(max(joins - w / 2, 144), WIDTH - MARGIN - w),
        y + 58, w, 48, label, f'{conv.name}，{conv.channels}', size=SMALL,
    )  # fmt: skip
    draw.arrow((box.x + 14, y + 30), (box.x + 14, box.y))
    draw.arrow((joins, box.bottom), (joins, below))
