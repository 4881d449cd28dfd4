"""工具箱一章的表：每个房间都列出，列出的名字都能照那样导入。"""

import re
from importlib import import_module
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]


def listed() -> dict[str, list[str]]:
    """房间 → 表里写的名字。"""
    notebook = nbformat.read(ROOT / 'chapters' / 'toolbox.ipynb', as_version=4)
    [text] = [c.source for c in notebook.cells if '| 名字 | 管什么' in c.source]
    rows = re.findall(r'^\| `(\w+)` \|.*\|(.*)\|$', text, re.MULTILINE)
    return {room: re.findall(r'`(\w+)`', names) for room, names in rows}


def test_every_room_is_listed_and_holds_its_names() -> None:
    rooms = {path.parent.name for path in (ROOT / 'deepcnn').glob('*/__init__.py')}
    assert listed().keys() == rooms | {'d2l_bridge'}
    for room, names in listed().items():
        assert names, room
        for name in names:
            assert hasattr(import_module(f'deepcnn.{room}'), name), f'{room}.{name}'
