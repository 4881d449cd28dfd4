"""full 档训练完就写出权重：秩取最小够用的，数字如实，不扰动训练，读回断点时也写。"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.models import Network, shipped, weight_facts
from deepcnn.records.runs import FULL, History, load_history
from deepcnn.records.weight_facts import digests, weight_path
from deepcnn.training import loop, shipped_weights
from deepcnn.training.evaluation import predict
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train
from deepcnn.training.shipped_weights import Packed, measure
from deepcnn.training.weight_codec import decode, encode

RECIPE = Recipe(14, 2, 3e-3, 50, train_images=700, test_images=300, seeds=(3, 4))
RANKS = (1, 2, 4, 8, 16, 32, 64)


def toy(hidden: int = 1400, name: str = 'nin') -> Network:
    """名字借六个网络之一的；中间的全连接层有一百一十万个权重，大得要换成低秩的。"""
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
    head = nn.Sequential(
        nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(hidden, 10),
    )  # fmt: skip
    return Network(name, stem, nn.Identity(), head, 14)


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset()


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shipped_weights, 'CALIBRATION', 100)
    monkeypatch.setattr(shipped_weights, 'HELD_OUT', 200)
    monkeypatch.setattr(shipped_weights, 'SHOWN', 40)
    monkeypatch.setattr(shipped_weights, 'RANKS', RANKS)
    yield


def recording_in(folder: Path) -> Recording:
    return Recording(folder / 'results', folder / 'runs', folder / 'weights')


def stored_in(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load(weight_path(folder, 'nin').read_bytes())


def test_a_full_recording_writes_the_weights_of_its_first_seed(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recording_in(tmp_path)
    net, history = train(toy, digits, RECIPE, 'full', 'cpu', recording)
    assert shipped(recording.weights) == ('nin',)
    facts, stored = weight_facts('nin', recording.weights), stored_in(recording.weights)
    back = toy()
    back.load_state_dict(decode(stored))

    # 秩是第一个够用的
    assert facts.low_rank == ('head.1',)
    tried = list(facts.ranks_tried.items())
    assert [rank for rank, _ in tried] == list(RANKS[: len(tried)])
    assert all(kept < 0.9975 for _, kept in tried[:-1]) and len(tried) > 1
    assert tried[-1] == (facts.rank, facts.kept_on_training)
    assert stored['head.1.weight.left'].shape == (1400, facts.rank)

    # 数字都能用读回的网络另算一遍
    data, plain = digits.first(700, 300), replace(RECIPE, precision='fp32')
    before, after = predict(net, data, plain), predict(back, data, plain)
    labels = data.test.labels
    assert facts.accuracy_before == (before == labels).double().mean().item()
    assert facts.accuracy_after == (after == labels).double().mean().item()
    assert facts.kept_on_test == (before == after).double().mean().item()
    assert facts.first_before == tuple(before[:40].tolist())
    assert facts.first_after == tuple(after[:40].tolist())
    held_out = data.hold_out(200)
    kept = predict(net, held_out, plain) == predict(back, held_out, plain)
    assert facts.kept_on_training == kept.double().mean().item() >= 0.9975

    # 来历就是同一次写出的记录
    record = load_history('nin', recording.results / FULL)
    source = facts.source
    for name in ('profile', 'recipe', 'commit', 'torch', 'versions', 'image_size'):
        assert source[name] == getattr(record, name), name
    assert source['seed'] == 3 and 'runs' not in source
    assert facts.recorded_accuracy == record.runs[0].test_accuracy[-1]

    # 读回断点时重新写出，逐字节相同，一步也不训练
    written = {path.name: path.read_bytes() for path in recording.weights.iterdir()}
    for path in recording.weights.iterdir():
        path.unlink()
    monkeypatch.delattr(loop, 'train_epoch')
    train(toy, digits, RECIPE, 'full', 'cpu', recording)
    again = {path.name: path.read_bytes() for path in recording.weights.iterdir()}
    assert again == written and len(written) == 2


SHORT = replace(RECIPE, epochs=1, seeds=(0,))
# 一轮之后答案还摇摆不定，线程数不同就可能翻转：写得出权重的测试多训练几轮。
DECIDED = replace(SHORT, epochs=12)


@pytest.mark.parametrize(
    ('profile', 'name'), [('laptop', 'nin'), ('gpu', 'nin'), ('full', 'lenet')]
)
def test_only_the_full_profile_of_the_six_is_shipped(
    digits: Dataset, tmp_path: Path, profile: str, name: str
) -> None:
    recording = recording_in(tmp_path)
    recipe = replace(SHORT, train_images=50)
    train(lambda: toy(10, name), digits, recipe, profile, 'cpu', recording)
    assert list(recording.results.iterdir())
    assert not recording.weights.exists()


def test_writing_weights_disturbs_nothing(digits: Dataset, tmp_path: Path) -> None:
    """网络、随机数与方式都和不写权重时一样；没有大的层就只是 int8。"""
    plain, _ = train(lambda: toy(20), digits, DECIDED, 'laptop', 'cpu')
    random, modes = torch.get_rng_state(), [one.training for one in plain.modules()]
    recording = recording_in(tmp_path)
    net, history = train(lambda: toy(20), digits, DECIDED, 'full', 'cpu', recording)
    assert torch.equal(torch.get_rng_state(), random)
    assert [one.training for one in net.modules()] == modes
    for (name, one), other in zip(
        net.state_dict().items(), plain.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert all(one.requires_grad and one.is_leaf for one in net.parameters())
    facts = weight_facts('nin', recording.weights)
    assert facts.rank is None and facts.low_rank == () and facts.ranks_tried == {}
    assert stored_in(recording.weights)['head.1.weight'].dtype == torch.int8
    facts_say_which_is_which(net, digits.first(700, 300), history)


def facts_say_which_is_which(net: nn.Module, data: Dataset, history: History) -> None:
    """压缩成了毫不相干的权重：两个网络的预测差得很远，混淆不了。"""
    other = toy(20)
    packed = Packed(encode(other), (), {None: 1.0})
    plain = replace(SHORT, precision='fp32')
    facts = measure(net, packed, data, plain, history)
    assert facts.first_before == tuple(predict(net, data, plain)[:40].tolist())
    assert facts.first_before != facts.first_after
    assert facts.accuracy_before > facts.accuracy_after + 0.1


def test_weights_that_lose_too_much_are_not_written(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """记录先写好了；什么也不留在 weights/ 里。"""
    monkeypatch.setattr(shipped_weights, 'RANKS', (1,))
    recording = recording_in(tmp_path)
    with pytest.raises(ValueError, match='nin 压缩之后只有 .*% 的预测不变.*RANKS'):
        train(toy, digits, SHORT, 'full', 'cpu', recording)
    assert load_history('nin', recording.results / FULL).epochs == 1
    assert not recording.weights.exists()


def test_another_networks_digest_is_kept(digits: Dataset, tmp_path: Path) -> None:
    recording = recording_in(tmp_path)
    for name in ('vgg11', 'alexnet', 'vgg11'):
        build = partial(toy, 20, name)
        train(build, digits, DECIDED, 'full', 'cpu', recording)
    files = ['alexnet.safetensors', 'vgg11.safetensors']
    assert list(digests(recording.weights)) == files
    assert shipped(recording.weights) == ('alexnet', 'vgg11')
