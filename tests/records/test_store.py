"""写盘：要么是完整的新文件，要么还是旧的；读写的内容与地方都对。"""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from deepcnn.records import store
from deepcnn.records.store import (
    explaining,
    read_json,
    results_folder,
    weights_folder,
    write_json,
    write_text,
)


def test_written_json_is_readable_text_and_comes_back(tmp_path: Path) -> None:
    content = {'网络': ['DenseNet', 1.5, None, True]}
    path = write_json(tmp_path / 'new' / 'folder' / 'one.json', content)
    assert read_json(path) == content
    text = path.read_bytes().decode('utf-8')
    assert '网络' in text and text.endswith('}\n') and '\r' not in text
    assert text.splitlines()[1].startswith(' "')  # 每级缩进一格
    assert list(path.parent.iterdir()) == [path]


def test_a_name_in_other_bytes_comes_back(tmp_path: Path) -> None:
    """Linux 上 GBK 的文件名，Python 里是单独的代理码。"""
    content = {'花': os.fsdecode('花'.encode('gbk'))}
    assert read_json(write_json(tmp_path / 'one.json', content)) == content


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    path = write_json(tmp_path / 'one.json', [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize('failing', ['replace', 'chmod'])
def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = write_json(tmp_path / 'one.json', 'old')

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, failing, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, 'new')
    assert read_json(path) == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_whole_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """改名之前，旧文件一个字节也没有变，新的已经完整地写在同一个文件夹里。"""
    path = write_json(tmp_path / 'one.json', 'old')
    real, seen = os.replace, []

    def watched(partial: str, target: Path) -> None:
        assert read_json(path) == 'old'
        assert Path(partial).parent == path.parent
        seen.append(json.loads(Path(partial).read_text('utf-8')))
        real(partial, target)

    monkeypatch.setattr(os, 'replace', watched)
    write_json(path, 'new')
    assert seen == ['new'] and read_json(path) == 'new'


def test_what_is_not_json_touches_nothing(tmp_path: Path) -> None:
    path = write_json(tmp_path / 'one.json', 'old')
    with pytest.raises(TypeError):
        write_json(path, object())
    assert read_json(path) == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_share_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """第一个还没有改名，第二个写同一个文件：各写各的，最后改名的留下。"""
    path, names = tmp_path / 'one.json', []
    real = os.replace

    def nested(partial: str, target: Path) -> None:
        names.append(partial)
        if len(names) == 1:
            write_json(path, 'second')
        real(partial, target)

    monkeypatch.setattr(os, 'replace', nested)
    write_json(path, 'first')
    assert len(set(names)) == 2
    assert read_json(path) == 'first'


def test_missing_file_is_not_invented(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / 'none.json')


@pytest.mark.parametrize('name', ['results', 'weights'])
def test_installed_records_come_before_those_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """训练好的权重也一样。"""
    found = {'results': results_folder, 'weights': weights_folder}[name]
    monkeypatch.setattr(store, f'INSTALLED_{name.upper()}', tmp_path / 'installed')
    assert found() == Path(__file__).parents[2] / name
    (tmp_path / 'installed').mkdir()
    assert found() == tmp_path / 'installed'


def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_text(tmp_path / 'one.ipynb', '旧的\r\n')
    assert path.read_bytes() == '旧的\r\n'.encode()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'chmod', full)
    with pytest.raises(OSError) as caught:
        write_text(path, '新的')
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == '旧的\r\n'.encode()


def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = write_text(tmp_path / 'nin.json', '{"runs"')
    with (
        pytest.raises(ValueError, match='nin.json 读不了（.+）：请重录'),
        explaining(path, '请重录'),
    ):
        read_json(path)
