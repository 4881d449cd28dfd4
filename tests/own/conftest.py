"""几个文件共用的：在训练好的文件夹里接着用。"""

from pathlib import Path

import pytest

from deepcnn.own import report


@pytest.fixture
def here(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """在 ``work`` 里（各个文件自己造），不再画图：三幅要一两秒。"""
    monkeypatch.chdir(work)
    monkeypatch.setattr(report, 'save_figure', lambda stem, fig: None)
    return work
