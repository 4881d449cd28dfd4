"""make repository：网址写到每个地方，各处一致；没有网址时哪里都不指向仓库。"""

import errno
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import repository
import yaml
from book_contents import is_backup
from repository import FIRST_CELL, PLACES

ROOT = Path(__file__).resolve().parents[2]
FILES = {name for name, *_ in PLACES}
GITHUB = 'https://github.com/someone/deep-cnn'
PAGES = 'https://someone.github.io/deep-cnn/'
GITEE = 'https://gitee.com/some_one/deep.cnn'


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """只含要改写的文件、还没有网址的一份副本。"""
    left_out = shutil.ignore_patterns('.ipynb_checkpoints')
    shutil.copytree(ROOT / 'chapters', tmp_path / 'chapters', ignore=left_out)
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    set_url(tmp_path, '')
    return tmp_path


def set_url(root: Path, *arguments: str) -> int:
    return repository.main(list(arguments), root)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def mentions(root: Path, text: str) -> set[str]:
    return {name for name, held in contents(root).items() if text.encode() in held}


def notebooks(root: Path) -> dict[str, nbformat.NotebookNode]:
    return {
        path.relative_to(root).as_posix(): nbformat.read(path, as_version=4)
        for path in (root / 'chapters').rglob('*.ipynb')
        if not is_backup(path)
    }


def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def test_all_places_of_this_repository_agree() -> None:
    """_config.yml 里的网址就是别处写的网址，笔记本的第一个单元都相同。"""
    assert repository.rewritten(ROOT) == {}, '请运行 make repository'
    first = (ROOT / FIRST_CELL).read_text(encoding='utf-8').strip()
    assert len(first.splitlines()) <= 15
    for name, notebook in notebooks(ROOT).items():
        found = [c for c in notebook.cells if c.metadata.get('name') == 'install']
        assert [cell.source for cell in found] == [first], name


def test_copies_left_by_jupyterlab_do_not_count(copy: Path) -> None:
    backup = copy / 'chapters/.ipynb_checkpoints/nin-checkpoint.ipynb'
    backup.parent.mkdir()
    backup.write_text('{}', encoding='utf-8')
    assert set_url(copy, GITHUB) == 0
    assert backup.read_text(encoding='utf-8') == '{}'


def test_github_address_reaches_every_place(copy: Path) -> None:
    before = notebooks(copy)
    assert set_url(copy, GITHUB) == 0
    assert mentions(copy, GITHUB) == FILES | set(before)
    source = f"SOURCE = '{GITHUB}/archive/refs/heads/main.zip'"
    assert mentions(copy, source) == {FIRST_CELL} | set(before)
    assert read_yaml(copy / '_config.yml')['repository']['url'] == GITHUB
    citation = read_yaml(copy / 'CITATION.cff')
    assert citation['repository-code'] == GITHUB
    assert citation['preferred-citation']['url'] == GITHUB
    about = (copy / 'chapters/about.md').read_text(encoding='utf-8')
    entry = re.search('```bibtex\n(.*?)```', about, re.DOTALL)[1]
    assert f'  url       = {{{GITHUB}}},\n' in entry
    for name, new in notebooks(copy).items():
        pairs = zip(before[name].cells, new.cells, strict=True)
        changed = [cell.metadata.name for old, cell in pairs if old != cell]
        assert (changed, new.metadata) == (['install'], before[name].metadata)


@pytest.mark.parametrize(
    ('address', 'pages'),
    [
        ('', ''),
        (GITHUB, PAGES),
        ('https://github.com/Some/some.github.io', 'https://some.github.io/'),
        (GITEE, ''),
    ],
)
@pytest.mark.parametrize('old', ['', 'https://old.github.io/x/', 'https://book.test/'])
def test_site_address_follows_the_repository_unless_it_is_ones_own(
    copy: Path, old: str, address: str, pages: str
) -> None:
    config = copy / '_config.yml'
    text = config.read_text(encoding='utf-8')
    text = text.replace("baseurl: ''", f"baseurl: '{old}'")
    config.write_text(text, encoding='utf-8')
    assert set_url(copy, address) == 0
    wanted = old if old == 'https://book.test/' else pages
    assert read_yaml(config)['html']['baseurl'] == wanted


def test_setting_again_changes_nothing(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_url(copy, GITHUB)
    once = contents(copy)
    capsys.readouterr()
    assert set_url(copy, GITHUB + '.git') == set_url(copy, GITHUB + '/') == 0
    assert set_url(copy) == 0
    assert contents(copy) == once
    assert '已更新' not in capsys.readouterr().out


def test_address_can_be_changed_and_cleared(copy: Path) -> None:
    clean = contents(copy)
    set_url(copy, GITHUB)
    set_url(copy, GITHUB.replace('someone', 'another'))
    assert not mentions(copy, 'github.com/someone/')
    set_url(copy, '')
    assert contents(copy) == clean


def test_gitee_is_accepted_without_colab_and_binder(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set_url(copy, GITEE) == 0
    assert 'Colab 与 Binder 只能从 GitHub' in capsys.readouterr().out
    first = (copy / FIRST_CELL).read_text(encoding='utf-8')
    assert f"SOURCE = 'git+{GITEE}@main'" in first
    readme = (copy / 'README.md').read_text(encoding='utf-8')
    assert GITEE in readme
    assert 'colab.research' not in readme and 'mybinder' not in readme


@pytest.mark.parametrize(
    'address',
    [
        'github.com/a/b',
        'http://github.com/a/b',
        'https://GitHub.com/a/b',
        'https://github.com/_a/b',
        'git@github.com:a/b.git',
        'https://github.com/a',
        'https://github.com/a/b/tree/main',
        'https://github.com/a/..',
        'https://gitlab.com/a/b',
        "https://github.com/a/b'",
        'https://github.com/作者/书',
    ],
)
def test_other_addresses_are_refused(
    copy: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(copy)
    assert set_url(copy, address) == 1
    message = capsys.readouterr().err
    assert message.count('\n') == 1
    assert 'https://github.com/用户名/仓库名' in message
    assert contents(copy) == before


@pytest.mark.parametrize(
    ('name', 'gone'),
    [('README.md', '<!-- /repo'), ('chapters/vgg.ipynb', '"name": "install"')],
)
def test_nothing_is_written_when_a_place_is_missing(
    copy: Path, name: str, gone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (copy / name).read_text(encoding='utf-8')
    changed = text.replace(gone, '"name": "other"' if 'install' in gone else '')
    assert changed != text
    (copy / name).write_text(changed, encoding='utf-8')
    before = contents(copy)
    assert set_url(copy, GITHUB) == 1
    assert Path(name).name in capsys.readouterr().err
    assert contents(copy) == before


@pytest.mark.skipif(not shutil.which('make'), reason='没有 make')
def test_make_passes_the_address_on() -> None:
    """没有写 URL= 时照旧；URL= 表示清除；环境变量 URL 不算。"""

    def recipe(*arguments: str) -> str:
        done = subprocess.run(
            ['make', '--dry-run', 'repository', *arguments],
            cwd=ROOT, env={'PATH': os.environ['PATH'], 'URL': 'https://elsewhere'},
            capture_output=True, encoding='utf-8', check=True,
        )  # fmt: skip
        return done.stdout.splitlines()[-1].split('book.py repository', 1)[1].strip()

    assert recipe() == ''
    assert recipe('URL=') == "'URL='"
    assert recipe(f'URL={GITHUB}') == f"'URL={GITHUB}'"


def test_a_full_disk_leaves_whole_files(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """写到第二个文件时磁盘满了：它还是旧的，没有半个文件。"""
    before, written, real = contents(copy), [], os.replace

    def full(partial: str, target: Path) -> None:
        if written:
            raise OSError(errno.ENOSPC, 'No space left on device')
        written.append(target)
        real(partial, target)

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match='No space'):
        set_url(copy, GITHUB)
    after = contents(copy)
    assert set(after) == set(before)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {written[0].relative_to(copy).as_posix()}


def test_a_broken_notebook_is_named(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / 'chapters/vgg.ipynb').write_text('<<<<<<< HEAD', encoding='utf-8')
    before = contents(copy)
    assert set_url(copy, GITHUB) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('vgg.ipynb 读不了') and '冲突' in line
    assert contents(copy) == before
