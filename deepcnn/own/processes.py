"""几个进程合训一个网络：torchrun 启动的进程各取小批量的一份，梯度由 PyTorch 的 DDP 平均。

没有 torchrun 时就是一个进程，什么通信也没有。批量归一化的均值与方差也在全部进程上算，所以
N 个进程的损失曲线与一个进程的相同，只差舍入；有丢弃法的网络除外，丢弃的随机数随进程数而变。
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(minutes=30)  # 0 号进程解码图像时，别的等这么久


@dataclass(frozen=True)
class Team:
    """``size`` 个进程里的第 ``rank`` 个；``local`` 是它在这台机器上的号码。"""

    rank: int = 0
    size: int = 1
    local: int = 0
    restarts: int = 0  # torchrun 因为有进程死去，重启过几次

    @property
    def leads(self) -> bool:
        """写文件、说话的只有 0 号。"""
        return self.rank == 0

    def total(self, tensor: Tensor) -> Tensor:
        """各进程的 ``tensor`` 之和；就地改写，也返回它。"""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool, device: torch.device) -> bool:
        """有一个进程说是，就都是。"""
        if self.size == 1:
            return flag
        return self.total(torch.tensor(float(flag), device=device)).item() > 0

    def wait(self) -> None:
        """等到全部进程都走到这里。"""
        if self.size > 1:
            dist.barrier()

    def device(self, device: torch.device) -> torch.device:
        """几个进程各用这台机器的一块显卡；别的设备照旧。显卡比进程少时抛出 ValueError。"""
        if self.size == 1 or device.type != 'cuda':
            return device
        if self.local >= (count := torch.cuda.device_count()):
            raise ValueError(
                f'这台机器有 {count} 块显卡，放不下第 {self.local + 1} 个进程：'
                f'请写 --nproc-per-node={count}'
            )
        own = torch.device('cuda', self.local)
        torch.cuda.set_device(own)
        return own

    def share(self, batch_size: int) -> slice:
        """一个小批量里归这个进程的几行。"""
        each = batch_size // self.size
        return slice(self.rank * each, (self.rank + 1) * each)


@contextmanager
def team_from_environment(on_cuda: bool) -> Iterator[Team]:
    """读 torchrun 设的环境变量，加入进程组；离开时退出。"""
    size = int(os.environ.get('WORLD_SIZE', 1))
    if size == 1 and 'TORCHELASTIC_RUN_ID' not in os.environ:
        yield Team()
        return
    for name in ('RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        if name not in os.environ:
            raise ValueError(
                f'设了 WORLD_SIZE={size}，却没有设 {name}：请用 torchrun 启动，或去掉 WORLD_SIZE'
            )
    team = Team(
        int(os.environ['RANK']), size, int(os.environ.get('LOCAL_RANK', 0)),
        int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)),
    )  # fmt: skip
    store, rank, size = next(dist.rendezvous('env://', timeout=PATIENCE))
    if os.environ.get('GROUP_WORLD_SIZE') == '1':
        store = store_of_this_start(store, team.restarts)
    backend = 'nccl' if on_cuda else 'gloo'
    dist.init_process_group(
        backend, timeout=PATIENCE, world_size=size, rank=rank, store=store
    )
    try:
        yield team
    finally:
        dist.destroy_process_group()


def store_of_this_start(store: dist.Store, restarts: int) -> dist.Store:
    """只看得见这一次启动写下的。

    torchrun 默认的会合（static）从头到尾用同一个存储，里面还有上一次启动的地址：读得早了，
    就去连已经死去的进程。几台机器时各自的重启次数可以不同，那里要用 c10d 会合，它每次新建。
    """
    return dist.PrefixStore(f'start-{restarts}', store)


def joined(net: nn.Module, team: Team) -> nn.Module:
    """每步之后平均各进程梯度的外壳；只有一个进程时就是 ``net`` 自己。"""
    if team.size == 1:
        return net
    device = next(net.parameters()).device
    if device.type == 'cuda':
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    else:  # PyTorch 的那一种只支持显卡
        for module in net.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SharedBatchNorm
    return DistributedDataParallel(net, [device] if device.type == 'cuda' else None)


class SumOfAll(torch.autograd.Function):
    """各进程之和；反向时梯度也是各进程之和。"""

    @staticmethod
    def forward(ctx: object, X: Tensor) -> Tensor:
        total = X.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """训练时，均值与方差取自全部进程的小批量；参数与平常的批量归一化相同，CPU 上也行。"""

    def forward(self, X: Tensor) -> Tensor:
        if not self.training:
            return super().forward(X)
        values = X.float()
        count = values.numel() // values.shape[1] * dist.get_world_size()
        mean = SumOfAll.apply(values.sum((0, 2, 3))) / count
        centred = values - mean.view(1, -1, 1, 1)
        variance = SumOfAll.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        scaled = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return scaled.to(X.dtype)
