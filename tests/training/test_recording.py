"""``keep_record``：录制时连同来历写进文件，平时不写。"""

from pathlib import Path

import pytest

from deepcnn.records.store import read_json
from deepcnn.training import keep_record, recording


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
