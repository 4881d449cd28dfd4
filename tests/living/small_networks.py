"""测试用的权重：随书有的用随书的，没有的现造一份，边长取小；PyTorch 里同样的手术。"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from deepcnn.models.lineup import LINEUP
from deepcnn.records.weight_facts import (
    KEY,
    read_weights,
    shipped,
    weight_facts,
    write_weights,
)
from deepcnn.training.weight_codec import encode

SIDES = {'alexnet': 63, 'vgg11': 32, 'nin': 71, 'googlenet': 33, 'resnet18': 33}
SIDES |= {name: weight_facts(name).image_size for name in shipped()}
RANK = 16


def small_network(name: str, generator: torch.Generator) -> nn.Module:
    """一个没有训练的网络，归一化的统计也不是 0 与 1；要换成低秩的层不填。"""
    with torch.device('meta'):
        net = LINEUP[name].build(SIDES[name])
    net.to_empty(device='cpu')
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0, 0.1, generator=generator)
            layer.running_mean.normal_(0, 0.1, generator=generator)
            layer.num_batches_tracked.zero_()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            if not is_large(layer):
                fan = layer.weight[0].numel()
                layer.weight.data.normal_(0, (2 / fan) ** 0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0, 0.1, generator=generator)
    return net


def is_large(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) and layer.out_features == 4096


def small_weights(name: str, generator: torch.Generator, folder: Path) -> None:
    net = small_network(name, generator)
    large = {f'{path}.weight': m for path, m in net.named_modules() if is_large(m)}
    factors = {
        path: (
            torch.randn(layer.out_features, RANK, generator=generator) / RANK**0.5,
            torch.randn(RANK, layer.in_features, generator=generator)
            / layer.in_features**0.5,
        )
        for path, layer in large.items()
    }
    facts = weight_facts('densenet')
    source = {**facts.source, 'image_size': SIDES[name]}
    facts = replace(facts, network=name, source=source)
    content = safetensors.torch.save(encode(net, factors), {KEY: facts.to_json()})
    write_weights(name, content, folder)


def page_weights(name: str, generator: torch.Generator, folder: Path) -> None:
    """随书有权重的，就是那一份；没有的现造。"""
    if name in shipped():
        write_weights(name, read_weights(name), folder)
    else:
        small_weights(name, generator, folder)


@contextmanager
def hooks(
    net: nn.Module,
    erased: dict[str, Sequence[int]],
    unread: dict[str, Sequence[int]],
) -> Iterator[None]:
    """PyTorch 里做同样的手术：层的输出、层读到的输入，某些通道变成 0。"""
    modules = dict(net.named_modules())

    def without(X: Tensor, channels: Sequence[int]) -> Tensor:
        X = X.clone()
        X[:, list(channels)] = 0
        return X

    with ExitStack() as undo:
        for name, channels in erased.items():
            hook = modules[name].register_forward_hook(
                lambda m, inputs, output, c=channels: without(output, c)
            )
            undo.callback(hook.remove)
        for name, channels in unread.items():
            hook = modules[name].register_forward_pre_hook(
                lambda m, inputs, c=channels: (without(inputs[0], c),)
            )
            undo.callback(hook.remove)
        yield
