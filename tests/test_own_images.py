"""一位教师拿自己的五类彩色照片：造数据集、训练、认一张照片、画图，一路走通。"""

import re
import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from deepcnn import plot
from deepcnn.anatomy import capture, layer_table
from deepcnn.data import Dataset, ImageSet, pixel_statistics, prepare
from deepcnn.explore import explore_feature_maps
from deepcnn.explore.channel_pages import channel_page
from deepcnn.explore.figures import channel_figure
from deepcnn.models import Network, create
from deepcnn.training import (
    Recipe,
    Variant,
    evaluate,
    evaluating,
    predict,
    predict_images,
    run_variants,
    train,
)

matplotlib.use('Agg')

FLOWERS = ('玫瑰', '向日葵', '睡莲', '薰衣草', '鸢尾')
COLOURS = torch.tensor(
    [[220, 40, 40], [230, 200, 30], [240, 240, 240], [150, 90, 200], [40, 60, 220]]
)
RECIPE = Recipe(32, epochs=12, lr=3e-3, batch_size=10)


def photographs(per_class: int, seed: int) -> ImageSet:
    """每类 ``per_class`` 张 40×36 的照片：那一类花的颜色，加上噪声。"""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(5).repeat(per_class)
    noise = torch.randint(-30, 31, (len(labels), 3, 40, 36), generator=generator)
    images = (COLOURS[labels].view(-1, 3, 1, 1) + noise).clamp(0, 255)
    return ImageSet(images.to(torch.uint8), labels)


@pytest.fixture(scope='module')
def data() -> Dataset:
    training = photographs(10, seed=0)
    statistics = pixel_statistics(training.images)
    return Dataset('花', training, photographs(4, seed=1), FLOWERS, *statistics)


def resnet() -> Network:
    return create('resnet18', in_channels=3, num_classes=5)


@pytest.fixture(scope='module')
def net(data: Dataset) -> nn.Module:
    net, history = train(resnet, data, RECIPE, device='cpu')
    assert history.test_images == 20
    return net


def test_it_learns_the_five_classes(net: nn.Module, data: Dataset) -> None:
    assert evaluate(net, data, RECIPE) >= 0.9  # 猜是 0.2


def test_one_photograph_is_recognised(net: nn.Module, data: Dataset) -> None:
    photo = data.test.images[3]  # (3, 40, 36)
    [answer] = predict_images(net, photo.unsqueeze(0), data, RECIPE)
    assert data.class_names[answer] == '薰衣草'
    with pytest.raises(ValueError, match=r'unsqueeze\(0\)'):
        predict_images(net, photo, data, RECIPE)


def test_any_batch_gets_the_answers_of_the_test_set(
    net: nn.Module, data: Dataset
) -> None:
    training = net.training
    everything = predict(net, data, RECIPE)
    assert everything.dtype == torch.int64 and everything.shape == (20,)
    some = predict_images(net, data.test.images[5:9], data, RECIPE)
    assert torch.equal(some, everything[5:9])
    assert net.training == training


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (torch.zeros(2, 1, 40, 36, dtype=torch.uint8), '图像有 1 个通道，花 却有 3 个'),
        (torch.zeros(0, 3, 40, 36, dtype=torch.uint8), '至少要一张'),
        (torch.rand(2, 3, 40, 36), '图像应是 uint8.*255'),
        (np.zeros((2, 3, 40, 36), dtype='uint8'), 'ndarray：请用 torch.as_tensor'),
    ],
    ids=['grey', 'empty', 'float', 'numpy'],
)
def test_other_images_are_refused(
    images: Tensor, message: str, net: nn.Module, data: Dataset
) -> None:
    with pytest.raises(ValueError, match=message) as told:
        predict_images(net, images, data, RECIPE)
    assert '\n' not in str(told.value)


GREY = (
    'resnet18 是按 1 个通道的图像建的，现在的图像有 3 个：请用 in_channels=3 重新构造'
)


def test_a_network_for_grey_images_says_so(data: Dataset) -> None:
    grey = create('resnet18', num_classes=5)
    variant = Variant('grey', '灰度', lambda: grey, RECIPE)
    uses = (
        lambda: train(lambda: grey, data, RECIPE, device='cpu'),
        lambda: predict(grey, data, RECIPE),
        lambda: predict_images(grey, data.test.images[:1], data, RECIPE),
        lambda: layer_table(grey, 32, in_channels=3),
        lambda: explore_feature_maps(grey, data, 32),
        lambda: run_variants([variant], data),
    )
    for use in uses:
        with pytest.raises(ValueError, match=re.escape(GREY)):
            use()


@pytest.mark.parametrize('name', ['alexnet', 'vgg11', 'nin', 'googlenet', 'densenet'])
def test_every_network_knows_its_channels(name: str) -> None:
    with torch.device('meta'):
        net = create(name, in_channels=3, num_classes=5, image_size=96)
        assert net.in_channels == 3
        with pytest.raises(ValueError, match=f'{name} 是按 3 个通道'):
            net(torch.empty(1, 1, 96, 96))
        assert net(torch.empty(1, 3, 96, 96)).shape == (1, 5)


def test_a_first_layer_of_ones_own_is_not_second_guessed(net: nn.Module) -> None:
    """先把灰度抄成三份的网络，第一层不是卷积层：不拦。"""

    class ToColour(nn.Module):
        def forward(self, X: Tensor) -> Tensor:
            return X.expand(-1, 3, -1, -1)

    own = resnet()
    own.stem = nn.Sequential(ToColour(), own.stem)
    assert own.eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 5)


def test_the_figures_are_in_colour(net: nn.Module, data: Dataset) -> None:
    X = prepare(data.test.images[:1], 32, data)
    with torch.no_grad(), evaluating(net), capture(net, 'stem') as maps:
        net(X)
    page = channel_page(net, data, 32)
    figures = [
        plot.show_images(data.test.images[:5], FLOWERS, data.name),
        plot.filters(net.stem[0][0].weight),
        plot.feature_maps(X, maps),
        channel_figure(page, '本页共用'),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for fig in figures:
            fig.draw_without_rendering()
    assert all(first_picture(fig).shape[-1] == 3 for fig in figures)
    red, green, blue = np.median(first_picture(figures[-1]).reshape(-1, 3), axis=0)
    assert red > 0.7 and green < 0.3 and blue < 0.3  # 玫瑰：归一化已经倒回来


def first_picture(fig: Figure) -> np.ndarray:
    axes = fig.subfigs[0].axes if fig.subfigs else fig.axes
    return np.asarray(axes[0].images[0].get_array())


def test_statistics_given_as_arrays_are_kept_as_numbers(data: Dataset) -> None:
    same = replace(data, mean=np.array(data.mean), std=list(data.std))
    assert (same.mean, same.std) == (data.mean, data.std)
    assert all(type(value) is float for value in same.mean + same.std)
