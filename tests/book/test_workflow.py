"""GitHub 的自动任务：三种系统上运行读者用的两条命令，权限最少；Binder 的版本一致。"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]

# 换了名字的包：conda-forge 的名字 → requirements.txt 里的名字。
CONDA_NAMES = {'pytorch-cpu': 'torch', 'matplotlib-base': 'matplotlib'}


@pytest.fixture(scope='module')
def workflow() -> dict[Any, Any]:
    text = (ROOT / '.github/workflows/book.yml').read_text(encoding='utf-8')
    loaded = yaml.safe_load(text)
    # YAML 1.1 把 on 读成 True。
    loaded['on'] = loaded.pop(True)
    return loaded


def commands(job: dict[str, Any]) -> list[str]:
    return [step['run'].strip() for step in job['steps'] if 'run' in step]


def readme_commands() -> list[list[str]]:
    """README 前两个代码块里的命令：用 make 的，不用 make 的。"""
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    blocks = re.findall(r'```bash\n(.*?)```', readme, re.DOTALL)[:2]
    return [
        [line.split('#')[0].strip() for line in block.splitlines()] for block in blocks
    ]


@pytest.mark.parametrize(
    ('job', 'form', 'wanted'),
    [
        ('book', 0, ['make book', 'make test']),
        ('systems', 1, ['python book.py book', 'python book.py test']),
    ],
)
def test_it_runs_the_two_commands_of_the_readme(
    workflow: dict, job: str, form: int, wanted: list[str]
) -> None:
    assert readme_commands()[form] == wanted
    ran = commands(workflow['jobs'][job])
    assert [run for run in ran if run.startswith(('make', 'python'))] == wanted


def test_it_runs_on_the_three_systems(workflow: dict) -> None:
    systems = workflow['jobs']['systems']
    matrix = systems['strategy']['matrix']['system']
    assert matrix == ['windows-latest', 'macos-latest']
    assert systems['runs-on'] == '${{ matrix.system }}'
    assert workflow['jobs']['book']['runs-on'] == 'ubuntu-latest'
    assert workflow['jobs']['publish']['needs'] == 'book'


def test_ci_runs_the_two_commands_and_needs_nothing_beside_the_repository() -> None:
    script = (ROOT / '.ci/run').read_text(encoding='utf-8')
    assert script.splitlines()[-2:] == ['make book', 'make test']
    assert 'shared' not in script and 'DEEPCNN_' not in script


def test_publishing_waits_for_the_tests_and_happens_only_on_main(
    workflow: dict,
) -> None:
    publish = workflow['jobs']['publish']
    assert publish['needs'] == 'book'
    uploads = [
        step
        for step in workflow['jobs']['book']['steps']
        if step.get('uses', '').startswith('actions/upload-pages-artifact@')
    ]
    for conditional in (publish, *uploads):
        assert "github.ref == 'refs/heads/main'" in conditional['if']
        assert "github.event_name != 'schedule'" in conditional['if']
    assert [step['with']['path'] for step in uploads] == ['_build/html']


def test_only_publishing_may_write(workflow: dict) -> None:
    assert workflow['permissions'] == {'contents': 'read'}
    permissions = {
        name: job['permissions']
        for name, job in workflow['jobs'].items()
        if 'permissions' in job
    }
    assert permissions == {'publish': {'pages': 'write', 'id-token': 'write'}}


def test_actions_are_the_official_ones_at_a_major_version(workflow: dict) -> None:
    used = [
        step['uses']
        for job in workflow['jobs'].values()
        for step in job['steps']
        if 'uses' in step
    ]
    assert used
    assert [x for x in used if not re.fullmatch(r'actions/[a-z-]+@v\d+', x)] == []


def test_weekly_run_takes_the_newest_dependencies(workflow: dict) -> None:
    assert workflow['on']['schedule']
    constraints = workflow['env']['CONSTRAINTS']
    # 「条件 && '' || 其他」永远得到「其他」：空字符串算作假。
    assert constraints.replace(' ', '') == (
        "${{github.event_name!='schedule'&&'constraints.txt'||''}}"
    )


def test_runs_do_not_pile_up(workflow: dict) -> None:
    assert '${{ github.ref }}' in workflow['concurrency']['group']
    assert all('timeout-minutes' in job for job in workflow['jobs'].values())


def test_binder_has_the_versions_of_the_package() -> None:
    environment = yaml.safe_load(
        (ROOT / 'binder/environment.yml').read_text(encoding='utf-8')
    )
    assert environment['channels'] == ['conda-forge']
    lines = (ROOT / 'requirements.txt').read_text(encoding='utf-8').splitlines()
    stated = [Requirement(x) for x in lines if x and not x.startswith('#')]
    ranges = {item.name: str(item.specifier) for item in stated}
    found = {}
    for line in environment['dependencies']:
        name, low = re.fullmatch(r'([a-z-]+)(.*)', line).groups()
        found[CONDA_NAMES.get(name, name)] = low
    python = found.pop('python')
    assert found == {name: ranges[name] for name in found}
    # 配套包要的一个也不少。
    text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    project = tomllib.loads(text)['project']
    wanted = [Requirement(line) for line in project['dependencies']]
    assert {r.name: str(r.specifier) for r in wanted}.items() <= found.items()
    low = project['requires-python'].removeprefix('>=')
    assert Version(python.removeprefix('=')) >= Version(low)


def test_binder_uses_the_quick_profile_unless_told() -> None:
    start = ROOT / 'binder/start'
    if sys.platform != 'win32':
        assert os.access(start, os.X_OK)
    text = start.read_text(encoding='utf-8')
    assert 'DEEPCNN_PROFILE:-quick' in text
    assert text.rstrip().endswith('exec "$@"')


@pytest.mark.skipif(sys.platform == 'win32', reason='.ci/run 是 bash 脚本')
@pytest.mark.parametrize('fonts', ['NotoSansCJK.ttc: Noto Sans CJK SC', '', None])
def test_ci_knows_whether_there_is_a_chinese_font(
    tmp_path: Path, fonts: str | None
) -> None:
    script = (ROOT / '.ci/run').read_text(encoding='utf-8')
    function = re.search(r'^has_chinese_font\(\) \{.*?^\}$', script, re.M | re.S)[0]
    if fonts is not None:
        listing = tmp_path / 'fc-list'
        listing.write_text(f'#!/bin/sh\necho "{fonts}"\n', encoding='utf-8')
        listing.chmod(0o755)
    code = f'set -euo pipefail\n{function}\nif has_chinese_font; then echo yes; fi'
    done = subprocess.run(
        ['/bin/bash', '-c', code],
        env={'PATH': str(tmp_path)},
        capture_output=True, encoding='utf-8', check=True,
    )  # fmt: skip
    assert done.stdout.split() == (['yes'] if fonts else [])
