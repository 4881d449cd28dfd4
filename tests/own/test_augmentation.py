"""随机裁剪与颜色变化：与逐张照定义算的、与 torchvision 的相同；几个进程、接着训练也一样。"""

from pathlib import Path

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from photo_folders import make_photos
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from deepcnn.data.batches import plan_epoch
from deepcnn.data.image_folders import find_images
from deepcnn.own import Order, report, train_own
from deepcnn.own.augmentation import Augmentation, Changes, crop, draw_crops, recolour
from deepcnn.own.feeding import Waited, part_of, rows_of, train_steps
from deepcnn.own.material import streamed
from deepcnn.own.run_folder import RunFolder

matplotlib.use('Agg')
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    small = torch.randint(0, 256, (6, 3, 8, 8), generator=generator)
    smooth = F.interpolate(small.float(), (32, 32), mode='bicubic')
    return smooth.clamp(0, 255).to(torch.uint8)


def test_crops_fit_and_have_the_areas_asked_for() -> None:
    boxes = draw_crops(4000, 0.3, torch.Generator().manual_seed(1))
    top, left, height, width = boxes.unbind(1)
    assert boxes.min() >= 0
    assert max((top + height).max(), (left + width).max()) <= 1 + 1e-6
    area, aspect = height * width, height / width
    assert area.min() >= 0.3 - 1e-6 and area.max() <= 1 + 1e-6
    assert area.mean() == pytest.approx(0.65, abs=0.02)
    assert 3 / 4 - 1e-5 <= aspect.min() < 0.8 and 1.25 < aspect.max() <= 4 / 3 + 1e-5


def test_a_crop_is_the_rectangle_enlarged(images: Tensor) -> None:
    """边界落在像素上的矩形，与切下来再放大的相同，边上的一圈除外：那里要看矩形外面的像素。"""
    boxes = torch.tensor([[0.25, 0.5, 0.5, 0.5], [0, 0, 1, 1], [0.5, 0, 0.25, 0.5]])
    cropped = crop(images[:3], boxes)
    assert cropped.dtype == torch.uint8 and torch.equal(cropped[1], images[1])
    for number, (rows, columns) in ((0, ((8, 24), (16, 32))), (2, ((16, 24), (0, 16)))):
        taken = images[number : number + 1, :, slice(*rows), slice(*columns)].float()
        expected = F.interpolate(taken, (32, 32), mode='bilinear').round()
        difference = (cropped[number : number + 1].float() - expected).abs()
        assert difference[..., 4:-4, 4:-4].max() <= 1


def test_outside_the_image_the_border_is_repeated(images: Tensor) -> None:
    """夹住坐标与 grid_sample 的 'border' 逐像素相同。"""
    boxes = draw_crops(len(images), 0.2, torch.Generator().manual_seed(3))
    height, width = images.shape[2:]
    top, left, tall, wide = (part[:, None] for part in boxes.unbind(1))
    y = 2 * (top + tall * (torch.arange(height) + 0.5) / height) - 1
    x = 2 * (left + wide * (torch.arange(width) + 0.5) / width) - 1
    grid = torch.stack(
        [x[:, None].expand(-1, height, -1), y[..., None].expand(-1, -1, width)], -1
    )
    bordered = F.grid_sample(images.float(), grid, padding_mode='border', align_corners=False)
    assert (crop(images, boxes).float() - bordered.round()).abs().max() <= 1


def test_colours_change_as_in_torchvision(images: Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    amounts = 1 + 0.5 * (2 * torch.rand(6, 3, generator=generator) - 1)
    found = recolour(images, amounts)
    grey = recolour(images[:, :1], amounts)
    for number, (brightness, contrast, saturation) in enumerate(amounts.tolist()):
        for channels, own in ((slice(3), found), (slice(1), grey)):
            X = images[number, channels].float() / 255
            X = reference.adjust_brightness(X, brightness)
            X = reference.adjust_contrast(X, contrast)
            X = reference.adjust_saturation(X, saturation) if len(X) == 3 else X
            assert (own[number].float() - 255 * X).abs().max() <= 1
    assert torch.equal(recolour(images, torch.ones(6, 3)), images)


def test_nothing_asked_for_changes_nothing(images: Tensor) -> None:
    changes = Augmentation().plan(6, 0, 0)
    assert changes == Changes() and changes.apply(images) is images


def test_every_epoch_and_seed_draws_anew_and_repeats() -> None:
    both = Augmentation(0.5, 0.3)
    one, again = (both.plan(9, 3, 1) for _ in range(2))
    assert torch.equal(one.boxes, again.boxes)
    assert torch.equal(one.amounts, again.amounts)
    assert 0.7 <= one.amounts.min() < one.amounts.max() <= 1.3
    for other in (both.plan(9, 3, 2), both.plan(9, 4, 1)):
        assert not torch.equal(one.boxes, other.boxes)
        assert not torch.equal(one.amounts, other.amounts)
    alone = Augmentation(0.5).plan(9, 3, 1)
    assert torch.equal(alone.boxes, one.boxes) and alone.amounts is None


def test_two_processes_see_what_one_sees(tmp_path: Path) -> None:
    folder = find_images(make_photos(tmp_path / '花'))
    found = streamed(folder, 16, 3, 2, strict=False)
    plan = plan_epoch(len(found.train), 0, 0, True, 1, CPU)
    changes = Augmentation(0.5, 0.3).plan(len(found.train), 0, 0)

    def batches(share: slice) -> list[Tensor]:
        rows = rows_of(len(plan.order), 6, share, 1)
        each = share.stop - share.start
        steps = train_steps(
            found, part_of(plan, rows), each, 16, CPU, Waited(), changes.part(rows)
        )
        return [X for X, _ in steps]

    whole, left, right = map(batches, (slice(0, 6), slice(0, 3), slice(3, 6)))
    assert len(whole) == 2
    for X, *halves in zip(whole, left, right, strict=True):
        assert torch.allclose(X, torch.cat(halves), atol=1e-5)
    plain = next(
        train_steps(
            found, part_of(plan, rows_of(18, 6, slice(6), 1)), 6, 16, CPU, Waited()
        )
    )[0]
    assert not torch.allclose(plain, whole[0], atol=0.1)


def test_training_is_augmented_and_validation_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """裁剪只用在训练的图像上；设置写进 run.json，接着训练照它。"""
    monkeypatch.setattr(report, 'save_figure', lambda stem, fig: None)
    seen: list[int] = []
    real = Changes.apply

    def spy(changes: Changes, images: Tensor) -> Tensor:
        seen.append(len(images))
        return real(changes, images)

    monkeypatch.setattr(Changes, 'apply', spy)
    root = make_photos(tmp_path / '花')
    order = Order(
        'densenet', str(root), out=str(tmp_path / 'r'), epochs=2, batch=6, crop=0.6,
        precision='fp32',
    )  # fmt: skip
    outcome = train_own(order)
    assert seen == [6] * 6  # 18 张训练图像，两轮；验证的 6 张一次也没有
    kept = RunFolder(outcome.folder).settings()['order']
    assert (kept['crop'], kept['jitter'], kept['shift']) == (0.6, 0.2, 0)
    again = Order(out=str(outcome.folder), resume=True)
    assert train_own(again).run.train_loss == outcome.run.train_loss
