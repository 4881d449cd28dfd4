"""活页：把页面里的一幅图、一段折叠的文字包进自定义元素，脚本使它能够回答读者。

页面里写一行注释 ``<!-- 活页：名字 键=值 … -->``，它后面的一块（图、表、折叠、一个代码单元）
就成为 ``<living-名字 data-键="值">`` 的内容。没有脚本、打印、印 PDF 时，看到的就是那一块。
脚本在 site/assets/living/；只有用到的页才载入它们。

一个部件要的数据（权重、影片）还没有时，元素不写出来，页面里只有那一块；数据来了，下一次构建就有。
``says="……"`` 是部件自己的一句话，跟着部件出现，没有部件的地方（笔记本、打印）看不到；
``open="……"`` 是一个按钮上的字，读者点了才载入部件。
"""

import re
import shlex
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from . import data_scripts
from .scripts import PARTS, needed, sources_of, write_plain, write_scripts
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
    'lab': ('weights-{network}',),  # 没有写 network 的（实验台）有什么用什么
}
ASSETS = Path(__file__).resolve().parents[2] / 'assets' / 'living'
SCRIPTS = re.compile(r'<living-[^>]* data-scripts="([^"]+)"')


class Living(nodes.General, nodes.Element):
    """一个部件；子节点是没有脚本时看到的那一块。"""


class LivingDirective(SphinxDirective):
    """``{living} 名字 键=值 …``：值里有空格时用引号。写错时是一个错误，指出那一行。"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        try:
            name, *pairs = shlex.split(self.arguments[0])
            options = dict(pair.split('=', 1) for pair in pairs)
            needed(name, options)
        except (ValueError, KeyError):
            known = '、'.join(sorted(PARTS))
            raise self.error(
                f'活页 {self.arguments[0]} 写错了：应当是「名字 键=值 …」，名字取 {known} 之一'
            ) from None
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


def data_of(name: str, options: dict[str, str]) -> list[str]:
    """一个部件要的数据的名字。"""
    return [
        one.format(**options)
        for one in USES.get(name, ())
        if 'network' in options or '{network}' not in one
    ]


def in_words(size: int) -> str:
    """多少个字节，与页面里 bytes.js 的 ``sizeOf`` 同样写法。"""
    return f'{-(-size // 1024)} KB' if size < 2**20 / 10 else f'{size / 2**20:.1f} MB'


def visit_living(translator: HTML5Translator, node: Living) -> None:
    written = translator.builder.app.living_bytes
    used = data_of(node['name'], node['options'])
    node['alive'] = all(one in written for one in used)
    if not node['alive']:
        return
    data = {f'data-{key}': value for key, value in node['options'].items()}
    if used:
        size = written[used[-1]]
        data['data-bytes'] = str(size)
        if node['name'] == 'replay':  # 影片大，脚本也等读者点过才取
            data['data-open'] = f'重放这次训练（取 {in_words(size)}）'
    data['data-scripts'] = ' '.join(needed(node['name'], node['options']))
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
    """有部件的页才载入框架与各部件的样式；部件的脚本由框架载入，快要看到时才取。

    样式与源码同名，一个部件用到哪几份源码，就载入哪几份样式；它们最后合成一个文件。
    """
    scripts = ' '.join(SCRIPTS.findall(context.get('body', ''))).split()
    if scripts:
        app.add_js_file('living/frame.js')
        app.add_css_file('living/living.css')
    for name in dict.fromkeys(one for script in scripts for one in sources_of(script)):
        if (ASSETS / f'{name}.css').exists():
            app.add_css_file(f'living/{name}.css')


def write_data(app: Sphinx) -> None:
    """写出全部数据；``app.living_bytes`` 记下写出的各有几个字节。"""
    app.living_bytes = {}
    if app.builder.format == 'html':
        folder = Path(app.outdir) / '_static' / 'living' / 'data'
        app.living_bytes = data_scripts.write_all(folder) | write_weight_scripts(folder)


def changed_data(app: Sphinx, env: BuildEnvironment, *documents: set[str]) -> list[str]:
    """数据多了或少了：各页重写，部件才跟着出现。"""
    if app.builder.format != 'html':
        return []
    before = getattr(env, 'living_data', None)
    env.living_data = sorted(app.living_bytes)
    return [] if before in (None, env.living_data) else sorted(env.found_docs)


def when_built(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == 'html':
        static = Path(app.outdir) / '_static'
        write_scripts(ASSETS, static / 'living')
        write_plain(ASSETS.parent, static)


def setup(app: Sphinx) -> dict[str, bool | int]:
    app.add_directive('living', LivingDirective)
    app.add_node(Living, html=(visit_living, depart_living))
    app.connect('doctree-read', wrap_following)
    app.connect('html-page-context', add_scripts)
    app.connect('builder-inited', write_data)
    app.connect('env-get-outdated', changed_data)
    app.connect('build-finished', when_built)
    return {'parallel_read_safe': True, 'parallel_write_safe': True, 'env_version': 2}
