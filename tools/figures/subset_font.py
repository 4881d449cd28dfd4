"""从 Noto Sans CJK SC 取出常用汉字，生成随书字体 deepcnn/plot/fonts/NotoSansSC-subset.otf。

只在要换字体时运行；需要 fonttools 与 Debian 的 fonts-noto-cjk。
字符集：ASCII、常用标点与符号、GB 2312 一级汉字（3755 个）。
"""

import io
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_bytes  # noqa: E402

SOURCE = Path('/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc')
TARGET = ROOT / 'deepcnn/plot/fonts/NotoSansSC-subset.otf'
FAMILY = 'Noto Sans CJK SC'
SYMBOLS = (
    '·×÷±≈≤≥→←↑↓−…—‖√∑∂²³₀₁₂⌊⌋⌈⌉μσβγθλ％℃①②③④⑤⑥＋、。《》「」『』（）：；，！？“”‘’～￥'
)
# GB 2312 二级汉字里本书用得到的字。
EXTRA = '卷凉靴裙衬捷径矩阵熵瓶颈稠谱馈噪阈'


def characters() -> str:
    common = b''.join(
        bytes([row, column])
        for row in range(0xB0, 0xD8)
        for column in range(0xA1, 0xFF)
    )
    ascii_text = ''.join(map(chr, range(32, 127)))
    return ascii_text + SYMBOLS + EXTRA + common.decode('gb2312', errors='ignore')


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    if not SOURCE.exists():
        print('找不到 Noto Sans CJK：请先安装软件包 fonts-noto-cjk', file=sys.stderr)
        return 1
    fonts = TTCollection(SOURCE).fonts
    font = next(f for f in fonts if f['name'].getDebugName(1) == FAMILY)
    options = subset.Options(layout_features=[], hinting=False, desubroutinize=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters())
    subsetter.subset(font)
    written = io.BytesIO()
    font.save(written)
    write_bytes(TARGET, written.getvalue())
    print(f'{TARGET.name}：{TARGET.stat().st_size / 1e6:.2f} MB')
    return 0


if __name__ == '__main__':
    run(main)
