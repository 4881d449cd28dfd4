"""图像文件夹解码、缩放之后的副本：一个内存映射的文件，各次训练共用。

第一次训练时写，此后直接映射，像张量一样取：操作系统把用到的部分留在内存里，几个进程共用一份。
图像换过、边长或通道数变了，副本的名字就不同。``index.json`` 最后才写，没有它就当作没有写完；
上次没有读到的图像（没有权限、内存不够）现在读得到时，重写一份。
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepcnn.data.dataset import Dataset, ImageSet, photograph_statistics
from deepcnn.data.decoding import BadImage, Unreachable, decode_many
from deepcnn.data.fashion_mnist import DataError
from deepcnn.data.file_lock import locked
from deepcnn.data.image_folders import ImageFile, ImageFolder, shown
from deepcnn.records.store import read_json, write_json

VERSION = 2  # 解码的办法变了就加一，旧的副本不再用
INDEX, PIXELS = 'index.json', 'images.bin'
Tell = Callable[[int, int], object]  # 解码了几张，一共几张


@dataclass(frozen=True)
class Skipped:
    """没有用的一张图像与原因。"""

    path: str
    reason: str


@dataclass(frozen=True)
class Photographs:
    """解码好的图像文件夹：``data`` 与循环要的相同，``test_files`` 是验证图像的文件名，给报告用。"""

    data: Dataset
    test_files: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def bytes_needed(folder: ImageFolder, side: int, channels: int) -> int:
    """副本占多少字节。"""
    return (len(folder.train) + len(folder.test)) * channels * side * side


def has_copy(folder: ImageFolder, side: int, channels: int, place: Path) -> bool:
    """``place`` 里已经有写完的副本。"""
    return _is_complete(_home(folder, side, channels, place))


def _home(folder: ImageFolder, side: int, channels: int, place: Path) -> Path:
    return place / f'{folder.digest()[:24]}-{side}-{channels}-{VERSION}'


def decoded_folder(
    folder: ImageFolder,
    side: int,
    channels: int,
    place: Path | None,
    threads: int,
    strict: bool = False,
    tell: Tell = lambda done, total: None,
    renew: bool = True,
) -> Photographs:
    """解码整个文件夹，得到 ``Photographs``；``place`` 是放副本的文件夹，None 为只放在内存里。

    读不了的图像跳过，``strict`` 时抛出 DataError，指出是哪一张；一个类别因此空了也是。
    ``renew`` 为假时，写完的副本照用，不再试上次没有读到的：几个进程要用同一份。
    """
    if place is None:
        pixels = bytearray()
        kept, skipped = _decode(
            folder, side, channels, threads, strict, tell, pixels.extend
        )
        reasons = {number: str(bad) for number, bad in skipped.items()}
        flat = torch.frombuffer(pixels or bytearray(1), dtype=torch.uint8)
        images = flat[: len(pixels)].view(-1, channels, side, side)
        return _photographs(folder, images, kept, reasons)
    home = _home(folder, side, channels, place)
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / 'lock'):
        complete = _is_complete(home)
        again = complete and renew and _reads_more(home, folder, side, channels, threads)
        if not complete or (again and _removed(home)):
            _write(home, folder, side, channels, threads, tell)
        return _mapped(home, folder, side, channels, strict)


def _is_complete(home: Path) -> bool:
    """副本写完了，大小也对。"""
    try:
        index = read_json(home / INDEX)
        return (home / PIXELS).stat().st_size == index['bytes']
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _reads_more(
    home: Path, folder: ImageFolder, side: int, channels: int, threads: int
) -> bool:
    """写副本时没有读到的图像，现在有读得到的。"""
    files = (*folder.train, *folder.test)
    paths = [files[number].path for number in read_json(home / INDEX)['unreachable']]
    again = decode_many(paths, side, channels, threads)
    return any(not isinstance(one, Unreachable) for one in again)


def _removed(home: Path) -> bool:
    """旧的一份删去，好另写一份：别的训练可能正映射着它。Windows 上那就删不掉，照用旧的。"""
    try:
        for name in (PIXELS, INDEX):
            (home / name).unlink()
    except PermissionError:
        return False
    return True


def _write(
    home: Path, folder: ImageFolder, side: int, channels: int, threads: int, tell: Tell
) -> None:
    (home / INDEX).unlink(missing_ok=True)
    with open(home / PIXELS, 'wb') as target:
        kept, skipped = _decode(
            folder, side, channels, threads, False, tell, target.write
        )
        target.flush()
        os.fsync(target.fileno())
    size = len(kept) * channels * side * side
    # 文件名可能不是 UTF-8，所以记号码：次序由 ImageFolder 定
    bad = [[number, str(reason)] for number, reason in skipped.items()]
    later = [number for number, why in skipped.items() if isinstance(why, Unreachable)]
    index = {'bytes': size, 'skipped': bad, 'unreachable': later}
    write_json(home / INDEX, index)


def _decode(
    folder: ImageFolder,
    side: int,
    channels: int,
    threads: int,
    strict: bool,
    tell: Tell,
    write: Callable[[memoryview], object],
) -> tuple[list[int], dict[int, BadImage]]:
    """逐张解码，交给 ``write``；返回留下的号码，与跳过的号码 → 原因。"""
    files = (*folder.train, *folder.test)
    kept, skipped = [], {}
    decoded = decode_many([one.path for one in files], side, channels, threads)
    for number, image in enumerate(decoded):
        if isinstance(image, BadImage):
            skipped[number] = image
            _refuse(strict, Skipped(files[number].path, str(image)))
        else:
            write(memoryview(image.numpy()).cast('B'))
            kept.append(number)
        tell(number + 1, len(files))
    return kept, skipped


def _refuse(strict: bool, bad: Skipped) -> None:
    if strict:
        raise DataError(
            f'{shown(bad.path)}：{bad.reason}；请修好或删去它，或去掉 --strict 跳过它'
        )


def _mapped(
    home: Path, folder: ImageFolder, side: int, channels: int, strict: bool
) -> Photographs:
    """映射写好的副本；文件只读也行，张量改了不写回。"""
    index = read_json(home / INDEX)
    skipped = dict(index['skipped'])
    total = len(folder.train) + len(folder.test)
    kept = [number for number in range(total) if number not in skipped]
    size = index['bytes']
    flat = torch.empty(0, dtype=torch.uint8)
    if size:  # 空的文件映射不了
        path = str(home / PIXELS)
        flat = torch.from_file(path, shared=False, size=size, dtype=torch.uint8)
    files = (*folder.train, *folder.test)
    for number, reason in skipped.items():
        _refuse(strict, Skipped(files[number].path, reason))
    return _photographs(folder, flat.view(-1, channels, side, side), kept, skipped)


def _photographs(
    folder: ImageFolder, images: Tensor, kept: list[int], skipped: dict[int, str]
) -> Photographs:
    files = (*folder.train, *folder.test)
    bad = tuple(Skipped(files[number].path, why) for number, why in skipped.items())
    middle = int(np.searchsorted(kept, len(folder.train)))
    good = [files[number] for number in kept]
    _require_every_class(folder, good[:middle], bad)
    if middle == len(good):
        raise DataError(
            f'{shown(folder.root)} 的验证集里没有一张读得了的图像：{_why(bad)}'
        )
    labels = torch.tensor([one.label for one in good], dtype=torch.int64)
    train = ImageSet(images[:middle], labels[:middle])
    test = ImageSet(images[middle:], labels[middle:])
    mean, std = photograph_statistics(train.images)
    data = Dataset(
        shown(folder.root.resolve().name), train, test, folder.class_names, mean, std
    )
    return Photographs(data, tuple(one.path for one in good[middle:]), bad)


def _require_every_class(
    folder: ImageFolder, good: list[ImageFile], bad: tuple[Skipped, ...]
) -> None:
    present = {one.label for one in good}
    for label, name in enumerate(folder.class_names):
        if label not in present:
            raise DataError(f'类别「{name}」没有一张读得了的训练图像：{_why(bad)}')


def _why(bad: tuple[Skipped, ...]) -> str:
    return f'例如 {shown(bad[0].path)} {bad[0].reason}' if bad else '请多放一些'


def skipped_in(photographs: Photographs) -> Iterator[str]:
    """每张跳过的图像一行。"""
    for one in photographs.skipped:
        yield f'{shown(one.path)}：{one.reason}'
