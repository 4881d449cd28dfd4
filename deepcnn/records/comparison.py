"""六网对比：各网络几个种子的记录。

tools/measure/compare.py 训练并写出：同一预算的在 results/comparison/，照各章 ``laptop`` 配方
的在 results/laptop/。
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean, median

from deepcnn.records.runs import Run, completed
from deepcnn.records.store import explaining, read_json, results_folder, write_json
from deepcnn.records.titles import NETWORKS

FOLDER = 'comparison'  # 在 results/ 里
LAPTOP = 'laptop'  # 照各章 laptop 配方训练的，也在那里


@dataclass
class SeedRun(Run):
    """一个种子的训练过程，以及最后一轮对每张测试图像的预测。"""

    predictions: str = ''  # 一张图像一个数字（类别 0～9），按测试集的次序
    commit: str | None = None  # 训练时代码的提交


@dataclass(frozen=True)
class Record:
    """一个网络照一份配方训练的各个种子，与那两个文件夹里的 ``<网络>.json`` 对应。

    某个种子没有训练完、或预测的个数不对时，抛出 ValueError。
    """

    network: str
    dataset: str
    test_images: int
    recipe: dict  # 不含种子
    precision: str
    device: str
    versions: dict[str, str]
    runs: tuple[SeedRun, ...] = ()

    def __post_init__(self) -> None:
        for run in self.runs:
            if len(run.test_accuracy) != self.recipe['epochs']:
                raise ValueError(f'{self.network} 的种子 {run.seed} 没有训练完')
            said = run.predictions
            if len(said) != self.test_images or not (said.isascii() and said.isdigit()):
                raise ValueError(
                    f'{self.network} 的种子 {run.seed} 应有 {self.test_images} 个预测，'
                    '每个是一位数字'
                )

    @property
    def conditions(self) -> dict:
        """种子之外的全部条件；两份记录的条件相同，种子才能放在一起。"""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in record.items() if name != 'runs'}

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    @property
    def accuracies(self) -> list[float]:
        """最后一轮的测试准确率，每个种子一个。"""
        return [run.test_accuracy[-1] for run in self.runs]

    @property
    def test_accuracy(self) -> float:
        """最后一轮的测试准确率，各种子的平均。"""
        return mean(self.accuracies)

    @property
    def seconds(self) -> list[float]:
        """一次训练的秒数（连测试在内），每个种子一个。"""
        return [run.seconds for run in self.runs]

    @property
    def images_per_second(self) -> list[float]:
        """训练吞吐量（不含测试），张/秒：每个种子取各轮的中位数。"""
        batch = self.recipe['batch_size']
        images = self.recipe['train_images'] // batch * batch
        return [images / median(run.epoch_seconds) for run in self.runs]

    @property
    def provenance(self) -> str:
        """图注用的一行来历：数据集、预算、设备、精度、种子。"""
        seeds = '、'.join(map(str, self.seeds))
        return (
            f'{self.dataset} · {self.recipe["train_images"]:,} 张 × '
            f'{self.recipe["epochs"]} 轮 · {self.device} · {self.precision} · '
            f'种子 {seeds}'
        )

    def with_run(self, run: SeedRun) -> 'Record':
        """返回添上一个种子的记录；种子从小到大排。"""
        runs = sorted((*self.runs, run), key=lambda one: one.seed)
        return replace(self, runs=tuple(runs))

    def save(self, folder: Path) -> Path:
        """写成 ``<folder>/<network>.json`` 并返回路径。"""
        return write_json(folder / f'{self.network}.json', asdict(self))


def read_record(path: Path) -> Record:
    """读回一份记录；没有这个文件、残缺或被改动时抛出 ValueError。"""
    folder = path.parent.name
    command = 'make compare' + ' ARGS=--laptop' * (folder == LAPTOP)
    if not path.exists():
        raise ValueError(f'results/{folder}/ 里没有 {path.stem} 的记录：先运行 {command}')
    with explaining(path, f'请删除它，再运行 {command}'):
        record = read_json(path)
        runs = tuple(SeedRun(**run) for run in record.pop('runs'))
        record['recipe'] = completed(record['recipe'])
        return Record(**record, runs=runs)


def laptop_record(network: str) -> Record:
    """照那一章 ``laptop`` 配方训练的各个种子；没有记录时抛出 ValueError。"""
    return read_record(results_folder() / LAPTOP / f'{network}.json')


def load_records(folder: Path | None = None) -> dict[str, Record]:
    """读六个网络的记录，按各章的次序；条件不同而不能相比时抛出 ValueError。"""
    folder = folder or results_folder() / FOLDER
    records = {name: read_record(folder / f'{name}.json') for name in NETWORKS}
    require_comparable(list(records.values()))
    return records


def require_comparable(records: Sequence[Record]) -> None:
    """数据、预算、设备、精度、版本与种子都相同，且种子不止一个，否则 ValueError。"""
    first = records[0]
    for one in records:
        different = [
            title
            for title, value in _shared(one).items()
            if value != _shared(first)[title]
        ]
        if different:
            raise ValueError(
                f'{first.network} 与 {one.network} 的{"、".join(different)}不同，'
                '不能放在一起比：请运行 make compare 把缺的补齐'
            )
        if len(one.runs) < 2:
            raise ValueError(
                f'{one.network} 只有 {len(one.runs)} 个种子，算不出散布：'
                '请运行 make compare'
            )


def _shared(record: Record) -> dict[str, object]:
    return {
        '数据集': (record.dataset, record.test_images),
        '预算': [record.recipe[k] for k in ('train_images', 'epochs', 'batch_size')],
        '设备': record.device,
        '精度': record.precision,
        '版本': record.versions,
        '种子': record.seeds,
    }
