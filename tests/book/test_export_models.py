"""deepcnn/models/ 与各章的 export 单元一致；不合规定的单元会被拒绝。"""

from pathlib import Path

import export_models
import nbformat
import pytest
from book_contents import exporting_chapters


@pytest.mark.parametrize('network', exporting_chapters())
def test_models_do_not_drift_from_the_chapters(network: str) -> None:
    written = (export_models.MODELS / f'{network}.py').read_text(encoding='utf-8')
    assert written == export_models.model_source(network)


def notebook_with(source: str, folder: Path) -> Path:
    cell = nbformat.v4.new_code_cell(source, metadata={'tags': ['export']})
    path = folder / 'small.ipynb'
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_side_effects_are_refused(tmp_path: Path) -> None:
    path = notebook_with("X = 1\nprint('训练')", tmp_path)
    with pytest.raises(export_models.ExportError, match='print'):
        export_models.exported_cells(path)


def test_definitions_are_accepted(tmp_path: Path) -> None:
    path = notebook_with(
        'import math\n\n\ndef area(r: float) -> float:\n    return r', tmp_path
    )
    assert len(export_models.exported_cells(path)) == 1


def test_drift_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(export_models, 'model_source', lambda network: 'X = 1\n')
    assert export_models.main(['--check']) == 1
    assert 'resnet' in capsys.readouterr().err


def test_a_notebook_with_a_conflict_is_named(tmp_path: Path) -> None:
    broken = tmp_path / 'nin.ipynb'
    broken.write_text('<<<<<<< HEAD', encoding='utf-8')
    with pytest.raises(ValueError, match='nin.ipynb 读不了.*冲突'):
        export_models.exported_cells(broken)
