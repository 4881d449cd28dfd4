"""训练记录写明库的版本与代码的提交；较早的记录照样读得回来。"""

import json
import sys
from pathlib import Path

import pytest

from deepcnn.records import provenance
from deepcnn.records.runs import History, Run, load_history
from deepcnn.training.recipe import Recipe


@pytest.fixture
def history() -> History:
    run = Run(0, [1.0], [0.5], [0.6], [2.0], 3.0)
    return History(
        'small',
        'quick',
        '随机图像',
        100,
        50,
        28,
        1,
        10,
        'fp32',
        'CPU',
        '2',
        Recipe(8, 1, 1e-3).to_dict(),
        [run],
    )


@pytest.fixture(autouse=True)
def forget_commit() -> None:
    provenance.code_version.cache_clear()


def test_record_carries_versions_and_commit(history: History, tmp_path: Path) -> None:
    record = json.loads(history.save(tmp_path).read_text(encoding='utf-8'))
    assert {'python', 'torch', 'torchvision', 'numpy'} <= record['versions'].keys()
    assert record['versions']['python'] == '.'.join(map(str, sys.version_info[:3]))
    assert record['commit'] == provenance.code_version()
    assert load_history('small', tmp_path) == history


def test_older_record_is_not_given_todays_versions(
    history: History, tmp_path: Path
) -> None:
    path = history.save(tmp_path)
    record = json.loads(path.read_text(encoding='utf-8'))
    del record['versions'], record['commit']
    path.write_text(json.dumps(record), encoding='utf-8')
    older = load_history('small', tmp_path)
    assert older.versions is None and older.commit is None


def test_outside_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('DEEPCNN_COMMIT', raising=False)
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    monkeypatch.setattr(provenance, 'ROOT', tmp_path)
    assert provenance.code_version() is None


def test_commit_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('DEEPCNN_COMMIT', 'abc1234')
    assert provenance.code_version() == 'abc1234'
