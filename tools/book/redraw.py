"""换了画法之后，重画各章存下的图，不重新录制。

先按 quick 档把笔记本执行一遍。第一次训练之前的图用这一遍画的，只是配方（边长）换成录制
那一档的；训练曲线改从 results/ 里的记录画，用的还是那个单元的代码；载入随书附带的权重之后的
图，换回录制的档位来画，与重新录制一样。别的图来自刚训练好的网络，留着，只把图的文字说明
（大小与坐标系的个数，逐格比较时要看）换成现在的。别的输出一个字也不改。
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'tools' / 'book')]

from command_line import run  # noqa: E402
from record import (  # noqa: E402
    CHAPTERS,
    STOPPING,
    chosen_chapters,
    prepare_kernels,
    stopped,
    store,
)

from deepcnn.explore.widgets import WIDGET_VIEW  # noqa: E402
from deepcnn.records.pages import record_names  # noqa: E402

CURVES = 'training_curves(history)'
UNCOMPARED = {'nbval-ignore-output', 'nbval-skip'}
FROM_RECORD = """
from deepcnn.records import load_history
just_trained, history = history, load_history({name!r})
"""
RESTORE = 'history = just_trained'
AS_RECORDED = """
from deepcnn.records import load_history
of_quick, recipe = recipe, RECIPES[load_history({name!r}).profile]
"""
RESTORE_RECIPE = 'recipe = of_quick'
SHIPPED = "net = load('"  # 这一格以后，网络是随书附带的
OF_RECORD = """
from deepcnn.records import load_history
profile = load_history({name!r}).profile
"""


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get('tags', ()))


def picture_of(cell: NotebookNode) -> NotebookNode | None:
    """单元的输出里带图的那一个。"""
    for output in cell.get('outputs', ()):
        if any(kind.startswith('image/') for kind in output.get('data', {})):
            return output
    return None


def around(cell: NotebookNode, trained: bool, record: str) -> tuple[str, str] | None:
    """执行 ``cell`` 之前、之后各要悄悄执行的一段；不要时返回 None。

    画训练曲线时，history 是存下的记录；画没有训练的网络时，recipe 是录制那一档的；载入随书
    附带的权重以后，profile 一直是录制的那一档。
    """
    if cell.cell_type != 'code':
        return None
    if CURVES in cell.source:
        return FROM_RECORD.format(name=record), RESTORE
    if not trained and 'recipe.' in cell.source and picture_of(cell):
        return AS_RECORDED.format(name=record), RESTORE_RECIPE
    if cell.source.startswith(SHIPPED):
        return OF_RECORD.format(name=record), ''
    return None


def executed(notebook: NotebookNode, folder: Path, record: str) -> list[NotebookNode]:
    """在副本上执行，返回各单元；有的图要借用存下的记录，见 ``around``。"""
    copy = nbformat.from_dict(notebook)
    client = NotebookClient(
        copy,
        timeout=None,
        kernel_name='python3',
        resources={'metadata': {'path': str(folder)}},
    )
    trained = False
    with client.setup_kernel():
        for index, cell in enumerate(copy.cells):
            trained = trained or 'train' in tags(cell)
            pieces = around(cell, trained, record)
            if pieces:
                silently(client, pieces[0])
            client.execute_cell(cell, index)
            if pieces:
                silently(client, pieces[1])
    return copy.cells


def silently(client: NotebookClient, source: str) -> None:
    """在内核里执行一段，不留在笔记本里。"""
    cell = nbformat.v4.new_code_cell(source)
    client.nb.cells.append(cell)
    client.execute_cell(cell, len(client.nb.cells) - 1)
    client.nb.cells.pop()


def exchange(old: list[NotebookNode], new: list[NotebookNode]) -> int:
    """把重画的图与文字说明放进 ``old``，返回换了几幅图。"""
    changed, kept = 0, False
    for cell, redrawn in zip(old, new, strict=True):
        kept = (kept or 'train' in tags(cell)) and not cell.source.startswith(SHIPPED)
        before, after = picture_of(cell), picture_of(redrawn)
        if not (before and after):
            continue
        if not kept or CURVES in cell.source:
            after.data.pop(WIDGET_VIEW, None)
            before.data, before.metadata = after.data, after.metadata
            changed += 1
        elif not tags(cell) & UNCOMPARED:
            before.data['text/plain'] = after.data['text/plain']
    return changed


def redraw(chapter: str) -> int:
    """重画一章，写回文件，返回换了几幅图。"""
    path = CHAPTERS / f'{chapter}.ipynb'
    notebook = nbformat.read(path, as_version=4)
    new = executed(notebook, path.parent, record_names(chapter)[0])
    changed = exchange(notebook.cells, new)
    store(notebook, path)
    return changed


def main(arguments: list[str]) -> int:
    try:
        chapters = chosen_chapters(__doc__, '重画', arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    prepare_kernels('quick')
    for chapter in chapters:
        try:
            count = redraw(chapter)
        except STOPPING as error:
            return stopped(chapter, error, '画')
        print(f'{chapter}：重画了 {count} 幅图', flush=True)
    print('请看一遍图，再提交。')
    return 0


if __name__ == '__main__':
    run(main)
