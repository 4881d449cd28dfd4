"""训练改变了卷积核的图样没有。"""

from torch import Tensor
from torch.nn.functional import cosine_similarity


def pattern_correlation(before: Tensor, after: Tensor) -> Tensor:
    """逐个核的相关系数，(K,)：1 是图样没有变，0 是毫不相干，-1 是正负互换。

    before、after (K, C, h, w)，形状相同，h 与 w 都大于 1。每个核先减去自己的平均，
    整片变亮变暗不算图样；乘以一个正数也不算，衰减不改变它。

    处处一样的核没有图样，得 0。形状不同，或没有相邻的权重时抛出 ValueError。
    """
    if before.shape != after.shape or before.dim() != 4 or min(before.shape[-2:]) < 2:
        raise ValueError(
            '两个卷积核应是同样的 (K, C, h, w)，高和宽都大于 1，'
            f'现在是 {tuple(before.shape)} 与 {tuple(after.shape)}'
        )
    flat = [kernels.detach().double().flatten(1) for kernels in (before, after)]
    # 先放大到一样大：cosine_similarity 把不到 1e-8 的长度当作 1e-8
    sized = [one / one.abs().amax(1, keepdim=True).clamp(min=1e-300) for one in flat]
    patterns = [kernels - kernels.mean(1, keepdim=True) for kernels in sized]
    return cosine_similarity(*patterns).to(after.dtype)
