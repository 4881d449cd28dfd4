"""所有测试共用的设置：训练档位，以及看成品网站的浏览器。"""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / '_build' / 'html'
sys.path.insert(0, str(ROOT / 'tools'))

from patient_chrome import PatientChrome  # noqa: E402

# 直接运行 pytest 时也用最快的档位、不画进度条；make test 已经设好同样的值。
os.environ.setdefault('DEEPCNN_PROFILE', 'quick')
os.environ.setdefault('DEEPCNN_PROGRESS', '0')


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


@pytest.fixture
def small_map_shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """每次在比核还小的图上用书里的算法求梯度，记下输入的形状。"""
    from deepcnn import small_maps

    shapes = []
    real = small_maps.weight_gradient

    def spy(*args: object) -> object:
        shapes.append(tuple(args[0].shape))
        return real(*args)

    monkeypatch.setattr(small_maps, 'weight_gradient', spy)
    return shapes


@pytest.fixture(scope='session')
def site_url() -> Iterator[str]:
    """本机上的网站地址，末尾没有斜线；网站还没有建时测试失败。"""
    if not (SITE / 'index.html').exists():
        pytest.fail('先运行 make book', pytrace=False)
    handler = partial(QuietHandler, directory=str(SITE))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


def require_browser() -> tuple[str, str]:
    """返回 Chromium 与 chromedriver 的路径。

    没有时跳过测试；设了 REQUIRE_BROWSER=1（持续集成）则失败。
    """
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    driver = shutil.which('chromedriver')
    if browser and driver:
        return browser, driver
    reason = '没有 Chromium 与 chromedriver：Debian 上请安装 chromium chromium-driver'
    if os.environ.get('REQUIRE_BROWSER') == '1':
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope='session')
def chromium() -> Iterator[WebDriver]:
    """无界面的 Chromium，记下控制台与网络日志；一次测试运行只启动一个。"""
    browser, driver = require_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        '--headless=new',
        '--no-sandbox',  # 容器里的 root 用户不能用沙箱
        '--disable-dev-shm-usage',
        '--disable-background-networking',  # 浏览器自己的请求不混进网络日志
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        '--window-size=1280,900',
    ):
        options.add_argument(argument)
    options.set_capability(
        'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
    )
    service = webdriver.ChromeService(executable_path=driver)
    instance = PatientChrome(options=options, service=service)
    instance.set_page_load_timeout(60)
    yield instance
    instance.quit()
