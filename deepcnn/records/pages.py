"""各页的训练记录是哪几份，录制时训练了多久。

页名是相对 chapters/ 的路径，不带扩展名：``nin``、``exercises/tuning``。
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepcnn.records.benchmark import Report, load_report
from deepcnn.records.comparison import FOLDER as COMPARISON
from deepcnn.records.runs import FULL, any_profile
from deepcnn.records.store import read_json, results_folder
from deepcnn.records.titles import NETWORKS

COMPARED = tuple(f'{COMPARISON}/{network}' for network in NETWORKS)  # 六网对比


def variants(network: str, names: str) -> tuple[str, ...]:
    """对照实验的记录：每种做法一份。"""
    return tuple(f'experiments/{network}-{name}' for name in names.split())


ARMS = 'neither dropout augmentation both pooled'  # 丢弃法与图像增广的五种做法
# 各页的训练结果存在 results/ 的哪些文件里；没有列出的，与页同名。
RECORDS = {
    'toolbox': ('lenet',),
    'alexnet': ('full/alexnet',),
    'vgg': ('full/vgg11',),
    'nin': ('full/nin',),
    'googlenet': ('full/googlenet',),
    'resnet': ('full/resnet18',),
    'densenet': ('full/densenet',),
    'summary': tuple(f'{FULL}/{network}' for network in NETWORKS) + COMPARED,
    'experiments/activation': variants(
        'alexnet', 'relu-he relu-xavier sigmoid-he sigmoid-xavier sigmoid-faster'
    ),
    'experiments/regularization': variants('alexnet-short', ARMS)
    + variants('alexnet-small', ARMS)
    + variants('alexnet-large', ARMS),
    'experiments/degradation': variants('plain', '8 20 56')
    + variants('residual', '8 20 56'),
    'experiments/add_or_concatenate': variants(
        'densenet', 'concatenate add-parameters add-macs'
    ),
    'experiments/batch_normalization': variants(
        'twenty', 'neither shortcut normalized both'
    ),
    'experiments/ladder': variants(
        'ladder', 'sigmoid relu vgg pooled inception normalized residual dense'
    ),
    'experiments/learning_rates': variants(
        'rates', 'nin vgg11 alexnet googlenet resnet18 densenet'
    ),
    'after_densenet': variants(
        'after', 'residual resnext se separable vit convnext'
    ),
    'exercises/nin_without_1x1': variants('nin', 'two one linear'),
    'exercises/inception_successors': variants(
        'inception', 'original bn factorized residual'
    ),
    'exercises/fewer_parameters': (
        *variants('resnet18', 'whole half three-eighths narrow'),
        'experiments/densenet-whole',
    ),
}  # fmt: skip


def record_names(page: str) -> tuple[str, ...]:
    """这一页的训练结果在 ``results/`` 的哪些文件里，不带扩展名。"""
    return RECORDS.get(page, (page,))


def recorded_in(page: str, profile: str) -> str:
    """用 ``profile`` 录这一页，第一份训练结果存在哪里；``full`` 档的另放一处。

    实验与练习的（名字里有文件夹）不分档，见 ``Trial.save``。
    """
    name = any_profile(record_names(page)[0])
    return f'{FULL}/{name}' if profile == FULL and '/' not in name else name


@dataclass(frozen=True)
class TrainingTime:
    """一页的训练在录制的机器上用了多久，几份记录的加在一起。

    ``profile``、``precision`` 没有写明（挑选超参数的各次尝试）时是空的。
    ``seconds_without_bf16`` 是没有 bf16 指令的 CPU 上只算训练的秒数，由「性能」一章的
    速度估计；本来就没有用 bf16，或那里没有测过这个网络时是 None。
    """

    seconds: float
    device: str
    profile: str
    precision: str
    seconds_without_bf16: float | None


def training_times(page: str, folder: Path | None = None) -> list[TrainingTime]:
    """``page`` 录过的各档的用时，短的在前；缺了一份记录（例如包里没有装）的档不在其中。

    印出 ``full`` 档的章，``laptop`` 档也录过（练习 1 的解答并排读两份）：读者多半要跑的是它。
    """
    names = record_names(page)
    kinds = dict.fromkeys((tuple(map(any_profile, names)), names))
    found = (_time_of(one, folder or results_folder()) for one in kinds)
    return [one for one in found if one]


def _time_of(names: Sequence[str], folder: Path) -> TrainingTime | None:
    """``comparison/`` 里的由 make compare 录下，这一页只读它们，不算在内。"""
    paths = [
        folder / f'{name}.json'
        for name in names
        if not name.startswith(f'{COMPARISON}/')
    ]
    if not all(path.is_file() for path in paths):
        return None
    records: list[dict] = []
    for path in paths:
        content = read_json(path)
        records += content if isinstance(content, list) else [content]

    def values(name: str) -> str:
        return '、'.join(dict.fromkeys(r[name] for r in records if name in r))

    speeds = load_report(folder / 'bench-cpu-fp32.json')
    slow = [seconds_without_bf16(record, speeds) for record in records]
    return TrainingTime(
        sum(map(recorded_seconds, records)),
        values('device'),
        values('profile'),
        values('precision'),
        None if None in slow else sum(slow),
    )


def recorded_seconds(record: dict) -> float:
    """一份训练记录各个种子的总秒数，或超参数的一次尝试的秒数。"""
    return sum(run['seconds'] for run in record.get('runs', [record]))


def seconds_without_bf16(record: dict, speeds: Report | None) -> float | None:
    """同样的轮数与图像，照 ``speeds`` 里测得的速度训练要几秒；别的边长没有测过。"""
    measured = speeds.comparisons.get(record.get('network')) if speeds else None
    if record.get('precision') != 'bf16' or not (measured and measured.engine):
        return None
    if record['image_size'] != measured.image_size:
        return None
    images = record['epochs'] * record['train_images'] * len(record['runs'])
    return images / measured.engine.rate
