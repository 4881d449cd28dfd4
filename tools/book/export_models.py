"""从各章带 ``export`` 标签的单元生成 deepcnn/models/<网络>.py。"""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from book_contents import MERGED, exporting_chapters  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.records.store import explaining, write_text  # noqa: E402

CHAPTERS = ROOT / 'chapters'
MODELS = ROOT / 'deepcnn' / 'models'
GENERATED = '由 chapters/'  # 生成的文件的第一行以它开头
ALLOWED = (
    ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef,
)  # fmt: skip


class ExportError(ValueError):
    """某个 export 单元不合规定，或某一章没有 export 单元。"""


def exported_cells(notebook: Path) -> list[str]:
    """按顺序返回 ``export`` 单元的源码；单元里有别的语句时抛出 ExportError。"""
    with explaining(notebook, MERGED):
        cells = nbformat.read(notebook, as_version=4).cells
    sources = [
        cell.source.strip()
        for cell in cells
        if cell.cell_type == 'code' and 'export' in cell.metadata.get('tags', ())
    ]
    if not sources:
        raise ExportError(f'{notebook.name} 里没有带 export 标签的单元')
    for source in sources:
        require_definitions(source, notebook)
    return sources


def require_definitions(source: str, notebook: Path) -> None:
    """export 单元只许有导入、常量、函数与类：导入模型文件时不能有副作用。"""
    for node in ast.parse(source).body:
        if not isinstance(node, ALLOWED):
            line = source.splitlines()[node.lineno - 1]
            raise ExportError(
                f'{notebook.name} 的 export 单元只能有导入、常量、函数和类，'
                f'请把这一行移到别的单元：{line.strip()}'
            )


def model_source(network: str) -> str:
    """返回 deepcnn/models/<network>.py 应有的全文。"""
    header = (
        f'"""{GENERATED}{network}.ipynb 的 export 单元生成。\n\n'
        '不要手改：改那一章，再运行 make models。\n"""'
    )
    text = '\n\n\n'.join([header, *exported_cells(CHAPTERS / f'{network}.ipynb')])
    return formatted(text + '\n', network)


def formatted(text: str, network: str) -> str:
    """用 ruff 统一空行，生成的文件因此与手写的一样好读。"""
    command = [sys.executable, '-m', 'ruff', 'format']
    done = subprocess.run(
        [*command, '--stdin-filename', f'{network}.py', '-'],
        input=text, encoding='utf-8', capture_output=True, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise ExportError(f'{network} 的 export 单元排版失败：{done.stderr.strip()}')
    return done.stdout


def require_no_orphans() -> None:
    """从前生成、如今没有哪一章导出的文件，别处还会导入它：抛出 ExportError。"""
    for path in sorted(MODELS.glob('*.py')):
        is_generated = path.read_text(encoding='utf-8').startswith(f'"""{GENERATED}')
        if is_generated and path.stem not in exporting_chapters():
            raise ExportError(
                f'没有哪一章导出 deepcnn/models/{path.name}：'
                '请把那一章写进 _toc.yml、补上 export 标签，或删去这个文件'
            )


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        '--check', action='store_true', help='只比较；有出入时列出网络并以 1 退出'
    )
    is_check = command.parse_args(arguments).check
    try:
        require_no_orphans()
        sources = {name: model_source(name) for name in exporting_chapters()}
    except (ValueError, FileNotFoundError, SyntaxError) as error:
        print(f'导出失败：{error}', file=sys.stderr)
        return 1
    drifted = [
        name
        for name, text in sources.items()
        if not (path := MODELS / f'{name}.py').exists()
        or path.read_text(encoding='utf-8') != text
    ]
    if is_check:
        if drifted:
            names = '、'.join(drifted)
            print(f'与章节不一致：{names}。请运行 make models', file=sys.stderr)
        return 1 if drifted else 0
    for name in drifted:
        path = MODELS / f'{name}.py'
        write_text(path, sources[name])
        print(f'已更新 deepcnn/models/{name}.py')
    return 0


if __name__ == '__main__':
    run(main)
