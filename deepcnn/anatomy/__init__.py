"""查看网络：层表、特征图与它们的证据，花费、内存与梯度。"""

from deepcnn.anatomy.channels import most_active
from deepcnn.anatomy.class_activation import ClassActivation, class_activation
from deepcnn.anatomy.examples import right_and_wrong
from deepcnn.anatomy.excitation import Exciting, Responses, responses
from deepcnn.anatomy.gradients import (
    layers_with_weights,
    share_below,
    sigmoid_slopes,
    weight_gradients,
)
from deepcnn.anatomy.kernel_change import pattern_correlation
from deepcnn.anatomy.kinds import COLORS, parameters_by_kind
from deepcnn.anatomy.layers import capture, count_parameters, layer_table
from deepcnn.anatomy.memory import peak_bytes, saved_bytes
from deepcnn.anatomy.occlusion import Occlusion, occlusion_map
from deepcnn.anatomy.page_file import export_page
from deepcnn.anatomy.recompute import STRATEGIES, recomputing
from deepcnn.anatomy.roughness import neighbour_roughness
from deepcnn.anatomy.surgery import replace_modules

__all__ = [
    'COLORS', 'STRATEGIES', 'ClassActivation', 'Exciting', 'Occlusion', 'Responses',
    'capture', 'class_activation', 'count_parameters', 'export_page', 'layer_table',
    'layers_with_weights', 'most_active', 'neighbour_roughness', 'occlusion_map',
    'parameters_by_kind', 'pattern_correlation', 'peak_bytes', 'recomputing',
    'replace_modules', 'responses', 'right_and_wrong', 'saved_bytes',
    'share_below', 'sigmoid_slopes', 'weight_gradients',
]  # fmt: skip
