"""``deepcnn.command_line``，给不在包里的命令用：它们不必安装 deepcnn。"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deepcnn.command_line import Command, run, translated  # noqa: E402

__all__ = ['Command', 'run', 'translated']
