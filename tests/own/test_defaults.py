"""没有给的设置怎样由数据来定；给了的（0 也算）照给的，不合法就拒绝。"""

import math
from pathlib import Path

import pytest
import torch
from photo_folders import make_photos

from deepcnn.models import names
from deepcnn.models.lineup import entry
from deepcnn.own.defaults import Given, Settings, choose, family_of, look_at
from deepcnn.own.material import gather_material
from deepcnn.own.orders import FASHION, Order
from deepcnn.own.run_folder import RunFolder, safe_name
from deepcnn.own.telling import Teller

CPU, GPU = torch.device('cpu'), torch.device('cuda')


def chosen(
    network: str = 'resnet18', images: int = 50_000, typical: int = 256,
    device: torch.device = CPU, tuned: bool = False, **given: object,
) -> Settings:  # fmt: skip
    return choose(network, Given(**given), images, typical, True, device, tuned)


@pytest.mark.parametrize(
    ('network', 'side', 'device', 'expected'),
    [
        ('resnet18', 28, CPU, 32), ('resnet18', 33, CPU, 64), ('resnet18', 500, CPU, 96),
        ('resnet18', 500, GPU, 224), ('resnet18', 100, GPU, 128),
        ('alexnet', 28, CPU, 64), ('nin', 28, CPU, 96), ('nin', 500, CPU, 96),
    ],
)  # fmt: skip
def test_the_side_fits_images_network_and_device(
    network: str, side: int, device: torch.device, expected: int
) -> None:
    assert chosen(network, typical=side, device=device).recipe.image_size == expected


@pytest.mark.parametrize(
    ('images', 'batch', 'epochs'),
    [(50_000, 128, 10), (1_500, 64, 100), (400, 16, 100), (30, 8, 100), (5, 2, 100)],
)
def test_batch_and_epochs_follow_the_number_of_images(
    images: int, batch: int, epochs: int
) -> None:
    recipe = chosen(images=images).recipe
    assert (recipe.batch_size, recipe.epochs) == (batch, epochs)


@pytest.mark.parametrize('network', names())
def test_the_rate_is_that_of_the_chapter(network: str) -> None:
    usual = entry(family_of(network)).recipes['laptop']
    assert chosen(network).recipe.lr == pytest.approx(usual.lr)
    small = chosen(network, images=700).recipe
    smaller = math.sqrt(32 / usual.batch_size)
    assert small.batch_size == 32 and small.lr == pytest.approx(usual.lr * smaller)
    assert chosen(network, tuned=True).recipe.lr == pytest.approx(usual.lr / 3)


def test_images_have_one_channel_or_three() -> None:
    with pytest.raises(ValueError, match='--channels 要是 1 或 3，现在是 2'):
        chosen(channels=2)


def test_what_is_given_is_taken_and_said() -> None:
    found = chosen(
        side=64,
        channels=1,
        batch=7,
        epochs=3,
        lr=0.5,
        flip=False,
        crop=0.7,
        jitter=0.1,
        seed=9,
        optimizer='sgd',
    )
    recipe = found.recipe
    assert (recipe.image_size, recipe.batch_size, recipe.epochs, recipe.lr) == (
        64,
        7,
        3,
        0.5,
    )
    assert (recipe.flip, recipe.seeds, recipe.optimizer) == (False, (9,), 'sgd')
    assert found.channels == 1
    assert (found.augmentation.crop, found.augmentation.jitter) == (0.7, 0.1)
    assert all('给定' in reason for reason in found.reasons.values())
    assert not any('给定' in reason for reason in chosen().reasons.values())
    for name, value in (('crop', 0), ('crop', 1.1), ('jitter', -0.1), ('jitter', 1)):
        with pytest.raises(ValueError, match=f'--{name}'):
            chosen(**{name: value})
    for name in ('side', 'batch', 'epochs', 'lr'):
        with pytest.raises(ValueError, match='必须大于 0'):
            chosen(**{name: 0})
    with pytest.raises(ValueError, match='--batch'):
        chosen(images=5, batch=6)


@pytest.mark.parametrize(
    ('typical', 'given', 'expected', 'said'),
    [
        (256, {}, (0, 0.5, 0.2), '左右翻转；随机裁剪，至少占 50% 的面积（照片）；亮度'),
        (256, {'channels': 1}, (0, 0.5, 0.0), '左右翻转；随机裁剪，至少占 50% 的面积（照片）'),
        (64, {'crop': 1.0}, (4, 1.0, 0.2), '左右翻转；平移至多 4 像素（照片）；亮度'),
        (63, {}, (4, 1.0, 0.2), '左右翻转；平移至多 4 像素（小图）；亮度'),
        (63, {'shift': 9, 'jitter': 0.0}, (9, 1.0, 0.0), '左右翻转；平移至多 9 像素（给定）'),
        (28, {'flip': False, 'shift': 0, 'jitter': 0.0}, (0, 1.0, 0.0), '没有'),
    ],
)  # fmt: skip
def test_photographs_are_cropped_and_colours_change(
    typical: int, given: dict, expected: tuple[float, ...], said: str
) -> None:
    found = chosen(typical=typical, **given)
    own = found.augmentation
    assert (found.recipe.shift, own.crop, own.jitter) == expected
    assert found.reasons['增广'].startswith(said)
    assert ('饱和度变化至多 20%（彩色）' in found.reasons['增广']) == (own.jitter > 0)


def test_the_shift_counts_pixels_of_the_stored_images() -> None:
    """28 像素的图像放大到 224，平移的仍是 28 像素里的几个；整张移出去的不许。"""
    known = (50_000, 28, False, CPU, False)
    given = Given(side=224)
    assert choose('resnet18', given, *known, stored_side=28).recipe.shift == 1
    assert choose('resnet18', given, *known).recipe.shift == 14
    assert chosen(typical=28, side=32, shift=31).recipe.shift == 31
    with pytest.raises(ValueError, match='平移要小于图像的边长 32 像素'):
        chosen(typical=28, side=32, shift=32)
    with pytest.raises(ValueError, match='平移要小于图像的边长 28 像素'):
        choose('resnet18', Given(side=224, shift=28), *known, stored_side=28)


def test_the_images_of_fashion_mnist_are_28_pixels(tmp_path: Path) -> None:
    order = Order('resnet18', FASHION, side=224)
    found = gather_material(order, RunFolder(tmp_path), CPU, Teller(quiet=True))
    assert found.settings.recipe.shift == 1


def test_the_beginning_of_the_files_tells_side_and_colour(tmp_path: Path) -> None:
    for grey in (False, True):
        root = make_photos(tmp_path / str(grey), per_class=2, side=20, grey=grey)
        paths = [str(path) for path in root.rglob('*.png')]
        assert look_at(paths) == (20, not grey)
    assert look_at([str(tmp_path / '无')]) == (64, False)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('resnet18-花 园', 'resnet18-花-园'), ('CON', '-CON'), ('nul.txt', '-nul.txt'),
        ('a/b:c*?', 'a-b-c--'), ('..', '图像'), ('字' * 99, '字' * 60),
    ],
)  # fmt: skip
def test_folder_names_work_on_every_system(text: str, expected: str) -> None:
    assert safe_name(text) == expected


def test_a_folder_with_other_things_is_not_an_unstarted_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.is_unstarted()
    (tmp_path / 'run.jsonabc.part').write_bytes(b'')  # 没有写完的
    assert folder.is_unstarted()
    (tmp_path / '照片.jpg').write_bytes(b'')
    assert not folder.is_unstarted()
