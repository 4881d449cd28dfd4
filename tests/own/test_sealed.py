"""封好的文件：读回逐位相同；截断、改一位、换了内容都看得出；写不下时旧的完好。"""

import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from deepcnn.own import sealed
from deepcnn.own.checkpoints import Checkpoints
from deepcnn.own.sealed import Unreadable, flatten, restored, seal, unseal


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        'a': torch.randn(3, 4, 5, 5, generator=generator),
        'b': torch.arange(7, dtype=torch.uint8),
        'c': torch.tensor(2.5),
        'empty': torch.zeros(0, 3),
    }


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = seal(tmp_path / '新 文件夹' / 'a.safetensors', tensors(), {'名': [1, 2.5]})
    found, facts = unseal(path)
    assert facts == {'名': [1, 2.5]}
    assert found.keys() == tensors().keys()
    assert all(torch.equal(found[name], one) for name, one in tensors().items())
    assert safetensors.torch.load_file(path).keys() == found.keys()
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_any_damage_is_noticed(tmp_path: Path) -> None:
    path = seal(tmp_path / 'a.safetensors', tensors(), {'a': 1})
    content = path.read_bytes()
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, len(content), (150,), generator=generator).tolist()
    for place in (0, 7, 8, 9, len(content) - 1, *places):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found, facts = unseal(path)
        except Unreadable:
            continue
        # 头里的空白与次序不在封口之内，内容却必须相同
        assert facts == {'a': 1}
        assert all(torch.equal(found[n], one) for n, one in tensors().items())
    for length in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(Unreadable):
            unseal(path)
    path.write_bytes(content + b'x')
    with pytest.raises(Unreadable):
        unseal(path)


def test_files_of_others_are_refused_without_running_them(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / 'ran'),)

    (tmp_path / 'a').write_bytes(pickle.dumps(Trap()))
    torch.save({'a': Trap()}, tmp_path / 'b')
    safetensors.torch.save_file({'a': torch.ones(2)}, tmp_path / 'c')
    (tmp_path / 'd').mkdir()
    for name in 'abc':
        with pytest.raises(Unreadable) as told:
            unseal(tmp_path / name)
        assert '\n' not in str(told.value)
    assert not (tmp_path / 'ran').exists()


def test_any_state_survives_the_journey() -> None:
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    state = {
        'state': {0: {'step': torch.tensor(3.0), 'x': image}, 7: {}},
        'groups': [{'betas': (0.9, 0.999), 'params': [0, 1], 'flag': None}],
        'text': '中文', 'nan': float('inf'),
    }  # fmt: skip
    held, plain = flatten(state)
    found = restored(held, plain)
    assert found['groups'] == state['groups'] and found['nan'] == state['nan']
    assert list(found['state']) == [0, 7]
    assert torch.equal(found['state'][0]['x'], image)
    assert found['state'][0]['x'].stride() == image.stride()


def test_the_layout_survives_the_file_too(tmp_path: Path) -> None:
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {'x': image})
    state, damaged = checkpoints.newest()
    assert damaged == [] and torch.equal(state['x'], image)
    assert state['x'].stride() == image.stride()


def test_two_checkpoints_are_kept_and_a_torn_one_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / 'c')
    assert checkpoints.newest() == (None, [])
    for step in (5, 9, 10, 200):
        checkpoints.save(step, {'step': step})
    names = [path.name for path in checkpoints.found()]
    assert names == ['step-0000000200.safetensors', 'step-0000000010.safetensors']
    newest, before = checkpoints.found()
    newest.write_bytes(newest.read_bytes()[:-3])
    state, [damaged] = checkpoints.newest()
    assert state == {'step': 10} and newest.name in damaged
    before.write_bytes(b'')
    with pytest.raises(ValueError, match='没有一份完好.*从头训练'):
        checkpoints.newest()


def test_what_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """网络盘一时不让读：文件是好的，不劝人删。"""
    checkpoints = Checkpoints(tmp_path / 'c')
    checkpoints.save(5, {'step': 5})

    def refuses(path: Path, mode: str) -> None:
        raise PermissionError(13, 'Permission denied', str(path))

    with monkeypatch.context() as patch, pytest.raises(PermissionError, match='step-'):
        patch.setattr(sealed, 'open', refuses, raising=False)
        checkpoints.newest()
    assert checkpoints.newest() == ({'step': 5}, [])
    (tmp_path / 'd').write_bytes(b'')
    with pytest.raises(NotADirectoryError):  # 列不出，不是没有断点
        Checkpoints(tmp_path / 'd').newest()


def test_nothing_read_back_holds_on_to_the_file() -> None:
    """映射着的文件，Windows 上换不掉、删不掉。"""
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    held, plain = flatten({'x': torch.ones(3), 'y': image, 'z': torch.ones(2, 3, 1, 1)})
    found = restored(held, plain)
    before = {one.untyped_storage().data_ptr() for one in held.values()}
    after = {one.untyped_storage().data_ptr() for one in found.values()}
    assert not before & after


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip('resource')  # 只有 Unix 限得了文件的大小
    path = seal(tmp_path / 'a.safetensors', {'a': torch.ones(10)}, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match='large') as told:
            seal(path, {'a': torch.ones(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told.value.filename == str(path) and told.value.errno
    assert unseal(path)[0]['a'].shape == (10,)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
