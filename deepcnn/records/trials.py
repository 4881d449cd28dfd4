"""对照实验的记录：几种做法各几个种子，它们的表，以及差别与区间。"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from deepcnn.records.runs import History
from deepcnn.records.spreads import Interval, Spread, interval, spread
from deepcnn.records.store import RESULTS, write_json
from deepcnn.records.table import Table

FOLDER = 'experiments'  # 在 results/ 里
MEASURES = {
    'train_loss': '训练损失',
    'running_accuracy': '训练准确率（途中累计）',
    'train_accuracy': '训练准确率',
    'test_accuracy': '测试准确率',
    'gap': '训练减测试',
}
IN_PERCENT = ('running_accuracy', 'train_accuracy', 'test_accuracy', 'gap')


@dataclass(frozen=True)
class Trial:
    """一种做法的全部训练，与 ``results/experiments/<name>.json`` 对应。

    ``train_accuracy`` 每个种子一个：训练之后在没有增广的训练图像上、关掉丢弃法测得的
    准确率，0～1。``net`` 是第一个种子训练好的网络，在 CPU 上，评价模式；从记录读回的
    没有网络。
    """

    label: str
    history: History
    train_accuracy: tuple[float, ...]
    parameters: int
    net: object | None = field(default=None, compare=False)

    def measure(self, name: str) -> tuple[float, ...]:
        """最后一轮的 ``name``，每个种子一个；名字见 MEASURES，不认识时抛出 ValueError。"""
        if name not in MEASURES:
            legal = '、'.join(MEASURES)
            raise ValueError(f'没有 {name!r} 这个量：请从 {legal} 中选一个')
        runs = self.history.runs
        test = tuple(run.test_accuracy[-1] for run in runs)
        if name == 'gap':
            pairs = zip(self.train_accuracy, test, strict=True)
            return tuple(train - tested for train, tested in pairs)
        return {
            'train_loss': tuple(run.train_loss[-1] for run in runs),
            'running_accuracy': tuple(run.train_accuracy[-1] for run in runs),
            'train_accuracy': self.train_accuracy,
            'test_accuracy': test,
        }[name]

    def save(self, folder: Path | None = None) -> Path:
        """写成 ``<folder>/<网络>.json`` 并返回路径。"""
        record = self.history.to_dict() | {
            'label': self.label,
            'parameters': self.parameters,
            'clean_train_accuracy': list(self.train_accuracy),
        }
        return write_json(
            (folder or RESULTS / FOLDER) / f'{self.history.network}.json', record
        )


def compare(first: Trial, second: Trial, measure: str) -> Interval:
    """两种做法最后一轮的 ``measure`` 之差与 95% 区间；名字见 ``MEASURES``。"""
    return interval(first.measure(measure), second.measure(measure))


def intervals(pairs: Sequence[tuple[Trial, Trial]], measure: str) -> Table:
    """每行一对：前者减后者的差别与 95% 区间；准确率按百分点写，区间不含 0 的加粗。"""
    scale, digits, unit = (100, 2, '（百分点）') if measure in IN_PERCENT else (1, 3, '')
    rows = []
    for first, second in pairs:
        values = ([scale * v for v in one.measure(measure)] for one in (first, second))
        found = interval(*values)
        label = f'{first.label} 减 {second.label}'
        rows.append((label, found.marked(digits), found.text(digits)))
    return Table((MEASURES[measure], f'差别{unit}', '95% 区间'), tuple(rows))


def last_epoch(trials: Sequence[Trial]) -> Table:
    """每种做法一行：最后一轮里训练损失与测试准确率变了多少，各种子的平均；看曲线平不平。

    准确率按百分点写。只有一轮的没有「变了多少」，抛出 ValueError。
    """
    rows = []
    for trial in trials:
        if trial.history.epochs < 2:
            raise ValueError(f'{trial.label} 只训练了一轮，看不出曲线平不平')
        runs = trial.history.runs
        loss = mean(run.train_loss[-1] - run.train_loss[-2] for run in runs)
        accuracy = mean(run.test_accuracy[-1] - run.test_accuracy[-2] for run in runs)
        changes = f'{loss:+.3f}', f'{100 * accuracy:+.2f}'
        rows.append((trial.label, *(one.replace('-', '−') for one in changes)))
    headers = ('最后一轮的变化', '训练损失', '测试准确率（百分点）')
    return Table(headers, tuple(rows))


def results_table(
    trials: Sequence[Trial],
    measures: Sequence[str] = ('train_loss', 'train_accuracy', 'test_accuracy'),
) -> Table:
    """每种做法一行：参数个数，以及各个量的「平均 ± 样本标准差」。"""
    rows = tuple(
        (
            trial.label,
            trial.parameters,
            *(written(spread(trial.measure(name)), name) for name in measures),
        )
        for trial in trials
    )
    return Table(('做法', '参数', *(MEASURES[name] for name in measures)), rows)


def written(found: Spread, measure: str) -> str:
    """准确率写成百分数，损失写三位小数。"""
    return found.text(2, percent=True) if measure in IN_PERCENT else found.text()
