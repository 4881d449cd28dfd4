"""tools/ 里的命令：用法与报错是中文，用错了以 2 退出；什么编码的终端都不会使它中断。"""

import ast
import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bench
import compare
import export_models
import faults
import feeding_speed
import fill_plain
import lint_terms
import mutants
import new_chapter
import pack_record
import pytest
import record
import repository
import tune
from command_line import Command, run, translated
from figures import draw, embed, subset_font
from living import (
    build_kernel,
    convolution_data,
    describe_networks,
    draw_still,
    write_programs,
    write_samples,
)

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    bench, build_kernel, compare, convolution_data, describe_networks, draw, draw_still, embed,
    export_models, faults, feeding_speed, fill_plain, lint_terms, mutants, new_chapter,
    pack_record, record, repository, subset_font, tune, write_programs, write_samples,
)  # fmt: skip
HAN = re.compile('[\u4e00-\u9fff]')

every_tool = pytest.mark.parametrize(
    'main', [tool.main for tool in TOOLS], ids=[tool.__name__ for tool in TOOLS]
)
# 旧的 Windows 上是 gbk；C 语言环境里是 ascii，一个汉字也写不出。
every_encoding = pytest.mark.parametrize('encoding', ['gbk', 'ascii'])


def run_tool(name: str, *arguments: str, encoding: str) -> tuple[int, str, str]:
    """在默认编码不是 UTF-8 的进程里运行，返回退出码与两种输出。"""
    environment = os.environ | {
        'LC_ALL': 'C',
        'PYTHONUTF8': '0',
        'PYTHONCOERCECLOCALE': '0',
        'PYTHONIOENCODING': encoding,
        'PYTHONPATH': str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / name), *arguments],
        env=environment, capture_output=True,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


NEEDED = {tune.main: ['nin', 'epochs=6']}  # 少了就先说缺少


def test_every_command_is_listed() -> None:
    """网站的几个见 tests/site/test_site_commands.py。"""
    found = {
        path.stem
        for path in (ROOT / 'tools').glob('*/*.py')
        if path.parent.name != 'site' and 'Command(' in path.read_text('utf-8')
    }
    assert found == {tool.__name__.split('.')[-1] for tool in TOOLS}


@every_tool
def test_an_unknown_option_is_refused_in_chinese(
    main: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*NEEDED.get(main, ()), '--chekc'])
    assert stopped.value.code == 2
    usage, *_, said = capsys.readouterr().err.splitlines()
    assert usage.startswith('用法：')
    assert said == '不认识的参数：--chekc'


@every_tool
def test_help_is_chinese(main: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(['-h'])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for english in ('usage', 'options', 'arguments', 'show this'):
        assert english not in shown
    assert shown.count('显示这段说明') == 1


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ([], '缺少参数：网络'),
        (['nin', '--seeds'], '--seeds 后面缺少值'),
        (['nin', '--seeds', 'x'], "--seeds 不能是 'x'"),
        (['nin', '--quick=1'], '--quick 后面不带值'),
        (['nin', '--profile', 'x'], "--profile 没有 'x'：可以用 quick, gpu"),
        (['nin', '--qui'], '不认识的参数：--qui'),
    ],
)
def test_every_kind_of_mistake_is_explained(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command('试。')
    command.add_argument('network', metavar='网络')
    command.add_argument('--seeds', type=int)
    command.add_argument('--quick', action='store_true')
    command.add_argument('--profile', choices=['quick', 'gpu'])
    with pytest.raises(SystemExit, match='2'):
        command.parse_args(arguments)
    # 各版本的 Python 列举时引号不同。
    assert capsys.readouterr().err.splitlines()[-1].replace("'", '') == said.replace(
        "'", ''
    )


def test_other_text_is_left_alone() -> None:
    assert translated('chapters：usage: 与 options: 不在行首\n') == (
        'chapters：usage: 与 options: 不在行首\n'
    )


@every_encoding
def test_models_are_compared_whatever_the_encoding(encoding: str) -> None:
    """章节与生成的文件都有中文，与 ruff 之间传的也有。"""
    done = run_tool('book/export_models.py', '--check', encoding=encoding)
    assert done == (0, '', '')


@every_encoding
def test_faults_are_printed_whatever_the_encoding(
    encoding: str, tmp_path: Path
) -> None:
    """「⏎」在 GBK 里也没有：写成转义，不中断。"""
    bad = ROOT / 'README.md'
    code = (
        f'import sys; sys.path[:0] = [{str(ROOT / "tools" / "book")!r}]\n'
        'import lint_terms, prose\n'
        'from command_line import run\n'
        'lint_terms.lint_file = lambda path: ["第 1 行：「用⏎法」"]\n'
        'run(lint_terms.main)'
    )
    script = tmp_path / 'fault.py'
    script.write_text(code, encoding='utf-8')
    code, out, err = run_tool(str(script), str(bad), encoding=encoding)
    line = '第 1 行：「用⏎法」\n'.encode(encoding, 'backslashreplace').decode(encoding)
    assert (code, out) == (1, line)
    assert err.count('\n') == 1


@every_encoding
def test_help_is_printed_whatever_the_encoding(encoding: str) -> None:
    for name in ('book/pack_record.py', 'book/lint_terms.py', 'book/repository.py'):
        code, out, err = run_tool(name, '-h', encoding=encoding)
        assert (code, err) == (0, '')
        assert HAN.search(out) if encoding == 'gbk' else r'\u' in out


@pytest.mark.parametrize(
    ('error', 'code', 'said'),
    [
        (KeyboardInterrupt(), 130, '已中断'),
        (OSError(errno.ENOSPC, 'No space', 'a.ipynb'), 1, '磁盘满了（a.ipynb）'),
        (OSError(errno.EACCES, 'Permission denied', 'a'), 1, '文件出错（a）'),
    ],
)
def test_every_command_tells_an_interrupt_or_a_file_in_one_line(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(arguments: list[str]) -> int:
        raise error

    # 捕获的输出没有 reconfigure
    monkeypatch.setattr(sys.stdout, 'reconfigure', lambda **_: None, raising=False)
    with pytest.raises(SystemExit) as stopped:
        run(fails)
    assert stopped.value.code == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='没有 fork')
def test_the_faults_leave_no_folder_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(faults, 'all_trials', interrupted)
    monkeypatch.setattr(faults, 'CHILDREN', tmp_path)
    monkeypatch.setattr(faults.tempfile, 'tempdir', str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        faults.main([])
    assert list(tmp_path.iterdir()) == []


def test_the_faults_need_a_system_that_knows_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(faults, 'CHILDREN', tmp_path / '没有')
    assert faults.main([]) == 1
    assert '要在 Linux' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (['--images', '5'], '--images 至少要 160，现在是 5'),
        (['--pixels', '4'], '--pixels 至少要 8，现在是 4'),
        (['--steps', '0'], '--steps 至少要 1，现在是 0'),
    ],
)
def test_too_few_images_to_measure_are_refused(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert feeding_speed.main(line) == 2
    assert capsys.readouterr().err == f'{said}\n'


# 写的是临时文件、日志、_build/ 里的网页或 /proc；compare 与 bench 的 save 走 store。
WRITE_ELSEWHERE = {
    'bench.py', 'compare.py', 'contenders.py', 'embed.py', 'faults.py', 'feeding_speed.py',
    'make_pdf.py', 'mutants.py', 'typeset_formulas.py',
}  # fmt: skip


def writes(call: ast.Call) -> str | None:
    """写文件的方法的名字；写进内存（变量叫 ``written``）的不算。"""
    name = getattr(call.func, 'attr', None) or getattr(call.func, 'id', None)
    first = call.args[0] if call.args else None
    if name == 'open':
        modes = [one.value for one in call.args if isinstance(one, ast.Constant)]
        return name if any(mode in ('w', 'x', 'a', 'wb') for mode in modes) else None
    if name in ('write_text', 'write_bytes'):
        return name if isinstance(call.func, ast.Attribute) else None
    if name in ('save', 'savefig'):
        return None if isinstance(first, ast.Name) and first.id == 'written' else name
    return None


def test_no_tool_rewrites_a_file_of_the_repository_in_place() -> None:
    """磁盘满了、被打断时不留半个文件：用 deepcnn.records.store 的 write_text。"""
    found = {
        (path.name, call)
        for path in (ROOT / 'tools').rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text('utf-8')))
        if isinstance(node, ast.Call) and (call := writes(node))
    }
    assert {name for name, _ in found} == WRITE_ELSEWHERE
    assert {call for _, call in found} == {'write_text', 'write_bytes', 'open', 'save'}
