"""Draw the structure figures of the book: ``img/*.svg``.

    python tools/draw_figures.py           rewrite every figure
    python tools/draw_figures.py --check   exit 1 and name the figures that differ

Only the standard library is used and the output is deterministic, so the figures
can be committed and checked. All lengths are SVG user units; y grows downwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

IMG_DIR = Path(__file__).resolve().parent.parent / 'img'

FONT = (
    "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"
)
INK = '#1b1f24'
LINE = '#4a5159'
WIDTH = 480  # narrow, so that 16-unit text stays readable on a phone
MARGIN = 16
GAP = 16  # room for one arrow between two boxes
BODY = 16
SMALL = 15

# One colour per kind of layer, the same in every figure: (name, fill, border).
KINDS = {
    'conv': ('卷积', '#bcd7f5', '#2f6db3'),
    'conv1x1': ('1×1 卷积', '#d9ccf3', '#6b4bb0'),
    'pool': ('池化', '#c9e9c0', '#3f8f3a'),
    'gap': ('全局平均池化', '#a6ddd3', '#1f8577'),
    'fc': ('全连接', '#fbd9a5', '#b8730f'),
    'bn': ('批量归一化', '#f6e9a6', '#98820c'),
    'relu': ('激活 ReLU', '#f9cbc6', '#c44a3f'),
    'add': ('相加', '#f6bfe0', '#a8367b'),
    'concat': ('连结', '#cfd8dd', '#455a64'),
    'data': ('数据', '#ffffff', '#6a737d'),
    'module': ('模块', '#eceff3', '#6a737d'),
    'learned': ('由数据学得', '#e3f0b0', '#6f8c17'),
    'fixed': ('由人设计', '#e4e6e9', '#6a737d'),
}


@dataclass(frozen=True)
class Box:
    """A rectangle with its top left corner at (x, y)."""

    x: float
    y: float
    w: float
    h: float

    @property
    def cx(self) -> float:
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        return self.y + self.h / 2

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h


@dataclass(frozen=True)
class Layer:
    """What one box of a column says: its kind, its lines and an optional badge."""

    kind: str
    lines: tuple[str, ...]
    badge: str = ''


def layer(kind: str, *lines: str, badge: str = '') -> Layer:
    return Layer(kind, lines, badge)


def number(value: float) -> str:
    """Shortest decimal form, so that the files do not depend on float printing."""
    return f'{value:.1f}'.removesuffix('.0')


def text_width(line: str, size: float) -> float:
    """Upper estimate of the width of a line: Han signs are square, others narrower."""
    return size * sum(1.0 if ord(sign) >= 0x2E80 else 0.62 for sign in line)


class Drawing:
    """One figure: a white plate on which boxes, arrows and text are placed.

    Raises ValueError when a text would leave its box or the plate, because nobody
    sees that in the code.
    """

    def __init__(
        self, name: str, title: str, desc: str, height: float, width: float = WIDTH
    ) -> None:
        self.name, self.title, self.desc = name, title, desc
        self.width, self.height = width, height
        self.parts: list[str] = []

    def require_inside(self, x: float, y: float, w: float, h: float, what: str) -> None:
        if x < 0 or y < 0 or x + w > self.width or y + h > self.height:
            raise ValueError(f'{self.name}: 超出画面，请移动或放大画面：{what}')

    def text(
        self,
        x: float,
        y: float,
        line: str,
        size: float = BODY,
        anchor: str = 'middle',
        bold: bool = False,
        colour: str = INK,
    ) -> None:
        """Write one line whose vertical middle is at y."""
        width = text_width(line, size)
        left = x - {'start': 0, 'middle': width / 2, 'end': width}[anchor]
        self.require_inside(left, y - size / 2, width, size, line)
        weight = ' font-weight="700"' if bold else ''
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y + 0.36 * size)}" '
            f'font-size="{number(size)}" text-anchor="{anchor}" fill="{colour}"'
            f'{weight}>{escape(line)}</text>'
        )

    def box(
        self,
        kind: str,
        x: float,
        y: float,
        w: float,
        h: float,
        *lines: str,
        badge: str = '',
        size: float = BODY,
    ) -> Box:
        """A layer: filled with the colour of its kind, its lines centred in it."""
        _, fill, border = KINDS[kind]
        self.require_inside(x, y, w, h, ' '.join(lines))
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" rx="5" fill="{fill}" stroke="{border}" '
            'stroke-width="1.4"/>'
        )
        place = Box(x, y, w, h)
        spacing = size + 4
        first = place.cy - spacing * (len(lines) - 1) / 2
        for index, line in enumerate(lines):
            if text_width(line, size) > w - 2:
                raise ValueError(f'{self.name}: 框放不下这行字，请加宽框：{line}')
            self.text(place.cx, first + spacing * index, line, size)
        if badge:
            self.disc(x, place.cy, 11, border, badge)
        return place

    def disc(self, x: float, y: float, r: float, fill: str, label: str) -> None:
        """A small filled circle with white text: the number of a weight layer."""
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" '
            f'fill="{fill}" stroke="#ffffff" stroke-width="1.5"/>'
        )
        self.text(x, y, label, 14, bold=True, colour='#ffffff')

    def plus(self, x: float, y: float, r: float = 11) -> Box:
        """The sign of an addition, element by element."""
        _, fill, border = KINDS['add']
        arm = r * 0.55
        self.require_inside(x - r, y - r, 2 * r, 2 * r, '+')
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" '
            f'fill="{fill}" stroke="{border}" stroke-width="1.4"/>'
            f'<path d="M{number(x - arm)} {number(y)}H{number(x + arm)}'
            f'M{number(x)} {number(y - arm)}V{number(y + arm)}" '
            f'stroke="{border}" stroke-width="2.2"/>'
        )
        return Box(x - r, y - r, 2 * r, 2 * r)

    def cells(
        self, x: float, y: float, count: int, w: float, h: float, fill: str
    ) -> None:
        """A row of channels, one cell each."""
        for index in range(count):
            self.parts.append(
                f'<rect x="{number(x + w * index)}" y="{number(y)}" '
                f'width="{number(w)}" height="{number(h)}" fill="{fill}" '
                f'stroke="{INK}" stroke-width="1"/>'
            )

    def frame(self, x: float, y: float, w: float, h: float) -> Box:
        """A dashed frame around layers that belong together."""
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" rx="8" fill="none" stroke="{LINE}" '
            'stroke-width="1.4" stroke-dasharray="6 4"/>'
        )
        return Box(x, y, w, h)

    def line(
        self,
        *points: tuple[float, float],
        dashed: bool = False,
        colour: str = LINE,
        head: bool = False,
    ) -> None:
        for x, y in points:
            self.require_inside(x, y, 0, 0, '线')
        path = ' '.join(f'{number(x)},{number(y)}' for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ''
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="1.7" stroke-linejoin="round"{dash}/>'
        )
        if head:
            self.head(points[-2], points[-1], colour)

    def arrow(
        self,
        *points: tuple[float, float],
        dashed: bool = False,
        colour: str = LINE,
    ) -> None:
        """A line along the points; its head touches the last one."""
        self.line(*points, dashed=dashed, colour=colour, head=True)

    def head(
        self, before: tuple[float, float], tip: tuple[float, float], colour: str
    ) -> None:
        """The arrow head; the last part of an arrow is horizontal or vertical."""
        dx = (tip[0] > before[0]) - (tip[0] < before[0])
        dy = (tip[1] > before[1]) - (tip[1] < before[1])
        corners = (
            tip,
            (tip[0] - 8 * dx - 4.5 * dy, tip[1] - 8 * dy - 4.5 * dx),
            (tip[0] - 8 * dx + 4.5 * dy, tip[1] - 8 * dy + 4.5 * dx),
        )
        path = ' '.join(f'{number(x)},{number(y)}' for x, y in corners)
        self.parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def down(self, upper: Box, lower: Box) -> None:
        """An arrow from the bottom of one box to the top of the next."""
        self.arrow((upper.cx, upper.bottom), (upper.cx, lower.y))

    def chain(self, *boxes: Box) -> None:
        """Arrows downwards through all the boxes."""
        for upper, lower in pairwise(boxes):
            self.down(upper, lower)

    def across(self, left: Box, right: Box) -> None:
        """An arrow from the right side of one box to the left side of the next."""
        self.arrow((left.right, left.cy), (right.x, left.cy))

    def column(
        self, x: float, y: float, w: float, layers: list[Layer], gap: float = GAP
    ) -> list[Box]:
        """Stack the layers from y downwards, joined by arrows."""
        boxes: list[Box] = []
        for item in layers:
            height = 46 if len(item.lines) == 2 else 30
            box = self.box(item.kind, x, y, w, height, *item.lines, badge=item.badge)
            if boxes:
                self.down(boxes[-1], box)
            boxes.append(box)
            y = box.bottom + gap
        return boxes

    def legend(self, y: float, kinds: list[str], *notes: str) -> float:
        """Colour patches with their names, wrapped; then notes. Returns the end."""
        x = float(MARGIN)
        for kind in kinds:
            name, fill, border = KINDS[kind]
            width = 24 + text_width(name, SMALL) + 12
            if x + width > self.width:
                x, y = MARGIN, y + 26
            self.parts.append(
                f'<rect x="{number(x)}" y="{number(y - 8)}" width="18" height="16" '
                f'rx="3" fill="{fill}" stroke="{border}" stroke-width="1.4"/>'
            )
            self.text(x + 24, y, name, SMALL, 'start')
            x += width
        for note in notes:
            y += 26
            self.text(MARGIN, y, note, SMALL, 'start')
        return y

    def svg(self) -> str:
        """The finished file."""
        width, height = number(self.width), number(self.height)
        ids = f'{self.name}-title', f'{self.name}-desc'
        body = '\n'.join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-labelledby="{ids[0]} {ids[1]}" font-family="{FONT}">\n'
            f'<title id="{ids[0]}">{escape(self.title)}</title>\n'
            f'<desc id="{ids[1]}">{escape(self.desc)}</desc>\n'
            f'<rect x="0.5" y="0.5" width="{number(self.width - 1)}" '
            f'height="{number(self.height - 1)}" rx="12" fill="#ffffff" '
            'stroke="#d0d7de"/>\n'
            f'{body}\n</svg>\n'
        )


def alexnet() -> Drawing:
    draw = Drawing(
        'alexnet',
        'LeNet（左）与 AlexNet（右）的结构',
        'LeNet 有 5 个带权重的层。AlexNet 有 8 个：5 个卷积层和 3 个全连接层；'
        '输入 1×224×224，各层输出依次为 96×55×55、96×27×27、256×27×27、'
        '256×13×13、384×13×13、384×13×13、256×13×13、256×6×6，'
        '展平为 9216，再经 4096、4096 得到 10 个输出。',
        920,
    )
    alex_x, alex_w = 220, 244
    lenet_x, lenet_w = 22, 168
    draw.text(lenet_x + lenet_w / 2, 26, 'LeNet', 18, bold=True)
    draw.text(lenet_x + lenet_w / 2, 50, '激活函数 sigmoid', SMALL)
    draw.text(alex_x + alex_w / 2, 26, 'AlexNet', 18, bold=True)
    draw.text(alex_x + alex_w / 2, 50, '激活函数 ReLU', SMALL)
    alex = draw.column(
        alex_x,
        70,
        alex_w,
        [
            layer('data', '输入', '1×224×224'),
            layer('conv', '11×11 卷积，步幅 4，填充 2', '96×55×55', badge='1'),
            layer('pool', '3×3 最大池化，步幅 2', '96×27×27'),
            layer('conv', '5×5 卷积，填充 2', '256×27×27', badge='2'),
            layer('pool', '3×3 最大池化，步幅 2', '256×13×13'),
            layer('conv', '3×3 卷积，填充 1', '384×13×13', badge='3'),
            layer('conv', '3×3 卷积，填充 1', '384×13×13', badge='4'),
            layer('conv', '3×3 卷积，填充 1', '256×13×13', badge='5'),
            layer('pool', '3×3 最大池化，步幅 2', '256×6×6'),
            layer('data', '展平：9216'),
            layer('fc', '全连接，Dropout', '4096', badge='6'),
            layer('fc', '全连接，Dropout', '4096', badge='7'),
            layer('fc', '全连接（输出）', '10', badge='8'),
        ],
    )
    features = draw.column(
        lenet_x,
        70,
        lenet_w,
        [
            layer('data', '输入', '1×28×28'),
            layer('conv', '5×5 卷积，填充 2', '6×28×28', badge='1'),
            layer('pool', '2×2 平均池化', '6×14×14'),
            layer('conv', '5×5 卷积', '16×10×10', badge='2'),
            layer('pool', '2×2 平均池化', '16×5×5'),
        ],
    )
    classifier = draw.column(
        lenet_x,
        alex[9].y,
        lenet_w,
        [
            layer('data', '展平：400'),
            layer('fc', '全连接', '120', badge='3'),
            layer('fc', '全连接', '84', badge='4'),
            layer('fc', '全连接（输出）', '10', badge='5'),
        ],
    )
    draw.down(features[-1], classifier[0])
    note_x, note_y = features[-1].cx + 8, alex[6].cy
    for row, line in enumerate(('右边多出', '三个卷积层', '一个池化层')):
        draw.text(note_x, note_y + 22 * row, line, SMALL, 'start')
    draw.legend(
        alex[-1].bottom + 30,
        ['conv', 'pool', 'fc'],
        '框中第二行是输出形状：通道数×高×宽；圆圈给带权重的层编号',
    )
    return draw


def vgg_block() -> Drawing:
    draw = Drawing(
        'vgg-block',
        'VGG 块的结构',
        'VGG 块把填充为 1 的 3×3 卷积和 ReLU 重复 n 次，高和宽不变，通道数由 c 变为 c'
        '′；最后用步幅为 2 的 2×2 最大池化把高和宽减半。',
        430,
    )
    x, w = 96, 190
    source = draw.box('data', x, 20, w, 46, '输入', 'c×h×w')
    frame = draw.frame(x - 70, 90, w + 86, 152)
    conv = draw.box('conv', x, 106, w, 46, '3×3 卷积，填充 1', 'c′×h×w')
    relu = draw.box('relu', x, 176, w, 46, '激活 ReLU', 'c′×h×w')
    pool = draw.box('pool', x, 276, w, 46, '2×2 最大池化，步幅 2', 'c′×h/2×w/2')
    output = draw.box('data', x, 356, w, 46, '输出', 'c′×h/2×w/2')
    draw.chain(source, conv, relu, pool, output)
    draw.text(frame.x + 35, frame.cy - 11, '重复')
    draw.text(frame.x + 35, frame.cy + 11, 'n 次')
    note_x = frame.right + 12
    draw.text(note_x, conv.cy, '高和宽不变', BODY, 'start')
    draw.text(note_x, relu.cy - 11, '第一次卷积把通道数', SMALL, 'start')
    draw.text(note_x, relu.cy + 11, 'c 变为 c′，以后不变', SMALL, 'start')
    draw.text(note_x, pool.cy, '高和宽减半', BODY, 'start')
    return draw


def vgg16() -> Drawing:
    blocks = (
        (2, 64, 112),
        (2, 128, 56),
        (3, 256, 28),
        (3, 512, 14),
        (3, 512, 7),
    )
    draw = Drawing(
        'vgg16',
        'VGG-16 的结构',
        'VGG-16 有 13 个 3×3 卷积层和 3 个全连接层。五个块各有 2、2、3、3、3 个卷积层，'
        '输出依次为 64×112×112、128×56×56、256×28×28、512×14×14、512×7×7，'
        '随后是 4096、4096 和“类别数”个输出的全连接层。',
        1006,
    )
    x, w, strip = 40, 210, 26
    previous = draw.box('data', x, 20, w, 30, '输入：224×224')
    weight_layers = 0
    for index, (convs, channels, size) in enumerate(blocks, start=1):
        top = previous.bottom + GAP + 4
        y = top + 8
        for _ in range(convs):
            weight_layers += 1
            box = draw.box(
                'conv',
                x,
                y,
                w,
                strip,
                f'3×3 卷积，{channels}',
                badge=str(weight_layers),
            )
            if y == top + 8:
                draw.down(previous, box)
            y = box.bottom + 5
        pool = draw.box('pool', x, y, w, strip, '2×2 最大池化，步幅 2')
        frame = draw.frame(x - 20, top - 2, w + 30, pool.bottom - top + 10)
        note_x = frame.right + 14
        draw.text(note_x, frame.cy - 12, f'块 {index}：{convs} 个卷积层', BODY, 'start')
        draw.text(
            note_x, frame.cy + 12, f'输出 {channels}×{size}×{size}', BODY, 'start'
        )
        previous = pool
    flat = draw.box(
        'data', x, previous.bottom + GAP + 12, w, 30, f'展平：{512 * 7 * 7}'
    )
    draw.down(previous, flat)
    previous = flat
    for label in ('4096', '4096', '类别数'):
        weight_layers += 1
        box = draw.box(
            'fc',
            x,
            previous.bottom + GAP,
            w,
            30,
            f'全连接，{label}',
            badge=str(weight_layers),
        )
        draw.down(previous, box)
        previous = box
    draw.text(264, previous.y - 31, '3 个全连接层', BODY, 'start')
    draw.legend(
        previous.bottom + 28,
        ['conv', 'pool', 'fc'],
        '卷积的填充都是 1，其后都有 ReLU；圆圈给 16 个带权重的层编号',
    )
    return draw


def nin_block(draw: Drawing, x: float, y: float, window: str, channels: int) -> Box:
    """A dashed frame with a k×k convolution and two 1×1 convolutions, h = 104."""
    frame = draw.frame(x, y, 222, 104)
    rows = (
        ('conv', f'{window} 卷积'),
        ('conv1x1', '1×1 卷积'),
        ('conv1x1', '1×1 卷积'),
    )
    for row, (kind, label) in enumerate(rows):
        draw.box(kind, x + 10, y + 9 + 30 * row, 136, 26, f'{label}，{channels}')
    draw.text(x + 184, frame.cy, 'NiN 块', BODY)
    return frame


def nin() -> Drawing:
    draw = Drawing(
        'nin',
        'AlexNet 与 VGG（左）和 NiN（右）的结构',
        '左边先用若干个 VGG 块抽取特征，再用三个全连接层输出。右边每个 NiN 块是一个卷'
        '积层接两个 1×1 卷积层，依次为 11×11、96 通道，5×5、256 通道，3×3、384 通道，'
        '每块后接步幅为 2 的 3×3 最大池化；最后的 NiN 块有 10 个输出通道，经全局平均'
        '池化直接得到 10 个输出。',
        948,
    )
    left, left_w, right = 26, 190, 242
    right_w = 222
    draw.text(left + left_w / 2, 26, 'AlexNet 与 VGG', 18, bold=True)
    draw.text(right + right_w / 2, 26, 'NiN', 18, bold=True)

    previous = draw.box('data', right, 46, right_w, 30, '输入')
    for window, channels in (('11×11', 96), ('5×5', 256), ('3×3', 384)):
        block = nin_block(draw, right, previous.bottom + GAP, window, channels)
        draw.down(previous, block)
        pool = draw.box(
            'pool', right, block.bottom + GAP, right_w, 30, '3×3 最大池化，步幅 2'
        )
        draw.down(block, pool)
        previous = pool
    border = previous.bottom + 20
    last = nin_block(draw, right, border + 32, '3×3', 10)
    draw.down(previous, last)
    average = draw.box('gap', right, last.bottom + GAP, right_w, 30, '全局平均池化')
    output = draw.box('data', right, last.y + 184, right_w, 30, '10 个输出')
    draw.down(last, average)
    draw.down(average, output)

    source = draw.box('data', left, 46, left_w, 30, '输入')
    frame = draw.frame(left - 10, 220, left_w + 20, 196)
    rows = (('conv', '3×3 卷积'), ('conv', '3×3 卷积'), ('pool', '2×2 最大池化'))
    strips = []
    for row, (kind, label) in enumerate(rows):
        strips.append(draw.box(kind, left + 10, 258 + 46 * row, 170, 30, label))
    draw.text(left + left_w / 2, 239, 'VGG 块', BODY)
    draw.text(left + left_w / 2, 400, '重复 n 次', SMALL)
    draw.down(source, frame)
    draw.chain(*strips)
    dense = draw.column(
        left,
        last.y,
        left_w,
        [
            layer('data', '展平'),
            layer('fc', '全连接，4096'),
            layer('fc', '全连接，4096'),
            layer('fc', '全连接，10'),
        ],
    )
    answer = draw.box('data', left, output.y, left_w, 30, '10 个输出')
    draw.arrow((frame.cx, frame.bottom), (frame.cx, dense[0].y))
    draw.down(dense[-1], answer)
    draw.line((MARGIN, border), (WIDTH - MARGIN, border), dashed=True)
    draw.text(MARGIN, border - 12, '抽取特征', SMALL, 'start')
    draw.text(MARGIN, border + 13, '输出类别', SMALL, 'start')
    draw.legend(
        output.bottom + 28,
        ['conv', 'conv1x1', 'pool', 'gap', 'fc'],
        '卷积框中逗号后的数是输出通道数；每个卷积后都有 ReLU',
        '左边画的是 VGG；AlexNet 的最后三层与它相同',
    )
    return draw


def inception() -> Drawing:
    draw = Drawing(
        'inception',
        'Inception 块的结构',
        '192 个输入通道分到四条并行的线路：1×1 卷积得 64 通道；1×1 卷积降到 96，再 3×'
        '3 卷积得 128；1×1 卷积降到 16，再 5×5 卷积得 32；3×3 最大池化后 1×1 卷积得 3'
        '2。四条线路的输出在通道维上连结成 256 通道，高和宽不变。',
        480,
    )
    lane_w, step = 104, 115
    lanes = [13 + step * index for index in range(4)]
    source = draw.box('data', 110, 18, 260, 30, '输入：192 通道，高 h，宽 w')
    fork = source.bottom + 18
    upper_y, lower_y = 116, 222
    upper = {
        1: ('conv1x1', '1×1 卷积', '96 通道'),
        2: ('conv1x1', '1×1 卷积', '16 通道'),
        3: ('pool', '3×3', '最大池化', '填充 1'),
    }
    lower = (
        ('conv1x1', '1×1 卷积', '64 通道'),
        ('conv', '3×3 卷积', '填充 1', '128 通道'),
        ('conv', '5×5 卷积', '填充 2', '32 通道'),
        ('conv1x1', '1×1 卷积', '32 通道'),
    )
    concat = draw.box(
        'concat', lanes[0], 326, lanes[3] + lane_w - lanes[0], 30, '在通道维上连结'
    )
    draw.line((source.cx, source.bottom), (source.cx, fork))
    draw.line((lanes[0] + lane_w / 2, fork), (lanes[3] + lane_w / 2, fork))
    for index, x in enumerate(lanes):
        draw.text(x + lane_w / 2 - 28, fork + 17, f'线路 {index + 1}', SMALL)
        kind, *lines = lower[index]
        end = draw.box(kind, x, lower_y, lane_w, 72, *lines)
        if index in upper:
            kind, *lines = upper[index]
            first = draw.box(kind, x, upper_y, lane_w, 72, *lines)
            draw.down(first, end)
        else:
            first = end
        draw.arrow((first.cx, fork), (first.cx, first.y))
        draw.down(end, concat)
    output = draw.box('data', 110, 380, 260, 30, '输出：256 通道，高 h，宽 w')
    draw.arrow((output.cx, concat.bottom), (output.cx, output.y))
    draw.text(WIDTH / 2, 432, '64 + 128 + 32 + 32 = 256', BODY)
    draw.text(WIDTH / 2, 458, '每个卷积后都有 ReLU', SMALL)
    return draw


def residual_panel(
    draw: Drawing,
    x: float,
    head: str,
    goal: str,
    stride: int,
    shortcut: str,
) -> None:
    """One column of the residual figure; shortcut: '', 'identity' or 'projection'."""
    w = 92
    draw.text(x + w / 2, 26, head, BODY, bold=True)
    source = draw.box('data', x, 48, w, 28, '输入 x')
    frame = draw.frame(x - 6, 114, w + 12, 322)
    first = ('3×3 卷积', f'步幅 {stride}')
    body = (
        ('conv', 44, first),
        ('bn', 28, ('批量归一化',)),
        ('relu', 28, ('ReLU',)),
        ('conv', 44, ('3×3 卷积', '步幅 1')),
        ('bn', 28, ('批量归一化',)),
    )
    y, previous = frame.y + 14, source
    for kind, height, lines in body:
        box = draw.box(kind, x, y, w, height, *lines, size=SMALL)
        draw.down(previous, box)
        previous, y = box, box.bottom + 18
    draw.text(x + w / 2, y + 1, '虚线框拟合', SMALL)
    draw.text(x + w / 2, y + 22, goal, SMALL)
    end = draw.box('relu', x, 524, w, 28, 'ReLU', size=SMALL)
    if shortcut:
        add = draw.plus(x + w / 2, 474)
        draw_shortcut(draw, source, add, frame.right, shortcut)
        draw.arrow((add.cx, frame.bottom), (add.cx, add.y))
        draw.down(add, end)
    else:
        draw.arrow((end.cx, frame.bottom), (end.cx, end.y))
    draw.text(end.cx + 10, 504, 'f(x)', SMALL, 'start')
    draw.arrow((end.cx, end.bottom), (end.cx, end.bottom + 22))


def draw_shortcut(
    draw: Drawing, source: Box, add: Box, edge: float, shortcut: str
) -> None:
    """The line around the dashed frame, from below the input to the addition."""
    branch = source.bottom + 18
    if shortcut == 'identity':
        x = edge + 14
        draw.arrow((source.cx, branch), (x, branch), (x, add.cy), (add.right, add.cy))
        draw.text(x + 12, 260, 'x', BODY)
        return
    colour = KINDS['conv1x1'][2]
    x = edge + 46
    box = draw.box('conv1x1', x - 38, 216, 76, 44, '1×1 卷积', '步幅 2', size=SMALL)
    norm = draw.box('bn', x - 43, 278, 86, 28, '批量归一化', size=SMALL)
    draw.arrow((source.cx, branch), (x, branch), (x, box.y), dashed=True, colour=colour)
    draw.down(box, norm)
    draw.arrow(
        (x, norm.bottom), (x, add.cy), (add.right, add.cy), dashed=True, colour=colour
    )


def residual_block() -> Drawing:
    draw = Drawing(
        'residual-block',
        '普通块与残差块',
        '三列都是 3×3 卷积、批量归一化、ReLU、3×3 卷积、批量归一化，最后是 ReLU。左列'
        '没有跨层连接，虚线框必须直接拟合 f(x)。中列的虚线框拟合残差 g(x) = f(x) − x'
        '，输入 x 绕过虚线框与它相加，再经 ReLU。右列第一个卷积步幅为 2，绕行的线路用'
        '步幅为 2 的 1×1 卷积和批量归一化改变形状后再相加。',
        626,
    )
    residual_panel(draw, 20, '普通块', 'f(x)', 1, '')
    residual_panel(draw, 140, '残差块', 'g(x)=f(x)−x', 1, 'identity')
    residual_panel(draw, 286, '残差块（步幅 2）', 'g(x)', 2, 'projection')
    draw.text(WIDTH / 2, 604, '最右：高和宽减半，绕行的 x 先经 1×1 卷积改变形状', SMALL)
    return draw


def resnet_stage(
    draw: Drawing, y: float, index: int, channels: int, size: int, entry: Box
) -> Box:
    """One row: a module of two residual blocks. Returns its last addition."""
    draw.text(
        MARGIN + 14,
        y,
        f'模块 {index}：{channels} 通道，输出 {channels}×{size}×{size}',
        BODY,
        'start',
        bold=True,
    )
    mid = y + 76
    conv_w, conv_h, gap = 74, 46, 12
    shrink = index > 1
    x, previous = 44.0, entry
    for block in range(2):
        stride = 2 if shrink and block == 0 else 1
        first = draw.box(
            'conv',
            x,
            mid - 23,
            conv_w,
            conv_h,
            '3×3 卷积',
            f'步幅 {stride}',
            size=SMALL,
        )
        second = draw.box(
            'conv',
            first.right + gap,
            mid - 23,
            conv_w,
            conv_h,
            '3×3 卷积',
            '步幅 1',
            size=SMALL,
        )
        add = draw.plus(second.right + gap + 11, mid)
        draw.across(first, second)
        draw.across(second, add)
        if block == 0:
            draw.arrow(
                (entry.cx, entry.bottom),
                (entry.cx, y - 18),
                (MARGIN, y - 18),
                (MARGIN, mid),
                (x, mid),
            )
        else:
            draw.across(previous, first)
        branch, top = x - 14, mid - 42
        if stride == 2:
            colour = KINDS['conv1x1'][2]
            box = draw.box(
                'conv1x1', x + 10, top - 12, 136, 24, '1×1 卷积，步幅 2', size=SMALL
            )
            draw.line(
                (branch, mid), (branch, top), (box.x, top), dashed=True, colour=colour
            )
            draw.arrow(
                (box.right, top),
                (add.cx, top),
                (add.cx, add.y),
                dashed=True,
                colour=colour,
            )
        else:
            draw.arrow((branch, mid), (branch, top), (add.cx, top), (add.cx, add.y))
        previous = add
        x = add.right + 26
    return previous


def resnet18() -> Drawing:
    draw = Drawing(
        'resnet18',
        'ResNet-18 的结构',
        '输入 224×224，先经步幅为 2 的 7×7 卷积、批量归一化和 ReLU，得 64×112×112，再'
        '经步幅为 2 的 3×3 最大池化得 64×56×56。随后四个模块各有两个残差块，输出依次'
        '为 64×56×56、128×28×28、256×14×14、512×7×7；后三个模块的第一个残差块用步幅为'
        ' 2 的 1×1 卷积改变绕行线路的形状。最后是全局平均池化和 10 个输出的全连接层。',
        860,
    )
    y, h = 20, 66
    source = draw.box('data', 16, y, 76, h, '输入', '224×224')
    conv = draw.box(
        'conv', source.right + GAP, y, 84, h, '7×7 卷积', '64 通道', '步幅 2'
    )
    norm = draw.box('bn', conv.right + GAP, y, 70, h, '批量', '归一化')
    relu = draw.box('relu', norm.right + GAP, y, 58, h, 'ReLU')
    pool = draw.box('pool', relu.right + GAP, y, 84, h, '3×3', '最大池化', '步幅 2')
    row = (source, conv, norm, relu, pool)
    for left, right in pairwise(row):
        draw.across(left, right)
    draw.text(conv.cx, y + h + 16, '输出 64×112×112', SMALL)
    draw.text(pool.cx - 12, y + h + 16, '输出 64×56×56', SMALL, 'end')
    previous = pool
    for index, (channels, size) in enumerate(
        ((64, 56), (128, 28), (256, 14), (512, 7)), start=1
    ):
        previous = resnet_stage(
            draw, 146 + 148 * (index - 1), index, channels, size, previous
        )
    y = 146 + 148 * 4
    average = draw.box('gap', 44, y - 8, 176, 46, '全局平均池化', '512×1×1')
    dense = draw.box('fc', average.right + 24, y - 8, 110, 46, '全连接', '10')
    draw.across(average, dense)
    draw.arrow(
        (previous.cx, previous.bottom),
        (previous.cx, y - 26),
        (MARGIN, y - 26),
        (MARGIN, average.cy),
        (average.x, average.cy),
    )
    draw.text(
        MARGIN,
        y + 62,
        '实线绕行：直接相加；虚线绕行：先经 1×1 卷积再相加',
        SMALL,
        'start',
    )
    draw.text(
        MARGIN, y + 86, '每个卷积后都有批量归一化；模块里的 ReLU 从略', SMALL, 'start'
    )
    return draw


def densenet_panel(
    draw: Drawing, x: float, head: str, joined: str, result: str
) -> None:
    """Modules A and B, and the line from A around B to the sign that joins them."""
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
        draw.down(second, end)
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


def growth() -> Drawing:
    draw = Drawing(
        'growth',
        '稠密块里通道数的增长',
        '输入有 3 个通道。第一个卷积块产生 10 个通道，与输入连结成 13 个；'
        '第二个卷积块以这 13 个通道为输入，再产生 10 个，连结成 23 个。增长率是 10。',
        560,
    )
    cell, rate, height = 12, 10, 34
    shades = ('#ffffff', '#cfd8dd', '#90a4ae')
    counts = (3, rate, rate)
    sums = ('输入：3 个通道', '3 + 10 = 13', '3 + 10 + 10 = 23')
    tops = (24, 220, 416)
    strips = (('bn', '批量归一化'), ('relu', 'ReLU'), ('conv', f'3×3 卷积，{rate}'))
    for row, (y, total) in enumerate(zip(tops, sums, strict=True)):
        x = 24
        for count, shade in zip(counts[: row + 1], shades[: row + 1], strict=True):
            draw.cells(x, y, count, cell, height, shade)
            x += count * cell
        draw.text(WIDTH - MARGIN, y + height / 2, total, BODY, 'end', bold=True)
        if row == 2:
            break
        # The old channels go straight down; the new ones come from the block beside.
        bar, below = Box(24, y, x - 24, height), tops[row + 1]
        draw.arrow((bar.cx, bar.bottom), (bar.cx, below))
        blocks = [
            draw.box(kind, x, y + 56 + 42 * index, rate * cell, 28, label, size=SMALL)
            for index, (kind, label) in enumerate(strips)
        ]
        top, end = blocks[0], blocks[-1]
        draw.arrow((x, bar.cy), (top.cx, bar.cy), (top.cx, top.y))
        draw.chain(*blocks)
        draw.arrow((end.cx, end.bottom), (end.cx, below))
        draw.text(top.right + 12, blocks[1].cy, f'卷积块 {row + 1}', BODY, 'start')
    draw.text(MARGIN + 8, 478, '一格是一个通道；颜色越深，产生得越晚', SMALL, 'start')
    draw.text(MARGIN + 8, 504, '左侧直下的箭头：已有的通道原样保留', SMALL, 'start')
    draw.text(MARGIN + 8, 530, '增长率 10：每个卷积块添 10 个通道', SMALL, 'start')
    return draw


def logo() -> Drawing:
    draw = Drawing(
        'logo',
        '书的标志',
        '三张特征图由大到小排成一行，一条弧线从第一张跨到最后一张。',
        96,
        96,
    )
    planes = ((12, 62, 'conv'), (38, 46, 'conv1x1'), (64, 30, 'fc'))
    for x, height, kind in planes:
        border = KINDS[kind][2]
        top = 57 - height / 2
        draw.parts.append(
            f'<path d="M{x} {number(top + 9)}L{x + 20} {number(top)}'
            f'V{number(top + height - 9)}L{x} {number(top + height)}Z" '
            f'fill="{border}" stroke="{border}" stroke-width="3" '
            'stroke-linejoin="round"/>'
        )
    draw.parts.append(
        f'<path d="M22 20C36 2 70 6 75 32" fill="none" stroke="{INK}" '
        'stroke-width="5" stroke-linecap="round"/>'
    )
    return draw


FIGURES: tuple[Callable[[], Drawing], ...] = (
    alexnet,
    vgg_block,
    vgg16,
    nin,
    inception,
    residual_block,
    resnet18,
    densenet,
    pipeline,
    growth,
    logo,
)


def render_all() -> dict[str, str]:
    """File name -> content, for every figure of the book."""
    drawings = [figure() for figure in FIGURES]
    return {f'{drawing.name}.svg': drawing.svg() for drawing in drawings}


def write_all(folder: Path) -> list[str]:
    """Write every figure into the folder and return the file names."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = render_all()
    for name, content in figures.items():
        (folder / name).write_text(content, encoding='utf-8', newline='\n')
    return sorted(figures)


def differing(folder: Path) -> list[str]:
    """Names of figures that are missing, changed, or not drawn by this script."""
    figures = render_all()
    found = {path.name for path in folder.glob('*.svg')}
    changed = {
        name
        for name in found & figures.keys()
        if (folder / name).read_text(encoding='utf-8') != figures[name]
    }
    return sorted(changed | (found ^ figures.keys()))


def main(arguments: list[str]) -> int:
    if arguments == []:
        for name in write_all(IMG_DIR):
            print(f'已绘制 img/{name}')
        return 0
    if arguments == ['--check']:
        names = differing(IMG_DIR)
        for name in names:
            print(f'与脚本所绘不同：img/{name}，请运行 python tools/draw_figures.py')
        return 1 if names else 0
    print('用法：python tools/draw_figures.py [--check]', file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
