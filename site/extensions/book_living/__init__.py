"""活页：把页面里的一幅图、一段折叠的文字包进自定义元素，脚本使它能够回答读者。

页面里写一行注释 ``<!-- 活页：名字 键=值 … -->``，它后面的一块（图、表、折叠、一个代码单元）
就成为 ``<living-名字 data-键="值">`` 的内容。没有脚本、打印、印 PDF 时，看到的就是那一块。
脚本在 site/assets/living/，一个部件一个文件；只有用到的页才载入它们。
"""

import re
import shlex
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from . import data_scripts
from .scripts import needed, write_scripts
from .weight_scripts import write_weight_scripts

logger = logging.getLogger(__name__)

# 部件 -> 构建时写出的数据；少一份就只有原来的图。最后一份等读者点过才取，元素的
# data-bytes 写明它有几个字节。
USES: dict[str, tuple[str, ...]] = {
    'train': ('training_images',),
    'compared': ('comparison_runs',),
    'confusion': ('answers', 'missed_images'),
    'disagree': ('answers', 'missed_images'),
    'replay': ('replay-{network}',),
}
ASSETS = Path(__file__).resolve().parents[2] / 'assets' / 'living'
ELEMENT = re.compile(r'<living-([a-z]+)[ >]')


class Living(nodes.General, nodes.Element):
    """一个部件；子节点是没有脚本时看到的那一块。"""


class LivingDirective(Directive):
    """``{living} 名字 键=值 …``：值里有空格时用引号。"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        name, *pairs = shlex.split(self.arguments[0])
        options = dict(pair.split('=', 1) for pair in pairs)
        return [Living(name=name, options=options)]


def wrap_following(app: Sphinx, doctree: nodes.document) -> None:
    """每个部件收下它后面的一块；同名的部件在一页里编号，网址里用得上。"""
    seen: dict[str, int] = {}
    for living in list(doctree.findall(Living)):
        name = living['name']
        seen[name] = seen.get(name, 0) + 1
        living['ids'] = [f'{name}-{seen[name]}']
        following = living.next_node(descend=False, siblings=True)
        if following is None or isinstance(following, nodes.section):
            logger.warning('活页 %s 后面没有图、表或文字', name, location=living)
            continue
        following.parent.remove(following)
        living += following


def visit_living(translator: HTML5Translator, node: Living) -> None:
    written = translator.builder.app.living_bytes
    used = [one.format(**node['options']) for one in USES.get(node['name'], ())]
    node['alive'] = all(one in written for one in used)
    if not node['alive']:
        return
    data = {f'data-{key}': value for key, value in node['options'].items()}
    if used:
        data['data-bytes'] = str(written[used[-1]])
    data['data-scripts'] = ' '.join(needed(node['name']))
    tag = translator.starttag(node, f'living-{node["name"]}', CLASS='living', **data)
    translator.body.append(tag)
    translator.body.append('<div class="living__still">')


def depart_living(translator: HTML5Translator, node: Living) -> None:
    if node['alive']:
        translator.body.append(f'</div></living-{node["name"]}>\n')


def add_scripts(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """有部件的页才载入框架与各部件的样式；部件的脚本由框架载入，快要看到时才取。"""
    names = dict.fromkeys(ELEMENT.findall(context.get('body', '')))
    if names:
        app.add_js_file('living/frame.js')
        app.add_css_file('living/living.css')
    for name in names:
        if (ASSETS / f'{name}.css').exists():
            app.add_css_file(f'living/{name}.css')


def when_built(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == 'html':
        folder = Path(app.outdir) / '_static' / 'living'
        write_scripts(ASSETS, folder)
        write_weight_scripts(folder / 'data')


def setup(app: Sphinx) -> dict[str, bool | int]:
    app.add_directive('living', LivingDirective)
    app.add_node(Living, html=(visit_living, depart_living))
    app.connect('doctree-read', wrap_following)
    app.connect('html-page-context', add_scripts)
    app.connect('build-finished', when_built)
    data_scripts.setup(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True, 'env_version': 1}
