"""make test 里每个 Python 进程都这样启动（PYTHONPATH 指向这个文件夹）。

一次导入 PyTorch 产生几十万个不会释放的对象，默认的阈值让回收器把它们扫上几百遍。
"""

import gc

gc.set_threshold(100_000, 10, 10)
