"""数据：随书附带的文件，残缺或被改动时怎么办；成批的增广、缩放与归一化。"""

import hashlib
import shutil
import socket
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import load_digits_dataset
from torchvision.datasets import FashionMNIST

from deepcnn.data import (
    DataError,
    Dataset,
    ImageSet,
    augment,
    dataset,
    load_dataset,
    pixel_statistics,
    plan_epoch,
    prepare,
    test_batches,
    train_batches,
)
from deepcnn.data.batches import erase
from deepcnn.data.fashion_mnist import ARCHIVES, FILES, read_archive, read_fashion_mnist

test_batches.__test__ = False  # 名字像测试，其实是被测的函数


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """四个官方文件的副本，可以弄坏。"""
    return Path(shutil.copytree(FILES, tmp_path / 'files'))


def test_the_files_are_the_published_ones() -> None:
    """MD5 与 torchvision 登记的一致，那里照抄官方的。"""
    assert dict(FashionMNIST.resources) == ARCHIVES
    for name, md5 in ARCHIVES.items():
        assert hashlib.md5((FILES / name).read_bytes()).hexdigest() == md5


def test_fashion_mnist_has_the_published_statistics() -> None:
    data = load_dataset()
    assert data.name == 'Fashion-MNIST'
    assert data.train.images.shape == (60_000, 1, 28, 28)
    assert data.test.images.shape == (10_000, 1, 28, 28)
    assert data.train.labels.bincount().tolist() == [6000] * 10
    assert data.test.labels.bincount().tolist() == [1000] * 10
    assert data.mean == pytest.approx((0.28604,), abs=1e-5)
    assert data.std == pytest.approx((0.35302,), abs=1e-5)


def test_our_reading_agrees_with_torchvision(tmp_path: Path) -> None:
    raw = tmp_path / 'FashionMNIST' / 'raw'
    raw.mkdir(parents=True)
    for name in ARCHIVES:
        (raw / name.removesuffix('.gz')).write_bytes(read_archive(FILES, name))
    ours = load_dataset()
    for part, train in ((ours.train, True), (ours.test, False)):
        theirs = FashionMNIST(tmp_path, train=train)
        assert torch.equal(part.images[:, 0], theirs.data)
        assert torch.equal(part.labels, theirs.targets)


def test_data_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """读数据时一个套接字也不许开。"""

    def refused(*arguments: object, **settings: object) -> None:
        raise OSError('没有网络')

    for name in ('socket', 'create_connection', 'getaddrinfo'):
        monkeypatch.setattr(socket, name, refused)
    read_fashion_mnist.cache_clear()
    assert len(load_dataset().train) == 60_000


def test_the_files_are_read_once_in_a_process() -> None:
    assert load_dataset() is load_dataset()


@pytest.mark.parametrize('name', ARCHIVES)
@pytest.mark.parametrize('fault', ['truncated', 'altered', 'empty', 'missing'])
def test_faulty_file_is_named_refused_and_kept(
    files: Path, name: str, fault: str
) -> None:
    path = files / name
    content = bytearray(path.read_bytes())
    if fault == 'missing':
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        content = {'truncated': content[:-5], 'altered': content, 'empty': b''}[fault]
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_fashion_mnist(files)
    said = str(caught.value)
    assert name in said and f'git checkout -- deepcnn/data/files/{name}' in said
    assert '\n' not in said
    assert fault == 'missing' or path.read_bytes() == content


# ---- 数据集的样子 --------------------------------------------------------------


def grey(count: int = 4, channels: int = 1) -> torch.Tensor:
    return torch.zeros(count, channels, 6, 5, dtype=torch.uint8)


@pytest.mark.parametrize(
    ('images', 'labels', 'said'),
    [
        (grey(), torch.zeros(4).int(), r'int64.*int32.*long\(\)'),
        (grey(), torch.zeros(4, 1).long(), r'\(N,\).*flatten'),
    ],
)
def test_images_and_labels_must_be_what_is_promised(
    images: torch.Tensor, labels: torch.Tensor, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ImageSet(images, labels)


@pytest.mark.parametrize(
    ('train', 'test', 'said'),
    [
        (grey(0), grey(), '训练集是空的'),
        (grey(), grey(0), '测试集是空的'),
        (grey(), grey(channels=3), '测试集有 3 个通道'),
        (grey(channels=3), grey(channels=3), '训练集有 3 个通道'),
    ],
)
def test_a_dataset_must_fit_together(
    train: torch.Tensor, test: torch.Tensor, said: str
) -> None:
    parts = (ImageSet(one, torch.zeros(len(one)).long()) for one in (train, test))
    with pytest.raises(ValueError, match=said):
        Dataset('小数据', *parts, ('a',), (0.5,), (0.1,))


@pytest.mark.parametrize('label', [-1, 2])
def test_labels_must_have_a_class_name(label: int) -> None:
    labels = torch.tensor([0, 1, 0, label])
    with pytest.raises(ValueError, match='类别名却只有 2 个：类别要是 0～1'):
        Dataset(
            '小数据', ImageSet(grey(), labels), ImageSet(grey(), labels),
            ('a', 'b'), (0.5,), (0.1,),
        )  # fmt: skip


def colourful(count: int = 6, height: int = 9, width: int = 7) -> Dataset:
    """三个通道、不方的随机图像；各通道的均值相差很大。"""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 80, (count, 3, height, width), generator=generator)
    images = (images + torch.tensor([0, 80, 160]).view(-1, 1, 1)).to(torch.uint8)
    part = ImageSet(images, torch.arange(count) % 2)
    return Dataset('彩色', part, part, ('a', 'b'), *pixel_statistics(images))


def test_every_channel_has_its_own_statistics() -> None:
    data = colourful(50)
    X = prepare(data.train.images, 9, data)
    assert X.shape == (50, 3, 9, 9)
    pixels = data.train.images.double() / 255
    assert data.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert data.std == pytest.approx(pixels.std((0, 2, 3)).tolist(), rel=1e-12)
    same_size = prepare(data.train.images[..., :7, :], 7, data)
    expected = (pixels[..., :7, :] - torch.tensor(data.mean).view(-1, 1, 1)) / (
        torch.tensor(data.std).view(-1, 1, 1)
    )
    torch.testing.assert_close(same_size, expected.float(), atol=1e-5, rtol=1e-5)


def test_colour_images_keep_their_channels_when_augmented() -> None:
    data = colourful()
    plan = plan_epoch(6, 0, 0, True, 2, torch.device('cpu'), erasing=1.0)
    X, _ = next(train_batches(data, plan, 6, 9))
    assert X.shape == (6, 3, 9, 9)
    images = data.train.images
    moved = augment(images, plan.mirrored, plan.offset)
    for channel in range(3):
        one = augment(images[:, channel : channel + 1], plan.mirrored, plan.offset)
        assert torch.equal(moved[:, channel : channel + 1], one)


def test_images_are_resized_when_only_one_side_differs() -> None:
    data = colourful(height=56, width=32)
    assert prepare(data.train.images, 32, data).shape[-2:] == (32, 32)


@pytest.mark.parametrize('images', [grey().float(), grey()[0]])
def test_prepare_refuses_what_is_not_a_batch_of_bytes(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match='uint8|N, C, H, W'):
        prepare(images, 8, load_digits_dataset())


@pytest.mark.parametrize('size', [96, 350])
def test_shrinking_agrees_with_pil_within_one_grey_level(size: int) -> None:
    """没有抗锯齿的话，400 缩到 96 最多差一百多级。"""
    generator = torch.Generator().manual_seed(0)
    photo = torch.randint(0, 256, (1, 3, 400, 360), generator=generator).to(torch.uint8)
    part = ImageSet(photo, torch.zeros(1).long())
    data = Dataset('照片', part, part, ('a',), (0.0,) * 3, (1 / 255,) * 3)
    ours = prepare(photo, size, data)[0].permute(1, 2, 0)
    pil = Image.fromarray(photo[0].permute(1, 2, 0).numpy())
    theirs = np.asarray(pil.resize((size, size), Image.BILINEAR), dtype=float)
    assert np.abs(ours.round().numpy() - theirs).max() <= 1.0


def test_statistics_are_those_of_all_pixels_at_once() -> None:
    images = torch.randint(0, 256, (1203, 1, 7, 5), dtype=torch.uint8)
    mean, std = pixel_statistics(images)
    pixels = images.double() / 255
    assert mean == pytest.approx((pixels.mean().item(),), rel=1e-12)
    assert std == pytest.approx((pixels.std().item(),), rel=1e-12)


def by_counting(images: torch.Tensor) -> tuple[float, float]:
    """数出各灰度有多少个像素，两个和用 Python 的整数来算，一点舍入也没有。"""
    counts = dict(enumerate(images.flatten().bincount().tolist()))
    pixels = sum(counts.values())
    total = sum(value * count for value, count in counts.items())
    squares = sum(value * value * count for value, count in counts.items())
    variance = (squares - float(total) * float(total) / pixels) / (pixels - 1)
    return total / pixels / 255, sqrt(variance) / 255


@pytest.mark.parametrize('shape', [(1203, 1, 28, 28), (7, 1, 224, 224), (3, 1, 9, 900)])
def test_statistics_are_exact_however_the_images_are_divided(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    (mean,), (std,) = whole = pixel_statistics(images)
    assert (mean, std) == pytest.approx(by_counting(images), rel=1e-15)
    for chunk in (1, 2**23):
        monkeypatch.setattr(dataset, 'CHUNK', chunk)
        assert pixel_statistics(images) == whole


def test_statistics_of_the_book_are_exact() -> None:
    """各章的记录与断点由它们决定，一位也不能变。"""
    data = load_dataset()
    mean, std = by_counting(data.train.images)
    assert (data.mean, data.std) == ((mean,), (std,))


def test_large_images_are_not_made_double_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes, double = [], torch.Tensor.double

    def watched(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.numel())
        return double(tensor)

    monkeypatch.setattr(torch.Tensor, 'double', watched)
    pixel_statistics(torch.zeros(20, 3, 224, 224, dtype=torch.uint8))
    assert max(sizes) <= 2**20 and sum(sizes) == 20 * 3 * 224 * 224


# ---- 成批处理 ----------------------------------------------------------------


def test_mirror_and_shift_move_pixels_where_they_should() -> None:
    image = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    image[0, 0, 1, 0] = 9
    mirrored = augment(image, torch.tensor([True]), torch.tensor([[0, 0]]))
    assert mirrored[0, 0, 1, 4] == 9
    shifted = augment(image, torch.tensor([False]), torch.tensor([[1, -2]]))
    assert shifted[0, 0, 0, 2] == 9
    assert shifted.sum() == 9 == mirrored.sum()


def test_resizing_agrees_with_pil_within_one_grey_level() -> None:
    data = load_digits_dataset()
    images = data.train.images[:16]
    resized = prepare(images, 96, replace(data, mean=(0.0,), std=(1 / 255,)))
    for ours, image in zip(resized, images, strict=True):
        pil = Image.fromarray(image[0].numpy()).resize((96, 96), Image.BILINEAR)
        assert np.abs(ours[0].numpy() - np.asarray(pil, dtype=float)).max() <= 1.0


def test_prepared_training_images_are_standardised() -> None:
    data = load_digits_dataset()
    X = prepare(data.train.images, 8, data)
    assert X.mean().item() == pytest.approx(0, abs=1e-4)
    assert X.std().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize('erasing', [0.0, 0.5])
def test_erasing_leaves_the_other_random_numbers_as_they_were(erasing: float) -> None:
    """用不用擦除，顺序、翻转、平移都是原来那一串随机数：已录的曲线仍能重现。"""
    plan = plan_epoch(200, 3, 2, True, 2, torch.device('cpu'), erasing)
    generator = torch.Generator().manual_seed(3 * 100_003 + 2)
    assert torch.equal(plan.order, torch.randperm(200, generator=generator))
    assert torch.equal(plan.mirrored, torch.rand(200, generator=generator) < 0.5)
    offset = torch.randint(-2, 3, (200, 2), generator=generator)
    assert torch.equal(plan.offset, offset)
    assert (plan.boxes is None) == (erasing == 0)


def test_without_erasing_no_pixel_changes() -> None:
    data = load_digits_dataset()
    plan = plan_epoch(len(data.train), 3, 0, False, 0, torch.device('cpu'))
    X, _ = next(train_batches(data, plan, 64, 8))
    assert torch.equal(X, prepare(data.train.images[plan.order[:64]], 8, data))


def test_erased_rectangles_have_the_published_sizes() -> None:
    plan = plan_epoch(20_000, 0, 0, False, 0, torch.device('cpu'), erasing=0.5)
    top, left, height, width = plan.boxes.T
    chosen = height > 0
    assert chosen.float().mean() == pytest.approx(0.5, abs=0.02)
    area, aspect = (height * width)[chosen], (height / width)[chosen]
    assert area.min() == pytest.approx(0.02, abs=1e-3)
    assert area.max() == pytest.approx(0.4, abs=1e-3)
    assert aspect.max() <= 10 / 3 + 1e-4 and aspect.min() >= 0.3 - 1e-4
    assert aspect.log().mean() == pytest.approx(0, abs=0.02)  # 不偏向高的或宽的
    assert height.max() <= 1 + 1e-6 and width.max() <= 1 + 1e-6
    assert top.min() >= 0 and top.max() < 1 and left.min() >= 0 and left.max() < 1


def test_erasing_fills_exactly_the_rectangle() -> None:
    images = torch.arange(200, dtype=torch.uint8).reshape(2, 1, 10, 10)
    boxes = torch.tensor([[0.5, 0.99, 0.4, 0.3], [0.5, 0.5, 0.0, 0.5]])
    erased = erase(images, boxes, (255,))
    expected = images.clone()
    expected[0, 0, 3:7, 7:10] = 255  # 高 4、宽 3；第二张不擦
    assert torch.equal(erased, expected)
    assert erased.dtype == torch.uint8
    whole = erase(images, torch.tensor([[0.999, 0.0, 1.0, 1.0]] * 2), (0,))
    assert whole.sum() == 0


def test_erased_pixels_are_the_mean_of_the_training_set() -> None:
    data = load_digits_dataset()
    plan = plan_epoch(len(data.train), 3, 0, False, 0, torch.device('cpu'), erasing=1.0)
    X, _ = next(train_batches(data, plan, 256, 8))
    changed = prepare(data.train.images[plan.order[:256]], 8, data) != X
    assert 0.1 < changed.float().mean() < 0.4
    assert X[changed].abs().max() < 0.01  # 归一化之后，均值就是 0


def test_every_test_image_is_used_once() -> None:
    data = load_digits_dataset()
    labels = torch.cat([y for _, y in test_batches(data, 8, batch_size=77)])
    assert torch.equal(labels, data.test.labels)
