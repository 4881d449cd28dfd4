"""数据集换设备、取一部分：训练集与测试集都跟着变，说明不变。"""

import numpy as np
import pytest
import torch

from deepcnn.data import Dataset, ImageSet, prepare


def dataset(std: tuple[float, ...] = (0.1,)) -> Dataset:
    def part(count: int) -> ImageSet:
        images = torch.arange(count * 20).reshape(count, 1, 4, 5).to(torch.uint8)
        return ImageSet(images, torch.arange(count) % 2)

    return Dataset('小数据', part(9), part(6), ('甲', '乙'), (0.5,), std)


def test_both_parts_move_to_the_device() -> None:
    moved = dataset().to('meta')
    for part in (moved.train, moved.test):
        assert part.images.device.type == part.labels.device.type == 'meta'
    assert (moved.name, moved.mean, moved.std) == ('小数据', (0.5,), (0.1,))


@pytest.mark.parametrize(
    ('train', 'test', 'sizes'),
    [(3, 2, (3, 2)), (None, 2, (9, 2)), (3, None, (3, 6)), (99, 99, (9, 6))],
)
def test_the_first_images_of_each_part(
    train: int | None, test: int | None, sizes: tuple[int, int]
) -> None:
    whole = dataset()
    some = whole.first(train, test)
    assert (len(some.train), len(some.test)) == sizes
    for ours, all_of_it in ((some.train, whole.train), (some.test, whole.test)):
        assert torch.equal(ours.images, all_of_it.images[: len(ours)])
        assert torch.equal(ours.labels, all_of_it.labels[: len(ours)])


def test_a_split_keeps_images_and_labels_together() -> None:
    whole = dataset().train
    head, rest = whole.split(4)
    assert (len(head), len(rest)) == (4, 5)
    for name in ('images', 'labels'):
        joined = torch.cat([getattr(head, name), getattr(rest, name)])
        assert torch.equal(joined, getattr(whole, name))
    for count in (0, 9, -1):
        with pytest.raises(ValueError, match='1～8 张'):
            whole.split(count)


def test_every_channel_needs_its_deviation() -> None:
    with pytest.raises(ValueError, match='均值、标准差却有 1、2 个'):
        dataset((0.1, 0.2))


@pytest.mark.parametrize('labels', [3, 5])
def test_as_many_labels_as_images(labels: int) -> None:
    with pytest.raises(ValueError, match=f'图像有 4 张，标签却有 {labels} 个'):
        ImageSet(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(labels).long())


@pytest.mark.parametrize('labels', [[0, 1], np.array([0, 1])], ids=['list', 'numpy'])
def test_labels_are_a_tensor(labels: object) -> None:
    with pytest.raises(ValueError, match='标签应是.*的张量.*torch.as_tensor 转换'):
        ImageSet(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), labels)


@pytest.mark.parametrize('shape', [(4, 6, 5), (4, 1, 1, 6, 5)])
def test_images_have_four_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r'图像应是 \(N, C, H, W\).*unsqueeze'):
        ImageSet(torch.zeros(shape, dtype=torch.uint8), torch.zeros(4).long())


@pytest.mark.parametrize('dtype', [torch.int8, torch.int64, torch.float32, torch.bool])
def test_images_are_bytes(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix('torch.')
    with pytest.raises(ValueError, match=f'图像应是 uint8.*{name}.*round'):
        ImageSet(torch.zeros(4, 1, 2, 2, dtype=dtype), torch.zeros(4).long())


@pytest.mark.parametrize('channels', [1, 3])
def test_batches_of_other_channels_are_not_prepared(channels: int) -> None:
    """一个均值也能减三个通道：不查的话，多出的通道悄悄用别的颜色的均值。"""
    data = Dataset('两色', *[ImageSet(torch.zeros(2, 2, 4, 4, dtype=torch.uint8),
                   torch.zeros(2).long())] * 2, ('甲',), (0.5,) * 2, (0.2,) * 2)  # fmt: skip
    images = torch.zeros(2, channels, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=f'图像有 {channels} 个通道，两色 却有 2 个'):
        prepare(images, 4, data)
