"""测试用的小数据：scikit-learn 自带的手写数字，8×8，一两秒就能真的训练。"""

import torch
from sklearn.datasets import load_digits

from deepcnn.data.dataset import Dataset, ImageSet, pixel_statistics


def load_digits_dataset() -> Dataset:
    """1797 张手写数字，前 1437 张训练，其余测试。"""
    digits = load_digits()
    images = torch.tensor(digits.images * 255 / 16).round().to(torch.uint8).unsqueeze(1)
    train, test = ImageSet(images, torch.tensor(digits.target).long()).split(1437)
    statistics = pixel_statistics(train.images)
    return Dataset('手写数字 digits', train, test, tuple('0123456789'), *statistics)
