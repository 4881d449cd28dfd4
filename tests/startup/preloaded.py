"""内核由一个进程 fork 出来，这些库由它导入一次，各个内核不必再导入；没有 deepcnn。"""

import os

# 内核自己也这样设；matplotlib 在导入时就读它。
os.environ.setdefault('MPLBACKEND', 'module://matplotlib_inline.backend_inline')

import ipykernel.kernelapp  # noqa: E402, F401
import matplotlib.pyplot  # noqa: E402, F401
import torchvision.datasets  # noqa: E402, F401
