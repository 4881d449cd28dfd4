"""在选定的档位执行各章，存下输出与 results/<网络>.json；full 档的在 results/full/，还有 weights/。

每轮的断点存在 .runs/；中断后从上一轮接着做。执行失败的章不会被改写。
笔记本打印的每一行（训练时每轮一行）同时写到标准错误，录制途中因此看得到进度。
"""

import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from book_contents import recording_order  # noqa: E402
from command_line import INTERRUPTED, Command, file_trouble, run  # noqa: E402
from expected_time import expected_line  # noqa: E402

from deepcnn.explore.widgets import WIDGET_VIEW  # noqa: E402
from deepcnn.records import load_history  # noqa: E402
from deepcnn.records.pages import recorded_in  # noqa: E402
from deepcnn.records.store import write_bytes  # noqa: E402
from deepcnn.training import choose_device, choose_profile  # noqa: E402

CHAPTERS = ROOT / 'chapters'
# 输出图的图注；不导入网站的扩展：录制的机器上没有排版的那些包。
OUTPUT_CAPTION = re.compile(r'<a id="fig-[\w-]+"></a>\*\*图 ')

# 内核在第一格之前先执行它：此后的训练写出记录与断点。
START_RECORDING = (
    'from deepcnn.training.recording import start_recording; start_recording()'
)

RESUMES = '，训练会从断点接着做'
STOPPING = (
    CellExecutionError, RuntimeError, ValueError, OSError, KeyboardInterrupt
)  # fmt: skip


class LiveClient(NotebookClient):
    """执行笔记本，并把它打印的文字随到随写到标准错误。"""

    def process_message(
        self, msg: dict, cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        if msg['msg_type'] == 'stream':
            sys.stderr.write(msg['content']['text'])
            sys.stderr.flush()
        return super().process_message(msg, cell, cell_index)


def execute(notebook: NotebookNode, folder: Path) -> None:
    """在 ``folder`` 里就地执行；每个单元不限时，训练可以很久。"""
    client = LiveClient(
        notebook,
        timeout=None,
        kernel_name='python3',
        resources={'metadata': {'path': str(folder)}},
        extra_arguments=[f'--IPKernelApp.exec_lines={START_RECORDING}'],
    )
    client.execute()


def tidy(notebook: NotebookNode) -> None:
    """去掉每次都会变的元数据与控件，并把连续的同一输出流合成一段。

    控件离开内核只是一个空框；同一个输出里的图留下。
    """
    notebook.metadata.pop('widgets', None)
    notebook.metadata.pop('jupytext', None)
    notebook.metadata.kernelspec = {
        'display_name': 'Python 3',
        'language': 'python',
        'name': 'python3',
    }
    notebook.metadata.language_info = {'name': 'python'}
    for cell in notebook.cells:
        cell.metadata.pop('execution', None)
        if cell.cell_type == 'code':
            cell.outputs = merge_streams(cell.outputs)
            for output in cell.outputs:
                output.get('data', {}).pop(WIDGET_VIEW, None)


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    merged: list[NotebookNode] = []
    for output in outputs:
        before = merged[-1] if merged else None
        same = before and before.output_type == output.output_type == 'stream'
        if same and before.name == output.name:
            before.text += output.text
        else:
            merged.append(output)
    return merged


def write_provenance(notebook: NotebookNode, provenance: str) -> None:
    """给来自训练的图（``trained: true``）的图注写上数据集、档位、设备、种子。

    图注是画图的单元之后的那个文字单元。
    """
    for cell, after in pairwise(notebook.cells):
        if cell.metadata.get('trained') and OUTPUT_CAPTION.match(after.source):
            before = f'（{cell.metadata.get("provenance", "")}）。'
            base = after.source.removesuffix(before).rstrip('。')
            after.source = f'{base}（{provenance}）。'
            cell.metadata['provenance'] = provenance


def record(chapter: str) -> None:
    path = CHAPTERS / f'{chapter}.ipynb'
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, path.parent)
    tidy(notebook)
    if any(cell.metadata.get('trained') for cell in notebook.cells):
        # 一个实验有几份记录，设备与种子都相同，图注取第一份
        name = recorded_in(chapter, choose_profile())
        write_provenance(notebook, load_history(name).provenance)
    store(notebook, path)


def store(notebook: NotebookNode, path: Path) -> None:
    """整个写好了才换下原来的文件。"""
    write_bytes(path, f'{nbformat.writes(notebook)}\n'.encode())


def chosen_chapters(about: str, does: str, arguments: list[str]) -> list[str]:
    """命令行上写的章名，没有写时是全部；有不认识的时抛出 ValueError。"""
    command = Command(about)
    command.add_argument(
        'chapters', metavar='章名', nargs='*',
        help=f'不给时{does}全部；练习写作 exercises/名字，实验写作 experiments/名字',
    )  # fmt: skip
    chapters = command.parse_args(arguments).chapters
    order = recording_order()
    if unknown := [name for name in chapters if name not in order]:
        legal = '、'.join(order)
        raise ValueError(f'没有这一章：{"、".join(unknown)}。可以用 {legal}')
    return chapters or list(order)


def prepare_kernels(profile: str) -> None:
    """此后启动的内核用 ``profile`` 档，先找仓库里的代码，再照原有的 PYTHONPATH 找。"""
    before = filter(None, [os.environ.get('PYTHONPATH')])
    os.environ |= {
        'DEEPCNN_PROFILE': profile,
        'DEEPCNN_PROGRESS': '0',
        'PYTHONPATH': os.pathsep.join([str(ROOT), *before]),
    }


def stopped(chapter: str, error: BaseException, verb: str, resumes: str = '') -> int:
    """说明这一章为什么没有做完（``STOPPING`` 里的），返回退出码；``verb`` 是「录」或「画」。"""
    if isinstance(error, CellExecutionError):
        said = f'执行失败，原文件未改动：\n{error}'
    elif isinstance(error, DeadKernelError):
        said = (
            '的内核没有了，多半是内存不够：原文件未改动。请结束别的程序，'
            f'再运行一次{resumes}'
        )
    elif isinstance(error, RuntimeError):
        said = f'的内核没有启动，原文件未改动，请再运行一次：{error}'
    elif isinstance(error, KeyboardInterrupt):
        said = f'已中断：原文件未改动，再运行一次{resumes}'
    else:
        reason = file_trouble(error) if isinstance(error, OSError) else error
        said = f'没有{verb}成，原文件未改动：{reason}'
    print(f'{chapter} {said}', file=sys.stderr)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def main(arguments: list[str]) -> int:
    try:
        chapters = chosen_chapters(__doc__, '执行', arguments)
        device, profile = choose_device(), choose_profile()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    prepare_kernels(profile)
    for chapter in chapters:
        print(f'执行 {chapter}（{profile} 档，{device.type}）…', flush=True)
        started = perf_counter()
        try:
            if line := expected_line(chapter, profile, device):
                print(line, flush=True)
            record(chapter)
        except STOPPING as error:
            return stopped(chapter, error, '录', RESUMES)
        print(f'{chapter} 完成，用时 {perf_counter() - started:.0f} 秒', flush=True)
    print('已存下输出与 results/。请看一遍图，再提交。')
    return 0


if __name__ == '__main__':
    run(main)
