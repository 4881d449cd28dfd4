"""挑选超参数的表格：由 results/tuning/<网络>.json 排出，表里不手写数字。

用法::

    <!-- 网站：tuning
    -->
    *（给别的查看器的一句说明。）*

``:profile: full`` 列出那一档的（<网络>-full.json），多一栏第一层卷积核的粗糙度，不画图。
"""

from book_root import ROOT
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from deepcnn.records.attempts import (
    TUNING_IMAGES,
    Attempt,
    best,
    by_budget,
    load_attempts,
    varied,
)
from deepcnn.records.titles import TITLES

from . import nested_markdown
from .charts import OURS, PLAIN, Bar, Panel
from .charts import grid as charts

FOLDER = ROOT / 'results' / 'tuning'
FIELDS = {
    'lr': '学习率', 'batch_size': '批量', 'optimizer': '优化器',
    'weight_decay': '权重衰减', 'momentum': '动量', 'clip': '梯度裁剪',
    'label_smoothing': '标签平滑', 'flip': '翻转', 'shift': '平移', 'erasing': '擦除',
    'schedule': '学习率调度', 'precision': '精度',
    'channels_last': 'channels_last', 'test_images': '验证图像数',
}  # fmt: skip


def table(groups: dict[str, list[Attempt]], profile: str = '') -> str:
    """一张表：各网络的尝试，列出有所不同的设置；同样预算里最好的一次用粗体。"""
    columns = [
        name for name in FIELDS if any(name in varied(t) for t in groups.values())
    ]
    head = ['网络', *(FIELDS[name] for name in columns), '预算', '验证准确率']
    head += ['粗糙度'] if profile else []
    lines = [head, [':--'] + ['--:'] * (len(head) - 1)]
    for network, trials in groups.items():
        for group in by_budget(trials):
            winner = best(group)
            lines += [line(network, one, columns, one is winner) for one in group]
            if profile:
                for cells, one in zip(lines[-len(group) :], group, strict=True):
                    rough = one.roughness
                    cells.append('—' if rough is None else f'{rough:.2f}')
    body = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines)
    of = f'`{profile}` 档：' if profile else ''
    caption = f'{of}在 5,000 张验证图像上比较各种设置（种子 0，最后一轮）'
    name = 'tab-performance-tuning' + (f'-{profile}' if profile else '')
    options = f':name: {name}\n:class: text-nowrap'
    return f':::{{table}} {caption}\n{options}\n\n{body}\n:::'


def line(network: str, trial: Attempt, columns: list[str], won: bool) -> list[str]:
    settings = [shown(trial.choice[name]) for name in columns]
    accuracy = f'{trial.accuracy:.4f}' if trial.validation_accuracy else '发散'
    return [
        TITLES[network],
        *settings,
        budget(trial),
        f'**{accuracy}**' if won else accuracy,
    ]


def chart(groups: dict[str, list[Attempt]]) -> nodes.raw | None:
    """同样预算的一组一幅：验证错误率，最好的一次是深蓝的。"""
    panels = [
        Panel(f'{TITLES[network]}：{budget(group[0])}', bars(group))
        for network, trials in groups.items()
        for group in by_budget(trials)
    ]
    caption = '验证图像的错误率，越短越好，深蓝的是最好的；组内相差不到 0.4% 的不算有高下'
    return charts(panels, caption)


def bars(group: list[Attempt]) -> list[Bar]:
    names, winner = varied(group), best(group)
    return [
        Bar(
            settings(one, names),
            ((1 - one.accuracy, OURS if one is winner else PLAIN),),
            f'{1 - one.accuracy:.1%}',
        )
        for one in group
    ]


def settings(trial: Attempt, names: list[str]) -> str:
    """这一次用了什么：只写组内有所不同、又不是 0 的。"""
    used = [f'{FIELDS[n]} {shown(trial.choice[n])}' for n in names if trial.choice[n]]
    return '，'.join(used) or '都不用'


def budget(trial: Attempt) -> str:
    images = trial.recipe['train_images'] or TUNING_IMAGES
    side, epochs = trial.recipe['image_size'], trial.recipe['epochs']
    return f'{side} 像素，{images:,} 张 × {epochs} 轮'


def shown(value: object) -> str:
    if value is None:
        return '不用'
    if isinstance(value, bool):
        return '用' if value else '不用'
    return f'{value:g}' if isinstance(value, float) else str(value)


def all_trials(profile: str = '') -> dict[str, list[Attempt]]:
    """各网络在一档里的尝试；没有试过的不在其中。"""
    end = f'-{profile}' if profile else ''
    groups = {name: load_attempts(FOLDER / f'{name}{end}.json') for name in TITLES}
    return {name: trials for name, trials in groups.items() if trials}


class Tuning(SphinxDirective):
    """把挑选超参数的记录排成一张表。"""

    option_spec = {'profile': directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        for path in FOLDER.glob('*.json'):
            self.env.note_dependency(str(path))
        profile = self.options.get('profile', '')
        groups = all_trials(profile)
        if not groups:
            return nested_markdown.parse(self, '（还没有试过。）')
        drawn = [] if profile else [chart(groups)]
        return [*drawn, *nested_markdown.parse(self, table(groups, profile))]


def setup(app: Sphinx) -> None:
    app.add_directive('tuning', Tuning)
