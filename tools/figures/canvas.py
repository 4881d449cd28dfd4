"""图的画法：颜色、字号，以及框、箭头和文字怎样落到 SVG 里。

全书的图共用这一套画法。只用标准库，同样的调用得到逐字节相同的文件。
长度都以 SVG 的用户单位计，y 轴向下。
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

FONT = (
    "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"
)
INK = '#1b1f24'
LINE = '#4a5159'
WIDTH = 480  # 窄一些，手机上 16 单位的字仍看得清
MARGIN = 16
GAP = 16  # 两个框之间放得下一个箭头
BODY = 16
SMALL = 15

# 每种层一种颜色，各图相同：(名称, 填充, 边框)。
KINDS = {
    'conv': ('卷积', '#bcd7f5', '#2f6db3'),
    'conv1x1': ('1×1 卷积', '#d9ccf3', '#6b4bb0'),
    'pool': ('池化', '#c9e9c0', '#3f8f3a'),
    'gap': ('全局平均池化', '#a6ddd3', '#1f8577'),
    'fc': ('全连接', '#fbd9a5', '#b8730f'),
    'bn': ('批量归一化', '#f6e9a6', '#98820c'),
    'relu': ('激活 ReLU', '#f9cbc6', '#c44a3f'),
    'add': ('相加', '#f6bfe0', '#a8367b'),
    'identity': ('恒等映射', '#ffffff', '#a8367b'),
    'concat': ('连结', '#cfd8dd', '#455a64'),
    'data': ('数据', '#ffffff', '#6a737d'),
    'module': ('模块', '#eceff3', '#6a737d'),
    'learned': ('由数据学得', '#e3f0b0', '#6f8c17'),
    'fixed': ('由人设计', '#e4e6e9', '#6a737d'),
}


@dataclass(frozen=True)
class Box:
    """矩形，左上角在 (x, y)。"""

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
    """竖排里的一个框：种类、各行文字，以及可有可无的编号。"""

    kind: str
    lines: tuple[str, ...]
    badge: str = ''


def layer(kind: str, *lines: str, badge: str = '') -> Layer:
    return Layer(kind, lines, badge)


def number(value: float) -> str:
    """最短的小数写法，文件不随浮点数的打印方式而变。"""
    return f'{value:.1f}'.removesuffix('.0')


def text_width(line: str, size: float) -> float:
    """一行字的宽度，往大里估：汉字是方的，其余的窄一些。"""
    return size * sum(1.0 if ord(sign) >= 0x2E80 else 0.62 for sign in line)


class Drawing:
    """一幅图：一块白底，上面放框、箭头和文字。

    文字超出框或画面时抛出 ValueError，因为从代码里看不出来。
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
        """写一行字，上下居中于 y。"""
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
        """一层：按种类填色，各行文字居中。"""
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
        """带白字的小圆：带权重的层的编号。"""
        self.parts.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" '
            f'fill="{fill}" stroke="#ffffff" stroke-width="1.5"/>'
        )
        self.text(x, y, label, 14, bold=True, colour='#ffffff')

    def plus(self, x: float, y: float, r: float = 11) -> Box:
        """逐元素相加的记号。"""
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

    def segment(self, x: float, y: float, w: float, h: float, fill: str) -> None:
        """一根条里的一段。"""
        self.require_inside(x, y, w, h, '条')
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" fill="{fill}" stroke="{INK}" stroke-width="1"/>'
        )

    def grid(
        self,
        x: float,
        y: float,
        size: int,
        cell: float,
        fill: str = '#ffffff',
        border: str = LINE,
    ) -> Box:
        """size×size 个像素的方格。"""
        side = size * cell
        self.require_inside(x, y, side, side, '方格')
        lines = ''.join(
            f'M{number(x + cell * i)} {number(y)}v{number(side)}'
            f'M{number(x)} {number(y + cell * i)}h{number(side)}'
            for i in range(1, size)
        )
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(side)}" '
            f'height="{number(side)}" fill="{fill}" stroke="{border}"/>'
        )
        if lines:
            self.parts.append(
                f'<path d="{lines}" stroke="{border}" stroke-width="0.8"/>'
            )
        return Box(x, y, side, side)

    def plate(self, kind: str, x: float, y: float, w: float, h: float) -> None:
        """一层的输出画成一块板，中心在 (x, y)；大小由调用的人按形状算。"""
        _, fill, border = KINDS[kind]
        self.require_inside(x - w / 2, y - h / 2, w, h, '板')
        self.parts.append(
            f'<rect x="{number(x - w / 2)}" y="{number(y - h / 2)}" '
            f'width="{number(w)}" height="{number(h)}" rx="1.5" fill="{fill}" '
            f'stroke="{border}" stroke-width="1.2"/>'
        )

    def bar(self, x: float, y: float, w: float, h: float, fill: str) -> None:
        """一根实心的条，长短表示一个数。"""
        self.require_inside(x, y, w, h, '条')
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" fill="{fill}"/>'
        )

    def bow(self, x: float, top: float, bottom: float, depth: float) -> None:
        """从 (x, top) 到 (x, bottom) 的弧，向左鼓出 ``depth`` 左右。"""
        self.require_inside(x - depth, top, depth, bottom - top, '弧')
        out = number(x - depth / 0.75)  # 三次曲线只走到控制点的四分之三
        self.parts.append(
            f'<path d="M{number(x)} {number(top)}C{out} {number(top)} {out} '
            f'{number(bottom)} {number(x)} {number(bottom)}" fill="none" '
            f'stroke="{LINE}" stroke-width="1"/>'
        )

    def outline(self, x: float, y: float, w: float, h: float, colour: str) -> None:
        """粗框，标出方格里的一片。"""
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" fill="none" stroke="{colour}" stroke-width="3"/>'
        )

    def frame(self, x: float, y: float, w: float, h: float) -> Box:
        """虚线框，框住属于一组的层。"""
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
        """沿各点的折线，箭头落在最后一点。"""
        self.line(*points, dashed=dashed, colour=colour, head=True)

    def head(
        self, before: tuple[float, float], tip: tuple[float, float], colour: str
    ) -> None:
        """箭头；折线的最后一段须是横的或竖的。"""
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
        """从上一个框的底边到下一个框的顶边。"""
        self.arrow((upper.cx, upper.bottom), (upper.cx, lower.y))

    def chain(self, *boxes: Box) -> None:
        """自上而下串起各个框。"""
        for upper, lower in pairwise(boxes):
            self.down(upper, lower)

    def across(self, left: Box, right: Box) -> None:
        """从左边的框到右边的框。"""
        self.arrow((left.right, left.cy), (right.x, left.cy))

    def column(self, x: float, y: float, w: float, layers: list[Layer]) -> list[Box]:
        """从 y 起往下排各层，用箭头相连。"""
        boxes: list[Box] = []
        for item in layers:
            height = 46 if len(item.lines) == 2 else 30
            box = self.box(item.kind, x, y, w, height, *item.lines, badge=item.badge)
            if boxes:
                self.down(boxes[-1], box)
            boxes.append(box)
            y = box.bottom + GAP
        return boxes

    def legend(self, y: float, kinds: list[str], *notes: str) -> float:
        """色块与名称，排满换行；然后是说明。返回最后一行的 y。"""
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
        """完整的文件。"""
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
