"""分出两个进程，像 torchrun 启动的那样。"""

import os
import socket
from collections.abc import Callable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='Windows 没有 fork')


def in_two_processes(work: Callable[[int], int]) -> list[int]:
    """各以自己的号码做一遍 ``work``，它返回退出码；抛出异常的是 1。"""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            os.environ.update(
                RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank),
                MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
            )  # fmt: skip
            code = 1
            try:
                code = work(rank)
            finally:
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
