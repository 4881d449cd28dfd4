"""给每张图写上宽高，并请浏览器先取第一张，其余的快要看到、或页面闲下来时才取。

不写宽高，图到了浏览器才知道它多高，下面的文字会突然往下跳；慢的网络上尤其恼人。
各图同时下载会互相拖慢，而读者先看到的是第一张。没有脚本时浏览器不推迟。

图按 110 dpi 的大小显示：画得更密的，在高分屏上和放大之后更清楚，占的地方不变。
"""

import re
import struct
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

# 网站的标志在 _static 里，不是正文的图。
PICTURE = re.compile(
    r'<img (?![^>]*\b(?:width|style)=)(?![^>]*_static/)'
    r'[^>]*\bsrc="(?!https?:)([^"]+\.(?:png|svg))"[^>]*>'
)
# 嵌在页面里的（没有脚本时的实验台）：不另取，只写宽高。
EMBEDDED = re.compile(
    r'<img (?![^>]*\b(?:width|style)=)(?=[^>]*\bsrc="data:image/png;base64,([^"]+)")'
)
# 笔记本里写明的像素数；写成样式的高，图变窄时不会跟着变矮。
IN_PIXELS = re.compile(r'(<img [^>]*?) style="width: \d+px; height: \d+px;"')
SVG_SIDES = re.compile(
    r'<svg [^>]*?\bwidth="([\d.]+)(pt)?"[^>]*?\bheight="([\d.]+)(?:pt)?"', re.S
)
PNG_HEAD = b'\x89PNG\r\n\x1a\n'
SHOWN_DPI = 110
POINTS_PER_INCH = 72
METRES_PER_INCH = 0.0254


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """PNG 里像素之前的各块：名字与内容。"""
    at = len(PNG_HEAD)
    while at + 8 <= len(data):
        length, name = struct.unpack('>I4s', data[at : at + 8])
        if name == b'IDAT':
            return
        yield name, data[at + 8 : at + 8 + length]
        at += length + 12  # 长度、名字与校验和各 4 字节


def png_size(path: Path) -> tuple[int, int]:
    """返回 PNG 显示时的宽和高，CSS 像素；不是 PNG 时抛出 ValueError。"""
    return size_in(path.read_bytes(), str(path))


def size_in(data: bytes, name: str) -> tuple[int, int]:
    """PNG 的内容 ``data`` 的宽和高，与 ``png_size`` 同；``name`` 用在出错的话里。"""
    if len(data) < 24 or not data.startswith(PNG_HEAD):
        raise ValueError(f'{name} 不是 PNG 图像')
    width, height = struct.unpack('>II', data[16:24])
    density = dict(chunks(data)).get(b'pHYs', b'')
    if len(density) == 9 and density[8] == 1:  # 1：每米多少像素
        dpi = round(struct.unpack('>I', density[:4])[0] * METRES_PER_INCH)
        scale = min(1, SHOWN_DPI / dpi) if dpi else 1
        width, height = round(width * scale), round(height * scale)
    return width, height


def svg_size(path: Path) -> tuple[int, int]:
    """返回 SVG 显示时的宽和高，CSS 像素；没有写明大小时抛出 ValueError。

    matplotlib 画的以磅计，与位图一样大；示意图以像素计，照写明的。
    """
    sides = SVG_SIDES.search(path.read_text(encoding='utf-8'))
    if not sides:
        raise ValueError(f'{path} 没有写明宽和高')
    scale = SHOWN_DPI / POINTS_PER_INCH if sides[2] else 1
    return round(float(sides[1]) * scale), round(float(sides[3]) * scale)


def size_pictures(page: str, folder: Path) -> str:
    """``folder`` 是网页所在的文件夹；别的格式和已写明大小的图不动。"""
    met = []

    def sized(match: re.Match[str]) -> str:
        path = folder / unquote(match[1])
        width, height = svg_size(path) if path.suffix == '.svg' else png_size(path)
        met.append(match[1])
        when = 'fetchpriority="high"' if len(met) == 1 else 'loading="lazy"'
        attributes = f'width="{width}" height="{height}" {when}'
        return match[0].replace('<img ', f'<img {attributes} ', 1)

    def sized_here(match: re.Match[str]) -> str:
        width, height = size_in(b64decode(match[1]), '嵌在页面里的图')
        return f'<img width="{width}" height="{height}" '

    page = EMBEDDED.sub(sized_here, page)
    return PICTURE.sub(sized, IN_PIXELS.sub(r'\1', page))
