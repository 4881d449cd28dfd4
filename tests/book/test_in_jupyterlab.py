"""在真的 JupyterLab 里打开笔记本：图都在，公式排好了，没有原样的标记。

JupyterLab 只在 requirements-notebook.txt 里，没有装时跳过；服务器的根就是 chapters/，
与 make notebook 相同。
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait
from test_plain_notebooks import RAW

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ('resnet', 'experiments/degradation')
# 单元滚动到眼前才画出来；每个都看一眼，再取它画出的文字与图。
LOOK = """
const done = arguments[0];
(async () => {
  const found = [];
  for (const cell of document.querySelectorAll('.jp-MarkdownCell')) {
    cell.scrollIntoView();
    let shown = null;
    for (let wait = 0; wait < 100 && !(shown && shown.textContent); wait++) {
      await new Promise(next => setTimeout(next, 30));
      shown = cell.querySelector('.jp-RenderedMarkdown');
    }
    await new Promise(next => setTimeout(next, 60));
    const copy = shown.cloneNode(true);
    const formulas = copy.querySelectorAll('mjx-container').length;
    copy.querySelectorAll('mjx-container, code, pre').forEach(one => one.remove());
    const widths = [...shown.querySelectorAll('img')].map(one => one.naturalWidth);
    found.push({text: copy.textContent, formulas, widths});
  }
  done(found);
})();
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def wait_until_ready(server: subprocess.Popen, url: str) -> None:
    for _ in range(120):
        try:
            urlopen(f'{url}/api', timeout=5).close()
        except (URLError, OSError):
            assert server.poll() is None, 'JupyterLab 没有启动'
            time.sleep(0.5)
        else:
            return
    pytest.fail('JupyterLab 一分钟没有启动')


@pytest.fixture(scope='module')
def lab_url(
    tmp_path_factory: pytest.TempPathFactory, browser_needed: None
) -> Iterator[str]:
    """chapters/ 的副本上的 JupyterLab；只有它自己，旁边没有 img/。"""
    if find_spec('jupyterlab') is None:
        pytest.skip('没有 JupyterLab：运行 make notebook 一次就会装上')
    home = tmp_path_factory.mktemp('lab')
    shutil.copytree(ROOT / 'chapters', home / 'chapters')
    port = free_port()
    folders = {
        f'JUPYTER_{kind}_DIR': str(home / kind.lower())
        for kind in ('CONFIG', 'DATA', 'RUNTIME')
    }
    server = subprocess.Popen(
        [
            sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root',
            f'--port={port}', '--ServerApp.port_retries=0', '--IdentityProvider.token=',
            f'--ServerApp.root_dir={home / "chapters"}',
        ],
        env={**os.environ, **folders}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f'http://127.0.0.1:{port}'
        wait_until_ready(server, url)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def look(browser: WebDriver, url: str) -> list[dict]:
    """各文字单元画出的文字（不含公式与代码）、公式的个数、图的宽度。"""
    browser.get(url)
    browser.set_script_timeout(120)
    WebDriverWait(browser, 90).until(
        lambda one: (
            one.execute_script(
                "return document.querySelectorAll('.jp-MarkdownCell').length"
            )
            > 5
        )
    )
    time.sleep(2)  # 工具栏等还在移动
    return browser.execute_async_script(LOOK)


@pytest.mark.parametrize('chapter', CHAPTERS)
def test_a_chapter_reads_well(chapter: str, lab_url: str, chromium: WebDriver) -> None:
    cells = look(chromium, f'{lab_url}/doc/tree/{chapter}.ipynb')
    text = '\n'.join(cell['text'] for cell in cells)
    assert RAW.findall(text) == []
    assert re.search(r'图 \d+\.\d+　', text), '图题读不到'
    assert re.search(r'[，（]20\d\d[\]）]', text), '引文读不到'
    assert sum(cell['formulas'] for cell in cells) >= 5
    widths = [width for cell in cells for width in cell['widths']]
    assert all(widths), '有图没有显示'
    source = (ROOT / 'chapters' / f'{chapter}.ipynb').read_text(encoding='utf-8')
    assert len(widths) == source.count('<img alt=')
    if chapter == 'resnet':
        assert len(widths) == 3
