"""图标字体只留样式表用到的图标，写进样式表里。

主题的字体有一千多个图标、156 KB，书里用到十几个。样式表到了浏览器就去取它，排在
脚本与图的前面，慢的网络上推迟第一次显示；只含用到的图标的一份不到 2 KB。
"""

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FACE = re.compile(
    r'(@font-face\{[^}]*src:)url\(([^)]*fontawesome/[^)]*\.woff2)\)[^;}]*'
)
ICON = re.compile('[\ue000-\uf8ff]')  # 图标占用 Unicode 的私用区


def with_used_icons(css: str, static: Path) -> str:
    """返回 ``css``，其中的图标字体只含它用到的图标；地址相对于 ``static``。"""
    icons = {ord(icon) for icon in ICON.findall(css)}

    def inlined(face: re.Match[str]) -> str:
        font = b64encode(part_of(static / face[2], icons)).decode()
        return f'{face[1]}url(data:font/woff2;base64,{font}) format("woff2")'

    return FACE.sub(inlined, css)


def part_of(path: Path, characters: set[int]) -> bytes:
    """字体 ``path`` 里只含 ``characters`` 的部分，仍是 WOFF2。"""
    font = TTFont(path, recalcTimestamp=False)
    subsetter = Subsetter(Options(layout_features=[], notdef_outline=False))
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.flavor = 'woff2'
    file = BytesIO()
    font.save(file)
    return file.getvalue()
