"""make new-chapter：名字、登记，不覆盖已有的文件；骨架合乎各章的规矩。"""

import shutil
from pathlib import Path

import book_contents
import export_models
import nbformat
import new_chapter
import pytest
from book_pages.plain_markdown import BROKEN, upgrade
from book_source import works
from nbclient import NotebookClient

TOC = """parts:
    chapters:
      - file: chapters/densenet
      - file: chapters/exercises/densenet_table
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'chapters').mkdir()
    (tmp_path / 'deepcnn' / 'models').mkdir(parents=True)
    (tmp_path / 'deepcnn' / 'models' / 'network.py').touch()
    (tmp_path / '_toc.yml').write_text(TOC, encoding='utf-8')
    shutil.copy(book_contents.CHAPTERS / 'densenet.ipynb', tmp_path / 'chapters')
    monkeypatch.setattr(new_chapter, 'ROOT', tmp_path)
    return tmp_path


def test_the_chapter_is_written_and_listed_after_the_last_network(root: Path) -> None:
    assert new_chapter.main(['mobile_net']) == 0
    listed = (root / '_toc.yml').read_text(encoding='utf-8')
    entry = '      - file: chapters/densenet\n'
    assert listed == TOC.replace(entry, entry + entry.replace('densenet', 'mobile_net'))
    nbformat.validate(nbformat.read(root / 'chapters' / 'mobile_net.ipynb', 4))


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('', '只用小写字母'), ('手机', '只用小写字母'), ('MobileNet', '只用小写字母'),
        ('a-b', '只用小写字母'), ('../x', '只用小写字母'), ('class', '只用小写字母'),
        ('json', '标准库'), ('densenet', 'chapters/densenet.ipynb'),
        ('network', 'deepcnn/models/network.py'),
    ],
)  # fmt: skip
def test_a_bad_name_is_explained_and_nothing_is_written(
    name: str, said: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}
    assert new_chapter.main([name]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert {p: p.read_bytes() for p in root.rglob('*') if p.is_file()} == before


def test_the_skeleton_runs_and_its_stored_outputs_are_true(root: Path) -> None:
    notebook = new_chapter.skeleton('mobilenet')
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert 'export' in code[2].metadata.tags and 'check' in code[3].metadata.tags
    run = nbformat.from_dict(notebook)
    folder = str(book_contents.CHAPTERS)
    NotebookClient(run, resources={'metadata': {'path': folder}}).execute()
    assert not any(cell.outputs for cell in run.cells if cell.cell_type == 'code')


def test_the_skeleton_is_plain_and_can_be_exported(root: Path) -> None:
    assert new_chapter.main(['mobile_net']) == 0
    path = root / 'chapters' / 'mobile_net.ipynb'
    [source] = export_models.exported_cells(path)
    assert 'def mobile_net_block' in source
    text = path.read_text(encoding='utf-8')
    assert 'LABEL' not in text and 'NAME' not in text and 'sec-mobile-net' in text
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == 'markdown':
            assert not BROKEN.search(upgrade(cell.source, works()))


def test_networks_come_first_when_recording() -> None:
    order = book_contents.recording_order()
    first = book_contents.exporting_chapters()
    assert first[:6] == ('alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet')
    assert order[: len(first)] == first
    assert sorted(order) == sorted(set(book_contents.notebooks()))


def test_a_generated_file_without_a_chapter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export_models, 'MODELS', tmp_path)
    (tmp_path / 'network.py').write_text('"""手写的。"""\n', encoding='utf-8')
    export_models.require_no_orphans()
    header = export_models.model_source('nin').splitlines()[0].replace('nin', 'gone')
    (tmp_path / 'gone.py').write_text(header, encoding='utf-8')
    assert export_models.main(['--check']) == 1
    assert 'deepcnn/models/gone.py' in capsys.readouterr().err
