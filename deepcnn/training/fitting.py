"""训练之前先让两张图像走一遍：网络与数据不合，训练几小时之后才说就晚了。"""

import torch
from torch import nn

from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset
from deepcnn.training.evaluation import evaluating
from deepcnn.training.hardware import to_layout
from deepcnn.training.recipe import Recipe

# 归一化层的每个通道只有一个数时，F.batch_norm 与 F.instance_norm 的英文
NO_VARIANCE = 'Expected more than 1'


@torch.no_grad()
def require_fitting(net: nn.Module, data: Dataset, recipe: Recipe) -> None:
    """图像 (2, C, size, size) 的得分 (2, K) 少于类别，或平移不小于图像时抛出 ValueError。

    边长或通道数不合时，``Network`` 自己抛出 ValueError；归一化层没有方差可算的，留给 ``fit``
    来说。权重、滑动平均与各模块的方式不变。
    """
    device = next((one.device for one in net.parameters()), torch.device('cpu'))
    images = data.train.images[:2].to(device)  # 只有一张，批量归一化也许算不了方差
    require_small_shift(recipe.shift, min(images.shape[-2:]))
    try:
        with evaluating(net):
            scores = net(to_layout(prepare(images, recipe.image_size, data), recipe))
    except ValueError as error:
        if NO_VARIANCE in str(error):
            return
        raise
    outputs, classes = scores.shape[1], len(data.class_names)
    if outputs < classes:
        raise ValueError(
            f'网络只有 {outputs} 个输出，{data.name} 却有 {classes} 类：'
            f'请把最后一层改成 {classes} 个输出（num_classes={classes}）'
        )


def require_small_shift(shift: int, side: int) -> None:
    """整张图像都移出去时抛出 ValueError；``side`` 是放大之前较短的一边，像素。"""
    if shift >= side:
        raise ValueError(f'平移要小于图像的边长 {side} 像素，现在 shift 是 {shift}')
