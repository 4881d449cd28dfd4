"""网站的各个命令：用法与报错是中文，用错了以 2 退出，没有网站时以 1 退出。"""

from pathlib import Path
from types import ModuleType

import check_links
import draw_cover
import make_pdf
import measure_pages
import pack_zip
import pytest
import typeset_formulas

TOOLS = (check_links, draw_cover, make_pdf, measure_pages, pack_zip, typeset_formulas)
name_of = pytest.mark.parametrize('tool', TOOLS, ids=lambda tool: tool.__name__)


def test_every_command_is_listed() -> None:
    folder = Path(make_pdf.__file__).parent
    found = {path.stem for path in folder.glob('*.py') if 'Command(' in path.read_text('utf-8')}
    assert found == {tool.__name__ for tool in TOOLS}


@name_of
def test_an_unknown_option_is_refused_in_chinese(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        tool.main(['--fast'])
    assert stopped.value.code == 2
    usage, *_, said = capsys.readouterr().err.splitlines()
    assert usage.startswith('用法：') and said == '不认识的参数：--fast'


@name_of
def test_help_is_the_purpose_of_the_command(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        tool.main(['-h'])
    assert stopped.value.code == 0
    assert (tool.__doc__ or '').splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ('tool', 'missing'),
    [(pack_zip, 'SITE'), (measure_pages, 'SITE'), (typeset_formulas, 'LIST')],
)
def test_without_a_site_one_line_says_what_to_run(
    tool: ModuleType, missing: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(tool, missing, tmp_path / 'nowhere')
    assert tool.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert 'make book' in line


def test_an_unknown_page_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'index.html').touch()
    monkeypatch.setattr(measure_pages, 'SITE', tmp_path)
    assert measure_pages.main(['lenet.html']) == 2
    assert capsys.readouterr().err == '没有这一页：lenet.html\n'
