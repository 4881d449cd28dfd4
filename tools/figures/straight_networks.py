"""一层接一层的网络：LeNet 与 AlexNet、VGG 块、VGG-16、NiN。"""

from __future__ import annotations

from figures.canvas import (
    BODY,
    GAP,
    MARGIN,
    SMALL,
    WIDTH,
    Box,
    Drawing,
    Layer,
    layer,
)
from figures.steps import (
    CONVS,
    WEIGHTED,
    Step,
    Steps,
    by,
    of_kind,
    split_after_pools,
)


def layers_of(steps: Steps) -> list[Layer]:
    """网络的各个框：激活不单独画，丢弃法写在它前面的全连接层里。"""
    layers: list[Layer] = []
    weighted = of_kind(steps, *WEIGHTED)
    for step, following in zip(steps, (*steps[2:], None, None), strict=False):
        badge = str(weighted.index(step) + 1) if step in weighted else ''
        if step.kind == 'input':
            layers.append(layer('data', '输入', step.size))
        elif step.kind == 'flatten':
            layers.append(layer('data', f'展平：{step.size}'))
        elif step.kind == 'fc':
            dropout = following is not None and following.kind == 'dropout'
            note = '，Dropout' if dropout else ''
            note = '（输出）' if step is weighted[-1] else note
            layers.append(layer('fc', step.name + note, step.size, badge=badge))
        elif step.kind in CONVS or step.colour == 'pool':
            layers.append(layer(step.colour, step.setting, step.size, badge=badge))
    return layers


def shapes_of(steps: Steps) -> str:
    return '、'.join(step.size for step in steps)


def alexnet(lenet: Steps, alexnet: Steps) -> Drawing:
    convs, dense = of_kind(alexnet, 'conv'), of_kind(alexnet, 'fc')
    spatial = of_kind(alexnet, 'conv', 'maxpool')
    (flat,) = of_kind(alexnet, 'flatten')
    old_weighted = of_kind(lenet, *WEIGHTED)
    draw = Drawing(
        'alexnet',
        'LeNet（左）与 AlexNet（右）的结构',
        f'LeNet 有 {len(old_weighted)} 个带权重的层。AlexNet 有 '
        f'{len(convs) + len(dense)} 个：{len(convs)} 个卷积层和 {len(dense)} 个全连接层；'
        f'输入 {alexnet[0].size}，各层输出依次为 {shapes_of(spatial)}，'
        f'展平为 {flat.size}，再经 {dense[0].size}、{dense[1].size} 得到 '
        f'{dense[-1].size} 个输出。',
        920,
    )
    lenet_x, lenet_w = 20, 178
    alex_x, alex_w = 224, 240
    for x, w, name, activation in (
        (lenet_x, lenet_w, 'LeNet', 'sigmoid'),
        (alex_x, alex_w, 'AlexNet', 'ReLU'),
    ):
        draw.text(x + w / 2, 26, name, 18, bold=True)
        draw.text(x + w / 2, 50, f'激活函数 {activation}', SMALL)
    boxes = draw.column(alex_x, 70, alex_w, layers_of(alexnet))
    old = layers_of(lenet)
    cut = next(i for i, item in enumerate(old) if item.lines[0].startswith('展平'))
    features = draw.column(lenet_x, 70, lenet_w, old[:cut])
    # 两边的输出层对齐，看得出右边多了几层。
    beside = boxes[-(len(old) - cut)]
    classifier = draw.column(lenet_x, beside.y, lenet_w, old[cut:])
    draw.down(features[-1], classifier[0])
    more_convs = len(convs) - len(of_kind(lenet, 'conv'))
    more_pools = len(spatial) - len(convs) - len(of_kind(lenet, 'avgpool'))
    notes = ('右边多出', f'{more_convs} 个卷积层', f'{more_pools} 个池化层')
    for row, line in enumerate(notes):
        y = (features[-1].bottom + classifier[0].y) / 2 + 22 * (row - 1)
        draw.text(features[-1].cx + 8, y, line, SMALL, 'start')
    draw.legend(
        boxes[-1].bottom + 30,
        ['conv', 'pool', 'fc'],
        '框中第二行是输出形状：通道数×高×宽；圆圈给带权重的层编号',
    )
    return draw


def vgg_block(steps: Steps) -> Drawing:
    source, conv, *_, pool = (step for step in steps if step.kind != 'relu')
    shrink = source.shape[1] // pool.shape[1]
    draw = Drawing(
        'vgg-block',
        'VGG 块的结构',
        f'VGG 块把填充为 {conv.padding} 的 {conv.name}和 ReLU 重复 n 次，高和宽不变，'
        f'通道数由 c 变为 c′；最后用步幅为 {pool.stride} 的 {pool.name}把高和宽减半。',
        430,
    )
    same, halved = 'c′×h×w', f'c′×h/{shrink}×w/{shrink}'
    x, w = 96, 190
    first = draw.box('data', x, 20, w, 46, '输入', 'c×h×w')
    frame = draw.frame(x - 70, 90, w + 86, 152)
    window = draw.box('conv', x, 106, w, 46, conv.setting, same)
    relu = draw.box('relu', x, 176, w, 46, '激活 ReLU', same)
    end = draw.box('pool', x, 276, w, 46, pool.setting, halved)
    output = draw.box('data', x, 356, w, 46, '输出', halved)
    draw.chain(first, window, relu, end, output)
    draw.text(frame.x + 35, frame.cy - 11, '重复')
    draw.text(frame.x + 35, frame.cy + 11, 'n 次')
    note_x = frame.right + 12
    draw.text(note_x, window.cy, '高和宽不变', BODY, 'start')
    draw.text(note_x, relu.cy - 11, '第一次卷积把通道数', SMALL, 'start')
    draw.text(note_x, relu.cy + 11, 'c 变为 c′，以后不变', SMALL, 'start')
    draw.text(note_x, end.cy, '高和宽减半', BODY, 'start')
    return draw


def vgg16(steps: Steps) -> Drawing:
    source, *body = steps
    *blocks, tail = split_after_pools(tuple(body))
    convs, dense = of_kind(steps, 'conv'), of_kind(steps, 'fc')
    counts = '、'.join(str(len(of_kind(block, 'conv'))) for block in blocks)
    draw = Drawing(
        'vgg16',
        'VGG-16 的结构',
        f'VGG-16 有 {len(convs)} 个 {convs[0].name}层和 {len(dense)} 个全连接层。'
        f'{len(blocks)} 个块各有 {counts} 个卷积层，'
        f'输出依次为 {"、".join(block[-1].size for block in blocks)}，'
        f'随后是 {dense[0].size}、{dense[1].size} 和“类别数”个输出的全连接层。',
        1006,
    )
    x, w = 40, 210
    previous = draw.box('data', x, 20, w, 30, f'输入：{by(*source.shape[1:])}')
    weighted = 0
    for index, block in enumerate(blocks, start=1):
        previous = vgg16_block(draw, x, w, index, block, weighted, previous)
        weighted += len(of_kind(block, 'conv'))
    (flat,) = of_kind(tail, 'flatten')
    y = previous.bottom + GAP + 12
    labels = [step.size for step in dense[:-1]] + ['类别数']
    boxes = draw.column(
        x,
        y,
        w,
        [
            layer('data', f'展平：{flat.size}'),
            *(
                layer('fc', f'全连接，{label}', badge=str(weighted + number))
                for number, label in enumerate(labels, start=1)
            ),
        ],
    )
    draw.down(previous, boxes[0])
    draw.text(264, boxes[2].cy, f'{len(dense)} 个全连接层', BODY, 'start')
    draw.legend(
        boxes[-1].bottom + 28,
        ['conv', 'pool', 'fc'],
        f'卷积的填充都是 {convs[0].padding}，其后都有 ReLU；'
        f'圆圈给 {len(convs) + len(dense)} 个带权重的层编号',
    )
    return draw


def vgg16_block(
    draw: Drawing,
    x: float,
    w: float,
    index: int,
    block: Steps,
    weighted: int,
    previous: Box,
) -> Box:
    """一个块：虚线框里的卷积与池化，旁边写输出形状。返回池化层的框。"""
    convs, pool = of_kind(block, 'conv'), block[-1]
    top = previous.bottom + GAP + 4
    y = top + 8
    for number, conv in enumerate(convs, start=weighted + 1):
        label = f'{conv.name}，{conv.channels}'
        box = draw.box('conv', x, y, w, 26, label, badge=str(number))
        if number == weighted + 1:
            draw.down(previous, box)
        y = box.bottom + 5
    end = draw.box('pool', x, y, w, 26, pool.setting)
    frame = draw.frame(x - 20, top - 2, w + 30, end.bottom - top + 10)
    note_x = frame.right + 14
    draw.text(
        note_x, frame.cy - 12, f'块 {index}：{len(convs)} 个卷积层', BODY, 'start'
    )
    draw.text(note_x, frame.cy + 12, f'输出 {pool.size}', BODY, 'start')
    return end


def nin_block(draw: Drawing, x: float, y: float, convs: Steps) -> Box:
    """虚线框里一个 k×k 卷积和两个 1×1 卷积，高 104；旁边写输出形状。"""
    frame = draw.frame(x, y, 238, 104)
    for row, conv in enumerate(convs):
        label = f'{conv.name}，{conv.channels}'
        draw.box(conv.colour, x + 8, y + 9 + 30 * row, 122, 26, label, size=SMALL)
    draw.text(x + 184, frame.cy - 11, 'NiN 块', BODY)
    draw.text(x + 184, frame.cy + 11, convs[-1].size, SMALL)
    return frame


def nin(steps: Steps, alexnet: Steps, vgg_block: Steps) -> Drawing:
    source, *body = steps
    *blocks, tail = split_after_pools(tuple(body))
    firsts = [of_kind(block, 'conv')[0] for block in blocks]
    pools = [block[-1] for block in blocks]
    classes = of_kind(tail, 'gap')[0].channels
    draw = Drawing(
        'nin',
        'AlexNet 与 VGG（左）和 NiN（右）的结构',
        '左边先用若干个 VGG 块抽取特征，再用三个全连接层输出。'
        f'右边输入 {source.size}，每个 NiN 块是一个卷积层接两个 1×1 卷积层，依次为 '
        + '；'.join(f'{step.name}，{step.channels} 通道' for step in firsts)
        + f'。每块后接步幅为 {pools[0].stride} 的 {pools[0].name}，'
        f'输出依次为 {shapes_of(tuple(pools))}；最后的 NiN 块有 {classes} 个输出通道，'
        f'经全局平均池化直接得到 {classes} 个输出。',
        990,
    )
    left, left_w, right, right_w = 26, 170, 226, 238
    draw.text(left + left_w / 2, 26, 'AlexNet 与 VGG', 18, bold=True)
    draw.text(right + right_w / 2, 26, 'NiN', 18, bold=True)

    previous = draw.box('data', right, 46, right_w, 30, f'输入：{source.size}')
    for block, pool in zip(blocks, pools, strict=True):
        frame = nin_block(draw, right, previous.bottom + GAP, of_kind(block, *CONVS))
        draw.down(previous, frame)
        previous = draw.box(
            'pool', right, frame.bottom + GAP, right_w, 46, pool.setting, pool.size
        )
        draw.down(frame, previous)
    border = previous.bottom + 20
    last = nin_block(draw, right, border + 32, of_kind(tail, *CONVS))
    average = draw.box('gap', right, last.bottom + GAP, right_w, 30, '全局平均池化')
    output = draw.box('data', right, last.y + 184, right_w, 30, f'{classes} 个输出')
    draw.chain(previous, last, average, output)

    source_box = draw.box('data', left, 46, left_w, 30, '输入')
    frame = draw.frame(left - 10, 240, left_w + 20, 196)
    conv, pool = vgg_block[1], vgg_block[-1]
    draw.text(left + left_w / 2, 259, 'VGG 块', BODY)
    strips = [
        draw.box(step.colour, left + 10, 278 + 46 * row, left_w - 20, 30, step.name)
        for row, step in enumerate((conv, conv, pool))
    ]
    draw.text(left + left_w / 2, 420, '重复 n 次', SMALL)
    draw.down(source_box, frame)
    draw.chain(*strips)
    dense = [layer('fc', f'全连接，{step.size}') for step in of_kind(alexnet, 'fc')]
    boxes = draw.column(left, last.y, left_w, [layer('data', '展平'), *dense])
    answer = draw.box('data', left, output.y, left_w, 30, f'{classes} 个输出')
    draw.arrow((frame.cx, frame.bottom), (frame.cx, boxes[0].y))
    draw.down(boxes[-1], answer)
    draw.line((MARGIN, border), (WIDTH - MARGIN, border), dashed=True)
    draw.text(MARGIN, border - 12, '抽取特征', SMALL, 'start')
    draw.text(MARGIN, border + 13, '输出类别', SMALL, 'start')
    draw.legend(
        output.bottom + 28,
        ['conv', 'conv1x1', 'pool', 'gap', 'fc'],
        '卷积框中逗号后的数是输出通道数；每个卷积后都有 ReLU，',
        'NiN 的最后一个除外。左边画的是 VGG；AlexNet 的最后三层相同',
    )
    require_no_relu_at_the_end(tail)
    return draw


def require_no_relu_at_the_end(tail: Steps) -> None:
    """图里写着最后一个卷积之后没有 ReLU；代码改了就不能照旧画。"""
    convs_and_relus: list[Step] = [s for s in tail if s.kind in (*CONVS, 'relu')]
    if convs_and_relus[-1].kind == 'relu':
        raise ValueError('NiN 的最后一个卷积之后有了 ReLU：请改 nin 图下的说明')
