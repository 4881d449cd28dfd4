"""从别的权重出发：本书的、自己训练过的，或 torchvision 在 ImageNet 上训练的。

规矩：名字或次序对得上、形状也相同的照抄；输出头里形状不同的层（类别数不同的最后一层，VGG、
AlexNet 换了边长时的第一个全连接层）重新开始；第一层的通道数不同时，三变一是三个颜色的权重相加
（灰度图抄成三份时，输出不变），一变三是除以 3 抄成三份。别处对不上就是另一个网络，拒绝。
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.network import Network
from deepcnn.own.augmentation import LUMINANCE
from deepcnn.own.feeding import Standard
from deepcnn.own.kept import read_kept
from deepcnn.own.long_run import Tuning
from deepcnn.own.sealed import FACTS
from deepcnn.records.weight_facts import KEY, digests
from deepcnn.training.weight_codec import decode

TORCHVISION = 'torchvision'
# 与 torchvision 的同名网络逐层相同的：用它的第一版权重
PUBLISHED = ('resnet18', 'resnet34', 'resnet50', 'densenet121', 'vgg11', 'vgg16')
IMAGENET = Standard('ImageNet', (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Origin:
    """出发的权重：``state`` 的名字可以与本书的不同，那时只认次序。"""

    title: str
    state: dict[str, Tensor]
    standard: Standard
    by_order: bool = False

    @property
    def body_rate(self) -> float:
        """输出头之外的学习率默认乘以几：上百万张照片上学到的值得保护，别的不必。"""
        return 0.1 if self.by_order else 1.0


def read_origin(network: str, given: str) -> Origin:
    """``given`` 是 .safetensors、训练的文件夹、torchvision 的 .pth，或 ``torchvision``。

    用不了时抛出 ValueError，一行。
    """
    if given == TORCHVISION:
        return _published(network, _download(network))
    path = Path(given)
    if not path.exists():
        raise ValueError(
            f'没有 {path}：--init 要是 .safetensors 文件、训练的文件夹、torchvision 的 .pth，'
            f'或写 {TORCHVISION} 由它自己下载'
        )
    if path.suffix == '.pth':
        return _published(network, path)
    header = _metadata(path) if path.is_file() else {}
    if KEY in header and FACTS not in header:
        return _from_the_book(path)
    tensors, facts = read_kept(path)
    return Origin(f'{path}（{facts.network}）', tensors, facts.standard)


def _metadata(path: Path) -> Mapping[str, str]:
    try:
        with safetensors.safe_open(path, 'pt') as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError, OverflowError):
        return {}


def _from_the_book(path: Path) -> Origin:
    """随书的权重；旁边的 SHA256SUMS 里要有它。"""
    content = path.read_bytes()
    if digests(path.parent).get(path.name) != hashlib.sha256(content).hexdigest():
        raise ValueError(
            f'{path} 与旁边 SHA256SUMS 里的不符，没有用它：请用随书的 weights/ 里的'
        )
    data = load_dataset()
    standard = Standard(data.name, data.mean, data.std)
    return Origin(
        f'随书的 {path.name}', decode(safetensors.torch.load(content)), standard
    )


def address_of(network: str) -> str:
    """torchvision 公布的第一版权重的地址；没有时抛出 ValueError。"""
    if network not in PUBLISHED:
        raise ValueError(
            f'torchvision 没有能用于 {network} 的权重：请从 {"、".join(PUBLISHED)} 中选一个网络'
        )
    from torchvision.models import get_model_weights  # 导入要一秒

    return get_model_weights(network).IMAGENET1K_V1.url


def _download(network: str) -> Path:
    """由 torch.hub 下载（已有就不再下载），返回文件。"""
    address = address_of(network)
    target = Path(torch.hub.get_dir()) / 'checkpoints' / Path(address).name
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                address, str(target), hash_prefix=digest_in(address), progress=False
            )
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f'下载不了 {address}（{error}）：请另行下载，再用 --init 给出这个文件'
        ) from None
    return target


def digest_in(address: str) -> str:
    """``…/resnet18-f37072fd.pth`` → 内容的 SHA-256 的前八位。"""
    return Path(address).stem.rpartition('-')[2]


def _published(network: str, path: Path) -> Origin:
    """torchvision 公布的文件是 pickle：先核对它正是公布的那一个，也只许读出张量。"""
    expected = Path(address_of(network)).name
    if (
        not hashlib.sha256(path.read_bytes())
        .hexdigest()
        .startswith(digest_in(expected))
    ):
        raise ValueError(
            f'{path} 不是 torchvision 公布的 {expected}（SHA-256 不符），没有读它；自己训练的请用 '
            '.safetensors'
        )
    state = torch.load(path, map_location='cpu', weights_only=True)
    return Origin(f'torchvision 的 {expected}', state, IMAGENET, by_order=True)


# ---- 抄过来 ----------------------------------------------------------------------


def adopt(net: Network, origin: Origin) -> list[str]:
    """把 ``origin`` 的权重抄进 ``net``，返回每一项不照抄的说明；对不上时抛出 ValueError。"""
    own = net.state_dict()
    found = dict(origin.state)
    if origin.by_order:
        found = _renamed(own, found, net.name)
    if own.keys() != found.keys():
        raise ValueError(f'{origin.title} 不是 {net.name} 的权重：层的名字对不上')
    notes, restarted = [], []
    first = next(name for name, one in own.items() if one.dim() == 4)
    heads = {f'head.{name}' for name in net.head.state_dict()}
    for name, target in own.items():
        value = found[name]
        if name == first and value.shape[1] != target.shape[1]:
            found[name] = value = recoloured(value, target.shape[1])
            notes.append(
                f'第一层由 {origin_channels(origin)} 个通道换成 {target.shape[1]} 个'
            )
        if value.shape == target.shape:
            continue
        if name not in heads:
            raise ValueError(
                f'{origin.title} 不是 {net.name} 的权重：{name} 的形状是 {tuple(value.shape)}，'
                f'要 {tuple(target.shape)}'
            )
        found[name] = target
        restarted.append(name)
    if restarted:
        layers = sorted({name.rpartition('.')[0] for name in restarted})
        for name in heads:  # 偏置的形状相同，权重却换了的层，偏置也重新开始
            if name.rpartition('.')[0] in layers:
                found[name] = own[name]
        notes.append(f'{"、".join(layers)} 重新开始')
    net.load_state_dict(found)
    return notes


def origin_channels(origin: Origin) -> int:
    return len(origin.standard.mean)


def _renamed(
    own: Mapping[str, Tensor], found: Mapping[str, Tensor], network: str
) -> dict[str, Tensor]:
    """torchvision 的层与本书的次序相同，名字不同；旧的文件里没有 num_batches_tracked。"""
    counted = [name for name in own if not name.endswith('num_batches_tracked')]
    values = [v for k, v in found.items() if not k.endswith('num_batches_tracked')]
    if len(counted) != len(values):
        raise ValueError(
            f'这份权重有 {len(values)} 个张量，{network} 却有 {len(counted)} 个：不是同一个网络'
        )
    renamed = dict(zip(counted, values, strict=True))
    return {name: renamed.get(name, one) for name, one in own.items()}


def recoloured(weight: Tensor, channels: int) -> Tensor:
    """第一层的权重 (O, C, h, w) 换成 ``channels`` 个输入通道；规矩见模块的说明。"""
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight.expand(-1, channels, -1, -1) / channels


def standard_for(origin: Origin, channels: int) -> Standard:
    """出发的权重习惯的归一化，换成 ``channels`` 个通道。"""
    mean, std = (
        torch.tensor(one) for one in (origin.standard.mean, origin.standard.std)
    )
    if len(mean) == channels:
        return origin.standard
    if channels == 1:
        shares = torch.tensor(LUMINANCE)
        mean, std = (mean * shares).sum(0, True), (std * shares).sum(0, True)
    else:
        mean, std = mean.expand(channels), std.expand(channels)
    return Standard(origin.standard.name, tuple(mean.tolist()), tuple(std.tolist()))


def tuning_of(net: Network, freeze: str, body_rate: float) -> Tuning:
    """``freeze`` 是 ``none``、``body``（输出头之外）、``stem``，或前几个阶段的个数。"""
    stages = len(net.stages)
    if freeze == 'none':
        frozen: tuple[str, ...] = ()
    elif freeze == 'stem':
        frozen = ('stem',)
    elif freeze == 'body':
        frozen = ('stem', 'stages')
    elif freeze.isdecimal() and 1 <= int(freeze) <= stages:
        frozen = ('stem', *(f'stages.{index}' for index in range(int(freeze))))
    else:
        raise ValueError(
            f'--freeze 不能是 {freeze!r}：可以写 none、stem、body，或入口之后的'
            f'阶段数 1～{stages}'
        )
    if not 0 < body_rate <= 1:
        raise ValueError(f'--body-rate 要在 0 与 1 之间，现在是 {body_rate}')
    return Tuning('head', body_rate, frozen)


def trained_parameters(net: nn.Module, tuning: Tuning) -> tuple[int, int]:
    """一共有多少个参数，其中要训练的有多少个。"""
    still = [net.get_submodule(name) for name in tuning.frozen]
    frozen = {id(one) for module in still for one in module.parameters()}
    everything = list(net.parameters())
    moving = [one for one in everything if id(one) not in frozen]
    return sum(one.numel() for one in everything), sum(one.numel() for one in moving)
