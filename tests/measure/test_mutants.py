"""故意改错的清单：每一条都还对得上代码；漏掉的改动会被报告。"""

import os
import sys
from pathlib import Path

import mutants
import pytest
import yaml
from mutants import LISTS, ROOT, ListError, Mutant, read_list

ALL = [one for path in sorted(LISTS.glob('*.yml')) for one in read_list(path)]
# 一个不用 torch 的模块与它的测试：跑一遍只要一瞬。放在小仓库的 tools/ 里，名字与装着的包不同。
SOURCE, FILE = 'deepcnn/command_line.py', 'tools/command_line.py'
TESTS = 'made_up_test.py'
HARMLESS = {'file': FILE, 'old': "'^options:$'", 'new': "'^option:$'", 'tests': TESTS}
NOTICED = {**HARMLESS, 'old': "'用法：'", 'new': "'用途：'"}


@pytest.mark.parametrize(
    'mutant', ALL, ids=lambda one: f'{one.room}-{Path(one.file).stem}'
)
def test_every_entry_still_fits_the_code(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text('utf-8')
    assert mutant.edited(source) != source
    for test in mutant.tests:
        path, _, name = test.partition('::')
        code = (ROOT / path).read_text('utf-8')
        assert not name or f'def {name.partition("[")[0]}(' in code


def test_the_lists_are_long_and_say_nothing_twice() -> None:
    assert len(ALL) >= 60
    changes = [(one.file, one.old, one.new) for one in ALL]
    assert len(set(changes)) == len(changes)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """一个小仓库，里面只有一个文件和它的测试；返回清单的路径，内容由测试来写。"""
    if not hasattr(os, 'fork'):
        pytest.skip('要靠 fork 分出进程')
    root = tmp_path / 'root'
    (root / 'tools').mkdir(parents=True)
    source = (ROOT / SOURCE).read_text('utf-8')
    (root / FILE).write_text(source, 'utf-8')
    (root / TESTS).write_text(
        'from tools.command_line import translated\n'
        'def test_usage() -> None:\n'
        "    assert translated('usage: x') == '用法：x'\n",
        'utf-8',
    )
    monkeypatch.setattr(mutants, 'ROOT', root)
    for name, value in mutants.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.setattr(mutants, 'PRELOADED', ())
    return tmp_path / 'made_up.yml'


def report(path: Path, entries: list[dict], capsys: pytest.CaptureFixture) -> tuple:
    path.write_text(yaml.safe_dump(entries, allow_unicode=True), 'utf-8')
    return mutants.main([str(path)]), capsys.readouterr()


def test_a_surviving_mutant_is_reported(
    made_up: Path, capsys: pytest.CaptureFixture
) -> None:
    before = {path: path.read_bytes() for path in mutants.ROOT.rglob('*.py')}
    code, said = report(made_up, [NOTICED, HARMLESS], capsys)
    noticed, harmless, summary = said.out.splitlines()
    assert noticed.startswith('被发现  made_up  tools/command_line.py')
    assert harmless.startswith('没有被发现  made_up  tools/command_line.py')
    assert summary == '被发现 1，没有被发现 1，过时 0，出错 0'
    assert code == 1
    assert report(made_up, [NOTICED], capsys)[0] == 0
    files = (path for path in mutants.ROOT.rglob('*') if path.is_file())
    assert {path: path.read_bytes() for path in files} == before  # 工作区没有动过


def test_a_stale_entry_and_a_wrong_change_are_reported(
    made_up: Path, capsys: pytest.CaptureFixture
) -> None:
    gone = {**NOTICED, 'old': "'从前的用法：'"}
    twice = {**NOTICED, 'old': 'import'}
    broken = {**NOTICED, 'new': "'用法："}
    code, said = report(made_up, [gone, twice, broken], capsys)
    assert code == 1
    assert said.out.count('过时：') == 3
    assert '出现 0 次' in said.out and '不是合法的 Python' in said.out


def test_an_endless_mutant_counts_as_noticed(made_up: Path, tmp_path: Path) -> None:
    endless = Mutant(
        'made_up', FILE, 'return text\n', 'while True:\n        pass\n', (TESTS,)
    )
    assert mutants.outcome(endless, mutants.ROOT, tmp_path / 'log', 1) == '被发现'


def test_tests_that_fail_anyway_stop_the_run(
    made_up: Path, capsys: pytest.CaptureFixture
) -> None:
    (mutants.ROOT / TESTS).write_text('def test_wrong() -> None:\n    assert False\n')
    code, said = report(made_up, [NOTICED], capsys)
    assert code == 1 and '没有改动，测试也不通过' in said.err


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'old': 'a\nb'}, '要是一行'),
        ({'new': HARMLESS['old']}, '与它不同'),
        ({'test': 'x'}, '不认识的 test'),
    ],
)
def test_a_badly_written_entry_is_named(
    tmp_path: Path, wrong: dict, message: str
) -> None:
    path = tmp_path / 'list.yml'
    path.write_text(yaml.safe_dump([HARMLESS, HARMLESS | wrong]), 'utf-8')
    with pytest.raises(ListError, match=f'list.yml 第 2 条.*{message}'):
        read_list(path)
    path.write_text(yaml.safe_dump([{'file': FILE}]), 'utf-8')
    with pytest.raises(ListError, match='第 1 条缺少 new、old、tests'):
        read_list(path)
    path.write_text(yaml.safe_dump([HARMLESS | {'old': 3}]), 'utf-8')
    with pytest.raises(ListError, match='第 1 条的 old 与 new 要是文字'):
        read_list(path)
    with pytest.raises(ListError, match='没有改 kitchen 的清单：房间有 .*training'):
        mutants.chosen(['kitchen'])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'list.yml 里没有改动'),
        ('one: 1', 'list.yml 里没有改动'),
        ('- one', 'list.yml 第 1 条不是'),
        ('- {a: [', 'list.yml 不是合法的 YAML：请看第 1 行'),
        (None, 'list.yml 打不开'),
    ],
)
def test_an_unreadable_list_is_told_in_one_line(
    text: str | None,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / 'list.yml'
    if text is not None:
        path.write_text(text, 'utf-8')
    assert mutants.main([str(path)]) == 1
    [said] = capsys.readouterr().err.splitlines()
    assert message in said
