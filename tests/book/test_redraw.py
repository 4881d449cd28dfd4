"""重画各章的图：只换图与它的文字说明，别的输出一个字也不改。"""

import errno
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
import record
import redraw
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from deepcnn.records import load_history
from deepcnn.records.pages import record_names

SVG, PNG = 'image/svg+xml', 'image/png'
NETWORKS = 'alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet'


def drawn(source: str, text: str, kind: str, value: str, *tags: str) -> NotebookNode:
    output = nbformat.v4.new_output(
        'display_data', {kind: value, 'text/plain': text}, metadata={kind: {'a': value}}
    )
    cell = nbformat.v4.new_code_cell(source, outputs=[output])
    cell.metadata.tags = list(tags)
    return cell


def cells(text: str, kind: str, value: str) -> list[NotebookNode]:
    printed = nbformat.v4.new_output('stream', text=value)
    train = nbformat.v4.new_code_cell('net, history = train()', outputs=[printed])
    train.metadata.tags = ['train']
    return [
        nbformat.v4.new_markdown_cell('文字'),
        drawn('plot.show_images(images)', text, kind, value),
        train,
        drawn('plot.training_curves(history)', text, kind, value, 'nbval-ignore-output'),
        drawn('plot.filters(weight)', text, kind, value),
        drawn('plot.filters(weight)', text, kind, value, 'nbval-ignore-output'),
        nbformat.v4.new_code_cell("net = load('nin')"),
        drawn('plot.filters(weight)', text, kind, value),
    ]


def test_only_what_does_not_need_the_network_is_redrawn() -> None:
    old, new = cells('旧的大小', PNG, 'old'), cells('新的大小', SVG, 'new')
    new[1].outputs[0].data[redraw.WIDGET_VIEW] = {}
    assert redraw.exchange(old, new) == 3
    fresh = {SVG: 'new', 'text/plain': '新的大小'}
    for cell in (old[1], old[3], old[7]):  # 最后一个用随书附带的权重
        assert cell.outputs[0].data == fresh
        assert cell.outputs[0].metadata == {SVG: {'a': 'new'}}
    # 来自刚训练好的网络：图留着；逐格比较的，文字说明换成现在的
    assert old[4].outputs[0].data == {PNG: 'old', 'text/plain': '新的大小'}
    assert old[5].outputs[0].data == {PNG: 'old', 'text/plain': '旧的大小'}
    assert old[2].outputs[0].text == 'old'


class Client:
    """替身：只记下执行了什么。"""

    def __init__(self) -> None:
        self.nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1')])
        self.said: list[tuple[str, int]] = []

    def execute_cell(self, cell: NotebookNode, index: int) -> None:
        assert self.nb.cells[index] is cell
        self.said.append((cell.source, index))


def test_a_silent_piece_leaves_no_cell() -> None:
    client = Client()
    redraw.silently(client, 'history = 2')
    assert client.said == [('history = 2', 1)] and len(client.nb.cells) == 1


@pytest.mark.parametrize('chapter', NETWORKS)
def test_untrained_networks_are_drawn_at_the_recorded_side(chapter: str) -> None:
    """quick 档执行到训练之前的那幅图时，配方是录制那一档的；画完换回来。"""
    notebook = nbformat.read(redraw.CHAPTERS / f'{chapter}.ipynb', as_version=4)
    (cell,) = (
        c for c in notebook.cells if 'explore_feature_maps(untrained' in c.source
    )
    record = record_names(chapter)[0]
    before, after = redraw.around(cell, False, record)
    recipes = import_module(f'deepcnn.models.{chapter}').RECIPES
    names = {'RECIPES': recipes, 'recipe': recipes['quick']}
    exec(before, names)
    assert names['recipe'].image_size == load_history(record).image_size
    exec(after, names)
    assert names['recipe'] is recipes['quick']
    assert redraw.around(cell, True, record) is None


def test_after_the_shipped_weights_the_profile_is_the_recorded_one() -> None:
    cell = nbformat.v4.new_code_cell(f"{redraw.SHIPPED}densenet')")
    before, after = redraw.around(cell, True, 'full/densenet')
    names = {'profile': 'quick'}
    exec(before, names)
    assert names['profile'] == 'full' and after == ''


def test_an_unknown_chapter_is_named(capsys: pytest.CaptureFixture) -> None:
    assert redraw.main(['lenet5']) == 2
    assert '没有这一章：lenet5' in capsys.readouterr().err


TRAIN = """
def training_curves(h):
    display({'image/png': 'bmV3', 'text/plain': type(h).__name__}, raw=True)

history = 'quick'
"""


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """训练、画曲线、再看一眼 history 的一章；存下的输出都是旧的。"""
    monkeypatch.setattr(redraw, 'CHAPTERS', tmp_path)
    monkeypatch.setattr(record.os, 'environ', dict(record.os.environ))
    said = nbformat.v4.new_output('stream', text='旧的')
    train = nbformat.v4.new_code_cell(TRAIN, outputs=[said], metadata={'tags': ['train']})
    look = nbformat.v4.new_code_cell('print(history)', outputs=[said])
    curves = drawn('training_curves(history)', '旧的', PNG, 'b2xk')
    path = tmp_path / 'nin.ipynb'
    nbformat.write(nbformat.v4.new_notebook(cells=[train, curves, look]), path)
    return path


def test_the_curves_are_drawn_from_the_record(
    chapter: Path, capsys: pytest.CaptureFixture
) -> None:
    before = nbformat.read(chapter, as_version=4)
    assert redraw.main(['nin']) == 0
    assert 'nin：重画了 1 幅图' in capsys.readouterr().out
    after = nbformat.read(chapter, as_version=4)
    assert after.cells[1].outputs[0].data == {PNG: 'bmV3', 'text/plain': 'History'}
    after.cells[1].outputs = before.cells[1].outputs
    assert after == before


def test_what_was_borrowed_for_a_figure_is_given_back(chapter: Path) -> None:
    redraw.prepare_kernels('quick')
    notebook = nbformat.read(chapter, as_version=4)
    cells = redraw.executed(notebook, chapter.parent, record_names('nin')[0])
    assert [cell.source for cell in cells] == [cell.source for cell in notebook.cells]
    assert cells[2].outputs[0].text == 'quick\n'
    assert notebook.cells[2].outputs[0].text == '旧的'


@pytest.mark.parametrize(
    ('error', 'code', 'said'),
    [
        (DeadKernelError('Kernel died'), 1, 'nin 的内核没有了'),
        (ValueError('没有 nin 的训练记录'), 1, 'nin 没有画成，原文件未改动：没有 nin'),
        (OSError(errno.ENOSPC, 'No space'), 1, 'nin 没有画成，原文件未改动：磁盘满了'),
        (KeyboardInterrupt(), 130, 'nin 已中断：原文件未改动，再运行一次'),
    ],
)
def test_a_redrawing_that_stops_says_why_in_one_line(
    error: BaseException,
    code: int,
    said: str,
    chapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fails(*arguments: object) -> None:
        raise error

    before = chapter.read_bytes()
    monkeypatch.setattr(redraw, 'executed', fails)
    assert redraw.main(['nin']) == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(said) and '断点' not in line
    assert chapter.read_bytes() == before


def test_a_cell_that_fails_is_shown_and_nothing_is_written(
    chapter: Path, capsys: pytest.CaptureFixture
) -> None:
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[2].source = '1 / 0'
    nbformat.write(notebook, chapter)
    before = chapter.read_bytes()
    assert redraw.main(['nin']) == 1
    assert capsys.readouterr().err.startswith('nin 执行失败，原文件未改动')
    assert chapter.read_bytes() == before
