"""配套包的房间：读每个文件的导入，写出 README 里那张「谁用到谁」的表。

用法：python tests/package_rooms.py，印出应当写进 README 的那一段。
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'deepcnn'
# 从下到上：一个房间只许用到排在它前面的。
ORDER = (
    'command_line', 'live_kernel', 'given_numbers', 'records', 'data', 'training',
    'models', 'anatomy', 'plot', 'explore', 'own', 'd2l_bridge', '__main__',
)  # fmt: skip
START, END = '<!-- rooms -->', '<!-- /rooms -->'


def python_files(*folders: str) -> list[Path]:
    """这些文件夹（相对于仓库）里的全部 Python 文件。"""
    return sorted(path for one in folders for path in (ROOT / one).rglob('*.py'))


def module_name(path: Path) -> str:
    """``deepcnn/data/__init__.py`` → ``deepcnn.data``。"""
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def room_of(module: str) -> str:
    """``deepcnn.data.batches`` 与 ``deepcnn.data`` 都在 ``data``；包本身是空的。"""
    return (module.split('.') + [''])[1]


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """``path`` 导入的模块，限于 ``modules`` 里的；函数里面的导入也算。"""
    package = module_name(path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = '.'.join([*above, *filter(None, [node.module])])
            inner = {f'{base}.{alias.name}' for alias in node.names}
            # from 包 import 模块：用到的是那个模块；import 的是名字，就是包本身。
            found |= {one if one in modules else base for one in inner}
    return found & modules


def import_graph() -> dict[str, set[str]]:
    """包里每个模块导入包里的哪些模块。"""
    paths = {module_name(path): path for path in python_files('deepcnn')}
    return {name: imports_of(path, set(paths)) for name, path in paths.items()}


def circles(graph: dict[str, set[str]]) -> list[str]:
    """互相导入的模块；依次拿走不再导入别人的，剩下的就在圈里（或通到圈里）。"""
    remaining = {name: set(used) - {name} for name, used in graph.items()}
    while free := {name for name, used in remaining.items() if not used}:
        remaining = {
            name: used - free for name, used in remaining.items() if name not in free
        }
    return sorted(remaining)


def used_rooms(graph: dict[str, set[str]]) -> dict[str, list[str]]:
    """每个房间用到的别的房间，按 ORDER 的次序。"""
    used: dict[str, set[str]] = {room: set() for room in ORDER}
    for name, imported in graph.items():
        if room_of(name):
            used[room_of(name)] |= {room_of(one) for one in imported}
    return {
        room: [one for one in ORDER if one in found and one != room]
        for room, found in used.items()
    }


def place_of(room: str) -> Path:
    """房间是一个文件夹，或一个文件。"""
    folder = PACKAGE / room
    return folder if folder.is_dir() else folder.with_suffix('.py')


def purpose_of(room: str) -> str:
    """房间自己写的第一句说明，写成 Markdown，不带句号。"""
    place = place_of(room)
    source = place / '__init__.py' if place.is_dir() else place
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding='utf-8')))
    return docstring.splitlines()[0].rstrip('。').replace('``', '`')


def render_rooms() -> str:
    """README 里的那一段，连同首尾的两个标记。"""
    rows = []
    for room, used in used_rooms(import_graph()).items():
        place = place_of(room)
        shown = f'{place.name}/' if place.is_dir() else place.name
        rooms = '、'.join(f'`{one}`' for one in used) or '—'
        rows.append(f'| `{shown}` | {purpose_of(room)} | {rooms} |')
    return '\n'.join(
        [
            START,
            '`deepcnn/` 里的次序：下面的可以用上面的，反过来不行；各文件之间没有循环的导入。',
            '',
            '| 房间 | 内容 | 用到的房间 |',
            '|---|---|---|',
            *rows,
            END,
        ]
    )


if __name__ == '__main__':
    print(render_rooms())
