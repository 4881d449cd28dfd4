"""图像从文件夹来，训练比张量在内存里慢多少：副本、边训练边解码各量一遍。

用法：python tools/measure/feeding_speed.py [--images 50000] [--pixels 256] [--side 64] [--steps 60]

先写出那么多张 JPEG（随机的平滑图像，十类），解码成副本，记下每秒几张；再用同一个网络、同一份
计划轮流走几步，比较每秒几张与等图像的比例。只用临时文件夹，结果印成一张表。
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from command_line import Command, run  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from deepcnn.data.batches import EpochPlan, plan_epoch  # noqa: E402
from deepcnn.data.cached_copy import decoded_folder  # noqa: E402
from deepcnn.data.image_folders import find_images  # noqa: E402
from deepcnn.models import create  # noqa: E402
from deepcnn.own.feeding import (  # noqa: E402
    Feed,
    FileImages,
    Standard,
    TensorImages,
    Waited,
    train_steps,
)
from deepcnn.records.runs import Run  # noqa: E402
from deepcnn.training import Recipe  # noqa: E402
from deepcnn.training.hardware import describe_device, layout_of  # noqa: E402
from deepcnn.training.loop import Session, train_step  # noqa: E402
from deepcnn.training.optimization import make_optimizer, make_schedule  # noqa: E402

CPU = torch.device('cpu')
CLASSES, ROUNDS = 10, 5
BATCH = 128
# 留出两成作验证之后，还要够一个小批量；噪声的边长是图像的八分之一
LEAST = {'images': 160, 'pixels': 8}


def write_images(root: Path, count: int, pixels: int) -> None:
    """平滑的噪声，压缩之后与照片差不多大。"""
    noise = np.random.default_rng(0)
    for number in range(CLASSES):
        (root / f'{number}').mkdir(parents=True)
    for number in range(count):
        small = noise.integers(0, 256, (pixels // 8, pixels // 8, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize(
            (pixels, pixels), Image.Resampling.BICUBIC
        )
        image.save(root / f'{number % CLASSES}' / f'{number}.jpg', quality=90)


def small_network(side: int) -> nn.Module:
    """几乎不用时间的网络：喂图像的开销最看得出。"""
    layers = [
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers, nn.Linear(16, CLASSES))


def session_of(net: nn.Module, recipe: Recipe) -> Session:
    net.train().to(memory_format=layout_of(recipe))
    optimizer = make_optimizer(net, recipe, CPU)
    return Session(net, optimizer, make_schedule(optimizer, recipe, 10**6), Run(0))


def steps_per_second(
    session: Session, feed: Feed, plan: EpochPlan, recipe: Recipe
) -> tuple[float, float, float]:
    """每秒几张，等图像的比例，每张用处理器几秒（机器忙着别的事时，只有它比得了）。"""
    waited, started, images = Waited(), perf_counter(), 0
    working = process_time()
    size = recipe.batch_size
    for X, y in train_steps(feed, plan, size, recipe.image_size, CPU, waited):
        train_step(session, X, y, recipe, CPU)
        images += len(y)
    seconds = perf_counter() - started
    return (
        images / seconds,
        waited.seconds / seconds,
        (process_time() - working) / images,
    )


def first_steps(plan: EpochPlan, images: int) -> EpochPlan:
    return EpochPlan(plan.order[:images], plan.mirrored[:images], plan.offset[:images])


def main(line: list[str]) -> int:
    command = Command(__doc__)
    for name, default in (
        ('images', 50_000), ('pixels', 256), ('side', 64), ('steps', 60), ('threads', 2),
    ):  # fmt: skip
        command.add_argument(f'--{name}', type=int, default=default, metavar='个')
    options = command.parse_args(line)
    for name, value in vars(options).items():
        if value < (least := LEAST.get(name, 1)):
            print(f'--{name} 至少要 {least}，现在是 {value}', file=sys.stderr)
            return 2
    print(f'{describe_device(CPU)}，{options.images:,} 张 {options.pixels} 像素的 JPEG')
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / '图'
        write_images(root, options.images, options.pixels)
        found, started = find_images(root), perf_counter()
        copy = decoded_folder(
            found, options.side, 3, Path(place) / 'c', options.threads
        )
        seconds = perf_counter() - started
        print(
            f'解码、缩放到 {options.side} 像素：{options.images / seconds:,.0f} 张/秒'
        )
        compare(options, found, copy.data)
    return 0


def compare(options: object, found: object, data: object) -> None:
    mapped = TensorImages(data.train)
    memory = TensorImages(data.train)
    memory.images = data.train.images.clone()
    files = FileImages(found.train, options.side, 3, options.threads)
    recipe = Recipe(options.side, 1, 1e-3, BATCH, shift=4, precision='auto')
    standard = Standard('图', data.mean, data.std)
    networks: dict[str, Callable[[], nn.Module]] = {
        '几乎不用时间的网络': lambda: small_network(options.side),
        'resnet18': lambda: create('resnet18', 3, CLASSES),
    }
    for title, build in networks.items():
        session = session_of(build(), recipe)
        rates: dict[str, list[tuple[float, ...]]] = {}
        for epoch in range(ROUNDS + 1):  # 第一遍不算：内存页还没有进来
            plan = plan_epoch(len(mapped), 0, epoch, True, 4, CPU)
            steps = (
                options.steps if 'resnet' not in title else max(4, options.steps // 10)
            )
            plan = first_steps(plan, BATCH * steps)
            for name, images in {'内存': memory, '副本': mapped, '文件': files}.items():
                feed = Feed(standard, data.class_names, images, images)
                rate = steps_per_second(session, feed, plan, recipe)
                if epoch:
                    rates.setdefault(name, []).append(rate)
        found = {
            name: [median(column) for column in zip(*rows, strict=True)]
            for name, rows in rates.items()
        }
        rate, _, work = found['内存']
        for name, (own, share, used) in found.items():
            print(
                f'{title}  {name}：{own:,.0f} 张/秒，是内存的 {own / rate:.0%}；'
                f'等图像 {share:.0%}；处理器每张 {1e3 * used:.2f} 毫秒，是内存的 {used / work:.0%}',
                flush=True,
            )


if __name__ == '__main__':
    run(main)
