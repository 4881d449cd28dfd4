"""读者自己的网络写成一个文件，在「实验台」一页打开，像书里的六个那样看。"""

import json
from pathlib import Path

import torch
from torch import nn

from deepcnn.anatomy.program import PIXELS, Described, page_program
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.given_numbers import whole_number
from deepcnn.training.evaluation import evaluating
from deepcnn.training.weight_codec import write_encoded

KEY = 'page'  # safetensors 头里的一项：算子、边长、类别


def export_page(
    net: nn.Module,
    path: Path | str,
    data: Described | None = None,
    image_size: int | None = None,
    title: str | None = None,
) -> Path:
    """把 ``net`` 写成 ``path``（.safetensors），返回路径；在「实验台」里用按钮打开它。

    ``data`` 是训练它的数据集（均值、标准差与类别），不给时是 Fashion-MNIST；``image_size`` 是
    训练时的边长，像素，不给时是网络自己记着的，没有记着的是 28：放大过图像再训练的要写明；
    ``title`` 不给时用类的名字。权重存成 int8，每个输出通道一个比例。网页不会算的层、彩色的
    数据、不到 28 像素的边长、不收这样的图像的网络与不是有限数的权重抛出 ValueError，写明是
    什么，不写文件。
    """
    data = load_dataset() if data is None else data
    side = known_size(net) if image_size is None else image_size
    size = whole_number('image_size', side, 1)
    program = page_program(net, title or type(net).__name__, size, data)
    require_scores(net, size, len(data.class_names))
    text = json.dumps(program, ensure_ascii=False)
    path = Path(path)
    if path.suffix != '.safetensors':  # net-lr0.1 的 .1 不是后缀
        path = path.with_name(f'{path.name}.safetensors')
    return write_encoded(path, net, {KEY: text})


def known_size(net: nn.Module) -> int:
    """AlexNet 与 VGG 记着它们的全连接层是按多大的边长造的；别的网络默认按 28 像素。

    收不了的由 ``require_scores`` 说明。
    """
    return getattr(net, 'image_size', None) or PIXELS


@torch.inference_mode()
def require_scores(net: nn.Module, size: int, classes: int) -> None:
    """网络收不了一张 size×size 的灰度图，或得分不是一类一个时，抛出 ValueError。"""
    device = next(net.parameters(), torch.empty(0)).device
    try:
        with evaluating(net):
            scores = net(torch.zeros(1, 1, size, size, device=device))
    except RuntimeError as error:
        raise ValueError(
            f'网络算不了一张 {size}×{size} 的灰度图：请核对 image_size 与第一层的通道数'
        ) from error
    if scores.shape != (1, classes):
        raise ValueError(
            f'一张图像的输出是 {tuple(scores.shape)}，而类别有 {classes} 个：应是 (1, {classes})'
        )
