"""房间的规矩：谁可以导入谁，哪些东西只许有一份。"""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from package_rooms import (
    END,
    ORDER,
    PACKAGE,
    ROOT,
    START,
    circles,
    import_graph,
    imports_of,
    module_name,
    python_files,
    render_rooms,
    room_of,
    used_rooms,
)

from deepcnn.records.titles import BENCHMARKED, NETWORKS, TITLES

EVERYWHERE = ('deepcnn', 'site', 'tools')


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


# ---- 谁可以导入谁 ---------------------------------------------------------------


def test_every_module_is_in_a_room() -> None:
    found = {room_of(module_name(path)) for path in python_files('deepcnn')}
    assert found - {''} == set(ORDER)
    # 包本身只在用到 export_page 的时候导入它
    late = imports_of(PACKAGE / '__init__.py', set(import_graph()))
    assert late == {'deepcnn.anatomy.page_file'}


def test_no_room_imports_a_room_above_it() -> None:
    upwards = [
        f'{name} → {imported}'
        for name, used in import_graph().items()
        for imported in used
        if room_of(name) and ORDER.index(room_of(name)) < ORDER.index(room_of(imported))
    ]
    assert not upwards


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(import_graph()) == []


def test_relative_and_late_imports_are_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """读导入的办法自己也要对：函数里的、相对的、从包里取模块的，都算。"""
    monkeypatch.setattr('package_rooms.ROOT', tmp_path)
    folder = tmp_path / 'deepcnn' / 'data'
    folder.mkdir(parents=True)
    path = folder / 'a.py'
    modules = {
        f'deepcnn.{name}' for name in ('data', 'data.b', 'data.c', 'plot', 'plot.d')
    }
    for line, expected in {
        'import deepcnn.data.b': 'data.b',
        'from deepcnn.data.b import x': 'data.b',
        'from deepcnn.data import b': 'data.b',
        'from deepcnn.data import x': 'data',
        'from . import c': 'data.c',
        'from .c import x': 'data.c',
        'from ..plot import d': 'plot.d',
        'def f():\n    from ..plot import x': 'plot',
    }.items():
        path.write_text(line, encoding='utf-8')
        assert imports_of(path, modules) == {f'deepcnn.{expected}'}, line


def test_a_circle_is_found() -> None:
    graph = {'a': {'b'}, 'b': {'c'}, 'c': {'a'}, 'd': set(), 'e': {'d', 'e'}}
    assert circles(graph) == ['a', 'b', 'c']
    assert circles({'a': {'b'}, 'b': set()}) == []


def test_readme_shows_the_rooms_and_what_each_uses() -> None:
    """不同的话，把 python tests/package_rooms.py 印出的那一段放进 README。"""
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert readme.count(START) == readme.count(END) == 1
    shown = readme[readme.index(START) : readme.index(END) + len(END)]
    assert shown == render_rooms()
    assert used_rooms(import_graph())['records'] == []


def test_the_extensions_of_the_site_need_only_the_records() -> None:
    """构建网站的环境里没有 PyTorch。"""
    modules = set(import_graph())
    used = set().union(*(imports_of(path, modules) for path in python_files('site')))
    assert used and {room_of(name) for name in used} == {'records'}
    assert 'deepcnn.records.agreement' not in used


# ---- records 不需要 PyTorch ----------------------------------------------------------

BLOCKED = """
import importlib
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision', 'matplotlib'):
            raise ImportError(f'{name} 不许导入')

sys.meta_path.insert(0, Block())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def import_without_torch(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-c', BLOCKED, *names],
        cwd=ROOT, env={'PYTHONPATH': str(ROOT), 'PYTHONUTF8': '1'},
        capture_output=True, encoding='utf-8',
    )  # fmt: skip


def test_records_need_neither_torch_nor_matplotlib() -> None:
    files = python_files('deepcnn/records')
    names = [module_name(path) for path in files if path.stem != 'agreement']
    assert 'deepcnn.records' in names and len(names) > 10
    done = import_without_torch('deepcnn', *names)
    assert done.returncode == 0, done.stderr


def test_only_agreement_needs_torch() -> None:
    done = import_without_torch('deepcnn.records.agreement')
    assert done.returncode != 0 and 'torch 不许导入' in done.stderr


# ---- 只许有一份的 ------------------------------------------------------------------

# 图里与封面上写的是结构的名字，不是某一条记录的名字：不随记录里的网络改变。
NAMES_THE_ARCHITECTURE = re.compile(r'tools/figures/\w+\.py|tools/site/draw_cover\.py')


def test_a_network_has_its_title_from_one_place() -> None:
    assert len(set(BENCHMARKED.values())) == len(BENCHMARKED) == len(TITLES) + 1
    assert list(NETWORKS) == list(TITLES)
    elsewhere = [
        f'{relative(path)}:{node.lineno} {node.value}'
        for path in python_files(*EVERYWHERE)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and node.value in BENCHMARKED.values()
        if path != PACKAGE / 'records' / 'titles.py'
        if not NAMES_THE_ARCHITECTURE.fullmatch(relative(path))
    ]
    assert not elsewhere


def classes_in(*folders: str) -> list[str]:
    return [
        node.name
        for path in python_files(*folders)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    ]


def test_a_name_of_a_class_means_one_thing() -> None:
    assert classes_in(*EVERYWHERE).count('Trial') == 1
    twice = [
        name for name, count in Counter(classes_in('deepcnn')).items() if count > 1
    ]
    assert not twice


# 先写临时文件再改名的地方。JSON 都由 store.write_json 写；其余各写一种别的格式。
ATOMIC_WRITERS = {
    'deepcnn/own/sealed.py': '边写边落盘的 safetensors',
    'deepcnn/records/store.py': 'JSON、权重与录好的笔记本',
    'deepcnn/training/checkpoint.py': 'PyTorch 的断点',
}


def renames(node: ast.AST) -> bool:
    """``os.replace(…)``、``path.rename(…)``、``path.replace(别的路径)``。"""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    if isinstance(owner, ast.Name) and owner.id in ('os', 'shutil'):
        return node.func.attr in ('replace', 'rename', 'move')
    # 字符串的 replace 有两个参数
    return node.func.attr in ('replace', 'rename') and len(node.args) == 1


def test_files_are_replaced_in_few_places() -> None:
    found = {
        relative(path)
        for path in python_files(*EVERYWHERE)
        if any(renames(node) for node in ast.walk(parsed(path)))
        or ".part'" in path.read_text(encoding='utf-8')
    }
    assert found == set(ATOMIC_WRITERS)


def test_the_package_writes_json_in_one_place() -> None:
    """别处不写文件：checkpoint 的只用来算指纹，weight_facts、page_file 的放进权重文件的头。"""
    writers = {
        relative(path)
        for path in python_files('deepcnn', 'tools/measure')
        if re.search(r'\bjson\.dumps?\(', path.read_text(encoding='utf-8'))
    }
    assert writers == {
        'deepcnn/records/store.py', 'deepcnn/training/checkpoint.py',
        'deepcnn/records/weight_facts.py', 'deepcnn/anatomy/page_file.py',
    }  # fmt: skip
