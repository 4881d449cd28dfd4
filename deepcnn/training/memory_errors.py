"""内存不够时，给读者的一行话；CPU 与显卡都管。"""

import torch

from deepcnn.data.dataset import Dataset
from deepcnn.training.recipe import Recipe

# 显卡有专门的异常；CPU、MPS 与 cuBLAS 只抛出 RuntimeError，认它们的文字。
TEXTS = ('DefaultCPUAllocator', 'out of memory', 'ALLOC_FAILED')


class NotEnoughMemory(RuntimeError):
    """内存或显存不够；消息是写给读者的一行话。"""


def is_out_of_memory(error: RuntimeError) -> bool:
    """是不是内存或显存不够。"""
    known = isinstance(error, torch.OutOfMemoryError | NotEnoughMemory)
    return known or any(text in str(error) for text in TEXTS)


def on_device(data: Dataset, device: torch.device) -> Dataset:
    """把数据整个放进设备；放不下时抛出 NotEnoughMemory。"""
    try:
        return data.to(device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise NotEnoughMemory(
            f'{memory_name(device)}放不下 {len(data.train) + len(data.test):,} 张图像：请用 '
            'train_images、test_images 少取一些，或先结束占着它的程序'
        ) from error


def memory_name(device: torch.device) -> str:
    return '内存' if device.type == 'cpu' else '显存'


def advice(recipe: Recipe, device: torch.device) -> str:
    """训练途中不够时的建议。"""
    short = f'{memory_name(device)}不够'
    smaller = f'减小 image_size（现在是 {recipe.image_size}），或把网络改窄'
    if recipe.batch_size == 1:
        return f'{short}，batch_size 已经是 1：请{smaller}，再试'
    return (
        f'{short}：请把 batch_size 从 {recipe.batch_size} 减到 '
        f'{recipe.batch_size // 2} 再试；仍然不够就{smaller}'
    )
