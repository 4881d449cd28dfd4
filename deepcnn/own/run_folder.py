"""一次训练的文件夹：设置、断点、曲线、报告、权重；从不写进别的训练的文件夹。"""

import re
from pathlib import Path

from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.sealed import PARTIAL
from deepcnn.records.store import read_json, write_json

SETTINGS = 'run.json'
RESERVED = re.compile(r'(con|prn|aux|nul|com\d|lpt\d)(\..*)?', re.IGNORECASE)


def safe_name(text: str) -> str:
    """哪个系统上都能当文件名的；Windows 的保留名前面加一横。"""
    kept = re.sub(r'[^\w.()（）+-]', '-', text, flags=re.UNICODE).strip('. ') or '图像'
    return f'-{kept}' if RESERVED.fullmatch(kept) else kept[:60]


class RunFolder:
    """``path`` 里的一次训练。"""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / 'checkpoints')

    @classmethod
    def new(cls, given: Path | None, network: str, data: str) -> 'RunFolder':
        """``given`` 没有给时是 ``runs/网络-数据``，占用了就加号码；给了而不是空的就拒绝。"""
        if given is not None:
            if given.exists() and (not given.is_dir() or any(given.iterdir())):
                raise ValueError(
                    f'{given} 里已经有东西，不覆盖：请用 --out 换一个文件夹，或加 --resume 接着训练'
                )
            return cls._made(given)
        stem = Path('runs') / safe_name(f'{network}-{data}')
        place, number = stem, 1
        while place.exists():
            number += 1
            place = stem.with_name(f'{stem.name}-{number}')
        return cls._made(place)

    @classmethod
    def _made(cls, path: Path) -> 'RunFolder':
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def has_settings(self) -> bool:
        return (self.path / SETTINGS).is_file()

    def is_unstarted(self) -> bool:
        """上次还没有写下设置就断了：里面什么也没有，或只有没有写完的。"""
        return self.path.is_dir() and all(
            one.suffix == PARTIAL for one in self.path.iterdir()
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
