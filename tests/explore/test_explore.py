"""交互的图：控件一动，图与数据就变；没有 ipywidgets 时是静态的图。"""

import warnings
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import matplotlib
import nbformat
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from nbclient import NotebookClient
from PIL import Image
from small_data import load_digits_dataset

from deepcnn import plot
from deepcnn.anatomy.choice import Choice
from deepcnn.anatomy.configurations import CONFIGURABLE
from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset
from deepcnn.explore import widgets as explore
from deepcnn.explore.channel_pages import (
    SCALES,
    SEPARATE,
    ChannelPage,
    channel_page,
    stage_maps,
)
from deepcnn.explore.figures import channel_figure
from deepcnn.explore.widgets import (
    WIDGET_VIEW,
    Exploration,
    explore_configuration,
    explore_feature_maps,
    explore_window,
)
from deepcnn.models.densenet import densenet
from deepcnn.models.network import Network

matplotlib.use('Agg')
ROOT = Path(__file__).resolve().parents[2]
PNG = b'\x89PNG\r\n'


@pytest.fixture(autouse=True)
def book_style_without_warnings() -> Iterator[None]:
    """缺字形时 matplotlib 只给警告：当作错误；本书用了过时的接口也是，别的包用的不管。"""
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        warnings.filterwarnings('error', module='deepcnn')
        plot.use_book_style()
        yield
    assert not plt.get_fignums(), '图没有关，笔记本会再显示一次'


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_digits_dataset()


@pytest.fixture(scope='module')
def net() -> Network:
    torch.manual_seed(0)
    return densenet(growth_rate=8)


def move(shown: Exploration, name: str, value: object) -> None:
    """像读者那样拨动一个控件，并确认图随之改变。"""
    before = bytes(shown.picture.value)
    shown.controls[name].value = value
    assert shown.message.value == ''
    assert bytes(shown.picture.value) == shown.png != before
    assert shown.png.startswith(PNG)


def test_sliding_the_window_changes_picture_and_numbers() -> None:
    shown = explore_window()
    assert repr(shown) == '输入边长 13，2 层：输出边长 9，感受野 5'
    move(shown, 'kernel_size', 5)
    assert repr(shown) == '输入边长 13，2 层：输出边长 5，感受野 9'
    move(shown, 'padding', 2)
    move(shown, 'stride', 2)
    assert repr(shown) == '输入边长 13，2 层：输出边长 4，感受野 13'
    move(shown, 'layers', 1)
    move(shown, 'image_size', 224)
    assert repr(shown) == '输入边长 224，1 层：输出边长 112，感受野 5'


def test_impossible_combination_is_explained_and_can_be_left() -> None:
    shown = explore_window(image_size=7)
    before = bytes(shown.picture.value)
    shown.controls['kernel_size'].value = 9
    assert '窗口可以用 1～7' in shown.message.value
    assert bytes(shown.picture.value) == before
    bundle, _ = shown._repr_mimebundle_()  # 再显示一次，是上一个状态
    assert b64decode(bundle['image/png']) == before
    assert bundle['text/plain'] == '输入边长 7，2 层：输出边长 3，感受野 5'
    shown.controls['kernel_size'].value = 2
    assert shown.message.value == ''
    assert bytes(shown.picture.value) != before


@pytest.mark.parametrize('network', CONFIGURABLE)
def test_every_configuration_control_works(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """第一个控件把图画到底；其余的只造图，不变成像素，看控件是不是改变了数。"""

    def leave_unpainted(fig: Figure, file: BinaryIO, **settings: object) -> None:
        Image.new('RGB', (1, 1)).save(file, 'PNG')

    shown = explore_configuration(network)
    for number, (name, control) in enumerate(shown.controls.items()):
        values = [value for _, value in control.options]
        index = values.index(control.value)
        other = values[index - 1 if index else 1]  # 相邻的一个，各项合起来仍然合法
        before = repr(shown)
        if number == 0:
            move(shown, name, other)
            monkeypatch.setattr(Figure, 'savefig', leave_unpainted)
        else:
            control.value = other
        assert shown.values[name] == other and shown.message.value == ''
        assert repr(shown) != before, name


def test_configuration_shows_the_numbers_of_the_chapter() -> None:
    shown = explore_configuration('vgg')
    assert '128,806,154 个参数，7,547,232,256 次乘加' in repr(shown)
    move(shown, 'width', 0.25)
    assert '43,093,322 个参数' in repr(shown)


def test_paging_through_channels(net: Network, data: Dataset) -> None:
    shown = explore_feature_maps(net, data, 32)
    bundle, metadata = shown._repr_mimebundle_()
    assert b64decode(bundle['image/png']) == shown.png
    assert metadata['image/png']['width'] == 649
    assert repr(shown) == '测试图像 0，stem：第 0～15 个通道，共 64 个'
    move(shown, 'page', 3)
    assert repr(shown) == '测试图像 0，stem：第 48～63 个通道，共 64 个'
    move(shown, 'image', 1)
    for scale in SCALES[1:]:
        move(shown, 'scale', scale)


def test_pages_follow_the_stage(net: Network, data: Dataset) -> None:
    shown = explore_feature_maps(net, data, 32, page=3)
    move(shown, 'stage', 'stages.1')  # 过渡层减到 48 个通道：只剩 3 页
    assert len(shown.controls['page'].options) == 3
    assert shown.controls['page'].value == shown.values['page'] == 2
    assert repr(shown) == '测试图像 0，stages.1：第 32～47 个通道，共 48 个'
    move(shown, 'stage', 'stages.0')
    assert len(shown.controls['page'].options) == 6


def test_the_page_holds_the_real_channels(net: Network, data: Dataset) -> None:
    page = channel_page(net, data, 32, image=2, stage='stages.0', page=1)
    X = prepare(data.test.images[2:3], 32, data)
    with torch.no_grad():
        expected = net.eval().stages[0](net.stem(X))[0]
    torch.testing.assert_close(page.maps, expected[16:32])
    assert page.total == len(expected) == 96
    assert page.class_name == data.class_names[data.test.labels[2]]


def test_colour_limits_keep_zero_white(net: Network, data: Dataset) -> None:
    together, separate, whole = (
        channel_page(net, data, 32, stage='stages.0', page=5, scale=scale)
        for scale in SCALES
    )
    low, high = together.limits.T
    assert (low == -high).all() and len(high.unique()) == 1
    assert torch.equal(separate.limits[:, 1], separate.maps.abs().amax(dim=(1, 2)))
    assert (whole.limits[:, 1] >= high).all()
    assert (channel_page(net, data, 32).limits[:, 0] == 0).all()  # stem 末尾有 ReLU


@pytest.mark.parametrize('scale', SCALES)
def test_every_channel_is_drawn_in_its_place(
    net: Network, data: Dataset, scale: str
) -> None:
    page = channel_page(net, data, 32, stage='stages.0', page=1, scale=scale)
    fig = channel_figure(page, scale)
    [maps] = [axes for axes in _all_axes(fig) if len(axes.images) == 16]
    for drawn, one, limits in zip(maps.images, page.maps, page.limits, strict=True):
        assert torch.equal(torch.tensor(drawn.get_array()), one)
        assert (drawn.norm.vmin, drawn.norm.vmax) == pytest.approx(limits.tolist())
    corners = [
        (round(left, 1), round(top, 1)) for left, top in map(_corner, maps.images)
    ]
    assert corners == sorted(corners, key=lambda corner: (corner[1], corner[0]))
    assert len(set(corners)) == 16
    numbers = [text.get_text().split('\n')[0] for text in maps.texts]
    assert numbers == [f'#{number}' for number in range(16, 32)]
    assert all(
        ('最大' in text.get_text()) == (scale == SEPARATE) for text in maps.texts
    )
    plt.close(fig)


def test_the_scale_of_a_map_with_negative_values_has_two_ends() -> None:
    maps = torch.tensor([[[-5.0, 0.3]], [[0.0, 2.0]]])
    limits = torch.tensor([[-5.0, 5.0], [0.0, 2.0]])
    page = ChannelPage('stem', 0, '甲', torch.rand(1, 4, 4), maps, 0, 2, limits)
    fig = channel_figure(page, SEPARATE)
    [texts] = [axes.texts for axes in _all_axes(fig) if axes.texts]
    said = [text.get_text() for text in texts]
    assert said == ['#0\n±5', '#1\n最大 2']
    plt.close(fig)


def _all_axes(fig: Figure) -> list[Axes]:
    return [axes for part in fig.subfigs for axes in part.axes]


def _corner(image: AxesImage) -> tuple[float, float]:
    left, _, _, top = image.get_extent()
    return left, top


def test_looking_leaves_the_network_alone(net: Network, data: Dataset) -> None:
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    stage_maps(net, torch.zeros(1, 1, 32, 32))
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ('chosen', 'message'),
    [
        ({'stage': 'stages.9'}, "'stem'、'stages.0'"),
        ({'page': 4}, '0～3 的整数'),
        ({'page': -1}, '0～3 的整数'),
        ({'image': -1}, '0～99 的整数'),
        ({'scale': 'log'}, '本页共用'),
        ({'channels': 3}, 'image、stage、page、scale'),
        ({'image_size': 28}, '至少要 32 像素'),
    ],
)
def test_bad_maps_name_the_legal_values(
    net: Network, data: Dataset, chosen: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        explore_feature_maps(net, data, **{'image_size': 32} | chosen)


def test_bad_window_and_network_are_refused() -> None:
    with pytest.raises(ValueError, match='1～11'):
        explore_window(kernel_size=12)
    with pytest.raises(ValueError, match='alexnet'):
        explore_configuration('lenet5')


def test_output_carries_the_widget_and_the_same_picture() -> None:
    shown = explore_window()
    bundle, metadata = shown._repr_mimebundle_()
    assert set(bundle) == {'text/plain', 'image/svg+xml', 'image/png', WIDGET_VIEW}
    assert bundle['image/svg+xml'].startswith('<?xml')
    assert metadata['image/png']['width'] == 649
    assert shown.picture.value == shown.png
    assert Image.open(BytesIO(shown.png)).width == 1298  # 加倍，按原来的大小显示
    assert shown.picture.layout.width == '649px'
    assert bundle['text/plain'] == repr(shown)


def test_without_ipywidgets_there_is_one_line_and_the_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(explore, 'find_spec', lambda name: None)
    shown = explore_window()
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1 and 'pip install ipywidgets' in printed
    bundle, _ = shown._repr_mimebundle_()
    assert set(bundle) == {'text/plain', 'image/svg+xml', 'image/png'}


def test_drawing_mistake_does_not_pass_silently() -> None:
    """只有 ValueError 写在图的上方；别的错误是程序的错，照常抛出。"""

    def draw(values: dict) -> tuple:
        if values['size'] == 2:
            raise ZeroDivisionError
        return plt.figure(), ''

    shown = Exploration(lambda values: {'size': Choice('大小', range(3), 0)}, draw, {})
    with pytest.raises(ZeroDivisionError):
        shown.controls['size'].value = 2


def test_in_a_kernel_the_front_end_gets_everything() -> None:
    """真的内核：一格只有一个输出，控件、图与文字都在；拨动控件的消息能改变图。"""
    source = (
        f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
        'from deepcnn import plot\n'
        'from deepcnn.explore import explore_window\n'
        'plot.use_book_style()\n'
        'shown = explore_window(image_size=9, layers=1)\n'
        'shown'
    )
    ask = "shown.controls['kernel_size'].set_state({'index': 4}); shown"
    cells = [nbformat.v4.new_code_cell(text) for text in (source, ask)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=300, kernel_name='python3').execute()
    (first,), (second,) = (cell.outputs for cell in notebook.cells)
    drawn = {'image/svg+xml', 'image/png'}
    assert set(first.data) == {'text/plain', *drawn, WIDGET_VIEW}
    assert '输出边长 7' in first.data['text/plain']
    assert '输出边长 5' in second.data['text/plain']
    state = notebook.metadata.widgets['application/vnd.jupyter.widget-state+json'][
        'state'
    ]
    assert first.data[WIDGET_VIEW]['model_id'] in state
