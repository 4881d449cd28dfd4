"""随书附带的 Fashion-MNIST：四个官方文件在 ``files/`` 里，读之前先校验，不需要网络。"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from deepcnn.data.dataset import Dataset, ImageSet, pixel_statistics

FASHION_CLASSES = (
    'T恤', '裤子', '套头衫', '连衣裙', '外套',
    '凉鞋', '衬衫', '运动鞋', '包', '短靴',
)  # fmt: skip

FILES = Path(__file__).with_name('files')
# 官方公布的 MD5
ARCHIVES = {
    'train-images-idx3-ubyte.gz': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
    'train-labels-idx1-ubyte.gz': '25c81989df183df01b3e8a0aad5dffbe',
    't10k-images-idx3-ubyte.gz': 'bef4ecab320f06d8554ea6380940ec79',
    't10k-labels-idx1-ubyte.gz': 'bb300cfdad3c16e7a12a480ee83cd310',
}
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049  # IDX 文件开头的四个字节


class DataError(ValueError):
    """数据文件缺少、残缺或被改动；文件不会被用来训练，也不会被删除。"""


def load_dataset() -> Dataset:
    """读取随书附带的 Fashion-MNIST。

    文件缺少、残缺或被改动时抛出 DataError（ValueError 的一种），指出是哪个文件、怎样
    恢复。一个进程里只读一次：不要就地改写返回的张量。
    """
    return read_fashion_mnist(FILES)


@cache
def read_fashion_mnist(folder: Path) -> Dataset:
    """读 ``folder`` 里的四个 .gz 文件，先核对 MD5。"""
    train, test = (
        ImageSet(
            parse_idx(read_archive(folder, f'{part}-images-idx3-ubyte.gz')).unsqueeze(
                1
            ),
            parse_idx(read_archive(folder, f'{part}-labels-idx1-ubyte.gz')).long(),
        )
        for part in ('train', 't10k')
    )
    mean, std = pixel_statistics(train.images)
    return Dataset('Fashion-MNIST', train, test, FASHION_CLASSES, mean, std)


def read_archive(folder: Path, name: str) -> bytes:
    """校验 ``folder/name`` 并返回解压后的内容。"""
    path = folder / name
    try:
        archive = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f'缺少数据文件 {path}：{remedy(path)}') from None
    except OSError as error:
        raise DataError(
            f'读不了数据文件 {path}（{error.strerror}）：{remedy(path)}'
        ) from error
    if hashlib.md5(archive).hexdigest() != ARCHIVES[name]:
        raise DataError(
            f'数据文件 {path} 残缺或被改动过（{len(archive)} 字节，MD5 不符），'
            f'没有用它训练：{remedy(path)}'
        )
    return gzip.decompress(archive)


def remedy(path: Path) -> str:
    """怎样恢复一个数据文件：在仓库里，或在安装的包里。"""
    return (
        f'在仓库里请运行 git checkout -- deepcnn/data/files/{path.name}；'
        '用 pip 装的请重新安装 deepcnn'
    )


def parse_idx(content: bytes) -> Tensor:
    """IDX 文件的内容 → uint8 张量，(N, H, W) 的图像或 (N,) 的标签。

    格式见 LeCun 等的 MNIST 网页：魔数，各维的长度（四字节、高位在前），随后是数据。
    """
    magic = int.from_bytes(content[:4], 'big')
    dimensions = {IMAGES_MAGIC: 3, LABELS_MAGIC: 1}[magic]
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], 'big') for at in range(4, start, 4)]
    # 复制一份：张量不能建在只读的 bytes 上
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(
        shape
    )
