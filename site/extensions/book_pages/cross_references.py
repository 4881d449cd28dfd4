"""增量构建时，别的页引用得到的东西一变，就重写全部页面。

Sphinx 只重写改动过的页；可是标题、标签、编号也印在别的页上（引用、侧栏、上一页与
下一页）。它们没有变时，只写改动过的页就够了。
"""

import hashlib
from collections.abc import Iterable

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def fingerprint(env: BuildEnvironment) -> str:
    """全书的标题、标签、术语和编号的摘要；与读入的先后无关。"""
    std, math = env.domaindata['std'], env.domaindata['math']
    tables = (
        {name: title.astext() for name, title in env.titles.items()},
        std['labels'],
        std['anonlabels'],
        std['objects'],
        std['terms'],
        math['objects'],
        env.toc_secnumbers,
        env.toc_fignumbers,
    )
    written = [sorted(table.items()) for table in tables]
    return hashlib.sha256(repr(written).encode()).hexdigest()


def pages_to_rewrite(app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
    before = getattr(env, 'cross_references', None)
    env.cross_references = fingerprint(env)  # type: ignore[attr-defined]
    unchanged = before in (None, env.cross_references)  # type: ignore[attr-defined]
    return [] if unchanged else env.found_docs


def setup(app: Sphinx) -> None:
    # 排在 Sphinx 自己的编号之后。
    app.connect('env-get-updated', pages_to_rewrite, priority=900)
