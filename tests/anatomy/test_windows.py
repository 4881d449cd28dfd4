"""窗口的算术：与 PyTorch 的输出、自动求导量出的感受野和各章的数对照。"""

from itertools import product

import pytest
import torch
from torch import nn

from deepcnn.anatomy.windows import Window, repeated, seen_units, view_layers
from deepcnn.models.vgg import NUM_CONVS


def vgg_windows(num_convs: tuple[int, ...]) -> list[Window]:
    return [
        window
        for count in num_convs
        for window in [Window(3, 1, 1)] * count + [Window(2, 2)]
    ]


def stacked(windows: list[Window]) -> nn.Sequential:
    """权重全为 1 的单通道卷积：每个看到的像素梯度都大于 0。"""
    layers = [
        nn.Conv2d(1, 1, w.kernel_size, w.stride, w.padding, bias=False) for w in windows
    ]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize(
    ('name', 'sides'),
    [('vgg11', [4, 10, 30, 70, 150]), ('vgg19', [6, 16, 52, 124, 268])],
)
def test_receptive_fields_of_the_vgg_chapter(name: str, sides: list[int]) -> None:
    windows = vgg_windows(NUM_CONVS[name])
    views = view_layers(224, windows)[1:]
    pools = [view for view, w in zip(views, windows, strict=True) if w.stride == 2]
    assert [view.receptive_field for view in pools] == sides
    assert [view.size for view in pools] == [112, 56, 28, 14, 7]


def test_sizes_of_the_alexnet_and_nin_chapters() -> None:
    pool, same = Window(3, 2), Window(3, 1, 1)
    alexnet = [Window(11, 4, 2), pool, Window(5, 1, 2), pool, same, same, same, pool]
    sizes = [view.size for view in view_layers(224, alexnet)[1:]]
    assert sizes == [55, 27, 27, 13, 13, 13, 13, 6]
    nin = [Window(11, 4), pool, Window(5, 1, 2), pool, same, pool]
    last = view_layers(71, nin)[-1]
    assert (last.size, last.receptive_field, last.spacing) == (1, 131, 32)
    assert last.first_center == 33


@pytest.mark.parametrize(
    ('kernel', 'stride', 'padding'),
    [(k, s, p) for k, s, p in product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2)) if p < k],
)
def test_gradients_agree(kernel: int, stride: int, padding: int) -> None:
    windows = [Window(kernel, stride, padding), Window(3, 1, 1), Window(kernel, stride)]
    X = torch.ones(1, 1, 61, 61, dtype=torch.double, requires_grad=True)
    Y = stacked(windows)(X)
    views = view_layers(61, windows)
    assert Y.shape[-1] == views[-1].size
    unit = views[-1].size // 2
    (gradient,) = torch.autograd.grad(Y[0, 0, unit, unit], X)
    rows = gradient[0, 0].sum(dim=1).nonzero().flatten()
    first, last = seen_units(windows, unit)[0]
    assert last - first + 1 == views[-1].receptive_field
    assert (first + last) / 2 == views[-1].first_center + unit * views[-1].spacing
    if stride <= kernel:  # 步幅大于窗口时，一片之内有看不到的像素
        assert (int(rows[0]), int(rows[-1])) == (max(first, 0), min(last, 60))


def test_layer_that_does_not_fit_names_the_legal_windows() -> None:
    with pytest.raises(ValueError, match='第 2 层的输入边长是 3.*窗口可以用 1～3'):
        view_layers(7, [Window(5), Window(5)])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'kernel_size': 0}, '1～11'),
        ({'stride': -1}, '1～4'),
        ({'padding': 6}, '0～5'),
        ({'padding': 3}, '填充可以用 0～2'),
        ({'layers': 7}, '1～6'),
        ({'image_size': 0}, '1～256'),
        ({'image_size': 4, 'layers': 3}, '窗口可以用 1～'),
        ({'kernel': 3}, 'kernel_size'),
    ],
)
def test_bad_settings_name_the_legal_ones(
    settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        repeated(**settings)


@pytest.mark.parametrize(
    ('kernel', 'stride', 'padding'), [(0, 1, 0), (3, 0, 0), (3, 1, -1)]
)
def test_a_window_checks_itself(kernel: int, stride: int, padding: int) -> None:
    with pytest.raises(ValueError, match='窗口'):
        Window(kernel, stride, padding)


@pytest.mark.parametrize('size', [0, -1])
def test_an_image_has_at_least_one_pixel(size: int) -> None:
    assert view_layers(1, [])[0].size == 1
    with pytest.raises(ValueError, match=f'输入边长至少是 1，现在是 {size}'):
        view_layers(size, [])
