"""书里的页面用普通的 Markdown 写，构建时换成它所代表的 MyST。

笔记本因此在 JupyterLab、VS Code、Colab 和任何别的查看器里都读得通，网站仍有脚注、
编号和折叠的解答。写法见 docs/decisions.md 的「笔记本先是普通的 Markdown」。只换读进来
的文字，文件与下载的笔记本不变；测试用同一个函数读各页（tests/book_source.py）。
"""

import json
import re
from functools import cache
from html import escape
from pathlib import Path

from pybtex.database import Entry, parse_file
from sphinx.application import Sphinx
from sphinx.util import logging

from .folded_detours import COLLAPSED, MARK

logger = logging.getLogger(__name__)

NUMBER = r'[\d.]+'
LABEL = '{kind}-[\\w-]+'
ANCHOR = r'<a id="(' + LABEL + ')"></a>'
CAPTION = rf'\*\*[图表] {NUMBER}\*\*　(.+)'  # 图 7.1　……，编号后面是全角空格
SECTION, FIGURE, TABLE, EQUATION = (
    ANCHOR.format(kind=kind) for kind in ('(?:sec|ex)', 'fig', 'tab', 'eq')
)
# 图以 PNG 嵌在单元里，注释写明它的来源；网站用来源的 SVG。
PICTURE = r'<!-- (img/[\w-]+\.svg) -->\n<img alt="([^"]*)" width="(\d*)" src="([^"]*)">'

# 普通的写法 -> MyST，照这个次序换。
BLOCKS = [
    # 章末的文献表，网站由 references.bib 排出。
    (rf'^({SECTION}\n##+ 参考文献)(?:\n[\s\S]*)?\Z',
     r'\1\n\n:::{footbibliography}\n:::'),
    # 网站另排的内容：注释里是指令，下面的一行给别的查看器。
    (r'^<!-- 网站：([\w-]+)(.*)\n((?:.*\n)*?)-->\n.+', r'```{\1}\2\n\3```'),
    # 活页：它后面的一块由脚本接管（site/extensions/book_living）。
    (r'^<!-- 活页：(.+?) -->(?:\n|\Z)', r'```{living} \1\n```\n\n'),
    (rf'^{SECTION}\n(?=#|```\{{include\}})', r'(\1)=\n'),
    (rf'^{FIGURE}{PICTURE}\n\n{CAPTION}',
     r':::{figure-md} \1\n![\3](/\2)\n\n\6\n:::'),
    (rf'^{TABLE}{CAPTION}\n\n((?:\|.*(?:\n|\Z))+)',
     r':::{table} \2\n:name: \1\n\n\3:::\n'),
    (rf'{EQUATION}(\n\n\$\$\n(?:(?!\$\$)[\s\S])*?)\n\\tag\{{{NUMBER}\}}\n\$\$',
     r'\2\n$$ (\1)'),
    (r'^( *)<details>\n\1<summary>(.*)</summary>\n\n([\s\S]*?)\n\n\1</details>',
     r'\1:::{dropdown} \2\n\3\n\1:::'),
]  # fmt: skip
WARNINGS = {'勘误', '注意'}  # 别的标题是一般的说明
NOTE = re.compile(r'^> \*\*([^*\n]+)\*\*\n>\n((?:>.*(?:\n|\Z))+)', re.M)
OUTPUT_CAPTION = re.compile(rf'{FIGURE}{CAPTION}\Z')
LINK = re.compile(r'(?<!!)\[([^][]*)\]\(([\w./-]*)#((?:sec|ex|fig|tab|eq)-[\w-]+)\)')
# 指到活页拨好的状态：链接的标题写部件与状态；在别的查看器里，链接就到那一幅图。
LIVING_LINK = re.compile(
    r'\[([^][]*)\]\(([\w/-]+)\.ipynb#fig-[\w-]+ "([a-z]+-\d+(?:\?[\w=&.-]+)?)"\)'
)
NUMBERED = {'fig': f'图 {NUMBER}', 'tab': f'表 {NUMBER}', 'eq': rf'\({NUMBER}\)'}
CITATION = re.compile(r'\[(\[[^][]+，\d{4}\]|[^][]+（\d{4}）)\]\((https?://[^)\s]+)\)')
CITATIONS = re.compile(f'(?:{CITATION.pattern})+')
# 换过之后还留着的，是写走了样的：缺一个空行，或多了一个。
BROKEN = re.compile(
    r'<a id=|<img |</?details|^\*\*[图表] [\d.]+\*\*　|\\tag\{|<!-- (?:网站|活页)'
    r'|^> \*\*(?:勘误|注意)\*\*',
    re.M,
)
CODE = re.compile(r'(^(`{3,}).*?^\2`*$|`[^`\n]+`)', re.M | re.S)


def work_address(entry: Entry) -> str:
    """文献的网址：DOI、arXiv，都没有时是 url；括号会截断 Markdown 的链接，换成编码。"""
    fields = entry.fields
    if 'doi' in fields:
        address = f'https://doi.org/{fields["doi"]}'
    elif 'eprint' in fields:
        address = f'https://arxiv.org/abs/{fields["eprint"]}'
    else:
        address = fields['url']
    return address.replace('(', '%28').replace(')', '%29')


@cache
def cited_works(bibliography: Path) -> dict[str, str]:
    """{文献的网址: 它的键}。"""
    entries = parse_file(str(bibliography)).entries
    return {work_address(entry): key for key, entry in entries.items()}


def reference(match: re.Match[str]) -> str:
    """书内的链接；图、表、公式的编号由网站重算，没有写文字的用标题。"""
    text, _, label = match.groups()
    kind = label.partition('-')[0]
    if kind in NUMBERED and re.fullmatch(NUMBERED[kind] + '|', text):
        return f'{{{"eq" if kind == "eq" else "numref"}}}`{label}`'
    return f'{{ref}}`{text} <{label}>`' if text else f'{{ref}}`{label}`'


def living_link(match: re.Match[str]) -> str:
    text, page, state = match.groups()
    return f'<a href="{page}.html#{escape(state)}">{text}</a>'


def pointer(body: str) -> str:
    """勘误折起来时的一行：它的头一个分句，链接只留文字，公式之前就停。"""
    plain = re.sub(r'\[([^][]*)\]\([^)]*\)|[`*]', r'\1', body.lstrip('- '))
    clause = re.match(r'[^$\n]{6,}?(?=[，。：；$\n])|[^$\n]*', plain)
    return clause[0].strip() + '……'


def note(match: re.Match[str]) -> str:
    body = re.sub('^> ?', '', match[2], flags=re.M).rstrip('\n')
    if match[1] == '勘误':  # 没有见过原文的读者不必停下来看，折成一行
        title = f'勘误：{pointer(body)}'
        return f':::{{dropdown}} {title}\n:class-container: quiet\n\n{body}\n:::\n'
    kind = 'warning' if match[1] in WARNINGS else 'note'
    return f':::{{admonition}} {match[1]}\n:class: {kind}\n{body}\n:::\n'


def upgrade(text: str, works: dict[str, str]) -> str:
    """一段普通的 Markdown 所代表的 MyST；works 是 {文献的网址: 它的键}。"""

    def citation(match: re.Match[str]) -> str:
        found = [works.get(m[2]) for m in CITATION.finditer(match[0])]
        if None in found:  # 一般的链接
            return match[0]
        kind = 'p' if match[0].startswith('[[') else 't'
        return f'{{footcite:{kind}}}`{",".join(map(str, found))}`'

    for plain, myst in BLOCKS:
        text = re.sub(plain, myst, text, flags=re.M)
    text = LIVING_LINK.sub(living_link, text)
    text = NOTE.sub(note, text).rstrip('\n')
    parts = CODE.split(text)  # 文字，代码，它的围栏，文字……
    for i in range(0, len(parts), 3):
        parts[i] = CITATIONS.sub(citation, LINK.sub(reference, parts[i]))
    return ''.join(part or '' for i, part in enumerate(parts) if i % 3 != 2)


def upgrade_notebook(notebook: dict, works: dict[str, str]) -> dict:
    """笔记本的各个文字单元换成 MyST；输出图的说明放回画图的单元。"""
    cells: list[dict] = []
    for cell in notebook['cells']:
        if cell['cell_type'] == 'markdown':
            text = ''.join(cell['source'])
            caption = OUTPUT_CAPTION.match(text)
            if caption and cells and cells[-1]['cell_type'] == 'code':
                metadata = cells[-1]['metadata']
                # 图的下方已经写着来历。
                text = caption[2].replace(f'（{metadata.get("provenance")}）', '')
                options = metadata.setdefault('mystnb', {})
                options['figure'] = {'caption': text, 'name': caption[1]}
                continue
            mark = MARK if cell['metadata'].get(COLLAPSED) else ''
            cell = {**cell, 'source': upgrade(text, works) + mark}
        cells.append(cell)
    return {**notebook, 'cells': cells}


def warn_of_broken_forms(text: str, docname: str, place: str) -> None:
    code_removed = CODE.sub('', text)
    for left in BROKEN.finditer(code_removed):
        logger.warning('%s不是书里的写法：%s', place, left[0], location=docname)


def on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    works = cited_works(Path(app.srcdir) / app.config.bibtex_bibfiles[0])
    if not app.env.doc2path(docname).endswith('.ipynb'):
        source[0] = upgrade(source[0], works) + '\n'
        warn_of_broken_forms(source[0], docname, '')
        return
    notebook = upgrade_notebook(json.loads(source[0]), works)
    for number, cell in enumerate(notebook['cells'], 1):
        if cell['cell_type'] == 'markdown':
            warn_of_broken_forms(cell['source'], docname, f'第 {number} 个单元：')
    source[0] = json.dumps(notebook, ensure_ascii=False)


def setup(app: Sphinx) -> None:
    app.connect('source-read', on_source_read)
