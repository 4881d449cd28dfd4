"""训练记录写明库的版本与代码的提交；较早的记录照样读得回来。"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deepcnn.records import provenance
from deepcnn.records.runs import History, Run, load_history
from deepcnn.training.recipe import Recipe


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv('DEEPCNN_COMMIT', 'abc1234')
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
    assert record['commit'] == 'abc1234'
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


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """一个只有两个文件、提交过一次的仓库。"""
    monkeypatch.delenv('DEEPCNN_COMMIT', raising=False)
    monkeypatch.setattr(provenance, 'ROOT', tmp_path)
    for name in ('deepcnn', 'results'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'one.txt').write_text('old', encoding='utf-8')
    author = ('-c', 'user.name=a', '-c', 'user.email=a@example.org')
    for command in (('init', '-q'), ('add', '.'), (*author, 'commit', '-q', '-m', 'x')):
        assert provenance.git(*command) is not None
    return tmp_path


def test_commit_is_that_of_the_repository(repository: Path) -> None:
    command = ['git', '-C', str(repository), 'rev-parse', '--short', 'HEAD']
    told = subprocess.check_output(command, encoding='utf-8')
    assert provenance.code_version() == told.strip()


@pytest.mark.parametrize(('changed', 'dirty'), [('deepcnn', True), ('results', False)])
def test_only_changed_code_is_dirty(repository: Path, changed: str, dirty: bool) -> None:
    (repository / changed / 'one.txt').write_text('new', encoding='utf-8')
    assert provenance.code_version().endswith('-dirty') is dirty


def test_without_git_there_is_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', str(repository))
    assert provenance.code_version() is None


def test_libraries_that_are_not_installed_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provenance, 'LIBRARIES', ('numpy', 'no-such-library'))
    assert list(provenance.library_versions()) == ['python', 'numpy']
