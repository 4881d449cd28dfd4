"""各页上另加的内容：按钮、标题下的一行、转发用的数据、锚点、排序、找不到的页。"""

from sphinx.application import Sphinx

from . import (
    cross_references,
    not_found,
    reading_notes,
    repository_buttons,
    social_card,
    sortable_tables,
    stable_anchors,
)


def setup(app: Sphinx) -> dict[str, bool | int]:
    for part in (
        repository_buttons, reading_notes, social_card, stable_anchors, sortable_tables,
        cross_references, not_found,
    ):  # fmt: skip
        part.setup(app)
    # 各页的用时记在这一个进程的 env 里，所以不能分进程读页面。
    return {
        'parallel_read_safe': False, 'parallel_write_safe': True, 'env_version': 1,
    }  # fmt: skip
