"""图里的中文：不管用哪种样式、调用没调用 use_book_style，都不是方框。"""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from deepcnn import plot
from deepcnn.anatomy.windows import Window
from deepcnn.explore.figures import window_figure
from deepcnn.plot import chinese_font

ROOT = Path(__file__).resolve().parents[2]
matplotlib.use('Agg')

SEABORN = {  # seaborn.set_theme() 写进 rcParams 的字体
    'font.family': ['sans-serif'],
    'font.sans-serif': [
        'Arial', 'DejaVu Sans', 'Liberation Sans', 'Bitstream Vera Sans', 'sans-serif',
    ],
}  # fmt: skip
STYLES: dict[str, Callable[[], None]] = {
    'plain': plt.rcdefaults,
    'book': plot.use_book_style,
    'seaborn': lambda: plt.rcParams.update(SEABORN),
    'seaborn sheet': lambda: plt.style.use('seaborn-v0_8-whitegrid'),
    'ggplot': lambda: plt.style.use('ggplot'),
    'serif': lambda: plt.rcParams.update({'font.family': 'serif'}),
    'one font': lambda: plt.rcParams.update({'font.family': ['DejaVu Sans Mono']}),
    'none found': lambda: plt.rcParams.update({'font.family': ['No Such Font']}),
}


@pytest.fixture(autouse=True)
def usual_style() -> Iterator[None]:
    with plt.rc_context():
        plt.rcdefaults()
        yield


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """一台没有装中文字体的电脑。"""
    monkeypatch.setattr(chinese_font, 'SYSTEM_FAMILIES', ())
    chinese_font.substitutes.cache_clear()
    yield
    chinese_font.substitutes.cache_clear()


def draw_all() -> Iterator[Figure]:
    """读者自己画的，与书里的各种图。"""
    fig, axes = plt.subplots()
    axes.plot([-1, 1], label='训练')
    axes.set(title='损失曲线', xlabel='轮', ylabel='准确率')
    axes.legend()
    yield fig
    yield plot.show_images(torch.rand(2, 1, 8, 8), ['短靴', '衬衫'], '种子 0 · 训练')
    yield plot.filters(torch.randn(4, 1, 3, 3), '种子 0')
    yield plot.feature_maps(torch.rand(1, 1, 8, 8), {'边缘': torch.randn(1, 8, 4, 4)})
    yield plot.heat_maps(
        {'学习率': [[0.5]]}, ['弱'], ['大'], ('衰减', '学习率'), '来历'
    )
    yield plot.lines_with_spread({'翻转': {1: [0.1], 2: [0.2]}}, '轮', '准确率')
    yield window_figure(13, (Window(3),))


@pytest.mark.parametrize('style', STYLES)
def test_no_style_turns_chinese_into_boxes(style: str, bare: None) -> None:
    plot.use_book_style()
    STYLES[style]()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for fig in draw_all():
            fig.canvas.draw()


@pytest.mark.parametrize('kind', ['png', 'svg', 'pdf', 'ps'])
def test_every_kind_of_file_has_the_characters(
    kind: str, tmp_path: Path, bare: None
) -> None:
    plt.rcParams.update(SEABORN)
    fig = plt.figure()
    fig.text(0.1, 0.5, '短靴')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fig.savefig(tmp_path / f'figure.{kind}')


FRESH = """
import warnings
warnings.simplefilter('error')
import {module}
import matplotlib.pyplot as plt
plt.title('卷积')
plt.savefig('figure.png')
"""


@pytest.mark.parametrize('module', ['deepcnn.plot', 'deepcnn.explore'])
def test_a_fresh_script_needs_only_the_import(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-c', FRESH.format(module=module)],
        cwd=tmp_path,
        env={**os.environ, 'MPLBACKEND': 'agg', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        encoding='utf-8',
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'figure.png').stat().st_size > 0


def pixels(fig: Figure) -> np.ndarray:
    fig.canvas.draw()
    return np.asarray(fig.canvas.buffer_rgba())


def test_letters_keep_the_font_of_the_style(monkeypatch: pytest.MonkeyPatch) -> None:
    """只补没有的字：不含中文的图与没有装字体时逐像素相同。"""
    find = matplotlib.font_manager.FontManager._find_fonts_by_props

    def letters() -> np.ndarray:
        plt.rcdefaults()
        fig = plt.figure()
        fig.text(0.1, 0.5, 'ResNet-18 −0.5')
        return pixels(fig)

    now = letters()
    monkeypatch.setattr(
        matplotlib.font_manager.FontManager, '_find_fonts_by_props', find.__wrapped__
    )
    assert (letters() == now).all()


RARE = '鼋'  # 不在 GB 2312 一级汉字里


def test_rare_characters_are_told_in_one_line(bare: None) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        fig = plot.show_images(
            torch.rand(2, 1, 8, 8), [f'大{RARE}', f'小{RARE}'], '来历'
        )
        fig.canvas.draw()
    [line] = [str(one.message) for one in told]
    assert line.startswith(f'没有字体能画「{RARE}」') and '\n' not in line


def test_a_font_of_the_system_has_the_rare_characters(
    monkeypatch: pytest.MonkeyPatch, bare: None
) -> None:
    """别处装的字体排在随书的之后；这里借 DejaVu 充当：它有西里尔字母，随书的没有。"""
    monkeypatch.setattr(chinese_font, 'SYSTEM_FAMILIES', ('没有的字体', 'DejaVu Sans'))
    book, system = chinese_font.substitutes()
    assert book == str(chinese_font.FONT) and 'DejaVuSans' in system


def test_chinese_beside_a_formula(caplog: pytest.LogCaptureFixture, bare: None) -> None:
    """公式另有一套找字体的办法，没有的字只写进日志。"""
    plt.rcParams.update(SEABORN)
    fig = plot.show_images(torch.rand(1, 1, 8, 8), ['学习率 $10^{-3}$'], '来历')
    fig.canvas.draw()
    assert not [one for one in caplog.messages if 'does not have a glyph' in one]


def test_characters_of_the_chosen_font_are_not_missing(bare: None) -> None:
    """读者自己选的字体里有的字，不算没有。"""
    plt.rcParams['font.family'] = ['DejaVu Sans']
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        plot.show_images(torch.rand(1, 1, 8, 8), ['Ж'])


def test_installing_twice_changes_nothing() -> None:
    find = matplotlib.font_manager.FontManager._find_fonts_by_props
    known = len(matplotlib.font_manager.fontManager.ttflist)
    chinese_font.install_chinese_font()
    assert matplotlib.font_manager.FontManager._find_fonts_by_props is find
    assert len(matplotlib.font_manager.fontManager.ttflist) == known
