"""torchvision 公布的模型：ImageNet-1K 验证集上的准确率、参数与乘加次数。"""

from typing import NamedTuple

from torchvision import models


class Published(NamedTuple):
    """``top1`` 是准确率（%）；``gmacs`` 是一张图像前向一次的乘加次数，十亿次。"""

    top1: float
    parameters: int
    gmacs: float


def published(name: str) -> Published:
    """第一版权重 ``IMAGENET1K_V1`` 的公布值，以免混入后来更好的训练办法。

    ``name`` 照 torchvision 写，例如 ``'ResNet18'``；没有这个模型，或它没有第一版权重时，
    抛出 ValueError。
    """
    found = {
        key.removesuffix('_Weights'): weights.IMAGENET1K_V1
        for key, weights in vars(models).items()
        if key.endswith('_Weights') and hasattr(weights, 'IMAGENET1K_V1')
    }
    if name not in found:
        legal = '、'.join(sorted(found))
        raise ValueError(f'torchvision 没有模型 {name!r} 的第一版权重：请从 {legal} 中选')
    meta = found[name].meta
    top1 = meta['_metrics']['ImageNet-1K']['acc@1']
    return Published(top1, meta['num_params'], meta['_ops'])
