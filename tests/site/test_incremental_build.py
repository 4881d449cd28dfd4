"""增量构建与从头构建得到同样的页面：别的页上印着的标题和编号跟着变。"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

PAGES = {
    'index': '# 书\n\n```{toctree}\none\ntwo\n```\n',
    'one': '(sec-one)=\n# 第一页\n\n旧的正文。\n',
    'two': '# 第二页\n\n见 {ref}`sec-one`。\n',
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[[], dict[str, int]]:
    """写下三页小书；每次调用构建一次，返回各页网页的修改时间。"""
    source, site = tmp_path / 'book', tmp_path / 'site'
    source.mkdir()
    for name, text in PAGES.items():
        (source / f'{name}.md').write_text(text, encoding='utf-8')
    settings = {'extensions': ['myst_parser', 'book_pages.cross_references']}

    def run() -> dict[str, int]:
        folders = source, None, site, tmp_path / 'doctrees'
        with docutils_namespace():
            Sphinx(*folders, 'html', settings, status=None, warningiserror=True).build()
        return {name: (site / f'{name}.html').stat().st_mtime_ns for name in PAGES}

    return run


def replace(tmp_path: Path, old: str, new: str) -> str:
    """改 one.md，并返回下一次构建之前 two.html 的文字。"""
    path = tmp_path / 'book' / 'one.md'
    path.write_text(path.read_text('utf-8').replace(old, new), encoding='utf-8')
    return (tmp_path / 'site' / 'two.html').read_text('utf-8')


def test_only_the_edited_page_is_written_again(
    build: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    before = build()
    replace(tmp_path, '旧的正文', '新的正文')
    after = build()
    assert after['one'] > before['one'] and after['two'] == before['two']
    assert '新的正文' in (tmp_path / 'site' / 'one.html').read_text('utf-8')


def test_a_new_title_reaches_the_pages_that_print_it(
    build: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    build()
    assert '见 <a class="reference internal" href="one.html#sec-one">' in replace(
        tmp_path, '# 第一页', '# 开头'
    )
    build()
    for page in ('index', 'two'):
        text = (tmp_path / 'site' / f'{page}.html').read_text('utf-8')
        assert '开头' in text and '第一页' not in text


def test_a_label_that_is_gone_fails_the_build(
    build: Callable[[], dict[str, int]], tmp_path: Path
) -> None:
    build()
    replace(tmp_path, '(sec-one)=\n', '')
    with pytest.raises(Exception, match='sec-one'):
        build()
