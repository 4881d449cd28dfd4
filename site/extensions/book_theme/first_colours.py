"""第一次画出页面之前，就定下是浅色还是深色；没有脚本时是浅色。

主题在页首写的是上次存下的颜色，第一次来的读者没有存过，写的就是 auto：先按浅色画，
等脚本都到了再改。用深色的读者眼前一闪，每位读者的浏览器都要把整页的样式算两遍。网页
自己写的也是 auto，样式表只认 light 与 dark：没有脚本的读者，页首透明，图标叠在正文上。
"""

from sphinx.application import Sphinx

from .template_edits import edit_templates

UNKNOWN = '{% if default_mode %}data-theme="{{ default_mode }}"{% endif %}'
STORED = (
    'document.documentElement.dataset.theme = '
    'localStorage.getItem("theme") || "{{ default_mode }}";'
)
RESOLVED = (
    'document.documentElement.dataset.theme = '
    '/^(dark|light)$/.exec(document.documentElement.dataset.mode)?.[0] '
    '?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
)


def setup(app: Sphinx) -> None:
    edit_templates(app, {UNKNOWN: 'data-theme="light"', STORED: RESOLVED})
