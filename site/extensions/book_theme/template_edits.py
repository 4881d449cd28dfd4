"""载入主题模板时改动其中几处文字，不必把整个模板抄过来维护。"""

import re

from jinja2.ext import Extension
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# 原文 → 新文，以及还没有在任何模板里遇到的原文。新文可以用 ``\\1`` 引用原文里的一段。
EDITS: dict[re.Pattern[str], str] = {}
UNSEEN: set[re.Pattern[str]] = set()


class TemplateEdits(Extension):
    """模板编译之前，按上表替换。"""

    def preprocess(
        self, source: str, name: str | None, filename: str | None = None
    ) -> str:
        for old, new in EDITS.items():
            source, times = old.subn(new, source)
            if times:
                UNSEEN.discard(old)
        return source


def install(app: Sphinx) -> None:
    templates = getattr(app.builder, 'templates', None)
    environment = getattr(templates, 'environment', None)
    if environment is None:  # 不用模板的构建器
        UNSEEN.clear()
        return
    environment.add_extension(TemplateEdits)


def report_unseen(app: Sphinx, exception: Exception | None) -> None:
    """主题换了写法时提醒，免得改动悄悄失效。"""
    # 一处也没遇到，说明这次没有写任何页面（增量构建），无从判断。
    wrote_pages = len(UNSEEN) < len(EDITS)
    if exception is None and wrote_pages and app.builder.name == 'html':
        for old in sorted(one.pattern for one in UNSEEN):
            logger.warning('主题模板里已没有这段文字，请更新对它的改动：%s', old)


def edit_templates(app: Sphinx, edits: dict[str | re.Pattern[str], str]) -> None:
    """登记一组改动；各模块在自己的 setup 里调用。

    原文照字面写；主题的各个版本写法不同的，写成正则表达式。
    """
    first = not EDITS
    for old, new in edits.items():
        if isinstance(old, str):
            old, new = re.compile(re.escape(old)), new.replace('\\', r'\\')
        EDITS[old] = new
        UNSEEN.add(old)
    if first:
        app.connect('builder-inited', install)
        app.connect('build-finished', report_unseen)
