"""网络逐层的形状，以及图里怎样称呼一层。数字由 facts 读出，这里不用 PyTorch。"""

from __future__ import annotations

from dataclasses import dataclass

# 层的名字；窗口写在前面，例如「3×3 最大池化」。
NAMES = {
    'conv': '卷积',
    'conv1x1': '卷积',
    'maxpool': '最大池化',
    'avgpool': '平均池化',
    'gap': '全局平均池化',
    'fc': '全连接',
    'bn': '批量归一化',
    'relu': 'ReLU',
}
CONVS = ('conv', 'conv1x1')
WEIGHTED = (*CONVS, 'fc')  # 层数只数它们


@dataclass(frozen=True)
class Step:
    """数据经过的一层。

    ``path`` 是模块路径；``shape`` 是一张图像的输出形状，(C, H, W) 或 (特征数,)；
    窗口、步幅、填充以像素计，没有窗口的层 ``window`` 为 0。
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    window: int = 0
    stride: int = 1
    padding: int = 0

    @property
    def colour(self) -> str:
        """canvas.KINDS 的键。"""
        return 'pool' if self.kind in ('maxpool', 'avgpool') else self.kind

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> str:
        """输出形状，例如「96×55×55」。"""
        return by(*self.shape)

    @property
    def name(self) -> str:
        """例如「11×11 卷积」。"""
        window = f'{self.window}×{self.window} ' if self.window else ''
        return window + NAMES[self.kind]

    @property
    def setting(self) -> str:
        """名字加上步幅与填充，例如「11×11 卷积，步幅 4，填充 2」。"""
        stride = f'，步幅 {self.stride}' if self.stride > 1 else ''
        padding = f'，填充 {self.padding}' if self.padding else ''
        return self.name + stride + padding


Steps = tuple[Step, ...]


def by(*numbers: int) -> str:
    """乘号连起来的数，例如「3×3」。"""
    return '×'.join(map(str, numbers))


def of_kind(steps: Steps, *kinds: str) -> Steps:
    return tuple(step for step in steps if step.kind in kinds)


def under(steps: Steps, path: str) -> Steps:
    """模块 ``path`` 里面的各层。"""
    return tuple(step for step in steps if step.path.startswith(f'{path}.'))


def split_after_pools(steps: Steps) -> list[Steps]:
    """在每个池化层之后断开；最后一段是余下的层。"""
    groups: list[list[Step]] = [[]]
    for step in steps:
        groups[-1].append(step)
        if step.colour == 'pool':
            groups.append([])
    return [tuple(group) for group in groups]
