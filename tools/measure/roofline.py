"""屋顶线：一步训练要做多少运算、搬多少字节，硬件最快能做多快。

每个算子至少要花 ``max(FLOP / 峰值运算率, 字节 / 带宽)`` 秒，各算子相加就是一步的下限。
字节按「每个算子的输入与输出各过一次内存」计；数据留在缓存里时，实际可以更少。
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass
class OpCost:
    """一种算子在一步里的次数、浮点运算（一次乘加算 2 次）与字节。"""

    name: str
    dtype: str
    calls: int = 0
    flops: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class Peaks:
    """实测的峰值：各精度的矩阵乘法 FLOP/s，与复制内存的字节/秒。"""

    flops: dict[str, float]  # {'float32': …, 'bfloat16': …}；只有会用到的精度
    bandwidth: float


class CostCounter(TorchDispatchMode):
    """在 with 块里记下每个真正执行的算子；只改形状的视图不算。"""

    def __init__(self) -> None:
        super().__init__()
        self.costs: dict[tuple[str, str], OpCost] = {}

    def __torch_dispatch__(
        self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        packet = func._overloadpacket
        if func.is_view or packet.__name__.startswith(('empty', 'detach', 'alias')):
            return result
        inputs, outputs = tensors_in((args, kwargs)), tensors_in(result)
        written = outputs or inputs  # 融合的优化器什么也不返回，就地改写输入
        dtype = lowest_dtype(inputs or outputs)
        key = (packet.__name__, dtype)
        cost = self.costs.setdefault(key, OpCost(*key))
        cost.calls += 1
        cost.bytes += sum(t.numel() * t.element_size() for t in [*inputs, *written])
        if packet in flop_registry:
            cost.flops += flop_registry[packet](*args, **kwargs, out_val=result)
        return result


def tensors_in(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def lowest_dtype(tensors: Iterable[Tensor]) -> str:
    """bf16 与 fp32 混在一起的算子按 bf16 计：运算在输入的精度上做。"""
    dtypes = {tensor.dtype for tensor in tensors}
    return 'bfloat16' if torch.bfloat16 in dtypes else 'float32'


def count_costs(step: Callable[[], None]) -> list[OpCost]:
    """执行一次 ``step()`` 并返回各算子的代价。"""
    with CostCounter() as counter:
        step()
    return list(counter.costs.values())


def lower_bound(costs: Iterable[OpCost], peaks: Peaks) -> float:
    """这些算子在硬件上至少要多少秒。"""
    return sum(
        max(cost.flops / peaks.flops[cost.dtype], cost.bytes / peaks.bandwidth)
        for cost in costs
    )


def measure_peaks(device: torch.device, dtypes: Iterable[torch.dtype]) -> Peaks:
    """实测 ``device`` 上这几种精度的峰值；CPU 上约一两秒。

    硬件不支持的精度不要给：没有 bf16 指令的 CPU 上，一次 bf16 乘法要一分钟。
    """
    size = 8192 if device.type == 'cuda' else 2048
    flops = {}
    for dtype in dtypes:
        matrix = torch.randn(size, size, device=device).to(dtype)
        seconds = fastest(lambda matrix=matrix: matrix @ matrix, device)
        flops[str(dtype).removeprefix('torch.')] = 2 * size**3 / seconds
    source = torch.zeros(2**28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = fastest(lambda: target.copy_(source), device)
    return Peaks(flops, 2 * source.numel() / seconds)


def fastest(work: Callable[[], object], device: torch.device) -> float:
    """几次里最快的一次，秒；第一次不算。"""
    seconds = []
    for _ in range(6):
        synchronize(device)
        started = perf_counter()
        work()
        synchronize(device)
        seconds.append(perf_counter() - started)
    return min(seconds[1:])


def synchronize(device: torch.device) -> None:
    """等设备做完手上的事；CPU 上什么也不用等。"""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
