"""训练用的图像与由它们定下的设置：随书的 Fashion-MNIST，或读者的文件夹。"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from deepcnn.data.cached_copy import (
    bytes_needed,
    decoded_folder,
    has_copy,
    skipped_in,
)
from deepcnn.data.dataset import photograph_statistics
from deepcnn.data.decoding import BadImage, decode_many
from deepcnn.data.fashion_mnist import DataError, load_dataset
from deepcnn.data.image_folders import (
    ImageFolder,
    find_images,
    require_outside,
    shown,
)
from deepcnn.models.registry import create
from deepcnn.own.defaults import Settings, choose, look_at
from deepcnn.own.feeding import Feed, FileImages, Standard, feed_of
from deepcnn.own.orders import FASHION, Order
from deepcnn.own.run_folder import RunFolder
from deepcnn.own.telling import Teller

IN_MEMORY, STREAMING = 'none', 'stream'  # --cache 的两个特别的写法
ROOM = 0.8  # 副本最多占磁盘剩下的几成
SAMPLED = 1_000  # 边训练边解码时，均值与标准差取自多少张


@dataclass(frozen=True)
class Material:
    """定下来的图像与设置；``skipped`` 是跳过的图像，每张一行。"""

    settings: Settings
    feed: Feed
    digest: str
    split: str
    skipped: list[str]

    def facts(self) -> dict:
        """写进 run.json 的；接着训练时照它。"""
        feed = self.feed
        return {
            'split': self.split, 'streamed': isinstance(feed.train, FileImages),
            'images': [len(feed.train), len(feed.test)],
        }  # fmt: skip


def gather_material(
    order: Order, folder: RunFolder, device: torch.device, teller: Teller
) -> Material:
    """找到图像，定好设置，解码（或映射已有的副本）；用不了时抛出 ValueError。

    接着训练时，图像、怎样解码与归一化都照上次的：不然就是另一次训练。
    """
    before = folder.settings() if folder.has_settings() else {}
    material = _gathered(order, folder, before, device, teller)
    sizes = material.facts()['images']
    if sizes != before.get('images', sizes):
        fewer = sum(sizes) < sum(before['images'])
        advice = '请修好读不了的，再用 --cache 换一个文件夹重新解码'
        raise ValueError(
            f'读得了的训练、验证图像这次有 {sizes} 张，上次有 {before["images"]} 张：接着训练要用'
            f'同样的，{advice if fewer else "请换一个 --out 从头训练"}'
        )
    if 'standard' not in before:
        return material
    name, mean, std = (before['standard'][one] for one in ('name', 'mean', 'std'))
    standard = Standard(name, tuple(mean), tuple(std))
    return replace(material, feed=replace(material.feed, standard=standard))


def _gathered(
    order: Order,
    folder: RunFolder,
    before: dict,
    device: torch.device,
    teller: Teller,
) -> Material:
    given, tuned = order.given(), order.init is not None
    if order.data == FASHION:
        data = load_dataset()
        side = data.train.images.shape[-1]
        settings = choose(
            order.network, given, len(data.train), side, False, device, tuned, side
        )
        if settings.channels != 1:
            raise ValueError('fashion_mnist 是灰度的：请去掉 --channels，或写 1')
        require_side(order.network, settings)
        return Material(settings, feed_of(data), FASHION, '照官方分', [])
    place = _place_of_copy(order, folder)
    require_outside(folder.path, order.data, '--out')
    if place is not None:
        require_outside(place, order.data, '--cache')
    found = find_images(order.data, given.seed)
    digest = found.digest()
    if digest != before.get('data_digest', digest):
        raise ValueError(
            f'{order.data} 里的图像与上次不同：接着训练要用同样的图像，请换一个 --out 从头训练'
        )
    paths = [one.path for one in found.train]
    side, colour = look_at(paths, given.seed)
    settings = choose(order.network, given, len(paths), side, colour, device, tuned)
    require_side(order.network, settings)
    feed, skipped = _images(
        order, place, found, settings, before.get('streamed'), teller
    )
    return Material(settings, feed, digest, found.split, skipped)


def require_side(network: str, settings: Settings) -> None:
    """边长不够大时，在解码之前就抛出 ValueError。"""
    with torch.device('meta'):
        create(network, settings.channels, 2, settings.recipe.image_size)


def _images(
    order: Order,
    place: Path | None,
    found: ImageFolder,
    settings: Settings,
    streamed_before: bool | None,
    teller: Teller,
) -> tuple[Feed, list[str]]:
    side, threads = settings.recipe.image_size, threads_for(order)
    strict = bool(order.strict)
    total = bytes_needed(found, side, settings.channels)
    told = f'缩小后的副本要 {total / 1e9:,.1f} GB'
    fits = (
        place is None
        or has_copy(found, side, settings.channels, place)
        or _fits(place, total)
    )
    if _streams(order, streamed_before, fits, told):
        teller.say(f'{told}，放不下或没有要：边训练边解码')
        return streamed(found, side, settings.channels, threads, strict), []
    teller.start_bar(len(found.train) + len(found.test), '解码图像', unit='张')
    bar = teller.bar
    try:
        photographs = decoded_folder(
            found, side, settings.channels, place, threads, strict,
            lambda done, total: bar.update(),
            renew=teller.speaks and streamed_before is None,
        )  # fmt: skip
    finally:
        teller.end_bar()
    feed = feed_of(photographs.data, photographs.test_files)
    return feed, list(skipped_in(photographs))


def _streams(order: Order, before: bool | None, fits: bool, told: str) -> bool:
    """要不要边训练边解码；``before`` 是上次，None 是第一次训练（或旧的 run.json 没有记）。"""
    asked = order.cache == STREAMING
    if before is None:
        return asked or not fits
    if (asked and not before) or (order.cache == IN_MEMORY and before):
        raise ValueError(
            f'上次{"是" if before else "不是"}边训练边解码，--cache {order.cache} 就是另一次训练：'
            '接着训练请不写 --cache'
        )
    if not before and not fits:
        raise ValueError(
            f'{told}，现在放不下，上次却有：请腾出空间，用 --cache 放到别处，或写 --cache none'
        )
    return before


def _place_of_copy(order: Order, folder: RunFolder) -> Path | None:
    """副本放在哪里；None 为只放在内存里。"""
    if order.cache == IN_MEMORY:
        return None
    if order.cache in (None, STREAMING):
        return folder.path.parent / '.images'
    return Path(order.cache)


def _fits(place: Path, total: int) -> bool:
    """磁盘放得下。"""
    here = next(one for one in (place, *place.absolute().parents) if one.exists())
    return total <= ROOM * shutil.disk_usage(here).free


def streamed(
    found: ImageFolder, side: int, channels: int, threads: int, strict: bool
) -> Feed:
    """不留副本：每一步用到的图像当时解码；均值与标准差取自随机的一部分。"""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(found.train), generator=generator)[:SAMPLED].tolist()
    paths = [found.train[one].path for one in order]
    decoded = decode_many(paths, side, channels, threads)
    good = [one for one in decoded if not isinstance(one, BadImage)]
    if not good:
        raise DataError(f'{shown(found.root)} 里随机看的 {len(paths)} 张图像都读不了')
    mean, std = photograph_statistics(torch.stack(good))
    train, test = (
        FileImages(files, side, channels, threads, strict)
        for files in (found.train, found.test)
    )
    name = shown(found.root.resolve().name)
    files = tuple(one.path for one in found.test)
    return Feed(Standard(name, mean, std), found.class_names, train, test, files)


def threads_for(order: Order) -> int:
    """解码用几个线程；不是正整数时抛出 ValueError。"""
    if order.threads is not None and order.threads < 1:
        raise ValueError(f'--threads 要是正整数，现在是 {order.threads}')
    share = int(os.environ.get('LOCAL_WORLD_SIZE', 1))  # 这台机器上几个进程分
    return order.threads or max(1, min(8, os.cpu_count() or 1) // share)
