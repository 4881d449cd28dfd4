"""笔记本开头的几行：在哪里训练，用哪一档，大约多久，数据在哪里。"""

from collections.abc import Sequence

import torch

from deepcnn.records.pages import TrainingTime, record_names, training_times
from deepcnn.records.runs import FULL
from deepcnn.training.hardware import (
    PROFILES,
    choose_device,
    choose_profile,
    describe_device,
    has_fast_bf16,
)


def announce_training(page: str) -> None:
    """印出设备与档位、训练的用时、数据在哪里；每行都短，网页上不必横向滚动。

    ``page`` 是这个笔记本在 chapters/ 里的名字，例如 ``alexnet``。用时都是录制时量得的，
    或由它推算；没有录过的档位照实说没有。档位或设备不认识时抛出 ValueError。
    """
    device, profile = choose_device(), choose_profile()
    profiles = profiles_of(page)
    print(f'{describe_device(device)}，{profile} 档')
    print(f'换档位：设环境变量 DEEPCNN_PROFILE={"|".join(profiles)}，再从头运行')
    times = expected_time(training_times(page), device, profiles)
    print(*(f'用时：{line}' for line in times), sep='\n')
    print('数据：随包附带，在 deepcnn/data/files/，不用下载')


def profiles_of(page: str) -> tuple[str, ...]:
    """这一页的配方有哪几档：``full`` 只有六个网络的章才有，它们印的就是这一档。"""
    shown_in_full = record_names(page)[0].startswith(f'{FULL}/')
    return tuple(one for one in PROFILES if one != FULL or shown_in_full)


def expected_time(
    times: Sequence[TrainingTime], device: torch.device, profiles: Sequence[str]
) -> list[str]:
    """各档录制时用了多久；CPU 没有 bf16 指令的话，估计多久；别的档位没有录过。"""
    if not times:
        return ['没有录过']
    parts = [line for one in times for line in lines_of(one, device)]
    known = {one.profile for one in times}
    others = [one for one in profiles if one not in known]
    return parts if '' in known else [*parts, f'{"、".join(others)} 档没有录过']


def lines_of(recorded: TrainingTime, device: torch.device) -> list[str]:
    conditions = '，'.join(filter(None, (recorded.device, recorded.precision)))
    profile = f'{recorded.profile} 档' if recorded.profile else ''
    parts = [f'{profile}录制时用了 {minutes(recorded.seconds)}（{conditions}）']
    if recorded.seconds_without_bf16:
        lacks = device.type == 'cpu' and not has_fast_bf16(device)
        who = '这个 CPU 没有 bf16 指令' if lacks else '没有 bf16 指令的 CPU'
        parts.append(
            f'{who}，照「性能」一章两种 CPU 之比，约 {minutes(recorded.seconds_without_bf16)}'
        )
    return parts


def minutes(seconds: float) -> str:
    """取整的分钟；不到一分钟的照秒说。"""
    return f'{seconds:.0f} 秒' if seconds < 60 else f'{seconds / 60:.0f} 分钟'
