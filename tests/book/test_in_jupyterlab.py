"""在真的 JupyterLab 里打开笔记本：图都在，公式排好了，没有原样的标记。

make test 只看一章，免得太久；EVERY_NOTEBOOK=1 时看全部。
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

import nbformat
import pytest
from book_source import chapter_files
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait
from test_plain_notebooks import RAW

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ['resnet']
if os.environ.get('EVERY_NOTEBOOK') == '1':
    CHAPTERS = sorted(
        path.relative_to(ROOT / 'chapters').with_suffix('').as_posix()
        for path in chapter_files()
    )
# 长的笔记本里，看不见的单元不在页面上：从头滚到尾，每个文字单元取它画出的文字与图。
LOOK = """
const done = arguments[0];
const pause = time => new Promise(next => setTimeout(next, time));
const read = shown => {
  const copy = shown.cloneNode(true);
  const formulas = copy.querySelectorAll('mjx-container').length;
  copy.querySelectorAll('mjx-container, code, pre').forEach(one => one.remove());
  const widths = [...shown.querySelectorAll('img')].map(one => one.naturalWidth);
  return {text: copy.textContent, formulas, widths};
};
// 在眼前、还没有画出来的文字单元
const unread = () => [...document.querySelectorAll('.jp-MarkdownCell')].some(cell => {
  const box = cell.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight
    && !cell.querySelector('.jp-RenderedMarkdown')?.innerHTML;
});
(async () => {
  const found = new Map();
  const pane = document.querySelector('.jp-WindowedPanel-outer');
  for (let before = -1; before < found.size;) {  // 头一遍时，单元的高度还在变
    before = found.size;
    for (let top = 0; top <= pane.scrollHeight; top += 0.9 * pane.clientHeight) {
      pane.scrollTop = top;
      await pause(100);
      for (let wait = 0; wait < 50 && unread(); wait++) await pause(50);
      for (const cell of document.querySelectorAll('.jp-MarkdownCell')) {
        const shown = cell.querySelector('.jp-RenderedMarkdown');
        const place = cell.closest('[data-windowed-list-index]');
        if (shown?.innerHTML && place)
          found.set(place.dataset.windowedListIndex, read(shown));
      }
    }
  }
  done([...found.values()]);
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
        if os.environ.get('REQUIRE_BROWSER') == '1':
            pytest.fail('没有 JupyterLab：它在 requirements-notebook.txt 里')
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
    browser.set_script_timeout(300)
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
    source = (ROOT / 'chapters' / f'{chapter}.ipynb').read_text(encoding='utf-8')
    widths = [width for cell in cells for width in cell['widths']]
    assert all(widths), '有图没有显示'
    assert len(widths) == source.count('<img alt=')
    notebook = nbformat.reads(source, 4)
    assert len(cells) == sum(one.cell_type == 'markdown' for one in notebook.cells)
    if chapter == 'resnet':
        assert len(widths) == 4
        assert re.search(r'图 \d+\.\d+　', text), '图题读不到'
        assert re.search(r'[，（]20\d\d[\]）]', text), '引文读不到'
        assert sum(cell['formulas'] for cell in cells) >= 5
