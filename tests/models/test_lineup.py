"""各章训练的是哪一个网络：名字、宽度与配方表都是那一章的。"""

import pytest
import torch

from deepcnn.anatomy.layers import count_parameters
from deepcnn.models import alexnet, densenet, googlenet, nin, resnet, vgg
from deepcnn.models.lineup import LINEUP
from deepcnn.records.titles import NETWORKS
from deepcnn.training.hardware import PROFILES
from deepcnn.training.recipe import Recipe

# 单通道、10 类、96 像素时的参数个数；VGG-11 是四分之一宽，NiN 是论文的宽度。
PARAMETERS = {
    'alexnet': 24_744_650,
    'vgg11': 43_093_322 - 128 * (7**2 - 3**2) * 4096,  # 224 像素的，少了全连接层的差
    'nin': 1_992_166,
    'googlenet': 5_977_530,
    'resnet18': 11_175_370,
    'densenet': 757_322,
}
CHAPTERS = {
    'alexnet': alexnet, 'vgg11': vgg, 'nin': nin, 'googlenet': googlenet,
    'resnet18': resnet, 'densenet': densenet,
}  # fmt: skip


def test_the_lineup_is_the_six_networks_of_the_records() -> None:
    assert tuple(LINEUP) == NETWORKS == tuple(CHAPTERS)


@pytest.mark.parametrize('name', LINEUP)
def test_a_chapter_trains_its_own_network_with_its_own_recipes(name: str) -> None:
    one = LINEUP[name]
    with torch.device('meta'):
        assert count_parameters(one.build(96)) == PARAMETERS[name]
    assert one.recipes is CHAPTERS[name].RECIPES
    assert list(one.recipes) == list(PROFILES)
    assert all(isinstance(recipe, Recipe) for recipe in one.recipes.values())


@pytest.mark.parametrize('name', ['alexnet', 'vgg11'])
def test_fully_connected_layers_follow_the_size_of_the_recipe(name: str) -> None:
    for recipe in LINEUP[name].recipes.values():
        with torch.device('meta'):
            assert LINEUP[name].build(recipe.image_size).image_size == recipe.image_size


def test_the_quick_nin_has_half_the_channels() -> None:
    assert nin.BLOCKS_OF['quick'] == ((48, 11, 4, 0), (128, 5, 1, 2), (192, 3, 1, 1))
    assert all(nin.BLOCKS_OF[name] == nin.BLOCKS for name in PROFILES[1:])
