"""锁住一个文件：几个进程同时写时排队；没有锁的网络盘上不锁，照样做。"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

WITHOUT_LOCKS = (None, errno.ENOLCK, errno.EOPNOTSUPP)


def taken_lock(path: Path, timeout: float = -1) -> FileLock | None:
    """占住 ``path``，用完要 ``release``；那个盘没有锁时返回 None。

    等了 ``timeout`` 秒（负数是一直等）还被别的进程占着，抛出 filelock.Timeout。
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise
    except (NotImplementedError, OSError) as error:
        if getattr(error, 'errno', None) not in WITHOUT_LOCKS:
            raise
        return None
    return lock


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """占住 ``path`` 到离开为止。"""
    lock = taken_lock(path)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
