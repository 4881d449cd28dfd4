"""照网站的读法读书里的页面：普通的 Markdown 换成它所代表的 MyST。"""

from functools import cache
from pathlib import Path

import nbformat
from book_contents import is_backup
from book_pages.plain_markdown import cited_works, upgrade, upgrade_notebook
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent


def chapter_files(suffix: str = '.ipynb') -> list[Path]:
    """chapters/ 及其子文件夹里的文件；JupyterLab 自己留的副本不算。"""
    found = sorted((ROOT / 'chapters').rglob(f'*{suffix}'))
    return [path for path in found if not is_backup(path)]


def works() -> dict[str, str]:
    return cited_works(ROOT / 'references.bib')


@cache
def read_notebook(path: Path) -> NotebookNode:
    """文字单元是 MyST，输出图的说明在画图的单元的元数据里。"""
    plain = nbformat.read(path, as_version=4)
    return nbformat.from_dict(upgrade_notebook(plain, works()))


def read_cells(path: Path) -> list[tuple[str, str]]:
    """各单元的（种类，文字）；一个 .md 文件是一个文字单元。"""
    if path.suffix == '.md':
        return [('markdown', upgrade(path.read_text(encoding='utf-8'), works()))]
    return [(cell.cell_type, cell.source) for cell in read_notebook(path).cells]


def read_page(path: Path) -> str:
    """一页的全部文字与代码，单元之间空一行。"""
    return '\n\n'.join(source for _, source in read_cells(path))
