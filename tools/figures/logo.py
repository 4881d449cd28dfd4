"""书的标志。"""

from __future__ import annotations

from figures.canvas import INK, KINDS, Drawing, number


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
