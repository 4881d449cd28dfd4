"""各页的训练记录是哪几份，录制时训练了多久。

页名是相对 chapters/ 的路径，不带扩展名：``nin``、``exercises/tuning``。
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path

from deepcnn.records.benchmark import Report, load_report
from deepcnn.records.comparison import FOLDER as COMPARISON
from deepcnn.records.comparison import LAPTOP, Record, read_record
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
    """一页的训练在录制的机器上用了多久，几份记录的加在一起（``laptop`` 档一份只算一个种子）。

    ``profile``、``precision`` 没有写明（挑选超参数的各次尝试）时是空的。
    ``seconds_without_bf16`` 是没有 bf16 指令的 CPU 上的秒数，照「性能」一章里同一个网络在
    两种 CPU 上的快慢之比估计；只对各章的 ``laptop`` 档估计，那里没有测过时是 None。
    """

    seconds: float
    device: str
    profile: str
    precision: str
    seconds_without_bf16: float | None


def training_times(page: str, folder: Path | None = None) -> list[TrainingTime]:
    """``page`` 录过的各档的用时；缺了一份记录（例如包里没有装）的档不在其中。

    印出 ``full`` 档的章，前面另有 ``laptop`` 档的：读者多半要跑的是它。
    """
    folder, names = folder or results_folder(), record_names(page)
    networks = [any_profile(one) for one in names if one.startswith(f'{FULL}/')]
    found = _laptop_time(networks, folder), _time_of(names, folder)
    return [one for one in found if one]


def _laptop_time(networks: Sequence[str], folder: Path) -> TrainingTime | None:
    """各网络取最快的一个种子：机器忙着别的事，只会使它变慢。"""
    paths = [folder / LAPTOP / f'{network}.json' for network in networks]
    if not paths or not all(path.is_file() for path in paths):
        return None
    records = [read_record(path) for path in paths]
    seconds = [min(record.seconds) for record in records]
    reports = [load_report(folder / f'bench-cpu-{one}.json') for one in ('bf16', 'fp32')]
    slower = [times_slower(record, *reports) for record in records]
    return TrainingTime(
        sum(seconds),
        _joined(record.device for record in records),
        LAPTOP,
        _joined(record.precision for record in records),
        None if None in slower else sum(map(mul, seconds, slower)),
    )


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
    device, profile, precision = (
        _joined(record[name] for record in records if name in record)
        for name in ('device', 'profile', 'precision')
    )
    return TrainingTime(
        sum(map(recorded_seconds, records)), device, profile, precision, None
    )


def _joined(values: Iterable[str]) -> str:
    return '、'.join(dict.fromkeys(values))


def recorded_seconds(record: dict) -> float:
    """一份训练记录各个种子的总秒数，或超参数的一次尝试的秒数。"""
    return sum(run['seconds'] for run in record.get('runs', [record]))


def times_slower(
    record: Record, fast: Report | None, slow: Report | None
) -> float | None:
    """没有 bf16 指令的 CPU 上，同样的训练要几倍的时间；``fast`` 是有的 CPU 上的测量。

    两种 CPU 没有都测过这个网络，或它不是在有 bf16 指令的 CPU 上训练的，就返回 None。
    """
    measured = [
        one.comparisons.get(record.network) if one else None for one in (fast, slow)
    ]
    fast_cpu = record.precision == 'bf16' and record.device.startswith('CPU')
    if not (fast_cpu and all(one and one.engine for one in measured)):
        return None
    rate, slower_rate = (one.engine.rate for one in measured)
    return rate / slower_rate
