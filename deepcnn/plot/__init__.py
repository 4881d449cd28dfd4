"""全书的图：函数返回图，由笔记本决定何时显示。"""

from deepcnn.plot.chinese_font import install_chinese_font
from deepcnn.plot.comparison import (
    accuracy_scatter,
    disagreement_grid,
    mean_curves,
    others_said,
    paired_bars,
)
from deepcnn.plot.curves import (
    curves_with_spread,
    dots_with_spread,
    lines_with_spread,
    training_curves,
)
from deepcnn.plot.evidence import class_activations, exciting_images, occlusion_maps
from deepcnn.plot.gradients import gradient_histograms
from deepcnn.plot.heat_maps import heat_maps
from deepcnn.plot.images import feature_maps, filters, show_images
from deepcnn.plot.style import stamp, use_book_style

__all__ = [
    'accuracy_scatter', 'class_activations', 'curves_with_spread', 'disagreement_grid',
    'dots_with_spread', 'exciting_images', 'feature_maps', 'filters',
    'gradient_histograms', 'heat_maps', 'lines_with_spread', 'mean_curves',
    'occlusion_maps', 'others_said', 'paired_bars', 'show_images', 'stamp',
    'training_curves', 'use_book_style',
]  # fmt: skip

install_chinese_font()
