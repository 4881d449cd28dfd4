"""从 LeNet 到 DenseNet、从 DenseNet 到 ConvNeXt 的两张年表；年份来自文献表。"""

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
    'he2016resnet': ('ResNet', '捷径，把输入加到输出上', 'add'),
    'huang2017densenet': ('DenseNet', '稠密连接，在通道维上连结', 'concat'),
}

# 尾声一章接着往下画，从 DenseNet 起。
LATER = {
    'huang2017densenet': IDEAS['huang2017densenet'],
    'xie2017resnext': ('ResNeXt', '瓶颈块，中间的卷积分 32 组', 'conv'),
    'howard2017mobilenet': ('MobileNet', '逐通道卷积，再 1×1 卷积', 'conv1x1'),
    'hu2018se': ('SENet', '由整张图给每个通道一个系数', 'gap'),
    'dosovitskiy2021vit': ('ViT', '切成图块，用注意力代替卷积', 'fc'),
    'liu2022convnext': ('ConvNeXt', '照 Transformer 改块，仍用卷积', 'conv'),
}


ROW = 62  # 框比一年占的长，排成一列，用线指到轴上
TOP = 52  # 轴的上端


def timeline(milestones: tuple[Milestone, ...]) -> Drawing:
    """从 LeNet 到 DenseNet；第一个离得远，框就在它自己的年份旁边。"""
    rows = [TOP - 27, *(282 + ROW * row for row in range(len(milestones) - 1))]
    draw, axis = dated('timeline', milestones, IDEAS, rows, year=26)
    first, second, *_ = milestones
    middle = axis.at(first.public) / 2 + axis.at(second.public) / 2
    apart = f'相隔 {second.public - first.public} 年'
    draw.text(axis.x + 14, middle, apart, BODY, 'start')
    return draw


def timeline_after(milestones: tuple[Milestone, ...]) -> Drawing:
    """从 DenseNet 到 ConvNeXt。"""
    rows = [TOP - 27 + ROW * row for row in range(len(milestones))]
    return dated('timeline-after', milestones, LATER, rows, year=50)[0]


@dataclass(frozen=True)
class Axis:
    """竖着的时间轴：``start`` 年在上端，一年长 ``year``。"""

    x: float
    start: int
    year: float

    def at(self, year: int) -> float:
        """``year`` 年的位置。"""
        return TOP + self.year * (year - self.start)


def dated(
    name: str,
    milestones: tuple[Milestone, ...],
    ideas: dict[str, tuple[str, str, str]],
    rows: list[float],
    year: float,
) -> tuple[Drawing, Axis]:
    """照比例的轴与各篇论文的框；``rows`` 是各个框的上边。"""
    first, *_, last = milestones
    described = '；'.join(
        f'{ideas[item.key][0]}（{years(item)}）：{ideas[item.key][1]}'
        for item in milestones
    )
    draw = Drawing(
        name,
        f'从 {ideas[first.key][0]}（{first.public}）'
        f'到 {ideas[last.key][0]}（{last.published}）',
        f'{described}。',
        rows[-1] + 112,
    )
    axis = Axis(92, first.public, year)
    scale(draw, axis, milestones)
    for item, top in zip(milestones, rows, strict=True):
        milestone_box(draw, axis, item, ideas[item.key], top)
    note = '圆点的位置照首次公开的年份；正式发表较晚的，另注年份'
    draw.text(MARGIN, rows[-1] + 86, note, SMALL, 'start')
    return draw, axis


def scale(draw: Drawing, axis: Axis, milestones: tuple[Milestone, ...]) -> None:
    """轴、五年一格的刻度与每篇论文的圆点。"""
    start, end = milestones[0].public, milestones[-1].published
    draw.line((axis.x, axis.at(start)), (axis.x, axis.at(end)))
    for year in range(start + -start % 5, end, 5):
        draw.line((axis.x - 6, axis.at(year)), (axis.x, axis.at(year)))
        draw.text(axis.x - 12, axis.at(year), f'{year} 年', SMALL, 'end')
    for year in sorted({item.public for item in milestones}):
        draw.disc(axis.x, axis.at(year), 6, LINE, '')


def milestone_box(
    draw: Drawing, axis: Axis, item: Milestone, what: tuple[str, str, str], top: float
) -> None:
    """一篇论文：指到轴上的线、年份与框。"""
    name, idea, kind = what
    x, middle = 218, top + 27
    draw.line((axis.x + 6, axis.at(item.public)), (axis.x + 40, middle), (x, middle))
    late = item.published > item.public
    draw.text(x - 8, middle - 13, str(item.public), 18, 'end', True)
    if late:
        draw.text(x - 8, middle + 13, f'发表 {item.published}', SMALL, 'end')
    draw.box(kind, x, top, WIDTH - MARGIN - x, 54, name, idea, size=SMALL)


def years(item: Milestone) -> str:
    if item.published == item.public:
        return str(item.public)
    return f'{item.public}，{item.published} 年发表'
