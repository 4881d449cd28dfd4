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
        580,
    )
    axis, x, y = 124, 150, 20
    previous = None
    for item in milestones:
        name, idea, kind = IDEAS[item.key]
        box = draw.box(kind, x, y, WIDTH - MARGIN - x, 50, name, idea)
        late = item.published > item.public
        draw.text(
            axis - 18, box.cy - (10 if late else 0), str(item.public), 18, 'end', True
        )
        if late:
            note = f'发表 {item.published}'
            draw.text(axis - 18, box.cy + 13, note, SMALL, 'end')
        if previous is not None:
            draw.line((axis, previous), (axis, box.cy), dashed=item is second)
        draw.disc(axis, box.cy, 7, LINE, '')
        draw.line((axis + 7, box.cy), (box.x, box.cy))
        previous = box.cy
        y = box.bottom + 20
        if item is first:
            gap = f'相隔 {second.public - first.public} 年'
            draw.text(x, y + 8, gap, BODY, 'start')
            y += 36
    draw.text(
        MARGIN, y + 10, '大字是首次公开的年份；正式发表较晚的，另注年份', SMALL, 'start'
    )
    return draw


def years(item: Milestone) -> str:
    if item.published == item.public:
        return str(item.public)
    return f'{item.public}，{item.published} 年发表'
