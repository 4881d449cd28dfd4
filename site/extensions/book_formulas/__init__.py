"""把排好的公式（SVG）直接写进网页，页面因此不必载入 2 MB 的 MathJax。

公式由 ``make formulas`` 用 MathJax 排一次，存在 formulas.json。还没有排过的公式照旧
留成 LaTeX，含有它的页面载入 MathJax 补排，所以改一个公式不会弄坏网站。
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from .rendered import Formulas, read_rendered

LEFT_TO_MATHJAX = re.compile(
    r'<(?:span|div)[^>]* class="math notranslate nohighlight[^"]*"[^>]*>'
    r'(?:\s|<span class="eqno">.*?</span>)*\\[\[(]'
)

# 与 MathJax 自己注入的样式相同，只留本书用到的。
STYLE = """
mjx-container[jax="SVG"] { direction: ltr; position: relative; }
mjx-container[jax="SVG"] > svg { overflow: visible; min-height: 1px; min-width: 1px; }
mjx-container[jax="SVG"][display="true"] {
  display: block; text-align: center; margin: 1em 0;
}
mjx-assistive-mml {
  position: absolute !important; top: 0; left: 0; clip: rect(1px, 1px, 1px, 1px);
  padding: 1px 0 0 !important; border: 0 !important; display: block !important;
  width: auto !important; overflow: hidden !important; user-select: none;
}
mjx-assistive-mml[display="block"] { width: 100% !important; }
"""


Visitor = Callable[[HTML5Translator, Any], None]


def typeset_by(formulas: Formulas, original: Visitor) -> Visitor:
    """包住 Sphinx 的访问函数：它照旧写出 LaTeX，随即换成 SVG。"""

    def visit(translator: HTML5Translator, node: nodes.Node) -> None:
        before, translator.body = translator.body, []
        try:
            original(translator, node)
        finally:
            written, translator.body = ''.join(translator.body), before
            translator.body.append(formulas.typeset(written))

    return visit


def wrap_renderers(app: Sphinx, formulas: Formulas) -> None:
    for renderers in (
        app.registry.html_inline_math_renderers,
        app.registry.html_block_math_renderers,
    ):
        visit, _ = renderers['mathjax']
        renderers['static'] = (typeset_by(formulas, visit), None)


def load_mathjax_where_needed(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], *_: Any
) -> None:
    """只有还留着 LaTeX 的页面才载入 MathJax。"""
    if app.builder.format == 'html' and LEFT_TO_MATHJAX.search(context.get('body', '')):
        config = json.dumps(app.config.mathjax3_config or {})
        app.add_js_file(None, body=f'window.MathJax = {config}')
        app.add_js_file(app.config.mathjax_path, defer='defer')


def write_list(app: Sphinx, formulas: Formulas) -> None:
    """把这次遇到的公式写进 _build/formulas.json，make formulas 照它排版。"""
    path = Path(app.outdir).parent / 'formulas.json'
    path.write_text(json.dumps(list(formulas.met), ensure_ascii=False), 'utf-8')


def write_style(app: Sphinx) -> None:
    folder = Path(app.outdir) / '_static'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'formulas.css').write_text(STYLE.lstrip(), 'utf-8')


def setup(app: Sphinx) -> dict[str, bool]:
    formulas = Formulas(read_rendered())
    # 先占住名字；真正的访问函数等 myst-parser 换过 mathjax 的之后再包。
    app.add_html_math_renderer('static', (None, None), (None, None))
    app.config.html_math_renderer = 'static'
    app.add_css_file('formulas.css')
    app.connect('html-page-context', load_mathjax_where_needed)
    app.connect('builder-inited', write_style)
    app.connect(
        'builder-inited', lambda app: wrap_renderers(app, formulas), priority=900
    )
    app.connect(
        'build-finished',
        lambda app, error: None if error else write_list(app, formulas),
    )
    return {'parallel_read_safe': True, 'parallel_write_safe': False}
