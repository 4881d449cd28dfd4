"""读回一种做法的记录：书里的数字由它们再算一遍。"""

from pathlib import Path

from deepcnn.records.runs import History
from deepcnn.records.store import RESULTS, read_json
from deepcnn.records.trials import FOLDER, Trial


def load_trial(name: str, folder: Path = RESULTS / FOLDER) -> Trial:
    """``<folder>/<name>.json``，没有网络。"""
    record = read_json(folder / f'{name}.json')
    accuracy = tuple(record['clean_train_accuracy'])
    history = History.from_dict(record)
    return Trial(record['label'], history, accuracy, record['parameters'])
