"""录制一章之前：按「性能」一章实测的速度推算要多久。

那里的速度是在 48 到 71 像素上测得的；别的边长按乘加次数换算，因此只是约数（小图像上，
每次乘加分摊的杂务更多，换算到大图像会多算两三成）。测试另算。
"""

import torch

from deepcnn.anatomy import layer_table
from deepcnn.models.lineup import LINEUP
from deepcnn.records.benchmark import FULL_TRAIN_SET, Report, load_report
from deepcnn.records.pages import record_names
from deepcnn.records.runs import any_profile
from deepcnn.records.store import RESULTS
from deepcnn.training import Recipe
from deepcnn.training.announcement import minutes
from deepcnn.training.hardware import has_fast_bf16

SLOWER = '这个 CPU 没有 bf16 指令，训练要慢 5 到 7 倍：最好换一台有的机器'


def expected_line(chapter: str, profile: str, device: torch.device) -> str | None:
    """录制 ``chapter`` 要说的一行；不是 CPU，没有测过它的网络，或它只读别处训练好的几份
    记录（小结）时返回 None。
    """
    names = record_names(chapter)
    network = any_profile(names[0])
    if device.type != 'cpu' or network not in LINEUP or len(names) > 1:
        return None
    fast = has_fast_bf16(device)
    report = load_report(RESULTS / f'bench-cpu-{"bf16" if fast else "fp32"}.json')
    seconds = expected_seconds(network, LINEUP[network].recipes[profile], report)
    if seconds is None:
        return None
    return f'训练大约要 {duration(seconds)}（按「性能」一章的速度推算）' + (
        '' if fast else f'。{SLOWER}'
    )


def expected_seconds(
    network: str, recipe: Recipe, report: Report | None
) -> float | None:
    """全部种子训练的秒数；``report`` 里没有这个网络时返回 None。"""
    measured = report.comparisons.get(network) if report else None
    if not (measured and measured.engine):
        return None
    images = recipe.epochs * (recipe.train_images or FULL_TRAIN_SET) * len(recipe.seeds)
    work = macs(network, recipe.image_size) / macs(network, measured.image_size)
    return images * work / measured.engine.rate


def macs(network: str, image_size: int) -> int:
    """一张图像的乘加次数；参数不占内存。"""
    with torch.device('meta'):
        net = LINEUP[network].build(image_size)
    return layer_table(net, image_size).macs


def duration(seconds: float) -> str:
    """一小时以内照分钟说，至少一分钟；更长的照小时说。"""
    return minutes(max(seconds, 60)) if seconds < 3600 else f'{seconds / 3600:.1f} 小时'
