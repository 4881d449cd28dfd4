"""讲一个想法的图：两条流程、感受野、连乘的导数、1×1 卷积、全局平均池化、退化与恒等映射。"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10

from figures.canvas import BODY, KINDS, MARGIN, SMALL, WIDTH, Box, Drawing
from figures.steps import CONVS, Steps, by, of_kind


@dataclass(frozen=True)
class Link:
    """一串激活函数里的一个：它的导数，与传到它的输入处的梯度。"""

    slope: float
    gradient: float


Chain = tuple[Link, ...]


def pipeline() -> Drawing:
    draw = Drawing(
        'pipeline',
        '手工特征流程（左）与端到端（右）',
        '左边：第一步获取图像数据集，第二步用已有的特征提取函数生成图像的特征，第三步'
        '用机器学习模型对特征分类，只有第三步由数据学得。右边：原始像素直接送入多层网'
        '络，特征逐级学得，直到输出类别，每一层都由数据学得。',
        480,
    )
    w, left, right = 208, 20, 252
    draw.text(left + w / 2, 28, '手工特征流程', 18, bold=True)
    draw.text(right + w / 2, 28, '端到端', 18, bold=True)
    steps = (
        ('data', '1 获取图像数据集'),
        ('fixed', '2 用已有的特征', '提取函数生成特征'),
        ('learned', '3 用机器学习模型', '对特征分类'),
        ('data', '类别'),
    )
    places = ((50, 46), (134, 82), (254, 82), (374, 46))
    manual = [
        draw.box(kind, left, y, w, h, *lines)
        for (kind, *lines), (y, h) in zip(steps, places, strict=True)
    ]
    draw.chain(*manual)
    pixels = draw.box('data', right, 50, w, 46, '原始像素')
    draw.frame(right, 118, w, 234)
    labels = ('第一级：边缘', '第二级：花纹', '第三级：物体部位', '输出层：分类')
    levels = [
        draw.box('learned', right + 14, 150 + 50 * row, w - 28, 34, label)
        for row, label in enumerate(labels)
    ]
    draw.text(right + 14, 134, '多层网络', SMALL, 'start')
    classes = draw.box('data', right, 374, w, 46, '类别')
    draw.chain(pixels, *levels, classes)
    draw.legend(452, ['learned', 'fixed'])
    return draw


def receptive_field(vgg_block: Steps) -> Drawing:
    """VGG 块里的两个卷积，与看到同样大一片的一个卷积。"""
    first, second = of_kind(vgg_block, 'conv')
    between = second.window  # 一个输出看到的中间结果的边长
    field = between + first.window - 1
    small, large = by(first.window, first.window), by(field, field)
    weights = f'2×{first.window**2}c² = {2 * first.window**2}c²'
    draw = Drawing(
        'receptive-field',
        f'两个 {small} 卷积与一个 {large} 卷积看到的范围相同',
        f'左边：一个输出看到中间结果的 {by(between, between)} 格，这些格各看到输入的 '
        f'{small} 格，合起来是输入的 {large} 格。右边：一个 {large} 卷积的输出直接看到 '
        f'输入的 {large} 格。两边都是 {field**2} 个像素；设输入和输出都是 c 个通道，'
        f'权重分别是 {weights} 与 {field**2}c²。',
        598,
    )
    cell, top, left, right = 22, 50, 124, 356
    draw.text(left, 26, f'两个 {small} 卷积', 18, bold=True)
    draw.text(right, 26, f'一个 {large} 卷积', 18, bold=True)
    fields = [seen_input(draw, cx, top, field, cell) for cx in (left, right)]
    middle = field_grid(draw, left, 264, between, cell)
    outputs = [field_grid(draw, cx, 386, 1, cell) for cx in (left, right)]
    funnel(draw, fields[0], middle)
    funnel(draw, middle, outputs[0])
    funnel(draw, fields[1], outputs[1])
    colour = KINDS['conv'][2]
    window = cell * first.window
    draw.outline(fields[0].x, fields[0].y, window, window, colour)
    draw.outline(middle.x, middle.y, cell, cell, colour)
    draw.text(left + 58, 234, f'{small} 卷积', SMALL, 'start')
    draw.text(left + 40, 364, f'{small} 卷积', SMALL, 'start')
    draw.text(right + 48, 294, f'{large} 卷积', SMALL, 'start')
    for box, name in ((fields[0], '输入'), (middle, '中间'), (outputs[0], '输出')):
        draw.text(WIDTH / 2, box.cy, name, BODY)
    rows = (
        (f'看到 {large} = {field**2} 个像素',) * 2,
        (f'权重 {weights}', f'权重 {field**2}c²'),
        ('ReLU 两次', 'ReLU 一次'),
    )
    for row, texts in enumerate(rows):
        for cx, line in zip((left, right), texts, strict=True):
            draw.text(cx, 436 + 26 * row, line, BODY)
    notes = (
        f'粗框：中间左上角的一格，看到输入的 {small} 格',
        '蓝色：能影响这个输出的像素；c：输入和输出的通道数，',
        '权重不计偏置',
    )
    for row, note in enumerate(notes):
        draw.text(MARGIN + 4, 526 + 25 * row, note, SMALL, 'start')
    return draw


def seen_input(draw: Drawing, cx: float, top: float, field: int, cell: float) -> Box:
    """输入的方格，四周各多画一格看不到的；返回看得到的那一片。"""
    size = field + 2
    x = cx - size * cell / 2
    draw.grid(x, top, size, cell, border='#c3c9d0')
    return field_grid(draw, cx, top + cell, field, cell)


def field_grid(draw: Drawing, cx: float, y: float, size: int, cell: float) -> Box:
    _, fill, border = KINDS['conv']
    return draw.grid(cx - size * cell / 2, y, size, cell, fill, border)


def funnel(draw: Drawing, upper: Box, lower: Box) -> None:
    """从看到的一片收到看它的那一格。"""
    draw.line((upper.x, upper.bottom), (lower.x, lower.y), dashed=True)
    draw.line((upper.right, upper.bottom), (lower.right, lower.y), dashed=True)


def sigmoid_chain(sigmoid: Chain, relu: Chain) -> Drawing:
    """七个激活函数首尾相接：梯度从末尾的 1 走回来，各层还剩多少。"""
    depth = len(sigmoid)
    draw = Drawing(
        'sigmoid-chain',
        '梯度穿过一串 sigmoid 与一串 ReLU',
        f'{depth} 层，每层只有一个单元，权重都是 1，输入是 1。末尾的梯度是 1，往前每层乘'
        f'以那里的导数。sigmoid 一串的梯度从下往上是 '
        f'{"、".join(two_digits(one.gradient) for one in reversed(sigmoid))}；'
        'ReLU 一串处处是 1。',
        446,
    )
    columns = ((118, 'sigmoid', sigmoid, 'fixed'), (306, 'ReLU', relu, 'relu'))
    longest, pitch, top = 130, 46, 66
    for x, name, chain, kind in columns:
        draw.text(x + longest / 2, 24, name, 18, bold=True)
        for row, one in enumerate(chain):
            y = top + pitch * row
            wide = max(longest * one.gradient, 1)
            draw.box(kind, x, y, wide, 16)
            label = f'{two_digits(one.gradient)}（导数 {two_digits(one.slope)}）'
            draw.text(x, y - 11, label, SMALL, 'start')
    for row in range(depth):
        draw.text(MARGIN, top + pitch * row + 8, f'第 {row + 1} 层', BODY, 'start')
    bottom = top + pitch * (depth - 1) + 30
    draw.arrow((94, bottom), (94, top), colour=KINDS['add'][2])
    notes = (
        '条的长短：传到这一层输入处的梯度；末尾的输出处是 1',
        '箭头：反向传播的方向，每过一层乘以括号里的导数',
    )
    for row, note in enumerate(notes):
        draw.text(MARGIN, bottom + 34 + 26 * row, note, SMALL, 'start')
    return draw


def two_digits(value: float) -> str:
    """两位有效数字，不用指数；1 就写 1。"""
    return '1' if value == 1 else f'{value:.{1 - floor(log10(value))}f}'


def one_by_one(steps: Steps) -> Drawing:
    source, conv = steps
    height, width = source.shape[1:]
    ins, outs, pixels = source.channels, conv.channels, height * width
    draw = Drawing(
        'one-by-one',
        f'{conv.name}就是逐像素的全连接',
        f'输入有 {ins} 个通道，每个通道 {by(height, width)} 格。取同一个位置的 {ins} 个'
        f'数，经全连接得到 {outs} 个数，放在输出的 {outs} 个通道的同一个位置。'
        f'{pixels} 个位置共用同一组权重：{by(ins, outs)} 个权重和 {outs} 个偏置。',
        550,
    )
    cell, pitch, picked = 14, 72, (1, 2)
    side = cell * height
    draw.text(28 + side / 2, 26, '输入', 18, bold=True)
    draw.text(28 + side / 2, 50, source.size, SMALL)
    draw.text(396 + side / 2, 26, '输出', 18, bold=True)
    draw.text(396 + side / 2, 50, conv.size, SMALL)
    draw.text(WIDTH / 2, 26, '同一个像素', BODY)
    draw.text(WIDTH / 2, 50, f'全连接：{ins} → {outs}', SMALL)
    middle = 74 + (pitch * (outs - 1) + side) / 2
    columns = []
    for x, node, count in ((28, 146, ins), (396, 334, outs)):
        top = middle - (pitch * (count - 1) + side) / 2
        nodes = []
        for index in range(count):
            plane = draw.grid(x, top + pitch * index, height, cell)
            nodes.append(picked_pixel(draw, plane, cell, picked, node))
        columns.append(nodes)
    colour = KINDS['fc'][2]
    for start in columns[0]:
        for end in columns[1]:
            draw.line((start.right, start.cy), (end.x, end.cy), colour=colour)
    bottom = middle + (pitch * (outs - 1) + side) / 2
    draw.text(WIDTH / 2, bottom + 26, f'权重 {by(ins, outs)} 个，偏置 {outs} 个', BODY)
    draw.legend(
        bottom + 58,
        ['conv1x1', 'fc'],
        f'同一个像素的 {ins} 个通道，是全连接层的一个样本',
        f'{pixels} 个像素共用这一组权重，一个像素算一次',
    )
    return draw


def picked_pixel(
    draw: Drawing, plane: Box, cell: float, picked: tuple[int, int], node_x: float
) -> Box:
    """在一个通道里标出一个像素，连到旁边的全连接单元；返回那个单元。"""
    row, column = picked
    _, fill, border = KINDS['conv1x1']
    pixel = draw.grid(
        plane.x + cell * column, plane.y + cell * row, 1, cell, fill, border
    )
    draw.outline(pixel.x, pixel.y, pixel.w, pixel.h, border)
    node = Box(node_x - 9, pixel.cy - 9, 18, 18)
    near, far = (pixel.right, node.x) if node.x > pixel.x else (pixel.x, node.right)
    draw.line((near, pixel.cy), (far, node.cy), colour=border)
    draw.box('fc', node.x, node.y, node.w, node.h)
    return node


def global_average_pooling(nin: Steps) -> Drawing:
    maps = of_kind(nin, *CONVS)[-1]
    (scores,) = of_kind(nin, 'gap')
    height, width = maps.shape[1:]
    classes, count, flat = maps.channels, height * width, maps.channels * height * width
    draw = Drawing(
        'global-average-pooling',
        '全局平均池化',
        f'最后的 NiN 块输出 {classes} 张 {by(height, width)} 的类别图，每个类别一张。'
        f'每张图的 {count} 个数取平均，得到这个类别的得分，共 {classes} 个，没有参数。'
        f'若改为展平后用全连接层，{flat} 个数到 {classes} 个得分要 '
        f'{flat * classes} 个权重。',
        560,
    )
    cell = 16
    heads = ((122, '类别图', maps.size), (258, '全局平均池化', '没有参数'))
    for cx, head, size in (*heads, (402, '得分', scores.size)):
        draw.text(cx, 26, head, BODY, bold=True)
        draw.text(cx, 50, size, SMALL)
    subscripts = str.maketrans('0123456789', '₀₁₂₃₄₅₆₇₈₉')
    _, fill, border = KINDS['conv1x1']
    rows = ((72, 1), (170, 2), (304, classes))
    for y, index in rows:
        plane = draw.grid(122 - width * cell / 2, y, height, cell, fill, border)
        draw.text(MARGIN, plane.cy, f'类别 {index}', SMALL, 'start')
        mean = draw.box(
            'gap', 200, plane.cy - 18, 116, 36, f'{count} 个数取平均', size=14
        )
        score = f's{index}'.translate(subscripts)
        end = draw.box('data', 362, plane.cy - 18, 80, 36, score)
        draw.across(plane, mean)
        draw.across(mean, end)
    for cx in (122, 258, 402):
        draw.text(cx, 277, '⋮', 18)
    draw.legend(
        420,
        ['conv1x1', 'gap'],
        f'每张类别图的 {by(height, width)} = {count} 个数求平均，得到一个得分；',
        f'边长改变，得分仍是 {classes} 个',
        f'若展平后用全连接层：{maps.size} = {flat} 个数，',
        f'{classes} 个得分要 {by(flat, classes)} = {flat * classes} 个权重',
    )
    return draw


def degradation() -> Drawing:
    draw = Drawing(
        'degradation',
        '加深的网络、恒等映射与退化',
        '左边是已经训练好的浅网络，有层 A 和层 B，训练误差是 e。中间照抄层 A 和层 B，'
        '再插入两个恒等映射，函数没有变，训练误差仍是 e。右边是同样深的网络，四层都从头'
        '训练；不比 e 差的解一定存在，训练得到的误差却可能更高，这就是退化。',
        532,
    )
    w, xs, pitch = 132, (16, 174, 332), 58
    heads = (
        ('浅的网络', '已训练好'),
        ('加深：构造的解', '新层是恒等映射'),
        ('加深：直接训练', '各层从头学'),
    )
    columns = (
        (('conv', '层 A'), None, ('conv', '层 B'), None),
        (
            ('conv', '层 A（照抄）'),
            ('identity', '新层：x → x'),
            ('conv', '层 B（照抄）'),
            ('identity', '新层：x → x'),
        ),
        tuple(('conv', f'第 {index} 层') for index in range(1, 5)),
    )
    ends = ('训练误差 e', '训练误差仍是 e', '可能高于 e：退化')
    for x, (head, below), column, end in zip(xs, heads, columns, ends, strict=True):
        draw.text(x + w / 2, 26, head, BODY, bold=True)
        draw.text(x + w / 2, 50, below, SMALL)
        boxes = [draw.box('data', x, 72, w, 34, '输入')]
        for row, item in enumerate(column, start=1):
            if item is not None:
                kind, line = item
                y = 72 + pitch * row
                boxes.append(draw.box(kind, x, y, w, 34, line, size=SMALL))
        boxes.append(draw.box('data', x, 72 + pitch * 5, w, 34, end, size=SMALL))
        draw.chain(*boxes)
    draw.legend(
        430,
        ['conv', 'identity'],
        '左与中：函数相同，所以更深的网络至少能做到 e',
        '中与右：层数相同；不比 e 差的解存在，训练却未必找到',
        '残差块要得到恒等映射，新层只须输出 0',
    )
    return draw
