"""页首的脚本：去掉换图标的那一个，其余的延后执行，不推迟第一次显示。

主题用样式表里的图标字体就能显示图标，另带的 fontawesome.js（压缩后仍有 0.5 MB）
只是把同样的图标换成 SVG。
"""

import re

ICON_SCRIPT = re.compile(r'\s*<script[^>]*/fontawesome\.js[^>]*></script>')
HEAD_SCRIPT = re.compile(
    r'<script (?![^>]*\b(?:defer|async|type)\b)(?=[^>]*\bsrc=)'
    # 后面的行内脚本马上要用它；它也只有几百字节。
    r'(?![^>]*documentation_options)'
)


def lighten(page: str) -> str:
    """返回去掉图标脚本、页首脚本改为延后执行的网页。"""
    page = ICON_SCRIPT.sub('', page)
    head, separator, body = page.partition('</head>')
    return HEAD_SCRIPT.sub('<script defer="defer" ', head) + separator + body
