"""笔记本的第一个单元，在像 Colab 那样的环境里：那里没有本书的仓库，也没有装 deepcnn。"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]
CELL = ROOT / 'tools' / 'book' / 'first_cell.py'
PACKAGES = sysconfig.get_path('purelib')

# 像笔记本那样执行单元；成功时再报告 deepcnn 来自哪里。
RUN_CELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from pathlib import Path
sys.path.insert(0, '')
result = InteractiveShell.instance().run_cell(Path('cell.py').read_text('utf-8'))
if result.error_in_exec is None:
    import deepcnn
    print('FROM', Path(deepcnn.__file__).resolve().parent)
"""


UTF8 = {'PYTHONIOENCODING': 'utf-8', 'NO_COLOR': '1'}


def run_cell(
    folder: Path, source: str = '', **environment: str
) -> subprocess.CompletedProcess[str]:
    """在 ``folder`` 里执行第一个单元，``source`` 是 make repository 填的安装地址。

    ``-S`` 使本机以可编辑方式安装的 deepcnn 不可见；其余的包由 PYTHONPATH 给出。
    """
    text = CELL.read_text(encoding='utf-8')
    text = re.sub("^SOURCE = '.*'", f'SOURCE = {source!r}', text, flags=re.MULTILINE)
    (folder / 'cell.py').write_text(text, encoding='utf-8')
    paths = [environment.pop('PYTHONPATH', ''), PACKAGES]
    return subprocess.run(
        [sys.executable, '-S', '-c', RUN_CELL],
        cwd=folder,
        env=os.environ
        | {'PYTHONPATH': os.pathsep.join(filter(None, paths))}
        | UTF8
        | environment,
        encoding='utf-8',
        capture_output=True,
    )


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """由仓库打出的安装包；在副本里打，仓库里不留下 build/。"""
    work = tmp_path_factory.mktemp('wheel')
    copy = work / 'book'
    copy.mkdir()
    for name in ('pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, copy)
    unwanted = shutil.ignore_patterns('__pycache__', '.runs')
    for name in ('deepcnn', 'results', 'weights'):
        shutil.copytree(ROOT / name, copy / name, ignore=unwanted)
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-index']
    command += ['--no-deps', '--no-build-isolation', '--wheel-dir', str(work), './book']
    subprocess.run(command, cwd=work, check=True, capture_output=True, encoding='utf-8')
    (built,) = work.glob('deepcnn-*.whl')
    return built


def test_alone_it_says_what_to_do_in_one_line(tmp_path: Path) -> None:
    done = run_cell(tmp_path)
    printed = (done.stdout + done.stderr).strip()
    assert printed.count('\n') == 0, printed
    assert printed.startswith('缺少 deepcnn：deepcnn 请连同 results')


def test_a_notebook_copied_alone_stops_with_that_line(tmp_path: Path) -> None:
    """文件夹里只有这一个笔记本，用真的内核从头执行。"""
    folder = tmp_path / 'alone'
    folder.mkdir()
    copy = shutil.copy(ROOT / 'chapters/exercises/parameter_sizes.ipynb', folder)
    notebook = nbformat.read(copy, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            cell.outputs = []
    spec = {
        'argv': [
            sys.executable, '-S', '-m', 'ipykernel_launcher', '-f', '{connection_file}',
        ],
        'display_name': 'alone',
        'language': 'python',
        'env': {'PYTHONPATH': PACKAGES},
    }  # fmt: skip
    (tmp_path / 'kernels/alone').mkdir(parents=True)
    (tmp_path / 'kernels/alone/kernel.json').write_text(
        json.dumps(spec), encoding='utf-8'
    )
    manager = AsyncKernelManager(
        kernel_name='alone',
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(tmp_path / 'kernels')]),
    )
    client = NotebookClient(
        notebook, km=manager, resources={'metadata': {'path': str(folder)}}
    )
    with pytest.raises(CellExecutionError):
        client.execute()
    [error] = [out for c in notebook.cells for out in c.get('outputs', ())]
    [line] = error.traceback
    assert line.startswith('缺少 deepcnn：deepcnn 请连同 results')
    assert '\n' not in line


@pytest.mark.parametrize('place', ['.', '..'], ids=['beside', 'parent'])
def test_it_finds_the_package_next_to_it(tmp_path: Path, place: str) -> None:
    folder = tmp_path / '章节 chapters'
    folder.mkdir()
    package = (folder / place / 'deepcnn').resolve()
    shutil.copytree(ROOT / 'deepcnn', package)
    done = run_cell(folder)
    assert done.stdout.strip() == f'FROM {package}', done.stdout + done.stderr


def test_it_names_pytorch_when_only_that_is_missing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / 'deepcnn', tmp_path / 'deepcnn')
    # 本机装有 PyTorch：让查找的函数说没有。
    code = (
        'import importlib.util as u\n'
        'find = u.find_spec\n'
        'u.find_spec = lambda name: None if name == "torch" else find(name)\n'
    )
    cell = code + CELL.read_text(encoding='utf-8')
    (tmp_path / 'cell.py').write_text(cell, encoding='utf-8')
    done = subprocess.run(
        [sys.executable, '-c', RUN_CELL],
        cwd=tmp_path,
        env=os.environ | UTF8,
        encoding='utf-8',
        capture_output=True,
    )
    assert done.stdout.strip().startswith('缺少 torch：'), done.stdout + done.stderr


def test_it_installs_the_package_from_the_repository(
    tmp_path: Path, wheel: Path
) -> None:
    installed = tmp_path / 'installed'
    installed.mkdir()
    done = run_cell(
        tmp_path,
        source=str(wheel),
        PYTHONPATH=str(installed),
        PIP_TARGET=str(installed),
        PIP_NO_DEPS='1',
        PIP_NO_INDEX='1',
        PIP_DISABLE_PIP_VERSION_CHECK='1',
    )
    said, origin = done.stdout.strip().splitlines()
    assert said.startswith('安装配套包 deepcnn')
    assert origin == f'FROM {(installed / "deepcnn").resolve()}'


def test_a_failed_installation_ends_with_the_same_line(tmp_path: Path) -> None:
    done = run_cell(tmp_path, source=str(tmp_path / 'missing.zip'), PIP_NO_INDEX='1')
    assert done.stdout.strip().splitlines()[-1].startswith('缺少 deepcnn：')


def test_the_installed_package_brings_what_the_chapters_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    code = {
        path.relative_to(ROOT).as_posix()
        for pattern in ('**/*.py', 'plot/fonts/*', 'data/files/*')
        for path in (ROOT / 'deepcnn').glob(pattern)
    }
    results = {
        f'deepcnn/results/{path.relative_to(ROOT / "results").as_posix()}'
        for pattern in ('*.json', '[cefl]*/*.json', 'tuning/*.json')  # 影片不读
        for path in (ROOT / 'results').glob(pattern)
    }
    weights = {f'deepcnn/weights/{path.name}' for path in (ROOT / 'weights').iterdir()}
    assert len(code) > 60 and len(results) > 60 and len(weights) >= 8
    assert code | results | weights <= names


def test_chapters_read_the_records_of_the_installed_package_too() -> None:
    """RESULTS 是仓库里的那一份；只有包的读者没有它。"""
    chapters = sorted((ROOT / 'chapters').rglob('*.ipynb'))
    named = [path.name for path in chapters if 'store import RESULTS' in path.read_text('utf-8')]
    assert chapters and named == []


def test_the_installed_package_reads_its_training_records(
    tmp_path: Path, wheel: Path
) -> None:
    """小结一章在 Colab 里也要读得到。"""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    recorded = sorted(
        path.stem
        for path in ROOT.glob('results/*.json')
        if 'network' in json.loads(path.read_text(encoding='utf-8'))
    )
    code = (
        'import sys; from deepcnn.records import load_history\n'
        'print([load_history(name).network for name in sys.argv[1:]])'
    )
    done = subprocess.run(
        [sys.executable, '-S', '-c', code, *recorded],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': PACKAGES} | UTF8,
        encoding='utf-8',
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == str(recorded)
