"""从 LeNet 到 DenseNet 的年表；年份来自文献表。"""

from __future__ import annotations

from dataclasses import dataclass

from figures.canvas import BODY, LINE, MARGIN, SMALL, WIDTH, Drawing


@dataclass(frozen=True)
class Milestone:
    """一篇论文：文献键、首次公开的年份、正式发表的年份。"""

    key: str
    public: int
    published: int


# 文献键 -> (网络, 带来的想法, 颜色：那个想法在结构图里的颜色)
IDEAS = {
    'lecun1998lenet': ('LeNet', '卷积与池化，再接全连接', 'conv'),
    'krizhevsky2012imagenet': ('AlexNet', 'ReLU、丢弃法、图像增广', 'relu'),
    'lin2013nin': ('NiN', '1×1 卷积、全局平均池化', 'conv1x1'),
    'simonyan2014vgg': ('VGG', '重复的块，全用 3×3 卷积', 'conv'),
    'szegedy2015googlenet': ('GoogLeNet', '并行的线路，在通道维上连结', 'concat'),
    'he2016resnet': ('ResNet', '跨层的线路，相加', 'add'),
    'huang2017densenet': ('DenseNet', '跨层的线路，在通道维上连结', 'concat'),
}


def timeline(milestones: tuple[Milestone, ...]) -> Drawing:
    first, second, *_, last = milestones
    described = '；'.join(
        f'{IDEAS[item.key][0]}（{years(item)}）：{IDEAS[item.key][1]}'
        for item in milestones
    )
    draw = Drawing(
        'timeline',
        f'从 LeNet（{first.public}）到 DenseNet（{last.published}）',
        f'{described}。',
        704,
    )
    axis = 92
    scale(draw, axis, milestones)
    # 框比一年占的长，排成一列，用线指到轴上；第一个离得远，就在它自己的年份旁边。
    tops = [
        at(first.public) - 27,
        *(282 + 62 * row for row in range(len(milestones) - 1)),
    ]
    for item, top in zip(milestones, tops, strict=True):
        milestone_box(draw, axis, item, top)
    draw.text(
        MARGIN,
        678,
        '圆点的位置照首次公开的年份；正式发表较晚的，另注年份',
        SMALL,
        'start',
    )
    return draw


YEAR = 26  # 一年这么长


def at(year: int) -> float:
    """轴上 ``year`` 年年初的位置。"""
    return 52 + YEAR * (year - 1998)


def scale(draw: Drawing, axis: float, milestones: tuple[Milestone, ...]) -> None:
    """轴、五年一格的刻度与每篇论文的圆点。"""
    first, second, *_, last = milestones
    draw.line((axis, at(first.public)), (axis, at(last.published)))
    for year in range(2000, last.published, 5):
        draw.line((axis - 6, at(year)), (axis, at(year)))
        draw.text(axis - 12, at(year), f'{year} 年', SMALL, 'end')
    middle = (at(first.public) + at(second.public)) / 2
    draw.text(
        axis + 14, middle, f'相隔 {second.public - first.public} 年', BODY, 'start'
    )
    for year in sorted({item.public for item in milestones}):
        draw.disc(axis, at(year), 6, LINE, '')


def milestone_box(draw: Drawing, axis: float, item: Milestone, top: float) -> None:
    """一篇论文：指到轴上的线、年份与框。"""
    name, idea, kind = IDEAS[item.key]
    x, middle = 218, top + 27
    draw.line((axis + 6, at(item.public)), (axis + 40, middle), (x, middle))
    late = item.published > item.public
    draw.text(x - 8, middle - 13, str(item.public), 18, 'end', True)
    if late:
        draw.text(x - 8, middle + 13, f'发表 {item.published}', SMALL, 'end')
    draw.box(kind, x, top, WIDTH - MARGIN - x, 54, name, idea, size=SMALL)


def years(item: Milestone) -> str:
    if item.published == item.public:
        return str(item.public)
    return f'{item.public}，{item.published} 年发表'
