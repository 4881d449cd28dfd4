"""不经 chromedriver，直接用命令行运行无界面的 Chromium。"""

import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
LIMIT = 300  # 秒


class BrowserError(RuntimeError):
    """没有浏览器，或浏览器没有完成工作。"""


def find_browser() -> str:
    """返回 Chromium 的路径；没有时说明怎样安装。"""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise BrowserError(
        '没有找到 Chromium 或 Chrome：请先安装它（Debian、Ubuntu 上是软件包 chromium）'
    )


def run_browser(*arguments: str) -> str:
    """运行浏览器直到它自己退出，返回标准输出。"""
    browser = find_browser()
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            '--headless=new',
            '--no-sandbox',  # 容器里的 root 用户不能用沙箱；这里只打开自己的文件
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--disable-background-networking',
            '--disable-component-update',
            '--no-first-run',
            '--allow-file-access-from-files',
            f'--user-data-dir={profile}',
            *arguments,
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=LIMIT, check=False,
                encoding='utf-8', errors='replace',
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BrowserError(
                f'{Path(browser).name} 超过 {LIMIT} 秒没有完成'
            ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ['没有说明'])[-1]
        raise BrowserError(f'{Path(browser).name} 出错：{last}')
    return done.stdout
