"""训练记录、几个种子的统计与表格；不需要 PyTorch（``agreement`` 除外）。"""

from deepcnn.records.attempts import accuracy_grid, effect, sampling_error, values_of
from deepcnn.records.runs import History, Run, load_history
from deepcnn.records.spreads import Spread, interval, paired_interval, spread
from deepcnn.records.table import Table
from deepcnn.records.trials import (
    Trial,
    compare,
    intervals,
    last_epoch,
    results_table,
)

__all__ = [
    'History', 'Run', 'Spread', 'Table', 'Trial', 'accuracy_grid', 'compare',
    'effect', 'interval', 'intervals', 'last_epoch', 'load_history',
    'paired_interval', 'results_table', 'sampling_error', 'spread', 'values_of',
]  # fmt: skip
