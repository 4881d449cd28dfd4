"""量每一页第一次打开时要传多少字节、多久显示出主要内容。

先运行 make book。用真的 Chromium，从本机上压缩传输（gzip）的服务器读 _build/html。
网络按 DevTools 的「Slow 4G」限制：下行 1.6 Mbit/s、上行 0.75 Mbit/s（各打九折），延迟
150 ms 的 3.75 倍；CPU 减慢到四分之一。字节数每次相同，时间与机器有关，只作参考。
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from gzip_server import serve
from headless_chromium import BrowserError
from patient_chrome import start_chrome
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from command_line import Command, run  # noqa: E402

SITE = ROOT / '_build' / 'html'
MAX_BYTES = 1_200_000
MAX_LCP = 2.5
SLOW_4G = {
    'offline': False,
    'latency': 150 * 3.75,
    'downloadThroughput': 1.6e6 / 8 * 0.9,
    'uploadThroughput': 0.75e6 / 8 * 0.9,
}
CPU_SLOWDOWN = 4
LARGEST_PAINT = """
const done = arguments[arguments.length - 1];
new PerformanceObserver((list) => {
  const last = list.getEntries().at(-1);
  done([last.startTime / 1000, last.element ? last.element.tagName : '']);
}).observe({type: 'largest-contentful-paint', buffered: true});
setTimeout(() => done([null, '']), 3000);
"""


@dataclass
class Visit:
    """一页第一次打开时的请求与时间。"""

    page: str
    sizes: dict[str, int]  # {地址: 传输的字节数}
    raw: int  # 解压之后
    paint: float | None
    element: str

    @property
    def transferred(self) -> int:
        return sum(self.sizes.values())

    def largest(self) -> str:
        ranked = sorted(self.sizes.items(), key=lambda item: -item[1])[:3]
        return '，'.join(f'{short(url)} {size / 1000:.0f}' for url, size in ranked)


def short(url: str) -> str:
    name = url.split('?')[0].rsplit('/', 1)[-1]
    return name if len(name) <= 24 else f'{name[:8]}…{name[-8:]}'


def visit(browser: WebDriver, address: str, page: str) -> Visit:
    """清空缓存后打开一页。"""
    browser.get('about:blank')
    browser.get_log('performance')
    for command, parameters in (
        ('Network.enable', {}),
        ('Network.clearBrowserCache', {}),
        ('Network.setCacheDisabled', {'cacheDisabled': False}),
        ('Network.emulateNetworkConditions', SLOW_4G),
        ('Emulation.setCPUThrottlingRate', {'rate': CPU_SLOWDOWN}),
    ):
        browser.execute_cdp_cmd(command, parameters)
    browser.get(f'{address}/{page}')
    paint, element = browser.execute_async_script(LARGEST_PAINT)
    sizes, raw = transfers(browser.get_log('performance'))
    return Visit(page, sizes, raw, paint, element)


def transfers(log: list[dict[str, str]]) -> tuple[dict[str, int], int]:
    """从网络日志里取出每个地址传输的字节数，以及解压后的总字节数。"""
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}
    raw = 0
    for entry in log:
        message = json.loads(entry['message'])['message']
        name, details = message['method'], message['params']
        if name == 'Network.requestWillBeSent':
            addresses[details['requestId']] = details['request']['url']
        elif name == 'Network.dataReceived':
            raw += details['dataLength']
        elif name == 'Network.loadingFinished':
            url = addresses.get(details['requestId'], '')
            if url.startswith('http'):
                sizes[url] = sizes.get(url, 0) + int(details['encodedDataLength'])
    return sizes, raw


def report(visits: list[Visit]) -> str:
    lines = [
        f'{"页面":<26}请求   解压后 KB   传输 KB   主要内容 s   最大的几项（KB）',
    ]
    for seen in visits:
        paint = f'{seen.paint:.2f}' if seen.paint is not None else '—'
        mark = '' if seen.transferred <= MAX_BYTES else '  超出'
        late = ' 慢' if (seen.paint or 0) >= MAX_LCP else ''
        lines.append(
            f'{seen.page:<28}{len(seen.sizes):>4}{seen.raw / 1000:>12.0f}'
            f'{seen.transferred / 1000:>10.0f}{paint:>12}{late}   '
            f'{seen.largest()}{mark}'
        )
    lines.append(
        f'目标：每页传输不超过 {MAX_BYTES / 1e6:.1f} MB，主要内容在 {MAX_LCP} 秒内显示'
        '（Slow 4G，CPU 减慢到四分之一）'
    )
    return '\n'.join(lines)


def pages(wanted: list[str]) -> list[str]:
    found = [
        path.relative_to(SITE).as_posix()
        for path in sorted(SITE.rglob('*.html'))
        if '_static' not in path.relative_to(SITE).parts
    ]
    return [page for page in found if not wanted or page in wanted]


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument(
        'pages', metavar='页面', nargs='*',
        help='例如 chapters/nin.html；不写时量全部',
    )  # fmt: skip
    wanted = command.parse_args(arguments).pages
    if not (SITE / 'index.html').exists():
        print('网站还没有建：请先运行 make book', file=sys.stderr)
        return 1
    chosen = pages(wanted)
    if unknown := sorted(set(wanted) - set(chosen)):
        print(f'没有这一页：{"、".join(unknown)}', file=sys.stderr)
        return 2
    try:
        browser = start_chrome()
    except (BrowserError, WebDriverException) as error:
        reason = str(error).splitlines()[0]
        print(f'打不开浏览器：{reason}', file=sys.stderr)
        return 1
    visits, failed = [], 0
    try:
        with serve(SITE) as address:
            for page in chosen:
                try:
                    visits.append(visit(browser, address, page))
                except WebDriverException as error:  # 一页打不开，别的照量
                    reason = str(error).splitlines()[0]
                    print(f'{page} 没有量成：{reason}', file=sys.stderr)
                    failed = 1
    finally:
        browser.quit()
    if visits:
        print(report(visits))
    return failed


if __name__ == '__main__':
    run(main)
