"""页首的脚本：去掉换图标的那一个，其余的延后执行，不推迟第一次显示。

主题用样式表里的图标字体就能显示图标，另带的 fontawesome.js（压缩后仍有 0.5 MB）
只是把同样的图标换成 SVG。主题还要浏览器先取它的两个脚本（preload），样式表与文字因此要等。
"""

import re
from pathlib import Path

ICON_SCRIPT = re.compile(r'\s*<script[^>]*/fontawesome\.js[^>]*></script>')
PRELOAD = re.compile(r'\s*<link rel="preload" as="script"[^>]*>')
# 后面的行内脚本马上要用它，不能延后；只有几百字节，写进页里就少等一个来回。
OPTIONS = re.compile(r'<script src="[^"]*/documentation_options\.js[^"]*"></script>')
HEAD_SCRIPT = re.compile(
    r'<script (?![^>]*\b(?:defer|async|type)\b)(?=[^>]*\bsrc=)'
)


def lighten(page: str, static: Path) -> str:
    """返回去掉图标脚本、页首脚本改为延后执行的网页；``static`` 是成品的 _static。"""
    page = ICON_SCRIPT.sub('', page)
    head, separator, body = page.partition('</head>')
    head = PRELOAD.sub('', OPTIONS.sub(lambda _: inlined(static), head))
    return HEAD_SCRIPT.sub('<script defer="defer" ', head) + separator + body


def inlined(static: Path) -> str:
    text = (static / 'documentation_options.js').read_text(encoding='utf-8')
    return f'<script>{" ".join(text.split())}</script>'
