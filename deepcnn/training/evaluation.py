"""评价：在测试集上预测，算准确率；网络的模式与原来一样。"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset, require_like
from deepcnn.training.hardware import autocast, to_layout
from deepcnn.training.memory_errors import is_out_of_memory
from deepcnn.training.recipe import Recipe

TEST_BATCH = 500  # 每批的图像数


@contextmanager
def in_mode(net: nn.Module, training: bool) -> Iterator[None]:
    """在 with 块内整个网络都用一种方式，离开时每个模块恢复它原来的方式。"""
    before = [(module, module.training) for module in net.modules()]
    net.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


def evaluating(net: nn.Module) -> AbstractContextManager:
    """在 with 块内按评价方式前向，离开时每个模块都恢复原来的方式。"""
    return in_mode(net, training=False)


def predict(net: nn.Module, data: Dataset, recipe: Recipe) -> Tensor:
    """返回测试集每张图像的预测类别，int64 (N,)；网络的模式不变。"""
    return predict_images(net, data.test.images, data, recipe)


def predict_images(
    net: nn.Module, images: Tensor, data: Dataset, recipe: Recipe
) -> Tensor:
    """返回任意一批图像的预测类别，int64 (N,)，与 ``images`` 在同一个设备上。

    ``images`` 是 uint8 (N, C, H, W)，一张照片用 ``photo.unsqueeze(0)``；按训练时的边长与
    ``data`` 的均值、标准差准备。形状、类型或通道数不对时抛出 ValueError。

    每批 500 张；内存不够时减半再试，直到与训练的批量一样小。网络的模式不变。
    """
    require_like(images, data)
    count = TEST_BATCH
    with evaluating(net):
        while True:
            try:
                return predict_by(count, net, images, data, recipe)
            except RuntimeError as error:
                if not is_out_of_memory(error) or count <= recipe.batch_size:
                    raise
            count = max(recipe.batch_size, count // 2)


@torch.inference_mode()
def predict_by(
    count: int, net: nn.Module, images: Tensor, data: Dataset, recipe: Recipe
) -> Tensor:
    """按网络现在的模式，每批 ``count`` 张。"""
    device = next((one.device for one in net.parameters()), images.device)
    predictions = []
    for part in images.split(count):
        X = prepare(part.to(device), recipe.image_size, data)
        with autocast(recipe, device):
            predictions.append(net(to_layout(X, recipe)).argmax(1))
    return torch.cat(predictions).to(images.device)


def evaluate(net: nn.Module, data: Dataset, recipe: Recipe) -> float:
    """返回测试准确率，0～1；网络的模式不变。"""
    return (predict(net, data, recipe) == data.test.labels).float().mean().item()
