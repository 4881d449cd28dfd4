"""每页标题下的一行：读完主线约几分钟，训练结果是在哪里录下的；首页另有全书进度。

进度本身由 site/assets/progress.js 记在读者自己的浏览器里，这里只留出位置和章名。
"""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import book_root  # noqa: F401  然后才能导入 deepcnn
from book_slides import slides_link
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from deepcnn.records.pages import record_names

from .folded_detours import Detour

HAN_PER_MINUTE = 400
CODE_LINES_PER_MINUTE = 20
# 汉字比这还少的页（文献总表）不是用来通读的。
LEAST_HAN = 200

UNREAD = (nodes.comment, nodes.raw, nodes.math, nodes.math_block)


@dataclass(frozen=True)
class Amount:
    """一页要读的东西有多少。"""

    han: int = 0
    code_lines: int = 0

    def __add__(self, other: 'Amount') -> 'Amount':
        return Amount(self.han + other.han, self.code_lines + other.code_lines)

    @property
    def minutes(self) -> int:
        exact = self.han / HAN_PER_MINUTE + self.code_lines / CODE_LINES_PER_MINUTE
        return max(1, round(exact))


def count_han(text: str) -> int:
    return sum('\u4e00' <= character <= '\u9fff' for character in text)


def shown(node: nodes.Node) -> list[nodes.Node]:
    """不点开就看得到的部分：折叠只有题目，旁支与核对过的代码什么也没有。"""
    attributes = getattr(node, 'attributes', {})
    if isinstance(node, Detour) or 'prompt_show' in attributes:
        return []
    if attributes.get('design_component') == 'dropdown':
        return node.children[:1]
    return node.children


def measure(node: nodes.Node) -> Amount:
    """数出主线上的汉字和代码的行数；折叠、公式、图像和代码的输出不算。"""
    if isinstance(node, UNREAD):
        return Amount()
    if isinstance(node, nodes.literal_block):
        return Amount(code_lines=sum(map(bool, node.astext().split('\n'))))
    if isinstance(node, nodes.Text):
        return Amount(han=count_han(node.astext()))
    if 'cell_output' in getattr(node, 'attributes', {}).get('classes', ()):
        return Amount()
    return sum(map(measure, shown(node)), Amount())


@dataclass(frozen=True)
class Recording:
    """一页的训练结果是在哪里录下的；几份记录的并在一起，不重复。"""

    devices: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: dict[str, tuple[int, ...]]  # 档位 → 种子；六网对比与搜索没有档位，是 ''


def seeds_of(record: dict[str, Any]) -> list[int]:
    """训练记录、六网对比和超参数的一次尝试，种子各写在不同的地方。"""
    if 'runs' in record:
        return [run['seed'] for run in record['runs']]
    return record['recipe']['seeds']


def combine(records: list[dict[str, Any]]) -> Recording:
    def values(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(r[name] for r in records if name in r))

    seeds: dict[str, set[int]] = {}
    for record in records:
        seeds.setdefault(record.get('profile', ''), set()).update(seeds_of(record))
    of_profile = {name: tuple(sorted(found)) for name, found in seeds.items()}
    return Recording(values('device'), values('dataset'), of_profile)


def record_files(source: Path, document: str) -> list[Path]:
    """这一页的训练结果应当在哪些文件里。"""
    page, results = document.removeprefix('chapters/'), source / 'results'
    return [results / f'{name}.json' for name in record_names(page)]


def recorded_training(source: Path, document: str) -> Recording | None:
    """这一页的全部训练记录；没有，或还没有录全，就返回 None。"""
    paths = record_files(source, document)
    if not all(path.is_file() for path in paths):
        return None
    records = []
    for path in paths:
        record = json.loads(path.read_text(encoding='utf-8'))
        records += record if isinstance(record, list) else [record]
    return combine(records)


def describe_recording(recording: Recording, profiles: str) -> str:
    """「训练结果录自 CPU（…）：Fashion-MNIST，laptop 档，随机种子 0」；几档的用分号隔开。"""
    kinds = []
    for name, seeds in recording.seeds.items():
        other = '同一预算，' if len(recording.seeds) > 1 else ''
        kind = f'<a href="{profiles}">{escape(name)} 档</a>，' if name else other
        kinds.append(f'{kind}随机种子 {"、".join(map(str, seeds))}')
    datasets = escape('、'.join(recording.datasets))
    details = ([datasets] if datasets else []) + ['；'.join(kinds)]
    devices = escape('、'.join(recording.devices))
    return f'训练结果录自 {devices}：{"，".join(details)}'


def amounts_of(env: BuildEnvironment) -> dict[str, Amount]:
    """各页要读的东西有多少；存在 env 里，没有改动的页下次不必再数。"""
    if not hasattr(env, 'reading_amounts'):
        env.reading_amounts = {}  # type: ignore[attr-defined]
    return env.reading_amounts  # type: ignore[attr-defined]


def measure_page(app: Sphinx, doctree: nodes.document) -> None:
    amounts_of(app.env)[app.env.docname] = measure(doctree)


def forget_page(app: Sphinx, env: BuildEnvironment, document: str) -> None:
    amounts_of(env).pop(document, None)


def count_minutes(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """算出各页的分钟；有一页变了，首页上全书的用时也要重写。"""
    root = env.config.root_doc
    minutes = {
        name: amount.minutes
        for name, amount in amounts_of(env).items()
        if amount.han >= LEAST_HAN and name != root
    }
    before = getattr(env, 'reading_minutes', None)
    env.reading_minutes = minutes  # type: ignore[attr-defined]
    return [] if minutes == before else [root]


def page_note(app: Sphinx, document: str) -> str:
    minutes = app.env.reading_minutes.get(document)  # type: ignore[attr-defined]
    if minutes is None:
        return ''
    parts = [f'约 {minutes} 分钟']
    recording = recorded_training(Path(app.srcdir), document)
    if recording:
        root = app.builder.get_relative_uri(document, app.config.root_doc)
        parts.append(describe_recording(recording, f'{root}#sec-index-profiles'))
    first, *others = (f'<span>{part}</span>' for part in parts)
    spans = first + slides_link(app, document) + ''.join(others)
    return f'<p class="reading-note" data-page="{escape(document)}">{spans}</p>'


def ordered_pages(env: BuildEnvironment) -> list[str]:
    """目录里的全部页，按阅读的顺序。"""
    includes, ordered, waiting = env.toctree_includes, [], [env.config.root_doc]
    while waiting:
        page = waiting.pop(0)
        ordered.append(page)
        waiting = list(includes.get(page, ())) + waiting
    return ordered


def book_note(app: Sphinx) -> str:
    minutes = app.env.reading_minutes  # type: ignore[attr-defined]
    pages = [name for name in ordered_pages(app.env) if name in minutes]
    chapters = [[name, app.env.titles[name].astext()] for name in pages]
    hours = round(sum(minutes.values()) / 30) / 2  # 取到半小时
    data = escape(json.dumps(chapters, ensure_ascii=False))
    return (
        f'<p class="reading-note reading-progress" data-chapters="{data}">'
        f'<span>全书约 {hours:g} 小时</span></p>'
    )


def add_note(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    if doctree is None or not hasattr(app.env, 'reading_minutes'):
        return
    is_root = pagename == app.config.root_doc
    note = book_note(app) if is_root else page_note(app, pagename)
    context['body'] = context['body'].replace('</h1>', f'</h1>\n{note}', 1)


def setup(app: Sphinx) -> None:
    app.connect('doctree-read', measure_page, priority=600)  # 折叠已定
    app.connect('env-purge-doc', forget_page)
    app.connect('env-updated', count_minutes)
    app.connect('html-page-context', add_note)
    app.connect('builder-inited', lambda app: app.add_js_file('progress.js'))
