"""反向传播的梯度有多大：逐层看损失对权重的梯度，以及激活函数的导数。"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.anatomy.layers import capture
from deepcnn.given_numbers import finite_number

LAYERS = (nn.Conv2d, nn.Linear)


def layers_with_weights(net: nn.Module) -> dict[str, nn.Module]:
    """卷积层与全连接层，按出现的次序；一个也没有时抛出 ValueError。"""
    found = {name: m for name, m in net.named_modules() if isinstance(m, LAYERS)}
    if not found:
        raise ValueError('网络里没有卷积层或全连接层，没有权重的梯度可看')
    return found


def weight_gradients(net: nn.Module, X: Tensor, y: Tensor) -> dict[str, Tensor]:
    """每层 |∂L/∂w|，形状与权重相同，在 CPU 上；L 是 (X, y) 上平均的交叉熵。

    X: (N, C, H, W)，y: int64 (N,)。用 ``net`` 现在的模式（要关掉丢弃法，先 ``eval()``）；
    不改动各参数的 ``grad``。
    """
    layers = layers_with_weights(net)
    weights = [layer.weight for layer in layers.values()]
    loss = F.cross_entropy(net(X), y)
    found = torch.autograd.grad(loss, weights)
    return {
        name: gradient.abs().cpu() for name, gradient in zip(layers, found, strict=True)
    }


def share_below(values: Tensor, threshold: float) -> float:
    """小于 ``threshold`` 的占几成，0～1；``threshold`` 不大于 0 时抛出 ValueError。"""
    if not finite_number('threshold', threshold) > 0:
        raise ValueError(f'threshold 必须大于 0，现在是 {threshold}')
    return (values < threshold).float().mean().item()


@torch.no_grad()
def sigmoid_slopes(net: nn.Module, X: Tensor) -> dict[str, Tensor]:
    """每个 nn.Sigmoid 的导数 σ(1−σ)，由它在 X 上的输出算出，形状与输出相同。

    X: (N, C, H, W)；没有 nn.Sigmoid 时抛出 ValueError。
    """
    names = [name for name, m in net.named_modules() if isinstance(m, nn.Sigmoid)]
    if not names:
        raise ValueError('网络里没有 nn.Sigmoid：先用 surgery.replace_modules 换上')
    with capture(net, *names) as outputs:
        net(X)
    return {name: s * (1 - s) for name, s in outputs.items()}
