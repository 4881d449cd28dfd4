"""哪些测试图像最能激起一个通道，最强的反应在图像的什么地方。"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepcnn.anatomy.layers import capture
from deepcnn.data.batches import test_batches
from deepcnn.data.dataset import Dataset
from deepcnn.given_numbers import whole_number
from deepcnn.training.evaluation import evaluating


@dataclass(frozen=True)
class Exciting:
    """最能激起一个通道的 k 张测试图像，强的在前。

    ``indices`` int64 (k,) 是测试集里的序号；``responses`` (k,) 是通道在这张图像上的最大值；
    ``places`` (k, 2) 是取到它的单元的中心，行、列都以图像的边长为 1。
    """

    channel: int
    indices: Tensor
    responses: Tensor
    places: Tensor


@dataclass(frozen=True)
class Responses:
    """一层的各通道对测试集前 N 张图像的反应。

    ``largest`` (N, C) 是各通道的最大值，``unit`` int64 (N, C) 是取到它的单元（逐行编号），
    ``map_shape`` 是特征图的高与宽。
    """

    layer: str
    largest: Tensor
    unit: Tensor
    map_shape: tuple[int, int]

    def top(self, channel: int, count: int = 8) -> Exciting:
        """最能激起 ``channel`` 的 ``count`` 张；没有这个通道时抛出 ValueError。"""
        channels = self.largest.shape[1]
        channel = whole_number('channel', channel)
        if channel >= channels:
            raise ValueError(
                f'{self.layer} 没有通道 {channel}：编号是 0～{channels - 1}'
            )
        count = min(whole_number('count', count, 1), len(self.largest))
        order = self.largest[:, channel].argsort(descending=True, stable=True)[:count]
        height, width = self.map_shape
        unit = self.unit[order, channel]
        rows, columns = unit // width, unit % width
        places = torch.stack([(rows + 0.5) / height, (columns + 0.5) / width], 1)
        return Exciting(channel, order, self.largest[order, channel], places)


@torch.inference_mode()
def responses(
    net: nn.Module,
    data: Dataset,
    image_size: int,
    layer: str,
    images: int = 2000,
    batch_size: int = 100,
) -> Responses:
    """``layer``（模块路径）各通道对测试集前 ``images`` 张图像的最大反应。

    成批地算，只留最大值与位置。网络与原来一样。没有这一层、它的输出不是特征图
    (N, C, H, W)，或数不是正整数时抛出 ValueError。
    """
    device = next(net.parameters()).device
    few = data.first(None, images)
    largest, units, shape = [], [], (0, 0)
    with evaluating(net), capture(net, layer) as maps:
        for X, _ in test_batches(few, image_size, batch_size):
            net(X.to(device))
            if maps[layer].dim() != 4:
                raise ValueError(
                    f'{layer} 的输出是 {tuple(maps[layer].shape)}，没有高和宽：'
                    '请选卷积层或一个阶段'
                )
            shape = tuple(maps[layer].shape[-2:])
            values, unit = maps[layer].flatten(2).max(2)
            largest.append(values)
            units.append(unit)
    return Responses(layer, torch.cat(largest), torch.cat(units), shape)
