"""训练的影片：每轮之后记下第一层的卷积核，以及同一张图像在各处的特征图与各类的概率。

网页靠它重放一次训练。影片存在断点里，所以中断之后接着拍；拍摄只做一次前向，不用随机数，
训练的结果与不拍时逐位相同。训练完写成 ``results/replay/<网络>.safetensors``：卷积核与特征图
是 int8，概率是 16 位浮点。
"""

from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset
from deepcnn.records.store import write_bytes
from deepcnn.training.checkpoint import Checkpoint
from deepcnn.training.evaluation import evaluating
from deepcnn.training.recipe import Recipe
from deepcnn.training.weight_codec import quantize

FOLDER = 'replay'
LARGEST_SIDE = 28  # 再大的特征图平均到这么大：放出来看得清，文件也小
CHANNELS = 8  # 每处只留最后一幕里变化最大的几个通道

Frame = dict[str, Tensor]


@dataclass
class Film:
    """一次训练的各幕，第一幕是训练之前；``frames`` 的键见 ``take``。"""

    frames: list[Frame] = field(default_factory=list)

    def filming(
        self, checkpoint: Checkpoint, net: nn.Module, data: Dataset, recipe: Recipe
    ) -> 'FilmedCheckpoint':
        """存断点时顺便拍一幕的断点；没有拍过时先拍训练之前的 ``net``。"""
        X = prepare(data.test.images[:1], recipe.image_size, data)
        filmed = FilmedCheckpoint(checkpoint.path, self, net, X)
        if filmed.load() is None:
            self.frames[:] = [take(net, X)]
        return filmed

    def save(self, network: str, folder: Path) -> Path:
        """写成 ``<folder>/replay/<network>.safetensors``，返回路径。"""
        content = safetensors.torch.save(packed(self.frames))
        return write_bytes(folder / FOLDER / f'{network}.safetensors', content)


@dataclass(frozen=True)
class FilmedCheckpoint(Checkpoint):
    """断点里多一项 ``film``：到这一轮为止的各幕。"""

    film: Film
    net: nn.Module
    X: Tensor

    def load(self) -> dict | None:
        state = super().load()
        if state is not None:
            self.film.frames[:] = state.get('film', [])
        return state

    def save(self, state: dict) -> None:
        self.film.frames.append(take(self.net, self.X))
        super().save(state | {'film': self.film.frames})


@torch.no_grad()
def take(net: nn.Module, X: Tensor) -> Frame:
    """一幕：``kernels`` (K, C, h, w)，``probabilities``（每类一个），``maps.<名字>`` (C, s, s)。

    X float (1, C, H, W)，在哪个设备上都行；返回的在 CPU 上，半精度。特征图取入口与各个
    stage 的；同样大小的只留最后一个，1×1 的没有「各处」，不留。
    """
    kernels = next(one for one in net.modules() if isinstance(one, nn.Conv2d)).weight
    X, maps = X.to(kernels), {}
    with evaluating(net):
        for name, part in (('stem', net.stem), *net.stages.named_children()):
            X = part(X)
            side = min(X.shape[-1], LARGEST_SIDE)
            place = name if name == 'stem' else f'stages.{name}'
            maps[side] = f'maps.{place}', F.adaptive_avg_pool2d(X, side)[0]
        probabilities = net.head(X)[0].softmax(0)
    maps.pop(1, None)
    frame = {'kernels': kernels, 'probabilities': probabilities, **dict(maps.values())}
    return {k: v.detach().half().cpu().contiguous() for k, v in frame.items()}


def packed(frames: list[Frame]) -> dict[str, Tensor]:
    """各幕叠在一起，概率以外存成 int8 与每幕一个比例；通道的编号在 ``<名字>.channels``。"""
    stored = {'probabilities': torch.stack([f['probabilities'] for f in frames])}
    for name in frames[-1]:
        values = torch.stack([frame[name] for frame in frames])
        if name.startswith('maps.'):
            spread = frames[-1][name].float().flatten(1).var(1)
            channels = spread.topk(min(CHANNELS, len(spread))).indices
            stored[f'{name}.channels'] = channels
            values = values[:, channels]
        if name != 'probabilities':
            stored[name], stored[f'{name}.scale'] = quantize(values)
    return stored
