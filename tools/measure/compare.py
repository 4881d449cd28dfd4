"""同一预算比较六个网络：各训练三个种子，写出 results/comparison/<网络>.json。

用法：python tools/measure/compare.py [网络 ...] [--laptop] [--quick]
不给网络时训练全部六个。

配方是各章的 laptop 配方，只把训练图像数、轮数与批量换成共同的预算，步数因此也相同；
六个网络都不平移图像，NiN 的学习率减半（见 SHORT、LOWERED）。
--laptop 用全部图像，照 LAPTOP 训练：最后的特征图不小于 3×3，六个网络各三个种子录齐了，就
取代各章现在的 laptop 配方和短的预算；记录在 results/laptop/。
每训练完一轮存一次断点，训练完一个种子就存盘，中断后重来接着做；配方、设备或版本变了，就从头
训练。
--quick 只用几百张图像走一遍全程，写进 .runs/comparison/，不改动 results/。
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.data.dataset import Dataset  # noqa: E402
from deepcnn.data.fashion_mnist import load_dataset  # noqa: E402
from deepcnn.models.lineup import LINEUP, entry  # noqa: E402
from deepcnn.records import comparison  # noqa: E402
from deepcnn.records.comparison import Record, SeedRun, read_record  # noqa: E402
from deepcnn.records.provenance import code_version, library_versions  # noqa: E402
from deepcnn.records.store import RESULTS  # noqa: E402
from deepcnn.training import (  # noqa: E402
    Recipe,
    TrainingDiverged,
    choose_device,
    describe_device,
    predict,
)
from deepcnn.training.hardware import resolve_precision  # noqa: E402
from deepcnn.training.memory_errors import NotEnoughMemory, on_device  # noqa: E402
from deepcnn.training.recording import Recording  # noqa: E402
from deepcnn.training.seeds import trained_seeds  # noqa: E402

SEEDS = (0, 1, 2)
BUDGET = {'train_images': 10_000, 'epochs': 3, 'batch_size': 64}
SHORT = {'shift': 0}  # 平移要训练得久才有好处
# 只有几百步时，NiN 照那一章的学习率离不开开头的平台（试过种子 0）。
LOWERED = {'nin': {'lr': 1e-3}}
# 学习率、衰减、平移取 results/tuning/<网络>-full.json 里在留出图像上最好的；衰减 .3 与 .1
# 相差 .0002 时（DenseNet），取第一层更清楚的一个。
SMOOTH = {
    'label_smoothing': 0.1, 'shift': 1, 'train_images': 60_000, 'seeds': SEEDS,
}  # fmt: skip
LAPTOP = {
    'alexnet': Recipe(129, 6, 5e-4, weight_decay=2.0, **SMOOTH),
    'vgg11': Recipe(96, 12, 1e-3, weight_decay=1.0, **SMOOTH),
    'nin': Recipe(131, 10, 1e-3, batch_size=64, weight_decay=0.25, **SMOOTH),
    'googlenet': Recipe(96, 5, 2e-3, weight_decay=0.4, **SMOOTH),
    'resnet18': Recipe(96, 5, 2e-3, weight_decay=0.45, **SMOOTH),
    'densenet': Recipe(96, 8, 3e-3, weight_decay=0.3, **SMOOTH),
}
QUICK = {'train_images': 256, 'test_images': 200, 'epochs': 1}
FOLDER = RESULTS / comparison.FOLDER
LAPTOP_FOLDER = RESULTS / 'laptop'
QUICK_FOLDER = ROOT / '.runs' / comparison.FOLDER


def recipe_for(network: str, budget: dict[str, int]) -> Recipe:
    """那一章的 laptop 配方，换上共同的预算，不平移；名字不认识时抛出 ValueError。"""
    recipe = entry(network).recipes['laptop']
    return replace(recipe, **budget, **SHORT, **LOWERED.get(network, {}), seeds=SEEDS)


def planned(network: str, laptop: bool, quick: bool) -> Recipe:
    """命令行要的配方；名字不认识时抛出 ValueError。"""
    if not laptop:
        return recipe_for(network, QUICK if quick else BUDGET)
    entry(network)  # 不认识的名字，一处拒绝
    return replace(LAPTOP[network], **(QUICK if quick else {}))


def empty_record(
    network: str, recipe: Recipe, data: Dataset, device: torch.device
) -> Record:
    """一个种子也没有的记录，写明条件。``data`` 已按配方截取。"""
    settings = {k: v for k, v in recipe.to_dict().items() if k != 'seeds'}
    return Record(
        network, data.name, len(data.test), settings,
        resolve_precision(recipe, device), describe_device(device), library_versions(),
    )  # fmt: skip


def resume(path: Path, empty: Record) -> Record:
    """返回可以接着添种子的记录；条件变了就说明，并从头开始。"""
    if not path.exists():
        return empty
    kept = read_record(path)
    changed = [k for k, v in empty.conditions.items() if kept.conditions[k] != v]
    if not changed:
        return kept
    print(f'{empty.network}：{"、".join(changed)} 变了，原来的种子不能接着用，从头训练')
    return empty


def train_seed(
    network: str, data: Dataset, recipe: Recipe, seed: int, device: torch.device
) -> SeedRun:
    """训练一个种子并记下它对测试集的预测；按 Ctrl-C 而没有训练完时只留断点。

    ``data`` 已在 ``device`` 上。
    """
    one = replace(recipe, seeds=(seed,))
    checkpoints = Recording(checkpoints=ROOT / '.runs')
    try:
        [(net, run)] = trained_seeds(
            lambda: entry(network).build(recipe.image_size),
            data, one, device, checkpoints,
        )  # fmt: skip
    except TrainingDiverged as error:
        raise TrainingDiverged(f'{network} 的种子 {seed}：{error}') from error
    if len(run.test_accuracy) < recipe.epochs:
        raise KeyboardInterrupt
    answers = predict(net, data, recipe).tolist()
    return SeedRun(
        **vars(run), predictions=''.join(map(str, answers)), commit=code_version()
    )


def compare(recipes: dict[str, Recipe], folder: Path) -> None:
    """补齐各网络的种子。先各训练一个，再各训练下一个：机器忙闲的变化摊给每个网络。"""
    code_version()  # 现在就记住：训练途中仓库可能有新的提交
    device, everything = choose_device(), load_dataset()
    for seed in SEEDS:
        for name, recipe in recipes.items():
            data = everything.first(recipe.train_images, recipe.test_images)
            empty = empty_record(name, recipe, data, device)
            record = resume(folder / f'{name}.json', empty)
            if seed in record.seeds:
                print(f'{name}：种子 {seed} 已经训练过，跳过')
                continue
            print(f'{name}：种子 {seed}', flush=True)
            run = train_seed(name, on_device(data, device), recipe, seed, device)
            record.with_run(run).save(folder)


def main(arguments: list[str]) -> int:
    parser = Command(__doc__)
    parser.add_argument('networks', metavar='网络', nargs='*', help='、'.join(LINEUP))
    parser.add_argument('--laptop', action='store_true', help='照 LAPTOP 的配方训练')
    parser.add_argument('--quick', action='store_true', help='只检查能不能走通')
    options = parser.parse_args(arguments)
    full = LAPTOP_FOLDER if options.laptop else FOLDER
    folder = QUICK_FOLDER if options.quick else full
    try:
        recipes = {
            name: planned(name, options.laptop, options.quick)
            for name in options.networks or LINEUP
        }
        compare(recipes, folder)
    except (ValueError, TrainingDiverged, NotEnoughMemory) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('已中断：训练完的种子都已存下，再运行一次会接着做', file=sys.stderr)
        return 130
    print(f'六网对比的记录在 {folder.relative_to(ROOT)}/')
    return 0


if __name__ == '__main__':
    run(main)
