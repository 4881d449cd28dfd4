import subprocess
import sys
from importlib.util import find_spec

SOURCE = ''  # 从哪里安装 deepcnn 包；仓库公开后由 make repository 填写
sys.path += ['.', '..', '../..']  # 包在笔记本旁边，或在上级文件夹（本书的仓库里）
if SOURCE and find_spec('deepcnn') is None:
    print('安装配套包 deepcnn（还没有 PyTorch 时一并下载，要等一会儿）……')
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--timeout=60']
    subprocess.run([*pip, SOURCE])
if missing := [name for name in ('deepcnn', 'torch') if find_spec(name) is None]:
    todo = 'deepcnn 请连同 results、weights 从本书仓库复制到笔记本旁边，torch 请按官网安装'
    error = ModuleNotFoundError(f'缺少 {"、".join(missing)}：{todo}，再从头运行')
    error._render_traceback_ = lambda: [str(error)]  # 笔记本里只显示这一行
    raise error
