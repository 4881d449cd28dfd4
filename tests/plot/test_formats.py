"""笔记本里的图存成什么，缩到手机的宽度时字有多大。"""

import json
import re
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import nbformat
import numpy as np
import pytest
import torch
from book_source import chapter_files
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from small_data import load_digits_dataset
from trial_records import load_trial

from deepcnn import explore, plot
from deepcnn.anatomy import ClassActivation, Exciting, Occlusion
from deepcnn.models.densenet import densenet
from deepcnn.plot.formats import as_png, as_svg, bundle
from deepcnn.plot.style import SMALL, WIDTH, broken
from deepcnn.records import load_history
from deepcnn.records.spreads import Spread

matplotlib.use('Agg')
PHONE = 343  # 375 像素宽的手机上正文的宽度
READABLE = 8  # 像素
LONG = 'Fashion-MNIST · laptop 档 · CPU（AMD EPYC，2 线程） · 96 像素 · bf16 · 种子 0、1、2'


@pytest.fixture(autouse=True)
def book_style():
    with plt.rc_context():
        plot.use_book_style()
        yield
    plt.close('all')


def curve() -> Figure:
    fig, axes = plt.subplots(figsize=(3, 2), layout='constrained')
    axes.plot([1, 3, 2], label='训练')
    axes.legend()
    return fig


def test_curves_are_stored_as_svg_without_a_font() -> None:
    """旁边的 PNG 给不信任 SVG 的 JupyterLab。"""
    data, metadata = bundle(curve())
    assert set(data) == {'image/svg+xml', 'image/png'}
    png = Image.open(BytesIO(b64decode(data['image/png'])))
    assert png.size == (660, 440) and png.mode == 'P' and len(png.getcolors()) <= 256
    assert metadata['image/png'] == {'width': 330, 'height': 220}
    svg = data['image/svg+xml']
    assert 'width="216pt" height="144pt"' in svg
    assert '<text' not in svg and '<image' not in svg and '\n' not in svg
    assert ElementTree.fromstring(svg.encode()).get('viewBox') == '0 0 216 144'


def test_photographs_lose_a_few_levels_and_nothing_else() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    fig = plt.figure(figsize=(2, 2), layout='none')
    fig.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[]).imshow(levels)
    fig.savefig(drawn := BytesIO(), dpi=2 * fig.dpi, bbox_inches='tight')
    pngs = drawn, BytesIO(as_png(fig))
    exact, kept = (np.array(Image.open(one).convert('RGB')).astype(int) for one in pngs)
    assert np.abs(kept - exact).max() <= 3
    assert set(np.unique(kept)) <= {*range(3, 256, 7)}
    assert len(pngs[1].getvalue()) < len(drawn.getvalue())


def colours_lost(output: dict) -> set[str]:
    """SVG 里曲线、点与浅色的带的颜色，PNG 里没有相近的。"""
    pixels = Image.open(BytesIO(b64decode(output['image/png']))).convert('RGB').getcolors(1 << 24)
    seen = np.array([colour for _, colour in pixels])
    shown = {one: (to_rgb(one), 24) for one in colours_used(output)}
    bands = r'fill: (#[0-9a-f]{6}); fill-opacity: (0\.[12]\d*)'
    for colour, share in re.findall(bands, output['image/svg+xml']):
        mixed = 255 + float(share) * (to_rgb(colour) - 255)  # 盖在白底上
        shown[f'{colour} × {share}'] = mixed, 16
    return {name for name, (one, near) in shown.items() if np.abs(seen - one).max(1).min() > near}


def colours_used(output: dict) -> set[str]:
    return set(re.findall('#[0-9a-f]{6}', output['image/svg+xml'])) & curve_colours()


def curve_colours() -> set[str]:
    plot.use_book_style()
    return {one['color'].lower() for one in plt.rcParams['axes.prop_cycle']}


def to_rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


def curves_of(path: Path) -> list[dict]:
    """存成两种格式的图。"""
    cells = nbformat.read(path, 4).cells
    outputs = [o.get('data', {}) for cell in cells for o in cell.get('outputs', [])]
    return [one for one in outputs if 'image/svg+xml' in one]


def test_the_curves_of_the_book_are_found() -> None:
    both = [one for path in chapter_files() for one in curves_of(path)]
    assert len(both) > 40 and sum(map(len, map(colours_used, both))) > 40


@pytest.mark.parametrize('path', chapter_files(), ids=lambda path: path.stem)
def test_small_pngs_keep_the_colours_of_all_curves(path: Path) -> None:
    """JupyterLab 先显示 PNG：六条曲线要是六种颜色，占地再小也不合并。"""
    lost = [colours_lost(one) for one in curves_of(path)]
    assert not any(lost), lost


def test_the_same_curve_is_stored_byte_for_byte() -> None:
    """编号由内容算出；日期与 matplotlib 的版本不写。"""
    first, second = as_svg(curve()), as_svg(curve())
    assert first == second
    assert not re.search(r'<dc:date>|Matplotlib v|20\d\d-\d\d', first)
    assert matplotlib.rcParams['svg.hashsalt'] is None  # 读者自己的设置不变


def test_pictures_are_stored_with_two_dots_for_a_pixel() -> None:
    fig = plot.show_images(torch.rand(2, 1, 8, 8), '甲乙')
    data, metadata = bundle(fig)
    assert set(data) == {'image/png'}
    size = metadata['image/png']
    width, height = Image.open(BytesIO(b64decode(data['image/png']))).size
    assert (width, height) == (484, 297)
    assert size == {'width': 242, 'height': 148}


def test_what_stands_outside_is_kept_unless_the_layout_cares() -> None:
    fig, axes = plt.subplots(figsize=(3, 2))
    axes.text(1.5, 0.5, '伸出去的字', transform=axes.transAxes)
    width = float(re.search(r'width="([\d.]+)pt"', as_svg(fig))[1])
    assert width > 216


def test_an_empty_figure_shows_nothing() -> None:
    assert bundle(plt.figure()) == ({}, {})


def test_a_long_provenance_is_broken_between_its_parts() -> None:
    assert broken('甲 · b', 6) == ['甲 · b']
    assert broken('甲 · b', 5) == ['甲', 'b']
    assert broken('很长的一项 · b · c', 5) == ['很长的一项', 'b · c']
    assert ' · '.join(broken(LONG, 40)) == LONG


# ---- 手机上读得清 ----------------------------------------------------------------

RANDOM = torch.rand(8, 1, 8, 8)
MAPS = {'阶段': torch.rand(1, 12, 5, 5), '最后': torch.rand(1, 2, 1, 1)}
TITLES = ('AlexNet', 'VGG-11', 'NiN', 'GoogLeNet', 'ResNet-18', 'DenseNet')
SPREADS = {title: Spread(0.5, 0.1) for title in TITLES}
FIGURES: dict[str, Callable[[], Figure]] = {
    'images': lambda: plot.show_images(RANDOM, ['短靴'] * 8, 'Fashion-MNIST'),
    'filters': lambda: plot.filters(torch.rand(12, 1, 7, 7), LONG),
    'colour filters': lambda: plot.filters(torch.rand(6, 3, 3, 3), LONG),
    'maps': lambda: plot.feature_maps(RANDOM[:1], MAPS, LONG),
    'exciting': lambda: plot.exciting_images(
        RANDOM, [Exciting(40, torch.arange(8), torch.ones(8), torch.rand(8, 2))], LONG
    ),
    'occlusion': lambda: plot.occlusion_maps(
        RANDOM[:2], [Occlusion(1, 0.5, torch.rand(4, 4), 3, 2)] * 2, '甲乙', LONG
    ),
    'activation': lambda: plot.class_activations(
        RANDOM[:1], [ClassActivation(1, torch.rand(3, 3), 0.5)], ['甲'], LONG
    ),
    'curves': lambda: plot.training_curves(load_history('full/densenet')),
    'trials': lambda: plot.curves_with_spread([load_trial('residual-8')] * 3),
    'dots': lambda: plot.dots_with_spread([load_trial('residual-8')] * 3, 'gap'),
    'lines': lambda: plot.lines_with_spread({'甲': {1: [1.0, 2.0]}}, '横', '纵', LONG),
    'scatter': lambda: plot.accuracy_scatter(SPREADS, SPREADS, '参数', LONG),
    'bars': lambda: plot.paired_bars({'甲': SPREADS, '乙': SPREADS}, '%', LONG),
    'gradients': lambda: plot.gradient_histograms(
        {'甲': {'a': torch.rand(9)}, '乙': {'a': torch.rand(9)}}, ['a'], LONG
    ),
    'heat maps': lambda: plot.heat_maps(
        {'甲': [[0.1, 0.2]], '乙': [[0.3, 0.4]]}, ['1'], ['2', '3'], ('纵', '横'), LONG
    ),
}


def smallest(fig: Figure) -> float:
    """``fig`` 缩到手机的宽度时，最小的字有多高，像素。"""
    fig.draw_without_rendering()
    sizes = [
        text.get_fontsize()
        for text in fig.findobj(Text)
        if text.get_visible() and text.get_text().strip()
    ]
    shown = min(PHONE, 110 * fig.get_figwidth())
    return min(sizes) / 72 / fig.get_figwidth() * shown


@pytest.mark.parametrize('name', FIGURES)
def test_figures_fit_the_page_and_read_well_on_a_phone(name: str) -> None:
    fig = FIGURES[name]()
    assert fig.get_figwidth() <= WIDTH
    assert smallest(fig) >= READABLE
    inside = fig.get_tightbbox()
    assert inside.x0 > -0.05 and inside.x1 < fig.get_figwidth() + 0.05  # 没有切掉字


def test_explorations_fit_the_page_and_read_well_on_a_phone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Figure] = []

    def keep(fig: Figure) -> bytes:
        drawn.append(fig)
        return b'\x89PNG\r\n' + bytes(30)

    monkeypatch.setattr('deepcnn.explore.widgets.as_png', keep)
    explore.explore_window()
    explore.explore_configuration('inception', image_size=3)
    net = densenet(num_convs=(1, 1), growth_rate=4)
    explore.explore_feature_maps(net, load_digits_dataset(), 32, LONG)
    assert len(drawn) == 3
    for fig in drawn:
        assert fig.get_figwidth() <= WIDTH and smallest(fig) >= READABLE


@pytest.mark.parametrize('path', chapter_files(), ids=lambda path: path.stem)
def test_stored_figures_are_no_wider_than_the_page(path: Path) -> None:
    """笔记本自己画的图也一样：不宽过正文，写明的字不小于 10 磅。"""
    notebook = path.read_text(encoding='utf-8')
    widths = re.findall(r'<Figure size ([\d.]+)x', notebook)
    assert all(float(width) <= 110 * WIDTH for width in widths)
    sizes = re.findall(r'(?:font|label)size=(\d+)', notebook)
    assert all(int(size) >= SMALL for size in sizes)


@pytest.mark.parametrize('path', chapter_files(), ids=lambda path: path.stem)
def test_stored_pictures_are_sharp_and_say_their_width(path: Path) -> None:
    """每个 CSS 像素两个像素；没有写宽度的是换画法之前录的。"""
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    for output in (one for cell in cells for one in cell.get('outputs', ())):
        if picture := output.get('data', {}).get('image/png'):
            pixels = int.from_bytes(b64decode(''.join(picture))[16:20])  # PNG 头里的宽
            width = output['metadata'].get('image/png', {}).get('width', 0)
            assert abs(pixels - 2 * width) <= 1


@pytest.mark.parametrize('path', chapter_files(), ids=lambda path: path.stem)
def test_logarithmic_ticks_are_written_at_full_size(path: Path) -> None:
    """对数刻度自己写的是 10 的几次方，指数只有七成大，手机上看不清。"""
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    for source in (''.join(cell['source']) for cell in cells):
        if re.search(r"LogNorm\(|scale(=|\()'log'", source):
            assert re.search(r"format='|_formatter\(|set_[xy]ticks\(\w+, \[f'", source)
