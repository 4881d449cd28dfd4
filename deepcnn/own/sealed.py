"""封好的文件：张量与一段 JSON，连同全部内容的 SHA-256，格式是 safetensors。

读它不执行任何代码（不用 pickle），少一个字节、改一位都看得出。写时先写临时文件，落了盘再改名：
任何时刻被杀死，旧的一份都完好。断点与训练好的网络都这样存。
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from deepcnn.records.store import json_text

PARTIAL = '.part'  # 没有写完的文件
FACTS = 'deepcnn-own'  # 头里的一项，是「SHA-256 JSON」；只有一项，文件才逐字节相同


class Unreadable(ValueError):
    """残缺、被改动过，或不是这里写的文件；消息不含文件名。"""


def digest_of(tensors: Mapping[str, Tensor], facts: str) -> str:
    """名字、类型、形状、内容与 ``facts`` 的 SHA-256。"""
    total = hashlib.sha256(facts.encode('utf-8'))
    for name, tensor in sorted(tensors.items()):
        total.update(f'\n{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        total.update(flat.view(torch.uint8).numpy())
    return total.hexdigest()


def seal(path: Path, tensors: Mapping[str, Tensor], facts: object) -> Path:
    """写一个封好的文件并返回路径；写不下时抛出 OSError，旧的文件不动。"""
    text = json_text(facts)
    held = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
    header = {FACTS: f'{digest_of(held, text)} {text}'}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        safetensors.torch.save_file(held, partial, header)
        with open(partial, 'rb+') as written:
            os.fsync(written.fileno())
        os.chmod(partial, 0o644)  # 写的时候只有自己能读
        os.replace(partial, path)
    except SafetensorError as error:  # 磁盘满也是它，号码在文字里
        number = re.search(r'os error (\d+)', str(error))
        code = int(number[1]) if number else errno.EIO
        # Windows 的号码是另一套：第四个参数把它换成 errno
        windows = code if number else None
        raise OSError(code, os.strerror(code), str(path), windows) from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def unseal(path: Path) -> tuple[dict[str, Tensor], dict]:
    """读回张量（在 CPU 上）与那段 JSON；对不上封口时抛出 Unreadable，读不了时是 OSError。"""
    try:
        with open(path, 'rb'):  # 没有权限的，safetensors 也说成没有这个文件
            pass
        with safe_open(path, 'pt') as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if FACTS not in header:
            raise Unreadable('不是 deepcnn train 写的')
        digest, _, text = header[FACTS].partition(' ')
        if digest_of(tensors, text) != digest:
            raise Unreadable('残缺或被改动过（SHA-256 不符）')
        return tensors, json.loads(text)
    except (SafetensorError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable('不是完整的 safetensors 文件') from error


# ---- 任意的状态拆成张量与 JSON ------------------------------------------------------


def flatten(state: object) -> tuple[dict[str, Tensor], object]:
    """嵌套的字典、列表、元组与数 → 张量，和指着它们的 JSON；``restored`` 倒过来。

    channels_last 的张量存成平常的次序，读回时照旧：融合的优化器按内存的次序更新。
    """
    tensors: dict[str, Tensor] = {}

    def plain(value: object) -> object:
        if isinstance(value, Tensor):
            name = f't{len(tensors)}'
            tensors[name] = value
            return {'tensor': name, 'channels_last': _is_channels_last(value)}
        if isinstance(value, dict):
            return {'items': [[key, plain(one)] for key, one in value.items()]}
        if isinstance(value, tuple):
            return {'tuple': [plain(one) for one in value]}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return value

    return tensors, plain(state)


def restored(tensors: Mapping[str, Tensor], value: object) -> object:
    """``flatten`` 倒过来。"""
    if isinstance(value, list):
        return [restored(tensors, one) for one in value]
    if not isinstance(value, dict):
        return value
    if 'tensor' in value:
        # 复制一份：映射着的文件，Windows 上删不掉
        last = value['channels_last']
        layout = torch.channels_last if last else torch.contiguous_format
        return tensors[value['tensor']].clone(memory_format=layout)
    if 'tuple' in value:
        return tuple(restored(tensors, one) for one in value['tuple'])
    return {key: restored(tensors, one) for key, one in value['items']}


def _is_channels_last(tensor: Tensor) -> bool:
    return (
        tensor.dim() == 4
        and not tensor.is_contiguous()
        and tensor.is_contiguous(memory_format=torch.channels_last)
    )
