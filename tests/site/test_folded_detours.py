"""旁支：标题与一句话留着，其余折成一行；笔记本里由 JupyterLab 自己收起。"""

import re
from pathlib import Path

import nbformat
import pytest
from book_pages.folded_detours import COLLAPSED, Detour, FoldDetours
from book_pages.reading_notes import Amount, measure
from book_source import chapter_files
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path for path in chapter_files()
    if COLLAPSED in path.read_text(encoding='utf-8')
]  # fmt: skip
every_page = pytest.mark.parametrize('path', PAGES, ids=lambda path: path.stem)


def detours(path: Path) -> list[NotebookNode]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.metadata.get(COLLAPSED)]


def folded(*after: nodes.Node) -> nodes.section:
    """一节：标题、一句话、记号，和记号之后的内容；折好的样子。"""
    document = new_document('page')
    section = nodes.section('', nodes.title('', '题'), nodes.paragraph('', '一句话'))
    section += [Detour(), *after]
    document += section
    document.settings.env = type('Env', (), {'docname': 'page'})()
    FoldDetours(document).apply()
    return section


def test_what_follows_the_mark_is_folded_and_not_read() -> None:
    section = folded(nodes.paragraph('', '旁支'), nodes.literal_block('', 'x = 1'))
    assert len(section) == 3 and len(section[2]) == 2
    assert measure(section) == Amount(han=4)


def test_a_detour_has_no_sections() -> None:
    with pytest.raises(ValueError, match='旁支「题」里有小节'):
        folded(nodes.section('', nodes.title('', '小节')))


@every_page
def test_the_cell_of_a_detour_says_in_a_sentence_what_it_gives(path: Path) -> None:
    for cell in detours(path):
        label, title, empty, *lead = cell.source.split('\n')
        assert re.match(r'<a id="sec-[\w-]+"></a>$', label) and title.startswith('##')
        assert empty == '' and len(lead) == 1 and lead[0].endswith('。')


@every_page
def test_the_site_folds_what_the_notebook_folds(path: Path) -> None:
    name = path.relative_to(ROOT).with_suffix('.html')
    html = (ROOT / '_build' / 'html' / name).read_text(encoding='utf-8')
    found = BeautifulSoup(html, 'html.parser').select('article details.detour')
    labels = [re.search(r'id="([\w-]+)"', cell.source)[1] for cell in detours(path)]
    assert [one.parent['id'] for one in found] == labels
    assert all(len(one.find_all(recursive=False)) > 1 for one in found)
