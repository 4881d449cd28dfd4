"""与 d2l 的对照是公平的：权重、小批量都相同，d2l 的代码没有改动，也没有留下痕迹。"""

import ast
import re
import sys
from copy import deepcopy
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from torch import Tensor, nn

from deepcnn import d2l_bridge
from deepcnn.anatomy.layers import count_parameters
from deepcnn.d2l_bridge import ReplayedBatches, d2l_residual, train_like_d2l
from deepcnn.data.batches import test_batches as batches_for_testing
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.models.resnet import ResidualBlock
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device('cpu')
RECIPE = Recipe(
    8, 3, 0.1, batch_size=32, optimizer='sgd', schedule='constant',
    weight_decay=0, momentum=0, clip=None, flip=True, shift=1, precision='fp32',
    channels_last=False,
)  # fmt: skip


def random_images(count: int, generator: torch.Generator) -> ImageSet:
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=generator)
    labels = (images[:, 0, :, :4].float().mean((1, 2)) / 25.6).long()  # 学得会的标签
    return ImageSet(images.to(torch.uint8), labels)


@pytest.fixture
def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    train = random_images(256, generator)
    test = random_images(64, generator)
    names = tuple('0123456789')
    return Dataset('随机图像', train, test, names, (0.5,), (0.29,))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10)
    )


def replayed(data: Dataset, seed: int = 0) -> ReplayedBatches:
    return ReplayedBatches(data, RECIPE, seed)


def batches_of_the_test_set(data: Dataset) -> list[tuple[Tensor, Tensor]]:
    return list(batches_for_testing(data, RECIPE.image_size))


def run_d2l(
    net: nn.Module, data: Dataset, lr: float = 0.1, seed: int = 0
) -> list[d2l_bridge.EpochRecord]:
    return train_like_d2l(
        net, replayed(data, seed), batches_of_the_test_set(data), 3, lr, CPU
    )


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_present_weights_are_the_start(net: nn.Module, data: Dataset) -> None:
    before = deepcopy(net)
    run_d2l(net, data, lr=0.0)
    assert same_weights(net, before)


def test_training_does_change_the_weights(net: nn.Module, data: Dataset) -> None:
    before = deepcopy(net)
    run_d2l(net, data)
    assert not same_weights(net, before)


def test_apply_works_again_afterwards(net: nn.Module, data: Dataset) -> None:
    run_d2l(net, data, lr=0.0)
    visited = []
    net.apply(visited.append)
    assert len(visited) == len(list(net.modules()))


def test_both_loops_give_the_same_numbers(net: nn.Module, data: Dataset) -> None:
    ours, theirs = deepcopy(net), net
    run = fit(ours, data, RECIPE, seed=0, device=CPU)
    records = run_d2l(theirs, data)
    assert [r.train_loss for r in records] == pytest.approx(run.train_loss, rel=1e-4)
    assert [r.train_accuracy for r in records] == pytest.approx(run.train_accuracy)
    assert [r.test_accuracy for r in records] == pytest.approx(run.test_accuracy)


def test_another_order_gives_other_numbers(net: nn.Module, data: Dataset) -> None:
    """否则上一个测试说明不了什么。"""
    other = deepcopy(net)
    records, others = run_d2l(net, data), run_d2l(other, data, seed=1)
    assert records[0].train_loss != pytest.approx(others[0].train_loss, rel=1e-4)


def test_every_epoch_replays_its_own_order(data: Dataset) -> None:
    batches = replayed(data)
    first, second = (next(iter(batches))[1] for _ in range(2))
    assert len(batches) == 8
    assert not torch.equal(first, second)
    assert torch.equal(first, next(iter(replayed(data)))[1])


@pytest.mark.parametrize('count', [0, 1, 4])
def test_too_few_batches_are_refused(count: int, net: nn.Module, data: Dataset) -> None:
    batches = list(replayed(data))[:count]
    with pytest.raises(ValueError, match=f'至少要 5 个小批量，现在只有 {count} 个'):
        train_like_d2l(net, batches, batches_of_the_test_set(data), 1, 0.1, CPU)


def test_five_batches_are_enough(net: nn.Module, data: Dataset) -> None:
    batches = list(replayed(data))[:5]
    assert (
        len(train_like_d2l(net, batches, batches_of_the_test_set(data), 1, 0.1, CPU))
        == 1
    )


def test_no_epochs_are_refused(net: nn.Module, data: Dataset) -> None:
    with pytest.raises(ValueError, match='epochs 至少为 1'):
        train_like_d2l(net, replayed(data), batches_of_the_test_set(data), 0, 0.1, CPU)


def test_nothing_of_d2l_is_left_changed(
    net: nn.Module, data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    d2l = d2l_bridge.load_d2l()
    animator, style = d2l.Animator, dict(plt.rcParams)
    run_d2l(net, data)
    assert d2l.Animator is animator
    assert dict(plt.rcParams) == style
    assert not plt.get_fignums()
    assert capsys.readouterr() == ('', '')


def test_everything_is_restored_after_an_error(data: Dataset) -> None:
    d2l = d2l_bridge.load_d2l()
    animator, broken = d2l.Animator, nn.Sequential(nn.Flatten(), nn.Linear(7, 10))
    with pytest.raises(RuntimeError):
        run_d2l(broken, data)
    assert d2l.Animator is animator
    assert 'apply' not in vars(broken)


def test_missing_d2l_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'd2l', None)
    with pytest.raises(ImportError, match='pip install --no-deps d2l==1.0.3'):
        d2l_residual(64)


@pytest.mark.parametrize(
    ('channels', 'projection', 'stride', 'd2l_count', 'our_count'),
    [(64, False, 1, 74_112, 73_984), (128, True, 2, 230_272, 230_144)],
)
def test_residual_blocks_differ_in_biases_and_normalization(
    channels: int, projection: bool, stride: int, d2l_count: int, our_count: int
) -> None:
    X = torch.zeros(2, 64, 8, 8)
    theirs = d2l_residual(channels, projection, stride)
    ours = ResidualBlock(64, channels, stride)
    assert theirs(X).shape == ours(X).shape == (2, channels, 8 // stride, 8 // stride)
    assert count_parameters(theirs) == d2l_count
    assert count_parameters(ours) == our_count


# ---- 只有 d2l_bridge 导入 d2l -------------------------------------------------


def imported_packages(source: str) -> set[str]:
    """源代码里导入的顶层包名；行首的笔记本魔法命令不算 Python，先去掉。"""
    found = set()
    for node in ast.walk(ast.parse(re.sub(r'(?m)^\s*[%!].*$', '', source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split('.')[0])
    return found


def code_of(path: Path) -> str:
    if path.suffix == '.py':
        return path.read_text(encoding='utf-8')
    cells = nbformat.read(path, as_version=4).cells
    return '\n'.join(cell.source for cell in cells if cell.cell_type == 'code')


def test_only_the_bridge_imports_d2l() -> None:
    paths = [*ROOT.glob('deepcnn/**/*.py'), *ROOT.glob('tools/**/*.py')]
    paths += ROOT.glob('chapters/**/*.ipynb')
    importing = {
        path.name for path in paths if 'd2l' in imported_packages(code_of(path))
    }
    assert importing == {'d2l_bridge.py'}
