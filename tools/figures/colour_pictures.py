"""由像素画成的图：1×1 卷积混合通道，恒等映射，全局平均池化。

前两幅用一张 12×12 的彩色小画，照下面的字画成，每个字一个像素；别的画由真的层得到。
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class ClassMap:
    """一类的得分图，与它的平均（那一类的得分）。"""

    name: str
    values: tuple[tuple[float, ...], ...]
    average: float


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


def pooled_maps(image: Picture, size: int, maps: tuple[ClassMap, ...]) -> Drawing:
    """一张真的测试图像，训练好的 DenseNet 给出的各类的得分图，各自平均成一个数。"""
    side = len(maps[0].values)
    draw = Drawing(
        'pooled-map',
        '真的得分图与它的平均',
        f'左边是一张测试图像，放大到 {size} 像素后送进训练好的 DenseNet。中间是两类的得分'
        f'图，各 {side}×{side} 格；右边是每张图的平均，就是那一类的得分：'
        + '，'.join(f'{one.name} {signed(one.average)}' for one in maps)
        + '。',
        342,
    )
    cell, x, pitch = 44, 190, 168
    source = paint(draw, MARGIN + 4, 96, image, 4)
    draw.text(source.cx, 78, '测试图像', SMALL)
    for row, one in enumerate(maps):
        y = 34 + pitch * row
        draw.text(x + cell * side / 2, y - 16, f'{one.name}的得分图', SMALL)
        for i, line in enumerate(one.values):
            for j, value in enumerate(line):
                score(draw, x + cell * j, y + cell * i, cell, value)
        grid = Box(x, y, cell * side, cell * side)
        score(draw, 400, grid.cy - cell / 2, cell, one.average)
        draw.text(400 + cell / 2, grid.cy - cell / 2 - 14, '平均', SMALL)
        draw.arrow((grid.right, grid.cy), (400, grid.cy))
        draw.line((source.right, source.cy), (grid.x - 6, grid.cy))
    return draw


def signed(value: float) -> str:
    return f'{value:.1f}'.replace('-', '−')


def score(draw: Drawing, x: float, y: float, cell: float, value: float) -> None:
    """一格得分：正的橙，负的蓝，越大越深；颜色由印出的那个数定，各台机器相同。"""
    value = round(value, 1)
    share = min(abs(value) / 4, 1)
    full = (213, 94, 0) if value > 0 else (0, 114, 178)
    red, green, blue = (round(255 - share * (255 - v)) for v in full)
    draw.require_inside(x, y, cell, cell, '格')
    draw.parts.append(
        f'<rect x="{x:g}" y="{y:g}" width="{cell:g}" height="{cell:g}" '
        f'fill="#{red:02x}{green:02x}{blue:02x}" stroke="#ffffff"/>'
    )
    draw.text(x + cell / 2, y + cell / 2, signed(value), SMALL)
