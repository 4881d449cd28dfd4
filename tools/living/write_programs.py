"""六个网络的算子写成数据脚本 site/assets/living/data/program-<网络>.js，给网页里的引擎。

用法：python tools/living/write_programs.py。改了网络、full 档的边长或 program.py 之后运行。
"""

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

from book_living.script_files import script_text  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.anatomy.program import page_program  # noqa: E402
from deepcnn.data import load_dataset  # noqa: E402
from deepcnn.data.dataset import Dataset  # noqa: E402
from deepcnn.models.lineup import LINEUP  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402
from deepcnn.records.titles import TITLES  # noqa: E402

DATA = ROOT / 'site' / 'assets' / 'living' / 'data'


def script_of(name: str, data: Dataset) -> str:
    """full 档的 ``name``：随书的权重就是照它训练的。"""
    entry = LINEUP[name]
    side = entry.recipes['full'].image_size
    with torch.device('meta'):
        net = entry.build(side)
    program = page_program(net, TITLES[name], side, data)
    return script_text(f'program-{name}', program)


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    data = load_dataset()
    for name in LINEUP:
        path = DATA / f'program-{name}.js'
        write_text(path, script_of(name, data))
    return 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
