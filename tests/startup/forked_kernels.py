"""pytest 插件：笔记本的内核从一个已经导入 PyTorch 的进程分出来，每个少花几秒。

每个内核仍是单独的进程，名字空间是空的：笔记本少写一句 import 照样出错。预先导入的只有
preloaded.py 里的几个库。只有 make test 用它，make record 与读者的 Jupyter 照常启动内核。
只在 Linux 上这样做：Windows 不能分，macOS 的一些库分出来之后不能用。
"""

import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from functools import cache

from jupyter_client.provisioning import local_provisioner

START_LIMIT = 60  # 秒

launch_afresh = local_provisioner.launch_kernel


class ForkedKernel:
    """分出来的内核；方法与 subprocess.Popen 的同名，jupyter_client 只用到这些。"""

    stdin = stdout = stderr = None

    def __init__(
        self, arguments: list[str], cwd: str | None, env: dict[str, str] | None
    ) -> None:
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['preloaded'])
        environment = dict(os.environ if env is None else env)
        self._process = context.Process(
            target=run_kernel, args=(arguments, cwd, environment, usual_path())
        )
        self._process.start()
        self.pid = self._process.pid
        self._wait_for_own_group()

    def _wait_for_own_group(self) -> None:
        """等内核有了自己的进程组：jupyter_client 按组发信号，不能发给别的进程。"""
        deadline = time.monotonic() + START_LIMIT
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
        os.kill(self.pid, signum)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


@cache
def usual_path() -> list[str]:
    """照常启动的 Python 到哪里找模块；pytest 另外加了测试的文件夹，内核不该看到。"""
    ask = 'import json, sys; print(json.dumps(sys.path[1:]))'
    done = subprocess.run(
        [sys.executable, '-c', ask], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def run_kernel(
    arguments: list[str], cwd: str | None, env: dict[str, str], path: list[str]
) -> None:
    """在分出来的进程里，像 ``python -m ipykernel_launcher`` 那样运行内核。"""
    os.setsid()
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))  # 上级不在了，内核就退出
    os.chdir(cwd or os.getcwd())
    with open(os.devnull, 'w') as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    sys.path[:] = path
    sys.argv = ['ipykernel_launcher', *arguments]
    runpy.run_module('ipykernel_launcher', run_name='__main__', alter_sys=True)


def launch_kernel(command: list[str], **options: object) -> object:
    """代替 jupyter_client 的同名函数；不是本环境的 Python 内核，照常启动。"""
    if command[:3] != [sys.executable, '-m', 'ipykernel_launcher']:
        return launch_afresh(command, **options)
    return ForkedKernel(command[3:], options.get('cwd'), options.get('env'))


if sys.platform == 'linux':
    local_provisioner.launch_kernel = launch_kernel
