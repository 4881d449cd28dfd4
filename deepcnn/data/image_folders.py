"""读者自己的图像：一个类别一个子文件夹，与 torchvision 的 ImageFolder 相同。

有 ``train/`` 与 ``val/`` 时照它们分，没有时每一类按种子留出一部分作验证。这里只看文件名，
不解码：残缺的图像到 ``decoding`` 才知道。
"""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from deepcnn.data.fashion_mnist import DataError

SUFFIXES = frozenset(
    ['.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp']
)  # 与 decoding.FORMATS 对应
TRAINING, VALIDATION = ('train', 'training'), ('val', 'valid', 'validation', 'test')
HELD_OUT = 0.2  # 没有现成的验证集时，每一类留出的比例


@dataclass(frozen=True)
class ImageFile:
    """一张还没有解码的图像与它的类别（从 0 起）。"""

    path: str
    label: int


@dataclass(frozen=True)
class ImageFolder:
    """一个图像文件夹：类别名、训练与验证的文件，``split`` 说它们怎样分的。"""

    root: Path
    class_names: tuple[str, ...]
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    split: str
    held_out: bool = False  # 验证集是这里按种子留出的，不是分好的

    def digest(self) -> str:
        """各文件的位置、大小、修改时间与类别的摘要；图像换过、移动过，它就不同。"""
        total = hashlib.sha256(repr(self.class_names).encode('utf-8', 'replace'))
        for part, files in (('train', self.train), ('test', self.test)):
            for one in files:
                facts = os.stat(one.path)
                place = os.path.relpath(one.path, self.root)
                size = f'{facts.st_size} {facts.st_mtime_ns}'
                total.update(os.fsencode(f'{part} {one.label} {size} {place}\n'))
        return total.hexdigest()


def shown(path: str | Path) -> str:
    """写得出来的文件名：不是 UTF-8 的字节当作 GBK 读，再不行就写成转义。"""
    raw = os.fsencode(path)
    for encoding in ('utf-8', 'gb18030'):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            pass
    return raw.decode('utf-8', 'backslashreplace')


def find_images(
    root: Path | str, seed: int = 0, needs_test: bool = True
) -> ImageFolder:
    """列出 ``root`` 里的图像；没有验证集时按 ``seed`` 分层留出 20%。

    没有这个文件夹、不足两类、有空的类别、验证集里有训练集没有的类别，或要验证集
    （``needs_test``）而留不出时，抛出 DataError。
    """
    root = Path(root)
    if not root.is_dir():
        told = '不是文件夹' if root.exists() else '没有这个文件夹'
        raise DataError(f'{shown(root)}：{told}，请给出按类别分好的图像文件夹')
    training, validation = _split_of(root)
    classes = _classes(training or root)
    names = [name for name, _ in classes]
    train = _files(classes)
    if training and validation:
        place = {name: label for label, name in enumerate(names)}
        held = _classes(validation)
        if strange := [name for name, _ in held if name not in place]:
            raise DataError(
                f'{shown(validation)} 里有训练集没有的类别：{"、".join(strange)}；两边的'
                '文件夹名要相同'
            )
        test = _files(held, [place[name] for name, _ in held])
        split = f'照 {shown(training.name)}/ 与 {shown(validation.name)}/ 分'
    else:
        train, test = _hold_out(train, len(names), seed)
        split = f'每一类留出 {HELD_OUT:.0%} 作验证（种子 {seed}）'
    if needs_test and not test:
        raise DataError(f'{shown(root)} 留不出验证集：至少有一类要有两张图像')
    held_out = not (training and validation)
    return ImageFolder(
        root, tuple(names), tuple(train), tuple(test), split, held_out
    )


def require_outside(place: Path | str, root: Path | str, option: str) -> None:
    """``place`` 写出来之后会被当成 ``root`` 里的类别时，抛出 DataError。"""
    root = Path(root)
    if not root.is_dir():
        return
    training, validation = _split_of(root)
    true_place = Path(os.path.realpath(place))
    for listed in map(os.path.realpath, filter(None, (training or root, validation))):
        if not true_place.is_relative_to(listed):
            continue
        inside = true_place.relative_to(listed).parts
        if not inside or not inside[0].startswith('.'):  # 隐藏的不会列出来
            raise DataError(
                f'{shown(place)} 在图像文件夹 {shown(root)} 里，下次会被当成一个类别：'
                f'请用 {option} 写到它的外面'
            )


def _split_of(root: Path) -> tuple[Path | None, Path | None]:
    """分好的训练集与验证集；叫 train 而没有子文件夹、旁边还有别的类别的，是一个类别。"""
    places = _subfolders(root)
    training, validation = (_named(places, names) for names in (TRAINING, VALIDATION))
    others = set(places) - {training, validation}
    is_class = training and others and not _subfolders(training)
    return None if is_class else training, validation


def _subfolders(folder: Path) -> list[Path]:
    """看得见的子文件夹。"""
    return [
        one for one in folder.iterdir() if one.is_dir() and not one.name.startswith('.')
    ]


def _named(places: list[Path], names: tuple[str, ...]) -> Path | None:
    """叫这些名字之一的，不分大小写，前面的优先。"""
    found = {one.name.lower(): one for one in places}
    return next((found[name] for name in names if name in found), None)


def _classes(folder: Path) -> list[tuple[str, list[str]]]:
    """各类别的名字与图像，按名字排；不足两类或有空的时抛出 DataError。"""
    found = sorted((shown(one.name), images_under(one)) for one in _subfolders(folder))
    if not found:
        raise DataError(
            f'{shown(folder)} 里没有子文件夹：每个类别的图像要放在一个子文件夹里'
        )
    if empty := [name for name, files in found if not files]:
        raise DataError(
            f'{shown(folder)} 里有空的类别：{"、".join(empty)}；请删去这些文件夹，或放进图像'
        )
    if len(found) < 2:
        raise DataError(
            f'{shown(folder)} 里只有一个类别「{found[0][0]}」：分类至少要两个子文件夹'
        )
    if twice := [n for n, c in Counter(name for name, _ in found).items() if c > 1]:
        raise DataError(f'{shown(folder)} 里有两个文件夹都叫 {twice[0]}：请给一个改名')
    return found


def images_under(folder: Path) -> list[str]:
    """``folder`` 及其下各层的图像，按路径排；链接成圈的文件夹只走一遍，隐藏文件不算。"""
    found, seen = [], set()
    for here, below, names in os.walk(folder, followlinks=True):
        true_place = os.path.realpath(here)
        if true_place in seen:
            below.clear()
            continue
        seen.add(true_place)
        below[:] = sorted(name for name in below if not name.startswith('.'))
        found += [
            os.path.join(here, name)
            for name in names
            if not name.startswith('.')
            and os.path.splitext(name)[1].lower() in SUFFIXES
            and os.path.isfile(os.path.join(here, name))
        ]
    return sorted(found, key=os.fsencode)


def _files(
    classes: list[tuple[str, list[str]]], labels: list[int] | None = None
) -> list[ImageFile]:
    numbers = range(len(classes)) if labels is None else labels
    return [
        ImageFile(path, label)
        for label, (_, paths) in zip(numbers, classes, strict=True)
        for path in paths
    ]


def _hold_out(
    files: list[ImageFile], classes: int, seed: int
) -> tuple[list[ImageFile], list[ImageFile]]:
    """每一类随机留出 ``HELD_OUT``，至少一张；只有一张的类别不留。"""
    generator = torch.Generator().manual_seed(seed)
    held = set()
    for label in range(classes):
        own = [index for index, one in enumerate(files) if one.label == label]
        order = torch.randperm(len(own), generator=generator).tolist()
        count = max(1, round(HELD_OUT * len(own))) if len(own) > 1 else 0
        held.update(own[place] for place in order[:count])
    train = [one for index, one in enumerate(files) if index not in held]
    return train, [files[index] for index in sorted(held)]
