"""make test 里 fork 出来的内核，与照常启动的一样干净，一样停得下来。"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import forked_kernels
import nbformat
import pytest
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.manager import start_new_kernel
from jupyter_client.provisioning import local_provisioner
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    sys.platform != 'linux', reason='别的系统上内核照常启动'
)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """直接运行 pytest 时没有装这个插件，在这里装上。"""
    startup = str(ROOT / 'tests' / 'startup')
    monkeypatch.setenv('PYTHONPATH', startup, prepend=os.pathsep)
    launch = forked_kernels.launch_kernel
    monkeypatch.setattr(local_provisioner, 'launch_kernel', launch)


def run(source: str, folder: Path = ROOT) -> str:
    """在新内核里运行一格，返回它打印的文字。"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(
        notebook, kernel_name='python3', resources={'metadata': {'path': str(folder)}}
    )
    client.execute()
    return ''.join(output.text for output in notebook.cells[0].outputs)


def test_every_kernel_is_a_process_of_its_own() -> None:
    ask = "import os; print(os.getpid(), os.getpgrp(), 'mark' in globals()); mark = 1"
    first, second = run(ask).split(), run(ask).split()
    assert first[0] == first[1] != str(os.getpid())
    assert second[0] == second[1] != first[0]
    assert first[2] == second[2] == 'False'


def test_libraries_are_loaded_but_not_imported() -> None:
    """库在内存里，名字空间里却没有：漏写的 import 看得出来。"""
    ask = """
    import sys
    names = ('torch', 'torchvision', 'matplotlib', 'deepcnn')
    print([name in sys.modules for name in names], 'torch' in globals())
    """
    assert run(ask).strip() == '[True, True, True, False] False'


def test_a_kernel_sees_nothing_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / 'beside.py').write_text('text = "同一个文件夹"', encoding='utf-8')
    ask = 'import sys, os; from beside import text; print(text, os.getcwd()); print(sys.path)'
    found, path = run(ask, tmp_path).splitlines()
    assert found == f'同一个文件夹 {tmp_path}'
    for folder in (ROOT, ROOT / 'tests', ROOT / '_ext'):
        assert repr(str(folder)) not in path


def test_figures_are_drawn_into_the_notebook() -> None:
    ask = 'import matplotlib; print(matplotlib.get_backend())'
    assert run(ask).strip() in {'inline', 'module://matplotlib_inline.backend_inline'}


def test_a_kernel_that_dies_is_noticed() -> None:
    with pytest.raises(DeadKernelError):
        run('import os; os._exit(3)')


def test_a_running_cell_can_be_interrupted() -> None:
    manager, client = start_new_kernel(kernel_name='python3')
    try:
        client.execute('import time; time.sleep(60)')
        while client.get_iopub_msg(timeout=20)['msg_type'] != 'execute_input':
            pass
        time.sleep(0.5)  # 让 sleep 开始
        manager.interrupt_kernel()
        assert (
            client.get_shell_msg(timeout=20)['content']['ename'] == 'KeyboardInterrupt'
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()


def test_other_kernels_start_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        forked_kernels, 'launch_afresh', lambda command, **options: command
    )
    command = ['julia', '-m', 'ipykernel_launcher']
    assert forked_kernels.launch_kernel(command, cwd='.') is command


def test_the_kernel_of_this_environment_is_recognised() -> None:
    """nbval 用 ipykernel 给出的命令；它变了，内核就会悄悄地照常启动。"""
    assert get_kernel_dict()['argv'][:3] == forked_kernels.PYTHON_KERNEL


START_AND_DIE = """
import os, signal
import forked_kernels
from jupyter_client.manager import start_new_kernel
from jupyter_client.provisioning import local_provisioner
local_provisioner.launch_kernel = forked_kernels.launch_kernel
forked_kernels.PRELOADED = []  # 这里用不着
manager, client = start_new_kernel(kernel_name='python3')
print(manager.provisioner.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_kernel_is_left_when_pytest_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, '-c', START_AND_DIE],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    kernel = Path('/proc', done.stdout.strip())
    deadline = time.monotonic() + 20
    while kernel.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not kernel.exists()
