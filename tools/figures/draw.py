"""画出全书的结构图与示意图：img/*.svg。

图里的数由 figures.facts 从真的网络、各章的代码和文献表读出；画法在其余模块里。
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_text  # noqa: E402
from figures.branching_blocks import (  # noqa: E402
    densenet,
    growth,
    inception,
    residual_block,
    resnet18,
)
from figures.canvas import Drawing  # noqa: E402
from figures.colour_pictures import identity_block, mixing, pooled_maps  # noqa: E402
from figures.dense_reading import dense_reading  # noqa: E402
from figures.facts import class_maps, read_facts, reading_strengths  # noqa: E402
from figures.ideas import (  # noqa: E402
    degradation,
    global_average_pooling,
    one_by_one,
    pipeline,
    receptive_field,
    sigmoid_chain,
)
from figures.logo import logo  # noqa: E402
from figures.sliding_window import convolution  # noqa: E402
from figures.straight_networks import alexnet, nin, vgg16, vgg_block  # noqa: E402
from figures.timeline import timeline, timeline_after  # noqa: E402
from figures.whole_networks import densenet as densenet_network  # noqa: E402
from figures.whole_networks import googlenet  # noqa: E402

IMG_DIR = ROOT / 'img'


def drawings() -> list[Drawing]:
    """书里的每一幅图。"""
    facts = read_facts()
    return [
        alexnet(facts.lenet, facts.alexnet),
        vgg_block(facts.vgg_block),
        vgg16(facts.vgg16),
        nin(facts.nin, facts.alexnet, facts.vgg_block),
        inception(facts.inception),
        residual_block(facts.residual, facts.projection),
        resnet18(facts.resnet18),
        densenet(),
        googlenet(facts.googlenet),
        densenet_network(facts.densenet),
        growth(facts.dense_block),
        pipeline(),
        receptive_field(facts.vgg_block),
        one_by_one(facts.one_by_one),
        global_average_pooling(facts.nin),
        degradation(),
        sigmoid_chain(facts.sigmoid_chain, facts.relu_chain),
        mixing(*facts.mixing),
        identity_block(*facts.identity),
        pooled_maps(*class_maps()),
        dense_reading(*reading_strengths()),
        timeline(facts.milestones),
        convolution(facts.patch),
        timeline_after(facts.later_milestones),
        logo(),
    ]


@cache
def render_all() -> dict[str, str]:
    """文件名 -> 内容。"""
    return {f'{drawing.name}.svg': drawing.svg() for drawing in drawings()}


def write_all(folder: Path) -> list[str]:
    """把每一幅写进文件夹，返回文件名。"""
    folder.mkdir(parents=True, exist_ok=True)
    figures = render_all()
    for name, content in figures.items():
        write_text(folder / name, content)
    return sorted(figures)


def differing(folder: Path) -> list[str]:
    """缺少的、不同的，或不是由这里画出的图的文件名。"""
    figures = render_all()
    found = {path.name for path in folder.glob('*.svg')}
    changed = {
        name
        for name in found & figures.keys()
        if (folder / name).read_text(encoding='utf-8') != figures[name]
    }
    return sorted(changed | (found ^ figures.keys()))


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        '--check', action='store_true', help='只比较；有出入时列出文件并以 1 退出'
    )
    if not command.parse_args(arguments).check:
        for name in write_all(IMG_DIR):
            print(f'已绘制 img/{name}')
        return 0
    names = differing(IMG_DIR)
    for name in names:
        print(f'与脚本所绘不同：img/{name}，请运行 make figures')
    return 1 if names else 0


if __name__ == '__main__':
    run(main, told=(ValueError,))
