"""六个网络：各章的 export 单元生成的模块，外壳 ``Network``，按名字造网络的 ``create``。"""

from deepcnn.models.network import Network, initialize, require_image_size
from deepcnn.models.registry import create, names

__all__ = ['Network', 'create', 'initialize', 'names', 'require_image_size']
