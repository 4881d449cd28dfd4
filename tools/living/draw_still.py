"""没有脚本时实验台的样子：十张测试图像与 DenseNet 的回答，写成 site/assets/living/lab.svg。

用法：python tools/living/draw_still.py。图像是每类在测试集里的第一张，回答由随书的权重算出。
"""

import base64
import io
import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.data import load_dataset, prepare  # noqa: E402
from deepcnn.models import load, weight_facts  # noqa: E402

STILL = ROOT / 'site' / 'assets' / 'living' / 'lab.svg'
NETWORK = 'densenet'
CELL, PICTURE, ROW = 128, 84, 146  # 像素：一格的宽，图像的边长，一行的高
COLUMNS = 5

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14" '
    'text-anchor="middle">\n<rect width="{width}" height="{height}" fill="#fff"/>\n'
)
CELL_TEXT = (
    '<image x="{left}" y="{top}" width="{side}" height="{side}" '
    'style="image-rendering:pixelated" href="data:image/png;base64,{png}"/>\n'
    '<text x="{middle}" y="{first}">{label}</text>\n'
    '<text x="{middle}" y="{second}" fill="{color}">答{answer} {share:.1%}</text>\n'
)


def still() -> str:
    """SVG 的内容。"""
    data = load_dataset()
    labels = data.test.labels
    classes = range(len(data.class_names))
    first = [int((labels == one).nonzero()[0, 0]) for one in classes]
    images = data.test.images[first]
    X = prepare(images, weight_facts(NETWORK).image_size, data)
    with torch.inference_mode():
        shares, answers = load(NETWORK)(X).softmax(1).max(1)
    rows = -(-len(first) // COLUMNS)
    parts = [HEAD.format(width=CELL * COLUMNS, height=ROW * rows)]
    for i, image in enumerate(images):
        left, top = CELL * (i % COLUMNS), ROW * (i // COLUMNS)
        right = int(answers[i]) == int(labels[first[i]])
        parts.append(
            CELL_TEXT.format(
                left=left + (CELL - PICTURE) // 2, top=top + 8, side=PICTURE,
                png=png(image), middle=left + CELL // 2, first=top + PICTURE + 28,
                second=top + PICTURE + 48, label=data.class_names[labels[first[i]]],
                answer=data.class_names[answers[i]], share=float(shares[i]),
                color='#1a7f37' if right else '#b42318',
            )  # fmt: skip
        )
    return ''.join([*parts, '</svg>\n'])


def png(image: Tensor) -> str:
    """uint8 (1, 28, 28) → PNG 的 base64。"""
    buffer = io.BytesIO()
    Image.fromarray(image[0].numpy()).save(buffer, 'png')
    return base64.b64encode(buffer.getvalue()).decode('ascii')


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    STILL.write_text(still(), encoding='utf-8')
    return 0


if __name__ == '__main__':
    run(main)
