"""故意改错一行代码，看测试发现不发现：没有被发现的改动，就是测试漏掉的性质。

用法：python tools/measure/mutants.py [房间或文件 ...] [--list]
例如：python tools/measure/mutants.py training deepcnn/data/batches.py

各个改动写在 tools/measure/mutants/<房间>.yml 里，每条有 file（改哪个文件）、old（其中只
出现一次的半行，或只有一行恰好是它）、new（改成什么）、tests（应当发现它的测试），可以有
why。给出清单所在的文件，就只用那一份；给出被改的文件，就只做改它的那些。

改动只做在临时文件夹里的副本上，随时可以按 Ctrl-C。先不改代码把测试跑一遍，它们本来就要
通过。有一条没有被发现，或 old 在文件里找不到（代码变了，清单要跟着改），就以 1 退出。
"""

import ast
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).with_suffix('')
sys.path.insert(0, str(ROOT / 'tools'))

from command_line import Command, run  # noqa: E402

# 副本里不要的：生成的、下载的、与测试无关的。
NOT_COPIED = (
    '.git', '.venv', '.offline', '.runs', '.whl', '_build', 'dist', 'build',
    '*.egg-info', '__pycache__', '.ipynb_checkpoints', '.pytest_cache', '.ruff_cache',
)  # fmt: skip
# 与 make test 相同的设置；没有浏览器算失败，不然搜索的测试会跳过。
SETTINGS = {
    'DEEPCNN_PROFILE': 'quick',
    'DEEPCNN_PROGRESS': '0',
    'OMP_NUM_THREADS': '1',
    'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1',  # 插件要导入一两秒，这些测试都用不着
    'PYTHONDONTWRITEBYTECODE': '1',
    'REQUIRE_BROWSER': '1',
}
# 各个测试都要导入的大包：先导入一次，每个改动只需分出一个进程，不必再等几秒。
PRELOADED = (
    'pytest',
    'torch',
    'torch._dynamo',
    'torchvision',
    'sklearn.datasets',
    'matplotlib.pyplot',
)
FIELDS = {'file', 'old', 'new', 'tests', 'why'}
SECONDS = 120  # 一个改动最多跑多久；改出死循环也算被发现
PASSED, FAILED, TIMED_OUT = 0, 1, -9  # -9：被 SIGKILL 结束
KILLED, SURVIVED, STALE, BROKEN = '被发现', '没有被发现', '过时', '出错'


class ListError(ValueError):
    """清单或命令写错了；消息说明是哪一条。"""


@dataclass(frozen=True)
class Mutant:
    """一个改动：``file`` 里的 ``old`` 换成 ``new``，``tests`` 应当失败。"""

    room: str
    file: str  # 相对于仓库
    old: str
    new: str
    tests: tuple[str, ...]
    why: str = ''

    def __str__(self) -> str:
        change = f'{self.old.strip()} → {self.new.strip() or "（删去）"}'
        return f'{self.room}  {self.file}  {change}'

    def edited(self, source: str) -> str:
        """改过的全文；``old`` 不是恰好出现一次，或改得不合语法时抛出 ListError。"""
        old, new, found = self.old, self.new, source.count(self.old)
        if found > 1 and source.count(f'\n{old}\n') == 1:  # 别处只是一行的一部分
            old, new, found = f'\n{old}\n', f'\n{new}\n', 1
        if found != 1:
            raise ListError(f'old 在文件里出现 {found} 次，应当恰好一次')
        changed = source.replace(old, new)
        if self.file.endswith('.py'):
            try:
                ast.parse(changed)
            except SyntaxError as error:
                raise ListError(f'改过之后不是合法的 Python：{error}') from error
        return changed


def read_list(path: Path) -> list[Mutant]:
    """一份清单里的全部改动；缺项、多项、old 跨行或没有改动时抛出 ListError。"""
    mutants = []
    try:
        entries = yaml.safe_load(path.read_text('utf-8'))
    except OSError as error:
        raise ListError(f'清单 {path} 打不开：请写一个有的 .yml 文件') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, 'problem_mark', None)
        line = f'第 {where.line + 1} 行' if where else '内容'
        raise ListError(f'{path.name} 不是合法的 YAML：请看{line}') from error
    if not isinstance(entries, list):
        raise ListError(f'{path.name} 里没有改动：请写成清单，每条以「- file:」开头')
    for number, entry in enumerate(entries, start=1):
        place = f'{path.name} 第 {number} 条'
        if not isinstance(entry, dict):
            raise ListError(f'{place}不是「名字: 值」：每条以「- file:」开头')
        if missing := FIELDS - {'why'} - set(entry):
            raise ListError(f'{place}缺少 {"、".join(sorted(missing))}')
        if unknown := set(entry) - FIELDS:
            raise ListError(f'{place}有不认识的 {"、".join(sorted(unknown))}')
        if not all(isinstance(entry[name], str) for name in ('old', 'new')):
            raise ListError(f'{place}的 old 与 new 要是文字：请加上引号')
        if '\n' in entry['old'] or entry['old'] == entry['new']:
            raise ListError(f'{place}的 old 要是一行（或半行），new 要与它不同')
        tests = entry['tests']
        tests = (tests,) if isinstance(tests, str) else tuple(tests)
        mutants.append(Mutant(path.stem, **{**entry, 'tests': tests}))
    return mutants


def chosen(names: Sequence[str]) -> list[Mutant]:
    """命令里点到的改动，什么也不点就是全部；点了没有的名字时抛出 ListError。"""
    everything = [
        one for path in sorted(LISTS.glob('*.yml')) for one in read_list(path)
    ]
    selected = [] if names else everything
    for name in names:
        if name.endswith('.yml'):
            selected += read_list(Path(name))
            continue
        matching = [one for one in everything if name in (one.room, one.file)]
        if not matching:
            rooms = '、'.join(sorted({one.room for one in everything}))
            raise ListError(f'没有改 {name} 的清单：房间有 {rooms}，或写被改的文件')
        selected += matching
    return selected


# ---- 运行 ---------------------------------------------------------------------


@contextmanager
def copied_tree() -> Iterator[Path]:
    """整个仓库的一份副本，离开时删去。"""
    with tempfile.TemporaryDirectory(prefix='mutants-') as folder:
        copy = Path(folder) / 'copy'
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True
        )
        yield copy


def preload() -> None:
    """写好设置，导入大包；本书自己的代码不在这里导入，否则改了也看不见。"""
    os.environ.update(SETTINGS)
    sys.dont_write_bytecode = True  # 改动前后大小与秒数可能相同，旧的 .pyc 会被误用
    for name in PRELOADED:
        __import__(name)


def run_tests(copy: Path, tests: Sequence[str], seconds: float, log: Path) -> int:
    """在副本里跑 ``tests``，返回 pytest 的退出码，超时为 TIMED_OUT；输出写进 ``log``。"""
    process = multiprocessing.get_context('fork').Process(
        target=_pytest, args=(copy, tests, log)
    )
    process.start()
    try:
        process.join(seconds)
        return TIMED_OUT if process.is_alive() else process.exitcode
    finally:
        _kill_group(process)


def _pytest(copy: Path, tests: Sequence[str], log: Path) -> None:
    """子进程：忘掉从工作区导入的代码，改从副本导入。"""
    os.setsid()  # 自成一组，连同它启动的浏览器一起结束；Ctrl-C 由父进程处理
    sys.stdout = sys.stderr = output = log.open('w', encoding='utf-8', buffering=1)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    os.chdir(copy)
    ours = {str(ROOT), *(str(path) for path in ROOT.glob('tools/*')), str(LISTS.parent)}
    sys.path[:] = [str(copy), *(one for one in sys.path if one and one not in ours)]
    os.environ['PYTHONPATH'] = str(copy)
    for name, module in list(sys.modules.items()):
        path = Path(getattr(module, '__file__', None) or '/')
        if ROOT in path.parents and 'site-packages' not in path.parts:
            del sys.modules[name]
    import pytest

    code = pytest.main(['-x', '-q', '-p', 'no:cacheprovider', *tests])
    output.flush()
    os._exit(code)


def _kill_group(process: BaseProcess) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # 还没有来得及自成一组，或者已经结束
    process.join()


def outcome(mutant: Mutant, copy: Path, log: Path, seconds: float = SECONDS) -> str:
    """做一个改动、跑它的测试、改回来；返回结果，过时与出错的附上原因。"""
    path = copy / mutant.file
    try:
        source = path.read_text('utf-8')
        changed = mutant.edited(source)
    except (OSError, ListError) as error:
        return f'{STALE}：{error}'
    path.write_text(changed, 'utf-8')
    try:
        code = run_tests(copy, mutant.tests, seconds, log)
    finally:
        path.write_text(source, 'utf-8')
    if code == PASSED:
        return SURVIVED
    if code in (FAILED, 2, TIMED_OUT):  # 2：改动使测试文件导入不了
        return KILLED
    return f'{BROKEN}：pytest 以 {code} 退出\n{log.read_text("utf-8")[-2000:]}'


def require_passing(mutants: Sequence[Mutant], copy: Path, log: Path) -> None:
    """没有改动时，点到的测试都通过；否则抛出 ListError，附上 pytest 的输出。"""
    tests = sorted({test for one in mutants for test in one.tests})
    code = run_tests(copy, tests, SECONDS * len(tests), log)
    if code != PASSED:
        output = log.read_text('utf-8')[-4000:]
        raise ListError(f'没有改动，测试也不通过（{code}）：请先修好\n{output}')


def run_all(mutants: Sequence[Mutant], seconds: float = SECONDS) -> Counter[str]:
    """逐个做，每个打印一行；返回各种结果的个数。"""
    preload()
    counts: Counter[str] = Counter()
    with copied_tree() as copy:
        log = copy.parent / 'pytest.log'
        require_passing(mutants, copy, log)
        for mutant in mutants:
            result = outcome(mutant, copy, log, seconds)
            print(f'{result}  {mutant}', flush=True)
            counts[result.partition('：')[0]] += 1
    return counts


def main(arguments: list[str]) -> int:
    parser = Command(__doc__)
    parser.add_argument('names', metavar='房间或文件', nargs='*')
    parser.add_argument('--list', action='store_true', help='只列出，不运行')
    options = parser.parse_args(arguments)
    try:
        mutants = chosen(options.names)
        if options.list:
            print(*mutants, sep='\n')
            return 0
        if not hasattr(os, 'fork'):
            raise ListError('要靠 fork 分出进程，Windows 没有：请在 WSL 里运行')
        counts = run_all(mutants)
    except (ListError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('已中断：工作区没有改动', file=sys.stderr)
        return 130
    print(
        '，'.join(
            f'{name} {counts[name]}' for name in (KILLED, SURVIVED, STALE, BROKEN)
        )
    )
    return 0 if counts[KILLED] == len(mutants) else 1


if __name__ == '__main__':
    run(main)
