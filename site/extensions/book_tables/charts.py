"""横着的条形图，写成 SVG 放进页面：文字随页面的明暗，手机上也读得清。

一幅小图（``Panel``）是一个网络：一行一个名字、一条、一个数。几幅排成网格，宽屏两列，手机一列
（样式在 site/assets/figures.css）。读屏软件读到的是同样的名字与数。
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from book_pages.code_lines import columns
from docutils import nodes

WIDTH, ROW, TITLE, SIZE = 330, 20, 24, 12  # SVG 的单位，手机上约等于一个像素
COLUMN = 6.8  # 一列（半个汉字，或一个字母）占多宽
# 中等深浅，白底黑底上都看得清；Okabe–Ito，色觉障碍者也能区分。
PLAIN, HALF, OURS = '#8a9099', '#56b4e9', '#0072b2'
EMPTY = '#8a909933'  # 没有填满的一段


@dataclass(frozen=True)
class Bar:
    """一条：可以分几段，各段是 (长度, 颜色)。"""

    label: str
    parts: tuple[tuple[float, str], ...]
    text: str

    @property
    def length(self) -> float:
        return sum(length for length, _ in self.parts)


@dataclass(frozen=True)
class Panel:
    title: str
    bars: Sequence[Bar]


def room(texts: Sequence[str]) -> float:
    """最长的一个要多宽。"""
    return max(map(columns, texts), default=0) * COLUMN + 8


def words(x: float, y: float, text: str, weight: str = 'normal') -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-weight="{weight}">{escape(text)}</text>'
    )


def draw(panel: Panel, longest: float) -> str:
    """一幅小图；``longest`` 是占满的长度。"""
    left = room([bar.label for bar in panel.bars])
    scale = (WIDTH - left - room([bar.text for bar in panel.bars]) - 5) / longest
    pieces = [words(0, SIZE + 2, panel.title, 'bold')]
    for index, bar in enumerate(panel.bars):
        top, x = TITLE + index * ROW, left
        pieces.append(words(0, top + SIZE + 1, bar.label))
        for length, colour in bar.parts:
            pieces.append(
                f'<rect x="{x:.1f}" y="{top + 2}" width="{length * scale:.1f}" '
                f'height="{ROW - 6}" fill="{colour}"/>'
            )
            x += length * scale
        pieces.append(words(x + 5, top + SIZE + 1, bar.text))
    spoken = '；'.join(f'{bar.label} {bar.text}'.strip() for bar in panel.bars)
    return (
        f'<svg viewBox="0 0 {WIDTH} {TITLE + ROW * len(panel.bars)}" role="img" '
        f'font-size="{SIZE}" fill="currentColor" '
        f'aria-label="{escape(f"{panel.title}：{spoken}")}">{"".join(pieces)}</svg>'
    )


def grid(
    panels: Sequence[Panel], caption: str, *, shared: bool = False
) -> nodes.raw | None:
    """几幅小图，上面一行说明；``shared`` 时共用一把尺子，各幅的长短可以互相比较。

    一条也没有时返回 None。
    """
    panels = [panel for panel in panels if panel.bars]
    if not panels:
        return None
    lengths = [max(bar.length for bar in panel.bars) for panel in panels]
    scales = [max(lengths)] * len(lengths) if shared else lengths
    drawn = ''.join(draw(p, s) for p, s in zip(panels, scales, strict=True))
    text = f'<p class="charts-caption">{escape(caption)}</p>'
    return nodes.raw('', f'{text}<div class="charts">{drawn}</div>', format='html')
