"""记录的来历：各个库的版本，以及代码是哪一次提交。"""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from deepcnn.records.store import ROOT

LIBRARIES = ('torch', 'torchvision', 'numpy')


def library_versions() -> dict[str, str]:
    """返回 Python 与影响结果的几个库的版本；没有安装的不写。"""
    versions = {'python': platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


@cache
def code_version() -> str | None:
    """返回代码的提交，例如 ``5b860f7`` 或 ``5b860f7-dirty``；不在 git 里时返回 None。

    ``-dirty`` 只看 deepcnn/：录制时笔记本与 results/ 正在改写，总是「脏」的，
    说明不了什么。环境变量 ``DEEPCNN_COMMIT`` 优先，给没有 .git 的机器用。
    """
    given = os.environ.get('DEEPCNN_COMMIT')
    if given:
        return given
    commit = git('describe', '--always')
    if commit is None:
        return None
    changed = git('status', '--porcelain', '--', 'deepcnn')
    return f'{commit}-dirty' if changed else commit


def git(*arguments: str) -> str | None:
    """返回一条 git 命令的输出；没有 git 或不在仓库里时返回 None。"""
    try:
        done = subprocess.run(
            ['git', '-C', str(ROOT), *arguments],
            capture_output=True,
            encoding='utf-8',
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
