"""``weights/`` 里有哪些网络的权重，各是怎样来的、压缩之后差多少；不需要 PyTorch。

一个文件是 safetensors 格式：开头八个字节是头的长度，头是 JSON，其中 ``__metadata__`` 的
``deepcnn`` 一项就是 ``WeightFacts``。每个文件的 SHA-256 写在旁边的 SHA256SUMS 里，读之前
核对；在 weights/ 里运行 ``sha256sum -c SHA256SUMS`` 也能核对。
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deepcnn.records.store import weights_folder, write_bytes
from deepcnn.records.titles import NETWORKS

SUMS = 'SHA256SUMS'
KEY = 'deepcnn'  # safetensors 头里的一项；只有一项，文件才逐字节相同


@dataclass(frozen=True)
class WeightFacts:
    """一个网络的权重怎样来的，与训练完的那一刻相差多少。

    ``source`` 是训练记录里除曲线之外的各项，加上 ``seed``。准确率与一致率都在 0～1 之间；
    除 ``recorded_accuracy``（训练时按配方的精度测的，写在记录里）之外，都用 fp32 算。
    ``before`` 指训练完的网络，``after`` 指从文件读回的。
    """

    network: str
    source: dict
    # 换成低秩的层，与它们的秩（没有时是 None）；试过的各个秩与那时的一致率。
    low_rank: tuple[str, ...]
    rank: int | None
    ranks_tried: dict[int, float]
    kept_on_training: float  # 在训练集最后 5,000 张上预测不变的比例，挑秩用
    kept_on_test: float  # 在 10,000 张测试图像上预测不变的比例，只报告
    recorded_accuracy: float
    accuracy_before: float
    accuracy_after: float
    # 前 500 张测试图像的预测类别，给测试逐张核对。
    first_before: tuple[int, ...]
    first_after: tuple[int, ...]

    @property
    def image_size(self) -> int:
        """送进网络的边长，像素。"""
        return self.source['image_size']

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> 'WeightFacts':
        found = json.loads(text)
        for name in ('low_rank', 'first_before', 'first_after'):
            found[name] = tuple(found[name])
        found['ranks_tried'] = {int(k): v for k, v in found['ranks_tried'].items()}
        return cls(**found)


def shipped(folder: Path | None = None) -> tuple[str, ...]:
    """现在有权重的网络，按各章的次序。"""
    folder = folder or weights_folder()
    return tuple(name for name in NETWORKS if weight_path(folder, name).is_file())


def weight_facts(name: str, folder: Path | None = None) -> WeightFacts:
    """``name`` 的权重怎样来的；没有或残缺时抛出 ValueError。"""
    return facts_in(read_weights(name, folder))


def facts_in(content: bytes) -> WeightFacts:
    """一个权重文件的内容里写着的 ``WeightFacts``。"""
    end = 8 + int.from_bytes(content[:8], 'little')
    return WeightFacts.from_json(json.loads(content[8:end])['__metadata__'][KEY])


def weight_path(folder: Path, name: str) -> Path:
    return folder / f'{name}.safetensors'


def read_weights(name: str, folder: Path | None = None) -> bytes:
    """读 ``weights/<name>.safetensors`` 的内容，核对过 SHA-256。

    名字不认识、没有这个文件、残缺或被改动过时抛出 ValueError，写明怎样恢复。
    """
    if name not in NETWORKS:
        legal = '、'.join(NETWORKS)
        raise ValueError(f'没有叫 {name!r} 的网络：请从 {legal} 中选一个')
    folder = folder or weights_folder()
    path = weight_path(folder, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        known = '、'.join(shipped(folder)) or '（空）'
        raise ValueError(
            f'weights/ 里没有 {name} 的权重（现有：{known}）：请用 full 档运行 make record '
            '训练它；用 pip 装的请重新安装 deepcnn'
        ) from None
    except OSError as error:
        raise ValueError(f'读不了 {path}（{error.strerror}）：{remedy(path)}') from error
    if digests(folder).get(path.name) != hashlib.sha256(content).hexdigest():
        raise ValueError(
            f'权重文件 {path} 残缺或被改动过（{len(content)} 字节，SHA-256 不符），'
            f'没有用它：{remedy(path)}'
        )
    return content


def remedy(path: Path) -> str:
    return (
        f'在仓库里请运行 git checkout -- weights/{path.name} weights/{SUMS}；'
        '用 pip 装的请重新安装 deepcnn'
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA256SUMS 的内容：文件名 → SHA-256；没有这个文件时是空的。"""
    path = folder / SUMS
    text = path.read_text(encoding='utf-8') if path.exists() else ''
    return {name: digest for digest, name in map(str.split, text.splitlines())}


def write_weights(name: str, content: bytes, folder: Path) -> Path:
    """写 ``<folder>/<name>.safetensors``，把 SHA-256 记进 SHA256SUMS，返回路径。"""
    path = write_bytes(weight_path(folder, name), content)
    known = digests(folder) | {path.name: hashlib.sha256(content).hexdigest()}
    lines = (f'{digest}  {file}\n' for file, digest in sorted(known.items()))
    write_bytes(folder / SUMS, ''.join(lines).encode('utf-8'))
    return path
