"""读者的网络写成一个文件：读得回来；不合适的当场说明，不写文件。"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from small_data import load_digits_dataset
from torch import nn

import deepcnn
from deepcnn.anatomy import export_page
from deepcnn.anatomy.page_file import KEY, known_size
from deepcnn.anatomy.program import page_program
from deepcnn.data import load_dataset
from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.models import create
from deepcnn.training.weight_codec import decode


def small_net(side: int = 28, classes: int = 10, channels: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(),
        nn.Flatten(), nn.Linear(3 * side * side, classes),
    )  # fmt: skip


@pytest.fixture(scope='module')
def data() -> Dataset:
    return load_digits_dataset()


def read_page(path: Path) -> dict[str, object]:
    with safetensors.safe_open(path, 'pt') as file:
        return json.loads(file.metadata()[KEY])


def test_what_was_written_is_the_network(data: Dataset, tmp_path: Path) -> None:
    net = small_net().train()
    path = export_page(net, tmp_path / 'mine', data, 28, '我的')
    assert path.name == 'mine.safetensors' and net.training
    page = read_page(path)
    assert page == page_program(net, '我的', 28, data)
    assert page['side'] == 28 and page['classes'] == list('0123456789')
    again = small_net()
    again.load_state_dict(decode(safetensors.torch.load_file(path)))
    for name, weight in net.state_dict().items():
        step = weight.abs().max() / 127 if weight.dim() > 1 else 0
        assert (again.state_dict()[name] - weight).abs().max() <= step


def test_a_point_in_the_name_is_not_a_suffix(data: Dataset, tmp_path: Path) -> None:
    names = ('net-lr0.1', 'net-lr0.2', 'net.safetensors')
    written = [export_page(small_net(), tmp_path / name, data, 28).name for name in names]
    assert written == ['net-lr0.1.safetensors', 'net-lr0.2.safetensors', 'net.safetensors']


def test_the_package_writes_it_without_more_words(tmp_path: Path) -> None:
    """不写数据与边长：Fashion-MNIST，网络自己的边长，没有的是 28。"""
    page = read_page(deepcnn.export_page(small_net(), tmp_path / 'mine'))
    dataset = load_dataset()
    assert page == page_program(small_net(), 'Sequential', 28, dataset)
    assert page['classes'] == list(dataset.class_names)
    assert page['mean'] == dataset.mean[0]
    with torch.device('meta'):
        assert known_size(create('alexnet', image_size=63)) == 63
        assert known_size(create('nin')) == 28  # 收各种边长，不记着是多大
    with pytest.raises(ValueError, match='算不了一张 28×28'):
        deepcnn.export_page(small_net(32), tmp_path / 'wrong')
    path = deepcnn.export_page(small_net(32), tmp_path / 'large', image_size=32)
    assert read_page(path)['side'] == 32


def test_the_package_has_only_what_it_says() -> None:
    assert deepcnn.export_page is export_page
    with pytest.raises(AttributeError, match='没有 export_pages'):
        deepcnn.export_pages  # noqa: B018


def test_what_does_not_fit_is_refused(data: Dataset, tmp_path: Path) -> None:
    colored = ImageSet(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
    three = replace(data, train=colored, test=colored, mean=(0.5,) * 3, std=(0.5,) * 3)
    broken = small_net()
    broken[0].weight.data[0] = torch.nan
    for net, used, side, shown in (
        (small_net(), data, 32, '算不了一张 32×32 的灰度图'),
        (small_net(channels=3), data, 28, '第一层的通道数'),
        (small_net(classes=7), data, 28, '(1, 7)，而类别有 10 个'),
        (small_net(), data, 20, '边长至少 28'),
        (small_net(), three, 28, '3 个通道'),
        (broken, data, 28, 'NaN'),
        (nn.Sequential(small_net(), nn.Softmax(1)), data, 28, '1（Softmax）'),
    ):
        with pytest.raises(ValueError) as caught:
            export_page(net, tmp_path / 'mine', used, side)
        assert shown in str(caught.value)
    assert not list(tmp_path.iterdir())
