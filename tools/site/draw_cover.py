"""画转发到别处时显示的封面：img/cover.png，1200×630。

微信、论坛等处的卡片不认 SVG，所以单独画一张位图；书名取自 _config.yml。
"""

import io
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import yaml
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.plot.style import use_book_style  # noqa: E402
from deepcnn.records.store import write_bytes  # noqa: E402

TARGET = ROOT / 'img' / 'cover.png'
WIDTH, HEIGHT = 1200, 630
NETWORKS = ('AlexNet', 'VGG', 'NiN', 'GoogLeNet', 'ResNet', 'DenseNet')
INK, PALE = '#0B3C6F', '#DCE8F5'


def draw_networks(axes: Axes) -> None:
    """底下一排：一条线串起六个网络。"""
    step = (WIDTH - 300) / (len(NETWORKS) - 1)
    places = [150 + number * step for number in range(len(NETWORKS))]
    axes.plot(places, [190] * len(places), 'o-', color=INK, linewidth=3, markersize=22)
    for place, name in zip(places, NETWORKS, strict=True):
        axes.text(place, 120, name, fontsize=21, color=INK, ha='center')


def draw(title: str, target: Path = TARGET) -> None:
    """书名在冒号处分成两行；字体里缺字时抛出异常。"""
    main, _, second = title.partition('：')
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter('error')
        use_book_style()
        fig = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=PALE)
        axes = fig.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axes.axis('off')
        axes.text(80, 480, main, fontsize=58, color=INK)
        axes.text(80, 385, second, fontsize=34, color=INK)
        draw_networks(axes)
        written, noted = io.BytesIO(), {'Title': title, 'Software': None}
        fig.savefig(written, facecolor=PALE, metadata=noted)
        plt.close(fig)
    write_bytes(target, written.getvalue())


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    draw(yaml.safe_load((ROOT / '_config.yml').read_text(encoding='utf-8'))['title'])
    return 0


if __name__ == '__main__':
    run(main)
