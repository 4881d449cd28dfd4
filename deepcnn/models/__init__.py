"""六个网络：各章的 export 单元生成的模块，外壳 ``Network``，按名字造网络的 ``create``。

``load`` 读随书附带的权重，``shipped`` 列出有哪些，``weight_facts`` 说每份怎样来的。
"""

from deepcnn.models.network import Network, initialize, require_image_size
from deepcnn.models.registry import create, names
from deepcnn.models.trained import load
from deepcnn.records.weight_facts import shipped, weight_facts

__all__ = [
    'Network', 'create', 'initialize', 'load', 'names', 'require_image_size', 'shipped',
    'weight_facts',
]  # fmt: skip
