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

logger = logging.getLogger(__name__)

# 部件 -> 在 frame.js 与它自己的脚本之间还要先载入的脚本。
NEEDS: dict[str, tuple[str, ...]] = {
    'train': ('bytes', 'chart', 'lenet_training', 'training_pictures'),
    'compared': ('chart', 'comparison_chart'),
    'confusion': ('bytes', 'answers', 'image_cards'),
    'disagree': ('bytes', 'answers', 'image_cards'),
    'replay': ('bytes', 'chart', 'film'),
}
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
    """有部件的页才载入框架、部件与它们的样式。"""
    names = dict.fromkeys(ELEMENT.findall(context.get('body', '')))
    scripts = [script for name in names for script in (*NEEDS.get(name, ()), name)]
    for script in dict.fromkeys(['frame', *scripts] if names else []):
        app.add_js_file(f'living/{script}.js')
    if names:
        app.add_css_file('living/living.css')
    for name in names:
        if (ASSETS / f'{name}.css').exists():
            app.add_css_file(f'living/{name}.css')


def setup(app: Sphinx) -> dict[str, bool | int]:
    app.add_directive('living', LivingDirective)
    app.add_node(Living, html=(visit_living, depart_living))
    app.connect('doctree-read', wrap_following)
    app.connect('html-page-context', add_scripts)
    data_scripts.setup(app)
    return {'parallel_read_safe': True, 'parallel_write_safe': True, 'env_version': 1}
