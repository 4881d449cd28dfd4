"""打包：带走该带的文件，解开就是放回原处。"""

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pack_record
import pytest

from deepcnn.command_line import file_trouble

FILES = (
    'chapters/nin.ipynb',
    'results/nin.json',
    'results/bench-cuda.json',
    'results/comparison/nin.json',
    'results/exercises/tuning.json',
    'results/experiments/plain-8.json',
    'results/full/nin.json',
    'results/laptop/nin.json',
    'results/replay/nin.safetensors',
    'results/tuning/nin-gpu.json',
    'weights/SHA256SUMS',
    'weights/nin.safetensors',
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    root = tmp_path / 'book'
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding='utf-8')
    (root / 'chapters' / 'references.md').write_text('不带走', encoding='utf-8')
    backup = root / 'chapters/.ipynb_checkpoints/nin-checkpoint.ipynb'
    backup.parent.mkdir()
    backup.write_text('不带走', encoding='utf-8')
    return root


def test_archive_unpacks_to_the_same_places(book: Path, tmp_path: Path) -> None:
    archive = tmp_path / 'record.tar.gz'
    assert pack_record.pack(book, archive) == len(FILES)
    target = tmp_path / 'target'
    shutil.unpack_archive(archive, target)  # tarfile 的 filter 到 3.11.4 才有
    for name in FILES:
        assert (target / name).read_bytes() == (book / name).read_bytes()
    assert not (target / 'chapters' / 'references.md').exists()


def test_everything_recorded_in_this_repository_is_packed() -> None:
    listed = subprocess.run(
        ['git', 'ls-files', '-z', 'results', 'weights', 'chapters/*.ipynb'],
        cwd=pack_record.ROOT, encoding='utf-8', capture_output=True,
    )  # fmt: skip
    if listed.returncode or not listed.stdout:
        pytest.skip('不在 git 里')
    packed = {
        path.relative_to(pack_record.ROOT).as_posix()
        for path in pack_record.record_files(pack_record.ROOT)
    }
    recorded = set(listed.stdout.split('\0')) - {'', 'weights/README.md'}  # 是说明
    assert recorded <= packed


def test_only_what_changed_since_is_packed(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pack_record, 'ROOT', book)
    archive = book / 'record.tar.gz'
    assert pack_record.main(['--remember']) == 0
    assert pack_record.main([str(archive)]) == 1
    assert '都没有变' in capsys.readouterr().err
    (book / 'results/nin.json').write_text('重新录的', encoding='utf-8')
    (book / 'results/bench-cpu.json').write_text('新的', encoding='utf-8')
    assert pack_record.main([str(archive)]) == 0
    with tarfile.open(archive) as packed:
        assert set(packed.getnames()) == {
            'results/nin.json', 'results/bench-cpu.json', pack_record.MANIFEST,
        }  # fmt: skip
    assert pack_record.main(['--all', str(archive)]) == 0
    with tarfile.open(archive) as packed:
        assert len(packed.getnames()) == len(FILES) + 2
    (book / pack_record.BEFORE).write_text('{"a', encoding='utf-8')
    assert pack_record.main([str(archive)]) == 1
    assert 'before.json 读不了' in capsys.readouterr().err


def test_manifest_names_every_file(book: Path, tmp_path: Path) -> None:
    archive = tmp_path / 'record.tar.gz'
    pack_record.pack(book, archive)
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
        listing = json.load(packed.extractfile(pack_record.MANIFEST))
    assert set(listing) == names - {pack_record.MANIFEST}
    content = (book / 'results/nin.json').read_bytes()
    assert listing['results/nin.json'] == hashlib.sha256(content).hexdigest()


def test_unreadable_file_is_named_and_leaves_no_half_archive(book: Path, tmp_path: Path) -> None:
    gone = book / 'results' / 'nin.json'
    files = pack_record.record_files(book)
    gone.unlink()
    out = tmp_path / 'out'
    with pytest.raises(OSError) as failed:
        pack_record.pack(book, out / 'record.tar.gz', files)
    assert str(gone) in file_trouble(failed.value) and not out.exists()


def test_unwritable_target_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / 'file'
    folder.write_text('')
    with pytest.raises(OSError) as failed:  # run() 由它说一行
        pack_record.main([str(folder / 'record.tar.gz')])
    assert str(folder) in file_trouble(failed.value)
    with pytest.raises(SystemExit, match='2'):
        pack_record.main(['a', 'b'])


GUIDE = (pack_record.ROOT / 'docs/gpu.md').read_text(encoding='utf-8')


def mib(*names: str) -> float:
    """这些文件与文件夹里进 git 的一共多大；不在 git 里时跳过。"""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--', *names, ':!results/replay'],
        cwd=pack_record.ROOT, encoding='utf-8', capture_output=True,
    )  # fmt: skip
    if listed.returncode or not listed.stdout:
        pytest.skip('不在 git 里')
    paths = (pack_record.ROOT / name for name in listed.stdout.rstrip('\0').split('\0'))
    return sum(path.stat().st_size for path in paths) / 2**20


def test_what_the_guide_takes_along_fits_with_the_wheels() -> None:
    block = re.search(r'git sparse-checkout set(.+?)```', GUIDE, re.DOTALL)[1]
    taken = re.findall(r'(?<= )/([\w./-]+)', block)
    assert 'deepcnn/' in taken and 'weights/vgg11.safetensors' in taken
    assert 16 + mib(*taken) < 61  # 「约 60 MiB」，轮子约 16


def test_the_sizes_in_the_guide_are_those_of_the_files() -> None:
    rows = re.findall(r'^\| `(\w+)` \| `(\w+)` \| (\d+) MiB \|$', GUIDE, re.MULTILINE)
    assert len(rows) == 6
    for page, network, told in rows:
        size = mib(f'chapters/{page}.ipynb', f'weights/{network}.safetensors')
        assert abs(size - int(told)) < 0.7, page
