"""手机上放不下的代码行：折到下一行，比这一行原来的缩进再退四格，不裁掉，也不左右滚动。

缩进多少只有从文字里才数得出，所以构建时把长行包成一块，写明缩进；短行不动。折行是样式的事
（site/assets/book.css），复制得到的文字不变。
"""

import re
from html import unescape
from typing import Any
from unicodedata import east_asian_width

from docutils import nodes
from sphinx.application import Sphinx

ALWAYS_FITS = 36  # 最窄的手机（320 像素）上一行放得下的列数
BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre></div>)', re.S)
TAG = re.compile('<[^>]+>')


def columns(text: str) -> int:
    """占几列：汉字与全角的标点算两列。"""
    return sum(1 + (east_asian_width(one) in 'WF') for one in text)


def foldable(line: str) -> str:
    """一行高亮过的代码（连同换行）；长的包成一块。"""
    text = unescape(TAG.sub('', line)).rstrip('\n')
    if columns(text) <= ALWAYS_FITS:
        return line
    indent = len(text) - len(text.lstrip())
    style = f' style="--indent:{indent}"' if indent else ''
    return f'<span class="code-line"{style}>{line}</span>'


def fold(match: re.Match[str]) -> str:
    opening, code, closing = match.groups()
    return opening + ''.join(map(foldable, code.splitlines(keepends=True))) + closing


def fold_long_lines(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if 'body' in context:
        context['body'] = BLOCK.sub(fold, context['body'])


def setup(app: Sphinx) -> None:
    app.connect('html-page-context', fold_long_lines)
