"""同一台机器上比较 d2l 的训练循环与本书的，写出 results/bench-<设备>.json。

设备是 cuda、cpu-bf16（有 bf16 指令的 CPU）或 cpu-fp32（没有的）；两种 CPU 相差很大，分开存。

用法：python tools/measure/bench.py [--quick] [网络 ...]

不给网络时，测全部还没有测过的；给了就重测它们。每测完一个网络就存一次，中断后
重来只测剩下的。--quick 只检查整条路走得通，结果写到 .runs/，不能当作测量。
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # 剖析器在没有 GPU 时会报一行错

import numpy
import torch
import torchvision
from torch import nn
from torch.profiler import ProfilerActivity, profile

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import contenders  # noqa: E402
from command_line import Command, run  # noqa: E402
from contenders import Contest, Rung  # noqa: E402
from roofline import OpCost, Peaks, count_costs, lower_bound, measure_peaks  # noqa: E402

from deepcnn.d2l_bridge import load_d2l  # noqa: E402
from deepcnn.data.fashion_mnist import load_dataset  # noqa: E402
from deepcnn.models import vgg  # noqa: E402
from deepcnn.models.lineup import LINEUP  # noqa: E402
from deepcnn.records.benchmark import (  # noqa: E402
    ENGINE,
    FULL_TRAIN_SET,
    Comparison,
    Report,
    Row,
    load_report,
)
from deepcnn.records.provenance import code_version  # noqa: E402
from deepcnn.training import (  # noqa: E402
    Recipe,
    TrainingDiverged,
    choose_device,
    describe_device,
    make_optimizer,
)
from deepcnn.training.cpu_speedups import (  # noqa: E402
    faster_small_maps,
    keep_freed_memory,
)
from deepcnn.training.hardware import has_fast_bf16, layout_of  # noqa: E402

EPOCHS = 3
WARM_UP_STEPS = 20
CPU_BATCH = 128
TEST_IMAGES = {'cpu': 500, 'cuda': 10_000}
SHOWN_OPS = 8  # 存下最费时的几个算子


@dataclass(frozen=True)
class Entrant:
    """一个网络：怎样按边长建造，配方表，CPU 与 CUDA 上各用多大、多少图像。"""

    build: Callable[[int], nn.Module]
    recipes: dict[str, Recipe]
    d2l_batch: int = 128  # d2l 这一章的批量，在 CUDA 上用
    cpu_size: int = 48  # 边长小，图像少，六个网络二十分钟测得完
    cpu_images: int = 1280
    cuda_images: int = FULL_TRAIN_SET


ENTRANTS = {
    'alexnet': Entrant(**vars(LINEUP['alexnet']), cpu_size=63),  # 它接受的最小边长
    'vgg11': Entrant(**vars(LINEUP['vgg11'])),
    'nin': Entrant(**vars(LINEUP['nin']), cpu_size=71),
    'googlenet': Entrant(**vars(LINEUP['googlenet'])),
    'resnet18': Entrant(**vars(LINEUP['resnet18']), d2l_batch=256),
    'densenet': Entrant(**vars(LINEUP['densenet']), d2l_batch=256),
    # 全宽的 VGG-11 太慢，只在 GPU 上测，也不必测满 60,000 张。
    'vgg11-full': Entrant(
        lambda size: vgg.vgg11(image_size=size), vgg.RECIPES, cuda_images=12_800
    ),
}


def names_for(device: torch.device) -> list[str]:
    return [n for n in ENTRANTS if n != 'vgg11-full' or device.type == 'cuda']


def machine(device: torch.device, peaks: Peaks) -> dict:
    """测量的环境；只要有一项变了，旧的测量就不能与新的放在一起。"""
    facts = {
        'device': describe_device(device),
        'cores': available_cores(),
        'threads': torch.get_num_threads(),
        'python': '.'.join(map(str, sys.version_info[:3])),
        'torch': torch.__version__,
        'torchvision': torchvision.__version__,
        'numpy': numpy.__version__,
    }
    if device.type == 'cpu':
        facts['instructions'] = torch.backends.cpu.get_cpu_capability()
    if device.type == 'cuda':
        facts |= {
            'cuda': torch.version.cuda,
            'cudnn': torch.backends.cudnn.version(),
            'tf32_convolution': torch.backends.cudnn.allow_tf32,
            'tf32_matmul': torch.backends.cuda.matmul.allow_tf32,
        }
    return facts | {'peaks': asdict(peaks)}


def available_cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def same_machine(old: dict, new: dict) -> bool:
    """峰值每次实测都略有不同，不参加比较。"""
    return {**old, 'peaks': None} == {**new, 'peaks': None}


# ---- 测一个网络 ---------------------------------------------------------------


def contest_of(entrant: Entrant, device: torch.device, quick: bool) -> Contest:
    """CPU 上用小的边长，GPU 上用 gpu 档的边长、d2l 的批量。"""
    cuda = device.type == 'cuda'
    side = entrant.recipes['gpu'].image_size if cuda else entrant.cpu_size
    batch = entrant.d2l_batch if cuda else CPU_BATCH
    images = entrant.cuda_images if cuda else entrant.cpu_images
    tests = TEST_IMAGES[device.type]
    if quick:
        batch, images, tests = 16, 96, 32
    data = load_dataset().first(images, tests).to(device)
    return Contest(
        build=lambda: entrant.build(side),
        data=data,
        image_size=side,
        batch_size=batch,
        epochs=1 if quick else EPOCHS,
        warm_up_steps=2 if quick else WARM_UP_STEPS,
        device=device,
    )


def compare(name: str, contest: Contest, peaks: Peaks) -> Comparison:
    """测完一个网络的全部行，并数出这一步的运算与字节。"""
    result = Comparison(
        network=name,
        device=contest.device.type,
        image_size=contest.image_size,
        images=len(contest.data.train),
        test_images=len(contest.data.test),
        epochs=contest.epochs,
        warm_up_steps=contest.warm_up_steps,
        commit=code_version(),
    )
    rungs = contenders.ladder(contest, available_cores())
    for rung in rungs:
        row = measure(rung, contest)
        result.rows.append(row)
        speed = row.problem or f'{row.rate:,.0f} 张/秒'
        say(f'  {rung.name:10} {rung.change}：{speed}')
    if result.row(ENGINE):  # 引擎的一行做不了，同样的一步也做不了
        engine = next(rung.recipe for rung in rungs if rung.name == ENGINE)
        add_limit(result, contest, engine, peaks)
        result.profile = profile_ops(contest, engine)
    return result


def measure(rung: Rung, contest: Contest) -> Row:
    """测一行；这一行做不了（显存不够、没有编译器、损失发散）时记下原因，别的行照测。"""
    row = contenders.new_row(rung, contest)
    try:
        return rung.measure(row)
    except (RuntimeError, TrainingDiverged) as error:
        row.problem = f'{type(error).__name__}: {str(error).splitlines()[0][:160]}'
        return row


def prepared_step(contest: Contest, recipe: Recipe) -> Callable[[], None]:
    """返回完整的一步：前向、反向、更新；第一次已经做过。"""
    layout = layout_of(recipe)
    net = contest.fresh().to(contest.device, memory_format=layout)
    optimizer = make_optimizer(net, recipe, contest.device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with faster_small_maps(net):
            contenders.training_step(net, contest.data, recipe)
        optimizer.step()

    step()
    return step


def add_limit(
    result: Comparison, contest: Contest, recipe: Recipe, peaks: Peaks
) -> None:
    costs = count_costs(prepared_step(contest, recipe))
    batch = recipe.batch_size
    result.flops_per_image = sum(cost.flops for cost in costs) / batch
    result.bytes_per_image = sum(cost.bytes for cost in costs) / batch
    result.limit_rate = batch / lower_bound(costs, peaks)
    heaviest = sorted(costs, key=lambda c: -bound(c, peaks))[:SHOWN_OPS]
    result.costs = [asdict(cost) for cost in heaviest]


def bound(cost: OpCost, peaks: Peaks) -> float:
    return lower_bound([cost], peaks)


def profile_ops(contest: Contest, recipe: Recipe) -> list[dict]:
    """三步里各算子实际用的时间占多少；不够 ``SHOWN_OPS`` 个时全部返回。"""
    step = prepared_step(contest, recipe)
    cuda = contest.device.type == 'cuda'
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda
    with keep_freed_memory(contest.device), profile(activities=activities) as recorded:
        for _ in range(3):
            step()
    spent = 'self_device_time_total' if cuda else 'self_cpu_time_total'
    events = recorded.key_averages()
    total = sum(getattr(event, spent) for event in events)
    slowest = sorted(events, key=lambda event: -getattr(event, spent))[:SHOWN_OPS]
    return [
        {
            'name': event.key[:80],
            'calls': event.count // 3,
            'share': getattr(event, spent) / total,
        }
        for event in slowest
    ]


# ---- 命令 ---------------------------------------------------------------------


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    parser = Command(__doc__)
    parser.add_argument('networks', nargs='*', metavar='网络', help='重测这些网络')
    parser.add_argument('--quick', action='store_true', help='只检查走得通，不是测量')
    options = parser.parse_args(arguments)
    try:
        device = choose_device()
        names = chosen(options.networks, device)
        report, path = open_report(device, options.quick)
    except (ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    for name in names or [n for n in names_for(device) if n not in report.comparisons]:
        contest = contest_of(ENTRANTS[name], device, options.quick)
        say(
            f'{name}：{contest.image_size} 像素，批量 {contest.batch_size}，'
            f'{len(contest.data.train):,} 张，{contest.epochs} 轮'
        )
        started = perf_counter()
        peaks = Peaks(**report.machine['peaks'])
        report.comparisons[name] = compare(name, contest, peaks)
        report.save(path)
        say(f'  用时 {perf_counter() - started:.0f} 秒，已存 {path.name}')
    print(f'全部测完：{path.parent.name}/{path.name}')
    return 0


def chosen(networks: list[str], device: torch.device) -> list[str]:
    unknown = [name for name in networks if name not in names_for(device)]
    if unknown:
        legal = '、'.join(names_for(device))
        raise ValueError(f'{device.type} 上没有 {"、".join(unknown)}：可以用 {legal}')
    return networks


def kind_of(device: torch.device) -> str:
    """记录按它分文件：`cuda`、`cpu-bf16` 或 `cpu-fp32`。"""
    if device.type != 'cpu':
        return device.type
    return f'cpu-{"bf16" if has_fast_bf16(device) else "fp32"}'


def open_report(device: torch.device, quick: bool) -> tuple[Report, Path]:
    """读回这台机器上次的测量；换了机器或版本就从头测。"""
    if device.type not in TEST_IMAGES:
        raise ValueError(f'基准测试不支持 {device.type}：请设 DEEPCNN_DEVICE=cpu')
    load_d2l()  # 没有装 d2l 时，现在就说
    os.environ['DEEPCNN_PROGRESS'] = '0'
    folder = ROOT / ('.runs' if quick else 'results')
    path = folder / f'bench-{kind_of(device)}.json'
    dtypes = [torch.float32] + [torch.bfloat16] * has_fast_bf16(device)
    facts = machine(device, measure_peaks(device, dtypes))
    old = load_report(path)
    if old and same_machine(old.machine, facts):
        return old, path
    if old:
        say('机器或版本变了，旧的测量作废，从头测')
    return Report(kind_of(device), facts, load_dataset().name), path


if __name__ == '__main__':
    run(main)
