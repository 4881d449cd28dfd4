"""活页的数据里由记录与 Fashion-MNIST 得出的：构建时写成脚本，不提交，只用标准库。

一个数据是 ``_static/living/data/<名字>.js``，其中调用一次 ``Living.put``。记录还没有、
或不能放在一起比时，那一份不写，页面里就只有原来的图。
"""

import ast
import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from book_root import ROOT
from sphinx.util import logging

from deepcnn.records.comparison import Record, load_records
from deepcnn.records.titles import TITLES

from .films import replay
from .script_files import packed, write_script

logger = logging.getLogger(__name__)

RESULTS = ROOT / 'results'
FILES = ROOT / 'deepcnn' / 'data' / 'files'
PIXELS = 28 * 28
TRAIN, HELD_OUT = 2000, 500  # 现场训练用前 2,000 张训练图像，最后 500 张留出
UNDECIDED = '-'  # 各种子的说法不一，没有过半的类别


def archive(name: str, header: int) -> bytes:
    """数据文件解压之后、去掉 IDX 开头的内容。"""
    return gzip.decompress((FILES / f'{name}-ubyte.gz').read_bytes())[header:]


def images(part: str) -> bytes:
    """``train`` 或 ``t10k`` 的像素，一张 784 个字节。"""
    return archive(f'{part}-images-idx3', 16)


def labels(part: str) -> str:
    """``train`` 或 ``t10k`` 的类别，一张一位数字。"""
    return ''.join(map(str, archive(f'{part}-labels-idx1', 8)))


def class_names() -> list[str]:
    """十类的名字；定义它的模块要 PyTorch，所以只读它的文字。"""
    source = (FILES.parent / 'fashion_mnist.py').read_text('utf-8')
    values = {
        target.id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return list(ast.literal_eval(values['FASHION_CLASSES']))


def training_images() -> dict[str, dict[str, str]]:
    """现场训练的两份图像。"""
    pixels, classes = images('train'), labels('train')
    return {
        'train': {
            'pixels': packed(pixels[: TRAIN * PIXELS]),
            'labels': classes[:TRAIN],
        },
        'held': {
            'pixels': packed(pixels[-HELD_OUT * PIXELS :]),
            'labels': classes[-HELD_OUT:],
        },
    }


# ---- 小结：六网对比 ----


def millions_of_parameters() -> dict[str, float]:
    """小结里同一预算的表中的参数个数（百万），{显示的名字: 个数}。"""
    notebook = json.loads((ROOT / 'chapters' / 'summary.ipynb').read_text('utf-8'))
    outputs = [
        output
        for one in notebook['cells'] if one['metadata'].get('name') == 'budget'
        for output in one['outputs']
    ]  # fmt: skip
    if not outputs:
        raise ValueError('小结一章里没有同一预算的表：请重新运行那一格')
    table = ''.join(outputs[0]['data']['text/markdown'])
    head, _, *rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in table.strip().splitlines()
    ]
    column = head.index('参数（百万）')
    return {row[0]: float(row[column]) for row in rows}


def comparison_runs() -> dict[str, Any]:
    """每个网络各个种子每轮之后的测试准确率、一次训练的秒数，与参数个数。"""
    records, parameters = load_records(), millions_of_parameters()
    return {
        'provenance': next(iter(records.values())).provenance,
        'networks': [
            {
                'name': name,
                'title': TITLES[name],
                'parameters': parameters[TITLES[name]],
                'seeds': record.seeds,
                'accuracy': [run.test_accuracy for run in record.runs],
                'seconds': record.seconds,
            }
            for name, record in records.items()
        ],
    }


def voted(record: Record) -> str:
    """各种子表决的答案，一张测试图像一个字；没有过半的写 ``UNDECIDED``。"""

    def majority(said: tuple[str, ...]) -> str:
        answer, votes = Counter(said).most_common(1)[0]
        return answer if 2 * votes > len(said) else UNDECIDED

    each = zip(*(run.predictions for run in record.runs), strict=True)
    return ''.join(map(majority, each))


@cache
def answers() -> dict[str, Any]:
    """六个网络对测试图像的答案、真实的类别与类别的名字。"""
    records = load_records()
    count = next(iter(records.values())).test_images
    return {
        'classes': class_names(),
        'labels': labels('t10k')[:count],
        'networks': [
            {'name': name, 'title': TITLES[name], 'answers': voted(record)}
            for name, record in records.items()
        ],
    }


def missed_images() -> dict[str, Any]:
    """有网络答错的测试图像：在测试集里的序号，与像素。"""
    found, pixels = answers(), images('t10k')
    every = [found['labels'], *(one['answers'] for one in found['networks'])]
    missed = [i for i, said in enumerate(zip(*every, strict=True)) if len({*said}) > 1]
    content = b''.join(pixels[i * PIXELS : (i + 1) * PIXELS] for i in missed)
    return {'indices': missed, 'pixels': packed(content)}


def replayed(film: Path) -> dict[str, Any]:
    """一次训练的影片，加上影片里那张图像（测试集的第一张）与类别的名字。"""
    image = base64.b64encode(images('t10k')[:PIXELS]).decode()
    return {
        **replay(film, RESULTS / 'full' / f'{film.stem}.json'),
        'classes': class_names(),
        'label': int(labels('t10k')[0]),
        'pixels': image,
    }


# ---- 写成脚本 ----


def all_data() -> dict[str, Callable[[], Any]]:
    """{数据的名字: 怎样得到它}。"""
    made = (training_images, comparison_runs, answers, missed_images)
    films = sorted((RESULTS / 'replay').glob('*.safetensors'))
    return {make.__name__: make for make in made} | {
        f'replay-{film.stem}': partial(replayed, film) for film in films
    }


def write_all(folder: Path) -> dict[str, int]:
    """写进 ``folder``；返回写出的各有几个字节。"""
    written = {}
    answers.cache_clear()
    for name, make in all_data().items():
        try:
            written[name] = write_script(folder, name, make())
        except (ValueError, OSError) as error:  # 记录不齐，或不能放在一起
            logger.info('活页没有数据 %s：%s', name, error)
    return written
