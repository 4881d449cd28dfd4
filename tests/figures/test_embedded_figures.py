"""嵌进笔记本的 PNG：SVG 没有变的不重画，变了的用 Chromium 重画。"""

import base64
import io
import re
from pathlib import Path

import pytest
from book_pages.plain_markdown import PICTURE
from figures import embed
from PIL import Image

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="30">{}</svg>'
BLANK = '<!-- img/a.svg -->\n<img alt="甲" width="" src="">'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'img').mkdir()
    shape = '<rect width="20" height="30" fill="#c00"/><text y="20">网</text>'
    (tmp_path / 'img' / 'a.svg').write_text(SVG.format(40, shape), encoding='utf-8')
    return tmp_path


def embedded(text: str, root: Path) -> str:
    return re.sub(PICTURE, lambda match: embed.with_picture(match, root), text)


def test_a_changed_figure_is_drawn_again(
    root: Path, browser_needed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedded(BLANK, root)
    name, alt, width, source = re.fullmatch(PICTURE, first).groups()
    assert (name, alt, width) == ('img/a.svg', '甲', '40')
    data = base64.b64decode(source.removeprefix(embed.PREFIX))
    image = Image.open(io.BytesIO(data))
    assert image.size == (80, 60)
    left, right = (image.convert('RGB').getpixel((x, 4)) for x in (4, 76))
    assert left == (204, 0, 0) and right == (255, 255, 255)

    drawn = []
    monkeypatch.setattr(embed, 'draw_png', lambda svg: drawn.append(svg) or b'png')
    assert embedded(first, root) == first and not drawn
    (root / 'img' / 'a.svg').write_text(SVG.format(50, ''), encoding='utf-8')
    assert 'width="50"' in embedded(first, root) and len(drawn) == 1


def test_the_command_says_that_chromium_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_browser(svg: Path) -> bytes:
        raise embed.BrowserError('没有找到 Chromium')

    monkeypatch.setattr(embed, 'draw_png', no_browser)
    monkeypatch.setattr(embed, 'digest', lambda svg: '变了')
    assert embed.main([]) == 1
    assert '没有找到 Chromium' in capsys.readouterr().err


def test_a_notebook_with_a_conflict_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / 'nin.ipynb'
    broken.write_text('<<<<<<< HEAD', encoding='utf-8')
    monkeypatch.setattr(embed, 'book_pages', lambda: [broken])
    assert embed.main([]) == 1
    assert 'nin.ipynb 读不了' in capsys.readouterr().err
