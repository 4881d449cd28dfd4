"""书的根文件夹；导入这个模块之后，各扩展就能导入 deepcnn。

make book 的环境里没有安装 deepcnn，也没有 PyTorch：扩展只能用它不需要 PyTorch 的模块。
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
