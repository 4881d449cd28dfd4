"""遮挡图：把图像的一小块盖住，网络还认得出吗（Zeiler 与 Fergus，2014）。"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepcnn.data.batches import prepare
from deepcnn.data.dataset import Dataset, require_like
from deepcnn.given_numbers import whole_number
from deepcnn.training.evaluation import evaluating


@dataclass(frozen=True)
class Occlusion:
    """``probability`` 是不遮挡时网络给 ``label`` 的概率，0～1。

    ``values`` (h, w)：遮挡块的中心放在第 (i·stride, j·stride) 个像素时的概率，越小，
    盖住的地方对这个答案越要紧。
    """

    label: int
    probability: float
    values: Tensor
    patch: int
    stride: int


@torch.inference_mode()
def occlusion_map(
    net: nn.Module,
    image: Tensor,
    data: Dataset,
    image_size: int,
    label: int | None = None,
    patch: int = 7,
    stride: int = 2,
    batch_size: int = 100,
) -> Occlusion:
    """用边长 ``patch`` 的块依次盖住图像各处，记下网络给 ``label`` 的概率。

    ``image`` 是数据集的一张图像，uint8 (1, C, H, W)；``patch``、``stride`` 以它的像素计。
    块的颜色是训练集的平均，归一化之后几乎是 0。中心走遍 0、stride、2·stride……，伸到
    图像外面的部分不算，所以边角也盖得到。``label`` 不给时是网络自己的答案。网络与
    原来一样。不是这样的一张图像、数不是正整数或没有这个类别时抛出 ValueError。
    """
    require_like(image, data)
    if len(image) != 1:
        raise ValueError(f'一次只看一张图像，现在有 {len(image)} 张：请用 images[:1]')
    patch, stride = whole_number('patch', patch, 1), whole_number('stride', stride, 1)
    batch_size = whole_number('batch_size', batch_size, 1)
    shape = [-(-side // stride) for side in image.shape[-2:]]
    device = next(net.parameters()).device
    found = []
    with evaluating(net):
        for start in range(0, 1 + shape[0] * shape[1], batch_size):  # 第 0 张不遮挡
            centres = slice(max(0, start - 1), start + batch_size - 1)
            part = covered_images(image, data, patch, stride, centres)
            part = part if start else torch.cat([image, part])
            X = prepare(part, image_size, data).to(device)
            found.append(net(X).float().softmax(1).cpu())
    probabilities = torch.cat(found)
    label = int(probabilities[0].argmax()) if label is None else label
    classes = probabilities.shape[1]
    if not 0 <= label < classes:
        raise ValueError(f'没有类别 {label}：编号是 0～{classes - 1}')
    whole, *rest = probabilities[:, label].tolist()
    values = torch.tensor(rest).view(*shape)
    return Occlusion(label, whole, values, patch, stride)


def covered_images(
    image: Tensor,
    data: Dataset,
    patch: int,
    stride: int,
    centres: slice = slice(None),
) -> Tensor:
    """盖住一块的图像，uint8 (n, C, H, W)，中心逐行地移；只要 ``centres`` 那几个中心的。

    一张 224 像素的图像有一万多个中心，全部的图像合起来近 2 GB。
    """
    rows, columns = (_covered(side, patch, stride) for side in image.shape[-2:])
    number = torch.arange(len(rows) * len(columns))[centres]
    rows, columns = rows[number // len(columns)], columns[number % len(columns)]
    mask = rows[:, None, :, None] & columns[:, None, None, :]
    average = [round(255 * value) for value in data.mean]
    fill = torch.tensor(average, dtype=torch.uint8, device=image.device).view(-1, 1, 1)
    return torch.where(mask.to(image.device), fill, image)


def _covered(side: int, patch: int, stride: int) -> Tensor:
    """一个方向上各个中心盖住哪些像素：bool，每个中心一行，每行 side 个。"""
    first = torch.arange(0, side, stride)[:, None] - patch // 2
    pixel = torch.arange(side)
    return (pixel >= first) & (pixel < first + patch)
