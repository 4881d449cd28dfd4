"""交互的图：运行中的笔记本里有控件，静态页面上是同一幅图的初始状态。"""

from deepcnn.explore.widgets import (
    Exploration,
    explore_configuration,
    explore_feature_maps,
    explore_window,
)

__all__ = [
    'Exploration', 'explore_configuration', 'explore_feature_maps', 'explore_window',
]  # fmt: skip
