"""全书搜索：按节存下全书的文字，在浏览器里逐字查找。

构建时把每一节的标题、锚点、正文和代码写进 ``_static/book_search_sections.js``，
搜索页用 ``<script>`` 载入它，所以从磁盘直接打开（``file://``）也能用。
查找与排序在 ``static/book_search.js``，显示在 ``static/search_page.js``。
理由见 docs/decisions.md 的「按节的全文搜索」。
"""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.jinja2glue import SphinxFileSystemLoader
from sphinx.locale import _
from sphinx.util import logging

from .chapters import Chapter, read_chapter, unexplained, write_chapters
from .terms import read_terms

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
SECTIONS = 'book_search_sections.js'
KEPT = 'book_search.pickle'  # 在 doctrees 文件夹里，与文档树一起作废


def add_assets(app: Sphinx, config: Config) -> None:
    """登记搜索页的脚本和样式。"""
    config.html_static_path = [*config.html_static_path, str(HERE / 'static')]


def replace_builtin_search(app: Sphinx) -> None:
    """关掉 Sphinx 自带的搜索，连同它的索引；换上这里的模板。"""
    if app.builder.format != 'html':
        return
    app.builder.search = False
    app.book_search_chapters = read_kept(app)
    app.book_search_terms = read_terms()
    # 排在用户的模板之后、主题之前：用户的 layout.html 仍可以写 extends "!layout.html"。
    templates = app.builder.templates
    loader = SphinxFileSystemLoader(str(HERE / 'templates'))
    templates.loaders.insert(templates.templatepathlen, loader)


def read_kept(app: Sphinx) -> dict[str, Chapter]:
    """上次构建记下的各章；这次改写的页随后换掉自己的那一份。"""
    path = Path(app.doctreedir) / KEPT
    return pickle.loads(path.read_bytes()) if path.exists() else {}


def keep_chapter(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """引用都已换成文字之后，记下一章的各节。"""
    if app.builder.format == 'html':
        app.book_search_chapters[docname] = read_chapter(
            app, docname, doctree, app.book_search_terms
        )


def documents_in_order(env: BuildEnvironment, docname: str) -> Iterator[str]:
    """按目录的次序给出一页和它下面的各页。"""
    yield docname
    for below in env.toctree_includes.get(docname, ()):
        yield from documents_in_order(env, below)


def chapters_in_order(app: Sphinx) -> list[Chapter]:
    """按目录的次序返回各章；上次和这次构建都没有记下的章现在补读。"""
    env, kept = app.env, app.book_search_chapters
    order = list(documents_in_order(env, env.config.root_doc))
    for docname in order:
        if docname not in kept:
            # 解析引用时，keep_chapter 会把它记下。
            env.get_and_resolve_doctree(docname, app.builder)
    return [kept[docname] for docname in order]


def check_terms(app: Sphinx, chapters: list[Chapter]) -> None:
    """术语表里的标签都要是书里某一节的标签。"""
    for label in unexplained(app.book_search_terms, chapters):
        logger.warning('terms/glossary.yml：书里没有一节的标签是 %s', label)


def add_search_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """写出全书的文字，再交出搜索页。"""
    if app.builder.format != 'html':
        return
    path = Path(app.outdir) / '_static' / SECTIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    chapters = chapters_in_order(app)
    check_terms(app, chapters)
    write_chapters(chapters, path)
    kept = Path(app.doctreedir) / KEPT
    kept.write_bytes(pickle.dumps(app.book_search_chapters))
    yield 'search', {'title': _('Search')}, 'book_search.html'


def add_scripts(
    app: Sphinx, pagename: str, template: str, context: dict, doctree: object
) -> None:
    """脚本、样式和全书文字只由搜索页载入。"""
    if template == 'book_search.html':
        app.add_css_file('search_page.css')
        for name in (SECTIONS, 'book_search.js', 'search_page.js'):
            app.add_js_file(name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('config-inited', add_assets)
    app.connect('builder-inited', replace_builtin_search)
    app.connect('doctree-resolved', keep_chapter)
    app.connect('html-collect-pages', add_search_page)
    app.connect('html-page-context', add_scripts)
    # 各章记在这一个进程里，所以不能分进程写页面。
    return {'parallel_read_safe': True, 'parallel_write_safe': False}
