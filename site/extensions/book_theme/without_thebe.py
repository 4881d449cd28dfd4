"""去掉 Thebe：本书不在网页里连接远程内核。

Jupyter Book 总是载入这个扩展，它在每页放两段相同的脚本（第二段在控制台报错），
还写着一个站外地址。配置里没有关掉它的办法，所以撤下它登记的全部钩子。
"""

from sphinx.application import Sphinx
from sphinx.config import Config


def detach(app: Sphinx, config: Config) -> None:
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if getattr(listener.handler, '__module__', '') != 'sphinx_thebe'
        ]
    sheets = app.registry.css_files
    sheets[:] = [sheet for sheet in sheets if sheet[0] != 'sphinx-thebe.css']


def setup(app: Sphinx) -> None:
    # 先于其他扩展执行，它们都还没有动手。
    app.connect('config-inited', detach, priority=0)
