"""数据：残缺、被改动、只读、断网，以及替代数据。"""

import gzip
import hashlib
import os
import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from deepcnn import data as data_module
from deepcnn.batches import (
    augment,
    erase,
    plan_epoch,
    prepare,
    test_batches,
    train_batches,
)
from deepcnn.data import (
    ARCHIVE_MD5,
    RAW_MD5,
    DataError,
    load_dataset,
    load_digits_dataset,
    pixel_statistics,
    prepare_fashion_mnist,
    raw_folder,
)

test_batches.__test__ = False  # 名字像测试，其实是被测的函数


@pytest.fixture
def small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """一个含四个小的 idx 压缩文件的数据文件夹；登记的 MD5 换成它们的。"""
    folder = tmp_path / 'data'
    raw_folder(folder).mkdir(parents=True)
    for name in RAW_MD5:
        content = idx_bytes(name)
        archive = gzip.compress(content, mtime=0)
        (raw_folder(folder) / f'{name}.gz').write_bytes(archive)
        monkeypatch.setitem(RAW_MD5, name, md5(content))
        monkeypatch.setitem(ARCHIVE_MD5, f'{name}.gz', md5(archive))
    monkeypatch.setattr(data_module, 'user_cache', lambda: tmp_path / 'cache')
    return folder


def idx_bytes(name: str) -> bytes:
    """20 张图像（或标签）的 idx 文件，格式见 MNIST 的说明。"""
    rng = np.random.default_rng(len(name))
    if 'images' in name:
        header = np.array([0x803, 20, 28, 28], dtype='>i4').tobytes()
        return header + rng.integers(0, 256, 20 * 784, dtype=np.uint8).tobytes()
    header = np.array([0x801, 20], dtype='>i4').tobytes()
    return header + rng.integers(0, 10, 20, dtype=np.uint8).tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def no_network(*arguments: object, **keywords: object) -> None:
    raise URLError('没有网络')


def test_archives_are_unpacked_and_read(small_files: Path) -> None:
    data = load_dataset(small_files)
    assert data.name == 'Fashion-MNIST'
    assert data.train.images.shape == (20, 1, 28, 28)
    assert data.train.images.dtype == torch.uint8
    assert len(data.test.labels) == 20
    names = {path.name for path in raw_folder(small_files).iterdir()}
    assert names == set(RAW_MD5) | set(ARCHIVE_MD5)  # 没有留下临时文件


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('fault', ['truncated', 'altered'])
def test_faulty_file_is_named_refused_and_kept(
    small_files: Path, suffix: str, fault: str
) -> None:
    load_dataset(small_files)
    path = raw_folder(small_files) / f'train-images-idx3-ubyte{suffix}'
    if suffix:
        (raw_folder(small_files) / 'train-images-idx3-ubyte').unlink()
    content = bytearray(path.read_bytes())
    content = content[:-5] if fault == 'truncated' else content[:-1] + b'\x00\x01'
    path.write_bytes(content)
    with pytest.raises(DataError, match=path.name):
        load_dataset(small_files)
    assert path.read_bytes() == content


def test_read_only_folder_is_unpacked_elsewhere(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(raw_folder(small_files).iterdir())
    # root 不受权限位约束，所以直接让“能否写入”的判断为否。
    monkeypatch.setattr(data_module, 'is_writable', lambda folder: False)
    root = prepare_fashion_mnist(small_files)
    assert root == tmp_path / 'cache'
    assert len(load_dataset(small_files).train) == 20
    assert sorted(raw_folder(small_files).iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason='root 可以写只读文件夹')
def test_read_only_permission_is_noticed(small_files: Path) -> None:
    raw_folder(small_files).chmod(0o500)
    assert not data_module.is_writable(small_files)


def test_offline_without_files_falls_back_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(data_module, 'download_url', no_network)
    data = load_dataset(tmp_path / 'empty')
    printed = capsys.readouterr().out
    assert '手写数字' in printed and 'DEEPCNN_DATA' in printed
    assert 'digits' in data.name
    assert len(data.train) + len(data.test) == 1797


def test_missing_files_are_downloaded_and_checked(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(url: str, root: str, filename: str, md5: str | None = None) -> None:
        shutil.copy(raw_folder(small_files) / filename, Path(root) / filename)

    monkeypatch.setattr(data_module, 'download_url', serve)
    assert len(load_dataset(tmp_path / 'new').train) == 20


def test_truncated_download_is_refused(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(url: str, root: str, filename: str, md5: str | None = None) -> None:
        content = (raw_folder(small_files) / filename).read_bytes()
        (Path(root) / filename).write_bytes(content[:-3])

    monkeypatch.setattr(data_module, 'download_url', serve)
    with pytest.raises(DataError, match='残缺'):
        load_dataset(tmp_path / 'new')
    assert not any(raw_folder(tmp_path / 'new').iterdir())


def test_folder_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('DEEPCNN_DATA', str(tmp_path))
    assert data_module.data_folder() == tmp_path
    monkeypatch.delenv('DEEPCNN_DATA')
    assert data_module.data_folder() == data_module.user_cache()


def test_real_fashion_mnist_has_the_published_statistics() -> None:
    data = load_dataset()
    if data.name != 'Fashion-MNIST':
        pytest.skip('这台机器上没有 Fashion-MNIST，也没有网络')
    assert data.train.images.shape == (60_000, 1, 28, 28)
    assert data.test.images.shape == (10_000, 1, 28, 28)
    assert data.train.labels.bincount().tolist() == [6000] * 10
    assert data.mean == pytest.approx(0.28604, abs=1e-5)
    assert data.std == pytest.approx(0.35302, abs=1e-5)


def test_statistics_are_those_of_all_pixels_at_once() -> None:
    images = torch.randint(0, 256, (1203, 1, 7, 5), dtype=torch.uint8)
    mean, std = pixel_statistics(images)
    pixels = images.double() / 255
    assert mean == pytest.approx(pixels.mean().item(), rel=1e-12)
    assert std == pytest.approx(pixels.std().item(), rel=1e-12)


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
    resized = F.interpolate(images.float(), (96, 96), mode='bilinear')
    for ours, image in zip(resized, images, strict=True):
        pil = Image.fromarray(image[0].numpy()).resize((96, 96), Image.BILINEAR)
        assert np.abs(ours[0].numpy() - np.asarray(pil, dtype=float)).max() <= 1.0


def test_prepared_training_images_are_standardised() -> None:
    data = load_digits_dataset()
    X = prepare(data.train.images, 8, data)
    assert X.mean().item() == pytest.approx(0, abs=1e-4)
    assert X.std().item() == pytest.approx(1, abs=1e-4)


def test_an_epoch_visits_every_image_once_and_is_reproducible() -> None:
    data = load_digits_dataset()
    device = torch.device('cpu')
    first, again, other = (
        plan_epoch(len(data.train), 3, epoch, True, 1, device) for epoch in (0, 0, 1)
    )
    assert torch.equal(first.order.sort().values, torch.arange(len(data.train)))
    assert torch.equal(first.order, again.order)
    assert torch.equal(first.mirrored, again.mirrored)
    assert not torch.equal(first.order, other.order)
    batches = list(train_batches(data, first, 100, 16))
    assert len(batches) == len(data.train) // 100
    assert batches[0][0].shape == (100, 1, 16, 16)
    assert torch.equal(batches[1][1], data.train.labels[first.order[100:200]])


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
    erased = erase(images, boxes, 255)
    expected = images.clone()
    expected[0, 0, 3:7, 7:10] = 255  # 高 4、宽 3；第二张不擦
    assert torch.equal(erased, expected)
    assert erased.dtype == torch.uint8
    whole = erase(images, torch.tensor([[0.999, 0.0, 1.0, 1.0]] * 2), 0)
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
