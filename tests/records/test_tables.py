"""按层的种类数参数，以及显示成表格的数据。"""

import pytest
import torch
from figures.canvas import KINDS
from torch import nn

from deepcnn.anatomy.kinds import COLORS, kind_of, parameters_by_kind
from deepcnn.anatomy.layers import count_parameters
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import densenet
from deepcnn.models.googlenet import googlenet
from deepcnn.models.nin import nin
from deepcnn.models.resnet import resnet18
from deepcnn.models.vgg import vgg11
from deepcnn.records.table import Table


@pytest.mark.parametrize('build', [alexnet, vgg11, nin, googlenet, resnet18, densenet])
def test_kinds_add_up_to_all_parameters(build: type[nn.Module]) -> None:
    with torch.device('meta'):
        net = build()
    counts = parameters_by_kind(net)
    assert list(counts) == list(COLORS)
    assert sum(counts.values()) == count_parameters(net)


def test_kinds_of_single_layers() -> None:
    assert kind_of(nn.Conv2d(1, 2, 3)) == 'k×k 卷积'
    assert kind_of(nn.Conv2d(1, 2, 1)) == '1×1 卷积'
    assert kind_of(nn.Linear(2, 2)) == '全连接'
    assert kind_of(nn.BatchNorm2d(2)) == '批量归一化'


def test_unknown_layer_names_the_known_kinds() -> None:
    with pytest.raises(ValueError, match='Embedding.*全连接'):
        parameters_by_kind(nn.Sequential(nn.Embedding(2, 2)))


def test_kinds_have_the_colours_of_the_structure_figures() -> None:
    drawn = (KINDS[key][2] for key in ('conv', 'conv1x1', 'fc', 'bn'))
    assert list(COLORS.values()) == list(drawn)


def test_table_aligns_numbers_and_separates_thousands() -> None:
    table = Table(('网络', '参数'), (('NiN', 1_992_166),))
    expected = '| 网络 | 参数 |\n|:--|--:|\n| NiN | 1,992,166 |'
    assert table._repr_markdown_() == repr(table) == expected


def test_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match='2 格'):
        Table(('网络', '参数'), (('NiN',),))
