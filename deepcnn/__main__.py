"""命令行的入口：``python -m deepcnn``，安装之后也是 ``deepcnn``。"""

from typing import NoReturn

from deepcnn.command_line import run
from deepcnn.own.commands import main


def start() -> NoReturn:
    run(main)


if __name__ == '__main__':
    start()
