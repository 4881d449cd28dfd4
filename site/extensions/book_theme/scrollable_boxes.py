"""主题的脚本给放不下的代码与输出加上 tabindex，键盘才能滚动它们；这里改成先读后写。

它量一个框、写一个框，每写一次浏览器又要排版一次；页面一有改动它就重来一遍。一章有
上百个框，先全部量完再写，只排版一次。
"""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

SCRIPT = '_static/scripts/pydata-sphinx-theme.js'
ONE_BY_ONE = re.compile(
    r'(document\.querySelectorAll\(\[[^\]]*\]\.join\(", "\)\))'
    r'\.forEach\(e=>\{e\.tabIndex=([^{}?]*)\?0:-1\}\)'
)
AT_ONCE = r'Array.from(\1,e=>[e,\2]).forEach(([e,t])=>{e.tabIndex=t?0:-1})'


def measured_first(script: str) -> str:
    """返回改好的脚本；已经改过的照旧。主题换了写法时抛出 ValueError。"""
    changed, times = ONE_BY_ONE.subn(AT_ONCE, script)
    if not times and '=>{e.tabIndex=t?0:-1})' not in script:
        raise ValueError(f'{SCRIPT} 里已没有设 tabindex 的那一句，请更新对它的改动')
    return changed


def edit_script(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != 'html':
        return
    path = Path(app.outdir) / SCRIPT
    try:
        path.write_text(measured_first(path.read_text('utf-8')), 'utf-8')
    except ValueError as changed:
        logger.warning('%s', changed)


def setup(app: Sphinx) -> None:
    app.connect('build-finished', edit_script)
