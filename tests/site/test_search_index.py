"""检查搜索用的全书文字：从文档树读出各节，公式变成普通字符，写成脚本。"""

import gzip
import json
import re
from pathlib import Path

import pytest
from book_search.chapters import (
    CHANGES,
    Chapter,
    Section,
    read_sections,
    unexplained,
    write_chapters,
)
from book_search.plain_formula import plain_formula
from book_search.terms import read_terms
from built_site import SITE, built_file
from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import new_document

SECTIONS = SITE / '_static' / 'book_search_sections.js'
PREFIX = 'window.BOOK_CHAPTERS='

CHAPTER = """
.. _sec-block:

卷积块
======

用 :math:`1\\times 1` 卷积
减少通道。

.. warning:: 小心步幅。

.. 这是注释

.. code-block:: python

   block = Conv(1)

       # 卷积

.. _sec-relu:

ReLU
----

见 [CIT]_。

.. [CIT] 一篇论文
"""


def load_script(path: Path) -> list[dict]:
    text = path.read_text(encoding='utf-8').strip()
    return json.loads(text.removeprefix(PREFIX).removesuffix(';'))


@pytest.fixture(scope='module')
def sections() -> list[Section]:
    doctree = publish_doctree(
        CHAPTER, settings_overrides={'doctitle_xform': False, 'report_level': 4}
    )
    return read_sections(doctree, {'sec-block': [['卷积块', 'conv block']]})


@pytest.mark.parametrize(
    ('latex', 'plain'),
    [
        (r'1\times 1', '1×1'),
        (r'3 \times 3', '3×3'),
        (r'60{,}000', '60,000'),
        (r'\boldsymbol{x}', 'x'),
        (r'\frac{1}{n}\sum_{i}', '1/n∑i'),
        (r'\gamma\frac{x-\mu}{\sqrt{\sigma^{2}+1}}', 'γ x-μ/√σ2+1'),
        (r'\le\tfrac14', '≤ 1/4'),
        (r'\dfrac{\partial g(x)}{\partial x}', '∂ g(x)/∂ x'),
        (r'\operatorname{ReLU}(x)', 'ReLU(x)'),
        (r'\lfloor(8+2)/2\rfloor+1=4', '⌊(8+2)/2⌋+1=4'),
        (r'\max(0, x)', 'max(0, x)'),
        (r'\begin{aligned}a&=b\\c&=d\end{aligned}', 'a=b c=d'),
        (r'\ln 10 \approx 2.303', 'ln 10 ≈ 2.303'),
    ],
)
def test_formulas_become_plain_text(latex: str, plain: str) -> None:
    assert plain_formula(latex) == plain


def test_a_section_keeps_its_own_text_only(sections: list[Section]) -> None:
    first, second = sections
    assert (first.title, second.title) == ('卷积块', 'ReLU')
    assert first.text == '用 1×1 卷积 减少通道。\n小心步幅。'
    assert second.text.startswith('见。')


def test_code_is_kept_apart_line_by_line(sections: list[Section]) -> None:
    assert sections[0].code == 'block = Conv(1)\n# 卷积'


def test_the_written_label_is_the_anchor(sections: list[Section]) -> None:
    assert [section.anchor for section in sections] == ['sec-block', 'sec-relu']


def test_terms_go_to_the_section_that_explains_them(sections: list[Section]) -> None:
    assert [section.explains for section in sections] == [
        [['卷积块', 'conv block']],
        [],
    ]


def test_a_label_missing_from_the_book_is_reported(sections: list[Section]) -> None:
    chapter = Chapter('章', 'a.html', sections)
    terms = {'sec-block': [['卷积块', 'conv block']], 'sec-lost': [['某词']]}
    assert unexplained(terms, [chapter]) == ['sec-lost']


def test_terms_have_one_section_each() -> None:
    names = [name for entries in read_terms().values() for e in entries for name in e]
    assert len(names) == len(set(names))


def page_of(section: nodes.section) -> nodes.document:
    page = new_document('a')
    page += section
    return page


def test_the_list_of_works_of_a_chapter_is_left_out() -> None:
    """书末的一页还在：它不在别的一节里面。"""
    works = nodes.section('', nodes.title('', '参考文献'), ids=['sec-a-references'])
    works['names'] = ['sec-a-references']
    chapter = nodes.section('', nodes.title('', '甲'), works, ids=['a'])
    assert [one.title for one in read_sections(page_of(chapter), {})] == ['甲']
    assert [one.title for one in read_sections(page_of(works), {})] == ['参考文献']


def test_entries_of_the_change_log_are_left_out() -> None:
    version = nodes.section('', nodes.title('', '0.1.0'), ids=['v0-1-0'])
    changes = nodes.section('', nodes.title('', '更新记录'), version, ids=[CHANGES])
    changes['names'] = [CHANGES]
    assert [one.title for one in read_sections(page_of(changes), {})] == ['更新记录']
    about = load_script(built_file(SECTIONS))[-1]['sections']
    assert (about[-1]['title'], about[-1]['anchor']) == ('更新记录', CHANGES)


def test_outputs_of_code_are_left_out() -> None:
    output = nodes.container('', nodes.paragraph('', '输出'))
    output['nb_element'] = 'cell_code_output'
    section = nodes.section(
        '', nodes.title('', '题'), nodes.paragraph('', '正文'), output, ids=['id1']
    )
    document = nodes.Element('', section)
    assert [found.text for found in read_sections(document, {})] == ['正文']


def test_the_script_survives_quotes_and_line_separators(tmp_path: Path) -> None:
    text = '引号 " 与 </script> 与 \u2028'
    path = tmp_path / 'sections.js'
    write_chapters([Chapter('章', 'a.html', [Section('节', 'a', text, '')])], path)
    assert '\u2028' not in path.read_text(encoding='utf-8')
    assert load_script(path)[0]['sections'][0]['text'] == text


def test_the_whole_book_is_in_the_script() -> None:
    chapters = load_script(built_file(SECTIONS))
    assert [chapter['url'] for chapter in chapters[:3]] == [
        'index.html',
        'chapters/introduction.html',
        'chapters/toolbox.html',
    ]
    urls = [chapter['url'] for chapter in chapters]
    site = SECTIONS.parent.parent
    pages = site.glob('chapters/**/*.html')
    assert sorted(urls[1:]) == sorted(
        page.relative_to(site).as_posix() for page in pages
    )
    text = json.dumps(chapters, ensure_ascii=False)
    for word in ('批量归一化', '残差网络', '学习率', 'class DenseBlock'):
        assert word in text
    assert '\\\\times' not in text


def test_only_the_search_page_loads_it() -> None:
    site = SECTIONS.parent.parent
    for page in [site / 'index.html', *site.glob('chapters/**/*.html')]:
        html = page.read_text(encoding='utf-8')
        assert not re.search(
            r'<script[^>]*(?:search_|search\.js|searchtools|searchindex)', html
        )
    assert SECTIONS.name in (site / 'search.html').read_text(encoding='utf-8')


def test_the_script_stays_small() -> None:
    pages = len(load_script(built_file(SECTIONS)))  # 每页约 8.7 KB：书里添了章或自测，它才变大
    assert len(gzip.compress(SECTIONS.read_bytes())) < 9_000 * pages
