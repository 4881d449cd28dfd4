"""活页等它的数据：权重、影片还没有时什么也不出现，来了就自己出现；每章的标记已经在。"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import book_living
import pytest
from book_living import Living, changed_data, data_of
from book_living.scripts import (
    JOINED,
    PARTS,
    TOGETHER,
    needed,
    without_comments,
    write_plain,
    write_scripts,
)

from deepcnn.records.titles import NETWORKS
from deepcnn.records.weight_facts import shipped

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / '_build' / 'html'
LIVING = ROOT / 'site' / 'assets' / 'living'
CHAPTERS = dict(
    zip(('alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet'), NETWORKS, strict=True)
)
MARKER = re.compile(r'^<!-- 活页：(\w+) (.*) -->$', re.M)


def markers(chapter: str) -> Iterator[tuple[str, dict[str, str]]]:
    """一章里的标记：名字与各个键。"""
    notebook = json.loads((ROOT / f'chapters/{chapter}.ipynb').read_text('utf-8'))
    for cell in notebook['cells']:
        for name, rest in MARKER.findall(''.join(cell['source'])):
            yield name, dict(pair.split('=', 1) for pair in shlex.split(rest))


@pytest.mark.parametrize('chapter', CHAPTERS)
def test_every_chapter_has_its_lab_and_replay(chapter: str) -> None:
    found = {name: options for name, options in markers(chapter) if name != 'predict'}
    for name in ('lab', 'replay'):
        assert found[name]['network'] == CHAPTERS[chapter]
    assert len(found['lab']['says']) > 20
    page = (SITE / f'chapters/{chapter}.html').read_text('utf-8')
    assert f'id="fig-{chapter}-curve"' in page
    assert ('<living-lab' in page) == (CHAPTERS[chapter] in shipped())
    film = ROOT / f'results/replay/{CHAPTERS[chapter]}.safetensors'
    assert ('<living-replay' in page) == film.exists()


def rendered(name: str, options: dict[str, str], written: dict[str, int]) -> str:
    node = Living(name=name, options=options)
    app = SimpleNamespace(living_bytes=written)
    translator = SimpleNamespace(
        body=[],
        builder=SimpleNamespace(app=app),
        starttag=lambda node, tag, **attributes: f'<{tag} {attributes}>',
    )
    book_living.visit_living(translator, node)
    translator.body.append('图')
    book_living.depart_living(translator, node)
    return ''.join(translator.body)


@pytest.mark.parametrize(
    ('name', 'wanted'), [('lab', 'weights-nin'), ('replay', 'replay-nin')]
)
def test_a_part_appears_with_its_data(name: str, wanted: str) -> None:
    options = {'network': 'nin', 'says': '一句话。'}
    assert data_of(name, options) == [wanted]
    assert rendered(name, options, {'weights-vgg11': 1}) == '图'
    alive = rendered(name, options, {wanted: 1234})
    assert alive.startswith(f'<living-{name}') and alive.endswith(f'</living-{name}>\n')
    assert "'data-says': '一句话。'" in alive and "'data-bytes': '1234'" in alive


def test_the_lab_of_all_networks_takes_what_there_is() -> None:
    assert data_of('lab', {'start': 'choose'}) == []
    assert rendered('lab', {}, {}).startswith('<living-lab')


def test_new_data_rewrite_the_pages() -> None:
    env = SimpleNamespace(found_docs={'one', 'two'})
    app = SimpleNamespace(living_bytes={'a': 1}, builder=SimpleNamespace(format='html'))
    assert changed_data(app, env) == []  # 第一次：本来就全写
    assert changed_data(app, env) == []
    app.living_bytes = {'a': 2, 'weights-nin': 1}
    assert changed_data(app, env) == ['one', 'two']
    app.builder.format = 'latex'
    app.living_bytes = {}
    assert changed_data(app, env) == []


# ---- 脚本怎样送到 ----------------------------------------------------------------


def test_every_source_is_in_a_script(tmp_path: Path) -> None:
    sources = {one for files in JOINED.values() for one in files}
    assert sources == {path.stem for path in LIVING.glob('*.js')}
    (tmp_path / 'old.js').touch()
    write_scripts(LIVING, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {*JOINED, *TOGETHER}


@pytest.mark.parametrize(
    ('source', 'plain'),
    [
        ('  a = 1 // 一\n  b()\n', 'a=1\nb()\n'),
        ("x('//', `/* ${y} */\n  z`) /* 二\n三 */\n", "x('//',`/* ${y} */\n  z`)\n"),
        ('/* 一 */\n(() => {\n    // 二\n\n  const a = "\\"//"\n})()\n',
         '(()=>{const a="\\"//"})()\n'),
        ('f(a, // 一\n  [\n  -1,\n\n 2]) /* 二 */\n{ /* 三\n */ }\n', 'f(a,[-1,2])\n{}\n'),
        ('if (a) {\n  b\n} else c\n(d)\n', 'if(a){b}else c\n(d)\n'),
        ("const a = b / c // d's\nconst e = '/'\n", "const a=b/c\nconst e='/'\n"),
        ('return [a, -b] ? a - -b : a++ + +b\n', 'return[a,-b]?a- -b:a++ + +b\n'),
        ("`${a ? ` = ${a} ` : ', '} + `\n", "`${a ? ` = ${a} ` : ', '} + `\n"),
    ],
)  # fmt: skip
def test_only_comments_and_needless_spaces_go(source: str, plain: str) -> None:
    assert without_comments(f'\n{source}').lstrip() == plain


def test_scripts_of_every_page_come_without_comments(tmp_path: Path) -> None:
    """进度、放大、侧栏、排序：打开一页就取，也只取程序。"""
    write_plain(LIVING.parent, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        'figure_zoom.js', 'later_pictures.js', 'progress.js', 'sidebar.js', 'sortable_table.js',
    }  # fmt: skip
    for path in tmp_path.iterdir():
        plain = path.read_text('utf-8')
        assert plain.startswith('(()=>{') and '/*' not in plain and '//' not in plain
        built = SITE / '_static' / path.name
        assert built.read_text('utf-8') == plain


def test_only_known_parts_and_modes_are_written() -> None:
    assert all(needed(part, {}) for part in PARTS)
    for part, options in (('predct', {}), ('convolution', {'mode': 'x'})):
        with pytest.raises(KeyError):
            needed(part, options)
