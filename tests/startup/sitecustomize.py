"""make test 里每个 Python 进程都这样启动（PYTHONPATH 指向这个文件夹）。

导入一次 PyTorch 产生几十万个不会释放的对象，按默认的阈值要触发几百次回收，白费时间。
系统自己的 sitecustomize（如果有）因此不执行。
"""

import gc

gc.set_threshold(100_000, 10, 10)
