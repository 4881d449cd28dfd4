"""基准测试是公平的：同一份起始权重、同样的像素、同样的算法；d2l 的代码没有改动。"""

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path

import bench
import contenders
import pytest
import torch
import torch.nn.functional as F
from contenders import Contest, Rung, ladder, new_row, run_epochs
from roofline import OpCost, Peaks
from torch import nn

from deepcnn import d2l_bridge
from deepcnn.data import Dataset, load_dataset, prepare, test_batches
from deepcnn.models.alexnet import alexnet
from deepcnn.models.resnet import resnet18
from deepcnn.records.store import RESULTS
from deepcnn.training import TrainingDiverged, cpu_speedups, loop
from deepcnn.training.hardware import autocast, to_layout

test_batches.__test__ = False  # 名字像测试，其实是被测的函数

CPU = torch.device('cpu')
SIZE = 40


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_dataset().first(64, 24)


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(324, 10)
    )


@pytest.fixture
def contest(data: Dataset) -> Contest:
    return Contest(small_net, data, SIZE, 8, 2, 3, CPU)


def test_loader_of_d2l_and_ours_agree_to_one_grey_level(
    data: Dataset
) -> None:
    loaders = d2l_bridge.d2l_loaders(8, SIZE, 64, 24)
    parts = (data.train, data.test)
    for loader, part in zip(loaders, parts, strict=True):
        theirs = torch.stack([loader.dataset[i][0] for i in range(len(part))])
        ours = prepare(part.images, SIZE, data) * data.std[0] + data.mean[0]
        assert len(loader.dataset) == len(part)
        assert (theirs - ours).abs().max() <= 1 / 255 + 1e-6
        labels = torch.tensor([loader.dataset[i][1] for i in range(len(part))])
        assert torch.equal(labels, part.labels)


def test_loading_leaves_the_working_folder_alone() -> None:
    before = Path.cwd()
    d2l_bridge.d2l_loaders(8, SIZE)
    assert Path.cwd() == before


def test_every_row_starts_from_the_same_weights(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """记下每行最后一次（计时的那一次）开始训练时的权重。"""
    starts: list[list[torch.Tensor]] = []

    def spy(original: Callable, net_of: Callable) -> Callable:
        def record(*args: object, **settings: object) -> object:
            starts[-1] = [p.detach().clone() for p in net_of(args).parameters()]
            return original(*args, **settings)

        return record

    d2l, ours = contenders.train_like_d2l, contenders.run_epochs
    monkeypatch.setattr(contenders, 'train_like_d2l', spy(d2l, lambda args: args[0]))
    monkeypatch.setattr(contenders, 'run_epochs', spy(ours, lambda args: args[0]))
    rungs = ladder(contest, workers=1)
    for rung in rungs:
        starts.append([])
        measured = rung.measure(new_row(rung, contest))
        assert len(measured.epoch_seconds) == contest.epochs
        assert len(measured.step_seconds) == contest.epochs
        assert len(measured.evaluation_seconds) == contest.epochs
        assert measured.images == 64
    assert len(starts) == len(rungs) >= 7
    for start in starts[1:]:
        for ours, theirs in zip(start, starts[0], strict=True):
            assert torch.equal(ours, theirs)


def test_start_is_the_initialization_of_train_ch6(contest: Contest) -> None:
    weight = contest.fresh()[3].weight
    limit = (6 / (324 + 10)) ** 0.5  # Xavier 均匀分布的边界
    assert 0.9 * limit < weight.abs().max() <= limit


def test_both_loops_do_the_same_arithmetic(contest: Contest, data: Dataset) -> None:
    recipe = contest.recipe()
    net = contest.fresh()
    run = run_epochs(net, net, data, recipe, fused=False)
    batches = d2l_bridge.ReplayedBatches(data, recipe, contenders.SEED)
    tests = list(test_batches(data, SIZE))
    records = d2l_bridge.train_like_d2l(
        contest.fresh(), batches, tests, recipe.epochs, recipe.lr, CPU
    )
    assert [r.train_loss for r in records] == pytest.approx(run.train_loss, rel=1e-5)
    assert [r.test_accuracy for r in records] == pytest.approx(run.test_accuracy)


def test_benchmark_runs_the_loop_of_the_book(
    contest: Contest, data: Dataset, small_map_shapes: list[tuple[int, ...]]
) -> None:
    contest = replace(contest, build=with_small_maps, batch_size=16)
    recipe = contest.recipe()
    ours = contest.fresh()
    timed = run_epochs(ours, ours, data, recipe, fused=True, small=True)
    usual = loop.fit(contest.fresh(), data, recipe, contenders.SEED, CPU)
    assert timed.train_loss == usual.train_loss
    assert timed.test_accuracy == usual.test_accuracy
    assert small_map_shapes == [(16, 1, 1, 1)] * 2 * 2 * 4  # 两次，各 2 轮，每轮 4 步


def with_small_maps() -> nn.Module:
    """在 1×1 的图上做 3×3 卷积。"""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(),
        nn.Linear(4, 10),
    )  # fmt: skip


def settings_of(rung: Rung, contest: Contest, spy: list[dict]) -> dict:
    """本书的循环这一行真正用的设置：配方、融合、编译。"""
    spy.clear()
    rung.measure(new_row(rung, contest))
    [given] = spy
    assert given['recipe'] == rung.recipe
    switches = {name: given[name] for name in ('fused', 'compiled', 'small', 'kept')}
    return rung.recipe.to_dict() | switches


@pytest.mark.parametrize('bf16', [True, False])
@pytest.mark.parametrize('device', ['cuda', 'cpu'])
def test_each_row_changes_one_thing(
    contest: Contest, monkeypatch: pytest.MonkeyPatch, device: str, bf16: bool
) -> None:
    """不测量，只看每一行交给循环的设置；GPU 的梯子在 CPU 上也排得出来。"""
    used: list[dict] = []
    call = signature(contenders.measure_engine)

    def remember(*args: object, **switches: bool) -> None:
        bound = call.bind(*args, **switches)
        bound.apply_defaults()
        used.append(bound.arguments)

    monkeypatch.setattr(contenders, 'measure_engine', remember)
    monkeypatch.setattr(contenders, 'has_fast_bf16', lambda device: bf16)
    monkeypatch.setattr(cpu_speedups.platform, 'libc_ver', lambda: ('glibc', '2.39'))
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX2')
    rungs = ladder(replace(contest, device=torch.device(device)), workers=1)
    assert rungs[0].name == 'd2l' and rungs[-1].name == 'd2l-again'
    for rung in rungs:
        assert rung.recipe.flip is False and rung.recipe.shift == 0
        assert rung.recipe.optimizer == 'sgd' and rung.recipe.clip is None
    ours = [rung for rung in rungs if not rung.name.startswith('d2l')][1:]
    settings = [settings_of(rung, contest, used) for rung in ours]
    changed = {
        rung.name: [key for key in now if now[key] != before[key]]
        for rung, before, now in zip(ours[1:], settings, settings[1:], strict=False)
    }
    expected = {
        'layout': ['channels_last'], 'bf16': ['precision'],
        'small': ['small'], 'heap': ['kept'], 'fused': ['fused'],
        'batch': ['batch_size'], 'compile': ['compiled'],
    }  # fmt: skip
    if not bf16:
        del expected['bf16']
    if device == 'cpu':
        del expected['batch'], expected['compile']
    else:  # 那里 fit 也用不上它们
        del expected['heap'], expected['small']
    assert changed == expected
    assert {key for key in settings[0] if settings[0][key] != settings[-1][key]} == {
        key for keys in expected.values() for key in keys
    }


@pytest.mark.parametrize(
    ('device', 'libc', 'capability', 'expected'),
    [
        ('cpu', 'glibc', 'AVX512', (True, True)),
        ('cpu', '', 'AVX2', (True, False)),
        ('cpu', 'glibc', 'DEFAULT', (False, True)),
        ('cuda', 'glibc', 'AVX512', (False, False)),
    ],
)
def test_ladder_has_a_row_for_each_speedup_of_fit(
    contest: Contest,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    libc: str,
    capability: str,
    expected: tuple[bool, bool],
) -> None:
    monkeypatch.setattr(cpu_speedups.platform, 'libc_ver', lambda: (libc, ''))
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: capability)
    on = torch.device(device)
    names = [rung.name for rung in ladder(replace(contest, device=on), workers=1)]
    used = cpu_speedups.used_on(on)
    assert (used['small'], used['kept']) == expected
    assert ('small' in names, 'heap' in names) == expected


@pytest.mark.parametrize('on', [True, False])
def test_small_maps_are_fully_connected_only_where_the_row_says_so(
    contest: Contest, data: Dataset, small_map_shapes: list[tuple[int, ...]], on: bool
) -> None:
    net, recipe = with_small_maps(), contest.recipe(batch_size=16)
    run_epochs(net, net, data, recipe, fused=False, small=on)
    assert {shape[2:] for shape in small_map_shapes} == ({(1, 1)} if on else set())


def test_enlarged_test_images_live_only_while_their_row_is_measured(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """放大后的测试集不能一直占着设备：它会混进每一行的内存峰值。"""
    made: list[weakref.ref] = []
    original = contenders.test_batches

    def watched(*args: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for X, y in original(*args):
            made.append(weakref.ref(X))
            yield X, y

    monkeypatch.setattr(contenders, 'test_batches', watched)
    rungs = ladder(contest, workers=1)
    assert made == []
    [device] = [rung for rung in rungs if rung.name == 'device']
    device.measure(new_row(device, contest))
    gc.collect()
    assert made and all(ref() is None for ref in made)


@pytest.mark.parametrize('build', [resnet18, lambda: alexnet(image_size=63)])
def test_bf16_gives_nearly_the_loss_of_fp32(
    contest: Contest, data: Dataset, build: Callable[[], nn.Module]
) -> None:
    """换精度只改变舍入：同一份权重、同一批图像，损失相差不到 1%。"""
    torch.manual_seed(0)
    net = build().to(memory_format=torch.channels_last).eval()
    X, y = prepare(data.train.images[:32], 63, data), data.train.labels[:32]
    losses = []
    for precision in ('fp32', 'bf16'):
        recipe = contest.recipe(precision=precision, channels_last=True)
        with torch.no_grad(), autocast(recipe, CPU):
            scores = net(to_layout(X, recipe))
            losses.append(F.cross_entropy(scores, y).item())
        assert scores.dtype.itemsize == {'fp32': 4, 'bf16': 2}[precision]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[1] != losses[0]


def test_nothing_is_left_patched(contest: Contest) -> None:
    timer = d2l_bridge.load_d2l().Timer
    batches = loop.train_batches
    with d2l_bridge.timers_kept(), contenders.waiting_timed():
        pass
    assert d2l_bridge.load_d2l().Timer is timer
    assert loop.train_batches is batches


@pytest.mark.parametrize('error', [torch.OutOfMemoryError, TrainingDiverged])
def test_failing_row_gives_a_reason_and_the_rest_go_on(
    contest: Contest, error: type[Exception]
) -> None:
    def fail(row: object) -> None:
        raise error('这一行做不了。\n很长的说明')

    rung = ladder(contest, workers=1)[0]
    broken = contenders.Rung(rung.name, rung.change, rung.recipe, fail)
    row = bench.measure(broken, contest)
    assert row.problem == f'{error.__name__}: 这一行做不了。'


def test_unknown_network_names_the_known_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('DEEPCNN_DEVICE', 'cpu')
    assert bench.main(['lenet5']) == 2
    assert 'alexnet' in capsys.readouterr().err
    monkeypatch.setenv('DEEPCNN_DEVICE', 'tpu')
    assert bench.main([]) == 2
    assert 'cuda、mps、cpu' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('device', 'bf16', 'kind'),
    [('cpu', True, 'cpu-bf16'), ('cpu', False, 'cpu-fp32'), ('cuda', True, 'cuda')],
)
def test_each_kind_of_processor_has_its_own_file(
    monkeypatch: pytest.MonkeyPatch, device: str, bf16: bool, kind: str
) -> None:
    monkeypatch.setattr(bench, 'has_fast_bf16', lambda device: bf16)
    assert bench.kind_of(torch.device(device)) == kind


def test_other_instructions_are_another_machine() -> None:
    facts = bench.machine(CPU, bench.Peaks({'float32': 1e11}, 2e10))
    faster = facts | {'peaks': {'flops': {'float32': 2e11}, 'bandwidth': 2e10}}
    assert bench.same_machine(facts, faster)  # 峰值每次都略有不同
    assert not bench.same_machine(facts, facts | {'instructions': '别的'})


def test_a_second_call_measures_only_what_is_missing(
    contest: Contest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[str] = []

    def compare(name: str, contest: Contest, peaks: object) -> bench.Comparison:
        measured.append(name)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return bench.Comparison(name, 'cpu', SIZE, 64, 24, 2, 3, None)

    path = tmp_path / 'bench-cpu-fp32.json'
    report = bench.Report('cpu-fp32', {'peaks': {'flops': {}, 'bandwidth': 1.0}}, '随机图像')
    monkeypatch.setenv('DEEPCNN_DEVICE', 'cpu')
    monkeypatch.setattr(bench, 'contest_of', lambda *args: contest)
    monkeypatch.setattr(bench, 'compare', compare)
    monkeypatch.setattr(
        bench, 'open_report', lambda *args: (bench.load_report(path) or report, path)
    )
    with pytest.raises(KeyboardInterrupt):
        bench.main([])
    assert bench.main([]) == 0
    assert measured[0] == 'alexnet'
    assert measured.count('alexnet') == 1
    assert set(measured) == set(bench.names_for(CPU))


def test_a_failing_engine_does_not_end_the_benchmark(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(row: bench.Row) -> bench.Row:
        raise RuntimeError('CUDA out of memory')

    contest = Contest(small_net, data, SIZE, 8, 1, 1, CPU)
    rungs = [replace(one, measure=fails) for one in ladder(contest, 1)]
    monkeypatch.setattr(bench.contenders, 'ladder', lambda *args: rungs)
    monkeypatch.setattr(bench, 'prepared_step', fails)
    found = bench.compare('small', contest, bench.Peaks({}, 1.0))
    assert len(found.rows) == len(rungs) and found.profile == []
    assert all('CUDA out of memory' in row.problem for row in found.rows)


def test_one_network_is_measured_from_the_first_row_to_the_profile(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """GPU 上的时间很少，第一次走完全程不能在那里。"""
    contest = Contest(small_net, data, SIZE, 8, 1, 1, CPU)
    peaks = Peaks({'float32': 1e11, 'bfloat16': 1e12}, 1e10)
    found = bench.compare('small', contest, peaks)
    names = [row.name for row in found.rows]
    assert names == [rung.name for rung in ladder(contest, 1)]
    assert [row.problem for row in found.rows] == [None] * len(names)
    assert len(capsys.readouterr().err.splitlines()) == len(names)
    # 卷积 9×9×4×25 次乘加，全连接 3,240；前向加反向，第一层不传到图像
    forward = 2 * (9 * 9 * 4 * 25 + 3_240)
    assert 2 * forward <= found.flops_per_image <= 3 * forward
    assert found.bytes_per_image > 0 and found.limit_rate > 0
    assert found.share_of_limit(found.engine) < 1
    bounds = [bench.bound(OpCost(**one), peaks) for one in found.costs]
    assert bounds == sorted(bounds, reverse=True) and bounds[0] > 0
    shares = [one['share'] for one in found.profile]
    assert 0 < len(shares) <= bench.SHOWN_OPS and 0 < sum(shares) <= 1
    assert shares == sorted(shares, reverse=True)
    assert all(one['calls'] > 0 for one in found.profile)


def test_a_prepared_step_updates_the_network(contest: Contest) -> None:
    nets: list[nn.Module] = []

    def build() -> nn.Module:
        nets.append(small_net())
        return nets[-1]

    watched = replace(contest, build=build)
    step = bench.prepared_step(watched, watched.recipe())
    before = [one.clone() for one in nets[-1].parameters()]
    step()
    pairs = zip(before, nets[-1].parameters(), strict=True)
    assert all(not torch.equal(old, new) for old, new in pairs)


@pytest.mark.parametrize('kind', ['bf16', 'fp32'])
def test_published_measurements_used_the_present_sizes(kind: str) -> None:
    report = bench.load_report(RESULTS / f'bench-cpu-{kind}.json')
    assert [*report.comparisons] == bench.names_for(CPU)
    for name, one in report.comparisons.items():
        now = bench.contest_of(bench.ENTRANTS[name], CPU, quick=False)
        assert (one.image_size, one.row('d2l').batch_size) == (now.image_size, now.batch_size)
        assert (one.images, one.test_images) == (len(now.data.train), len(now.data.test))
