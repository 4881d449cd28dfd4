"""重画各章的图：只换图与它的文字说明，别的输出一个字也不改。"""

from importlib import import_module

import nbformat
import pytest
import redraw
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
    ]


def test_only_what_does_not_need_the_network_is_redrawn() -> None:
    old, new = cells('旧的大小', PNG, 'old'), cells('新的大小', SVG, 'new')
    new[1].outputs[0].data[redraw.WIDGET_VIEW] = {}
    assert redraw.exchange(old, new) == 2
    fresh = {SVG: 'new', 'text/plain': '新的大小'}
    for cell in (old[1], old[3]):
        assert cell.outputs[0].data == fresh
        assert cell.outputs[0].metadata == {SVG: {'a': 'new'}}
    # 来自训练好的网络：图留着；逐格比较的，文字说明换成现在的
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


def test_an_unknown_chapter_is_named(capsys: pytest.CaptureFixture) -> None:
    assert redraw.main(['lenet5']) == 2
    assert '没有这一章：lenet5' in capsys.readouterr().err
