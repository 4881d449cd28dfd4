"""对照实验的表：几种做法的平均与散布，以及差别分不分得出。"""

from collections.abc import Sequence

from deepcnn.experiment import MEASURES, Trial
from deepcnn.spread import Difference, Spread, difference, spread
from deepcnn.table import Table

IN_PERCENT = ('running_accuracy', 'train_accuracy', 'test_accuracy', 'gap')


def compare(first: Trial, second: Trial, measure: str) -> Difference:
    """两种做法最后一轮的 ``measure`` 之差；名字见 ``experiment.MEASURES``。"""
    return difference(first.measure(measure), second.measure(measure))


def verdicts(pairs: Sequence[tuple[Trial, Trial]], measure: str) -> Table:
    """每行一对：前者减后者的差别、它的散布、分不分得出。准确率按百分点写。"""
    percent = measure in IN_PERCENT
    scale, digits = (100, 2) if percent else (1, 3)
    rows = []
    for first, second in pairs:
        found = compare(first, second, measure)
        around = '—' if found.sd is None else f'{scale * found.sd:.{digits}f}'
        gap = f'{scale * found.mean:+.{digits}f}'
        rows.append((f'{first.label} 减 {second.label}', gap, around, found.verdict))
    unit = '（百分点）' if percent else ''
    return Table((MEASURES[measure], f'差别{unit}', '散布', '结论'), tuple(rows))


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
