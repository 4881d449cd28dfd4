"""把录制的结果打成一个压缩包，好从 GPU 机器带回来。

包里有 chapters/ 的笔记本、results/ 的训练记录（连 results/comparison/、
results/experiments/、results/exercises/、results/full/、results/replay/、results/tuning/）、
weights/ 的权重和 manifest.json（各文件的 SHA-256）。
在仓库的根目录里解开就是放回原处：tar -xzf record.tar.gz。
"""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from book_contents import is_backup  # noqa: E402
from command_line import Command, run  # noqa: E402

DEFAULT = ROOT / '.runs' / 'record.tar.gz'
PATTERNS = (
    'chapters/**/*.ipynb',
    'results/*.json',
    'results/comparison/*.json',
    'results/experiments/*.json',
    'results/exercises/*.json',
    'results/full/*.json',
    'results/replay/*.safetensors',
    'results/tuning/*.json',
    'weights/*.safetensors',
    'weights/SHA256SUMS',
)
MANIFEST = '.runs/manifest.json'


def record_files(root: Path) -> list[Path]:
    """返回要带走的文件，次序固定；JupyterLab 自己留的副本不带。"""
    found = (path for pattern in PATTERNS for path in root.glob(pattern))
    return sorted(path for path in found if not is_backup(path))


def manifest(root: Path, files: list[Path]) -> bytes:
    """各文件的 SHA-256：解开之后可以核对有没有带坏。"""
    digests = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    return (json.dumps(digests, ensure_ascii=False, indent=1) + '\n').encode()


def pack(root: Path, archive: Path) -> int:
    """写出压缩包并返回文件数；先写临时文件再改名。"""
    files = record_files(root)
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + '.part')
    with tarfile.open(partial, 'w:gz') as target:
        for path in files:
            target.add(path, path.relative_to(root).as_posix())
        listing = manifest(root, files)
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(listing)
        target.addfile(entry, io.BytesIO(listing))
    partial.replace(archive)
    return len(files)


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        'archive', metavar='压缩包', nargs='?', type=Path, default=DEFAULT,
        help='默认 .runs/record.tar.gz',
    )  # fmt: skip
    archive = command.parse_args(arguments).archive
    if not record_files(ROOT):
        print('没有可以打包的笔记本或 results/', file=sys.stderr)
        return 1
    try:
        count = pack(ROOT, archive)
    except OSError as error:
        print(f'写不了 {archive}：{error.strerror}，请换一个位置', file=sys.stderr)
        return 1
    print(f'{archive.name}：{count} 个文件，{archive.stat().st_size / 2**20:.1f} MiB')
    return 0


if __name__ == '__main__':
    run(main)
