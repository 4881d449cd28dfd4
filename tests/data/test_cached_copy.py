"""解码好的副本：内容与逐张解码相同，写一半的、过时的不用，坏的图像跳过或拒绝。"""

import os
from pathlib import Path

import pytest
import torch
from photo_folders import make_photos, photo
from PIL import Image

from deepcnn.data.cached_copy import INDEX, PIXELS, Photographs, decoded_folder
from deepcnn.data.decoding import read_image
from deepcnn.data.fashion_mnist import DataError
from deepcnn.data.image_folders import find_images


def decoded(root: Path, place: Path | None, **how: object) -> Photographs:
    return decoded_folder(find_images(root), 8, 3, place, threads=2, **how)


def test_the_copy_holds_what_the_files_hold(tmp_path: Path) -> None:
    root = make_photos(tmp_path / '花', per_class=5)
    told = []
    first = decoded(root, tmp_path / 'c', tell=lambda done, total: told.append(done))
    data = first.data
    assert told == list(range(1, 16)) and data.name == '花'
    trained = [one.path for one in find_images(root).train]
    for part, files in ((data.train, trained), (data.test, first.test_files)):
        expected = torch.stack([read_image(path, 8, 3) for path in files])
        assert torch.equal(part.images, expected)
        names = [data.class_names[label] for label in part.labels.tolist()]
        assert names == [Path(path).parent.name for path in files]
    values = data.train.images.double() / 255
    assert torch.allclose(torch.tensor(data.mean).double(), values.mean((0, 2, 3)))

    again = decoded(root, tmp_path / 'c', tell=lambda done, total: told.append(-1))
    assert -1 not in told  # 不再解码
    in_memory = decoded(root, None)
    for other in (again, in_memory):
        assert torch.equal(other.data.train.images, data.train.images)
        assert (other.data.mean, other.test_files) == (data.mean, first.test_files)


def test_the_copy_is_mapped_and_never_written_back(tmp_path: Path) -> None:
    root = make_photos(tmp_path / '花', per_class=5)
    decoded(root, tmp_path / 'c')
    [pixels] = (tmp_path / 'c').rglob(PIXELS)
    content = pixels.read_bytes()
    assert len(content) == 15 * 3 * 8 * 8
    os.chmod(pixels, 0o444)
    mapped = decoded(root, tmp_path / 'c').data.train.images
    mapped.zero_()
    assert pixels.read_bytes() == content


@pytest.mark.parametrize('damage', ['no index', 'short', 'garbage'])
def test_an_unfinished_copy_is_made_again(tmp_path: Path, damage: str) -> None:
    root = make_photos(tmp_path / '花', per_class=5)
    expected = decoded(root, tmp_path / 'c').data.train.images.clone()
    [pixels] = (tmp_path / 'c').rglob(PIXELS)
    index = pixels.with_name(INDEX)
    if damage == 'no index':
        index.unlink()
        pixels.write_bytes(b'half')
    elif damage == 'short':
        pixels.write_bytes(pixels.read_bytes()[:-1])
    else:
        index.write_bytes(b'{')
    assert torch.equal(decoded(root, tmp_path / 'c').data.train.images, expected)


def test_changed_images_get_a_new_copy(tmp_path: Path) -> None:
    root = make_photos(tmp_path / '花', per_class=5)
    decoded(root, tmp_path / 'c')
    photo((1, 2, 3), 9, 0).save(root / '红花' / '0.jpg')
    decoded(root, tmp_path / 'c')
    assert len(list((tmp_path / 'c').iterdir())) == 2


def test_bad_images_are_skipped_named_or_refused(tmp_path: Path) -> None:
    root = make_photos(tmp_path / '花', per_class=6)
    (root / '红花' / '2.jpg').write_bytes(b'x')
    for place in (None, tmp_path / 'c', tmp_path / 'c'):
        found = decoded(root, place)
        [bad] = found.skipped
        assert bad.path.endswith('2.jpg') and bad.reason
        assert len(found.data.train) + len(found.data.test) == 17
        assert bad.path not in found.test_files
        assert len(found.test_files) == len(found.data.test)
        with pytest.raises(DataError, match=r'2\.jpg：.*--strict'):
            decoded(root, place, strict=True)
    for path in (root / '红花').iterdir():
        path.write_bytes(b'x')
    for place in (None, tmp_path / 'c'):
        with pytest.raises(DataError, match='「红花」没有一张读得了的训练图像'):
            decoded(root, place)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """其中的文件没有读的权限；测试可能以 root 运行，改权限拦不住它。"""
    names: set[str] = set()
    opened = Image.open

    def guarded(path: str, **how: object) -> Image.Image:
        if Path(path).name in names:
            raise PermissionError(13, 'Permission denied')
        return opened(path, **how)

    monkeypatch.setattr(Image, 'open', guarded)
    return names


@pytest.mark.skipif(os.name == 'nt', reason='映射着的文件删不掉，照用旧的')
@pytest.mark.parametrize('strict', [False, True])
def test_images_that_become_readable_are_used(
    strict: bool, tmp_path: Path, unreachable: set[str]
) -> None:
    """改权限不改文件的大小与时间，副本的名字不变。"""
    root, place = make_photos(tmp_path / '花', per_class=5), tmp_path / 'c'
    unreachable.add('2.jpg')
    before = decoded(root, place)
    assert [bad.reason for bad in before.skipped] == ['没有读的权限'] * 3
    kept = before.data.train.images.clone()
    unreachable.clear()
    after = decoded(root, place, strict=strict)
    assert not after.skipped and len(list(place.iterdir())) == 1
    assert len(after.data.train) + len(after.data.test) == 15
    assert torch.equal(after.data.train.images, decoded(root, None).data.train.images)
    assert torch.equal(before.data.train.images, kept)  # 正用着旧副本的训练不受影响


def test_a_copy_that_cannot_be_removed_is_used(
    tmp_path: Path, unreachable: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows 上别的训练映射着的文件删不掉。"""
    root, place = make_photos(tmp_path / '花', per_class=5), tmp_path / 'c'
    unreachable.add('2.jpg')
    before = decoded(root, place)
    unreachable.clear()

    def mapped(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(Path, 'unlink', mapped)
    assert decoded(root, place).skipped == before.skipped


def test_what_still_cannot_be_read_does_not_cost_a_new_copy(
    tmp_path: Path, unreachable: set[str]
) -> None:
    root, place = make_photos(tmp_path / '花', per_class=5), tmp_path / 'c'
    (root / '绿叶' / '3.png').write_bytes(b'x')
    unreachable.add('2.jpg')
    before, told = decoded(root, place), []
    assert len(before.skipped) == 4
    for gone, renew in ((set(), True), ({'2.jpg'}, False)):
        unreachable -= gone
        again = decoded(root, place, tell=lambda *now: told.append(now), renew=renew)
        assert again.skipped == before.skipped and not told


def test_images_of_one_colour_still_have_a_deviation(tmp_path: Path) -> None:
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new('L', (4, 4), 9).save(tmp_path / name / f'{number}.png')
    assert min(decoded(tmp_path, None).data.std) == pytest.approx(1 / 255)
