"""随书附带的文件：类别的中文名对得上官方的次序，读不了时说清楚。"""

import shutil
from pathlib import Path

import pytest
from torchvision.datasets import FashionMNIST

from deepcnn.data import FASHION_CLASSES, DataError
from deepcnn.data.fashion_mnist import FILES, read_archive, read_fashion_mnist

OFFICIAL = {
    'T-shirt/top': 'T恤', 'Trouser': '裤子', 'Pullover': '套头衫', 'Dress': '连衣裙',
    'Coat': '外套', 'Sandal': '凉鞋', 'Shirt': '衬衫', 'Sneaker': '运动鞋', 'Bag': '包',
    'Ankle boot': '短靴',
}  # fmt: skip


def test_classes_are_in_the_official_order() -> None:
    assert tuple(OFFICIAL[name] for name in FashionMNIST.classes) == FASHION_CLASSES


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    name = 't10k-labels-idx1-ubyte.gz'
    (tmp_path / name).mkdir()  # 打得开名字、读不了内容
    with pytest.raises(DataError, match=f'读不了数据文件 .*{name}（.+）') as caught:
        read_archive(tmp_path, name)
    assert isinstance(caught.value.__cause__, OSError)


def test_one_bad_file_among_good_ones_stops_the_reading(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES, tmp_path / 'files'))
    images = folder / 't10k-images-idx3-ubyte.gz'
    shutil.copy(folder / 'train-images-idx3-ubyte.gz', images)  # 完好，但不是这一个
    with pytest.raises(DataError, match=images.name):
        read_fashion_mnist(folder)
