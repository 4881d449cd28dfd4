"""为 laptop 档挑选超参数：在训练集的前 55,000 张上训练，在其余 5,000 张上比较。

用法：python tools/tune.py 网络 '改动 ...' ['改动 ...' ...]
例如：python tools/tune.py nin 'epochs=6' 'epochs=6 lr=2e-3' 'epochs=6 shift=1'

每个引号里是一次尝试：从那一章的 laptop 配方出发，只改写出来的几项；''（空的）表示原样。
结果逐次添进 results/tuning/<网络>.json，做过的不再做。测试集始终不看。
"""

import argparse
import json
import os
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deepcnn.data import DataError, Dataset, load_dataset  # noqa: E402
from deepcnn.lineup import LINEUP, Entry, entry  # noqa: E402
from deepcnn.profile import choose_device, describe_device  # noqa: E402
from deepcnn.provenance import code_version, library_versions  # noqa: E402
from deepcnn.recipe import Recipe  # noqa: E402
from deepcnn.train import TrainingDiverged, train  # noqa: E402
from deepcnn.tuning import Trial, load_trials  # noqa: E402

VALIDATION_IMAGES = 5_000
FOLDER = ROOT / 'results' / 'tuning'


def parse_changes(text: str) -> dict:
    """把 ``'lr=1e-3 epochs=6'`` 读成字典；写错时抛出 ValueError。"""
    names = [field.name for field in fields(Recipe)]
    changes = {}
    for item in text.split():
        name, equals, value = item.partition('=')
        if not equals or name not in names:
            raise ValueError(
                f'看不懂 {item!r}：请写成「字段=值」，字段有 {"、".join(names)}'
            )
        try:
            changes[name] = json.loads(value.lower())
        except json.JSONDecodeError:
            changes[name] = value
        if isinstance(changes[name], list):
            changes[name] = tuple(changes[name])
    return changes


def try_recipe(chosen: Entry, recipe: Recipe, data: Dataset) -> Trial:
    """训练一次；``data`` 的测试集位置上是验证集。"""
    device = choose_device()
    losses, accuracy, seconds = [], [], 0.0
    try:
        _, history = train(
            lambda: chosen.build(recipe.image_size), data, recipe, 'laptop', device
        )
        run = history.runs[0]
        if len(run.test_accuracy) < recipe.epochs:
            raise KeyboardInterrupt
        losses, accuracy, seconds = run.train_loss, run.test_accuracy, run.seconds
    except TrainingDiverged as error:
        print(f'发散：{error}', file=sys.stderr)
    return Trial(
        recipe.to_dict(), losses, accuracy, seconds,
        describe_device(device), library_versions(), code_version(),
    )  # fmt: skip


def add_trial(path: Path, trial: Trial) -> None:
    """添一条；先写完再改名，中断时不留半个文件。重读一遍，两个进程可以各做各的。"""
    trials = [asdict(one) for one in (*load_trials(path), trial)]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f'.{os.getpid()}.part')
    partial.write_text(
        json.dumps(trials, ensure_ascii=False, indent=1) + '\n', encoding='utf-8'
    )
    partial.replace(path)


def tune(network: str, recipes: list[Recipe]) -> None:
    data = load_dataset()
    data = data.hold_out(min(VALIDATION_IMAGES, len(data.train) // 5))
    path = FOLDER / f'{network}.json'
    for recipe in recipes:
        if any(done.recipe == recipe.to_dict() for done in load_trials(path)):
            print(f'{network}：这份配方试过了，跳过')
            continue
        add_trial(path, try_recipe(entry(network), recipe, data))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('network', metavar='网络', help='、'.join(LINEUP))
    parser.add_argument(
        'trials', metavar='改动', nargs='+', help="例如 'lr=2e-3 epochs=6'"
    )
    options = parser.parse_args(arguments)
    try:
        laptop = entry(options.network).recipes['laptop']
        recipes = [replace(laptop, **parse_changes(text)) for text in options.trials]
        tune(options.network, recipes)
    except (ValueError, TypeError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('已中断：做完的尝试都已存下', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
