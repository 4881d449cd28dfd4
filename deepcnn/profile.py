"""选择计算设备与训练档位。"""

import os
import platform
from pathlib import Path

import torch

PROFILES = ('quick', 'laptop', 'gpu')
DEVICES = ('auto', 'cuda', 'mps', 'cpu')


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """返回计算设备；``auto`` 依次尝试 CUDA、MPS、CPU。

    不给 ``name`` 时读环境变量 ``DEEPCNN_DEVICE``；已经是 ``torch.device`` 的检查之后
    原样返回。名字不认识、或这台机器上没有该设备时抛出 ValueError。
    """
    if isinstance(name, torch.device):
        choose_device(name.type)
        return name
    name = name or os.environ.get('DEEPCNN_DEVICE') or 'auto'
    if name not in DEVICES:
        raise ValueError(f'不认识的设备 {name!r}：请从 {"、".join(DEVICES)} 中选一个')
    available = {
        'cuda': torch.cuda.is_available(),
        'mps': torch.backends.mps.is_available(),
        'cpu': True,
    }
    if name == 'auto':
        name = next(kind for kind, usable in available.items() if usable)
    if not available[name]:
        raise ValueError(f'这台机器上没有可用的 {name}：请改用 auto 或 cpu')
    return torch.device(name)


def choose_profile(name: str | None = None) -> str:
    """返回训练档位 ``quick``、``laptop`` 或 ``gpu``。

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


def _processor_name() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors='replace').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
