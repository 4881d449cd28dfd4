"""没有一个模块与标准库、PyTorch 等同名：在哪个文件夹里启动 Python，都导入得了 PyTorch。"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = [
    path
    for room in ('deepcnn', 'tools', 'site', 'tests')
    for path in (ROOT / room).rglob('*.py')
]
FOLDERS = sorted({path.parent for path in PYTHON})


def test_no_module_shadows_the_standard_library() -> None:
    names = {
        path: path.parent.name if path.name == '__init__.py' else path.stem
        for path in PYTHON
    }
    assert len(names) > 300
    assert [path for path, name in names.items() if name in sys.stdlib_module_names] == []


def test_pytorch_can_be_imported_from_every_folder(tmp_path: Path) -> None:
    """所有的文件夹一齐排在最前面：比在每个里各启动一次更严。"""
    code = (
        'import sys; sys.path[:0] = sys.argv[1:];'
        'import torch, torchvision, numpy, matplotlib.pyplot, torch._dynamo;'
        'own = [m for m in sys.modules.values() if'
        ' (getattr(m, "__file__", None) or "").startswith(tuple(sys.argv[1:]))];'
        'print(own)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, FOLDERS)],
        cwd=tmp_path,
        env={**os.environ, 'MPLBACKEND': 'agg'},
        capture_output=True,
        encoding='utf-8',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[]'
