"""副本放不下时边训练边解码：与有副本时得到同样的训练，坏的图像由别的代替。"""

import json
from collections import namedtuple
from pathlib import Path

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure
from photo_folders import COLOURS, make_photos, photo

from deepcnn.data.cached_copy import decoded_folder
from deepcnn.data.decoding import read_image
from deepcnn.data.fashion_mnist import DataError
from deepcnn.data.image_folders import find_images
from deepcnn.own import Order, report, train_own
from deepcnn.own.feeding import Feed, FileImages, TensorImages, Waited
from deepcnn.own.material import streamed
from deepcnn.own.report import Judged
from deepcnn.own.sealed import unseal

matplotlib.use('Agg')


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp('花'), per_class=6)


def files_of(root: Path, **how: bool) -> FileImages:
    return FileImages(find_images(root).train, 8, 3, threads=2, **how)


def test_files_and_the_copy_give_the_same_batches(root: Path) -> None:
    found = find_images(root)
    copy = decoded_folder(found, 8, 3, None, 2)
    rows = torch.randperm(len(found.train)).split(4)
    one, other = files_of(root), TensorImages(copy.data.train)
    assert len(one) == len(other) and torch.equal(one.labels, other.labels)
    pairs = list(zip(one.batches(rows), other.batches(rows), strict=True))
    assert len(pairs) == len(rows)
    for (images, labels), (expected, answers) in pairs:
        assert torch.equal(images, expected) and torch.equal(labels, answers)
    feed = streamed(found, 8, 3, 2, strict=False)
    assert feed.standard.mean == pytest.approx(copy.data.mean)
    assert feed.standard.std == pytest.approx(copy.data.std)


def test_a_bad_image_is_replaced_and_the_others_keep_their_places(
    tmp_path: Path,
) -> None:
    """报告按位置找文件：好的图像不能因为前面有坏的而移位。"""
    root = make_photos(tmp_path, per_class=6)
    files = find_images(root).train
    Path(files[1].path).write_bytes(b'x')
    images = files_of(root)
    [(batch, labels)] = images.batches([torch.tensor([0, 1, 14])])
    first, last = (read_image(files[number].path, 8, 3) for number in (0, 14))
    assert torch.equal(batch, torch.stack([first, first, last]))
    assert labels.tolist() == [files[0].label, files[0].label, files[14].label]
    [(batch, labels)] = images.batches([torch.tensor([1, 14])])
    assert torch.equal(batch, torch.stack([last, last]))
    assert labels.tolist() == [files[14].label] * 2
    [line] = images.skipped()
    assert Path(files[1].path).name in line
    with pytest.raises(DataError, match='连着 1 张'):
        list(images.batches([torch.tensor([1])]))
    with pytest.raises(DataError, match='--strict'):
        list(files_of(root, strict=True).batches([torch.tensor([0, 1])]))


def test_what_cannot_be_read_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """验证集里坏了一张：与用副本训练时得到同样的报告，不当作前一张来评。"""
    monkeypatch.setattr(report, 'save_figure', lambda stem, fig: None)
    monkeypatch.setattr(report, 'WORST', 99)
    drawn, worst_figure = [], report.worst_figure

    def watched(worst: list[int], judged: Judged, feed: Feed) -> Figure:
        drawn.append([*feed.test.batches([torch.tensor(sorted(worst))])])
        return worst_figure(worst, judged, feed)

    monkeypatch.setattr(report, 'worst_figure', watched)
    root = make_photos(tmp_path / '花', per_class=12)
    files = find_images(root).test
    for one in files[1:]:  # 除了第一张，都换成别的颜色：多半认错
        photo([*COLOURS.values()][one.label - 1], 12, 7).save(one.path)
    Path(files[2].path).write_bytes(b'x')
    told = []
    for cache in ('none', 'stream'):
        out = tmp_path / cache
        order = Order(
            'densenet', str(root), out=str(out), epochs=1, batch=5, precision='fp32',
            cache=cache, threads=2,
        )  # fmt: skip
        train_own(order)
        summary = json.loads((out / 'report.json').read_text('utf-8'))
        told.append((
            summary['accuracy'], summary['run']['test_accuracy'],
            *[(out / f'{name}.csv').read_text('utf-8').splitlines()
              for name in ('confusion', 'mistakes')],
        ))  # fmt: skip
    assert told[0] == told[1] and told[0][0] < 0.5
    [[(copied, _)], [(read, _)]] = drawn
    assert torch.equal(copied, read) and len(copied) == len(told[0][-1]) - 1


def test_a_validation_set_nobody_can_read_is_refused(tmp_path: Path) -> None:
    root = make_photos(tmp_path / '花', per_class=6)
    for one in find_images(root).test:
        Path(one.path).write_bytes(b'x')
    order = Order(
        'densenet', str(root), out=str(tmp_path / 'r'), epochs=1, batch=5, cache='stream'
    )
    with pytest.raises(DataError, match='花 的验证集里没有一张读得了的图像'):
        train_own(order)


def test_training_is_the_same_with_and_without_a_copy(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """图像不到一千张，均值与标准差也相同；磁盘太小时自己就这样做。"""
    monkeypatch.setattr(report, 'save_figure', lambda stem, fig: None)
    disk = namedtuple('Disk', 'free')
    found = []
    for name in ('none', 'full'):
        if name == 'full':
            monkeypatch.setattr('shutil.disk_usage', lambda place: disk(1000))
        order = Order(
            'densenet', str(root), out=str(tmp_path / name), epochs=1, batch=5,
            precision='fp32', cache=None if name == 'full' else name,
        )  # fmt: skip
        train_own(order)
        found.append(unseal(tmp_path / name / 'last.safetensors')[0])
    one, other = found
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
    assert not (tmp_path / '.images').exists()


def test_waiting_is_counted() -> None:
    class Slow:
        def __iter__(self) -> 'Slow':
            return self

        def __next__(self) -> tuple:
            torch.ones(1)
            raise StopIteration

    waited = Waited()
    assert list(waited.counting(iter(Slow()))) == [] and waited.seconds > 0
