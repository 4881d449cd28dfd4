"""六个网络：各章训练的是哪一个，用哪张配方表。"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from deepcnn.models import alexnet, densenet, googlenet, nin, resnet, vgg
from deepcnn.training.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """``build(边长)`` 返回那一章训练的网络；``recipes`` 是那一章的配方表。"""

    build: Callable[[int], nn.Module]
    recipes: dict[str, Recipe]


LINEUP = {
    'alexnet': Entry(lambda size: alexnet.alexnet(image_size=size), alexnet.RECIPES),
    'vgg11': Entry(
        lambda size: vgg.vgg11(image_size=size, width=vgg.WIDTH), vgg.RECIPES
    ),
    'nin': Entry(lambda size: nin.nin(), nin.RECIPES),
    'googlenet': Entry(lambda size: googlenet.googlenet(), googlenet.RECIPES),
    'resnet18': Entry(lambda size: resnet.resnet18(), resnet.RECIPES),
    'densenet': Entry(lambda size: densenet.densenet(), densenet.RECIPES),
}


def entry(network: str) -> Entry:
    """返回 ``network`` 的条目；名字不认识时抛出 ValueError。"""
    if network not in LINEUP:
        raise ValueError(
            f'没有叫 {network!r} 的网络：请从 {"、".join(LINEUP)} 中选一个'
        )
    return LINEUP[network]
