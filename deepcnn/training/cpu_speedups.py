"""CPU 上训练的两处加速：很小的图当作全连接层来算；用过的内存留给下一步。

两处都不改变算的是什么（前者只差舍入，后者逐位相同）。何时启用只看形状与系统，不看
计时：同一个种子重训，结果照样逐位相同。
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEASURED = ('AVX2', 'AVX512')  # 很小的图在这样的 CPU 上逐层量过


def used_on(device: torch.device) -> dict[str, bool]:
    """``fit`` 在这个设备上用哪几样；基准测试的梯子有哪几行，也由它定。

    ``small``：很小的图当作全连接层，只在量过的指令集上用；``kept``：留着用过的内存，
    只有 Linux 的 glibc 才有这样的开关。GPU 上都不用：显存另有 PyTorch 的缓存。
    """
    on_cpu = device.type == 'cpu'
    measured = torch.backends.cpu.get_cpu_capability() in MEASURED
    glibc = platform.libc_ver()[0] == 'glibc'
    return {'small': on_cpu and measured, 'kept': on_cpu and glibc}


# ---- 很小的图：卷积就是全连接层 ---------------------------------------------------

# 卷积核比图大时（例如 1×1、2×2 的图上做填充 1 的 3×3 卷积），每个输出位置都看得见
# 整张图，各自用卷积核中盖住图的那一块：这就是一个全连接层，填充的 0 不必参加运算。
# PyTorch 所用的 oneDNN 却照样把整个核与填充乘一遍，求权重的梯度时还会退到慢的内核。
# 界限按各网络的每一层逐一实测，见 docs/decisions.md。
MOST_POSITIONS = 4  # 输出位置再多（3×3 的图），有的 CPU 上就不划算
FEWEST_IMAGES = 8  # 乘位置个数的平方：位置越多，拼出的权重越大，批量够大才抵得过


@contextmanager
def faster_small_maps(net: nn.Module) -> Iterator[None]:
    """在 ``with`` 之内，``net`` 在 CPU 上的卷积层遇到很小的图就用这里的算法。

    出来后照旧。
    """
    taken = []
    try:
        for layer in net.modules():
            if _is_plain(layer):
                taken.append(layer)
                layer.forward = MethodType(_forward, layer)
        yield
    finally:
        for layer in taken:
            vars(layer).pop('forward', None)  # 又看得见类里的 forward


def _is_plain(layer: nn.Module) -> bool:
    """只管最普通的二维卷积：不分组、不膨胀、边上填 0，没有被别人换过 forward。"""
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size != (1, 1)
        and used_on(layer.weight.device)['small']
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and layer.padding_mode == 'zeros'
        and not isinstance(layer.padding, str)
        and 'forward' not in vars(layer)
    )


def _forward(layer: nn.Conv2d, input: Tensor) -> Tensor:
    # torch.compile 自己编排运算：给它看平常的卷积，计算图才是完整的一张
    if torch.compiler.is_compiling() or not is_worth_it(layer, input):
        return nn.Conv2d.forward(layer, input)
    return as_fully_connected(layer, input)


def is_worth_it(layer: nn.Conv2d, X: Tensor) -> bool:
    """训练时，X: (N, C, H, W) 上每个输出位置都看得见整张图，位置少而批量大。"""
    if X.device.type != 'cpu' or X.dim() != 4 or not torch.is_grad_enabled():
        return False
    if X.shape[2] > layer.kernel_size[0]:  # 多半的层到此为止，不必再算
        return False
    rows, columns = offsets(layer, X)
    positions = len(rows) * len(columns)
    return (
        0 < positions <= MOST_POSITIONS
        and len(X) >= FEWEST_IMAGES * positions**2
        and max(rows) + X.shape[2] <= layer.kernel_size[0]
        and max(columns) + X.shape[3] <= layer.kernel_size[1]
    )


def offsets(layer: nn.Conv2d, X: Tensor) -> tuple[range, range]:
    """对每行、每列输出，图的第一行、第一列落在卷积核的第几行、第几列上。"""
    rows, columns = (
        range(padding, padding - (size + 2 * padding - kernel) - 1, -stride)
        for size, kernel, stride, padding in zip(
            X.shape[2:], layer.kernel_size, layer.stride, layer.padding, strict=True
        )
    )
    return rows, columns


def as_fully_connected(layer: nn.Conv2d, X: Tensor) -> Tensor:
    """与 ``layer(X)`` 相同，只差舍入；用不到的那些权重，梯度恰好是 0。

    X: (N, C, H, W)，满足 ``is_worth_it``；返回 (N, O, H', W')。
    """
    height, width = X.shape[2:]
    tops, lefts = offsets(layer, X)
    autocast = torch.is_autocast_enabled('cpu')
    dtype = torch.get_autocast_dtype('cpu') if autocast else layer.weight.dtype
    # 通道排在最后，与 channels_last 的次序相同：(O, kH, kW, C)
    kernel = layer.weight.to(dtype).permute(0, 2, 3, 1)
    weight = torch.cat([
        kernel[:, top : top + height, left : left + width].flatten(1)
        for top in tops
        for left in lefts
    ])  # (H'·W'·O, H·W·C)  # fmt: skip
    bias = None if layer.bias is None else layer.bias.repeat(len(tops) * len(lefts))
    scores = F.linear(X.permute(0, 2, 3, 1).flatten(1), weight, bias)
    return scores.view(len(X), len(tops), len(lefts), -1).permute(0, 3, 1, 2)


# ---- 用过的内存留给下一步 ---------------------------------------------------------

# glibc 的 malloc 把大块直接向内核要（mmap），释放时立刻还回去；下一步再要，内核又得
# 一页一页清零。多大算大块，起初是 128 KB，随释放过的块涨，最多 32 MB。训练的每一步都
# 要同样大小的中间结果与梯度，参数多的网络（AlexNet、VGG）因此有不少时间花在缺页上。
# 这里用 mallopt(3) 让大块也从堆里分，释放之后留着；下面是 <malloc.h> 里的参数号。
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
NEVER = 2**31 - 1
# glibc 会随程序释放过的大块自己提高界限，直到这样的值；恢复成它，就是平常训练时的样子。
LARGEST_MMAP_THRESHOLD = 32 * 2**20
USUAL = {
    MMAP_MAX: 65_536,
    MMAP_THRESHOLD: LARGEST_MMAP_THRESHOLD,
    TRIM_THRESHOLD: 2 * LARGEST_MMAP_THRESHOLD,
}


@contextmanager
def keep_freed_memory(device: torch.device) -> Iterator[None]:
    """在 ``with`` 之内，CPU 上释放的内存留给下一步；出来后恢复，并还给内核。

    ``used_on`` 说用不上的地方什么也不做。
    """
    if not used_on(device)['kept']:
        yield
        return
    glibc = ctypes.CDLL(None)
    glibc.mallopt(MMAP_MAX, 0)
    glibc.mallopt(TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        for parameter, value in USUAL.items():
            glibc.mallopt(parameter, value)
        glibc.malloc_trim(0)
