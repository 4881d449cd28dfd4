"""按配方的每个种子各训练一次。"""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.runs import FULL, History, Run
from deepcnn.records.titles import NETWORKS
from deepcnn.training.checkpoint import checkpoint_for
from deepcnn.training.film import Film
from deepcnn.training.fitting import require_fitting
from deepcnn.training.hardware import (
    choose_device,
    choose_profile,
    describe_device,
    resolve_precision,
)
from deepcnn.training.loop import fit
from deepcnn.training.memory_errors import on_device
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording, current_recording
from deepcnn.training.shipped_weights import is_shipped, ship

Build = Callable[[], nn.Module]


def train(
    build: Build,
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
    device: torch.device | str | None = None,
    recording: Recording | None = None,
) -> tuple[nn.Module, History]:
    """按 ``recipe`` 的每个种子各训练一次，返回第一个种子的网络与全部记录。

    ``build()`` 不带参数，返回一个新网络。档位或设备不认识、网络与数据不合（见
    ``require_fitting``）时抛出 ValueError。按 Ctrl-C 时返回已完成的部分。

    给了 ``recording``（或正在录制）时，结果另存为 ``results/<网络>.json``（full 档的在 ``full/``
    里），中断后可以接着做；否则不写文件。六个网络的 full 档还写出权重
    ``weights/<网络>.safetensors``（见 ``shipped_weights``）与训练的影片（见 ``film``）。
    """
    device, profile = choose_device(device), choose_profile(profile)
    recording = recording or current_recording()
    data = on_device(data.first(recipe.train_images, recipe.test_images), device)
    first, runs = None, []
    film = Film() if recording and profile == FULL else None
    try:
        for net, run in trained_seeds(build, data, recipe, device, recording, film):
            first = net if first is None else first
            runs.append(run)
    except KeyboardInterrupt:  # 一轮也没有完成的种子不留，已完成的种子要留
        if first is None:
            raise
        print(f'{data.name}  已中断：保留前 {len(runs)} 个种子的记录')
    history = new_history(first, data, recipe, profile, device, runs)
    if recording and is_complete(runs, recipe):
        history.save(recording.results)
        if is_shipped(history):
            ship(first, data, recipe, history, recording.weights)
            if len(film.frames) == recipe.epochs + 1:  # 旧的断点里没有影片
                film.save(history.network, recording.results)
    return first, history


def train_seeds(
    build: Build,
    data: Dataset,
    recipe: Recipe,
    profile: str | None = None,
    device: torch.device | str | None = None,
) -> tuple[list[nn.Module], History]:
    """与 ``train`` 相同，但返回每个种子的网络，也不存下记录。

    按 Ctrl-C 时抛出 KeyboardInterrupt：缺了几轮的记录不能拿来比较。
    """
    device, profile = choose_device(device), choose_profile(profile)
    data = on_device(data.first(recipe.train_images, recipe.test_images), device)
    pairs = list(trained_seeds(build, data, recipe, device, current_recording()))
    nets, runs = map(list, zip(*pairs, strict=True))
    if not is_complete(runs, recipe):
        raise KeyboardInterrupt
    return nets, new_history(nets[0], data, recipe, profile, device, runs)


def trained_seeds(
    build: Build,
    data: Dataset,
    recipe: Recipe,
    device: torch.device,
    recording: Recording | None,
    film: Film | None = None,
) -> Iterator[tuple[nn.Module, Run]]:
    """依次给出每个种子训练好的网络与记录；有一个被 Ctrl-C 打断，就不再开新种子。

    给了 ``film`` 时，录制第一个种子的途中拍下它。
    """
    for seed in recipe.seeds:
        torch.manual_seed(seed)
        net = build()
        require_fitting(net, data, recipe)
        filmed = film if seed == recipe.seeds[0] else None
        run = run_seed(net, data, recipe, seed, device, recording, filmed)
        yield net, run
        if not is_complete([run], recipe):
            return


def is_complete(runs: list[Run], recipe: Recipe) -> bool:
    """每个种子的每一轮都训练完了。"""
    return all(len(run.test_accuracy) == recipe.epochs for run in runs)


def run_seed(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    recording: Recording | None,
    film: Film | None = None,
) -> Run:
    """训练一个种子；录制中断后重来时，读回已完成的轮并说明。"""
    if recording is None:
        return fit(net, data, recipe, seed, device)
    folder = recording.checkpoints
    checkpoint = checkpoint_for(folder, net, data, recipe, seed, device)
    if film is not None and getattr(net, 'name', None) in NETWORKS:
        checkpoint = film.filming(checkpoint, net, data, recipe)
    return fit(net, data, recipe, seed, device, checkpoint)


def new_history(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    profile: str,
    device: torch.device,
    runs: list[Run],
) -> History:
    """一份记录；``data`` 已按配方取好前若干张。"""
    devices = dict.fromkeys(one for run in runs for one in run.devices)
    return History(
        network=getattr(net, 'name', type(net).__name__),
        profile=profile,
        dataset=data.name,
        train_images=len(data.train),
        test_images=len(data.test),
        image_size=recipe.image_size,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        precision=resolve_precision(recipe, device),
        device='、'.join(devices) or describe_device(device),
        torch=torch.__version__,
        recipe=recipe.to_dict(),
        runs=runs,
    )
