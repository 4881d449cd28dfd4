"""把建好的网站装进 dist/site.zip：解压后双击 index.html 就能离线阅读。

先运行 make book。同样的网站总是得到逐字节相同的压缩包：文件按名字排序，时间固定。
"""

import io
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_bytes  # noqa: E402

SITE = ROOT / '_build' / 'html'
TARGET = ROOT / 'dist' / 'site.zip'
FOLDER = 'deepcnn-book'  # 解压后得到的文件夹
NEVER = {'404.html', 'CNAME', 'objects.inv'}  # 只对 Sphinx 或网站服务器有用
MOMENT = (1980, 1, 1, 0, 0, 0)  # zip 能记的最早时间


def site_files(site: Path) -> list[Path]:
    """要装进去的文件，按名字排序；不含以点开头的文件。"""
    found = []
    for path in sorted(site.rglob('*')):
        parts = path.relative_to(site).parts
        hidden = any(part.startswith('.') for part in parts)
        if path.is_file() and not hidden and path.name not in NEVER:
            found.append(path)
    return found


def pack(site: Path, target: Path) -> int:
    """写出压缩包，返回文件数；不留半个文件。"""
    files = {path.relative_to(site).as_posix(): path for path in site_files(site)}
    contents = {name: path.read_bytes() for name, path in files.items()}
    written = io.BytesIO()
    with zipfile.ZipFile(
        written, 'w', zipfile.ZIP_DEFLATED, compresslevel=9
    ) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f'{FOLDER}/{name}', MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, contents[name])
    write_bytes(target, written.getvalue())
    return len(contents)


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    if not (SITE / 'index.html').exists():
        print('网站还没有建：请先运行 make book', file=sys.stderr)
        return 1
    count = pack(SITE, TARGET)
    size = TARGET.stat().st_size / 1e6
    print(f'已装好 {count} 个文件，{size:.1f} MB：{TARGET.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    run(main)
