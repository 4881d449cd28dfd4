"""一次训练的文件夹：设置、断点、曲线、报告、权重；从不写进别的训练的文件夹。"""

import os
import re
from pathlib import Path

from filelock import FileLock, Timeout

from deepcnn.data.file_lock import taken_lock
from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.sealed import PARTIAL
from deepcnn.records.store import read_json, write_json

SETTINGS = 'run.json'
LOCK = 'lock'  # 在断点的文件夹里；进程被杀死时由操作系统放开
RESERVED = re.compile(r'(con|prn|aux|nul|com\d|lpt\d)(\..*)?', re.IGNORECASE)


def safe_name(text: str) -> str:
    """哪个系统上都能当文件名的；Windows 的保留名前面加一横。"""
    kept = re.sub(r'[^\w.()（）+-]', '-', text, flags=re.UNICODE).strip('. ') or '图像'
    return f'-{kept}' if RESERVED.fullmatch(kept) else kept[:60]


def free_name(stem: Path) -> Path:
    """``stem``，占用了就加号码。"""
    place, number = stem, 1
    while os.path.lexists(place):  # 断了的符号链接也占着名字
        number += 1
        place = stem.with_name(f'{stem.name}-{number}')
    return place


class RunFolder:
    """``path`` 里的一次训练；``stem`` 是没有给名字时起的，占用了就加号码。"""

    def __init__(self, path: Path, stem: Path | None = None) -> None:
        self.path, self.stem = path, stem
        self._lock: FileLock | None = None

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / 'checkpoints')

    @classmethod
    def new(cls, given: Path | None, network: str, data: str) -> 'RunFolder':
        """只起名字，不建：``given`` 没有给时是 ``runs/网络-数据``；给了而不是空的就拒绝。"""
        if given is not None:
            folder = cls(given)
            folder.require_new()
            return folder
        stem = Path('runs') / safe_name(f'{network}-{data}')
        return cls(free_name(stem), stem)

    def require_new(self) -> None:
        if self.path.exists() and not self.is_unstarted():
            raise ValueError(
                f'{self.path} 里已经有东西，不覆盖：请用 --out 换一个文件夹，或加 --resume 接着训练'
            )

    def claim(self) -> None:
        """建好文件夹，占着它到 ``release``；别的训练占着时抛出 ValueError。"""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while self.stem is not None:
            try:
                self.path.mkdir()
                break
            except FileExistsError:  # 同时开始的另一次训练也起了这个名字
                self.path = free_name(self.stem)
        place = self.checkpoints.folder
        place.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = taken_lock(place / LOCK, timeout=0)
        except Timeout:
            raise ValueError(
                f'{self.path} 这个文件夹正在训练：请等它停下，或用 --out 换一个文件夹'
            ) from None

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def has_settings(self) -> bool:
        return (self.path / SETTINGS).is_file()

    def is_unstarted(self) -> bool:
        """上次还没有写下设置就断了：里面什么也没有，或只有没有写完的。"""
        place = self.checkpoints.folder
        return (
            self.path.is_dir()
            and not self.checkpoints.found()
            and all(one.suffix == PARTIAL or one == place for one in self.path.iterdir())
        )

    def settings(self) -> dict:
        """``run.json``；没有或残缺时抛出 ValueError。"""
        try:
            return dict(read_json(self.path / SETTINGS))
        except FileNotFoundError:
            raise ValueError(
                f'{self.path} 里没有 {SETTINGS}：接着训练要给出上次的文件夹（--out）'
            ) from None
        except (ValueError, TypeError):
            raise ValueError(
                f'{self.path / SETTINGS} 残缺：请换一个 --out，从头训练'
            ) from None

    def write_settings(self, settings: dict) -> None:
        write_json(self.path / SETTINGS, settings)
