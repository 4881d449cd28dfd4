"""从别的权重出发：抄过来的与原来的网络输出相同，通道、类别换了的照规矩，来历不明的不读。"""

import hashlib
import os
import pickle
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models import create, load
from deepcnn.models.network import Network
from deepcnn.own import Order, fine_tuning
from deepcnn.own.fine_tuning import (
    IMAGENET,
    PUBLISHED,
    Origin,
    address_of,
    adopt,
    digest_in,
    read_origin,
    recoloured,
    standard_for,
    trained_parameters,
    tuning_of,
)
from deepcnn.own.kept import KeptFacts, keep
from deepcnn.own.orders import settled
from deepcnn.records.store import WEIGHTS


def images(channels: int, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, size, size, generator=generator)


@torch.no_grad()
def scores(net: nn.Module, X: Tensor) -> Tensor:
    return net.eval()(X)


def file_of(folder: Path, net: nn.Module, name: str) -> Path:
    """像 torchvision 那样写的文件，名字里是内容的摘要。"""
    path = folder / 'x.pth'
    torch.save(net.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f'{name}-{digest}.pth')


@pytest.mark.parametrize('name', ['resnet18', 'densenet121'])
def test_the_weights_of_torchvision_give_its_scores(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    theirs = torchvision_models.get_model(name)
    path = file_of(tmp_path, theirs, name)
    monkeypatch.setattr(
        fine_tuning, 'address_of', lambda network: f'https://x/{path.name}'
    )
    origin = read_origin(name, str(path))
    net = create(name, 3, 1000)
    assert adopt(net, origin) == []
    torch.testing.assert_close(scores(net, images(3)), scores(theirs, images(3)))
    assert standard_for(origin, 3) == IMAGENET


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_published_network_lines_up(name: str) -> None:
    """形状逐个相同；地址由 torchvision 给出。"""
    with torch.device('meta'):
        own = create(name, 3, 1000, 224).state_dict()
        theirs = torchvision_models.get_model(name).state_dict()
    renamed = fine_tuning._renamed(own, theirs, name)
    assert {k: v.shape for k, v in renamed.items()} == {
        k: v.shape for k, v in own.items()
    }
    assert re.fullmatch(r'[0-9a-f]{8}', digest_in(address_of(name)))


def small(channels: int = 3, classes: int = 5) -> Network:
    return create('densenet', channels, classes)


def origin_of(net: nn.Module, channels: int) -> Origin:
    standard = IMAGENET if channels == 3 else fine_tuning.Standard('灰', (0.2,), (0.3,))
    return Origin('别处', net.state_dict(), standard)


def test_another_number_of_classes_restarts_the_last_layer() -> None:
    source, net = small(classes=7), small(classes=5)
    before = {name: one.clone() for name, one in net.state_dict().items()}
    notes = adopt(net, origin_of(source, 3))
    assert notes == ['head.4 重新开始']
    for name, one in net.state_dict().items():
        restarted = name.startswith('head.4')
        expected = before if restarted else source.state_dict()
        assert torch.equal(one, expected[name]), name


def test_another_size_restarts_the_first_large_layer_too() -> None:
    with torch.device('meta'):
        source = create('vgg11', 3, 10, 32)
        net = create('vgg11', 3, 10, 64)
    state = {name: torch.empty_like(one) for name, one in source.state_dict().items()}
    assert adopt(net, Origin('别处', state, IMAGENET)) == ['head.1 重新开始']


def test_grey_and_colour_are_adapted_by_the_rule() -> None:
    grey, colour = small(1), small(3)
    X = images(1)
    notes = adopt(colour, origin_of(grey, 1))
    assert notes == ['第一层由 1 个通道换成 3 个']
    expected = scores(grey, X)
    torch.testing.assert_close(scores(colour, X.expand(-1, 3, -1, -1)), expected)
    back = small(1)
    adopt(back, origin_of(colour, 3))
    torch.testing.assert_close(scores(back, X), expected, rtol=1e-4, atol=1e-4)
    W = torch.randn(4, 3, 5, 5)
    assert torch.equal(recoloured(W, 1)[:, 0], W.sum(1))
    one = standard_for(origin_of(grey, 1), 3)
    assert one.mean == pytest.approx((0.2,) * 3) and one.std == pytest.approx(
        (0.3,) * 3
    )
    mean = 0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406
    assert standard_for(origin_of(colour, 3), 1).mean == pytest.approx((mean,))


def test_the_weights_of_the_book_start_as_they_are() -> None:
    origin = read_origin('densenet', str(WEIGHTS / 'densenet.safetensors'))
    net = create('densenet', 1, 10)
    assert adopt(net, origin) == []
    X = images(1)
    torch.testing.assert_close(scores(net, X), scores(load('densenet'), X))
    assert origin.standard.mean == load_dataset().mean


def test_weights_of_ones_own_bring_their_standard(tmp_path: Path) -> None:
    source = small(3, 5)
    facts = KeptFacts(
        'densenet',
        3,
        32,
        tuple('abcde'),
        (0.1, 0.2, 0.3),
        (0.3, 0.2, 0.1),
        '花',
        0.5,
        1,
        {},
    )
    path = keep(tmp_path / 'best.safetensors', source, facts)
    for given in (path, tmp_path):
        origin = read_origin('densenet', str(given))
        assert origin.standard.mean == facts.mean
        assert adopt(small(3, 5), origin) == []


def test_another_network_is_refused() -> None:
    with torch.device('meta'):
        net, vgg, resnet = small(), create('vgg11', 3, 5, 32), create('resnet18', 3, 5)
        wide = vgg.state_dict() | {'stages.0.0.weight': torch.zeros(9, 9, 3, 3)}
        other = torchvision_models.resnet34().state_dict()
    with pytest.raises(ValueError, match='不是 densenet 的权重'):
        adopt(net, origin_of(resnet, 3))
    with pytest.raises(ValueError, match='不是 vgg11 的权重：stages'):
        adopt(vgg, Origin('别处', wide, IMAGENET))
    with pytest.raises(ValueError, match='不是同一个网络'):
        adopt(resnet, Origin('别处', other, IMAGENET, by_order=True))


def test_no_unknown_pickle_is_ever_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / 'ran'),)

    torch.save({'a': Trap()}, tmp_path / 'resnet18-f37072fd.pth')
    (tmp_path / 'a.pt').write_bytes(pickle.dumps(Trap()))
    safetensors.torch.save_file({'a': torch.ones(1)}, tmp_path / 'plain.safetensors')
    content = (WEIGHTS / 'densenet.safetensors').read_bytes()
    (tmp_path / 'densenet.safetensors').write_bytes(content)  # 旁边没有 SHA256SUMS
    for name, said in {
        'resnet18-f37072fd.pth': 'SHA-256 不符', 'a.pt': '只读 deepcnn train 写的',
        'plain.safetensors': '只读 deepcnn train 写的',
        'densenet.safetensors': 'SHA256SUMS', 'none.safetensors': '没有',
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=said) as told:
            read_origin('resnet18', str(tmp_path / name))
        assert '\n' not in str(told.value)
    for given in ('torchvision', str(tmp_path / 'resnet18-f37072fd.pth')):
        with pytest.raises(ValueError, match='torchvision 没有能用于 nin'):
            read_origin('nin', given)
    assert not (tmp_path / 'ran').exists()


def test_a_failed_download_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*given: object, **how: object) -> None:
        raise OSError('连不上')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', offline)
    with pytest.raises(ValueError, match='下载不了 .*resnet18.*--init'):
        read_origin('resnet18', 'torchvision')


def test_what_is_frozen_is_what_was_asked() -> None:
    net = small()
    assert tuning_of(net, 'none', 1.0).frozen == ()
    assert tuning_of(net, 'body', 0.1).frozen == ('stem', 'stages')
    tuning = tuning_of(net, '2', 0.1)
    assert tuning.frozen == ('stem', 'stages.0', 'stages.1')
    total, moving = trained_parameters(net, tuning)
    still = sum(
        one.numel()
        for part in (net.stem, net.stages[0], net.stages[1])
        for one in part.parameters()
    )
    assert total - moving == still > 0
    for freeze, rate in (
        ('8', 1.0),
        ('0', 1.0),
        ('头', 1.0),
        ('none', 0.0),
        ('none', 1.5),
    ):
        with pytest.raises(ValueError, match='--freeze|--body-rate'):
            tuning_of(net, freeze, rate)


def test_the_number_of_frozen_stages_may_be_a_number() -> None:
    assert settled(Order(freeze=2)) == settled(Order(freeze='2'))


def test_only_what_imagenet_taught_moves_slowly() -> None:
    assert Origin('torchvision 的', {}, IMAGENET, by_order=True).body_rate == 0.1
    assert Origin('自己的', {}, IMAGENET).body_rate == 1
