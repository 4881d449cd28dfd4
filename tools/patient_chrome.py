"""看成品网站的 Chromium：网页真的读完之后才往下走。"""

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
