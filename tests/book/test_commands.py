"""book.py：两种写法的命令相同；环境、变量与增量构建；带空格与中文的路径；旧的 Python。"""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

import book

ROOT = Path(__file__).resolve().parents[2]
GITHUB = 'https://github.com/someone/deep-cnn'
MAKEFILE = (ROOT / 'Makefile').read_text(encoding='utf-8')


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """一个空的仓库，放在带空格与中文的文件夹里，有各份依赖清单；没有设任何变量。"""
    root = tmp_path / '我的 书'
    root.mkdir()
    for name in (
        'constraints.txt',
        *(x for _, lists in book.GROUPS.values() for x in lists),
    ):
        (root / name).write_text(f'# {name}\n', encoding='utf-8')
    monkeypatch.setattr(book, 'ROOT', root)
    for name in ('CONSTRAINTS', 'PIP_ARGS', 'TORCH_ARGS', 'JOBS', 'ARGS', 'FULL',
                 'OFFLINE', 'PORT', 'OMP_NUM_THREADS', 'GLIBC_TUNABLES', 'URL'):  # fmt: skip
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return root


@pytest.fixture
def ran(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """不真的运行：记下每条命令；环境当作已经建好，构建网站则写出首页。"""
    commands: list[list[str]] = []

    def record(*command: object, **environment: str) -> None:
        words = [str(word) for word in command]
        commands.append(words[1:])
        if 'build' in words:
            page = here / '_build' / 'html' / 'index.html'
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text('书', encoding='utf-8')

    monkeypatch.setattr(book, 'execute', record)
    monkeypatch.setattr(
        book, 'create_environment', lambda: (here / '.venv').mkdir(exist_ok=True)
    )
    return commands


def pip_installs(commands: list[list[str]]) -> list[list[str]]:
    """各次 pip install 的参数。"""
    start = [*book.ALONE, 'pip', '--disable-pip-version-check', 'install']
    size = len(start)
    return [command[size:] for command in commands if command[:size] == start]


def builds(commands: list[list[str]]) -> int:
    return sum('build' in command for command in commands)


# ---- 两种写法 -------------------------------------------------------------------


def test_make_knows_the_same_commands() -> None:
    listed = re.search(r'^COMMANDS := ((?:.*\\\n)*.*)$', MAKEFILE, re.M)[1]
    assert {*listed.replace('\\\n', ' ').split(), 'repository', 'new-chapter'} == set(
        book.COMMANDS
    )


def make_says(*line: str, folder: Path = ROOT) -> list[str]:
    """make 会运行的命令（``make -n``），去掉先找 Python 的那一句。"""
    done = subprocess.run(
        ['make', '-n', *line],
        cwd=folder, encoding='utf-8', capture_output=True, check=True,
    )  # fmt: skip
    return [one for one in done.stdout.splitlines() if 'book.py' in one]


needs_make = pytest.mark.skipif(not shutil.which('make'), reason='没有 make')


@needs_make
def test_make_only_calls_the_script() -> None:
    [line] = make_says('test', 'OFFLINE=1', 'PYTHON=python3.12')
    assert line == 'python3.12 book.py test'
    [line] = make_says(
        'new-chapter', 'NAME=a b', 'OFFLINE=1', 'PYTHON=python3.12'
    )
    assert line == "python3.12 book.py new-chapter 'NAME=a b'"


@needs_make
def test_make_does_not_use_an_environment_whose_python_is_gone(tmp_path: Path) -> None:
    """建 .venv 用的 Python 卸载之后，它只剩一个空链接。"""
    shutil.copy(ROOT / 'Makefile', tmp_path)
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.symlink_to(tmp_path / '没有')
    assert make_says('lint', 'PYTHON=python3.12', folder=tmp_path) == [
        'python3.12 book.py lint'
    ]
    python.unlink()
    python.symlink_to(sys.executable)
    assert make_says('lint', folder=tmp_path) == ['.venv/bin/python book.py lint']


def test_help_lists_every_command_and_variable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert book.main([]) == 0
    shown = capsys.readouterr().out
    for name, command in book.COMMANDS.items():
        assert re.search(
            rf'^  {re.escape(name)} +{re.escape(command.about)}$', shown, re.M
        )
    for name in book.VARIABLES:
        assert f'  {name} ' in shown


@pytest.mark.parametrize('option', ['-h', '--help'])
def test_help_is_also_an_option(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert book.main([option]) == 0
    assert capsys.readouterr().out.startswith('用法：')


def test_every_tool_exists_and_every_variable_is_read() -> None:
    text = (ROOT / 'book.py').read_text(encoding='utf-8')
    scripts = set(re.findall(r"'(tools/[\w/]+\.py)'", text))
    assert len(scripts) > 10
    assert [name for name in scripts if not (ROOT / name).exists()] == []
    read = set(re.findall(r"""setting\(\s*["'](\w+)""", text)) | {
        'PYTHON',
        'DEEPCNN_PROFILE',
    }
    assert {name.split('=')[0] for name in book.VARIABLES} <= read


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (['bok'], '没有 bok 这个命令'),
        (['book', 'alexnet'], 'book 不带参数，不认识 alexnet'),
        (['test', 'JOBS=0'], 'JOBS=0 不行'),
        (['test', 'JOBS=two'], 'JOBS=two 不行'),
    ],
)
def test_mistakes_are_explained_in_one_line(
    line: list[str], said: str, ran: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert book.main(line) == 2
    [message] = capsys.readouterr().err.splitlines()
    assert message.startswith(said)
    assert ran == []


# ---- 环境与依赖 -----------------------------------------------------------------


def test_the_python_of_the_environment_on_every_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book, 'ROOT', PureWindowsPath(r'D:\我的 书'))
    monkeypatch.setattr(book.os, 'name', 'nt')
    assert str(book.environment_python()) == r'D:\我的 书\.venv\Scripts\python.exe'
    monkeypatch.setattr(book.os, 'name', 'posix')
    assert book.environment_python().parts[-3:] == ('.venv', 'bin', 'python')


def test_building_the_book_installs_only_its_own_list(here: Path, ran: list) -> None:
    assert book.main(['book']) == 0
    assert pip_installs(ran) == [
        ['-c', 'constraints.txt', '-r', 'requirements-book.txt']
    ]
    assert builds(ran) == 1


def test_nothing_is_installed_twice(here: Path, ran: list) -> None:
    book.prepare('notebook')
    assert len(pip_installs(ran)) == 6
    ran.clear()
    book.prepare('notebook')
    assert ran == []
    os.utime(here / 'requirements.txt')  # 只改了时间，内容没有变
    book.prepare('notebook')
    assert ran == []
    (here / 'requirements.txt').write_text('torch\n', encoding='utf-8')
    book.prepare('notebook')
    assert [step[-1] for step in pip_installs(ran)] == [
        'requirements.txt', 'requirements-d2l.txt', '.',
    ]  # fmt: skip


def test_a_failed_installation_is_tried_again_and_explained(
    here: Path,
    ran: list,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*command: object, **environment: str) -> None:
        raise book.Refusal('', 7)

    working = book.execute
    monkeypatch.setattr(book, 'execute', fail)
    assert book.main(['book']) == 7
    [line] = capsys.readouterr().err.splitlines()
    assert '连不上网' in line and 'PIP_ARGS' in line
    monkeypatch.setattr(book, 'execute', working)
    assert book.main(['book']) == 0
    assert len(pip_installs(ran)) == 1


def test_without_exact_versions_they_are_not_enforced_later(
    here: Path, ran: list
) -> None:
    assert book.main(['book', 'CONSTRAINTS=']) == 0
    assert pip_installs(ran) == [['-r', 'requirements-book.txt']]
    os.environ['CONSTRAINTS'] = 'constraints.txt'
    assert book.main(['book']) == 0
    assert len(pip_installs(ran)) == 1
    (here / 'constraints.txt').write_text('sphinx==7\n', encoding='utf-8')
    assert book.main(['book']) == 0
    assert len(pip_installs(ran)) == 2


def test_mirror_and_source_of_pytorch_reach_pip(here: Path, ran: list) -> None:
    os.environ['PIP_ARGS'] = '--index-url https://example.com/m --find-links "a b"'
    os.environ['TORCH_ARGS'] = '--index-url https://example.com/cpu'
    pinned, mirror = ['-c', 'constraints.txt'], [
        '--index-url', 'https://example.com/m', '--find-links', 'a b',
    ]  # fmt: skip
    book.prepare('test')
    assert pip_installs(ran) == [
        [*pinned, *mirror, '-r', 'requirements-book.txt'],
        [*pinned, *mirror, '-r', 'requirements-browser.txt'],
        [*pinned, '--index-url', 'https://example.com/cpu', 'torch', 'torchvision'],
        [*pinned, *mirror, '-r', 'requirements.txt'],
        [*pinned, *mirror, '--no-deps', '-r', 'requirements-d2l.txt'],
        [*pinned, *mirror, '--no-deps', '--editable', '.'],
    ]


@pytest.mark.parametrize(
    ('system', 'text', 'parts'),
    [
        ('nt', r'--find-links "C:\my wheels"', ['--find-links', r'C:\my wheels']),
        ('posix', r'--find-links my\ wheels', ['--find-links', 'my wheels']),
        ('posix', 'a  #b', ['a', '#b']),
        ('nt', '', []),
    ],
)
def test_arguments_are_split_as_on_the_system(
    system: str, text: str, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book.os, 'name', system)
    assert book.words(text) == parts


def test_an_unpaired_quote_is_told_in_one_line(
    ran: list, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, command in (('ARGS', 'record'), ('PIP_ARGS', 'lint')):
        with monkeypatch.context() as patch:
            patch.setenv(name, "'nin")
            assert book.main([command]) == 2
        *_, told = capsys.readouterr().err.splitlines()
        assert told == "引号没有配对：'nin"


# ---- 构建与测试 -----------------------------------------------------------------


@pytest.fixture
def build(here: Path, ran: list) -> Callable[[], bool]:
    """构建一次；返回有没有从头来（上次留下的文件还在不在）。"""
    for folder in ('site', 'chapters', 'img', 'results'):
        (here / folder).mkdir()
        (here / folder / '文件.txt').write_text('一', encoding='utf-8')

    def once() -> bool:
        left = here / '_build' / '留下的'
        if left.parent.exists():
            left.write_text('', encoding='utf-8')
        assert book.main(['book']) == 0
        return not left.exists()

    return once


def test_only_prose_is_built_incrementally(build: Callable, here: Path) -> None:
    assert build()
    assert not build()
    (here / 'chapters' / '文件.txt').write_text('二', encoding='utf-8')
    assert not build()
    for folder in ('site', 'img', 'results'):
        (here / folder / '文件.txt').write_text('二', encoding='utf-8')
        assert build(), folder
        assert not build()
    (here / 'site' / '文件.txt').unlink()
    assert build()
    (here / 'site' / '__pycache__').mkdir()
    (here / 'site' / '__pycache__' / 'a.pyc').write_bytes(b'1')
    assert not build()
    os.environ['FULL'] = '1'
    assert build()


def test_a_build_with_warnings_starts_again(
    build: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    working = book.execute

    def fail(*command: object, **environment: str) -> None:
        raise book.Refusal('', 1)

    monkeypatch.setattr(book, 'execute', fail)
    assert book.main(['book']) == 1
    monkeypatch.setattr(book, 'execute', working)
    assert build()


def test_a_build_without_a_front_page_fails(
    here: Path, ran: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, 'execute', lambda *command, **environment: None)
    assert book.main(['book']) == 1
    assert not (here / '_build' / 'complete').exists()


def test_the_tests_run_every_notebook_and_every_test(ran: list) -> None:
    assert book.main(['test', 'JOBS=3']) == 0
    checks = [
        command for command in ran if command[0] != '-X' and 'build' not in command
    ]
    assert checks[0] == ['tools/book/export_models.py', '--check']
    assert checks[1] == ['-m', 'ruff', 'check', '.']
    assert checks[2] == [
        '-m', 'pytest', '-n', '3', '--dist', 'loadscope', '--no-loadscope-reorder',
        '--nbval', '--nbval-current-env', '--nbval-cell-timeout=300', 'chapters', 'tests',
    ]  # fmt: skip


def test_workers_share_the_cores(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book.os, 'cpu_count', lambda: 8)
    given = book.test_variables()
    assert given['DEEPCNN_PROFILE'] == 'quick'
    assert given['OMP_NUM_THREADS'] == '4'
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('JOBS', '1')
    assert book.test_variables()['OMP_NUM_THREADS'] == '1'
    monkeypatch.setattr(book.os, 'cpu_count', lambda: None)
    monkeypatch.delenv('OMP_NUM_THREADS')
    assert book.test_variables()['OMP_NUM_THREADS'] == '1'


def test_arguments_reach_the_tool(ran: list) -> None:
    os.environ['ARGS'] = 'summary exercises/tuning'
    assert book.main(['record', 'nin', 'DEEPCNN_PROFILE=laptop']) == 0
    assert ran[-1] == ['tools/book/record.py', 'summary', 'exercises/tuning', 'nin']
    assert os.environ['DEEPCNN_PROFILE'] == 'laptop'
    assert book.main(['compare', 'lr=0.1']) == 0
    assert ran[-1][-1] == 'lr=0.1'


@pytest.mark.parametrize(
    ('line', 'given'),
    [([], []), (['URL='], ['']), ([f'URL={GITHUB}'], [GITHUB])],
)
def test_the_address_of_the_repository(
    line: list[str], given: list[str], ran: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('URL', 'https://example.com/elsewhere')
    assert book.main(['repository', *line]) == 0
    assert ran[-1] == ['tools/book/repository.py', *given]


def test_a_wrong_address_is_refused_before_anything_is_installed(
    ran: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert book.main(['repository', 'URL=foo']) == 1
    assert '网址「foo」不能用' in capsys.readouterr().err
    assert ran == []


def test_figures_are_drawn_then_embedded(ran: list) -> None:
    assert book.main(['figures']) == 0
    assert ran[-2:] == [['tools/figures/draw.py'], ['tools/figures/embed.py']]


def test_formulas_are_typeset_from_a_fresh_build(here: Path, ran: list) -> None:
    book.main(['book'])
    left = here / '_build' / '留下的'
    left.write_text('', encoding='utf-8')
    assert book.main(['formulas']) == 0
    assert not left.exists() and builds(ran) == 2
    assert ran[-1] == ['tools/site/typeset_formulas.py']


@pytest.mark.parametrize('offline', [False, True])
def test_packing_needs_no_environment(
    offline: bool, here: Path, ran: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    pythons: list[object] = []
    monkeypatch.setattr(book, 'execute', lambda *line: pythons.append(line))
    assert book.main(['pack', 'nin']) == 0
    own = book.environment_python()
    own.parent.mkdir(parents=True)
    own.write_bytes(b'')
    monkeypatch.setenv('OFFLINE', '1' if offline else '')
    assert book.main(['pack']) == 0
    script = 'tools/book/pack_record.py'
    second = sys.executable if offline else own
    assert pythons == [(sys.executable, script, 'nin'), (second, script)]


def test_a_new_chapter_is_written_exported_built_and_numbered(
    ran: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('NAME', 'computer')  # WSL 的环境里有它，是机器的名字
    assert book.main(['new-chapter', 'NAME=mobilenet']) == 0
    assert builds(ran) == 1
    assert [line for line in ran if line[0].startswith('tools/book/')] == [
        ['tools/book/new_chapter.py', 'mobilenet'],
        ['tools/book/export_models.py'],
        ['tools/book/fill_plain.py'],
    ]
    ran.clear()
    assert book.main(['new-chapter']) == 0
    assert ['tools/book/new_chapter.py'] in ran


@pytest.mark.parametrize(('user', 'allowed'), [(0, True), (1000, False), (None, False)])
def test_the_notebooks_are_served_from_the_root(
    user: int | None,
    allowed: bool,
    here: Path,
    ran: list,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if user is None:  # Windows 没有 geteuid
        monkeypatch.delattr(book.os, 'geteuid', raising=False)
    else:
        monkeypatch.setattr(book.os, 'geteuid', lambda: user, raising=False)
    assert book.main(['notebook', 'PORT=9999', '--no-browser']) == 0
    command = ran[-1]
    assert command[:3] == ['-m', 'jupyterlab', '--port=9999']
    assert f'--ServerApp.root_dir={here}' in command
    assert '--LabApp.default_url=/lab/tree/index.md' in command
    assert command[-1] == '--no-browser'
    assert ('--allow-root' in command) == allowed
    hints = [x for x in capsys.readouterr().out.splitlines() if 'root' in x]
    assert len(hints) == allowed
    settings = json.loads(
        (here / '.venv/share/jupyter/lab/settings/overrides.json').read_text('utf-8')
    )
    viewers = settings['@jupyterlab/docmanager-extension:plugin']['defaultViewers']
    assert viewers == {'markdown': 'Markdown Preview'}


def test_an_offline_machine_uses_its_own_python(
    here: Path, ran: list, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = dict(os.environ)
    os.environ.pop('DEEPCNN_COMMIT', None)
    try:
        assert book.main(['compare', 'OFFLINE=1']) == 1
        assert '.offline/wheels' in capsys.readouterr().err
        wheels = here / '.offline' / 'wheels'
        wheels.mkdir(parents=True)
        (wheels / 'd2l.whl').write_bytes(b'1')
        (wheels.parent / 'commit').write_text('5b860f7\n', encoding='utf-8')
        assert book.main(['compare', 'OFFLINE=1']) == 0
        assert book.main(['compare', 'OFFLINE=1']) == 0
        kinds = [command[1] if command[0] == '-m' else command[0] for command in ran]
        assert kinds == ['pip', 'ipykernel', *2 * ['tools/measure/compare.py']]
        assert os.environ['PYTHONPATH'].split(os.pathsep) == [
            str(here / '.offline' / 'site'), str(here),
        ]  # fmt: skip
        assert os.environ['DEEPCNN_COMMIT'] == '5b860f7'
        assert not (here / '.venv').exists()
    finally:
        os.environ.clear()
        os.environ.update(saved)


def test_clean_keeps_the_environment_and_the_sources(here: Path) -> None:
    kept = ['chapters/a.ipynb', '.venv/lib/__pycache__/a.pyc', 'deepcnn/a.py']
    gone = [
        '_build/html/index.html', 'dist/site.zip', 'deepcnn.egg-info/PKG-INFO',
        'deepcnn/__pycache__/a.pyc', 'chapters/.ipynb_checkpoints/a.ipynb',
    ]  # fmt: skip
    for name in kept + gone:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(b'')
    assert book.main(['clean']) == 0
    assert [name for name in kept if not (here / name).exists()] == []
    assert [name for name in gone if (here / name).exists()] == []


# ---- 真的运行 -------------------------------------------------------------------

PRINT_WHERE = (
    'import json, os, sys\n'
    'print(json.dumps([sys.argv[1:], os.getcwd(), sys.prefix, sys.flags.utf8_mode]))\n'
)


def test_the_whole_way_in_a_folder_with_spaces_and_chinese(here: Path) -> None:
    """真的建环境、装（空的）清单、运行工具；终端一个汉字也写不出。"""
    shutil.copy(ROOT / 'book.py', here)
    tool = here / 'tools' / 'book' / 'repository.py'
    tool.parent.mkdir(parents=True)
    tool.write_text(PRINT_WHERE, encoding='utf-8')
    done = subprocess.run(
        [sys.executable, here / 'book.py', 'repository', f'URL={GITHUB}', '网址 一'],
        cwd=here.parent,
        env=os.environ | {
            'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0',
            'PYTHONIOENCODING': 'ascii',
        },
        encoding='utf-8', capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    arguments, folder, prefix, utf8 = json.loads(done.stdout.splitlines()[-1])
    assert arguments == [GITHUB, '网址 一']
    assert Path(folder) == here.resolve()
    assert Path(prefix) == (here / '.venv').resolve()
    assert utf8 == 1


def test_the_exit_code_of_the_tool_is_kept(here: Path) -> None:
    with pytest.raises(book.Refusal) as refused:
        book.execute(sys.executable, '-c', 'raise SystemExit(3)')
    assert refused.value.code == 3
    with pytest.raises(book.Refusal) as refused:
        book.execute(sys.executable, '-c', 'import os; os.abort()')
    assert refused.value.code > 0


CLEANS_UP = (
    'import sys, time\n'
    'from pathlib import Path\n'
    'try:\n'
    '    Path("started").touch()\n'
    '    time.sleep(60)\n'
    'except KeyboardInterrupt:\n'
    '    time.sleep(1)\n'  # 比 subprocess.run 肯等的久
    '    Path("cleaned").touch()\n'
)
CALLS = (
    'import signal, sys, book\n'
    'from pathlib import Path\n'
    'book.ROOT = Path(sys.argv[1])\n'
    'signal.signal(signal.SIGINT, signal.default_int_handler)\n'  # 后台的 shell 让它不起作用
    'book.COMMANDS["help"] = book.Command(\n'
    '    lambda line: book.execute(sys.executable, "-c", sys.argv[2]), ""\n'
    ')\n'
    'sys.exit(book.main([]))\n'
)


@pytest.mark.skipif(not hasattr(os, 'killpg'), reason='Windows 上没有进程组的 SIGINT')
def test_ctrl_c_waits_until_the_tool_has_cleaned_up(tmp_path: Path) -> None:
    calling = subprocess.Popen(
        [sys.executable, '-c', CALLS, tmp_path, CLEANS_UP], cwd=ROOT, start_new_session=True
    )
    while not (tmp_path / 'started').exists():
        assert calling.poll() is None
        time.sleep(0.05)
    os.killpg(calling.pid, signal.SIGINT)  # 终端就是这样发的
    assert calling.wait(30) == 130
    assert (tmp_path / 'cleaned').exists()


def test_a_file_that_cannot_be_used_is_told_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / '_build').write_bytes(b'')
    assert book.main(['clean']) == 0
    assert not (here / '_build').exists()

    def full(path: str) -> None:
        raise OSError(28, 'No space left on device', path)

    (here / 'dist').mkdir()
    monkeypatch.setattr(book.shutil, 'rmtree', full)
    assert book.main(['clean']) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('文件出错（') and '请看磁盘满没满' in line


def test_a_broken_environment_is_built_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """所用的 Python 卸载之后，.venv 还在，标记也在，里面的 Python 却不能用了。"""
    made = []
    monkeypatch.setattr(book, 'execute', lambda *command: made.append(command[1:]))
    (here / '.venv').mkdir()
    book.create_environment()
    assert made == [(*book.ALONE, 'venv', '--clear', '.venv')]
    python = book.environment_python()
    python.parent.mkdir(parents=True)
    python.write_bytes(b'')
    book.create_environment()
    assert len(made) == 1


def test_an_old_python_is_told_what_is_needed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(book.sys, 'version_info', (3, 8, 10))
    assert book.main(['book']) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert '3.10 或更高' in line and '是 3.8' in line
    # 它得先读得懂这个文件
    ast.parse((ROOT / 'book.py').read_text('utf-8'), feature_version=(3, 7))


def test_a_python_without_ensurepip_is_explained(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(book.importlib.util, 'find_spec', lambda name: None)
    assert book.main(['book']) == 1
    assert 'python3-venv' in capsys.readouterr().err


def test_only_the_standard_library_is_imported() -> None:
    imported = {
        name.name.split('.')[0]
        for node in ast.walk(ast.parse((ROOT / 'book.py').read_text('utf-8')))
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        node.module.split('.')[0]
        for node in ast.walk(ast.parse((ROOT / 'book.py').read_text('utf-8')))
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names
