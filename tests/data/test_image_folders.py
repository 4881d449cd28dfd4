"""图像文件夹：怎样找到图像与类别，怎样分，哪些文件夹拒绝。"""

import os
import re
from pathlib import Path

import pytest
from photo_folders import COLOURS, make_photos, photo

from deepcnn.data.fashion_mnist import DataError
from deepcnn.data.image_folders import (
    find_images,
    images_under,
    require_outside,
    shown,
)


def counts(files: tuple, classes: int = 3) -> list[int]:
    return [sum(one.label == label for one in files) for label in range(classes)]


def test_a_fifth_of_every_class_is_held_out_by_the_seed(tmp_path: Path) -> None:
    root = make_photos(tmp_path, per_class=10)
    (root / '红花' / '10.png').write_bytes(b'')
    found = find_images(root, seed=0)
    assert found.class_names == tuple(sorted(COLOURS))
    assert sorted(counts(found.test)) == [2, 2, 2]
    assert sorted(counts(found.train)) == [8, 8, 9]
    assert not {one.path for one in found.train} & {one.path for one in found.test}
    assert find_images(root, seed=0) == found
    assert find_images(root, seed=1).test != found.test
    assert '20%' in found.split and '种子 0' in found.split


def test_a_class_of_one_image_is_trained_on(tmp_path: Path) -> None:
    root = make_photos(tmp_path, per_class=5)
    for path in sorted((root / '蓝天').iterdir())[1:]:
        path.unlink()
    found = find_images(root)
    label = found.class_names.index('蓝天')
    assert counts(found.test)[label] == 0 and counts(found.train)[label] == 1


@pytest.mark.parametrize('held', ['val', 'Valid', 'validation', 'test'])
def test_a_given_split_is_kept(tmp_path: Path, held: str) -> None:
    make_photos(tmp_path / 'train', per_class=3)
    make_photos(tmp_path / held, per_class=2)
    (tmp_path / held / '红花' / '0.jpg').unlink()
    found = find_images(tmp_path)
    assert counts(found.train) == [3, 3, 3]
    assert sorted(counts(found.test)) == [1, 2, 2]
    assert held in found.split
    for one in found.test:
        assert found.class_names[one.label] == Path(one.path).parent.name


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """别的类别旁边、直接放着图像的 train 是火车；只与 val 并列的还是没有分好类。"""
    root = make_photos(tmp_path / '车', per_class=5)
    (root / '红花').rename(root / 'train')
    (root / 'train' / '.隐藏').mkdir()
    found = find_images(root)
    assert set(found.class_names) == {'train', '绿叶', '蓝天'}
    assert len(found.train) + len(found.test) == 15
    (root / '绿叶').rename(root / 'val')
    (root / '蓝天').rename(tmp_path / '别处')
    with pytest.raises(DataError, match='train 里没有子文件夹'):
        find_images(root)


def test_only_images_count_and_hidden_files_do_not(tmp_path: Path) -> None:
    make_photos(tmp_path / 'a', per_class=2)
    inner = tmp_path / 'a' / '红花' / '里层 文件夹'
    inner.mkdir()
    photo((1, 2, 3), 8, 0).save(inner / '大写.PNG')
    for name in ('._0.jpg', '.DS_Store', 'Thumbs.db', '说明.txt'):
        (tmp_path / 'a' / '红花' / name).write_bytes(b'x')
    (tmp_path / 'a' / '.git').mkdir()
    names = [os.path.basename(path) for path in images_under(tmp_path / 'a' / '红花')]
    assert sorted(names) == ['0.jpg', '1.png', '大写.PNG']
    assert len(find_images(tmp_path / 'a').class_names) == 3


def test_links_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    root = make_photos(tmp_path / 'a', per_class=2)
    (root / '红花' / '圈').symlink_to(root / '红花', target_is_directory=True)
    (root / '红花' / '断.png').symlink_to(root / '没有')
    assert len(images_under(root / '红花')) == 2
    (tmp_path / 'b').mkdir()
    for name in COLOURS:  # 链接到别处的类别照样读
        (tmp_path / 'b' / name).symlink_to(root / name, target_is_directory=True)
    assert len(find_images(tmp_path / 'b').class_names) == 3


def test_names_in_any_bytes_are_read_and_shown(tmp_path: Path) -> None:
    for name in ('CON', 'a b'):  # Windows 的保留名、空格
        (tmp_path / name).mkdir()
        photo((9, 9, 9), 8, 0).save(tmp_path / name / '0.png')
    gbk = os.fsencode(tmp_path) + b'/' + '红猫'.encode('gbk')
    os.mkdir(gbk)
    photo((9, 9, 9), 8, 0).save(tmp_path / '0.png')
    os.rename(tmp_path / '0.png', gbk + b'/' + '图'.encode('gbk') + b'.png')
    photo((9, 9, 9), 8, 1).save(tmp_path / 'CON' / '1.png')
    found = find_images(tmp_path)
    assert found.class_names == ('CON', 'a b', '红猫')
    assert {shown(one.path)[-5:] for one in found.train} >= {'图.png'}
    found.class_names[2].encode('utf-8')
    assert len(found.digest()) == 64
    assert shown(b'\xff\xff.png'.decode('utf-8', 'surrogateescape')) == r'\xff\xff.png'


def test_only_a_wanted_validation_set_must_exist(tmp_path: Path) -> None:
    root = make_photos(tmp_path, per_class=1)
    with pytest.raises(DataError, match='留不出验证集'):
        find_images(root)
    found = find_images(root, needs_test=False)
    assert (len(found.train), len(found.test), found.held_out) == (3, 0, True)


def test_what_is_written_must_not_become_a_class(tmp_path: Path) -> None:
    """看不见的文件夹、分好的两部分旁边都不算；链接算它指着的地方。"""
    root = make_photos(tmp_path / '花', per_class=1)
    (tmp_path / '链接').symlink_to(root, target_is_directory=True)
    for place in (root, root / 'runs' / 'a', root / '红花' / 'a', tmp_path / '链接' / 'a'):
        with pytest.raises(DataError, match='会被当成一个类别：请用 --out'):
            require_outside(place, root, '--out')
    for place in (tmp_path / 'runs', tmp_path / '花2', root / '.runs' / 'a'):
        require_outside(place, root, '--out')
    for part in ('train', 'val'):
        make_photos(tmp_path / '分好' / part, per_class=1)
        with pytest.raises(DataError, match='分好'):
            require_outside(tmp_path / '分好' / part / 'a', tmp_path / '分好', '--out')
    require_outside(tmp_path / '分好' / 'runs', tmp_path / '分好', '--out')
    require_outside(tmp_path / 'runs', tmp_path / '无', '--out')


def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    def refused(root: Path, said: str) -> None:
        with pytest.raises(DataError, match=re.escape(said)) as told:
            find_images(root)
        assert '\n' not in str(told.value)

    refused(tmp_path / '无', '没有这个文件夹')
    root = make_photos(tmp_path / '花', per_class=2)
    refused(root / '红花' / '0.jpg', '不是文件夹')
    refused(root / '红花', '里没有子文件夹')
    (root / '空 的').mkdir()
    refused(root, '空的类别：空 的')
    only = make_photos(tmp_path / '一类', per_class=2)
    for name in ('绿叶', '蓝天'):
        for path in (only / name).iterdir():
            path.unlink()
        (only / name).rmdir()
    refused(only, '只有一个类别「红花」')
    single = make_photos(tmp_path / '各一张', per_class=1)
    refused(single, '留不出验证集')
    split = tmp_path / '分好的'
    make_photos(split / 'train', per_class=2)
    make_photos(split / 'val', per_class=2)
    (split / 'val' / '红花').rename(split / 'val' / '紫花')
    refused(split, '训练集没有的类别：紫花')


def test_the_digest_changes_with_the_images(tmp_path: Path) -> None:
    root = make_photos(tmp_path, per_class=3)
    before = find_images(root).digest()
    assert find_images(root).digest() == before
    os.utime(root / '红花' / '0.jpg', ns=(1, 1))
    touched = find_images(root).digest()
    photo((1, 1, 1), 9, 5).save(root / '红花' / '9.png')
    assert len({before, touched, find_images(root).digest()}) == 3
