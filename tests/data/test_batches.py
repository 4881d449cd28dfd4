"""成批的增广与逐张手写的一样：翻转、平移、擦除、缩放、归一化，以及图像与标签的对应。"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepcnn.data import Dataset, ImageSet, pixel_statistics, plan_epoch, train_batches
from deepcnn.data.batches import EpochPlan, draw_boxes, erase, prepare
from deepcnn.data.batches import test_batches as unaugmented

HEIGHT, WIDTH, CPU = 9, 7, torch.device('cpu')


def colourful(count: int) -> Dataset:
    """三个通道、不方的随机图像；标签就是图像的序号。"""
    generator = torch.Generator().manual_seed(0)
    size = (count, 3, HEIGHT, WIDTH)
    images = torch.randint(1, 256, size, generator=generator).to(torch.uint8)
    part = ImageSet(images, torch.arange(count))
    names = tuple(map(str, range(count)))
    return Dataset('彩色', part, part, names, *pixel_statistics(images))


def by_hand(data: Dataset, plan: EpochPlan, position: int) -> np.ndarray:
    """这一轮的第 ``position`` 张，一个像素一个像素地做，uint8 (3, H, W)。"""
    image = data.train.images[plan.order[position]].numpy()
    down, right = plan.offset[position].tolist()
    done = np.zeros_like(image)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            from_row = row + down
            from_column = WIDTH - 1 - column if plan.mirrored[position] else column
            from_column += right
            if 0 <= from_row < HEIGHT and 0 <= from_column < WIDTH:
                done[:, row, column] = image[:, from_row, from_column]
    if plan.boxes is None:
        return done
    top, left, *sides = plan.boxes[position].tolist()
    height, width = round(sides[0] * HEIGHT), round(sides[1] * WIDTH)
    top, left = int(top * (HEIGHT - height + 1)), int(left * (WIDTH - width + 1))
    for channel, value in enumerate(data.mean):
        done[channel, top : top + height, left : left + width] = round(255 * value)
    return done


@pytest.mark.parametrize(
    ('flip', 'shift', 'erasing'),
    [(True, 2, 0.7), (True, 0, 0.0), (False, 2, 0.0), (False, 0, 1.0), (False, 0, 0.0)],
)
def test_batches_are_those_made_one_image_at_a_time(
    flip: bool, shift: int, erasing: float
) -> None:
    data = colourful(30)
    plan = plan_epoch(30, 1, 2, flip, shift, CPU, erasing)
    batches = list(train_batches(data, plan, 8, WIDTH))
    assert [len(y) for _, y in batches] == [8, 8, 8]  # 最后 6 张不够一批
    assert torch.equal(torch.cat([y for _, y in batches]), plan.order[:24])
    expected = [torch.from_numpy(by_hand(data, plan, i)) for i in range(24)]
    X = torch.cat([X for X, _ in batches])
    torch.testing.assert_close(X, prepare(torch.stack(expected), WIDTH, data))


def test_an_epoch_that_divides_evenly_uses_every_image() -> None:
    data = colourful(24)
    plan = plan_epoch(24, 0, 0, False, 0, CPU)
    labels = torch.cat([y for _, y in train_batches(data, plan, 8, HEIGHT)])
    assert labels.sort().values.tolist() == list(range(24))


def test_rectangles_are_drawn_as_the_recorded_curves_need() -> None:
    """随机数的次序与公式都固定：已录的曲线用的就是它们。"""
    random = torch.rand(5, 6, generator=torch.Generator().manual_seed(3))
    boxes = draw_boxes(6, 0.5, torch.Generator().manual_seed(3))
    for index, (chosen, share, shape, top, left) in enumerate(random.T.tolist()):
        area = 0.02 + 0.38 * share
        aspect = min(1 / area, 10 / 3) ** (2 * shape - 1)
        height = (area * aspect) ** 0.5 if chosen < 0.5 else 0.0
        expected = [top, left, height, (area / aspect) ** 0.5]
        assert boxes[index].tolist() == pytest.approx(expected, rel=1e-4)


def test_images_for_testing_are_only_resized_and_normalized() -> None:
    data = colourful(10)
    batches = list(unaugmented(data, WIDTH, batch_size=4))
    assert [len(y) for _, y in batches] == [4, 4, 2]
    X, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert torch.equal(X, prepare(data.test.images, WIDTH, data))
    assert torch.equal(y, data.test.labels)


def smooth(height: int, width: int) -> Dataset:
    """一张斜着变亮的图像：放大之后每个像素都能手算。"""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    image = (20 * rows + 10 * columns).to(torch.uint8)[None, None]
    part = ImageSet(image, torch.zeros(1).long())
    return Dataset('斜坡', part, part, ('a',), (0.0,), (1 / 255,))


def test_enlarging_keeps_the_centres_of_the_pixels() -> None:
    """双线性、像素中心对齐：输出第 i 个的中心在输入的 (i + 0.5)/2 − 0.5 处。"""
    data = smooth(6, 6)
    X = prepare(data.train.images, 12, data)[0, 0]
    place = ((torch.arange(12) + 0.5) / 2 - 0.5).clamp(0, 5)
    torch.testing.assert_close(X, 20 * place[:, None] + 10 * place)


def test_an_image_is_smoothed_when_only_its_longer_side_shrinks() -> None:
    """12 行缩成 4 行：每三行有一行亮。不先滤掉高频的话，取到的恰好都是亮的那一行。"""
    rows = torch.tensor([0, 240, 0], dtype=torch.uint8).repeat(4)[:, None]
    part = ImageSet(rows.repeat(1, 4)[None, None], torch.zeros(1).long())
    X = prepare(part.images, 4, replace(smooth(4, 4), train=part, test=part))
    # 三角形的权重 1、2、3、2、1，除以 9：亮的一行占三分之一。
    assert X[0, 0, 1:3].flatten().tolist() == pytest.approx([80] * 8, abs=1)


def test_a_rectangle_at_the_very_end_stays_inside() -> None:
    images = torch.zeros(1, 1, 10, 10, dtype=torch.uint8)
    erased = erase(images, torch.tensor([[1.0, 1.0, 0.4, 0.3]]), (9,))
    expected = images.clone()
    expected[..., 6:, 7:] = 9
    assert torch.equal(erased, expected)
