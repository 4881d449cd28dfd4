"""实验台在成品里用起来：一个请求也不到站外，照片谁也不发；手术的影响在真的 100 张上数。"""

from pathlib import Path

import numpy as np
import torch
from browsing import requested
from built_parts import alive, open_built, wait
from PIL import Image
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys
from small_networks import SIDES, hooks
from test_answers_in_page import data_script
from test_lab import button, choose, column, one, status
from test_surgery import CASES, Page

from deepcnn.data import load_dataset, prepare
from deepcnn.models import load

RESOURCES = 'return performance.getEntriesByType("resource").map((one) => one.name)'


def test_nothing_goes_outside_and_the_photo_goes_nowhere(
    chromium: WebDriver, site_url: str, tmp_path: Path
) -> None:
    """选一张，画一笔：只取网站自己的文件；再用照片：什么也不请求。"""
    open_built(chromium, f'{site_url}/chapters/lab.html')
    alive(chromium, one(chromium, 'living-lab'))
    choose(chromium, 7, 2)
    status(chromium, 'DenseNet：运动鞋')
    button(chromium, '自己画').click()
    wait(chromium, lambda: one(chromium, '.lab__pad').is_displayed())
    one(chromium, '.lab__pad').send_keys(Keys.SPACE)
    says = one(chromium, '.lab__input figcaption')
    assert says.text == '你画的'
    urls = {*requested(chromium), *chromium.execute_script(RESOURCES)}
    assert any('weights-densenet' in url for url in urls)
    assert [url for url in urls if not url.startswith((f'{site_url}/', 'blob:'))] == []

    photo = np.full((300, 200), 230, np.uint8)
    photo[150:250, 100:150] = 30
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    before = wait(chromium, lambda: column(chromium, 2))
    button(chromium, '照片').click()
    one(chromium, '.lab__file[accept="image/*"]').send_keys(str(tmp_path / 'photo.png'))
    wait(chromium, lambda: says.text == '你的照片' and column(chromium, 2) != before)
    assert requested(chromium) == []


def test_the_effect_is_counted_on_the_hundred_images(
    chromium: WebDriver, site_url: str
) -> None:
    """DenseNet 一章，随书的权重与图像：手术前后答对几张、几张换了回答，与 PyTorch 的相同。"""
    samples, data, net = data_script('samples'), load_dataset(), load('densenet')
    place, reader, part, erased, unread = CASES['densenet']
    X = prepare(data.test.images[samples['numbers']], SIDES['densenet'], data)
    labels = torch.arange(10).repeat_interleave(samples['each'])
    with torch.inference_mode():
        plain = net(X).argmax(1)
        with hooks(net, erased, unread):
            after = net(X).argmax(1)
    assert len(labels) == 100 and (plain != after).any()

    page = Page(chromium)
    open_built(chromium, f'{site_url}/chapters/densenet.html')
    alive(chromium, one(chromium, 'living-lab'))
    page.load()
    page.select('手术', place)
    page.select('谁读不到', reader)
    page.button(part).send_keys(Keys.ENTER)
    page.wait(lambda: page.lines[0])
    page.button('在 100 张图像上数一数').send_keys(Keys.ENTER)
    wait(chromium, lambda: page.lines[1].startswith('100 张'))
    assert page.lines[1] == (
        f'100 张测试图像：手术前答对 {(plain == labels).sum()} 张，手术后 '
        f'{(after == labels).sum()} 张；{(plain != after).sum()} 张换了回答。'
    )
