"""网页里剪得断的地方：名字是书里的叫法，每一份指得到写它的层；读者的网络也认得出。"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.anatomy.program import describe
from deepcnn.models.lineup import LINEUP


def cuts_of(name: str) -> list[dict]:
    with torch.device('meta'):
        return describe(LINEUP[name].build(224))['cuts']


@pytest.mark.parametrize('name', ['alexnet', 'vgg11', 'nin'])
def test_a_plain_network_has_nowhere_to_cut(name: str) -> None:
    assert cuts_of(name) == []


def test_every_residual_block_has_two_parts() -> None:
    found = cuts_of('resnet18')
    titles = [f'第 {i} 段的残差块 {j}' for i in range(1, 5) for j in (1, 2)]
    assert [one['title'] for one in found] == titles
    assert all([p['title'] for p in one['parts']] == ['捷径', '残差'] for one in found)
    assert found[3]['parts'][0]['tensor'] == 'stages.1.1.shortcut'
    assert not any('readers' in one for one in found)


def test_every_inception_block_has_four_lines() -> None:
    found = cuts_of('googlenet')
    names = ['3a', '3b', '4a', '4b', '4c', '4d', '4e', '5a', '5b']
    assert [one['title'] for one in found] == [f'Inception 块 {name}' for name in names]
    lines = [f'线路 {number}' for number in range(1, 5)]
    assert all([part['title'] for part in one['parts']] == lines for one in found)


def test_every_dense_block_has_its_sources_and_readers() -> None:
    found = cuts_of('densenet')
    assert [one['title'] for one in found] == [f'稠密块 {i}' for i in range(1, 5)]
    sources = ['输入', '卷积 1', '卷积 2', '卷积 3', '卷积 4']
    for one in found:
        assert [part['title'] for part in one['parts']] == sources
        readers = [(reader['title'], reader['sees']) for reader in one['readers']]
        later = [(f'卷积 {number}', number) for number in (2, 3, 4)]
        assert readers == [*later, ('块之后的层', 5)]
    assert [one['readers'][-1]['at'] for one in found] == [
        'stages.1.0', 'stages.3.0', 'stages.5.0', 'head.0',
    ]  # fmt: skip


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(2, 1, 1)

    def forward(self, X: Tensor) -> Tensor:
        Y = torch.cat([X, self.one(X)], 1)
        return F.relu(self.two(Y) + X)


def test_a_readers_network_keeps_the_names_of_its_layers() -> None:
    joined, added = describe(Own())['cuts']
    assert (joined['title'], added['title']) == ('连结 cat', '相加 add')
    assert [part['title'] for part in joined['parts']] == ['image', 'one']
    assert added['parts'][0] == {
        'title': 'two', 'tensor': 'two', 'at': 'add', 'input': 0,
    }  # fmt: skip
