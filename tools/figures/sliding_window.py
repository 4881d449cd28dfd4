"""卷积怎样算：一张真的图像的一角，一个卷积核，九项相加得到一个输出。"""

from __future__ import annotations

from figures.canvas import INK, KINDS, MARGIN, SMALL, Drawing
from figures.steps import by

KERNEL = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))  # 竖的边缘
PICKED = (1, 1)  # 画出来的那个输出

Grid = tuple[tuple[int, ...], ...]


def products(patch: Grid, row: int, column: int) -> list[list[tuple[int, int]]]:
    """输出 (row, column) 的各项：(像素, 权重)，与窗口同样排列。"""
    return [
        [(patch[row + i][column + j], weight) for j, weight in enumerate(weights)]
        for i, weights in enumerate(KERNEL)
    ]


def convolved(patch: Grid) -> list[list[int]]:
    """步幅 1、不填充的输出。"""
    side = len(patch) - len(KERNEL) + 1
    return [
        [
            sum(x * w for line in products(patch, row, column) for x, w in line)
            for column in range(side)
        ]
        for row in range(side)
    ]


def convolution(patch: Grid) -> Drawing:
    """``patch`` 是图像的一角，灰度 0～255。"""
    output, size = convolved(patch), len(patch)
    row, column = PICKED
    draw = Drawing(
        'convolution',
        f'卷积怎样算：{by(size, size)} 的像素，{by(3, 3)} 的卷积核',
        f'左上是一张短靴图像的一角，{by(size, size)} 个像素；右上是找竖的边缘的卷积核。'
        f'粗框里的九个像素与卷积核的九个权重逐个相乘再相加，得 {output[row][column]}，'
        f'填进左下输出里的粗框。窗口滑过各处，得到 {by(len(output), len(output))} 个数。',
        568,
    )
    draw.text(131, 26, f'输入的一角，{by(size, size)}', bold=True)
    draw.text(361, 26, '卷积核，竖的边缘', bold=True)
    draw.text(131, 298, f'输出，{by(len(output), len(output))}', bold=True)
    colour = KINDS['conv'][2]
    for values, x, y, cell, fill in (
        (patch, 20, 46, 37, grey), (KERNEL, 295, 46, 44, signed(1)),
        (output, 31, 316, 50, signed(max(abs(v) for line in output for v in line))),
    ):  # fmt: skip
        numbered(draw, values, x, y, cell, fill)
    draw.outline(20 + 37 * column, 46 + 37 * row, 111, 111, colour)
    draw.outline(31 + 50 * column, 316 + 50 * row, 50, 50, colour)
    for index, text in enumerate(told(products(patch, row, column))):
        draw.text(252, 334 + 28 * index, text, SMALL, 'start')
    note = f'窗口横着、竖着都有 {size} − 3 + 1 = {len(output)} 个位置'
    draw.text(MARGIN + 4, 544, note, SMALL, 'start')
    return draw


def numbered(draw: Drawing, values, x: float, y: float, cell: float, fill) -> None:
    """一格一个数，底色由 fill 给出（底色，字的颜色）。"""
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            background, ink = fill(value)
            place = draw.grid(x + cell * j, y + cell * i, 1, cell, background)
            draw.text(place.cx, place.cy, written(value), SMALL, colour=ink)


def grey(value: int) -> tuple[str, str]:
    return f'#{value:02x}{value:02x}{value:02x}', '#ffffff' if value < 128 else INK


def signed(limit: int):
    """正的越大越红，负的越大越蓝，0 是白的。"""

    def fill(value: int) -> tuple[str, str]:
        faded = 255 - round(150 * abs(value) / limit)
        red = f'#ff{faded:02x}{faded:02x}'
        return (red if value >= 0 else f'#{faded:02x}{faded:02x}ff'), INK

    return fill


def written(value: int) -> str:
    return str(value).replace('-', '−')


def told(lines: list[list[tuple[int, int]]]) -> list[str]:
    """粗框的九项，一行三项，最后是和。"""
    rows = [
        ' + '.join(f'{x}×{f"({written(w)})" if w < 0 else w}' for x, w in line)
        for line in lines
    ]
    total = sum(x * w for line in lines for x, w in line)
    return [
        '粗框里的九项相加：',
        *(f'{r} +' for r in rows[:-1]),
        rows[-1],
        f'= {written(total)}',
    ]
