"""基准测试的记录与算术：由每轮的秒数算出吞吐量、倍数和离极限多远。

这里不需要 PyTorch：构建网站时，「性能」一页的表格就由这个模块从
``results/bench-<设备>.json`` 算出；正文里手写的数另由测试核对。测量本身在 tools/measure/。
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from deepcnn.records.store import explaining, read_json, write_json

FULL_TRAIN_SET = 60_000
NOISE = 0.05  # 相差不到 5% 算作噪声
# 一行的代号；梯子从上到下每行只改一处。
BASELINE, TUNED, ENGINE, AGAIN = 'd2l', 'd2l-tuned', 'fused', 'd2l-again'
# 本书循环应达到的倍数：设备 → 网络 → 倍数；没有写明的用 '*' 那一项。
GOALS = {'cpu': {'*': 2.0}, 'cuda': {'*': 10.0, 'vgg11-full': 4.0}}
SHARE_GOALS = {'cuda': 0.5}  # 还应达到硬件极限的几成；没有写明的设备不要求


@dataclass
class Row:
    """一个参赛者的测量；各列表每轮一个值，单位是秒，热身的轮不在其中。

    ``epoch_seconds``（时钟 A）从开始取数据到最后一步做完，不含评价；
    ``step_seconds``（时钟 B）只含各步的计算，即 d2l 自己打印的那一种。
    """

    name: str
    change: str  # 比上一行改了哪一处
    precision: str
    batch_size: int
    images: int  # 每轮实际训练的图像数
    epoch_seconds: list[float] = field(default_factory=list)
    start_seconds: list[float] = field(default_factory=list)  # 取到第一批之前
    step_seconds: list[float] = field(default_factory=list)
    evaluation_seconds: list[float] = field(default_factory=list)
    compile_seconds: float | None = None
    peak_bytes: int | None = None
    problem: str | None = None  # 没有测成的原因

    @property
    def counted_seconds(self) -> list[float]:
        """算吞吐量用的秒数。

        短的轮里，启动读取进程所占的比例远大于完整的一轮，会冤枉 d2l，
        所以不满 60,000 张时减去取到第一批之前的时间。
        """
        if self.images >= FULL_TRAIN_SET * 0.99:
            return list(self.epoch_seconds)
        starts = self.start_seconds or [0.0] * len(self.epoch_seconds)
        return [a - b for a, b in zip(self.epoch_seconds, starts, strict=True)]

    @property
    def rates(self) -> list[float]:
        """各轮的吞吐量（时钟 A），张/秒。"""
        return [self.images / seconds for seconds in self.counted_seconds]

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def step_rate(self) -> float:
        """只算各步计算的吞吐量（时钟 B），张/秒。"""
        return self.images / median(self.step_seconds)


@dataclass
class Comparison:
    """一个网络的全部行，同一个进程里测得；``limit_rate`` 是硬件允许的张/秒。"""

    network: str
    device: str  # `cpu` 或 `cuda`
    image_size: int
    images: int
    test_images: int
    epochs: int
    warm_up_steps: int
    commit: str | None
    rows: list[Row] = field(default_factory=list)
    flops_per_image: float = 0.0  # 训练一张图像（前向加反向）
    bytes_per_image: float = 0.0
    limit_rate: float = 0.0
    costs: list[dict] = field(default_factory=list)  # 各算子的次数、FLOP、字节
    profile: list[dict] = field(default_factory=list)  # 各算子实际用时的占比

    def row(self, name: str) -> Row | None:
        """返回测成了的一行；没有这一行或没有测成时返回 None。"""
        found = [row for row in self.rows if row.name == name and not row.problem]
        return found[0] if found else None

    @property
    def baseline_rates(self) -> list[float]:
        """d2l 前后两次测得的各轮吞吐量。"""
        rows = (self.row(BASELINE), self.row(AGAIN))
        return [rate for row in rows if row for rate in row.rates]

    def speedup(self, row: Row) -> float:
        """相对 d2l 的倍数，时钟 A。"""
        return row.rate / median(self.baseline_rates)

    def speedup_range(self, row: Row) -> tuple[float, float]:
        """最坏与最好的一对轮给出的倍数。"""
        base = self.baseline_rates
        return min(row.rates) / max(base), max(row.rates) / min(base)

    def step_speedup(self, row: Row) -> float:
        """时钟 B 之下的倍数。"""
        return row.step_rate / self.row(BASELINE).step_rate

    @property
    def drift(self) -> float | None:
        """最后再测一次 d2l，比第一次快（正）或慢（负）多少；没有再测时为 None。"""
        first, second = self.row(BASELINE), self.row(AGAIN)
        return second.rate / first.rate - 1 if first and second else None

    @property
    def engine(self) -> Row | None:
        """本书的循环，批量与 d2l 相同；更大的批量和编译只在梯子上看。"""
        return self.row(ENGINE)

    @property
    def goal_reached(self) -> bool:
        """倍数达到目标；对极限有要求的设备上，占极限的比例也达到。"""
        ours = self.engine
        fast = self.speedup(ours) >= self.goal
        share = self.share_goal
        return fast and (share is None or self.share_of_limit(ours) >= share)

    def share_of_limit(self, row: Row) -> float:
        return row.rate / self.limit_rate

    @property
    def goal(self) -> float:
        goals = GOALS[self.device]
        return goals.get(self.network, goals['*'])

    @property
    def share_goal(self) -> float | None:
        """应达到硬件极限的几成；这种设备上没有要求时为 None。"""
        return SHARE_GOALS.get(self.device)

    @classmethod
    def from_dict(cls, record: dict) -> 'Comparison':
        rows = [Row(**row) for row in record['rows']]
        return cls(**{**record, 'rows': rows})


@dataclass
class Report:
    """一种设备上的全部测量，与 ``results/bench-<设备>.json`` 一一对应。"""

    device: str  # `cuda`、`cpu-bf16` 或 `cpu-fp32`
    machine: dict  # 硬件、版本、线程数、TF32 开关、实测的峰值
    dataset: str
    comparisons: dict[str, Comparison] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))


def load_report(path: Path) -> Report | None:
    """读回一份测量；没有这个文件时返回 None，残缺时抛出 ValueError。"""
    if not path.exists():
        return None
    with explaining(path, '请用 git 取回它，或删除它，再运行 make bench'):
        record = read_json(path)
        comparisons = {
            name: Comparison.from_dict(one)
            for name, one in record['comparisons'].items()
        }
        return Report(**{**record, 'comparisons': comparisons})
