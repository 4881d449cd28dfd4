"""活页的数据怎样写成脚本：浏览器从磁盘打开时只读得到脚本，见 frame.js 的 ``Living.put``。"""

import base64
import json
import zlib
from pathlib import Path


def script_text(name: str, value: object) -> str:
    """一份数据：调用一次 ``Living.put`` 的脚本。"""
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    return f'Living.put("{name}", {text})\n'


def write_script(folder: Path, name: str, value: object) -> int:
    """写成 ``folder/<name>.js``，返回字节数。"""
    content = script_text(name, value).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{name}.js').write_bytes(content)
    return len(content)


def packed(content: bytes) -> str:
    """zlib 压缩，再写成 base64；页面里由 bytes.js 的 inflate 读回。"""
    return base64.b64encode(zlib.compress(content, 9)).decode()
