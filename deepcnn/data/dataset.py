"""数据集的样子：uint8 的图像、int64 的类别、各通道的均值与标准差。"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from deepcnn.given_numbers import finite_numbers, whole_number

CHUNK = 2**19  # 算均值时一次换成双精度的像素数，4 MB


@dataclass(frozen=True)
class ImageSet:
    """一组图像与标签：images 为 uint8 (N, C, H, W)，labels 为 int64 (N,)。

    形状、类型或张数不对时抛出 ValueError，说明应当是什么。
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        require_images(self.images)
        labels = self.labels
        _require_tensor('标签应是 int64 (N,)', labels)
        if labels.dtype != torch.int64 or labels.dim() != 1:
            raise ValueError(
                f'标签应是 int64 (N,)，现在是 {_described(labels)}：'
                '请用 labels.long().flatten() 转换'
            )
        if len(labels) != len(self.images):
            raise ValueError(
                f'图像有 {len(self.images)} 张，标签却有 {len(labels)} 个：要一样多'
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> 'ImageSet':
        """返回前 ``count`` 张（None 为全部）；不是正整数时抛出 ValueError。"""
        if count is not None:
            count = whole_number('张数', count, 1)
        return ImageSet(self.images[:count], self.labels[:count])

    def split(self, count: int) -> tuple['ImageSet', 'ImageSet']:
        """分成前 ``count`` 张与其余的；两份都不能是空的，否则抛出 ValueError。"""
        count = whole_number('前一份的张数', count, None)
        if not 0 < count < len(self):
            raise ValueError(f'前一份要有 1～{len(self) - 1} 张，现在是 {count}')
        head = ImageSet(self.images[:count], self.labels[:count])
        return head, ImageSet(self.images[count:], self.labels[count:])

    def to(self, device: torch.device | str) -> 'ImageSet':
        return ImageSet(self.images.to(device), self.labels.to(device))


def require_images(images: Tensor) -> None:
    """不是 uint8 (N, C, H, W) 的图像抛出 ValueError，写明怎样转换。"""
    _require_tensor('图像应是 uint8 (N, C, H, W)', images)
    if images.dim() != 4:
        raise ValueError(
            f'图像应是 (N, C, H, W)，现在是 {_described(images)}：'
            '单通道的请用 images.unsqueeze(1) 加上通道维，只有一张的用 image.unsqueeze(0)'
        )
    if images.dtype != torch.uint8:
        raise ValueError(
            f'图像应是 uint8（像素 0～255），现在是 {_described(images)}：'
            '像素在 0～1 之间的请用 (255 * images).round().to(torch.uint8) 转换'
        )


def _require_tensor(expected: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(
            f'{expected} 的张量，现在是 {type(value).__name__}：请用 torch.as_tensor 转换'
        )


def _described(tensor: Tensor) -> str:
    return f'{str(tensor.dtype).removeprefix("torch.")} {tuple(tensor.shape)}'


@dataclass(frozen=True)
class Dataset:
    """训练集、测试集与它们的说明。

    ``mean``、``std`` 每个通道一个数，以 0～1 的像素值计。训练集或测试集是空的、通道数
    不同、类别超出 ``class_names``、标准差不大于 0 时抛出 ValueError。NumPy 的数组与列表也
    接受，存成 Python 自己的元组。
    """

    name: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ('mean', 'std'):
            numbers = finite_numbers(name, getattr(self, name))
            object.__setattr__(self, name, numbers)
        object.__setattr__(self, 'class_names', tuple(map(str, self.class_names)))
        if min(self.std, default=1) <= 0:
            raise ValueError(f'{self.name} 的标准差要大于 0，现在是 {self.std}')
        channels = len(self.mean)
        for title, part in (('训练集', self.train), ('测试集', self.test)):
            if len(part) == 0:
                raise ValueError(f'{self.name} 的{title}是空的：至少要一张图像')
            if part.images.shape[1] != channels or len(self.std) != channels:
                raise ValueError(
                    f'{self.name} 的{title}有 {part.images.shape[1]} 个通道，均值、标准差却'
                    f'有 {channels}、{len(self.std)} 个：每个通道要一个'
                )
            if part.labels.device.type != 'meta':
                self._require_classes(title, part.labels)

    def _require_classes(self, title: str, labels: Tensor) -> None:
        low, high = labels.aminmax()
        if low < 0 or high >= len(self.class_names):
            raise ValueError(
                f'{self.name} 的{title}里有类别 {int(low)}～{int(high)}，类别名却只有 '
                f'{len(self.class_names)} 个：类别要是 0～{len(self.class_names) - 1}'
            )

    def to(self, device: torch.device | str) -> 'Dataset':
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def first(self, train_images: int | None, test_images: int | None) -> 'Dataset':
        """返回只含前若干张图像的数据集（None 为全部）；均值与标准差不变。"""
        return replace(
            self,
            train=self.train.first(train_images),
            test=self.test.first(test_images),
        )

    def hold_out(self, validation_images: int) -> 'Dataset':
        """留出训练集的最后若干张作验证集，放在 ``test`` 的位置；真正的测试集不在其中。

        挑选超参数只看验证集。均值与标准差不变。张数不合法时抛出 ValueError。
        """
        validation_images = whole_number('validation_images', validation_images, None)
        train, validation = self.train.split(len(self.train) - validation_images)
        name = f'{self.name}（留出 {validation_images:,} 张验证）'
        return replace(self, name=name, train=train, test=validation)


def require_like(images: Tensor, data: Dataset) -> None:
    """不是至少一张 uint8 (N, C, H, W)，或通道数与 ``data`` 不同的图像抛出 ValueError。"""
    require_images(images)
    if len(images) == 0:
        raise ValueError('图像是空的：至少要一张')
    if images.shape[1] != len(data.mean):
        raise ValueError(
            f'图像有 {images.shape[1]} 个通道，{data.name} 却有 {len(data.mean)} 个：'
            '请先转换成一样的'
        )


def pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """uint8 图像 (N, C, H, W) 每个通道的均值与标准差，像素以 0～1 计。

    每个通道不到两个像素时抛出 ValueError。
    分块累加：整个训练集换成双精度要 376 MB。像素是整数，所以两个和都没有舍入，怎样分块结果
    都一样。
    """
    require_images(images)
    total = torch.zeros(images.shape[1], dtype=torch.float64, device=images.device)
    squares = total.clone()
    for part in images.split(max(1, CHUNK // max(1, images.shape[1:].numel()))):
        values = part.double()
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
    count = images.numel() // max(images.shape[1], 1)
    if count < 2:
        raise ValueError(
            f'算标准差每个通道至少要两个像素，现在的图像是 {_described(images)}'
        )
    variance = (squares - total**2 / count) / (count - 1)
    return tuple((total / count / 255).tolist()), tuple((variance**0.5 / 255).tolist())


def photograph_statistics(
    images: Tensor,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """``pixel_statistics``，标准差至少一个灰度级：读者的图像也许全是一个颜色。"""
    mean, std = pixel_statistics(images)
    return mean, tuple(max(value, 1 / 255) for value in std)
