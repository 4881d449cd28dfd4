"""没有脚本时实验台的样子：十张测试图像与 DenseNet 的回答，画成 PNG 嵌进用到它的页面。

用法：python tools/living/draw_still.py。图像是每类在测试集里的第一张，回答由随书的权重算出；
PNG 里也记着这些文字，测试据此知道图过不过时。
"""

import base64
import io
import re
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.data import load_dataset, prepare  # noqa: E402
from deepcnn.models import load, weight_facts  # noqa: E402
from deepcnn.plot.chinese_font import FONT  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402

PAGES = (ROOT / 'index.md', ROOT / 'chapters' / 'lab.md')
PICTURE = re.compile(r'(<!-- 活页：lab .*-->\n!\[.+\]\()(.*)(\)\n)')
PREFIX = 'data:image/png;base64,'
ANSWERS = 'answers'  # PNG 里的一项：各张下面的文字
NETWORK = 'densenet'
CELL, SIDE, ROW, COLUMNS = 140, 84, 146, 5  # 像素：格宽、图像的边长、行高；一行几张
COLORS = {'✓': '#1a7f37', '✗': '#b42318'}


def first_of_each_class() -> list[int]:
    labels = load_dataset().test.labels
    classes = range(len(load_dataset().class_names))
    return [int((labels == one).nonzero()[0, 0]) for one in classes]


def answers() -> list[str]:
    """十张图像各一行：正确的类别、回答、概率、答对没有。"""
    data, chosen = load_dataset(), first_of_each_class()
    X = prepare(data.test.images[chosen], weight_facts(NETWORK).image_size, data)
    with torch.inference_mode():
        shares, found = load(NETWORK)(X).softmax(1).max(1)
    names, labels = data.class_names, data.test.labels[chosen].tolist()
    return [
        f'{names[label]} {names[answer]} {share:.0%} {"✓" if answer == label else "✗"}'
        for label, answer, share in zip(
            labels, found.tolist(), shares.tolist(), strict=True
        )
    ]


def still(lines: list[str]) -> bytes:
    """画好的 PNG。"""
    images = load_dataset().test.images[first_of_each_class()]
    rows = -(-len(lines) // COLUMNS)
    sheet = Image.new('RGB', (CELL * COLUMNS, ROW * rows), '#ffffff')
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, 15)
    for i, (image, line) in enumerate(zip(images, lines, strict=True)):
        left, top = CELL * (i % COLUMNS), ROW * (i // COLUMNS)
        picture = Image.fromarray(image[0].numpy()).resize((SIDE, SIDE), Image.NEAREST)
        sheet.paste(picture, (left + (CELL - SIDE) // 2, top + 8))
        label, answer, share, mark = line.split()
        middle = left + CELL // 2
        pen.text((middle, top + SIDE + 26), label, '#1f2328', font, 'mm')
        told = f'答{answer} {share}' + ('，错' if mark == '✗' else '')
        pen.text((middle, top + SIDE + 46), told, COLORS[mark], font, 'mm')
    noted = PngInfo()
    noted.add_itxt(ANSWERS, '\n'.join(lines))
    written = io.BytesIO()
    sheet.quantize(192).save(written, 'PNG', optimize=True, pnginfo=noted)
    return written.getvalue()


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    picture = base64.b64encode(still(answers())).decode('ascii')
    for path in PAGES:
        page = path.read_text(encoding='utf-8')
        written = PICTURE.sub(rf'\g<1>{PREFIX}{picture}\3', page)
        write_text(path, written)
    return 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
