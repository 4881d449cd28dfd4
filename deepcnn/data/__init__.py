"""随书附带的数据，以及成批的打乱、增广、缩放与归一化。"""

from deepcnn.data.batches import (
    augment,
    plan_epoch,
    prepare,
    test_batches,
    train_batches,
)
from deepcnn.data.dataset import Dataset, ImageSet, pixel_statistics
from deepcnn.data.fashion_mnist import FASHION_CLASSES, DataError, load_dataset

__all__ = [
    'FASHION_CLASSES', 'DataError', 'Dataset', 'ImageSet', 'augment', 'load_dataset',
    'pixel_statistics', 'plan_epoch', 'prepare', 'test_batches', 'train_batches',
]  # fmt: skip
