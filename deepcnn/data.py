"""读取并校验 Fashion-MNIST；整个数据集以 uint8 放进设备（训练集 47 MB）。"""

import gzip
import hashlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import download_url

FASHION_CLASSES = (
    'T恤', '裤子', '套头衫', '连衣裙', '外套',
    '凉鞋', '衬衫', '运动鞋', '包', '短靴',
)  # fmt: skip

# 解压后四个文件的 MD5；压缩文件的 MD5 由 torchvision 给出。
RAW_MD5 = {
    'train-images-idx3-ubyte': 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    'train-labels-idx1-ubyte': '9018921c3c673c538a1fc5bad174d6f9',
    't10k-images-idx3-ubyte': '8181f5470baa50b63fa0f6fddb340f0a',
    't10k-labels-idx1-ubyte': '15d484375f8d13e6eb1aabb0c3f46965',
}
ARCHIVE_MD5 = dict(FashionMNIST.resources)
DOWNLOAD_TIMEOUT = 20  # 秒；连不上时不让读者久等


@dataclass(frozen=True)
class ImageSet:
    """一组图像与标签：images 为 uint8 (N, 1, H, W)，labels 为 int64 (N,)。"""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> 'ImageSet':
        """返回前 ``count`` 张（None 为全部）。"""
        return ImageSet(self.images[:count], self.labels[:count])

    def split(self, count: int) -> tuple['ImageSet', 'ImageSet']:
        """分成前 ``count`` 张与其余的；两份都不能是空的，否则抛出 ValueError。"""
        if not 0 < count < len(self):
            raise ValueError(f'前一份要有 1～{len(self) - 1} 张，现在是 {count}')
        head = ImageSet(self.images[:count], self.labels[:count])
        return head, ImageSet(self.images[count:], self.labels[count:])

    def to(self, device: torch.device | str) -> 'ImageSet':
        return ImageSet(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """训练集、测试集与它们的说明。``mean``、``std`` 以 0～1 的像素值计。"""

    name: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    mean: float
    std: float
    mirrored_is_same_class: bool  # 左右翻转后类别不变，才能用翻转增广

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
        train, validation = self.train.split(len(self.train) - validation_images)
        name = f'{self.name}（留出 {validation_images:,} 张验证）'
        return replace(self, name=name, train=train, test=validation)


class DataError(ValueError):
    """数据文件残缺或被改动；文件不会被用来训练，也不会被删除。"""


def data_folder() -> Path:
    """返回数据文件夹：环境变量 ``DEEPCNN_DATA``，否则是每个用户自己的缓存。"""
    chosen = os.environ.get('DEEPCNN_DATA')
    return Path(chosen).expanduser() if chosen else user_cache()


def user_cache() -> Path:
    if sys.platform == 'win32':
        base = os.environ.get('LOCALAPPDATA') or Path.home() / 'AppData/Local'
    elif sys.platform == 'darwin':
        base = Path.home() / 'Library/Caches'
    else:
        base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'deepcnn'


def load_dataset(folder: Path | str | None = None) -> Dataset:
    """读取 Fashion-MNIST；既没有文件也没有网络时改用内置的手写数字并明说。

    文件残缺或被改动时抛出 DataError（ValueError 的一种），指出是哪个文件。
    """
    folder = Path(folder).expanduser() if folder else data_folder()
    try:
        root = prepare_fashion_mnist(folder)
    except (URLError, TimeoutError, ConnectionError, socket.gaierror) as error:
        print(
            '注意：没有找到 Fashion-MNIST 的文件，也下载不了'
            f'（{type(error).__name__}）。'
            '改用 scikit-learn 自带的 8×8 手写数字继续，以下结果都不是 '
            'Fashion-MNIST 的；要用它，请把四个 .gz 文件放进 '
            'DEEPCNN_DATA/FashionMNIST/raw/ 再运行。'
        )
        return load_digits_dataset()
    return read_fashion_mnist(root)


def read_fashion_mnist(root: Path) -> Dataset:
    """用 torchvision 读已解压的文件。"""
    train, test = (FashionMNIST(root, train=flag) for flag in (True, False))
    train, test = (
        ImageSet(part.data.unsqueeze(1), part.targets) for part in (train, test)
    )
    return Dataset(
        'Fashion-MNIST', train, test, FASHION_CLASSES,
        *pixel_statistics(train.images), mirrored_is_same_class=True,
    )  # fmt: skip


def pixel_statistics(images: Tensor) -> tuple[float, float]:
    """uint8 图像 (N, 1, H, W) 像素的均值与标准差，像素以 0～1 计。

    分块累加：整个训练集换成双精度要 376 MB。像素是整数，所以两个和都没有舍入。
    """
    total = squares = 0.0
    for part in images.split(500):
        values = part.double()
        total += values.sum().item()
        squares += values.square().sum().item()
    count = images.numel()
    variance = (squares - total**2 / count) / (count - 1)
    return total / count / 255, variance**0.5 / 255


def load_digits_dataset() -> Dataset:
    """scikit-learn 自带的 1797 张手写数字，前 1437 张训练，其余测试。"""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.tensor(digits.images * 255 / 16).round().to(torch.uint8)
    whole = ImageSet(images.unsqueeze(1), torch.tensor(digits.target).long())
    train = whole.first(1437)
    test = ImageSet(whole.images[1437:], whole.labels[1437:])
    return Dataset(
        '手写数字 digits（替代数据）', train, test, tuple('0123456789'),
        *pixel_statistics(train.images), mirrored_is_same_class=False,
    )  # fmt: skip


# ---- 文件：校验、解压、下载 -------------------------------------------------


def prepare_fashion_mnist(folder: Path) -> Path:
    """返回含有四个已解压且校验过的文件的根目录，供 torchvision 读取。

    ``folder`` 里的压缩或已解压文件都会先校验。只读的文件夹也能用：解压结果
    改放到用户缓存。缺的文件从官方地址下载。
    """
    sources = {name: verified_source(folder, name) for name in RAW_MD5}
    if all(path and path.suffix != '.gz' for path in sources.values()):
        return folder
    root = folder if is_writable(folder) else user_cache()
    for name, source in sources.items():
        place_raw_file(name, source or verified_source(root, name), raw_folder(root))
    return root


def raw_folder(root: Path) -> Path:
    return root / 'FashionMNIST' / 'raw'


def verified_source(root: Path, name: str) -> Path | None:
    """返回 ``name`` 的已解压文件，否则返回 .gz；都没有时返回 None。"""
    raw = raw_folder(root) / name
    archive = raw.with_name(f'{name}.gz')
    for path, expected in ((raw, RAW_MD5[name]), (archive, ARCHIVE_MD5[archive.name])):
        if path.exists():
            require_md5(path, expected)
            return path
    return None


def require_md5(path: Path, expected: str) -> None:
    """文件的 MD5 不等于 ``expected`` 时抛出 DataError。"""
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    if digest != expected:
        raise DataError(
            f'数据文件 {path} 残缺或被改动过（{path.stat().st_size} 字节，'
            'MD5 不符），没有用它训练：请换成官方文件，或把它移走后再运行'
        )


def place_raw_file(name: str, source: Path | None, target_folder: Path) -> None:
    """把 ``source``（None 则先下载）解压成 ``target_folder/name``。"""
    target = target_folder / name
    if target == source:
        return
    target_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target_folder) as scratch:
        if source is None:
            source = download(f'{name}.gz', Path(scratch))
        content = source.read_bytes()
        if source.suffix == '.gz':
            content = gzip.decompress(content)
        partial = Path(scratch) / name
        partial.write_bytes(content)
        require_md5(partial, RAW_MD5[name])
        os.replace(partial, target)  # 先写临时文件再改名，中断时不留下半个文件


def download(filename: str, folder: Path) -> Path:
    """从 torchvision 登记的官方地址下载到 ``folder``，带进度条，校验 MD5。"""
    url = FashionMNIST.mirrors[0] + filename
    print(f'下载 {filename} …')
    with socket_timeout(DOWNLOAD_TIMEOUT):
        download_url(url, str(folder), filename, md5=None)
    require_md5(folder / filename, ARCHIVE_MD5[filename])
    return folder / filename


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def is_writable(folder: Path) -> bool:
    """真的写一个临时文件来判断：权限位在只读挂载上不可信。"""
    try:
        raw_folder(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=raw_folder(folder)):
            return True
    except OSError:
        return False
