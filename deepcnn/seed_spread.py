"""几个种子的平均与散布，以及两种做法的差别分不分得出。"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import mean, stdev

from deepcnn.ablation import MEASURES, Trial
from deepcnn.inspect import count_parameters
from deepcnn.table import Table

ENOUGH_SEEDS = 3
# 每边三个种子时，2 倍相当于 t = 2√3 ≈ 3.5：自由度在 2 到 4 之间，误判的机会约 3%～7%。
CLEAR = 2.0


@dataclass(frozen=True)
class Spread:
    """平均值与样本标准差（除以 n−1）；只有一个值时标准差是 None。"""

    mean: float
    sd: float | None
    count: int

    def __str__(self) -> str:
        if self.sd is None:
            return f'{self.mean:.3f}（1 个种子）'
        return f'{self.mean:.3f} ± {self.sd:.3f}'


def spread(values: Sequence[float]) -> Spread:
    """``values`` 每个种子一个；一个也没有时抛出 ValueError。"""
    if not values:
        raise ValueError('至少要有一个种子的结果，现在一个也没有')
    sd = stdev(values) if len(values) > 1 else None
    return Spread(mean(values), sd, len(values))


@dataclass(frozen=True)
class Difference:
    """两个平均值之差与它的散布 √(s₁² + s₂²)；有一边只有一个种子时散布是 None。"""

    value: float
    spread: float | None
    seeds: int  # 两边较少的那一边有几个种子

    @property
    def clear(self) -> bool:
        """两边都至少三个种子，并且差别超过散布的两倍。"""
        if self.spread is None or self.seeds < ENOUGH_SEEDS:
            return False
        return abs(self.value) > CLEAR * self.spread

    @property
    def verdict(self) -> str:
        if self.seeds < ENOUGH_SEEDS:
            return f'只有 {self.seeds} 个种子，不下结论'
        return '分得出' if self.clear else '分不出'

    def __str__(self) -> str:
        around = '' if self.spread is None else f'（散布 {self.spread:.3f}）'
        return f'{self.value:+.3f}{around}：{self.verdict}'


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """``first`` 减 ``second``，每边每个种子一个值。"""
    a, b = spread(first), spread(second)
    alone = a.sd is None or b.sd is None
    around = None if alone else hypot(a.sd, b.sd)
    return Difference(a.mean - b.mean, around, min(a.count, b.count))


def compare(first: Trial, second: Trial, measure: str) -> Difference:
    """两种做法最后一轮的 ``measure`` 之差；名字见 ``ablation.MEASURES``。"""
    return difference(first.measure(measure), second.measure(measure))


def verdicts(pairs: Sequence[tuple[Trial, Trial]], measure: str) -> Table:
    """每行一对：前者减后者的差别、它的散布、分不分得出。"""
    rows = []
    for first, second in pairs:
        found = compare(first, second, measure)
        around = '—' if found.spread is None else f'{found.spread:.3f}'
        name = f'{first.label} 减 {second.label}'
        rows.append((name, f'{found.value:+.3f}', around, found.verdict))
    return Table((MEASURES[measure], '差别', '散布', '结论'), tuple(rows))


def results_table(
    trials: Sequence[Trial],
    measures: Sequence[str] = ('train_loss', 'train_accuracy', 'test_accuracy'),
) -> Table:
    """每种做法一行：参数个数，以及各个量的「平均 ± 样本标准差」。"""
    rows = tuple(
        (
            trial.label,
            count_parameters(trial.net),
            *(str(spread(trial.measure(measure))) for measure in measures),
        )
        for trial in trials
    )
    headers = ('做法', '参数', *(MEASURES[measure] for measure in measures))
    return Table(headers, rows)
