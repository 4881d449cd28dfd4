"""仓库有了公开的网址，才在页顶放与它有关的按钮。

唯一的设置是 _config.yml 的 repository.url：空的时候没有任何按钮；GitHub 的网址给出
仓库、修改、报告问题以及 Colab、Binder；Gitee 的网址给出前三个，因为 Colab 与 Binder
只认 GitHub。
"""

from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.config import Config

SOURCE_BUTTONS = ('use_repository_button', 'use_edit_page_button', 'use_issues_button')
LAUNCHERS = {
    'notebook_interface': 'jupyterlab',
    'binderhub_url': 'https://mybinder.org',
    'colab_url': 'https://colab.research.google.com',
}
GITHUB_ICON, NEUTRAL_ICON = 'fab fa-github', 'fas fa-code-branch'


def choose_buttons(app: Sphinx, config: Config) -> None:
    """按仓库网址填写主题的选项。"""
    options = config.html_theme_options
    url = options.get('repository_url', '')
    options |= dict.fromkeys(SOURCE_BUTTONS, bool(url))
    if url.startswith('https://github.com/'):
        options['launch_buttons'] = LAUNCHERS
    elif url:
        # 主题不认得 Gitee；它的修改与议题网址同 GitHub 的写法一样。
        options['repository_provider'] = 'github'


def every_button(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """按钮连同各组里的按钮。"""
    inner = [item for button in buttons for item in button.get('buttons', ())]
    return buttons + inner


def finish_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """议题的标题改用中文；Gitee 的按钮不用 GitHub 的图标。"""
    url = app.config.html_theme_options.get('repository_url', '')
    title = app.env.titles[page].astext() if page in app.env.titles else ''
    for button in every_button(context.get('header_buttons', [])):
        if button.get('label') == 'source-issues-button':
            button['url'] = f'{url}/issues/new?title={quote(f"{title}（{page}）：")}'
        if button.get('icon') == GITHUB_ICON and 'gitee.com' in url:
            button['icon'] = NEUTRAL_ICON


def setup(app: Sphinx) -> None:
    app.connect('config-inited', choose_buttons)
    # 主题在同一事件里先放好按钮（优先级 501），这里在它之后修改。
    app.connect('html-page-context', finish_buttons, priority=900)
