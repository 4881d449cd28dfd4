"""网站的一个文件传输时有多大，照 ``gzip_server`` 的压缩。"""

from pathlib import Path

from gzip_server import COMPRESSED, packed


def transfer_size(path: Path) -> int:
    """字节数。"""
    small = path.suffix in COMPRESSED
    return len(packed(path)) if small else path.stat().st_size
