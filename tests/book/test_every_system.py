"""Windows 与 macOS 上也能用：没有只有 POSIX 才有的调用，读写都写明编码，文件名取得出来。

这里没有那两种系统；能查的是：用到的系统调用都先问有没有，在没有它们的 Python 里书照样运行。
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IGNORED = {'.venv', '_build', '.git', 'build', 'dist', '.runs', '.offline'}
SOURCES = sorted(
    path
    for path in ROOT.rglob('*.py')
    if not IGNORED.intersection(path.relative_to(ROOT).parts)
)
# Windows 的 Python 里没有的名字（标准库文档里的 Availability: Unix）
POSIX_ONLY = {
    'os': {
        'chown', 'chroot', 'ctermid', 'fchmod', 'fchown', 'fork', 'forkpty', 'getegid',
        'geteuid', 'getgid', 'getgroups', 'getloadavg', 'getpgid', 'getpgrp',
        'getpriority', 'getresuid', 'getsid', 'getuid', 'initgroups', 'killpg', 'lchown',
        'mkfifo', 'mknod', 'nice', 'openpty', 'pathconf', 'posix_spawn', 'pread',
        'pwrite', 'sched_getaffinity', 'sched_setaffinity', 'sendfile', 'seteuid',
        'setgid', 'setpgid', 'setpriority', 'setsid', 'setuid', 'statvfs', 'sync',
        'sysconf', 'tcgetpgrp', 'uname', 'wait', 'wait3', 'wait4', 'waitid', 'WNOHANG',
    },
    'signal': {
        'SIGALRM', 'SIGCHLD', 'SIGCONT', 'SIGHUP', 'SIGKILL', 'SIGPIPE', 'SIGQUIT',
        'SIGSTOP', 'SIGUSR1', 'SIGUSR2', 'alarm', 'getitimer', 'pause', 'pthread_kill',
        'pthread_sigmask', 'setitimer', 'siginterrupt', 'sigwait',
    },
    'time': {'tzset', 'clock_gettime', 'clock_settime', 'pthread_getcpuclockid'},
    'socket': {'AF_UNIX', 'socketpair'},
}  # fmt: skip
POSIX_MODULES = {
    'fcntl', 'grp', 'posix', 'pty', 'pwd', 'readline', 'resource', 'syslog', 'termios',
    'tty',
}  # fmt: skip
SHELL_COMMANDS = {
    'awk', 'bash', 'cat', 'chmod', 'cp', 'find', 'grep', 'kill', 'ls', 'mkdir', 'mv',
    'rm', 'sed', 'sh', 'tar', 'touch',
}  # fmt: skip


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def place(path: Path, node: ast.AST) -> str:
    return f'{path.relative_to(ROOT).as_posix()}:{node.lineno}'


def asked_for(tree: ast.Module) -> set[tuple[str, str]]:
    """文件里的 ``hasattr(os, 'geteuid')``：(os, geteuid)；导入 ``needs_fork`` 也是问。"""
    asked = {
        (node.args[0].id, node.args[1].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, 'id', '') == 'hasattr'
        and isinstance(node.args[0], ast.Name)
        and isinstance(node.args[1], ast.Constant)
    }
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return asked | ({('os', 'fork')} if 'needs_fork' in imported else set())


def inside_functions(tree: ast.Module) -> set[ast.AST]:
    """导入这个文件时还不运行的部分。"""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return {
        one
        for function in functions
        for part in function.body
        for one in ast.walk(part)
    }


def unguarded(tree: ast.Module) -> Iterator[ast.Attribute]:
    """``os.geteuid`` 一类，而这个文件没有问过 ``hasattr(os, 'geteuid')``。

    问过 ``os.fork``、没有就不做事的文件，函数里可以用别的。
    """
    asked = asked_for(tree)
    later = inside_functions(tree) if ('os', 'fork') in asked else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = node.value.id, node.attr
            excused = (module, name) in asked or node in later
            if name in POSIX_ONLY.get(module, ()) and not excused:
                yield node


def test_system_calls_are_asked_for_first() -> None:
    assert len(SOURCES) > 100
    found = {
        f'{place(path, node)} {ast.unparse(node)}'
        for path in SOURCES
        for node in unguarded(tree_of(path))
    }
    assert found == set()


def test_the_check_sees_what_it_should() -> None:
    use = 'import os, signal\ndef f():\n    return os.geteuid()\n'
    for extra, count in {
        '': 1,
        "ready = hasattr(os, 'geteuid')": 0,
        "ready = hasattr(os, 'getuid')": 1,
        "ready = hasattr(os, 'fork')": 0,
        'from two_processes import needs_fork': 0,
        'from two_processes import in_two_processes': 1,
        "ready = hasattr(os, 'fork'), signal.SIGKILL": 1,  # 一导入就出错
    }.items():
        assert len(list(unguarded(ast.parse(use + extra)))) == count, extra


def imported_modules(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split('.')[0])
    return names


def test_no_module_is_imported_that_windows_lacks() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if imported_modules(tree_of(path)) & POSIX_MODULES
    }
    assert found == set()


def process_calls(tree: ast.Module) -> Iterator[ast.Call]:
    names = {'run', 'Popen', 'check_output', 'check_call', 'call'}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = getattr(node.func.value, 'id', '')
            if module == 'subprocess' and node.func.attr in names:
                yield node


def test_other_programs_are_started_without_a_shell_and_in_utf_8() -> None:
    faults = []
    for path in SOURCES:
        for call in process_calls(tree_of(path)):
            given = {keyword.arg for keyword in call.keywords}
            text = {'text', 'universal_newlines'} & given
            if 'shell' in given or (text and 'encoding' not in given):
                faults.append(place(path, call))
            first = call.args[0] if call.args else None
            words = getattr(first, 'elts', [None])
            name = getattr(words[0], 'value', None) if words else None
            if 'tests' not in path.parts and name in SHELL_COMMANDS:
                faults.append(place(path, call))
    assert faults == []


def test_every_file_is_opened_with_an_encoding() -> None:
    """ruff 的 PLW1514：open、read_text、write_text 都写明编码。"""
    done = subprocess.run(
        [sys.executable, '-m', 'ruff', 'check', '--isolated', '--preview',
         '--select', 'PLW1514', '--exclude', '_build', '.'],
        cwd=ROOT, encoding='utf-8', capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def tracked_files() -> list[str]:
    if not (ROOT / '.git').exists():
        pytest.skip('不在 git 的检出里')
    done = subprocess.run(
        ['git', '-c', 'core.quotepath=off', 'ls-files', '-z'],
        cwd=ROOT, encoding='utf-8', capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.rstrip('\0').split('\0')


def test_windows_can_check_the_files_out() -> None:
    """不区分大小写时不重名，没有不许用的字符与保留的名字，路径不太长。"""
    files = tracked_files()
    assert len({name.lower() for name in files}) == len(files)
    reserved = re.compile(r'^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.I)
    for name in files:
        assert not re.search(r'[<>:"\\|?*]|[. ](/|$)', name), name
        assert not any(reserved.match(part) for part in name.split('/')), name
        assert len(name) < 120, name


def test_text_keeps_its_line_ends() -> None:
    attributes = (ROOT / '.gitattributes').read_text(encoding='utf-8')
    assert '* text=auto eol=lf' in attributes.splitlines()
    for name in tracked_files():
        if name.endswith(('.py', '.md', '.yml', '.ipynb', '.json', '.svg')):
            assert b'\r\n' not in (ROOT / name).read_bytes(), name


WITHOUT_POSIX = """\
import importlib, os, pkgutil, signal, sys, time
from pathlib import Path
root = Path(sys.argv[1])
sys.path[:0] = [
    str(root / one) for one in ('', 'tools', 'tools/book', 'tools/measure')
]
import nbclient, numpy, matplotlib.pyplot, sklearn, torch  # 别人的包照旧
for module, names in {names!r}.items():
    for name in names:
        vars(sys.modules[module]).pop(name, None) if module in sys.modules else None
for name in {modules!r}:
    sys.modules[name] = None
import deepcnn
for found in pkgutil.walk_packages(deepcnn.__path__, 'deepcnn.'):
    importlib.import_module(found.name)
import bench, book, export_models, lint_terms, mutants, pack_record, repository
from torch import nn
from deepcnn import plot
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training import Recipe
from deepcnn.training.loop import fit
plot.use_book_style()
part = ImageSet(torch.zeros(64, 1, 8, 8, dtype=torch.uint8), torch.zeros(64).long())
data = Dataset('全黑', part, part, ('一', '二'), (0.0,), (1.0,))
recipe = Recipe(8, 1, 1e-2, 8, train_images=64, test_images=64)
run = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), data, recipe, 0,
          torch.device('cpu'))
assert bench.available_cores() >= 1
assert book.main(['help']) == 0
assert '--allow-root' not in book.lab_options()
print('训练了', len(run.train_loss), '轮')
"""


def test_the_book_runs_on_a_python_without_those_calls(tmp_path: Path) -> None:
    script = tmp_path / 'without.py'
    code = WITHOUT_POSIX.replace('{names!r}', repr(POSIX_ONLY))
    code = code.replace('{modules!r}', repr(sorted(POSIX_MODULES - {'posix'})))
    script.write_text(code, encoding='utf-8')
    done = subprocess.run(
        [sys.executable, '-X', 'utf8', script, ROOT],
        cwd=tmp_path, encoding='utf-8', capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '训练了 1 轮'
