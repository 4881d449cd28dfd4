"""测试用的：一页只有活页的脚本，放在临时文件夹里，从磁盘打开。"""

import base64
import re
import shutil
from pathlib import Path

import torch
from book_living.script_files import write_script
from book_living.scripts import write_scripts
from selenium.webdriver.chrome.webdriver import WebDriver
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'

PAGE = """<!doctype html><html lang="zh" data-content_root="./"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>活页</title><link rel="stylesheet" href="_static/living/living.css">
<main>{body}</main>{scripts}</html>"""

# 先跑一段异步的脚本，再把结果或错误的文字交回来。
ASYNC = """
const done = arguments[arguments.length - 1];
(async () => {{ {code} }})().then(done, (error) => done('错误：' + error.message))
"""


def data_folder(site: Path) -> Path:
    return site / '_static' / 'living' / 'data'


def copy_living(site: Path) -> Path:
    """活页的脚本与样式照成品的样子放进 ``site``，返回放数据的文件夹。"""
    folder = site / '_static' / 'living'
    shutil.copytree(LIVING, folder)
    write_scripts(LIVING, folder)
    return data_folder(site)


def open_page(
    browser: WebDriver, site: Path, scripts: tuple[str, ...], body: str = ''
) -> None:
    tags = [f'<script src="_static/living/{name}.js"></script>' for name in scripts]
    page = site / 'page.html'
    page.write_text(PAGE.format(body=body, scripts=''.join(tags)), encoding='utf-8')
    browser.get('about:blank')
    browser.get(page.as_uri())


def run_async(browser: WebDriver, code: str, *given: object) -> object:
    """在页面里运行 ``code``（可以 await），返回它 return 的。"""
    return browser.execute_async_script(ASYNC.format(code=code), *given)


def as_base64(values: Tensor) -> str:
    """float32 的张量 → base64，页面里用 ``floats`` 读回。"""
    return base64.b64encode(values.float().contiguous().numpy().tobytes()).decode()


def put_numbers(site: Path, name: str, values: dict[str, Tensor]) -> None:
    """把几个张量写成页面读得到的数据。"""
    found = {key: as_base64(value) for key, value in values.items()}
    write_script(data_folder(site), name, found)


def pixels(image: Tensor) -> list[int]:
    """uint8 (1, 28, 28) → 784 个整数。"""
    assert image.dtype == torch.uint8
    return image.flatten().tolist()


NUMBER = re.compile(r'−?\d+\.(\d+)')


def alike(found: str, expected: str) -> bool:
    """两段文字相同；带小数的数可以差末位的 1：恰在两个写法之间的，各机器舍入不同。"""
    if NUMBER.sub('', found) != NUMBER.sub('', expected):
        return False
    pairs = zip(NUMBER.finditer(found), NUMBER.finditer(expected), strict=True)
    return all(
        abs(number_in(one) - number_in(other)) < 1.5 * 0.1 ** len(one[1])
        for one, other in pairs
    )


def number_in(match: re.Match[str]) -> float:
    return float(match[0].replace('−', '-'))
