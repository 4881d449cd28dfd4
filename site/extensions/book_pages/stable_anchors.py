"""每个标题的锚点都读得懂、不随增删小节而变。

中文标题自动得到的锚点是 id1、id2……，前面插一节就全变了。各节都写了
(sec-名字)=，这里让它成为标题的链接；更新记录的版本标题用 v0-1-0 这样的锚点。
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

AUTOMATIC = re.compile(r'id\d+$')
VERSION = re.compile(r'(\d+)\.(\d+)\.(\d+)')


def explicit_ids(document: nodes.document, section: nodes.section) -> set[str]:
    """作者写下的标签；从标题自动得来的不算。"""
    return {
        document.nameids[name]
        for name in section['names']
        if document.nametypes.get(name) and document.nameids.get(name)
    }


class StableAnchors(SphinxTransform):
    """在标签都已挂到各节之后、目录收集之前运行。"""

    default_priority = 879  # 收集目录（doctree-read）是 880

    def apply(self) -> None:
        for section in self.document.findall(nodes.section):
            version = VERSION.match(section.next_node(nodes.title).astext())
            if version and AUTOMATIC.match(section['ids'][0]):
                anchor = 'v' + '-'.join(version.groups())
                section['ids'].insert(0, anchor)
                self.document.ids[anchor] = section
            explicit = explicit_ids(self.document, section)
            # 标题的链接和目录都用第一个。
            section['ids'].sort(key=lambda anchor: anchor not in explicit)
            if AUTOMATIC.match(section['ids'][0]):
                logger.warning(
                    '这一节没有锚点，请在标题前写 (sec-名字)=', location=section
                )


def setup(app: Sphinx) -> None:
    app.add_transform(StableAnchors)
