"""稠密块里，每个读取者怎样读前面的全部来源：真的权重有多重。"""

from __future__ import annotations

from figures.canvas import BODY, INK, KINDS, MARGIN, SMALL, Box, Drawing

Strengths = tuple[tuple[float, ...], ...]  # 每个读取者一列：各来源的读取强度
UNIT = 34  # 32 个通道画多高
WIDE, PITCH, LEFT, TOP = 60, 80, 86, 50


def dense_reading(entering: int, added: int, strengths: Strengths) -> Drawing:
    """每列是一个读取者读到的全部来源；下面是它新增的通道，右边的各列都读到。"""
    last = len(strengths) - 1
    said = '；'.join(
        f'{reader(number, last)}读 {"、".join(f"{one:.1f}" for one in column)}'
        for number, column in enumerate(strengths)
    )
    draw = Drawing(
        'dense-reading',
        '稠密块里，每个读取者读前面的全部来源',
        f'五列，从左到右是四个卷积块与过渡层；每列从上到下是它读到的来源：块的输入 '
        f'{entering} 个通道，然后每个卷积块各 {added} 个，一列比一列多一个。格里的数是训练好'
        f'的权重的读取强度，以训练之前为 1：{said}。',
        394,
    )
    draw.text(MARGIN, 28, '读取者', SMALL, 'start')
    names = ('块的输入', *(f'卷积 {number}' for number in range(1, last + 1)))
    for row, name in enumerate(names):
        box = place(0, row, entering, added)
        draw.text(MARGIN, box.cy - 9, name, SMALL, 'start')
        draw.text(MARGIN, box.cy + 10, f'{added if row else entering} 个', SMALL, 'start')
    for column, values in enumerate(strengths):
        x = LEFT + PITCH * column + WIDE / 2
        draw.text(x, 28, reader(column, last), BODY, bold=True)
        for row, value in enumerate(values):
            box = place(column, row, entering, added)
            band(draw, box, value)
            if column < last:
                draw.line((box.right, box.cy), (box.right + PITCH - WIDE, box.cy))
        if column < last:
            new = place(column, len(values), entering, added)
            draw.box('conv', new.x, new.y, new.w, new.h, '新增')
            draw.across(new, place(column + 1, len(values), entering, added))
    notes = (
        '一列：这个读取者读到的全部来源，旧的一个也不少',
        '数：读得多重，以训练之前为 1；颜色越深，读得越重',
        '卷积块新增的通道，右边的各列都读得到',
    )
    bottom = place(0, last, entering, added).bottom
    for row, note in enumerate(notes):
        draw.text(MARGIN, bottom + 32 + 26 * row, note, SMALL, 'start')
    return draw


def reader(number: int, last: int) -> str:
    return '过渡层' if number == last else f'卷积 {number + 1}'


def place(column: int, row: int, entering: int, added: int) -> Box:
    """第 ``row`` 个来源在第 ``column`` 列的格；高与通道数成正比。"""
    first = UNIT * entering / added
    y = TOP + (first + 6 + (UNIT + 6) * (row - 1) if row else 0)
    return Box(LEFT + PITCH * column, y, WIDE, UNIT if row else first)


def band(draw: Drawing, box: Box, value: float) -> None:
    """一个来源；颜色由印出的那个数定，各台机器相同。"""
    value = round(value, 1)
    share = min(value / 2, 1)
    red, green, blue = (round(255 - share * (255 - v)) for v in (0, 114, 178))
    draw.require_inside(box.x, box.y, box.w, box.h, '来源')
    draw.parts.append(
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.w:g}" height="{box.h:g}" rx="4" '
        f'fill="#{red:02x}{green:02x}{blue:02x}" stroke="{KINDS["concat"][2]}"/>'
    )
    colour = '#ffffff' if share > 0.6 else INK
    draw.text(box.cx, box.cy, f'{value:.1f}', BODY, colour=colour)
