"""用 Sphinx 的 linkcheck 检查书里的外部链接；需要网络。

打不开的链接使它以 1 退出。拒绝程序访问的网站（许多出版社如此）只列出来，不算失败；
没有网络时用一行话说明。
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from command_line import Command, run  # noqa: E402

# 不能放进 _build/html：那里是网站。
OUTPUT = ROOT / '_build' / 'links'
BUILD = 'from jupyter_book.cli.main import main; main()'
BROKEN = {'broken', 'timeout'}
REFUSED = re.compile(r'\b(?:401|403|405|406|418|429|503)\b [A-Z]')
UNREACHABLE = re.compile(
    r'NameResolutionError|NewConnectionError|ProxyError|ConnectTimeout|Unreachable'
)


@dataclass(frozen=True)
class Link:
    """linkcheck 对一个外部链接的结论。"""

    page: str
    url: str
    status: str
    info: str

    @property
    def is_broken(self) -> bool:
        return self.status in BROKEN

    @property
    def refuses_programs(self) -> bool:
        return self.is_broken and bool(REFUSED.search(self.info))

    @property
    def is_unreachable(self) -> bool:
        return self.is_broken and bool(UNREACHABLE.search(self.info))


def read_links(lines: Iterable[str]) -> list[Link]:
    """读 linkcheck 的 output.json（每行一个 JSON），只留外部链接。"""
    records = [json.loads(line) for line in lines]
    links = [Link(r['filename'], r['uri'], r['status'], r['info']) for r in records]
    return [link for link in links if link.url.startswith(('http://', 'https://'))]


def report(links: list[Link]) -> tuple[list[str], int]:
    """返回要打印的各行与退出码。"""
    broken = [link for link in links if link.is_broken]
    if links and all(link.is_unreachable for link in links):
        return ['没有网络，外部链接一个也没有检查：联网后再运行 make links'], 1
    refused = [link for link in broken if link.refuses_programs]
    dead = [link for link in broken if not link.refuses_programs]
    lines = [f'拒绝程序访问，请用浏览器确认：{x.url}（{x.page}）' for x in refused]
    lines += [f'打不开：{x.url}（{x.page}）：{x.info[:200]}' for x in dead]
    lines.append(
        f'共 {len(links)} 个外部链接：打不开 {len(dead)} 个，'
        f'拒绝程序访问 {len(refused)} 个'
    )
    return lines, 1 if dead else 0


def run_linkcheck() -> tuple[list[str], str]:
    """返回 output.json 的各行（没有产生、没有查完时是空的）与 linkcheck 打印的文字。

    有打不开的链接，它也以 1 结束。不以 0 结束，却一个也没有打不开，或者 Jupyter Book 打印了
    它的异常，就是中途出了错。
    """
    shutil.rmtree(OUTPUT, ignore_errors=True)  # 上次的结果不能当作这次的
    arguments = ['build', '-q', '--all', '--builder', 'linkcheck']
    arguments += ['--path-output', str(OUTPUT), '.']
    done = subprocess.run(
        [sys.executable, '-c', BUILD, *arguments],
        cwd=ROOT,
        encoding='utf-8',
        errors='replace',
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    results = sorted(OUTPUT.rglob('output.json'))
    lines = results[0].read_text(encoding='utf-8').splitlines() if results else []
    found = {json.loads(line)['status'] for line in lines}
    is_finished = done.returncode == 0 or (
        found & BROKEN and 'Traceback (most recent call last)' not in done.stdout
    )
    return (lines if is_finished else []), done.stdout


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    print('正在检查外部链接，要几分钟……', flush=True)
    results, log = run_linkcheck()
    if not results:
        print(log, file=sys.stderr)
        print('linkcheck 没有查完：请看上面的输出', file=sys.stderr)
        return 1
    lines, code = report(read_links(results))
    print('\n'.join(lines), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == '__main__':
    run(main)
