"""训练一步占用多少内存：为反向传播保留的张量，以及整步的峰值。

张量放在 ``meta`` 设备上也能数：那里只推算形状，不分配内存，也不计算。
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from deepcnn.training.evaluation import in_mode

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """在 with 块内，批量归一化照常用本批的统计量，但不更新滑动平均。"""
    norms = [m for m in module.modules() if isinstance(m, BATCH_NORMS)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


@contextmanager
def _training(net: nn.Module) -> Iterator[None]:
    """按训练方式前向，但离开时网络与原来一样。"""
    with in_mode(net, training=True), frozen_statistics(net):
        yield


def saved_bytes(net: nn.Module, X: Tensor) -> int:
    """训练时前向一次，为反向传播保留的字节数；参数与缓冲区不算。

    X: (N, C, H, W)。几个张量共用一块存储时只算一次；输入图像也算在内。
    """
    _require_images(X)
    own = {_key(tensor) for tensor in (*net.parameters(), *net.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> None:
        if _key(tensor) not in own:
            kept[_key(tensor)] = tensor.untyped_storage()  # 留着它，地址才不会被重用

    with _training(net), saved_tensors_hooks(keep, _never_unpack):
        net(X)
    return sum(storage.nbytes() for storage in kept.values())


def peak_bytes(net: nn.Module, X: Tensor) -> int:
    """前向加反向一步之内，新分配的字节数的峰值；含各参数的梯度，不含参数本身。

    X 在 CUDA 上时由分配器实测；在 CPU 或 ``meta`` 上则累计存活的张量，因此不含算子
    内部的临时空间。已有的梯度不受影响。
    """
    _require_images(X)
    parameters = list(net.parameters())
    with _training(net):
        if X.device.type == 'cuda':
            torch.cuda.synchronize(X.device)
            torch.cuda.reset_peak_memory_stats(X.device)
            before = torch.cuda.memory_allocated(X.device)
            torch.autograd.grad(net(X).sum(), parameters)
            return torch.cuda.max_memory_allocated(X.device) - before
        with LiveBytes() as live:
            torch.autograd.grad(net(X).sum(), parameters)
        return live.peak


class LiveBytes(TorchDispatchMode):
    """在 with 块内累计算子新分配、尚未释放的字节数；``peak`` 是最大值。"""

    def __init__(self) -> None:
        super().__init__()
        self.current = 0
        self.peak = 0
        self._live: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Callable,
        types: tuple[type, ...],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        known = {
            _key(value)
            for value in tree_leaves((args, kwargs or {}))
            if isinstance(value, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and _key(value) not in known:
                self._add(value.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._live:
            return
        self._live[key] = storage.nbytes()
        self.current += storage.nbytes()
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.current -= self._live.pop(key)


def _key(tensor: Tensor) -> int:
    """存储的身份；``meta`` 张量没有数据地址，所以不用 ``data_ptr``。"""
    return tensor.untyped_storage()._cdata


def _never_unpack(packed: None) -> Tensor:
    raise RuntimeError('数保留的字节时不做反向传播')


def _require_images(X: Tensor) -> None:
    if X.dim() != 4 or len(X) == 0:
        raise ValueError(
            f'输入的形状应为 (N, C, H, W)，N 至少为 1，现在是 {tuple(X.shape)}：'
            '请给出一批图像，例如 torch.empty(1, 1, 224, 224)'
        )
