"""训练记录放在哪里，怎样写盘。"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / 'results'  # 仓库里的记录；录制写到这里
INSTALLED_RESULTS = ROOT / 'deepcnn' / 'results'  # 用 pip 装的包里的
WEIGHTS = ROOT / 'weights'  # 各章训练好的权重，与记录同一次写出
INSTALLED_WEIGHTS = ROOT / 'deepcnn' / 'weights'


def results_folder() -> Path:
    """读记录的文件夹：安装的包里的那一份，没有时是仓库里的 results/。"""
    return INSTALLED_RESULTS if INSTALLED_RESULTS.is_dir() else RESULTS


def weights_folder() -> Path:
    """读权重的文件夹：安装的包里的那一份，没有时是仓库里的 weights/。"""
    return INSTALLED_WEIGHTS if INSTALLED_WEIGHTS.is_dir() else WEIGHTS


def write_json(path: Path, content: object) -> Path:
    """把 ``content`` 写成 JSON 并返回路径；先写完再改名，中断时不留半个文件。"""
    return write_bytes(path, (json_text(content, 1) + '\n').encode('utf-8'))


def json_text(content: object, indent: int | None = None) -> str:
    """``content`` 写成 JSON 的文字，汉字照写；不给 ``indent`` 时是一行。

    不是 UTF-8 的文件名写不成文字，那时全写成转义，读回仍相同。
    """
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text


def write_bytes(path: Path, content: bytes) -> Path:
    """写一个文件并返回路径；先写完再改名，中断时不留半个文件。

    写不成（磁盘满了）时抛出的 OSError 说的是 ``path``，不是临时文件。
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp('.part', path.stem, path.parent, text=False)
    try:
        with os.fdopen(handle, 'wb') as target:
            target.write(content)
        os.chmod(partial, 0o644)  # mkstemp 的文件只有自己能读
        os.replace(partial, path)
    except BaseException as error:
        Path(partial).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise
    return path


def write_text(path: Path, text: str) -> Path:
    """写一个 UTF-8 的文字文件，换行照 ``text``；同样不留半个文件。"""
    return write_bytes(path, text.encode('utf-8'))


def read_json(path: Path) -> object:
    """读回 ``write_json`` 写的内容；没有这个文件时抛出 FileNotFoundError。"""
    return json.loads(path.read_text(encoding='utf-8'))


@contextmanager
def explaining(path: Path, remedy: str) -> Iterator[None]:
    """读 ``path`` 的一段：残缺或被改动时抛出 ValueError，说是哪个文件、怎么办。"""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f'{path.name} 读不了（{error}）：{remedy}') from error
