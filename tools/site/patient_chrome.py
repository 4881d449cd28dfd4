"""看成品网站的 Chromium：网页真的读完之后才往下走。"""

import shutil

from headless_chromium import BrowserError, find_browser
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

# load 事件的处理都结束了：脚本都运行过，图片都读完了。
LOADED = "return performance.getEntriesByType('navigation')[0]?.loadEventEnd > 0"


class PatientChrome(webdriver.Chrome):
    """get 等到网页的 load 事件之后才返回。

    机器忙时 chromedriver 的 get 有时提前返回（两个核上另有四个空转的进程时，
    约十次里一次），那时脚本还没有运行，图片还没有读完。
    """

    def get(self, url: str) -> None:
        """打开 url；60 秒还没有读完时抛出 TimeoutException。"""
        super().get(url)
        WebDriverWait(self, 60, poll_frequency=0.02).until(
            lambda browser: browser.execute_script(LOADED)
        )


def find_driver() -> str:
    """返回 chromedriver 的路径；没有时说明怎样安装。"""
    if path := shutil.which('chromedriver'):
        return path
    raise BrowserError('没有 chromedriver：Debian 上请安装 chromium-driver')


def start_chrome() -> PatientChrome:
    """1280 像素宽、无界面、记下控制台与网络日志；没有浏览器时抛出 BrowserError。"""
    options = webdriver.ChromeOptions()
    options.binary_location = find_browser()
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
    logs = {'browser': 'ALL', 'performance': 'ALL'}
    options.set_capability('goog:loggingPrefs', logs)
    service = webdriver.ChromeService(executable_path=find_driver())
    return PatientChrome(options=options, service=service)
