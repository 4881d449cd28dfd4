"""``keep_record``：录制时连同来历写进文件，平时不写。"""

from pathlib import Path

import pytest

from deepcnn.records import provenance
from deepcnn.records.store import read_json
from deepcnn.training import keep_record, recording


def test_the_commit_is_that_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """训练途中仓库有了新的提交，记下的仍是开始时的。"""
    commits = iter(('aaaaaaa', 'bbbbbbb'))
    monkeypatch.delenv('DEEPCNN_COMMIT', raising=False)
    monkeypatch.setattr(
        provenance, 'git', lambda *words: next(commits) if 'describe' in words else ''
    )
    monkeypatch.setattr(recording, '_current', [])
    provenance.code_version.cache_clear()
    recording.start_recording(recording.Recording())
    assert next(commits) == 'bbbbbbb'  # 第一个在开始时就读走了
    assert provenance.code_version() == 'aaaaaaa'
    provenance.code_version.cache_clear()


def test_a_record_is_kept_only_while_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('DEEPCNN_PROFILE', 'quick')
    monkeypatch.setattr(recording, 'write_json', lambda *_: pytest.fail('不该写文件'))
    keep_record('curve', {'seconds': 2})
    monkeypatch.undo()
    monkeypatch.setenv('DEEPCNN_PROFILE', 'quick')
    monkeypatch.setattr(recording, '_current', [])
    recording.start_recording(recording.Recording(tmp_path))
    keep_record('curve', {'seconds': 2})
    kept = read_json(tmp_path / 'curve.json')
    assert (kept['profile'], kept['seconds']) == ('quick', 2)
    assert {'device', 'versions', 'commit'} < set(kept)
