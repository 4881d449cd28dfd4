"""图像、特征图、卷积核与曲线怎样画；图里每个字都有字形。"""

import re
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from book_source import chapter_files
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.ft2font import FT2Font
from torch import nn

from deepcnn import plot
from deepcnn.plot.chinese_font import FONT
from deepcnn.plot.mosaic import Mosaic
from deepcnn.records.runs import History, Run

matplotlib.use('Agg')


@pytest.mark.parametrize(
    'page', chapter_files(), ids=lambda path: path.stem
)
def test_every_character_in_the_code_has_a_glyph(page: Path) -> None:
    """没有装中文字体的电脑上，图里的字也不能变成方框：随书字体里没有的，DejaVu 里要有。"""
    fallback = font_manager.findfont('DejaVu Sans')
    fonts = [FT2Font(str(path)) for path in (FONT, fallback)]
    drawn = set().union(*(font.get_charmap() for font in fonts))
    cells = nbformat.read(page, as_version=4).cells
    code = ''.join(cell.source for cell in cells if cell.cell_type == 'code')
    assert not {c for c in code if not c.isspace() and ord(c) not in drawn}


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


COLOUR = torch.randint(0, 256, (2, 3, 8, 6), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    'images',
    [
        COLOUR.to(torch.uint8),
        COLOUR / 255,
        (COLOUR / 255).double().requires_grad_(),
    ],
    ids=['uint8', 'float', 'double'],
)
def test_colour_images_are_shown_in_colour(images: torch.Tensor) -> None:
    fig = plot.show_images(images, ['一', '二'])
    for drawn, expected in zip(fig.axes[0].images, COLOUR, strict=True):
        shown = np.asarray(drawn.get_array(), dtype=float)
        assert shown == pytest.approx(expected.permute(1, 2, 0).numpy() / 255, abs=1e-6)
        left, right, bottom, top = drawn.get_extent()
        assert (right - left) / (bottom - top) == pytest.approx(6 / 8)


def test_normalised_colours_are_stretched_together() -> None:
    """三个通道一起拉伸：各拉各的，颜色就变了。"""
    images = torch.tensor([-1.0, 0.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    [picture] = plot.images.pictures(images)
    assert picture[0, 0] == pytest.approx([0, 0.25, 1])
    [flat] = plot.images.pictures(torch.full((1, 3, 2, 2), -5.0))
    assert (flat == 0).all()


def test_grey_images_may_leave_out_the_channel() -> None:
    images = torch.rand(3, 5, 4)
    for given in (images, images.unsqueeze(1), (255 * images).to(torch.uint8)):
        drawn = plot.show_images(given, 'abc').axes[0].images
        expected = given.reshape(3, 5, 4).float().numpy()
        for one, image in zip(drawn, expected, strict=True):
            assert np.array_equal(one.get_array(), image)


@pytest.mark.parametrize(
    ('images', 'titles', 'message'),
    [
        (torch.rand(0, 1, 8, 8), [], r'空的 \(0, 1, 8, 8\)：至少要有一个'),
        (torch.rand(2, 1, 0, 8), 'ab', r'空的 \(2, 1, 0, 8\)'),
        (torch.rand(2, 8, 8, 3), 'ab', r'\(2, 8, 8, 3\)：.*permute\(0, 3, 1, 2\)'),
        (torch.rand(2, 4, 8, 8), 'ab', r'现在是 \(2, 4, 8, 8\)'),
        (torch.rand(8, 8), 'a', r'\(8, 8\)：一张图像请用 image.unsqueeze\(0\)'),
        (torch.rand(3, 8, 8), ['一张彩色'], '图像有 3 张，标题却有 1 个'),
        (np.zeros((2, 1, 8, 8)), 'ab', 'ndarray：请用 torch.as_tensor'),
        ([torch.rand(1, 8, 8)], 'a', 'list：请用 torch.as_tensor'),
    ],
)
def test_other_images_are_refused_in_one_line(
    images: object, titles: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as told:
        plot.show_images(images, titles)
    assert '\n' not in str(told.value)


def test_first_layers_of_three_channels_are_drawn_in_colour() -> None:
    weight = torch.zeros(2, 3, 1, 1)
    weight[0, 0], weight[1, 2] = 2.0, -1.0  # 只有红；蓝是负的
    fig = plot.filters(weight)
    red, blue = (np.asarray(image.get_array())[0, 0] for image in fig.axes[0].images)
    assert red == pytest.approx([1, 0.5, 0.5]) and blue == pytest.approx(
        [0.5, 0.5, 0.25]
    )
    assert fig.axes[0].get_title() == '权重的红、绿、蓝：0 为中灰，范围 ±2'
    plot.filters(torch.zeros(2, 3, 3, 3)).draw_without_rendering()


@pytest.mark.parametrize('shape', [(4, 64, 3, 3), (10, 5), (0, 1, 3, 3), (4, 2, 3, 3)])
def test_other_kernels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f'卷积核应是.*{re.escape(str(shape))}'):
        plot.filters(torch.rand(shape))


def test_feature_maps_show_a_colour_input() -> None:
    X = COLOUR[:1] / 255
    fig = plot.feature_maps(X, {'a': torch.randn(1, 4, 5, 5)})
    shown = np.asarray(fig.axes[0].images[0].get_array())
    assert shown == pytest.approx(X[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ('image', 'maps', 'message'),
    [
        (torch.rand(1, 1, 8, 8), {}, '一层特征图也没有'),
        (torch.rand(1, 1, 8, 8), {'fc': torch.rand(1, 10)}, r'fc 应是.*\(1, 10\)'),
        (torch.rand(1, 1, 8, 8), {'a': torch.rand(2, 4, 5, 5)}, r'a 应是.*X\[:1\]'),
        (
            torch.rand(1, 8, 8),
            {'a': torch.rand(1, 4, 5, 5)},
            r'输入图像 应是.*\(1, 8, 8\)',
        ),
        (torch.rand(1, 2, 8, 8), {'a': torch.rand(1, 4, 5, 5)}, r'\(1, 2, 8, 8\)'),
        (torch.rand(1, 1, 8, 8), {'a': torch.rand(1, 0, 5, 5)}, r'a 应是'),
    ],
)
def test_other_feature_maps_are_refused(
    image: torch.Tensor, maps: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plot.feature_maps(image, maps)
