"""按名字造网络：六章的网络，与论文表里的全部配置。"""

from collections.abc import Callable
from functools import partial

from deepcnn.given_numbers import whole_number
from deepcnn.models import alexnet, densenet, googlenet, nin, resnet, vgg
from deepcnn.models.network import Network, require_image_size

PAPER_SIZE = 224  # 带全连接层的网络不给边长时按它来造，像素


def _vgg(name: str, in_channels: int, num_classes: int, size: int | None) -> Network:
    return vgg.vgg(name, in_channels, num_classes, size or PAPER_SIZE)


def _alexnet(in_channels: int, num_classes: int, size: int | None) -> Network:
    return alexnet.alexnet(in_channels, num_classes, size or PAPER_SIZE)


def _any_size(build: Callable[..., Network], *fixed: object) -> Callable[..., Network]:
    """末尾是全局平均池化的网络不按边长来造。"""
    return lambda in_channels, num_classes, size: build(*fixed, in_channels, num_classes)


BUILDERS: dict[str, Callable[[int, int, int | None], Network]] = {
    'alexnet': _alexnet,
    **{name: partial(_vgg, name) for name in vgg.NUM_CONVS},
    'nin': _any_size(nin.nin),
    'googlenet': _any_size(googlenet.googlenet),
    **{name: _any_size(resnet.resnet, name) for name in resnet.VARIANTS},
    'densenet': _any_size(densenet.densenet),
    **{name: _any_size(densenet.paper_densenet, name) for name in densenet.VARIANTS},
}


def names() -> tuple[str, ...]:
    """``create`` 认识的全部名字，按各章的次序。"""
    return tuple(BUILDERS)


def create(
    name: str, in_channels: int = 1, num_classes: int = 10, image_size: int | None = None
) -> Network:
    """造一个初始化过的网络；X (N, in_channels, H, W) → 得分 (N, num_classes)。

    ``image_size`` 是输入边长（像素）：AlexNet 与 VGG 按它来造全连接层，不给时是 224；
    别的网络不限边长，只检查够不够大。名字不认识、数不是正整数或图像太小时抛出
    ValueError。
    """
    if name not in BUILDERS:
        raise ValueError(f'没有叫 {name!r} 的网络：请从 {"、".join(BUILDERS)} 中选一个')
    in_channels = whole_number('in_channels', in_channels, 1)
    num_classes = whole_number('num_classes', num_classes, 1)
    if image_size is not None:
        image_size = whole_number('image_size', image_size, 1)
    net = BUILDERS[name](in_channels, num_classes, image_size)
    if image_size is not None:
        require_image_size(name, image_size, net.smallest_input)
    return net
