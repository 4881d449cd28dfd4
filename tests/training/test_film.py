"""训练的影片：拍不拍，训练逐位相同；中断之后接着拍；存下的与当时的权重相差不到半个比例。"""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_data import load_digits_dataset

from deepcnn.data.batches import prepare
from deepcnn.models import create
from deepcnn.training import shipped_weights
from deepcnn.training.film import FilmedCheckpoint, take
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train

RECIPE = Recipe(
    32, 2, 1e-3, 32, train_images=64, test_images=32, flip=False, precision='fp32'
)
CPU = torch.device('cpu')


def recording_in(folder: Path) -> Recording:
    return Recording(folder / 'results', folder / 'runs', folder / 'weights')


def test_a_filmed_training_is_the_same_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped_weights, 'HELD_OUT', 40)
    digits = load_digits_dataset()
    build = lambda: create('densenet')  # noqa: E731
    torch.manual_seed(0)
    plain = build()
    fit(plain, digits.first(64, 32), RECIPE, 0, CPU)

    one = recording_in(tmp_path / 'one')
    net, _ = train(build, digits, RECIPE, 'full', 'cpu', one)
    assert all(map(torch.equal, plain.state_dict().values(), net.state_dict().values()))

    # 走完一轮就死掉，再来一次：影片与没有中断过的逐字节相同
    cut = recording_in(tmp_path / 'cut')
    save = FilmedCheckpoint.save

    def die(self: FilmedCheckpoint, state: dict) -> None:
        save(self, state)
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(FilmedCheckpoint, 'save', die)
        train(build, digits, RECIPE, 'full', 'cpu', cut)
    train(build, digits, RECIPE, 'full', 'cpu', cut)
    films = [one.results / 'replay/densenet.safetensors' for one in (one, cut)]
    assert films[0].read_bytes() == films[1].read_bytes()

    found = safetensors.torch.load(films[0].read_bytes())
    assert found['kernels'].shape == (3, 64, 1, 7, 7)  # 训练之前，与两轮
    last = found['kernels'][-1].float() * found['kernels.scale'][-1]
    weight = net.stem[0][0].weight.detach().half().float()
    assert (last - weight).abs().max() <= 0.51 * found['kernels.scale'][-1]
    X = prepare(digits.test.images[:1], 32, digits)
    with torch.no_grad():
        expected = net.eval()(X).softmax(1)[0]
    assert torch.allclose(found['probabilities'][-1].float(), expected, atol=1e-3)


def test_a_place_is_kept_once_for_each_size() -> None:
    torch.manual_seed(0)
    net = create('densenet')
    frame = take(net, torch.randn(1, 1, 96, 96))
    assert net.training  # 与拍之前一样
    sides = {k: v.shape[-1] for k, v in frame.items() if k.startswith('maps.')}
    assert sorted(sides.values()) == [3, 6, 12, 24]
    assert 'maps.stages.0' in sides  # 24 像素的有入口与块 1，留后一个


def test_only_the_full_profile_is_filmed(tmp_path: Path) -> None:
    digits = load_digits_dataset()
    recipe = replace(RECIPE, epochs=1)
    recording = recording_in(tmp_path)
    train(lambda: create('densenet'), digits, recipe, 'quick', 'cpu', recording)
    assert not (recording.results / 'replay').exists()
