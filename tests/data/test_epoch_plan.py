"""每轮的随机数：顺序、翻转与平移按配方来，轮与轮、种子与种子都不同。"""

from itertools import combinations

import pytest
import torch
from torch import Tensor, nn

from deepcnn.data.batches import plan_epoch, train_batches
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
MANY = 20_000


@pytest.mark.parametrize('shift', [0, 1, 3])
def test_offsets_reach_the_shift_and_no_further(shift: int) -> None:
    offset = plan_epoch(MANY, 0, 0, True, shift, CPU).offset
    assert offset.shape == (MANY, 2)
    values = list(range(-shift, shift + 1))
    for axis in offset.T:  # 行与列各自在 ±shift 里均匀
        assert axis.unique().tolist() == values
        shares = [(axis == value).float().mean().item() for value in values]
        assert shares == pytest.approx([1 / len(values)] * len(values), abs=0.015)
    if shift:
        assert torch.corrcoef(offset.T.float())[0, 1].abs() < 0.05


def test_half_of_the_images_are_mirrored_or_none() -> None:
    mirrored = plan_epoch(MANY, 0, 0, True, 0, CPU).mirrored
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.015)
    assert not plan_epoch(MANY, 0, 0, False, 2, CPU).mirrored.any()


def test_every_epoch_and_seed_has_its_own_numbers() -> None:
    plans = [
        plan_epoch(64, seed, epoch, True, 2, CPU, 1.0)
        for seed in range(4)
        for epoch in range(4)
    ]
    for name in ('order', 'mirrored', 'offset', 'boxes'):
        for one, other in combinations(plans, 2):
            assert not torch.equal(getattr(one, name), getattr(other, name)), name


def test_every_image_comes_once_in_no_order_of_its_own() -> None:
    order = plan_epoch(MANY, 0, 0, True, 0, CPU).order
    assert torch.equal(order.sort().values, torch.arange(MANY))
    ranks = torch.stack([order.float(), torch.arange(MANY).float()])
    assert torch.corrcoef(ranks)[0, 1].abs() < 0.05


# ---- 网络真正看见的图像 -------------------------------------------------------------

ROW, COLUMN = 5, 3  # 每张图像只有这一点是亮的；左右不对称，翻转后在第 8 列


def one_bright_pixel() -> Dataset:
    images = torch.zeros(256, 1, 12, 12, dtype=torch.uint8)
    images[:, :, ROW, COLUMN] = 255
    part = ImageSet(images, torch.arange(256) % 2)
    return Dataset('一点', part, part, ('甲', '乙'), (0.0,), (1.0,))


class Watched(nn.Module):
    """记下训练时看见的图像。"""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)
        self.seen: list[Tensor] = []

    def forward(self, X: Tensor) -> Tensor:
        if self.training:
            self.seen.append(X)
        return self.head(X.mean((1, 2, 3)).unsqueeze(1))


def seen_in_one_epoch(size: int, **settings: object) -> Tensor:
    net = Watched()
    recipe = Recipe(size, 1, 1e-3, 32, precision='fp32', **settings)
    fit(net, one_bright_pixel(), recipe, 0, CPU)
    return torch.cat(net.seen)


def places(size: int, **settings: object) -> tuple[set[int], set[int]]:
    """亮点（的重心）到过的行与列，折算成数据集里的像素。"""
    X = seen_in_one_epoch(size, **settings)
    middle = torch.arange(size) + 0.5
    found = []
    for axis in (3, 2):  # 加起来的是另一个方向
        center = (X.sum((1, axis)) * middle).sum(1) / X.sum((1, 2, 3))
        pixel = center * 12 / size - 0.5
        torch.testing.assert_close(pixel, pixel.round(), atol=1e-3, rtol=0)
        found.append(set(pixel.round().int().tolist()))
    return tuple(found)


# 图像也放大一倍：平移的幅度说的是数据集图像的像素，不随边长变。
both_sizes = pytest.mark.parametrize('size', [12, 24])


@both_sizes
def test_without_augmentation_nothing_moves(size: int) -> None:
    assert places(size, flip=False) == ({ROW}, {COLUMN})


@both_sizes
def test_flip_mirrors_left_and_right_only(size: int) -> None:
    assert places(size, flip=True) == ({ROW}, {COLUMN, 11 - COLUMN})


@both_sizes
def test_shift_moves_by_pixels_of_the_data_set(size: int) -> None:
    rows, columns = places(size, flip=False, shift=2)
    assert rows == set(range(ROW - 2, ROW + 3))
    assert columns == set(range(COLUMN - 2, COLUMN + 3))


def test_erasing_reaches_the_network() -> None:
    """擦去的矩形涂成均值，这里是 0：擦到亮点的图像全黑，别的照旧。"""

    def dark(erasing: float) -> int:
        X = seen_in_one_epoch(12, flip=False, erasing=erasing)
        return int((X.amax((1, 2, 3)) == 0).sum())

    assert dark(0) == 0
    assert 0 < dark(0.2) < dark(1) < 256


def numbered() -> Dataset:
    """第 i 张图像的像素都是 i，类别也是 i。"""
    images = torch.arange(100, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    part = ImageSet(images.contiguous(), torch.arange(100))
    return Dataset('编号', part, part, tuple(map(str, range(100))), (0.0,), (1 / 255,))


def test_a_training_follows_the_plans_of_its_seed_and_epochs() -> None:
    for seed in (0, 3):
        net = Watched()
        net.head = nn.Linear(1, 100)
        fit(net, numbered(), Recipe(2, 2, 1e-3, 10, precision='fp32'), seed, CPU)
        seen = torch.cat(net.seen)[:, 0, 0, 0].round().long().split(100)
        for epoch in (0, 1):
            plan = plan_epoch(100, seed, epoch, True, 0, CPU)
            assert torch.equal(seen[epoch], plan.order)


def test_labels_stay_with_their_images() -> None:
    data, plan = numbered(), plan_epoch(100, 0, 0, True, 0, CPU)
    count = 0
    for X, y in train_batches(data, plan, 10, 2):
        assert torch.equal(X[:, 0, 0, 0].round().long(), y)
        count += len(y)
    assert count == 100
