"""100 张测试图像写成数据脚本 site/assets/living/data/samples.js：每类在测试集里的前 10 张。

用法：python tools/living/write_samples.py。
"""

import base64
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

from book_living.script_files import script_text  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.data import load_dataset  # noqa: E402
from deepcnn.data.dataset import Dataset  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402

SCRIPT = ROOT / 'site' / 'assets' / 'living' / 'data' / 'samples.js'
EACH = 10


def samples(data: Dataset) -> str:
    """脚本的内容：类别、各图在测试集里的编号，与依次排列的像素（base64）。"""
    labels = data.test.labels
    classes = range(len(data.class_names))
    chosen = torch.cat([(labels == one).nonzero()[:EACH, 0] for one in classes])
    pixels = data.test.images[chosen].numpy().tobytes()
    content = {
        'classes': data.class_names,
        'each': EACH,
        'numbers': chosen.tolist(),
        'pixels': base64.b64encode(pixels).decode('ascii'),
    }
    return script_text('samples', content)


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    write_text(SCRIPT, samples(load_dataset()))
    return 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
