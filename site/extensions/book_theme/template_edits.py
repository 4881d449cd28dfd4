"""载入主题模板时改动其中几处文字，不必把整个模板抄过来维护。"""

from jinja2.ext import Extension
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# 原文 → 新文，以及还没有在任何模板里遇到的原文。
EDITS: dict[str, str] = {}
UNSEEN: set[str] = set()


class TemplateEdits(Extension):
    """模板编译之前，按上表替换。"""

    def preprocess(
        self, source: str, name: str | None, filename: str | None = None
    ) -> str:
        for old, new in EDITS.items():
            if old in source:
                UNSEEN.discard(old)
                source = source.replace(old, new)
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
        for old in sorted(UNSEEN):
            logger.warning('主题模板里已没有这段文字，请更新对它的改动：%s', old)


def edit_templates(app: Sphinx, edits: dict[str, str]) -> None:
    """登记一组改动；各模块在自己的 setup 里调用。"""
    first = not EDITS
    EDITS.update(edits)
    UNSEEN.update(edits)
    if first:
        app.connect('builder-inited', install)
        app.connect('build-finished', report_unseen)
