"""把录制的结果打成一个压缩包，好从 GPU 机器带回来。

包里有 chapters/ 的笔记本、results/ 的记录与影片、weights/ 的权重，和 manifest.json（各文件
的 SHA-256）。在仓库的根目录里解开就是放回原处：tar -xzf record.tar.gz。

录制之前用 --remember 记下各文件的 SHA-256（.offline/before.json），此后只打包与那时不同的；
--all 仍打包全部。
"""

import hashlib
import io
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from book_contents import is_backup  # noqa: E402
from command_line import Command, run  # noqa: E402

from deepcnn.records.store import (  # noqa: E402
    explaining,
    json_text,
    read_json,
    write_bytes,
)

DEFAULT = ROOT / '.runs' / 'record.tar.gz'
PATTERNS = (
    'chapters/**/*.ipynb',
    'results/**/*.json',
    'results/replay/*.safetensors',
    'weights/*.safetensors',
    'weights/SHA256SUMS',
)
MANIFEST = '.runs/manifest.json'
BEFORE = '.offline/before.json'


def record_files(root: Path) -> list[Path]:
    """返回要带走的文件，次序固定；JupyterLab 自己留的副本不带。"""
    found = (path for pattern in PATTERNS for path in root.glob(pattern))
    return sorted(path for path in found if not is_backup(path))


def digests(root: Path, files: list[Path]) -> dict[str, str]:
    """文件名 → SHA-256。"""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def manifest(root: Path, files: list[Path]) -> bytes:
    """各文件的 SHA-256：解开之后可以核对有没有带坏。"""
    return (json_text(digests(root, files), 1) + '\n').encode()


def remember(root: Path) -> int:
    """记下现在的各文件，返回文件数。"""
    files = record_files(root)
    write_bytes(root / BEFORE, manifest(root, files))
    return len(files)


def changed_files(root: Path) -> list[Path]:
    """与 ``remember`` 时不同的文件；没有记过就是全部。"""
    files = record_files(root)
    if not (root / BEFORE).exists():
        return files
    with explaining(root / BEFORE, '请删除它，就打包全部'):
        before = dict(read_json(root / BEFORE)).items()
    changed = dict(digests(root, files).items() - before)
    return [root / name for name in sorted(changed)]


def pack(root: Path, archive: Path, files: list[Path] | None = None) -> int:
    """把 ``files``（不给时是全部）写成压缩包并返回文件数；不留半个文件。"""
    files = record_files(root) if files is None else files
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode='w:gz') as target:
        for path in files:
            target.add(path, path.relative_to(root).as_posix())
        listing = manifest(root, files)
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(listing)
        target.addfile(entry, io.BytesIO(listing))
    write_bytes(archive, written.getvalue())
    return len(files)


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        'archive', metavar='压缩包', nargs='?', type=Path, default=DEFAULT,
        help='默认 .runs/record.tar.gz',
    )  # fmt: skip
    command.add_argument('--all', action='store_true', help='全部，不只是改动的')
    command.add_argument('--remember', action='store_true', help='只记下现在的各文件')
    options = command.parse_args(arguments)
    archive = options.archive
    if options.remember:
        print(f'记下了 {remember(ROOT)} 个文件：此后只打包改动的')
        return 0
    try:
        files = record_files(ROOT) if options.all else changed_files(ROOT)
        if not files:
            print('没有可以打包的：笔记本、results/ 与 weights/ 都没有变', file=sys.stderr)
            return 1
        count = pack(ROOT, archive, files)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f'{archive.name}：{count} 个文件，{archive.stat().st_size / 2**20:.1f} MiB')
    return 0


if __name__ == '__main__':
    run(main)
