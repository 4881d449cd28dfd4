"""make repository：网址写到每个地方，各处一致；没有网址时哪里都不指向仓库。"""

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import set_repository
import yaml
from set_repository import FIRST_CELL, PLACES, Repository, SettingError

ROOT = Path(__file__).resolve().parent.parent

GITHUB = 'https://github.com/someone/deep-cnn'
GITEE = 'https://gitee.com/some_one/deep.cnn'
ARCHIVE = f'{GITHUB}/archive/refs/heads/main.zip'


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """只含要改写的文件的一份副本。"""
    for place in PLACES:
        if (ROOT / place).exists():
            (tmp_path / place).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / place, tmp_path / place)
    shutil.copytree(ROOT / 'chapters', tmp_path / 'chapters', dirs_exist_ok=True)
    return tmp_path


def set_url(root: Path, *arguments: str) -> int:
    return set_repository.main(list(arguments), root)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def first_cells(root: Path) -> dict[str, str]:
    """各笔记本里名为 install 的单元。"""
    return {
        path.relative_to(root).as_posix(): cell.source
        for path in sorted((root / 'chapters').rglob('*.ipynb'))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.metadata.get('name') == 'install'
    }


def baseurl(root: Path) -> str:
    config = yaml.safe_load((root / '_config.yml').read_text(encoding='utf-8'))
    return config['html']['baseurl']


def mentions(root: Path, text: str) -> set[str]:
    return {
        name for name, content in contents(root).items() if text.encode() in content
    }


def test_every_notebook_starts_with_the_same_cell() -> None:
    """不一致时运行 make repository。"""
    wanted = (ROOT / FIRST_CELL).read_text(encoding='utf-8').strip()
    assert len(wanted.splitlines()) <= 15
    cells = first_cells(ROOT)
    notebooks = (ROOT / 'chapters').rglob('*.ipynb')
    assert set(cells) == {path.relative_to(ROOT).as_posix() for path in notebooks}
    differing = [name for name, source in cells.items() if source != wanted]
    assert not differing, '请运行 make repository'


def test_all_places_of_this_repository_agree() -> None:
    """_config.yml 里的网址就是别处写的网址。"""
    repository = set_repository.current(ROOT)
    for place, change in PLACES.items():
        if (ROOT / place).exists():
            text = (ROOT / place).read_text(encoding='utf-8')
            assert change(text, repository) == text, f'{place}：请运行 make repository'


def test_github_address_reaches_every_place(copy: Path) -> None:
    assert set_url(copy, GITHUB) == 0
    chapters = set(first_cells(copy))
    assert mentions(copy, GITHUB) == {str(place) for place in PLACES} | chapters
    assert set_repository.current(copy).url == GITHUB
    assert mentions(copy, f"SOURCE = '{ARCHIVE}'") == {str(FIRST_CELL)} | chapters
    citation = yaml.safe_load((copy / 'CITATION.cff').read_text(encoding='utf-8'))
    assert citation['repository-code'] == GITHUB
    assert citation['preferred-citation']['url'] == GITHUB
    about = (copy / 'chapters/about.md').read_text(encoding='utf-8')
    entry = re.search('```bibtex\n(.*?)```', about, re.DOTALL)[1]
    assert f'  url       = {{{GITHUB}}},\n' in entry
    assert baseurl(copy) == 'https://someone.github.io/deep-cnn/'


@pytest.mark.parametrize(
    ('address', 'pages'),
    [
        ('', ''),
        (GITHUB, 'https://someone.github.io/deep-cnn/'),
        ('https://github.com/Some/some.github.io', 'https://some.github.io/'),
        (GITEE, ''),
    ],
)
def test_site_address_follows_the_repository(address: str, pages: str) -> None:
    assert Repository(address, 'main').pages == pages


def test_site_address_of_an_own_server_is_kept(copy: Path) -> None:
    own = 'https://book.example.com/'
    set_url(copy, '')
    config = copy / '_config.yml'
    text = config.read_text(encoding='utf-8')
    config.write_text(text.replace("baseurl: ''", f"baseurl: '{own}'"), encoding='utf-8')
    for address in (GITHUB, GITEE, ''):
        assert set_url(copy, address) == 0
        assert baseurl(copy) == own


def test_site_address_of_the_former_repository_goes(copy: Path) -> None:
    for address, pages in ((GITHUB, 'https://someone.github.io/deep-cnn/'), (GITEE, '')):
        assert set_url(copy, address) == 0
        assert baseurl(copy) == pages


def test_only_the_first_cell_of_a_notebook_changes(copy: Path) -> None:
    set_url(copy)
    before = {p: nbformat.read(p, as_version=4) for p in copy.rglob('*.ipynb')}
    set_url(copy, GITHUB)
    for path, old in before.items():
        new = nbformat.read(path, as_version=4)
        changed = [a for a, b in zip(old.cells, new.cells, strict=True) if a != b]
        assert [cell.metadata.name for cell in changed] == ['install']
        assert old.metadata == new.metadata


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
    set_url(copy, '')
    clean = contents(copy)
    set_url(copy, GITHUB)
    set_url(copy, GITHUB.replace('someone', 'another'))
    assert not mentions(copy, 'github.com/someone/')
    set_url(copy, '')
    assert contents(copy) == clean
    assert not mentions(copy, 'github.com/another/')


def test_gitee_is_accepted_without_colab_and_binder(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set_url(copy, GITEE) == 0
    assert 'Colab 与 Binder 只能从 GitHub' in capsys.readouterr().out
    assert Repository(GITEE, 'main').install_source == f'git+{GITEE}@main'
    readme = (copy / 'README.md').read_text(encoding='utf-8')
    assert GITEE in readme
    assert 'colab.research' not in readme and 'mybinder' not in readme


@pytest.mark.parametrize(
    'address',
    [
        'github.com/a/b',
        'http://github.com/a/b',
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


def test_nothing_is_written_when_a_place_is_missing(copy: Path) -> None:
    readme = copy / 'README.md'
    readme.write_text(readme.read_text(encoding='utf-8').replace('<!-- /repo', ''))
    before = contents(copy)
    assert set_url(copy, GITHUB) == 1
    assert contents(copy) == before


def test_a_notebook_without_first_cell_is_named(copy: Path) -> None:
    path = copy / 'chapters' / 'vgg.ipynb'
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.metadata.get('name') != 'install']
    nbformat.write(notebook, path)
    with pytest.raises(SettingError, match='vgg.ipynb'):
        set_repository.apply(copy, Repository(GITHUB, 'main'))


def test_make_passes_the_address_on() -> None:
    """没有写 URL= 时照旧；URL= 表示清除；环境变量 URL 不算。"""

    def recipe(*arguments: str) -> str:
        done = subprocess.run(
            ['make', '--dry-run', 'repository', *arguments],
            cwd=ROOT, env={'PATH': '/usr/bin:/bin', 'URL': 'https://elsewhere'},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()[-1].split('set_repository.py', 1)[1].strip()

    assert recipe() == ''
    assert recipe('URL=') == "''"
    assert recipe(f'URL={GITHUB}') == f"'{GITHUB}'"
