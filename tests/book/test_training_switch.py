"""``TRAIN = False``：不训练，用随书的权重与记录，后面的断言与曲线照样通过。"""

from pathlib import Path

import matplotlib
import nbformat
import pytest
import torch
from matplotlib import pyplot as plt

from deepcnn.data import load_dataset, prepare
from deepcnn.models import load
from deepcnn.records import load_history
from deepcnn.records.pages import record_names

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
ON, OFF = 'TRAIN = True', 'TRAIN = False'
CURVE = 'plot.training_curves(history)\nplt.show()'

matplotlib.use('Agg')


def needed(cells: list[nbformat.NotebookNode]) -> list[str]:
    """导入、定义、数据、配方，以及从开关到曲线的各格。"""
    sources = [cell.source for cell in cells]
    curve = sources.index(CURVE)
    switch = next(i for i, source in enumerate(sources) if source.startswith(ON))
    before = [
        cell.source
        for cell in cells[:switch]
        if cell.metadata.get('name') in ('announce', 'profile')
        or 'export' in cell.metadata.get('tags', ())
        or 'load_dataset()' in cell.source
    ]
    return [*before, *sources[switch : curve + 1]]


@pytest.mark.parametrize(
    'chapter', ['alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet']
)
def test_switched_off_a_chapter_shows_the_shipped_network(
    chapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('deepcnn.training.train', lambda *_: pytest.fail('在训练'))
    cells = nbformat.read(CHAPTERS / f'{chapter}.ipynb', as_version=4).cells
    names: dict = {}
    for source in needed([cell for cell in cells if cell.cell_type == 'code']):
        exec(source.replace(ON, OFF), names)
    plt.close('all')
    (name,) = record_names(chapter)
    history = load_history(name)
    assert names['history'] == history and names['recipe'].image_size == history.image_size
    X = prepare(load_dataset().test.images[:2], history.image_size, load_dataset())
    with torch.no_grad():
        assert torch.equal(names['trained'](X), load(name.removeprefix('full/'))(X))
