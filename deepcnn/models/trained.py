"""随书附带的权重：``load('resnet18')`` 返回训练好的网络，不必先训练一遍。"""

from pathlib import Path

import safetensors.torch
import torch

from deepcnn.models.lineup import entry
from deepcnn.models.network import Network
from deepcnn.records.weight_facts import facts_in, read_weights
from deepcnn.training.weight_codec import decode


def load(name: str, folder: Path | None = None) -> Network:
    """读 ``weights/<name>.safetensors``，返回训练好的网络：在 CPU 上，评价模式。

    X (N, 1, size, size) → 得分 (N, 10)，size 是 ``weight_facts(name).image_size``；图像用
    ``prepare`` 按它准备。名字不认识、没有权重、文件残缺或被改动过、与现在的代码对不上时抛出
    ValueError。不用随机数。

    低秩的全连接层乘回 4096 个输出的 ``nn.Linear``：层表、参数个数、钩子都与章里的网络相同，
    代价只是内存（AlexNet 233 MB）；拆成两层能省内存，却成了另一个网络。
    """
    content = read_weights(name, folder)
    with torch.device('meta'):
        net = entry(name).build(facts_in(content).image_size)
    state = decode(safetensors.torch.load(content))
    try:
        net.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ValueError(
            f'{name} 的权重与现在的代码对不上（代码里的网络改过）：请用 full 档运行 make record '
            '重新训练它'
        ) from error
    return net.eval()
