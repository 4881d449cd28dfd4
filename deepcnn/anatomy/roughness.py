"""第一层的卷积核有没有图样：相邻的权重相差多少。"""

from torch import Tensor


def neighbour_roughness(weight: Tensor) -> float:
    """相邻权重之差的平方，除以权重的方差：白噪声是 2，图样越平滑越接近 0。

    weight (K, C, h, w)，h 与 w 都大于 1。每个核先减去自己的平均：处处一样的核没有图样，
    不该算作平滑。分子是上下、左右各一个平均值，再取平均；分母是无偏的方差（每个核
    除以 h·w − 1），所以不论核多大，互相独立的权重都得 2。各个核的平方先加在一起再除，
    衰减到几乎为 0 的核因此不起作用。

    没有相邻的权重，或每个核都处处一样时抛出 ValueError。
    """
    if weight.dim() != 4 or min(weight.shape) < 1 or min(weight.shape[-2:]) < 2:
        raise ValueError(
            f'卷积核应是 (K, C, h, w)，高和宽都大于 1，现在是 {tuple(weight.shape)}'
        )
    kernels = weight.detach().cpu().double()
    variance = kernels.flatten(2).var(2).mean()
    if not variance > 0:
        raise ValueError('每个核都处处一样：没有图样可量')
    down, across = (kernels.diff(dim=dim).square().mean() for dim in (-2, -1))
    return ((down + across) / 2 / variance).item()
