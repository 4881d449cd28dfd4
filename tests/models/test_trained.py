"""随书附带的权重：每份都真的载入、在测试图像上跑过；坏的文件不用。

仓库里有几份就查几份；另当场训练两个很小的（一个有批量归一化，一个有低秩的层），所以一份也没有
的时候，这些测试也真的在检查。
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch

from deepcnn.data import load_dataset
from deepcnn.data.dataset import Dataset
from deepcnn.models import Network, load, shipped, weight_facts
from deepcnn.models.lineup import LINEUP
from deepcnn.records.runs import FULL, load_history
from deepcnn.records.store import RESULTS, WEIGHTS
from deepcnn.records.weight_facts import (
    KEY,
    SUMS,
    WeightFacts,
    weight_path,
    write_weights,
)
from deepcnn.training import predict, shipped_weights
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train

TINY = Recipe(32, 1, 2e-3, 50, train_images=200, test_images=100)
LIMIT = 30_000_000  # 六份合起来，字节
# 压缩许少多少准确率，0～1；AlexNet 的秩再大，六份就超过 LIMIT。
LOSS = {'alexnet': 0.002}
IN_BOOK = [('book', name) for name in shipped(WEIGHTS)]
MADE_HERE = [('tiny', 'vgg11'), ('tiny', 'densenet')]
PIXELS = 1_500_000  # 每份跑这么多像素的测试图像：96 像素的 162 张，224 像素的 29 张


@dataclass(frozen=True)
class Place:
    """一处权重、同一次写出的记录，与它的数据。"""

    weights: Path
    results: Path
    data: Dataset


@pytest.fixture(scope='module')
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    folder, data = tmp_path_factory.mktemp('tiny'), load_dataset()
    recording = Recording(folder / 'results', folder / 'runs', folder / 'weights')
    small = data.first(TINY.train_images, TINY.test_images)
    with pytest.MonkeyPatch.context() as patch:
        few = {'CALIBRATION': 60, 'HELD_OUT': 100, 'SHOWN': 60}
        for name, value in few.items():
            patch.setattr(shipped_weights, name, value)
        patch.setattr(shipped_weights, 'ENOUGH', 0)  # 只训练了四步，第一个秩就收下
        for _, name in MADE_HERE:
            build = partial(LINEUP[name].build, TINY.image_size)
            train(build, small, TINY, 'full', 'cpu', recording)
    yield {
        'book': Place(WEIGHTS, RESULTS, data),
        'tiny': Place(recording.weights, recording.results, small),
    }


@pytest.fixture
def tiny(places: dict[str, Place], tmp_path: Path) -> Path:
    """可以改坏的一份。"""
    folder = tmp_path / 'weights'
    folder.mkdir()
    for path in places['tiny'].weights.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


each_file = pytest.mark.parametrize(('place', 'name'), IN_BOOK + MADE_HERE)


@each_file
def test_the_file_is_the_one_that_was_written(
    places: dict[str, Place], place: str, name: str
) -> None:
    here = places[place]
    content = weight_path(here.weights, name).read_bytes()
    lines = (here.weights / SUMS).read_text('utf-8').splitlines()
    assert f'{hashlib.sha256(content).hexdigest()}  {name}.safetensors' in lines
    facts, record = (
        weight_facts(name, here.weights),
        load_history(name, here.results / FULL),
    )
    source, run = facts.source, record.runs[0]
    assert facts.network == name and source['profile'] == 'full'
    for field in ('recipe', 'commit', 'versions', 'device'):
        assert source[field] == getattr(record, field), field
    assert (source['seed'], facts.recorded_accuracy) == (
        run.seed,
        run.test_accuracy[-1],
    )


@each_file
def test_it_predicts_what_its_facts_say(
    places: dict[str, Place], place: str, name: str
) -> None:
    """在前若干张测试图像上真的跑一遍；不同的 CPU 舍入不同，许差一张。"""
    here = places[place]
    facts, net = weight_facts(name, here.weights), load(name, here.weights)
    count = min(PIXELS // facts.image_size**2, len(facts.first_after))
    assert count > 20
    recipe = Recipe(**facts.source['recipe'] | {'precision': 'fp32'})
    data = replace(here.data, test=here.data.test.first(count))
    found = predict(net, data, recipe)
    assert (found == torch.tensor(facts.first_after[:count])).sum() >= count - 1


def flaws(facts: WeightFacts) -> list[str]:
    """压缩得不够好的地方；准确率按 0～1 计，.001 是 0.1 个百分点。

    秩照训练图像挑，测试图像上的预测更常在两类之间，变的略多一点。
    """
    checks = {
        'accuracy': abs(facts.accuracy_after - facts.accuracy_before)
        <= LOSS.get(facts.network, 0.001),
        'recorded': abs(facts.accuracy_before - facts.recorded_accuracy) <= 0.003,
        'kept on training': facts.kept_on_training >= 0.995,
        'kept on test': facts.kept_on_test >= 0.99,
    }
    return [name for name, passed in checks.items() if not passed]


def test_compression_costs_almost_nothing(places: dict[str, Place]) -> None:
    """先看这个检查真的查得出。"""
    facts = weight_facts('vgg11', places['tiny'].weights)
    perfect = replace(
        facts, recorded_accuracy=0.94, accuracy_before=0.94, accuracy_after=0.94,
        kept_on_training=1.0, kept_on_test=1.0,
    )  # fmt: skip
    assert flaws(perfect) == []
    assert flaws(replace(perfect, accuracy_after=0.9385)) == ['accuracy']
    assert flaws(replace(perfect, recorded_accuracy=0.93)) == ['recorded']
    worse = replace(perfect, kept_on_training=0.9949, kept_on_test=0.9899)
    assert flaws(worse) == ['kept on training', 'kept on test']
    found = {name: flaws(weight_facts(name, WEIGHTS)) for _, name in IN_BOOK}
    assert not any(found.values()), found


def test_the_files_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in WEIGHTS.iterdir()}
    assert sum(sizes.values()) <= LIMIT
    stray = set(sizes) - {f'{name}.safetensors' for name in LINEUP}
    assert stray <= {SUMS, 'README.md'}


@pytest.mark.parametrize('name', [name for _, name in MADE_HERE])
def test_a_loaded_network_is_the_chapters_own(
    places: dict[str, Place], name: str
) -> None:
    """结构与章里训练的相同，低秩的层也是原来的 nn.Linear；可以求梯度，可以接着训练。"""
    torch.manual_seed(5)
    random = torch.get_rng_state()
    net = load(name, places['tiny'].weights)
    assert torch.equal(torch.get_rng_state(), random)
    with torch.device('meta'):
        ours = LINEUP[name].build(TINY.image_size)
    assert isinstance(net, Network) and str(net) == str(ours.eval())
    assert (net.name, net.image_size) == (ours.name, ours.image_size)
    for (one, value), (other, like) in zip(
        net.named_parameters(), ours.named_parameters(), strict=True
    ):
        assert (one, value.shape, value.dtype) == (other, like.shape, torch.float32)
        assert value.requires_grad and value.is_leaf and value.device.type == 'cpu'
    assert all(one.device.type == 'cpu' for one in net.buffers())
    assert not any(module.training for module in net.modules())
    X = torch.randn(2, 1, 32, 32, requires_grad=True)
    net(X).sum().backward()
    assert X.grad.abs().sum() > 0 and net.head[-1].weight.grad is not None


def test_low_rank_layers_are_the_large_ones(places: dict[str, Place]) -> None:
    facts = weight_facts('vgg11', places['tiny'].weights)
    assert facts.low_rank == ('head.4',)  # 128 → 4096 的那一层不够大
    assert facts.rank == 16 and list(facts.ranks_tried) == [16]
    assert weight_path(places['tiny'].weights, 'vgg11').stat().st_size < 2_000_000


def spoiled(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {
        'truncated': content[:-1],
        'empty': b'',
        'one bit': content[:middle]
        + bytes([content[middle] ^ 1])
        + content[middle + 1 :],
        'longer': content + b'\0',
    }[how]


@pytest.mark.parametrize('read', [load, weight_facts])
@pytest.mark.parametrize('how', ['truncated', 'empty', 'one bit', 'longer'])
def test_a_spoiled_file_is_not_used(tiny: Path, how: str, read: object) -> None:
    path = weight_path(tiny, 'densenet')
    path.write_bytes(spoiled(path.read_bytes(), how))
    with pytest.raises(
        ValueError, match='残缺或被改动过.*git checkout -- weights'
    ) as e:
        read('densenet', tiny)
    assert '\n' not in str(e.value)


def test_a_file_without_its_digest_is_not_used(tiny: Path) -> None:
    (tiny / SUMS).unlink()
    with pytest.raises(ValueError, match='SHA-256 不符'):
        load('vgg11', tiny)


def test_unknown_and_missing_networks_are_named(tiny: Path) -> None:
    with pytest.raises(ValueError, match="没有叫 'vgg' 的网络：请从 alexnet、vgg11"):
        load('vgg', tiny)
    with pytest.raises(
        ValueError, match='没有 nin 的权重（现有：vgg11、densenet）.*full'
    ):
        load('nin', tiny)
    with pytest.raises(ValueError, match='（空）'):
        weight_facts('nin', tiny / 'nowhere')
    path = weight_path(tiny, 'nin')
    path.mkdir()
    with pytest.raises(ValueError, match='读不了 .*nin.safetensors'):
        load('nin', tiny)
    assert shipped(tiny) == ('vgg11', 'densenet')


def test_weights_of_another_structure_are_refused(tiny: Path) -> None:
    """文件完好，可是章里的网络改过了。"""
    content = weight_path(tiny, 'densenet').read_bytes()
    tensors = safetensors.torch.load(content)
    tensors['stem.9.weight'] = tensors.pop('stem.0.1.weight')
    facts = weight_facts('densenet', tiny).to_json()
    write_weights('densenet', safetensors.torch.save(tensors, {KEY: facts}), tiny)
    with pytest.raises(ValueError, match='densenet 的权重与现在的代码对不上'):
        load('densenet', tiny)


def test_facts_are_plain_metadata_of_the_format(tiny: Path) -> None:
    with safetensors.safe_open(weight_path(tiny, 'vgg11'), 'pt') as file:
        text = file.metadata()[KEY]
    assert WeightFacts.from_json(text) == weight_facts('vgg11', tiny)
