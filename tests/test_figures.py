"""The structure figures in img/: valid, described in Chinese, drawn by the script."""

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / 'tools' / 'draw_figures.py'
SVG = '{http://www.w3.org/2000/svg}'
HAN = re.compile('[\u4e00-\u9fff]')
FILES = sorted((ROOT / 'img').glob('*.svg'))
EXPECTED = {
    'alexnet',
    'densenet',
    'growth',
    'inception',
    'logo',
    'nin',
    'pipeline',
    'residual-block',
    'resnet18',
    'vgg-block',
    'vgg16',
}


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location('draw_figures', SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name while the script is being run
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


draw_figures = load_script()


def labels(name: str) -> list[str]:
    root = ET.parse(ROOT / 'img' / f'{name}.svg').getroot()
    return [element.text or '' for element in root.iter(f'{SVG}text')]


def test_every_figure_of_the_book_is_there() -> None:
    assert {path.stem for path in FILES} == EXPECTED


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_figure_is_described_and_fits_a_page(path: Path) -> None:
    root = ET.parse(path).getroot()
    assert root.tag == f'{SVG}svg'
    assert root.get('role') == 'img'
    for tag in ('title', 'desc'):
        assert HAN.search(root.findtext(f'{SVG}{tag}', default='')), tag
    left, top, width, height = map(float, root.get('viewBox', '').split())
    assert (left, top) == (0, 0)
    assert 0 < width <= 640
    assert (float(root.get('width')), float(root.get('height'))) == (width, height)
    assert path.stat().st_size < 40_000


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_text_is_readable_when_600_pixels_wide(path: Path) -> None:
    root = ET.parse(path).getroot()
    scale = 600 / float(root.get('viewBox', '').split()[2])
    for element in root.iter(f'{SVG}text'):
        assert float(element.get('font-size')) * scale >= 13, element.text


def test_committed_figures_equal_what_the_script_draws() -> None:
    assert draw_figures.differing(ROOT / 'img') == []


def test_check_names_changed_missing_and_foreign_figures(tmp_path: Path) -> None:
    names = draw_figures.write_all(tmp_path)
    assert draw_figures.differing(tmp_path) == []
    (tmp_path / names[0]).write_text('<svg/>', encoding='utf-8')
    (tmp_path / names[1]).unlink()
    (tmp_path / 'zz.svg').write_text('<svg/>', encoding='utf-8')
    assert draw_figures.differing(tmp_path) == [names[0], names[1], 'zz.svg']


def test_check_exits_with_1_and_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw_figures, 'IMG_DIR', tmp_path)
    assert draw_figures.main([]) == 0
    assert draw_figures.main(['--check']) == 0
    (tmp_path / 'nin.svg').unlink()
    capsys.readouterr()
    assert draw_figures.main(['--check']) == 1
    assert 'nin.svg' in capsys.readouterr().out


def test_unknown_argument_is_refused_in_chinese() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), '--chekc'],
        capture_output=True,
        encoding='utf-8',
        check=False,
    )
    assert done.returncode == 2
    assert '用法' in done.stderr


def test_text_that_leaves_its_box_is_refused() -> None:
    draw = draw_figures.Drawing('x', '题', '述', 100)
    with pytest.raises(ValueError, match='框放不下'):
        draw.box('conv', 0, 0, 30, 30, '全局平均池化')
    with pytest.raises(ValueError, match='超出画面'):
        draw.box('conv', 460, 0, 30, 30)


def output_size(size: int, window: int, stride: int = 1, padding: int = 0) -> int:
    return (size + 2 * padding - window) // stride + 1


LAYER = re.compile(
    r'(\d+)×\1 (卷积|最大池化|平均池化)(?:，步幅 (\d+))?(?:，填充 (\d+))?$'
)
SHAPE = re.compile(r'(\d+)×(\d+)×\2$')


def test_alexnet_shapes_follow_from_its_windows_strides_and_paddings() -> None:
    lines = labels('alexnet')
    checked = 0
    size = 0
    for line, following in zip(lines, lines[1:], strict=False):
        shape = SHAPE.match(following)
        if line == '输入':
            size = int(shape[2])
        layer = LAYER.match(line)
        if layer is None:
            continue
        window, kind = int(layer[1]), layer[2]
        stride = 2 if kind == '平均池化' else int(layer[3] or 1)
        size = output_size(size, window, stride, int(layer[4] or 0))
        assert int(shape[2]) == size, (line, following)
        checked += 1
    assert checked == 8 + 4  # AlexNet and LeNet


def test_inception_channels_add_up() -> None:
    lines = labels('inception')
    (total,) = [line for line in lines if '=' in line]
    terms, result = total.split(' = ')
    numbers = [int(term) for term in terms.split(' + ')]
    assert sum(numbers) == int(result)
    for channels in numbers:
        assert f'{channels} 通道' in lines
    assert f'输出：{result} 通道，高 h，宽 w' in lines


def test_vgg16_has_13_convolutions_and_3_dense_layers() -> None:
    lines = labels('vgg16')
    assert sum(line.startswith('3×3 卷积，') for line in lines) == 13
    assert sum(line.startswith('全连接，') for line in lines) == 3


def test_resnet18_has_18_weight_layers_and_three_projections() -> None:
    lines = labels('resnet18')
    convolutions = sum(line in ('7×7 卷积', '3×3 卷积') for line in lines)
    dense = lines.count('全连接')
    assert convolutions + dense == 18
    assert lines.count('1×1 卷积，步幅 2') == 3
