"""训练好的网络连同用它所需的一切：类别名、边长、通道数、归一化；``predict`` 不再要别的。"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from deepcnn.data.batches import prepare
from deepcnn.data.decoding import read_image
from deepcnn.models.network import Network
from deepcnn.models.registry import BUILDERS, create
from deepcnn.own.feeding import Standard
from deepcnn.own.sealed import Unreadable, seal, unseal
from deepcnn.training.evaluation import evaluating

BEST, LAST = 'best.safetensors', 'last.safetensors'
KIND = 'network'  # 封好的文件里是网络，不是断点


@dataclass(frozen=True)
class KeptFacts:
    """网络是哪一个，怎样给它准备图像，从哪里来。"""

    network: str
    in_channels: int
    image_size: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dataset: str
    accuracy: float  # 验证准确率，0～1
    epoch: int
    versions: dict[str, str]
    # 留出验证集的种子与图像的摘要；从前的文件里没有
    seed: int | None = None
    data_digest: str | None = None

    @property
    def name(self) -> str:
        """数据集的名字：它像数据集那样描述网络所认的图像。"""
        return self.dataset

    @property
    def standard(self) -> Standard:
        return Standard(self.dataset, self.mean, self.std)

    def build(self) -> Network:
        """一个同样结构的新网络。"""
        return create(
            self.network, self.in_channels, len(self.class_names), self.image_size
        )


def keep(path: Path, net: nn.Module, facts: KeptFacts) -> Path:
    """写成 safetensors 并返回路径；写不下时抛出 OSError。"""
    return seal(path, net.state_dict(), {'kind': KIND, **asdict(facts)})


def read_kept(path: Path | str) -> tuple[dict[str, Tensor], KeptFacts]:
    """读 ``keep`` 写的文件，或训练的文件夹里最好的一份。

    用不了时抛出 ValueError，一行；读不了（没有权限）时抛出 OSError。
    """
    path = Path(path)
    if path.is_dir():
        path = path / BEST
    if not path.is_file():
        raise ValueError(
            f'没有 {path}：请给出 deepcnn train 写的文件夹或 .safetensors 文件'
        )
    try:
        tensors, found = unseal(path)
    except Unreadable as error:
        raise ValueError(
            f'{path} 用不了：{error}；只读 deepcnn train 写的 .safetensors，别的格式不读'
        ) from None
    try:
        if found.pop('kind') != KIND:
            raise KeyError
        for name in ('class_names', 'mean', 'std'):
            found[name] = tuple(found[name])
        facts = KeptFacts(**found)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f'{path} 里不是训练好的网络：请用 {BEST} 或 {LAST}') from None
    if facts.network not in BUILDERS:
        raise ValueError(
            f'{path} 里的网络 {facts.network} 这个版本没有：请升级 deepcnn'
        )
    return tensors, facts


def load_kept(path: Path | str) -> tuple[Network, KeptFacts]:
    """读回训练好的网络，在 CPU 上，评价方式；与网络的结构对不上时抛出 ValueError。"""
    tensors, facts = read_kept(path)
    with torch.device('meta'):
        net = facts.build()
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError:
        raise ValueError(
            f'{path} 里的权重与这个版本的 {facts.network} 对不上：请用写它的那个版本的 deepcnn'
        ) from None
    return net.eval(), facts


@torch.inference_mode()
def probabilities(net: nn.Module, facts: KeptFacts, images: Tensor) -> Tensor:
    """uint8 (N, C, H, W) → 各类的概率 float (N, K)，在 ``net`` 的设备上按 fp32 算。"""
    device = next(net.parameters()).device
    with evaluating(net):
        X = prepare(images.to(device), facts.image_size, facts.standard)
        return net(X).softmax(1).cpu()


def read_for(facts: KeptFacts, path: Path | str) -> Tensor:
    """读一张图像，uint8 (1, C, side, side)；读不了时抛出 BadImage。"""
    return read_image(path, facts.image_size, facts.in_channels).unsqueeze(0)
