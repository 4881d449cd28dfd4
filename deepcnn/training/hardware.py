"""计算设备、训练档位、精度与内存布局。"""

import os
import platform
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from deepcnn.training.recipe import Recipe

PROFILES = ('quick', 'laptop', 'full', 'gpu')
DEVICES = ('auto', 'cuda', 'mps', 'cpu')


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """返回计算设备；``auto`` 依次尝试 CUDA、MPS、CPU，``cuda:1`` 指定第几块显卡。

    不给 ``name`` 时读环境变量 ``DEEPCNN_DEVICE``。名字不认识、或这台机器上没有该设备时
    抛出 ValueError。
    """
    name = str(name or os.environ.get('DEEPCNN_DEVICE') or 'auto')
    kind, colon, index = name.partition(':')
    if kind not in DEVICES or (colon and not index.isdecimal()):
        legal = '、'.join(DEVICES)
        raise ValueError(
            f'不认识的设备 {name!r}：请从 {legal} 中选一个（可以写 cuda:1）'
        )
    count = {
        'cuda': torch.cuda.device_count() if torch.cuda.is_available() else 0,
        'mps': int(torch.backends.mps.is_available()),
        'cpu': 1,
    }
    if kind == 'auto':
        kind = next(one for one, usable in count.items() if usable)
    if count[kind] <= int(index or 0):
        raise ValueError(f'这台机器上没有可用的 {name}：请改用 auto 或 cpu')
    return torch.device(kind, int(index)) if index else torch.device(kind)


def choose_profile(name: str | None = None) -> str:
    """返回训练档位，PROFILES 中的一个。

    不给 ``name`` 时读环境变量 ``DEEPCNN_PROFILE``；也没有设时，有 CUDA 用 ``gpu``，
    否则用 ``laptop``。名字不认识时抛出 ValueError。
    """
    name = name or os.environ.get('DEEPCNN_PROFILE')
    if not name:
        return 'gpu' if choose_device().type == 'cuda' else 'laptop'
    if name not in PROFILES:
        legal = '、'.join(PROFILES)
        raise ValueError(f'不认识的训练档位 {name!r}：DEEPCNN_PROFILE 可以是 {legal}')
    return name


def describe_device(device: torch.device) -> str:
    """返回写进图注与结果文件的设备名，例如 ``CPU（AMD EPYC，2 线程）``。"""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    if device.type == 'mps':
        return 'Apple MPS'
    return f'CPU（{_processor_name()}，{torch.get_num_threads()} 线程）'


@cache
def _cpuinfo() -> str:
    """Linux 上 /proc/cpuinfo 的内容，只读一次；别的系统上是空的。"""
    path = Path('/proc/cpuinfo')
    return path.read_text(encoding='utf-8', errors='replace') if path.exists() else ''


def _processor_name() -> str:
    for line in _cpuinfo().splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


# ---- 精度与布局 -----------------------------------------------------------------


def has_fast_bf16(device: torch.device) -> bool:
    """设备有没有 bf16 指令；没有的 CPU 上 bf16 反而更慢。"""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == 'cpu' and 'avx512_bf16' in _cpuinfo()


def resolve_precision(recipe: Recipe, device: torch.device) -> str:
    """``auto`` 在硬件有 bf16 指令时取 ``bf16``，否则取 ``fp32``。"""
    if recipe.precision != 'auto':
        return recipe.precision
    return 'bf16' if has_fast_bf16(device) else 'fp32'


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    """配方的精度是 bf16 时，在 with 块内自动改用它。"""
    enabled = resolve_precision(recipe, device) == 'bf16'
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def layout_of(recipe: Recipe) -> torch.memory_format:
    return torch.channels_last if recipe.channels_last else torch.contiguous_format


def to_layout(X: Tensor, recipe: Recipe) -> Tensor:
    """X (N, C, H, W) 按配方的布局存放；数值不变。"""
    return X.contiguous(memory_format=layout_of(recipe))
