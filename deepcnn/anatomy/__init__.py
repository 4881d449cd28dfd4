"""查看网络：层表、特征图、花费、内存与梯度。"""

from deepcnn.anatomy.gradients import (
    layers_with_weights,
    share_below,
    sigmoid_slopes,
    weight_gradients,
)
from deepcnn.anatomy.kinds import COLORS, parameters_by_kind
from deepcnn.anatomy.layers import capture, count_parameters, layer_table
from deepcnn.anatomy.memory import peak_bytes, saved_bytes
from deepcnn.anatomy.recompute import STRATEGIES, recomputing
from deepcnn.anatomy.surgery import replace_modules, set_dropout

__all__ = [
    'COLORS', 'STRATEGIES', 'capture', 'count_parameters', 'layer_table',
    'layers_with_weights', 'parameters_by_kind', 'peak_bytes', 'recomputing',
    'replace_modules', 'saved_bytes', 'set_dropout', 'share_below', 'sigmoid_slopes',
    'weight_gradients',
]  # fmt: skip
