"""挑选超参数的记录：几个进程同时添，一条也不丢；打断时不留半个文件。"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepcnn.records import store
from deepcnn.records.attempts import Attempt, add_attempt, load_attempts

ROOT = Path(__file__).parents[2]
EACH = 60

ADD = """
import sys
from pathlib import Path
from deepcnn.records.attempts import Attempt, add_attempt
who, count, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
for number in range(count):
    recipe = {'who': who, 'number': number, 'momentum': 0.9, 'erasing': 0.0}
    add_attempt(path, Attempt(recipe, [], [0.5], 1.0, 'CPU', {}, None))
"""


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'net.json'
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    adding = [
        subprocess.Popen(
            [sys.executable, '-c', ADD, who, str(EACH), str(path)],
            cwd=ROOT, env=environment,
        )
        for who in 'ab'
    ]  # fmt: skip
    assert [one.wait(timeout=120) for one in adding] == [0, 0]
    kept = [(one.recipe['who'], one.recipe['number']) for one in load_attempts(path)]
    assert sorted(kept) == [(who, n) for who in 'ab' for n in range(EACH)]
    assert [one for one in kept if one[0] == 'a'] == [('a', n) for n in range(EACH)]
    assert {one.suffix for one in path.parent.iterdir()} == {'.json', '.lock'}


def test_nothing_is_lost_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """写不成的那一次照常报错；原有的都在，锁也放开了。"""
    path = tmp_path / 'net.json'
    one = Attempt({'momentum': 0.9, 'erasing': 0.0}, [], [0.5], 1.0, 'CPU', {}, None)
    add_attempt(path, one)
    for error in (OSError, KeyboardInterrupt):

        def fail(*paths: object, error: type[BaseException] = error) -> None:
            raise error

        with monkeypatch.context() as patched, pytest.raises(error):
            patched.setattr(store.os, 'replace', fail)
            add_attempt(path, one)
        assert load_attempts(path) == [one]
    add_attempt(path, one)
    assert load_attempts(path) == [one, one]
    assert not list(tmp_path.glob('*.part'))
