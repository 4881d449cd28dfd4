"""网络凭什么作答：最能激起通道的图像，遮挡图与类激活图怎样画。"""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh

from deepcnn import plot
from deepcnn.anatomy import ClassActivation, Exciting, Occlusion

matplotlib.use('Agg')
IMAGES = torch.randint(
    0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def exciting(channel: int, *indices: int) -> Exciting:
    count = len(indices)
    places = torch.tensor([[0.25, 0.75]] * count)
    return Exciting(channel, torch.tensor(indices), torch.ones(count), places)


def test_eight_exciting_images_make_two_rows_of_four() -> None:
    fig = plot.exciting_images(IMAGES, [exciting(c, *[0, 1, 2, 3] * 2) for c in (7, 30)])
    fig.canvas.draw()
    places = [axes.get_position() for axes in fig.axes]
    lefts = [round(place.x0, 3) for place in places]
    tops = [round(place.y1, 3) for place in places]
    assert lefts[:4] == lefts[4:8] == lefts[8:12] and len(set(lefts[:4])) == 4
    assert len(set(tops[:4])) == 1 and len(set(tops)) == 4
    assert tops == sorted(tops, reverse=True)


def test_exciting_images_stand_in_their_order_with_their_place() -> None:
    fig = plot.exciting_images(IMAGES, [exciting(7, 4, 1, 5), exciting(30, 0, 2, 3)])
    for axes, index in zip(fig.axes, (4, 1, 5, 0, 2, 3), strict=True):
        [picture] = axes.images
        assert np.array_equal(picture.get_array(), IMAGES[index, 0])
        [mark] = axes.lines
        assert mark.get_xydata().tolist() == [[5.5, 1.5]]  # 边长 8 的第 3/4、1/4
    assert [axes.get_ylabel() for axes in fig.axes[::3]] == ['#7', '#30']


def test_unequal_rows_of_exciting_images_are_refused() -> None:
    for found in ([], [exciting(7, 4), exciting(8, 1, 2)]):
        with pytest.raises(ValueError, match='各通道的图像要一样多'):
            plot.exciting_images(IMAGES, found)


def test_occlusion_is_drawn_where_the_patch_was() -> None:
    """四个中心在第 0、2、4、6 个像素上；盖住之后概率降低的是红，升高的是蓝。"""
    values = torch.full((4, 4), 0.5)
    values[1, 2], values[3, 0] = 0.1, 0.7
    found = Occlusion(3, 0.5, values, patch=3, stride=2)
    fig = plot.occlusion_maps(IMAGES[:1], [found], ['甲'], '来历')
    left, right, bar = fig.axes
    assert left.get_title() == '甲' and right.get_title() == '0.50 → 0.10'
    image, cover = right.images
    assert cover.get_extent() == [-1, 7, 7, -1]
    drawn = np.asarray(cover.get_array())
    assert drawn[1, 2] == pytest.approx(0.4) and drawn[3, 0] == pytest.approx(-0.2)
    assert cover.get_clim() == pytest.approx((-0.4, 0.4))
    red, blue, nothing = (cover.to_rgba(one) for one in (0.4, -0.2, 0))
    assert red[0] > red[2] and blue[2] > blue[0]
    assert red[3] > blue[3] > nothing[3] == 0  # 越接近 0 越透明
    [shades] = [one for one in bar.collections if isinstance(one, QuadMesh)]
    assert shades.cmap is cover.cmap and cover.get_alpha() is None  # 色标一样透明
    assert right.get_xlim() == left.get_xlim() == (-0.5, 7.5)
    assert bar.get_xlabel() == '盖住这里，概率降低多少'


def test_class_activation_covers_the_image_with_one_scale() -> None:
    fields = [torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.full((1, 1), -8.0)]
    found = [ClassActivation(0, values, bias=0.25) for values in fields]
    fig = plot.class_activations(IMAGES[:2], found, ['甲', '乙'])
    _, first, _, second, _ = fig.axes
    assert [axes.get_title() for axes in (first, second)] == [
        '得分 1.8（2×2）', '得分 -7.8（1×1）',
    ]  # fmt: skip
    for axes, one in zip((first, second), found, strict=True):
        cover = axes.images[1]
        assert cover.get_extent() == [-0.5, 7.5, 7.5, -0.5]
        assert np.allclose(cover.get_array(), one.resized(8))
        assert cover.get_clim() == (-8, 8)


def test_the_map_covers_the_whole_of_an_image_that_is_not_square() -> None:
    found = ClassActivation(0, torch.arange(4.0).view(2, 2), bias=0.0)
    fig = plot.class_activations(IMAGES[:1].repeat(1, 1, 1, 2), [found], ['甲'])
    cover = fig.axes[1].images[1]
    assert cover.get_extent() == [-0.5, 15.5, 7.5, -0.5]
    assert np.allclose(cover.get_array(), found.resized(8, 16))
    assert found.resized(8, 16).shape == (8, 16)


def test_results_without_an_image_or_a_title_are_refused() -> None:
    found = [ClassActivation(0, torch.ones(2, 2), 0.0)]
    for images, titles in ((IMAGES[:2], ['甲']), (IMAGES[:1], [])):
        with pytest.raises(ValueError, match='图像、结果、标题要一样多'):
            plot.class_activations(images, found, titles)
    with pytest.raises(ValueError, match='要一样多，至少一个'):
        plot.occlusion_maps(IMAGES[:0], [], [])
