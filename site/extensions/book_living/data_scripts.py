"""活页的数据里由记录与 Fashion-MNIST 得出的：构建时写成脚本，不提交，只用标准库。

一个数据是 ``_static/living/data/<名字>.js``，其中调用一次 ``Living.put``。
"""

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from book_root import ROOT
from sphinx.application import Sphinx

FILES = ROOT / 'deepcnn' / 'data' / 'files'
PIXELS = 28 * 28
TRAIN, HELD_OUT = 2000, 500  # 现场训练用前 2,000 张训练图像，最后 500 张留出


def archive(name: str, header: int) -> bytes:
    """数据文件解压之后、去掉 IDX 开头的内容。"""
    return gzip.decompress((FILES / f'{name}-ubyte.gz').read_bytes())[header:]


def images(part: str) -> bytes:
    """``train`` 或 ``t10k`` 的像素，一张 784 个字节。"""
    return archive(f'{part}-images-idx3', 16)


def labels(part: str) -> str:
    """``train`` 或 ``t10k`` 的类别，一张一位数字。"""
    return ''.join(map(str, archive(f'{part}-labels-idx1', 8)))


def packed(content: bytes) -> str:
    """zlib 压缩，再写成 base64；页面里由 bytes.js 的 inflate 读回。"""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def training_images() -> dict[str, dict[str, str]]:
    """现场训练的两份图像。"""
    pixels, classes = images('train'), labels('train')
    return {
        'train': {
            'pixels': packed(pixels[: TRAIN * PIXELS]),
            'labels': classes[:TRAIN],
        },
        'held': {
            'pixels': packed(pixels[-HELD_OUT * PIXELS :]),
            'labels': classes[-HELD_OUT:],
        },
    }


def write(folder: Path, name: str, value: Any) -> int:
    """写成 ``folder/<name>.js``，返回字节数。"""
    content = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    script = f'Living.put({json.dumps(name)}, {content})\n'.encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.js').write_bytes(script)
    return len(script)


def write_all(app: Sphinx) -> None:
    """写出全部数据；``app.living_bytes`` 记下各有几个字节。"""
    app.living_bytes = {}
    if app.builder.format != 'html':
        return
    folder = Path(app.outdir) / '_static' / 'living' / 'data'
    for make in (training_images,):
        app.living_bytes[make.__name__] = write(folder, make.__name__, make())


def setup(app: Sphinx) -> None:
    app.connect('builder-inited', write_all)
