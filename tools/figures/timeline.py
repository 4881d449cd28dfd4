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
    'he2016resnet': ('ResNet', '跨层的线路，相加', 'add'),
    'huang2017densenet': ('DenseNet', '跨层的线路，在通道维上连结', 'concat'),
}

# 尾声一章接着往下画，从 DenseNet 起。
LATER = {
    'huang2017densenet': IDEAS['huang2017densenet'],
    'xie2017resnext': ('ResNeXt', '瓶颈残差块，中间的卷积分成 32 组', 'conv'),
    'howard2017mobilenet': ('MobileNet', '逐通道卷积，再 1×1 卷积', 'conv1x1'),
    'hu2018se': ('SENet', '由整张图给每个通道一个系数', 'gap'),
    'dosovitskiy2021vit': ('ViT', '切成图块，用注意力代替卷积', 'fc'),
    'liu2022convnext': ('ConvNeXt', '照 Transformer 改块，仍用卷积', 'conv'),
}


def timeline(milestones: tuple[Milestone, ...]) -> Drawing:
    """从 LeNet 到 DenseNet；头两个之间隔得久，虚线。"""
    return dated('timeline', milestones, IDEAS, gap=True)


def timeline_after(milestones: tuple[Milestone, ...]) -> Drawing:
    """从 DenseNet 到 ConvNeXt。"""
    return dated('timeline-after', milestones, LATER, gap=False)


def dated(
    name: str,
    milestones: tuple[Milestone, ...],
    ideas: dict[str, tuple[str, str, str]],
    gap: bool,
) -> Drawing:
    """一行一个网络；``gap`` 时头两行之间是虚线，并写明相隔几年。"""
    first, second, *_, last = milestones
    described = '；'.join(
        f'{ideas[item.key][0]}（{years(item)}）：{ideas[item.key][1]}'
        for item in milestones
    )
    draw = Drawing(
        name,
        f'从 {ideas[first.key][0]}（{first.public}）'
        f'到 {ideas[last.key][0]}（{last.published}）',
        f'{described}。',
        54 + 70 * len(milestones) + 36 * gap,
    )
    axis, x, y = 124, 150, 20
    previous = None
    for item in milestones:
        title, idea, kind = ideas[item.key]
        box = draw.box(kind, x, y, WIDTH - MARGIN - x, 50, title, idea)
        late = item.published > item.public
        draw.text(
            axis - 18, box.cy - (10 if late else 0), str(item.public), 18, 'end', True
        )
        if late:
            note = f'发表 {item.published}'
            draw.text(axis - 18, box.cy + 13, note, SMALL, 'end')
        if previous is not None:
            draw.line((axis, previous), (axis, box.cy), dashed=gap and item is second)
        draw.disc(axis, box.cy, 7, LINE, '')
        draw.line((axis + 7, box.cy), (box.x, box.cy))
        previous = box.cy
        y = box.bottom + 20
        if gap and item is first:
            apart = f'相隔 {second.public - first.public} 年'
            draw.text(x, y + 8, apart, BODY, 'start')
            y += 36
    draw.text(
        MARGIN, y + 10, '大字是首次公开的年份；正式发表较晚的，另注年份', SMALL, 'start'
    )
    return draw


def years(item: Milestone) -> str:
    if item.published == item.public:
        return str(item.public)
    return f'{item.public}，{item.published} 年发表'
