"""特征图的一页：一张图像、一个阶段、连续的若干个通道。"""

from dataclasses import dataclass

import torch
from torch import Tensor

from deepcnn.anatomy.choice import Choice, complete
from deepcnn.anatomy.layers import capture
from deepcnn.data.batches import prepare, restore
from deepcnn.data.dataset import Dataset
from deepcnn.models.network import Network
from deepcnn.training.evaluation import evaluating

PER_PAGE = 16
IMAGES = 100  # 测试集的前多少张可以选
SHARED, SEPARATE, WHOLE = '本页共用', '各通道自己', '整个阶段共用'
SCALES = (SHARED, SEPARATE, WHOLE)


@dataclass(frozen=True)
class ChannelPage:
    """image (C, S, S) 是缩放后的输入，0～1；maps (n, H, W) 是从 ``first`` 起的通道，共
    ``total`` 个。

    ``limits`` (n, 2) 是每幅图的色标范围；有负值时两端对称，否则从 0 开始。
    """

    stage: str
    image_index: int
    class_name: str
    image: Tensor
    maps: Tensor
    first: int
    total: int
    limits: Tensor

    def summary(self) -> str:
        last = self.first + len(self.maps) - 1
        return (
            f'测试图像 {self.image_index}，{self.stage}：'
            f'第 {self.first}～{last} 个通道，共 {self.total} 个'
        )


def stage_names(net: Network) -> tuple[str, ...]:
    """可以看的阶段：``stem`` 与各个 ``stages.i``。"""
    return ('stem', *(f'stages.{index}' for index in range(len(net.stages))))


@torch.no_grad()
def stage_maps(net: Network, X: Tensor) -> dict[str, Tensor]:
    """X (1, C, S, S) 在各阶段之后的特征图 (C, H, W)，在 CPU 上；网络与原来一样。"""
    device = next(net.parameters()).device
    with evaluating(net), capture(net, *stage_names(net)) as maps:
        net(X.to(device))
    return {name: values[0] for name, values in maps.items()}


def page_choices(net: Network, data: Dataset, channels: int) -> dict[str, Choice]:
    """可以选的各项；``channels`` 是所选阶段的通道数，决定有几页。"""
    return {
        'image': Choice('图像', range(min(IMAGES, len(data.test))), 0),
        'stage': Choice('阶段', stage_names(net), 'stem'),
        'page': Choice('第几页', range(-(-channels // PER_PAGE)), 0),
        'scale': Choice('色标', SCALES, SHARED),
    }


def channel_page(
    net: Network, data: Dataset, image_size: int, **chosen: object
) -> ChannelPage:
    """取出 ``image``、``stage``、``page``、``scale`` 所选的一页；图像取自测试集。

    选择不合法，或 ``image_size`` 不合网络的要求时，抛出 ValueError。
    """
    # 页数要等阶段定下、跑过网络才知道，所以先查其余各项。
    others = {name: value for name, value in chosen.items() if name != 'page'}
    values = complete(page_choices(net, data, channels=1), others)
    index = values['image']
    X = prepare(data.test.images[index : index + 1], image_size, data)
    maps = stage_maps(net, X)[values['stage']]
    values = complete(page_choices(net, data, len(maps)), chosen)
    first = values['page'] * PER_PAGE
    shown = maps[first : first + PER_PAGE]
    return ChannelPage(
        stage=values['stage'],
        image_index=index,
        class_name=data.class_names[int(data.test.labels[index])],
        image=restore(X, data)[0].cpu(),
        maps=shown,
        first=first,
        total=len(maps),
        limits=_limits(shown, maps, values['scale']),
    )


def _limits(shown: Tensor, maps: Tensor, scale: str) -> Tensor:
    groups = {
        SHARED: [shown] * len(shown),
        SEPARATE: list(shown),
        WHOLE: [maps] * len(shown),
    }[scale]
    return torch.tensor([_range(group) for group in groups])


def _range(values: Tensor) -> tuple[float, float]:
    limit = max(float(values.abs().max()), 1e-8)
    return (-limit if float(values.min()) < 0 else 0.0), limit
