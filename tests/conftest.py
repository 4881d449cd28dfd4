"""所有测试共用的设置。"""

import os

# 直接运行 pytest 时也用最快的档位；make test 已经设好同一个值。
os.environ.setdefault('DEEPCNN_PROFILE', 'quick')
