"""术语的链接：每页只有第一次出现，正文先于提示框，标题、代码、表格不算。"""

import re
from pathlib import Path

import pytest
from book_pages.plain_markdown import upgrade
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

GLOSSARY = '# 表\n\n```{glossary}\n' + ''.join(
    f'{name}\n  解释。\n\n' for name in ('感受野', '残差块', 'ReLU', '1×1 卷积')
)


def linked(page: str, folder: Path) -> str:
    """page 建成的网页的正文；链接到术语表的字写在尖括号里。"""
    source = folder / 'book'
    (source / 'chapters').mkdir(parents=True)
    (source / 'index.md').write_text(
        '# 书\n\n```{toctree}\nchapters/page\nchapters/glossary\n```\n',
        encoding='utf-8',
    )
    (source / 'chapters' / 'glossary.md').write_text(
        GLOSSARY + '```\n', encoding='utf-8'
    )
    (source / 'chapters' / 'page.md').write_text(
        upgrade(page, {}) + '\n', encoding='utf-8'
    )
    settings = {
        'extensions': ['myst_parser', 'sphinx_design', 'book_pages.linked_terms'],
        'myst_enable_extensions': ['colon_fence', 'dollarmath'],
    }
    folders = source, None, folder / 'site', folder / 'doctrees'
    with docutils_namespace():
        Sphinx(*folders, 'html', settings, status=None, warningiserror=True).build()
    html = (folder / 'site' / 'chapters' / 'page.html').read_text(encoding='utf-8')
    body = html.partition('role="main">')[2].partition('<div class="sphinxsidebar"')[0]
    body = re.sub(
        r'<a [^>]*#term-[^>]*>(?:<span[^>]*>)?(.*?)(?:</span>)?</a>', r'‹\1›', body
    )
    return re.sub(r'<[^>]+>|¶', '', body)


TITLE = '<a id="sec-x"></a>\n# 题\n\n'


@pytest.mark.parametrize(
    ('page', 'wanted'),
    [
        ('感受野很大。感受野有多大？', '‹感受野›很大。感受野有多大？'),
        ('## 感受野\n\n看感受野。', '看‹感受野›。'),
        ('`感受野`与 $1\\times 1$，感受野', '，‹感受野›'),
        ('|感受野|\n|---|\n|感受野|\n\n感受野', '‹感受野›'),
        ('> **勘误**\n>\n> 感受野小。\n\n感受野大。', '‹感受野›大。'),
        ('> **勘误**\n>\n> 感受野小，感受野。', '‹感受野›小，感受野。'),
        (
            '<details>\n<summary>答</summary>\n\n感受野小。\n\n</details>',
            '‹感受野›小。',
        ),
        ('[感受野](https://x.test)，感受野', '，‹感受野›'),
        ('- 残差块的 **ReLU**', '‹残差块›的 ‹ReLU›'),
        ('用 1×1 卷积层', '用 ‹1×1 卷积›层'),
    ],
)
def test_the_first_use_is_linked(page: str, wanted: str, tmp_path: Path) -> None:
    text = linked(TITLE + page, tmp_path)
    assert wanted in text
    assert text.count('‹') == wanted.count('‹')


def test_a_longer_word_is_not_the_term(tmp_path: Path) -> None:
    assert '‹' not in linked(TITLE + 'LeakyReLU6 与 TopReLU。', tmp_path)
