"""一次训练留下的记录：曲线、设置、环境。"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, median

from deepcnn.records.provenance import code_version, library_versions
from deepcnn.records.store import (
    RESULTS,
    explaining,
    read_json,
    results_folder,
    write_json,
)

FULL = 'full'  # 这一档的记录在 results/full/ 里


def any_profile(name: str) -> str:
    """记录的名字去掉 ``full/``：不分哪一档。"""
    return name.removeprefix(f'{FULL}/')


def completed(recipe: dict) -> dict:
    """读回的配方补上后来添的字段，好与今天的 ``Recipe.to_dict()`` 逐项比较。

    较早的记录里没有它们：那时不擦除；SGD 的动量由学习率的调度决定。
    """
    plain_sgd = (
        recipe.get('optimizer') == 'sgd' and recipe.get('schedule') == 'constant'
    )
    return {'erasing': 0.0, 'momentum': 0.0 if plain_sgd else 0.9} | recipe


@dataclass
class Run:
    """一个种子的训练过程；三个列表每轮一个值。

    ``epoch_seconds`` 是每轮训练的秒数，``seconds`` 是连测试在内的总秒数。训练准确率是
    训练途中在（经过增广的）小批量上累计的。``devices`` 是各轮用过的设备：中断后换一台机器
    接着做，就不止一个；较早的记录与命令行的训练没有写，是空的。
    """

    seed: int
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    devices: list[str] = field(default_factory=list)

    def epochs_until(self, accuracy: float) -> int | None:
        """返回测试准确率第一次达到 ``accuracy`` 是第几轮；没有达到时返回 None。"""
        for epoch, reached in enumerate(self.test_accuracy, start=1):
            if round(reached, 6) >= accuracy:  # 0.9 存成单精度是 0.89999998
                return epoch
        return None


@dataclass
class History:
    """一个网络在一份配方下的全部训练记录，与 ``results/<网络>.json`` 一一对应。"""

    network: str
    profile: str
    dataset: str
    train_images: int
    test_images: int
    image_size: int
    epochs: int
    batch_size: int
    precision: str
    device: str
    torch: str
    recipe: dict
    runs: list[Run] = field(default_factory=list)
    # 训练时的库版本与代码提交；较早的记录没有写，读回来是 None。
    versions: dict[str, str] | None = field(default_factory=library_versions)
    commit: str | None = field(default_factory=code_version)

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    @property
    def images_per_second(self) -> float:
        """训练吞吐量（不含测试），张/秒：各轮的中位数，偶尔被打扰的一轮不影响它。

        每轮末尾不足一个小批量的图像没有训练，不算在内。
        """
        seconds = [s for run in self.runs for s in run.epoch_seconds]
        trained = self.train_images // self.batch_size * self.batch_size
        return trained / median(seconds)

    @property
    def longest_runs(self) -> list[Run]:
        """轮数最多的种子；按 Ctrl-C 打断的那一个轮数较少，不与它们平均。"""
        most = max(len(run.test_accuracy) for run in self.runs)
        return [run for run in self.runs if len(run.test_accuracy) == most]

    @property
    def test_accuracy(self) -> float:
        """最后一轮的测试准确率，训练得一样久的种子平均。"""
        return mean(run.test_accuracy[-1] for run in self.longest_runs)

    @property
    def provenance(self) -> str:
        """图注用的一行来历：数据集、档位、设备、边长、精度、种子。"""
        seeds = '、'.join(str(seed) for seed in self.seeds)
        longest = self.longest_runs
        cut = [str(run.seed) for run in self.runs if run not in longest]
        if cut:
            seeds += f'（{"、".join(cut)} 没有训练完，不计入平均）'
        return (
            f'{self.dataset} · {self.profile} 档 · {self.device} · '
            f'{self.image_size} 像素 · {self.precision} · 种子 {seeds}'
        )

    def to_dict(self) -> dict:
        record = asdict(self)
        record['seeds'] = self.seeds
        record['images_per_second'] = round(self.images_per_second, 1)
        return record

    def save(self, folder: Path = RESULTS) -> Path:
        """写成 ``<folder>/<network>.json`` 并返回路径；``full`` 档的在 ``full/`` 里。

        各章看的是 ``full`` 档；录别的档，不能盖过它。
        """
        place = folder / FULL if self.profile == FULL else folder
        return write_json(place / f'{self.network}.json', self.to_dict())

    @classmethod
    def from_dict(cls, record: dict) -> 'History':
        names = cls.__dataclass_fields__
        kept = {'versions': None, 'commit': None}
        kept |= {key: value for key, value in record.items() if key in names}
        kept['recipe'] = completed(record['recipe'])
        kept['runs'] = [Run(**run) for run in record['runs']]
        return cls(**kept)


def load_history(network: str, folder: Path | None = None) -> History:
    """读 ``results/<network>.json``；没有这个文件或它残缺时抛出 ValueError。"""
    folder = folder or results_folder()
    path = folder / f'{network}.json'
    if not path.exists():
        found = sorted([*folder.glob('*.json'), *folder.glob(f'{FULL}/*.json')])
        names = [one.relative_to(folder).with_suffix('').as_posix() for one in found]
        known = '、'.join(n for n in names if not n.startswith('bench-')) or '（空）'
        raise ValueError(
            f'results/ 里没有 {network} 的训练记录（现有：{known}）：先运行 make record'
        )
    with explaining(path, '请用 git 取回它，或删除它，再运行 make record'):
        return History.from_dict(read_json(path))
