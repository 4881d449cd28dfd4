"""所有测试共用的：看成品网站的浏览器，以及几个小工具。"""

import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from built_site import SITE, built_file
from headless_chromium import BrowserError, find_browser
from patient_chrome import find_driver, start_chrome
from selenium.webdriver.chrome.webdriver import WebDriver


class QuietHandler(SimpleHTTPRequestHandler):
    """提供静态文件，不打印每个请求。"""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    """一个测试画的图不留给同一进程里的下一个测试。"""
    yield
    if pyplot := sys.modules.get('matplotlib.pyplot'):
        pyplot.close('all')


@pytest.fixture(scope='module')
def one_thread() -> None:
    """分出的进程里不能有 OpenMP 的线程；接着做要逐位相同，线程数也要一样。"""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def small_map_shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """每次把很小的图上的卷积当作全连接层来算，记下输入的形状。

    不管这台机器是什么 CPU，都当作量过的。
    """
    import torch

    from deepcnn.training import cpu_speedups

    shapes = []
    real = cpu_speedups.as_fully_connected

    def spy(layer: object, X: object) -> object:
        shapes.append(tuple(X.shape))
        return real(layer, X)

    monkeypatch.setattr(cpu_speedups, 'as_fully_connected', spy)
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: 'AVX2')
    return shapes


@pytest.fixture(scope='session')
def site_url() -> Iterator[str]:
    """本机上的网站地址，末尾没有斜线；网站还没有建时测试失败。"""
    built_file()
    handler = partial(QuietHandler, directory=str(SITE))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


@pytest.fixture(scope='session')
def browser_needed() -> None:
    """没有 Chromium 与 chromedriver 时跳过测试。

    设了 REQUIRE_BROWSER=1（持续集成）则失败。
    """
    try:
        find_browser()
        find_driver()
    except BrowserError:
        reason = '没有 Chromium 与 chromedriver：Debian 上请安装 chromium chromium-driver'
        if os.environ.get('REQUIRE_BROWSER') == '1':
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope='session')
def chromium(browser_needed: None) -> Iterator[WebDriver]:
    """无界面的 Chromium，记下控制台与网络日志；一次测试运行只启动一个。"""
    instance = start_chrome()
    instance.set_page_load_timeout(60)
    yield instance
    instance.quit()
