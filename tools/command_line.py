"""``deepcnn.command_line``，给不在包里的命令用：它们不必安装 deepcnn。"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deepcnn.command_line import (  # noqa: E402
    INTERRUPTED,
    Command,
    file_trouble,
    run,
    translated,
)

__all__ = ['INTERRUPTED', 'Command', 'file_trouble', 'run', 'translated']
