"""页面与它的来源之间：普通的 Markdown 换成 MyST，术语、按钮、标题下的一行、锚点等。"""

from sphinx.application import Sphinx

from . import (
    code_lines,
    cross_references,
    figure_links,
    folded_checks,
    folded_detours,
    kept_together,
    linked_terms,
    not_found,
    plain_markdown,
    reading_notes,
    repository_buttons,
    social_card,
    sortable_tables,
    stable_anchors,
    table_columns,
)


def setup(app: Sphinx) -> dict[str, bool | int]:
    for part in (
        repository_buttons, reading_notes, social_card, stable_anchors, sortable_tables,
        cross_references, not_found, plain_markdown, linked_terms, kept_together,
        folded_checks, folded_detours, code_lines, figure_links, table_columns,
    ):  # fmt: skip
        part.setup(app)
    # 各页的用时记在这一个进程的 env 里，所以不能分进程读页面。
    return {
        'parallel_read_safe': False, 'parallel_write_safe': True, 'env_version': 3,
    }  # fmt: skip
