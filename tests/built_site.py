"""建好的网站。"""

from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parent.parent / '_build' / 'html'


def built_file(path: Path | str = 'index.html') -> Path:
    """成品里的一个文件；还没有建时测试失败，说要做什么。"""
    if not (SITE / path).exists():
        pytest.fail('先运行 make book', pytrace=False)
    return SITE / path
