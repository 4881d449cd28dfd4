"""训练的一步要的图像从哪里来：内存里的（或内存映射的）张量，或边训练边解码的文件。

两种都按一轮的计划给出 uint8 的小批量；增广、缩放、归一化与各章相同，在设备上成批地做。
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from time import perf_counter
from typing import Protocol

import torch
from torch import Tensor

from deepcnn.data.batches import EpochPlan, augment, erase, prepare
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.data.decoding import BadImage, decode_many
from deepcnn.data.fashion_mnist import DataError
from deepcnn.data.image_folders import ImageFile, shown
from deepcnn.own.augmentation import Changes

Batch = tuple[Tensor, Tensor]  # 图像 uint8 (n, C, H, W)，标签 int64 (n,)


@dataclass(frozen=True)
class Standard:
    """送进网络之前的归一化；``prepare`` 只看这几项。"""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Images(Protocol):
    """一组有次序的图像。"""

    labels: Tensor
    side: int  # 较短的一边，像素

    def __len__(self) -> int: ...

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """依次给出 ``rows`` 里每一组号码的图像与标签。"""

    def readable(self, rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Batch]]:
        """同样，只是读不了的不在其中；另给出留下的号码。评价时用。"""


class TensorImages:
    """已经是张量的图像，在内存里、内存映射的文件里或显存里。"""

    def __init__(self, images: ImageSet) -> None:
        self.images, self.labels = images.images, images.labels
        self.side = min(self.images.shape[-2:])

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        for which in rows:
            which = which.to(self.labels.device)
            yield self.images[which], self.labels[which]

    def readable(self, rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Batch]]:
        yield from zip(rows, self.batches(rows), strict=True)


class FileImages:
    """用到时才解码的文件：副本放不下时用。读不了的记在 ``bad``。

    训练时由同一批里的前一张代替，评价时不算在内。
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        side: int,
        channels: int,
        threads: int,
        strict: bool = False,
    ) -> None:
        self.files, self.strict = files, strict
        self.side, self.channels, self.threads = side, channels, threads
        self.labels = torch.tensor([one.label for one in files], dtype=torch.int64)
        self.bad: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.files)

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """一批里没有一张读得了时抛出 DataError。"""
        for numbers, images in self._decoded(rows):
            if not images:
                raise DataError(
                    f'连着 {len(numbers)} 张图像都读不了，例如 '
                    f'{shown(self.files[numbers[-1]].path)}'
                )
            taken = filled(numbers, images)
            yield (
                torch.stack([images[number] for number in taken]),
                self.labels[torch.tensor(taken)],
            )

    def readable(self, rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Batch]]:
        for _, images in self._decoded(rows):
            if images:
                kept = torch.tensor([*images])
                yield kept, (torch.stack([*images.values()]), self.labels[kept])

    def _decoded(
        self, rows: Sequence[Tensor]
    ) -> Iterator[tuple[list[int], dict[int, Tensor]]]:
        """每一组的号码，与其中读得了的：号码 → 图像。跨小批量地提前解码。"""
        numbers = list(chain.from_iterable(which.tolist() for which in rows))
        paths = [self.files[number].path for number in numbers]
        decoded = decode_many(paths, self.side, self.channels, self.threads)
        for which in rows:
            images: dict[int, Tensor] = {}
            for number in which.tolist():
                image = next(decoded)
                if isinstance(image, BadImage):
                    self._note(self.files[number].path, image)
                else:
                    images[number] = image
            yield which.tolist(), images

    def only(self, numbers: Sequence[int]) -> 'FileImages':
        """只有这些号码的文件。"""
        files = [self.files[number] for number in numbers]
        return FileImages(files, self.side, self.channels, self.threads, self.strict)

    def skipped(self) -> list[str]:
        """读不了的图像，每张一行。"""
        return [f'{shown(path)}：{reason}' for path, reason in self.bad.items()]

    def _note(self, path: str, bad: BadImage) -> None:
        self.bad[path] = str(bad)
        if self.strict:
            raise DataError(f'{shown(path)}：{bad}；请修好或删去它，或去掉 --strict')


def filled(numbers: Sequence[int], good: Container[int]) -> list[int]:
    """不在 ``good`` 里的号码换成前一个在的；前面没有时是第一个在的。别的号码位置不变。"""
    last = next(number for number in numbers if number in good)
    return [last := number if number in good else last for number in numbers]


@dataclass(frozen=True)
class Feed:
    """一次训练用的图像与归一化；``test_files`` 给报告用，可以没有。"""

    standard: Standard
    class_names: tuple[str, ...]
    train: Images
    test: Images
    test_files: tuple[str, ...] = ()

    def tested_on(self, kept: Tensor) -> 'Feed':
        """验证集只留 ``kept`` 这些号码；读不了的只有文件才有。"""
        if len(kept) == len(self.test):
            return self
        test = self.test.only(kept.tolist())
        return replace(self, test=test, test_files=tuple(one.path for one in test.files))


def feed_of(data: Dataset, test_files: tuple[str, ...] = ()) -> Feed:
    """一个 ``Dataset``。"""
    standard = Standard(data.name, data.mean, data.std)
    train, test = TensorImages(data.train), TensorImages(data.test)
    return Feed(standard, data.class_names, train, test, test_files)


def rows_of(count: int, batch_size: int, share: slice, first: int) -> Tensor:
    """一轮 ``count`` 张里，从第 ``first`` 步起，每个小批量中 ``share`` 那几行的位置。"""
    steps = count // batch_size
    rows = torch.arange(steps * batch_size).view(steps, batch_size)[first:, share]
    return rows.flatten()


def part_of(plan: EpochPlan, rows: Tensor) -> EpochPlan:
    """一轮的计划里的几行。"""
    boxes = None if plan.boxes is None else plan.boxes[rows]
    return EpochPlan(plan.order[rows], plan.mirrored[rows], plan.offset[rows], boxes)


class Waited:
    """数着等图像用了多少秒。"""

    def __init__(self) -> None:
        self.seconds = 0.0

    def counting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        while True:
            started = perf_counter()
            batch = next(batches, None)
            self.seconds += perf_counter() - started
            if batch is None:
                return
            yield batch


def train_steps(
    feed: Feed,
    plan: EpochPlan,
    each: int,
    image_size: int,
    device: torch.device,
    waited: Waited,
    changes: Changes | None = None,
) -> Iterator[Batch]:
    """按 ``plan`` 每次 ``each`` 张：X float (n, C, size, size)、y int64 (n,)，在设备上。

    与 ``data.train_batches`` 逐位相同，``changes`` 是另有的裁剪与颜色变化；``plan`` 在 CPU 上。
    """
    average = tuple(round(255 * value) for value in feed.standard.mean)
    augmenting = bool(plan.mirrored.any()) or bool(plan.offset.any())
    rows = plan.order.split(each) if len(plan.order) else ()  # 空的也会分出一组
    batches = waited.counting(feed.train.batches(rows))
    for step, (images, labels) in enumerate(batches):
        which = slice(step * each, (step + 1) * each)
        images = images.to(device, non_blocking=True)
        if augmenting:
            mirrored, offset = plan.mirrored[which], plan.offset[which]
            images = augment(images, mirrored.to(device), offset.to(device))
        if changes is not None:
            images = changes.part(which).apply(images)
        if plan.boxes is not None:
            images = erase(images, plan.boxes[which].to(device), average)
        X = prepare(images, image_size, feed.standard)
        yield X, labels.to(device, non_blocking=True)
