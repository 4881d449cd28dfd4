"""训练时留着用过的内存：每一步都要的大张量，不必每次向内核重新要。

glibc 的 malloc 把大块直接向内核要（mmap），释放时立刻还回去；下一步再要，内核又得一页
一页清零。多大算大块，起初是 128 KB，随释放过的块涨，最多 32 MB。训练的每一步都要同样
大小的中间结果与梯度，参数多的网络（AlexNet、VGG）因此有两三成的时间花在缺页上（有 bf16
指令的两个 CPU 核上）。
这里用 mallopt(3) 让大块也从堆里分，释放之后留着；训练完恢复，并把空闲的还给内核。
运算与结果不变。
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# <malloc.h> 里的参数号
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
NEVER = 2**31 - 1
# glibc 会随程序释放过的大块自己提高界限，直到这样的值；恢复成它，就是平常训练时的样子。
LARGEST_MMAP_THRESHOLD = 32 * 2**20
USUAL = {
    MMAP_MAX: 65_536,
    MMAP_THRESHOLD: LARGEST_MMAP_THRESHOLD,
    TRIM_THRESHOLD: 2 * LARGEST_MMAP_THRESHOLD,
}


def available() -> bool:
    """只有 Linux 的 glibc 才有这几个开关。"""
    return platform.libc_ver()[0] == 'glibc'


@contextmanager
def keep_freed_memory(device: torch.device) -> Iterator[None]:
    """在 ``with`` 之内，CPU 上释放的内存留给下一步；出来后恢复，并还给内核。

    GPU 上与没有 glibc 的系统上什么也不做：显存另有 PyTorch 自己的缓存。
    """
    if device.type != 'cpu' or not available():
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
