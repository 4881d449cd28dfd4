"""pytest 插件：笔记本的内核由一个已经导入 PyTorch 的进程 fork 出来，每个少花几秒。

每个内核仍是单独的进程，名字空间是空的：没有 import 的名字照样不能用。预先导入的只有
preloaded.py 里的几个库。用 ``-p forked_kernels`` 装上才起作用：make test 用它，
make record 与读者的 Jupyter 照常启动内核。只在 Linux 上这样做：Windows 没有 fork，
macOS 的一些库 fork 之后不能用。
"""

import atexit
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from jupyter_client.provisioning import local_provisioner

PYTHON_KERNEL = [sys.executable, '-m', 'ipykernel_launcher']
PRELOADED = ['preloaded']
START_LIMIT = 60  # 秒

launch_afresh = local_provisioner.launch_kernel


def pytest_configure(config: pytest.Config) -> None:
    if sys.platform == 'linux':
        local_provisioner.launch_kernel = launch_kernel


def launch_kernel(command: list[str], **options: object) -> object:
    """代替 jupyter_client 的同名函数；不是本环境的 Python 内核，照常启动。"""
    if command[:3] != PYTHON_KERNEL:
        return launch_afresh(command, **options)
    return ForkedKernel(
        command[3:], options.get('cwd'), options.get('env'), 'stderr' in options
    )


class ForkedKernel:
    """fork 出来的内核；方法与 subprocess.Popen 的同名，jupyter_client 只用到这些。"""

    stdin = stdout = stderr = None

    def __init__(
        self,
        arguments: list[str],
        cwd: str | None,
        env: dict[str, str] | None,
        is_quiet: bool,
    ) -> None:
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(PRELOADED)
        environment = dict(os.environ if env is None else env)
        path = path_of_a_fresh_python(environment)
        self._process = context.Process(
            target=run_kernel, args=(arguments, cwd, environment, path, is_quiet)
        )
        self._process.start()
        atexit.register(self._process.kill)  # 否则退出时会一直等没有关掉的内核
        self.pid = self._process.pid
        self._wait_for_own_group()

    def _wait_for_own_group(self) -> None:
        """等内核有了自己的进程组：jupyter_client 按组发信号，不能发给别的进程。"""
        deadline = time.monotonic() + START_LIMIT
        with suppress(ProcessLookupError):  # 内核已经死了，由调用者发觉
            while self.poll() is None and os.getpgid(self.pid) != self.pid:
                if time.monotonic() > deadline:
                    self._process.kill()
                    raise RuntimeError(f'内核 {START_LIMIT} 秒还没有启动')
                time.sleep(0.01)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.poll()

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def path_of_a_fresh_python(env: dict[str, str]) -> list[str]:
    """照常启动的 Python 到哪里找模块；pytest 另外加了测试的文件夹，内核不该看到。"""
    ask = 'import json, sys; print(json.dumps(sys.path[1:]))'
    done = subprocess.run(
        [sys.executable, '-c', ask], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def run_kernel(
    arguments: list[str],
    cwd: str | None,
    env: dict[str, str],
    path: list[str],
    is_quiet: bool,
) -> None:
    """在 fork 出来的进程里，像 ``python -m ipykernel_launcher`` 那样运行内核。"""
    os.setsid()
    threading.Thread(target=exit_with_pytest, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)  # 笔记本里的照旧用默认的方式
    os.environ.clear()
    os.environ.update(env)
    if cwd:
        os.chdir(cwd)
    if is_quiet:
        with open(os.devnull, 'w') as nowhere:
            os.dup2(nowhere.fileno(), 2)
    sys.path[:] = path
    sys.argv = ['ipykernel_launcher', *arguments]
    runpy.run_module('ipykernel_launcher', run_name='__main__', alter_sys=True)


def exit_with_pytest() -> None:
    """pytest 被杀时内核也退出，不留下还在训练的进程。"""
    multiprocessing.parent_process().join()
    os._exit(1)
