"""给每张位图写上宽高，并请浏览器先取第一张。

不写宽高，图到了浏览器才知道它多高，下面的文字会突然往下跳；慢的网络上尤其恼人。
各图同时下载会互相拖慢，而读者先看到的是第一张。
"""

import re
import struct
from pathlib import Path

PICTURE = re.compile(r'<img (?![^>]*\b(?:width|style)=)[^>]*\bsrc="([^"]+\.png)"[^>]*>')
PNG_HEAD = b'\x89PNG\r\n\x1a\n'


def png_size(path: Path) -> tuple[int, int]:
    """返回 PNG 的宽和高，像素；不是 PNG 时抛出 ValueError。"""
    head = path.read_bytes()[:24]
    if len(head) < 24 or not head.startswith(PNG_HEAD):
        raise ValueError(f'{path} 不是 PNG 图像')
    return struct.unpack('>II', head[16:24])


def size_pictures(page: str, folder: Path) -> str:
    """``folder`` 是网页所在的文件夹；别的格式和已写明大小的图不动。"""
    met = []

    def sized(match: re.Match[str]) -> str:
        width, height = png_size(folder / match[1])
        met.append(match[1])
        order = 'high' if len(met) == 1 else 'low'
        attributes = f'width="{width}" height="{height}" fetchpriority="{order}"'
        return match[0].replace('<img ', f'<img {attributes} ', 1)

    return PICTURE.sub(sized, page)
