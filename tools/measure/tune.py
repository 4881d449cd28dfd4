"""挑选超参数：在训练集的前 55,000 张上训练，在其余 5,000 张上比较。

用法：python tools/measure/tune.py 网络 '改动 ...' ['改动 ...' ...] [--profile gpu]
例如：python tools/measure/tune.py nin 'epochs=6' 'epochs=6 lr=2e-3' 'epochs=6 shift=1'

每个引号里是一次尝试：从那一章的 laptop（或 full、gpu）配方出发，只改写出来的几项；
''（空的）表示原样。结果逐次添进 results/tuning/<网络>.json（别的档是 <网络>-档位.json），
做过的不再做。测试集始终不看。
"""

import json
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.anatomy import neighbour_roughness  # noqa: E402
from deepcnn.data.fashion_mnist import load_dataset  # noqa: E402
from deepcnn.models.lineup import LINEUP, entry  # noqa: E402
from deepcnn.records.attempts import add_attempt, load_attempts  # noqa: E402
from deepcnn.records.store import RESULTS  # noqa: E402
from deepcnn.training import Recipe, hold_out_validation  # noqa: E402
from deepcnn.training.grid_search import try_recipe  # noqa: E402
from deepcnn.training.memory_errors import NotEnoughMemory  # noqa: E402

FOLDER = RESULTS / 'tuning'
PROFILES = ('laptop', 'full', 'gpu')


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


def starting_recipe(network: str, profile: str) -> Recipe:
    """那一章这一档的配方，只留第一个种子；网络或档位不认识时抛出 ValueError。"""
    if profile not in PROFILES:
        raise ValueError(
            f'不能为 {profile!r} 档挑选：--profile 可以是 {"、".join(PROFILES)}'
        )
    recipe = entry(network).recipes[profile]
    return replace(recipe, seeds=recipe.seeds[:1])


def path_for(network: str, profile: str) -> Path:
    """laptop 档的记录是 ``<网络>.json``，由「性能」一页列出；别的档另存。"""
    suffix = '' if profile == 'laptop' else f'-{profile}'
    return FOLDER / f'{network}{suffix}.json'


def tune(network: str, recipes: list[Recipe], profile: str) -> None:
    data = hold_out_validation(load_dataset())
    chosen = entry(network)
    path = path_for(network, profile)
    for recipe in recipes:
        if any(done.recipe == recipe.to_dict() for done in load_attempts(path)):
            print(f'{network}：这份配方试过了，跳过')
            continue
        build = partial(chosen.build, recipe.image_size)
        add_attempt(path, try_recipe(build, recipe, data, profile, kernel_roughness))


def kernel_roughness(net: nn.Module) -> float:
    """第一个卷积层的粗糙度；放大的图像里，只有权重衰减去得掉初始的噪声。"""
    first = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    return neighbour_roughness(first.weight)


def main(arguments: list[str]) -> int:
    parser = Command(__doc__)
    parser.add_argument('network', metavar='网络', help='、'.join(LINEUP))
    parser.add_argument(
        'trials', metavar='改动', nargs='+', help="例如 'lr=2e-3 epochs=6'"
    )
    parser.add_argument(
        '--profile', metavar='档位', default='laptop', help='laptop（默认）、full 或 gpu'
    )
    options = parser.parse_args(arguments)
    try:
        start = starting_recipe(options.network, options.profile)
        recipes = [replace(start, **parse_changes(text)) for text in options.trials]
        tune(options.network, recipes, options.profile)
    except (ValueError, TypeError, NotEnoughMemory) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('已中断：做完的尝试都已存下', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    run(main)
