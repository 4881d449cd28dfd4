"""看一页的几个小工具：屏幕的宽度，深浅，控制台里的错误，请求过的地址。"""

import json

from selenium.webdriver.chrome.webdriver import WebDriver


def set_width(browser: WebDriver, width: int) -> None:
    size = {'width': width, 'height': 900, 'deviceScaleFactor': 1}
    settings = {**size, 'mobile': width < 500}
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', settings)


def set_theme(browser: WebDriver, theme: str) -> None:
    browser.execute_script(
        'document.documentElement.dataset.theme = arguments[0]', theme
    )


def console_errors(browser: WebDriver) -> list[str]:
    log = browser.get_log('browser')
    return [line['message'] for line in log if line['level'] in {'SEVERE', 'WARNING'}]


def requested(browser: WebDriver) -> list[str]:
    """取出网络日志里全部请求的地址。"""
    events = [
        json.loads(line['message'])['message']
        for line in browser.get_log('performance')
    ]
    urls = [
        event['params']['request']['url']
        for event in events
        if event['method'] == 'Network.requestWillBeSent'
    ]
    return [url for url in urls if not url.startswith(('data:', 'blob:'))]
