"""同一预算比较六个网络：各训练三个种子，写出 results/comparison/<网络>.json。

用法：python tools/measure/compare.py [网络 ...] [--laptop] [--quick]
不给网络时训练全部六个。

图像数、轮数与批量是共同的，步数因此也相同；边长小，一次只要几分钟（见 SHORT）。
--laptop 照各章的 laptop 配方训练，写进 results/laptop/：六个网络各三个种子录齐了，就取代
短的预算。
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
from deepcnn.records.benchmark import FULL_TRAIN_SET  # noqa: E402
from deepcnn.records.comparison import (  # noqa: E402
    LAPTOP,
    Record,
    SeedRun,
    read_record,
)
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
# 学习率是各章从前在小边长上挑的；NiN 的减半：0.002 只有几百步时离不开开头的平台（种子 0）。
# 不平移：那要训练得久才有好处。
BUDGET = {
    'epochs': 3, 'batch_size': 64, 'label_smoothing': 0.1, 'train_images': 10_000,
    'seeds': SEEDS,
}  # fmt: skip
SHORT = {
    'alexnet': Recipe(63, lr=5e-4, **BUDGET),
    'vgg11': Recipe(48, lr=1e-3, **BUDGET),
    'nin': Recipe(71, lr=1e-3, **BUDGET),
    'googlenet': Recipe(48, lr=1e-3, **BUDGET),
    'resnet18': Recipe(48, lr=2e-3, **BUDGET),
    'densenet': Recipe(48, lr=3e-3, **BUDGET),
}
QUICK = {'train_images': 256, 'test_images': 200, 'epochs': 1}
FOLDER = RESULTS / comparison.FOLDER
LAPTOP_FOLDER = RESULTS / LAPTOP
QUICK_FOLDER = ROOT / '.runs' / comparison.FOLDER


def planned(network: str, laptop: bool, quick: bool) -> Recipe:
    """命令行要的配方；名字不认识时抛出 ValueError。"""
    chapter = entry(network).recipes['laptop']  # 不认识的名字，在这里拒绝
    whole = replace(chapter, train_images=FULL_TRAIN_SET, seeds=SEEDS)
    recipe = whole if laptop else SHORT[network]
    return replace(recipe, **QUICK) if quick else recipe


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
    parser.add_argument('--laptop', action='store_true', help='照各章的 laptop 配方')
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
