"""一张 12×12 像素的彩色小画，以及拿它讲的两个想法：1×1 卷积混合通道，恒等映射。

画是照下面的字画的，每个字一个像素；别的画由真的层作用在它上面得到。
"""

from __future__ import annotations

from figures.canvas import BODY, MARGIN, SMALL, Box, Drawing

Colour = tuple[int, int, int]
Picture = tuple[tuple[Colour, ...], ...]  # 行 × 列，红绿蓝各 0～255

PALETTE: dict[str, Colour] = {
    '.': (200, 224, 248),  # 天
    'b': (120, 72, 40),  # 梗
    'g': (64, 160, 56),  # 叶
    'r': (208, 40, 48),  # 果
    'd': (152, 24, 40),  # 果的暗处
    'w': (248, 192, 184),  # 反光
    't': (184, 136, 88),  # 桌
}
APPLE = """
............
......bgg...
......bggg..
...rrrbrrr..
..rwwrrrrrr.
..rwwrrrrrd.
..rwrrrrrrd.
..rrrrrrrdd.
...rrrrrrdd.
...rrrrrdd..
tttttddttttt
tttttttttttt
"""
PICTURE: Picture = tuple(tuple(PALETTE[one] for one in row) for row in APPLE.split())


def channel(picture: Picture, which: int) -> Picture:
    """只留一个通道，其余是 0：纯红、纯绿或纯蓝的画。"""
    return tuple(
        tuple(tuple(v if i == which else 0 for i, v in enumerate(p)) for p in line)
        for line in picture
    )


def grey(values: tuple[tuple[int, ...], ...]) -> Picture:
    return tuple(tuple((v, v, v) for v in line) for line in values)


def paint(draw: Drawing, x: float, y: float, picture: Picture, cell: float) -> Box:
    """画一张像素画；同色的像素合在一条路径里，文件小。"""
    runs: dict[Colour, list[str]] = {}
    for row, line in enumerate(picture):
        start = 0
        for column in range(1, len(line) + 1):
            if column == len(line) or line[column] != line[start]:
                left, wide = x + cell * start, cell * (column - start)
                path = f'M{left:g} {y + cell * row:g}h{wide:g}v{cell:g}h-{wide:g}z'
                runs.setdefault(line[start], []).append(path)
                start = column
    for (red, green, blue), paths in runs.items():
        fill = f'#{red:02x}{green:02x}{blue:02x}'
        draw.parts.append(
            f'<path d="{"".join(paths)}" fill="{fill}" shape-rendering="crispEdges"/>'
        )
    side = cell * len(picture)
    draw.require_inside(x, y, side, side, '画')
    return Box(x, y, side, side)


def mixing(weights: tuple[tuple[float, ...], ...], maps: tuple) -> Drawing:
    """三个通道按两组权重混合成两张图；``maps`` 由真的 1×1 卷积算出，0～255。"""
    said = ['、'.join(f'{w:g}' for w in row) for row in weights]
    draw = Drawing(
        'channel-mixing',
        '1×1 卷积把三个通道混合成两张图',
        f'上面是一张彩色画和它的红、绿、蓝三个通道。下面两张灰度图各是三个通道的加权和：'
        f'权重 {said[0]} 的得到明暗，权重 {said[1]} 的只有红色的地方亮。',
        372,
    )
    cell, top, low = 8, 44, 214
    names = ('彩色画', '红', '绿', '蓝')
    xs = [MARGIN + 4 + 116 * i for i in range(4)]
    pictures = (PICTURE, *(channel(PICTURE, which) for which in range(3)))
    boxes = [paint(draw, x, top, p, cell) for x, p in zip(xs, pictures, strict=True)]
    for box, name in zip(boxes, names, strict=True):
        draw.text(box.cx, top - 18, name, BODY)
    for x, row, values, name in zip(
        (134, 308), weights, maps, ('明暗', '红的地方'), strict=True
    ):
        result = paint(draw, x, low, grey(values), cell)
        for box in boxes[1:]:
            draw.line((box.cx, box.bottom + 4), (result.cx, result.y - 4))
        draw.text(result.cx, result.bottom + 18, name, BODY)
        signs = [f'{w:+g}{c}' for w, c in zip(row, names[1:], strict=True)]
        line = ' '.join(signs).lstrip('+').replace('-', '−')
        draw.text(result.cx, result.bottom + 42, line, SMALL)
    return draw


def identity_block(with_shortcut: Picture, without: Picture) -> Drawing:
    """最后的 γ 置零：残差块原样送出那张画，没有捷径的块送出一片黑。"""
    draw = Drawing(
        'identity-block',
        'γ 置零的残差块与没有捷径的块',
        '上下两行的输入是同一张彩色画。上面一行经过残差块，最后的批量归一化的 γ 是 0，'
        '输出与输入一个像素也不差。下面一行的块没有捷径，γ 也是 0，输出处处是 0，一片黑。',
        330,
    )
    rows = (('残差块', 'γ = 0', with_shortcut, 'identity', '与输入相同'),
            ('没有捷径的块', 'γ = 0', without, 'module', '处处是 0'))  # fmt: skip
    for row, (name, below, result, kind, said) in enumerate(rows):
        y = 20 + 158 * row
        source = paint(draw, MARGIN + 4, y, PICTURE, 8)
        block = draw.box(kind, 166, y + 20, 148, 56, name, below)
        target = paint(draw, 364, y, result, 8)
        draw.across(source, block)
        draw.across(block, target)
        draw.text(source.cx, source.bottom + 18, '输入', SMALL)
        draw.text(target.cx, target.bottom + 18, said, SMALL)
    return draw
