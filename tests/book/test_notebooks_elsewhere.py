"""笔记本在别处也能运行：不经过 make 的 pytest，nbconvert，别的环境变量、编码与文件夹。"""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat import NotebookNode

from deepcnn import d2l_bridge, live_kernel
from deepcnn.plot import inline_backend

ROOT = Path(__file__).resolve().parents[2]

# 读者的终端：没有本书的变量，服务器上常见的后端。
SHELL = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(('DEEPCNN_', 'PYTEST_', 'COV_'))
} | {'MPLBACKEND': 'Agg', 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
# 写不出汉字的语言环境
ASCII = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}

TRAIN = """\
import torch
from torch import nn
from deepcnn import plot
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.training import Recipe
from deepcnn.training.loop import fit
plot.use_book_style()
part = ImageSet(torch.zeros(64, 1, 8, 8, dtype=torch.uint8), torch.zeros(64).long())
data = Dataset('全黑', part, part, ('一', '二'), (0.0,), (1.0,))
recipe = Recipe(8, 1, 1e-2, 8, train_images=64, test_images=64)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
run = fit(net, data, recipe, 0, torch.device('cpu'))
"""
DRAW = """\
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.title('训练')
plt.show()
"""


def notebook_of(*sources: str) -> NotebookNode:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def run_python(*arguments: object, folder: Path, **environment: str) -> str:
    """在读者的终端里运行，返回标准输出；失败时把两种输出都写进断言。"""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder, env=SHELL | {'PYTHONIOENCODING': 'utf-8'} | environment,
        encoding='utf-8', capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_chapter_passes_as_a_reader_types_it() -> None:
    """在 chapters/ 里，没有 make，没有设档位，语言环境里没有汉字。"""
    said = run_python(
        '-m', 'pytest', '-p', 'no:cacheprovider', '--nbval',
        'exercises/parameter_sizes.ipynb',
        folder=ROOT / 'chapters', **ASCII,
    )  # fmt: skip
    assert '笔记本用 quick 档运行' in said
    assert 'DEEPCNN_PROFILE 可以换成 quick、laptop、full、gpu' in said
    assert ' passed' in said


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """一个只有几格的笔记本，与本书的 conftest.py 放在一起；记着一个没有的内核。"""
    folder = tmp_path / '小 书'
    folder.mkdir()
    (folder / 'pytest.ini').write_text('[pytest]\n', encoding='utf-8')
    (folder / 'conftest.py').write_text(
        (ROOT / 'conftest.py').read_text('utf-8'), encoding='utf-8'
    )
    # 每轮的一行字随机器而变，不看；标准错误照样比较
    quiet = 'import io\nfrom contextlib import redirect_stdout\n' + TRAIN.replace(
        'run = fit', 'with redirect_stdout(io.StringIO()):\n    run = fit'
    )
    notebook = notebook_of(
        'from deepcnn.training import choose_profile\nchoose_profile()',
        quiet,
        'len(run.train_loss)',
        f'from deepcnn import plot\nplot.use_book_style()\n{DRAW}',
    )
    notebook.cells[0].outputs = [result("'quick'")]
    notebook.cells[2].outputs = [result('1')]
    # 别的版本的 matplotlib 画的：轮廓不同不要紧
    curve = {'image/svg+xml': '<svg/>', 'text/plain': '<Figure size 704x528 with 1 Axes>'}
    notebook.cells[3].outputs = [nbformat.v4.new_output('display_data', data=curve)]
    for count, cell in enumerate(notebook.cells, 1):
        cell.execution_count = count
    notebook.metadata.kernelspec = {
        'name': 'missing', 'display_name': '没有的', 'language': 'python',
    }  # fmt: skip
    nbformat.write(notebook, folder / 'small.ipynb')
    return folder


def result(text: str) -> NotebookNode:
    return nbformat.v4.new_output(
        'execute_result', data={'text/plain': text}, execution_count=1
    )


def test_training_leaves_nothing_for_the_comparison(small_book: Path) -> None:
    """进度条写到标准错误：nbval 逐字比较它。DEEPCNN_PROGRESS 没有设也不画。"""
    said = run_python(
        '-m', 'pytest', '-p', 'no:cacheprovider', '--nbval', 'small.ipynb', '-n', '2',
        folder=small_book,
    )  # fmt: skip
    assert '4 passed' in said  # 两个进程也不把一个笔记本拆开


def test_the_reader_may_choose_the_profile_and_the_kernel(
    small_book: Path, tmp_path: Path
) -> None:
    spec = {
        'argv': [sys.executable, '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
        'display_name': '读者的',
        'language': 'python',
        'env': {'DEEPCNN_KERNEL': 'mine'},
    }
    kernel = tmp_path / 'jupyter' / 'kernels' / 'mine'
    kernel.mkdir(parents=True)
    (kernel / 'kernel.json').write_text(json.dumps(spec), encoding='utf-8')
    path = small_book / 'small.ipynb'
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = notebook.cells[:1]
    notebook.cells[
        0
    ].source = 'import os\nos.environ["DEEPCNN_PROFILE"], os.environ["DEEPCNN_KERNEL"]'
    notebook.cells[0].outputs = [result("('laptop', 'mine')")]
    nbformat.write(notebook, path)
    said = run_python(
        '-m', 'pytest', '-p', 'no:cacheprovider', '--nbval', 'small.ipynb',
        '--nbval-kernel-name=mine',
        folder=small_book, DEEPCNN_PROFILE='laptop',
        JUPYTER_PATH=str(tmp_path / 'jupyter'),
    )  # fmt: skip
    assert '笔记本用 laptop 档运行' in said
    assert '1 passed' in said


def test_nbconvert_keeps_the_pictures_and_no_progress(tmp_path: Path) -> None:
    """另一个文件夹，MPLBACKEND=Agg：图照样有，曲线另有 SVG；进度条不留下。"""
    notebook = notebook_of(TRAIN, DRAW, DRAW.replace('plot([1, 2])', 'imshow([[1, 2]])'))
    nbformat.write(notebook, tmp_path / '图 一.ipynb')
    run_python(
        '-m', 'nbconvert', '--execute', '--to', 'notebook', '--output', 'done',
        '图 一.ipynb', folder=tmp_path,
    )  # fmt: skip
    done = nbformat.read(tmp_path / 'done.ipynb', as_version=4)
    trained, [curve], [picture] = (cell.outputs for cell in done.cells)
    assert [output.name for output in trained] == ['stdout']
    assert set(curve.data) == {'image/svg+xml', 'image/png', 'text/plain'}
    assert set(picture.data) == {'image/png', 'text/plain'}
    assert picture.metadata['image/png'].keys() == {'width', 'height'}


@pytest.mark.parametrize(
    ('inherited', 'magic', 'shown'),
    [
        ('Agg', '', True),
        ('TkAgg', '', True),  # 桌面上的：没有窗口可开
        ('svg', '%matplotlib pdf', False),  # 读者自己选的不改
    ],
)
def test_figures_appear_whatever_the_environment_says(
    inherited: str, magic: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MPLBACKEND', inherited)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    notebook = notebook_of(
        magic or 'pass', 'from deepcnn import plot\nplot.use_book_style()', DRAW
    )
    NotebookClient(notebook, kernel_name='python3').execute()
    pictures = [
        output
        for output in notebook.cells[-1].outputs
        if 'image/svg+xml' in output.get('data', {})
    ]
    assert bool(pictures) == shown


class Kernel:
    """替身：只有用得到的两样。"""

    def __init__(self, allow_stdin: bool) -> None:
        self._allow_stdin = allow_stdin
        self.shell = self
        self.magics: list[tuple[str, str]] = []

    def run_line_magic(self, name: str, line: str) -> None:
        self.magics.append((name, line))


@pytest.mark.parametrize('answers', [True, False])
def test_a_front_end_that_answers_is_watched(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_kernel, 'running_kernel', lambda: Kernel(answers))
    assert live_kernel.is_watched() == answers


def test_a_script_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_kernel, 'running_kernel', lambda: None)
    assert live_kernel.is_watched()


@pytest.mark.parametrize('kernel', [None, Kernel(True)])
def test_only_a_kernel_changes_the_backend(
    kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_backend, 'running_kernel', lambda: kernel)
    monkeypatch.setenv('MPLBACKEND', 'Agg')
    with matplotlib.rc_context({'backend': 'Agg'}):
        inline_backend.show_figures_inline()
        assert matplotlib.get_backend().lower() == 'agg'
    assert kernel is None or kernel.magics == [('matplotlib', 'inline')]


@pytest.mark.parametrize('answers', [True, False])
def test_a_real_kernel_knows_who_watches(answers: bool) -> None:
    """内核记着前端回不回答 input()；那个属性改了名字，这里就会发现。"""
    source = (
        f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
        'from deepcnn.live_kernel import is_watched\nprint(is_watched())'
    )
    manager, client = start_new_kernel(kernel_name='python3')
    said: list[str] = []
    try:
        client.execute_interactive(
            source,
            allow_stdin=answers,
            timeout=60,
            output_hook=lambda message: said.append(message['content'].get('text', '')),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert ''.join(said).strip() == str(answers)


# ---- 没有装 d2l -----------------------------------------------------------------


def test_missing_d2l_is_installed_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """单独一章在 Colab 里：工具箱与 ResNet 两章要与 d2l 对照，不该停在那里。"""
    commands, module = [], object()

    def load() -> object:
        if not commands:
            raise ModuleNotFoundError("No module named 'd2l'", name='d2l')
        return module

    def run(command: list[str], **options: object) -> None:
        commands.append(command)

    monkeypatch.setattr(d2l_bridge, 'import_d2l', load)
    monkeypatch.setattr(d2l_bridge, 'running_kernel', lambda: Kernel(True))
    monkeypatch.setattr(d2l_bridge.subprocess, 'run', run)
    assert d2l_bridge.load_d2l() is module
    first, second = commands
    assert first[:4] == [sys.executable, '-m', 'pip', 'install']
    assert {'--no-deps', 'd2l==1.0.3'} < set(first)
    assert {'pandas', 'requests'} < set(second) and '--no-deps' not in second
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith('安装 d2l 1.0.3')


@pytest.mark.parametrize('kernel', [None, Kernel(True)])
def test_d2l_that_cannot_be_had_is_explained_in_one_line(
    kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    def load() -> None:
        raise ModuleNotFoundError("No module named 'pandas'", name='pandas')

    monkeypatch.setattr(d2l_bridge, 'import_d2l', load)
    monkeypatch.setattr(d2l_bridge, 'running_kernel', lambda: kernel)
    monkeypatch.setattr(
        d2l_bridge.subprocess,
        'run',
        lambda command, **options: commands.append(command),
    )
    with pytest.raises(ImportError, match='缺少 pandas') as raised:
        d2l_bridge.load_d2l()
    assert raised.value._render_traceback_() == [str(raised.value)]
    assert '\n' not in str(raised.value)
    assert bool(commands) == bool(kernel)  # 脚本里不擅自安装
