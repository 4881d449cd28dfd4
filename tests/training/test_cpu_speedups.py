"""CPU 上的两处加速：结果与 PyTorch 的相同，只在该用的地方用，用完恢复。"""

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_data import load_digits_dataset
from torch import Tensor, nn

from deepcnn.models.densenet import densenet
from deepcnn.models.resnet import resnet18
from deepcnn.training import Recipe, cpu_speedups, loop, train
from deepcnn.training.cpu_speedups import (
    faster_small_maps,
    is_worth_it,
    keep_freed_memory,
    used_on,
)

CPU, GPU = torch.device('cpu'), torch.device('cuda')
ROOT = Path(__file__).parents[2]
LARGE = 2**30  # 字节；大过堆里可能空着的任何一片，平时总是 mmap。不写它，就不占物理内存


# ---- 很小的图 -----------------------------------------------------------------


@pytest.fixture(autouse=True)
def measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """不管这台机器是什么 CPU，都当作量过的。"""
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX2')


def gradients(net: nn.Module, X: Tensor) -> list[Tensor]:
    X = X.detach().requires_grad_()
    net.zero_grad(set_to_none=True)
    net(X).square().sum().backward()
    return [X.grad, *[p.grad for p in net.parameters()]]


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('stride', [1, 2, (1, 2)])
@pytest.mark.parametrize(
    ('kernel', 'padding', 'height', 'width', 'worth_it'),
    [
        (3, 1, 1, 1, True),
        (3, 1, 2, 2, True),
        (3, 1, 1, 2, True),
        (3, 1, 2, 1, True),
        (5, 2, 1, 1, True),
        (5, 2, 2, 2, True),
        ((3, 5), (1, 2), 2, 1, True),
        ((5, 3), (2, 1), 1, 2, True),
        ((1, 3), (0, 1), 1, 2, True),
        (3, 0, 3, 3, True),  # 没有填充：图与核一样大，只有一个输出位置
        ((3, 5), (0, 2), 3, 2, True),
        (3, 1, 1, 3, False),  # 有一边恰好大一格
        (3, 1, 3, 1, False),
        (3, 1, 2, 5, False),
        (3, 1, 4, 1, False),
        (3, 1, 3, 3, False),
        (3, 2, 2, 2, False),  # 填充太多：角上的输出看不见整张图
    ],
)
def test_gradients_are_those_of_pytorch(
    kernel: int | tuple[int, int],
    padding: int | tuple[int, int],
    height: int,
    width: int,
    worth_it: bool,
    stride: int | tuple[int, int],
    bias: bool,
    small_map_shapes: list,
) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 8, kernel, stride, padding, bias=bias).double()
    X = torch.randn(128, 3, height, width, dtype=torch.float64)
    expected = net(X)
    expected_gradients = gradients(net, X)
    assert not small_map_shapes
    with faster_small_maps(net):
        found = net(X)
        found_gradients = gradients(net, X)
    assert small_map_shapes == [(128, 3, height, width)] * 2 * worth_it
    torch.testing.assert_close(found, expected)
    for a, b in zip(found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(a, b)


class Louder(nn.Conv2d):
    """做的是另一件事的子类。"""

    def forward(self, X: Tensor) -> Tensor:
        return 2 * super().forward(X)


@pytest.mark.parametrize(
    'build',
    [
        lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2),
        lambda: nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2),
        lambda: nn.Conv2d(4, 4, 3, padding='same'),
        lambda: nn.Conv2d(4, 4, 3, padding=1, padding_mode='replicate'),
        lambda: nn.Conv2d(4, 4, 1),
        lambda: Louder(4, 4, 3, padding=1),
    ],
    ids=['分组', '膨胀', 'same', '复制填充', '1×1', '子类'],
)
def test_other_convolutions_are_left_alone(
    build: Callable[[], nn.Module], small_map_shapes: list
) -> None:
    net = build()
    with faster_small_maps(net):
        gradients(net, torch.randn(128, 4, 1, 1))
    assert not small_map_shapes


def test_large_maps_and_evaluation_are_left_alone(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        gradients(net, torch.randn(128, 4, 3, 3))
        with torch.inference_mode():
            net(torch.randn(128, 4, 2, 2))
    assert not small_map_shapes


def test_one_image_without_a_batch_is_left_alone(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        assert net(input=torch.randn(4, 2, 2)).shape == (4, 2, 2)
    assert not small_map_shapes


def test_network_is_as_before_afterwards() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1)
    with pytest.raises(KeyError), faster_small_maps(nn.Sequential(layer, layer)):
        assert 'forward' in vars(layer)
        raise KeyError
    assert 'forward' not in vars(layer)


def test_a_second_time_inside_changes_nothing(small_map_shapes: list) -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        with faster_small_maps(net):
            pass
        gradients(net, torch.randn(128, 4, 2, 2))
    assert small_map_shapes == [(128, 4, 2, 2)]
    assert 'forward' not in vars(net)


@pytest.mark.parametrize('bias', [True, False])
def test_gradients_with_autocast_are_those_of_pytorch(
    bias: bool, small_map_shapes: list
) -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 8, 3, padding=1, bias=bias)
    X = torch.randn(128, 3, 2, 2)

    def found() -> list[Tensor]:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return gradients(net, X)

    expected = found()
    assert not small_map_shapes
    with faster_small_maps(net):
        ours = found()
    assert small_map_shapes == [(128, 3, 2, 2)]
    for a, b in zip(ours, expected, strict=True):
        assert a.dtype == b.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02 * b.abs().max().item())


def test_the_joined_weights_have_the_precision_of_the_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """拼的时候就是低精度的，不先拼出一份大一倍的。"""
    used = []

    def spy(X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        used.append(weight.dtype)
        return nn.functional.linear(X, weight, bias)

    monkeypatch.setattr(cpu_speedups, 'F', SimpleNamespace(linear=spy))
    net, X = nn.Conv2d(3, 8, 3, padding=1), torch.randn(128, 3, 2, 2)
    with faster_small_maps(net):
        net(X)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            net(X)
    assert used == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize(
    ('capability', 'measured'), [('AVX2', True), ('AVX512', True), ('DEFAULT', False)]
)
def test_only_where_it_was_measured(
    monkeypatch: pytest.MonkeyPatch, capability: str, measured: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: capability)
    assert used_on(CPU)['small'] is measured
    assert not used_on(GPU)['small']
    net = nn.Conv2d(4, 4, 3)
    with faster_small_maps(net):
        assert ('forward' in vars(net)) is measured


def test_training_uses_it_and_learns_the_same(
    small_map_shapes: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(16, 10),
        )  # fmt: skip

    recipe = Recipe(8, 2, 1e-2, 16, train_images=64, test_images=20, precision='fp32')
    data = load_digits_dataset()
    faster = train(build, data, recipe, device='cpu')[1].runs[0]
    assert small_map_shapes == [(16, 1, 1, 1)] * 8  # 2 轮，每轮 4 步
    monkeypatch.setattr(cpu_speedups, 'is_worth_it', lambda layer, X: False)
    usual = train(build, data, recipe, device='cpu')[1].runs[0]
    assert len(small_map_shapes) == 8
    assert faster.train_loss == pytest.approx(usual.train_loss, rel=1e-5)


def test_resnet_at_48_pixels_has_three_such_layers(small_map_shapes: list) -> None:
    net = resnet18()
    with faster_small_maps(net):
        net(torch.zeros(128, 1, 48, 48)).sum().backward()
    assert small_map_shapes == [(128, 512, 2, 2)] * 3


def test_densenet_at_48_pixels_has_four_such_layers(small_map_shapes: list) -> None:
    net = densenet()
    with faster_small_maps(net):
        net(torch.zeros(8, 1, 48, 48)).sum().backward()
    assert [shape[2:] for shape in small_map_shapes] == [(1, 1)] * 4


@pytest.mark.parametrize(('size', 'fewest'), [(1, 8), (2, 128)])
def test_a_small_batch_is_not_worth_it(size: int, fewest: int) -> None:
    layer = nn.Conv2d(4, 4, 3, padding=1)
    assert is_worth_it(layer, torch.zeros(fewest, 4, size, size))
    assert not is_worth_it(layer, torch.zeros(fewest - 1, 4, size, size))
    assert not is_worth_it(layer, torch.zeros(fewest, 4, size, size, device='meta'))


def test_many_positions_are_not_worth_it() -> None:
    layer = nn.Conv2d(4, 4, 5, padding=2)
    assert not is_worth_it(layer, torch.zeros(1000, 4, 3, 3))


def test_weights_that_meet_only_padding_get_no_gradient() -> None:
    net = nn.Conv2d(4, 4, 3, padding=1)
    with faster_small_maps(net):
        net(torch.randn(16, 4, 1, 1)).sum().backward()
    zero = net.weight.grad == 0
    assert not zero[:, :, 1, 1].any()
    assert zero.sum() == 4 * 4 * 8


def test_a_map_too_small_for_its_kernel_fails_as_in_pytorch() -> None:
    net = nn.Conv2d(4, 4, 3)
    with pytest.raises(RuntimeError) as usual:
        net(torch.zeros(128, 4, 2, 2))
    with faster_small_maps(net), pytest.raises(RuntimeError) as found:
        net(torch.zeros(128, 4, 2, 2))
    assert str(found.value) == str(usual.value)


def test_compiler_sees_one_graph(small_map_shapes: list) -> None:
    torch._dynamo.reset()
    net = resnet18()
    with faster_small_maps(net):
        seen = torch._dynamo.explain(net)(torch.zeros(128, 1, 32, 32))
    assert (seen.graph_count, seen.graph_break_count) == (1, 0)
    assert not small_map_shapes
    torch._dynamo.reset()


def test_compiled_network_is_not_compiled_again_for_each_layer() -> None:
    torch._dynamo.reset()
    compiled = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable:
        compiled.append(graph)
        return graph.forward

    net = nn.Sequential(*[nn.Conv2d(4, 4, 3, padding=1) for _ in range(12)])
    stepping = torch.compile(net, backend=backend)
    X = torch.randn(128, 4, 2, 2)
    with faster_small_maps(net):
        for _ in range(3):
            stepping(X).sum().backward()
    assert len(compiled) == 1
    torch._dynamo.reset()


# ---- 留着用过的内存 -------------------------------------------------------------


class MallInfo(ctypes.Structure):
    """mallinfo2(3) 的返回值；hblks 是 mmap 来的块数。"""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            'arena', 'ordblks', 'smblks', 'hblks', 'hblkhd',
            'usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost',
        )
    ]  # fmt: skip


@pytest.fixture
def usual_settings_afterwards() -> Iterator[None]:
    if platform.libc_ver()[0] != 'glibc':
        pytest.skip('不是 glibc')
    assert used_on(CPU)['kept']
    yield
    with keep_freed_memory(CPU):
        pass


def mapped_blocks() -> int:
    glibc = ctypes.CDLL(None)
    if not hasattr(glibc, 'mallinfo2'):
        pytest.skip('glibc 早于 2.33，没有 mallinfo2')
    glibc.mallinfo2.restype = MallInfo
    return glibc.mallinfo2().hblks


def is_mapped() -> bool:
    """一个大张量是不是直接向内核要的。"""
    before = mapped_blocks()
    tensor = torch.empty(LARGE, dtype=torch.uint8)
    assert tensor.numel() == LARGE
    return mapped_blocks() > before


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_large_tensors_come_from_the_heap_only_inside() -> None:
    assert is_mapped()
    with keep_freed_memory(CPU):
        assert not is_mapped()
    assert is_mapped()


# 在新的进程里量占着的物理内存：这里的堆已经被别的测试用碎了。bytes 直接用 malloc，不像
# 张量那样另有零碎的小块夹在中间
IN_PROCESS = """
import resource, torch
from deepcnn.training.cpu_speedups import keep_freed_memory

MIB = 2**20
CPU = torch.device('cpu')

def resident():
    pages = open('/proc/self/statm').read().split()[1]
    return int(pages) * resource.getpagesize() / MIB

def given_back(count, mib):
    blocks = [b'x' * (mib * MIB) for _ in range(count)]
    before = resident()
    del blocks
    return before - resident()

with keep_freed_memory(CPU):
    pass
usual = [given_back(1, 24), given_back(1, 64), given_back(8, 24)]
before = resident()
with keep_freed_memory(CPU):
    inside = given_back(2, 96)
    kept = resident() - before
print(*usual, inside, kept, resident() - before)
"""


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_freed_memory_stays_inside_and_afterwards_is_as_usual() -> None:
    """在里面，释放的都留着，出来时都还。平时留一个中等的块，还大块，也还堆顶的一大片。"""
    done = subprocess.run(
        [sys.executable, '-c', IN_PROCESS], cwd=ROOT, capture_output=True,
        encoding='utf-8', env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    medium, large, several, inside, kept, left = map(float, done.stdout.split())
    assert medium < 2 and large > 62 and several > 4 * 24  # MiB
    assert inside < 2 and kept > 96
    assert left < 8


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_an_error_restores_the_usual_settings() -> None:
    with pytest.raises(KeyboardInterrupt), keep_freed_memory(CPU):
        raise KeyboardInterrupt
    assert is_mapped()


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_a_gpu_does_not_need_it() -> None:
    with keep_freed_memory(GPU):
        assert is_mapped()


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_speedups.platform, 'libc_ver', lambda: ('', ''))
    with keep_freed_memory(CPU):
        assert is_mapped()


@pytest.mark.usefixtures('usual_settings_afterwards')
def test_training_keeps_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = loop.train_epoch

    def spy(*args: object) -> None:
        seen.append(is_mapped())
        original(*args)

    monkeypatch.setattr(loop, 'train_epoch', spy)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    data = load_digits_dataset().first(32, 10)
    loop.fit(net, data, Recipe(8, 2, 1e-3, 16), 0, CPU)
    assert seen == [False, False]
    assert is_mapped()
