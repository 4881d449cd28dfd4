"""全书有哪些笔记本，次序如何，哪几章导出代码：由 _toc.yml 与各章得出，不另列一遍。

没有用 PyYAML：录制的机器上没有排版的那些包。
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from deepcnn.records.store import explaining  # noqa: E402

CHAPTERS = ROOT / 'chapters'
MERGED = '请先解决合并留下的冲突，或用 git 取回它'  # 读不懂的笔记本，多半是这个缘故
ENTRY = re.compile(r'^ *- file: chapters/(\S+)$', re.MULTILINE)


def is_backup(path: Path) -> bool:
    """JupyterLab 自己留的副本，不是书里的。"""
    return path.parent.name == '.ipynb_checkpoints'


@cache
def notebooks() -> tuple[str, ...]:
    """目录里的笔记本，照目录的次序；名字相对 chapters/，不带扩展名。"""
    pages = ENTRY.findall((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    return tuple(page for page in pages if (CHAPTERS / f'{page}.ipynb').is_file())


def tags_of(page: str) -> set[str]:
    """一个笔记本里用到的全部标签；读不懂时抛出 ValueError，说明是哪一个。"""
    path = CHAPTERS / f'{page}.ipynb'
    with explaining(path, MERGED):
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return {tag for cell in cells for tag in cell['metadata'].get('tags', ())}


@cache
def exporting_chapters() -> tuple[str, ...]:
    """有 ``export`` 单元的章，照目录的次序；练习与实验不导出。"""
    pages = (page for page in notebooks() if '/' not in page)
    return tuple(page for page in pages if 'export' in tags_of(page))


def recording_order() -> tuple[str, ...]:
    """先网络，后面的各页要读它们的结果；其余照目录。"""
    first = exporting_chapters()
    return first + tuple(page for page in notebooks() if page not in first)
