"""图像、特征图、卷积核与曲线怎样画；图里每个字都有字形。"""

import warnings
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.ft2font import FT2Font
from torch import nn

from deepcnn import plot
from deepcnn.plot.mosaic import Mosaic
from deepcnn.plot.style import FONT
from deepcnn.records.runs import History, Run

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
matplotlib.use('Agg')


def test_chinese_labels_have_glyphs() -> None:
    plot.use_book_style()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fig = plot.show_images(
            torch.rand(2, 1, 8, 8), ['短靴', '衬衫'], '种子 0 · 训练'
        )
        fig.canvas.draw()
    plt.close(fig)


@pytest.mark.parametrize(
    'page', sorted(CHAPTERS.rglob('*.ipynb')), ids=lambda path: path.stem
)
def test_every_character_in_the_code_has_a_glyph(page: Path) -> None:
    """没有装中文字体的电脑上，图里的字也不能变成方框：随书字体里没有的，DejaVu 里要有。"""
    fallback = font_manager.findfont('DejaVu Sans')
    fonts = [FT2Font(str(path)) for path in (FONT, fallback)]
    drawn = set().union(*(font.get_charmap() for font in fonts))
    cells = nbformat.read(page, as_version=4).cells
    code = ''.join(cell.source for cell in cells if cell.cell_type == 'code')
    assert not {c for c in code if not c.isspace() and ord(c) not in drawn}


def test_the_font_of_the_book_is_added_once() -> None:
    plot.use_book_style()
    known = len(font_manager.fontManager.ttflist)
    plot.use_book_style()
    assert len(font_manager.fontManager.ttflist) == known


def test_map_colours_are_centred_on_zero() -> None:
    maps = {'a': torch.randn(1, 4, 5, 5), 'b': torch.rand(1, 4, 5, 5)}
    fig = plot.feature_maps(torch.rand(1, 1, 8, 8), maps, channels=4)
    rows = [axes.images for axes in fig.axes if len(axes.images) == 5]
    signed, positive = ({image.norm for image in row[1:]} for row in rows)
    [signed], [positive] = signed, positive  # 一行共用一个色标
    assert signed.vmin == -signed.vmax
    assert positive.vmin == 0
    plt.close(fig)


def test_filters_share_one_symmetric_scale() -> None:
    conv = nn.Conv2d(1, 6, 3)
    fig = plot.filters(conv.weight, columns=3)
    images = fig.axes[0].images
    assert len(images) == 6
    [limit] = {image.norm.vmax for image in images}
    assert limit == pytest.approx(conv.weight.abs().max().item())
    plt.close(fig)


def extents(mosaic: Mosaic) -> list[tuple[float, float, float, float]]:
    return [image.get_extent() for image in mosaic.axes.images]


def test_mosaic_puts_every_picture_in_its_own_cell() -> None:
    fig, axes = plt.subplots()
    mosaic = Mosaic(axes, 2, 3, title_height=0.25)
    for index in range(6):
        mosaic.draw(index, np.zeros((4, 4)), f'#{index}')
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()  # 纵轴向下
    seen = extents(mosaic)
    for index, (x0, x1, y1, y0) in enumerate(seen):
        assert (x1 - x0, y1 - y0) == pytest.approx((1, 1))
        assert left <= x0 < x1 <= right and top + 0.25 <= y0 + 1e-9 < y1 <= bottom
        row, column = divmod(index, 3)
        assert x0 == pytest.approx(column * 1.12) and y0 == pytest.approx(row * 1.37)
    assert [text.get_text() for text in axes.texts] == [f'#{k}' for k in range(6)]
    plt.close(fig)


def test_mosaic_keeps_the_shape_of_a_picture_and_its_orientation() -> None:
    fig, axes = plt.subplots()
    mosaic = Mosaic(axes, 1, 1)
    image = np.arange(8.0).reshape(2, 4)
    drawn = mosaic.draw(0, image, cmap='gray')
    [(x0, x1, y1, y0)] = extents(mosaic)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(2)
    assert (y0 + y1) / 2 == pytest.approx(0.5)
    assert np.array_equal(drawn.get_array(), image)
    assert axes.yaxis_inverted() and drawn.origin == 'upper'  # 第 0 行在最上面
    plt.close(fig)


def test_wrong_number_of_titles_is_refused() -> None:
    with pytest.raises(ValueError, match='标题'):
        plot.show_images(torch.rand(2, 1, 8, 8), ['一个'])


def test_an_interrupted_seed_does_not_shorten_the_curves() -> None:
    """种子 0 训练了 5 轮，种子 1 在第 2 轮里被打断。"""
    whole = Run(0, [1.0] * 5, [0.8] * 5, [0.9] * 5, [1.0] * 5, 5.0)
    runs = [whole, Run(1, [2.0], [0.2], [0.1], [1.0], 1.0)]
    history = History(
        'net',
        'quick',
        'digits',
        64,
        32,
        8,
        5,
        16,
        'fp32',
        'CPU',
        '2',
        {'lr': 0.1},
        runs,
    )
    figure = plot.training_curves(history)
    for axes, last in zip(figure.axes, (1.0, 0.8), strict=True):
        mean, *seeds = axes.get_lines()[:3]
        assert [len(line.get_xdata()) for line in (mean, *seeds)] == [5, 5, 1]
        assert mean.get_ydata()[-1] == pytest.approx(last)
    plt.close(figure)
