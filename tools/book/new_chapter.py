"""为新的一章写出骨架：chapters/名字.ipynb，并登记进 _toc.yml；已有的文件都不改写。

骨架在最后一个网络之后，有一个导出的块、它的形状检查、一张表和参考文献；怎样往下写，
见 docs/authoring.md。make new-chapter 随后生成 deepcnn/models/名字.py，补齐编号。
"""

import keyword
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from book_contents import exporting_chapters  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_text  # noqa: E402

FIRST_CELL = ROOT / 'tools' / 'book' / 'first_cell.py'
SKELETON = ROOT / 'tools' / 'book' / 'chapter_skeleton.md'
# 骨架里的代码单元：```python 后面写它的标签，install 是全书相同的第一个单元。
CODE = re.compile(r'^```python ?(\w*)\n(.*?)\n?```$', re.MULTILINE | re.DOTALL)


def checked_name(name: str) -> str:
    """章名可以用时原样返回，否则抛出 ValueError，说明为什么。

    它也是 deepcnn/models/ 里的模块名，不能与那里的、标准库的或 Python 的关键字相同。
    """
    if not re.fullmatch('[a-z][a-z0-9_]*', name) or keyword.iskeyword(name):
        raise ValueError(
            f'章名 {name!r} 不行：要以小写英文字母开头，只用小写字母、数字和下划线，'
            '例如 NAME=mobilenet'
        )
    if name in sys.stdlib_module_names:
        raise ValueError(f'章名 {name!r} 不行：标准库里有同名的模块，换一个名字')
    for path in taken_by(name):
        raise ValueError(
            f'章名 {name!r} 已经用了：{path.relative_to(ROOT).as_posix()}，换一个名字'
        )
    return name


def taken_by(name: str) -> list[Path]:
    """已有的、会与这一章相撞的文件；Windows 与 macOS 不分大小写，这里也不分。"""
    folders = (ROOT / 'chapters', ROOT / 'deepcnn' / 'models')
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob('*'))
        if path.stem.lower() == name
    ]


def skeleton(name: str) -> NotebookNode:
    """新的一章的笔记本；代码单元都没有输出，已带着序号。"""
    text = SKELETON.read_text(encoding='utf-8')
    text = text.replace('LABEL', name.replace('_', '-')).replace('NAME', name)
    first, *rest = CODE.split(text)  # 文字，标签，代码，文字……
    cells = [new_markdown_cell(first.strip('\n'))]
    parts = zip(*[iter(rest)] * 3, strict=True)
    for count, (tag, code, prose) in enumerate(parts, 1):
        cells.append(code_cell(tag, code, count))
        if prose.strip():
            cells.append(new_markdown_cell(prose.strip('\n')))
    kernel = {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'}
    metadata = {'kernelspec': kernel, 'language_info': {'name': 'python'}}
    return new_notebook(cells=cells, metadata=metadata)


def code_cell(tag: str, code: str, count: int) -> NotebookNode:
    if tag == 'install':
        code = FIRST_CELL.read_text(encoding='utf-8').rstrip('\n')
        metadata = {'name': 'install', 'tags': ['remove-cell']}
    else:
        metadata = {'tags': [tag]} if tag else {}
    return new_code_cell(code, execution_count=count, metadata=metadata)


def registered(contents: str, name: str, before: str) -> str:
    """目录里 ``before`` 一章之后多出 ``name``；没有那一章时抛出 ValueError。"""
    entry = re.compile(rf'^( *- file: chapters/){before}$', re.MULTILINE)
    if not entry.search(contents):
        raise ValueError(f'_toc.yml 里没有 chapters/{before}，不知道排在哪里')
    return entry.sub(rf'\g<0>\n\g<1>{name}', contents, count=1)


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        'name', metavar='名字', nargs='?', default='', help='例如 mobilenet'
    )
    name = command.parse_args(arguments).name
    toc = ROOT / '_toc.yml'
    try:
        checked_name(name)
        text = toc.read_text(encoding='utf-8')
        contents = registered(text, name, exporting_chapters()[-1])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    path = ROOT / 'chapters' / f'{name}.ipynb'
    write_text(path, nbformat.writes(skeleton(name)) + '\n')
    write_text(toc, contents)
    print(f'已写出 chapters/{name}.ipynb，并登记进 _toc.yml')
    return 0


if __name__ == '__main__':
    run(main)
