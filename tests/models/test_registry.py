"""按名字造网络：有哪些名字，造出来的是不是那一个，坏输入说清楚。"""

import pytest
import torch
from torchvision import models as torchvision_models

from deepcnn.anatomy.layers import count_parameters
from deepcnn.models import Network, create, names

OURS = ('alexnet', 'nin', 'googlenet', 'densenet')  # torchvision 没有一样的
FAMILIES = {
    'vgg': (11, 13, 16, 19),
    'resnet': (18, 34, 50, 101, 152),
    'densenet': (121, 169, 201, 161),
}
PUBLISHED = tuple(
    f'{family}{depth}' for family in FAMILIES for depth in FAMILIES[family]
)
FIXED_SIZE = ('alexnet', 'vgg11', 'vgg13', 'vgg16', 'vgg19')
SMALLEST = {'alexnet': 63, 'nin': 67}  # 其余的 32


def build(name: str, *arguments: object, **settings: object) -> Network:
    """只推算形状，不分配内存。"""
    with torch.device('meta'):
        return create(name, *arguments, **settings)


def test_names_are_the_six_chapters_and_all_their_variants() -> None:
    assert set(names()) == {*OURS, *PUBLISHED}
    assert len(names()) == len(set(names()))
    chapters = ['alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet']
    families = [name.rstrip('0123456789') for name in names()]
    assert list(dict.fromkeys(families)) == chapters


@pytest.mark.parametrize('name', names())
def test_a_network_carries_the_name_it_was_asked_for(name: str) -> None:
    assert build(name).name == name


@pytest.mark.parametrize('name', PUBLISHED)
def test_parameters_are_those_that_torchvision_publishes(name: str) -> None:
    weights = torchvision_models.get_model_weights(name).IMAGENET1K_V1
    assert count_parameters(build(name, 3, 1000)) == weights.meta['num_params']


@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        ('alexnet', 58_299_082), ('nin', 1_992_166), ('googlenet', 5_977_530),
        ('densenet', 757_322),
    ],
)  # fmt: skip
def test_defaults_are_one_channel_ten_classes_and_224_pixels(
    name: str, parameters: int
) -> None:
    assert count_parameters(build(name)) == parameters


@pytest.mark.parametrize('name', names())
def test_channels_classes_and_size_are_respected(name: str) -> None:
    size = 96
    net = build(name, in_channels=2, num_classes=5, image_size=size).train()
    images = torch.empty(2, 2, size, size, device='meta')
    assert net(images).shape == (2, 5)
    other = torch.empty(2, 2, 128, 128, device='meta')
    if name in FIXED_SIZE:
        assert build(name).image_size == 224
        with pytest.raises(ValueError, match='image_size=128'):
            net(other)
    else:
        assert net(other).shape == (2, 5)
    with pytest.raises(ValueError, match='in_channels=3'):  # 三个通道的图像不合用
        net(torch.empty(2, 3, size, size, device='meta'))


def test_a_created_network_is_initialized_and_gives_scores() -> None:
    torch.manual_seed(0)
    net = create('resnet18', image_size=32)
    scores = net(torch.randn(4, 1, 32, 32))
    assert scores.shape == (4, 10) and scores.isfinite().all()
    first = net.stem[0][0].weight
    assert first.var().item() == pytest.approx(2 / 49, rel=0.15)


def test_unknown_name_lists_all_the_legal_ones() -> None:
    with pytest.raises(ValueError, match='lenet') as refused:
        create('lenet')
    assert all(name in str(refused.value) for name in names())


@pytest.mark.parametrize('name', names())
def test_too_small_an_image_is_refused_when_building(name: str) -> None:
    smallest = SMALLEST.get(name, 32)
    assert build(name, image_size=smallest).smallest_input == smallest
    with pytest.raises(ValueError, match=f'至少要 {smallest} 像素'):
        build(name, image_size=smallest - 1)


@pytest.mark.parametrize('setting', ['in_channels', 'num_classes', 'image_size'])
@pytest.mark.parametrize('value', [0, -1, True, False, '96', 96.0])
@pytest.mark.parametrize('name', ['alexnet', 'vgg16', 'resnet18'])
def test_numbers_must_be_positive_integers(
    name: str, setting: str, value: object
) -> None:
    with pytest.raises(ValueError, match=f'{setting} 要是正整数，现在是 {value!r}'):
        build(name, **{setting: value})
