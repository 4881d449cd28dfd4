"""实验台：读者选、画、传一张图像，看到的数与 PyTorch 算的相同；失败了说得清，可以再来。"""

import base64
import gzip
import io
import json
import re
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import safetensors.torch
import torch
from axe import AXE
from book_living.weight_scripts import write_weight_scripts
from built_site import SITE
from living.draw_still import ANSWERS, PAGES, PICTURE, PREFIX, answers
from living.write_samples import SCRIPT, samples
from living_page import alike, copy_living, data_folder, open_page, run_async
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait
from torch import nn

from deepcnn.anatomy import capture, occlusion_map
from deepcnn.anatomy.program import page_program
from deepcnn.data import load_dataset, prepare
from deepcnn.models import Network, load
from deepcnn.records.titles import TITLES
from deepcnn.training.weight_codec import decode, encode

NIN = TITLES['nin']
SCRIPTS = ('frame', 'lab')
DATA = {'samples.js', 'weights.js'}  # 快要看到时就取的
BODY = """<link rel="stylesheet" href="_static/living/lab.css">
<living-lab id="lab-1" class="living" {attributes}>
<div class="living__still">原来的图</div></living-lab>"""


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """只有实验台的一页，从磁盘打开；权重是随书的。"""
    folder = tmp_path_factory.mktemp('lab')
    write_weight_scripts(copy_living(folder))
    return folder


@pytest.fixture(scope='module')
def densenet() -> Network:
    return load('densenet')


def open_lab(browser: WebDriver, site: Path, attributes: str = '') -> None:
    open_page(browser, site, SCRIPTS, BODY.format(attributes=attributes))
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, '.living--ready'))


def open_link(browser: WebDriver, site: Path, hash_: str, attributes: str = '') -> None:
    open_lab(browser, site, attributes)
    browser.get('about:blank')  # 只改 # 后面的部分不会重新载入
    browser.get((site / 'page.html').as_uri() + hash_)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, '.living--ready'))


def wait(browser: WebDriver, found: object) -> object:
    redrawn = [StaleElementReferenceException]  # 正在换成新的一张表
    waiting = WebDriverWait(browser, 20, 0.02, redrawn)
    return waiting.until(lambda _: found())


def one(browser: WebDriver, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def button(browser: WebDriver, text: str) -> WebElement:
    found = browser.find_elements(By.XPATH, f'//button[contains(., "{text}")]')
    return next(each for each in found if each.is_displayed())


def status(browser: WebDriver, shown: str) -> str:
    """等到那一句话里有 ``shown``。"""
    line = one(browser, '.lab__status')
    return wait(browser, lambda: shown in line.text and line.text)


def choose(browser: WebDriver, label: int, position: int) -> None:
    """用键盘选一张：下拉框选类别，Tab 到缩略图，回车。"""
    Select(one(browser, '.lab__ways select')).select_by_index(label)
    thumb = browser.find_elements(By.CLASS_NAME, 'lab__thumb')[position]
    thumb.send_keys(Keys.ENTER)


def number_of(label: int, position: int) -> int:
    labels = load_dataset().test.labels
    return int((labels == label).nonzero()[position, 0])


def percentages(net: nn.Module, image: torch.Tensor, side: int) -> str:
    with torch.inference_mode():
        shares = net(prepare(image, side, load_dataset())).softmax(1)[0]
    return ' '.join(f'{100 * share:.1f}%' for share in shares.double().tolist())


def column(browser: WebDriver, index: int) -> str:
    cells = browser.find_elements(
        By.CSS_SELECTOR, f'.lab__scores tr:not(.lab__answers) td:nth-child({index})'
    )
    return ' '.join(cell.text for cell in cells)


# ---- 选一张 ---------------------------------------------------------------------


def test_choosing_an_image_loads_the_small_network(
    chromium: WebDriver, site: Path, densenet: Network
) -> None:
    """得分、特征图的形状与范围、第一层的核，都是 PyTorch 的；状态写进网址。"""
    open_lab(chromium, site)
    assert '（0.8 MB）' in one(chromium, '.lab__loaders').text
    choose(chromium, 7, 2)
    said = status(chromium, 'DenseNet：运动鞋')
    assert '答对' in said and re.search(r'。用了 [1-9]\d* 毫秒。$', said)
    image = load_dataset().test.images[number_of(7, 2)][None]
    assert alike(column(chromium, 2), percentages(densenet, image, 96))
    wait(chromium, lambda: one(chromium, '.lab__maps').is_displayed())
    with torch.inference_mode(), capture(densenet, 'stem.0.0', 'stages.1.3') as maps:
        densenet(prepare(image, 96, load_dataset()))
    note = one(chromium, '[aria-label=特征图] .lab__note')
    assert alike(note.text.split('。')[0], described(maps['stem.0.0']))
    Select(one(chromium, '[aria-label=特征图] select')).select_by_visible_text('过渡层 1')
    shown = described(maps['stages.1.3'])
    wait(chromium, lambda: alike(note.text.split('。')[0], shown))
    assert chromium.execute_script('return location.hash') == (
        '#lab-1?network=densenet&image=72&stage=stages.1.3'
    )


# 叫 NiN 等着，到页面里调用 go() 才去算。
LATE_NIN = """
const laboratory = document.querySelector('living-lab').laboratory
const ask = laboratory.ask.bind(laboratory)
laboratory.ask = (key, ...given) => (key.endsWith('-nin')
  ? new Promise((done) => { window.go = () => done(ask(key, ...given)) }) : ask(key, ...given))"""


def test_a_network_still_at_the_last_image_is_not_judged(
    chromium: WebDriver, site: Path
) -> None:
    """换了图像，先算好的先显示；还停在上一张的不判对错，都算好了才说一句话。"""
    open_lab(chromium, site)
    choose(chromium, 7, 2)
    status(chromium, 'DenseNet：')
    button(chromium, '载入 NiN').click()
    before = status(chromium, 'NiN')
    chromium.execute_script(LATE_NIN)
    choose(chromium, 1, 0)
    wait(chromium, lambda: '裤子 ✓' in one(chromium, '.lab__answers').text)
    densenet, nin = chromium.find_elements(By.CSS_SELECTOR, '.lab__answers td')
    if densenet.text != '裤子 ✓':
        densenet, nin = nin, densenet
    assert nin.text == '运动鞋'
    assert one(chromium, '.lab__status').text == before
    chromium.execute_script('go()')
    status(chromium, 'NiN（末尾无 ReLU）：裤子')
    assert one(chromium, '.lab__answers').text.count('✓') == 2


def described(values: torch.Tensor) -> str:
    _, channels, height, width = values.shape
    low, high = (f'{one:.2f}'.replace('-', '−') for one in values.aminmax())
    return f'{channels} 个通道，每个 {height}×{width}；数值 {low}～{high}'


def test_a_channel_of_the_first_layer_shows_its_kernel(
    chromium: WebDriver, site: Path
) -> None:
    open_lab(chromium, site, 'data-network="densenet"')
    button(chromium, '载入 DenseNet').click()
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    chromium.find_elements(By.CLASS_NAME, 'lab__map')[5].send_keys(Keys.ENTER)
    captions = [
        one.text
        for one in chromium.find_elements(By.CSS_SELECTOR, '.lab__detail figure')
    ]
    assert '通道 5' in captions[0] and '7×7' in captions[1] and '96×96' in captions[3]
    large = one(chromium, '.lab__detail canvas')
    large.send_keys(*[Keys.ARROW_LEFT] * 48, *[Keys.ARROW_DOWN] * 48)
    assert '：第 48 行第 1 列是' in one(chromium, '.lab__detail figcaption').text  # 左下角
    # 卷积核与看到的一块逐点相乘再相加，就是特征图上那一处的值。
    value, expected = run_async(chromium, KERNEL_TIMES_PATCH)
    assert value == pytest.approx(expected, abs=1e-4)


KERNEL_TIMES_PATCH = """
const laboratory = Living.laboratory()
const pixels = Uint8Array.from({ length: 784 }, (_, i) => i * 37 % 256)
const [name, layer] = ['densenet', 'stem.0.0']
const { maps } = await laboratory.call('run', { name, pixels, maps: ['image', layer] })
const { shape, data, stride, padding } = await laboratory.call('kernels', { name, layer })
const [channel, row, column] = [5, 0, 20]
const [top, left] = [row * stride[0] - padding[0], column * stride[1] - padding[1]]
const patch = Living.seenPatch(maps.image, top, left, shape[2], shape[3])
const kernel = data.subarray(channel * patch.length, (channel + 1) * patch.length)
const [, height, width] = maps[layer].shape
return [kernel.reduce((sum, w, i) => sum + w * patch[i], 0),
  maps[layer].data[(channel * height + row) * width + column]]
"""


# ---- 自己画 ---------------------------------------------------------------------


def drawn(browser: WebDriver) -> np.ndarray:
    """网络看到的 28×28，从画面上读回。"""
    script = """
    const canvas = document.querySelector('.lab__seen')
    const { data } = canvas.getContext('2d').getImageData(0, 0, 28, 28)
    return [...data].filter((_, i) => i % 4 === 0)"""
    return np.array(browser.execute_script(script)).reshape(28, 28)


def test_drawing_with_keys_and_with_the_mouse(
    chromium: WebDriver, site: Path, densenet: Network
) -> None:
    open_lab(
        chromium, site, 'data-network="densenet" data-start="draw" data-show="scores"'
    )
    button(chromium, '清空').click()
    status(chromium, 'DenseNet：')
    pad = one(chromium, '.lab__pad')
    pad.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.SPACE)
    dotted = drawn(chromium)
    assert dotted[13, 13] == 255 and 0 < (dotted > 0).sum() <= 9
    pad.send_keys(Keys.BACKSPACE)
    assert drawn(chromium).max() == 0
    across = ActionChains(chromium, duration=20).move_to_element_with_offset(
        pad, -80, 0
    )
    across.click_and_hold().move_by_offset(160, 0).release().perform()
    line = drawn(chromium)
    assert (line[13:15, 8:20] > 200).all() and line[:10].max() == 0
    image = torch.from_numpy(line.astype(np.uint8))[None, None]
    expected = percentages(densenet, image, 96)
    wait(chromium, lambda: alike(column(chromium, 2), expected))
    assert not chromium.find_elements(By.CLASS_NAME, 'lab__maps')


def open_pad(browser: WebDriver, site: Path) -> tuple[WebElement, float, float]:
    """空的画板，与它的中心。"""
    open_lab(browser, site, 'data-network="densenet" data-start="draw" data-show="scores"')
    button(browser, '清空').click()
    status(browser, 'DenseNet：')
    pad = one(browser, '.lab__pad')
    centre = """arguments[0].scrollIntoView({ block: 'center' })
    const { x, y, width, height } = arguments[0].getBoundingClientRect()
    return [x + width / 2, y + height / 2]"""
    return (pad, *browser.execute_script(centre, pad))


STRAY_MOVE = """
arguments[0].dispatchEvent(new PointerEvent('pointermove',
  { isPrimary: true, buttons: 0, clientX: arguments[1], clientY: arguments[2] }))"""


def test_only_the_left_button_draws(chromium: WebDriver, site: Path) -> None:
    """右键什么也不画；抬起来的那一下没有收到，再移过来也不画。"""
    pad, x, y = open_pad(chromium, site)
    ActionChains(chromium).context_click(pad).perform()
    assert drawn(chromium).max() == 0
    ActionChains(chromium).click_and_hold(pad).perform()
    before = drawn(chromium)
    assert before.max() > 0
    chromium.execute_script(STRAY_MOVE, pad, x + 90, y)
    assert (drawn(chromium) == before).all()
    ActionChains(chromium).move_by_offset(0, 60).release().perform()
    assert (drawn(chromium) == before).all()  # 那一笔已经完了


def test_a_second_finger_draws_no_line(chromium: WebDriver, site: Path) -> None:
    pad, x, y = open_pad(chromium, site)
    first = {'x': x - 80, 'y': y - 80, 'id': 1}
    second = {'x': x + 80, 'y': y + 80, 'id': 2}
    moved = {**second, 'y': y + 60}
    for kind, points in (
        ('touchStart', [first]), ('touchStart', [first, second]),
        ('touchMove', [first, moved]), ('touchEnd', [first]), ('touchEnd', []),
    ):  # fmt: skip
        touches = {'type': kind, 'touchPoints': points}
        chromium.execute_cdp_cmd('Input.dispatchTouchEvent', touches)
    wait(chromium, lambda: drawn(chromium).max() > 0)
    seen = drawn(chromium)
    assert seen[:10, :10].max() and seen[10:].max() == seen[:, 10:].max() == 0


def test_the_eraser_is_for_the_keyboard_too(chromium: WebDriver, site: Path) -> None:
    pad, *_ = open_pad(chromium, site)
    pad.send_keys(Keys.SPACE)
    assert drawn(chromium).max() == 255
    button(chromium, '橡皮').send_keys(Keys.ENTER)
    pad.send_keys(Keys.SPACE)
    assert drawn(chromium).max() == 0


# ---- 照片 ----------------------------------------------------------------------


def pressed(browser: WebDriver) -> list[str]:
    """按着的缩略图。"""
    thumbs = browser.find_elements(By.CSS_SELECTOR, '.lab__thumb[aria-pressed=true]')
    return [one.accessible_name for one in thumbs]


def test_only_the_thumbnail_of_the_current_image_is_pressed(
    chromium: WebDriver, site: Path
) -> None:
    """看别的类别时没有，回来又有；自己画了，就都不是。"""
    open_lab(chromium, site, 'data-network="densenet"')
    choose(chromium, 7, 2)
    here = [f'运动鞋，测试集第 {number_of(7, 2)} 张']
    assert pressed(chromium) == here
    classes = Select(one(chromium, '.lab__ways select'))
    for label, found in ((1, []), (7, here)):
        classes.select_by_index(label)
        assert pressed(chromium) == found
    button(chromium, '自己画').click()
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__pad'))
    one(chromium, '.lab__pad').send_keys(Keys.SPACE)
    button(chromium, '选一张').click()
    assert pressed(chromium) == []


SLOW_PHOTO = """
await Living.script('own')
const read = Living.readPicture
Living.readPicture = async (file) => {
  await new Promise((done) => { window.go = done })
  return read(file)
}"""


def test_a_slow_photo_gives_way_to_a_later_choice(
    chromium: WebDriver, site: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.full((30, 20), 230, np.uint8)).save(tmp_path / 'photo.png')
    (tmp_path / 'note.png').write_text('不是图片', encoding='utf-8')
    open_lab(chromium, site, 'data-network="densenet" data-start="photo"')
    run_async(chromium, SLOW_PHOTO)
    for name in ('photo.png', 'note.png'):
        one(chromium, '.lab__file').send_keys(str(tmp_path / name))
        wait(chromium, lambda: chromium.execute_script('return Boolean(window.go)'))
        button(chromium, '选一张').click()
        choose(chromium, 7, 2)
        late = 'go(); delete window.go; await new Promise((done) => setTimeout(done, 100))'
        run_async(chromium, late)
        assert '运动鞋' in one(chromium, '.lab__input figcaption').text
        assert not one(chromium, '.lab__ways .living__failure').text


def test_a_photo_is_centred_and_inverted(
    chromium: WebDriver, site: Path, tmp_path: Path
) -> None:
    photo = np.full((300, 200), 230, np.uint8)  # 亮的背景，右下有一块暗的
    photo[150:250, 100:150] = 30
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    open_lab(chromium, site, 'data-network="densenet" data-start="photo"')
    chromium.execute_script('ImageBitmap.prototype.close = () => { window.released = true }')
    one(chromium, '.lab__file').send_keys(str(tmp_path / 'photo.png'))
    status(chromium, 'DenseNet：')
    seen = drawn(chromium)
    assert chromium.execute_script('return window.released')  # 不占着几十 MB
    assert (seen[:, 7:21] > 250).all() and seen[:, :7].max() == seen[:, 21:].max() == 0
    inverting = one(chromium, '.lab__ways input[type=checkbox]')
    assert inverting.is_selected()
    inverting.click()
    wait(chromium, lambda: drawn(chromium).max() == 0)  # 不反转，暗的东西看不见
    (tmp_path / 'note.png').write_text('不是图片', encoding='utf-8')
    one(chromium, '.lab__file').send_keys(str(tmp_path / 'note.png'))
    trouble = one(chromium, '.lab__ways .living__failure')
    wait(chromium, lambda: '打不开这个文件' in trouble.text)


FIT = """
const [width, height, backdrop, thing, box, invert] = arguments
const rgba = new Uint8ClampedArray(4 * width * height)
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) {
    const inside = x >= box[0] && x < box[2] && y >= box[1] && y < box[3]
    rgba.set(inside ? thing : backdrop, 4 * (y * width + x))
  }
}
const { pixels, bright } = Living.fitPicture(rgba, width, height, invert ?? undefined)
return [[...pixels], bright]
"""
BLACK, WHITE, CLEAR = [0, 0, 0, 255], [255, 255, 255, 255], [0, 0, 0, 0]


@pytest.mark.parametrize(
    ('backdrop', 'thing', 'invert', 'bright', 'seen'),
    [
        (WHITE, [90, 20, 20, 255], None, True, 255),  # 亮的背景自己反转
        (BLACK, [0, 200, 0, 255], None, False, 255),  # 暗的背景不反转
        (CLEAR, BLACK, None, True, 255),  # 透明的当作白的
        (WHITE, BLACK, False, True, 0),  # 读者说不反转，就不反转
    ],
)
def test_a_picture_becomes_what_the_networks_know(
    chromium: WebDriver,
    site: Path,
    backdrop: list[int],
    thing: list[int],
    invert: bool | None,
    bright: bool,
    seen: int,
) -> None:
    """宽 60 高 30 的图里一个 20×10 的东西：顶到左右两边，上下居中。"""
    open_page(chromium, site, ('frame', 'own'))
    given = (60, 30, backdrop, thing, [35, 15, 55, 25], invert)
    found, is_bright = chromium.execute_script(FIT, *given)
    expected = np.zeros((28, 28), int)
    expected[7:21] = seen
    assert is_bright is bright
    assert np.array_equal(np.array(found).reshape(28, 28), expected)


def test_a_picture_of_nothing_is_black(chromium: WebDriver, site: Path) -> None:
    open_page(chromium, site, ('frame', 'own'))
    given = (40, 30, WHITE, WHITE, [0, 0, 1, 1], None)
    found, _ = chromium.execute_script(FIT, *given)
    assert set(found) == {0}


# ---- 链接、载入的进度 ------------------------------------------------------------


def shown_stage(browser: WebDriver) -> str:
    """看的是哪个网络的哪一段。"""
    network, stage = (
        Select(one(browser, selector)).first_selected_option.text
        for selector in ('.lab > * > label > select', '[aria-label=特征图] select')
    )
    return f'{network}：{stage}'


def test_a_link_loads_its_network_when_the_reader_acts(
    chromium: WebDriver, site: Path
) -> None:
    """链接指着 NiN 的一段：先载入别的也不忘，NiN 到了就停在那一段。"""
    open_link(chromium, site, '#lab-1?network=nin&image=72&stage=stages.1.1')
    status(chromium, f'就载入 {NIN}（2.0 MB）')
    button(chromium, '载入 DenseNet').click()
    status(chromium, 'DenseNet：')
    wait(chromium, lambda: one(chromium, '.lab__maps').is_displayed())
    button(chromium, f'载入 {NIN}（2.0 MB）').click()
    status(chromium, f'{NIN}：')
    wait(chromium, lambda: shown_stage(chromium) == f'{NIN}：第 2 段')


def test_the_first_image_loads_the_network_of_the_link(
    chromium: WebDriver, site: Path
) -> None:
    """不超过 3 MB 的，选了图像就取；更大的等按钮。"""
    open_link(chromium, site, '#lab-1?network=nin')
    choose(chromium, 7, 2)
    status(chromium, f'{NIN}：')
    open_link(chromium, site, '#lab-1?network=alexnet')
    choose(chromium, 7, 2)
    status(chromium, '先载入一个网络')
    assert '5.2 MB' in button(chromium, '载入 AlexNet').text


PROGRESS = """
window.steps = []
const note = () => {
  const progress = document.querySelector('.lab__loader progress')
  if (progress) steps.push([progress.value, progress.getAttribute('aria-label')])
}
new MutationObserver(note).observe(document.querySelector('.lab__loaders'),
  { childList: true, subtree: true, attributes: true, attributeFilter: ['value'] })
"""


def test_the_progress_grows_part_by_part(chromium: WebDriver, site: Path) -> None:
    open_lab(chromium, site)
    chromium.execute_script(PROGRESS)
    button(chromium, '载入 AlexNet').click()
    status(chromium, 'AlexNet：')
    steps = chromium.execute_script('return steps')
    assert {label for _, label in steps} == {'载入 AlexNet'}
    shown = list(dict.fromkeys(value for value, _ in steps))
    parts = len(list(data_folder(site).glob('weights-alexnet-*.js')))
    assert parts > 5 and shown == pytest.approx([i / parts for i in range(parts + 1)])
    assert not chromium.find_elements(By.TAG_NAME, 'progress')


# ---- 下载失败 -------------------------------------------------------------------


def test_a_failed_download_can_be_tried_again(chromium: WebDriver, site: Path) -> None:
    part = data_folder(site) / 'weights-densenet-0.js'
    hidden = part.rename(part.with_suffix('.hidden'))
    try:
        open_lab(chromium, site)
        button(chromium, '载入 DenseNet').click()
        failure = wait(
            chromium,
            lambda: chromium.find_elements(
                By.CSS_SELECTOR, '.lab__loader .living__failure'
            ),
        )
        assert '没有取到数据 weights-densenet-0' in failure[0].text
    finally:
        hidden.rename(part)
    button(chromium, '再试一次').click()
    status(chromium, 'DenseNet：')


def test_a_failed_download_waits_for_the_reader(chromium: WebDriver, site: Path) -> None:
    """没有取到之后，动笔不一次次重取；按了才再试，焦点一路跟着。"""
    part = data_folder(site) / 'weights-densenet-0.js'
    hidden = part.rename(part.with_suffix('.hidden'))
    try:
        open_lab(chromium, site, 'data-network="densenet"')
        button(chromium, '载入 DenseNet').send_keys(Keys.ENTER)
        failure = (By.CSS_SELECTOR, '.lab__loader .living__failure')
        told = wait(chromium, lambda: chromium.find_elements(*failure))[0]
        assert chromium.switch_to.active_element.text == '再试一次'
        for position in (1, 2):
            chromium.find_elements(By.CLASS_NAME, 'lab__thumb')[position].click()
        assert told.is_displayed()  # 再取一次的话，这一行已经换成进度
    finally:
        hidden.rename(part)
    button(chromium, '再试一次').send_keys(Keys.ENTER)
    status(chromium, 'DenseNet：')
    label = chromium.switch_to.active_element.get_attribute('aria-label')
    assert label == '各类的概率'


def test_a_worker_that_fails_is_told_and_can_be_started_again(
    chromium: WebDriver, site: Path
) -> None:
    open_lab(chromium, site, 'data-network="densenet"')
    chromium.execute_script(
        "window.Usual = Worker; window.Worker = function () { return new Usual('data:,throw 1') }"
    )
    button(chromium, '载入 DenseNet').click()
    failure = (By.CSS_SELECTOR, '.lab__loader .living__failure')
    told = wait(chromium, lambda: chromium.find_elements(*failure))[0]
    assert told.text.startswith('算的线程没能开始')
    chromium.execute_script('window.Worker = Usual')
    button(chromium, '再试一次').click()
    status(chromium, 'DenseNet：')


@pytest.mark.parametrize(('image', 'first'), [('-5', 0), ('1.5', 0), ('999', 0), ('12', 12)])
def test_a_wrong_number_in_the_address_does_no_harm(
    chromium: WebDriver, site: Path, image: str, first: int
) -> None:
    state = f'#lab-1?image={image}&stage=stem.0.0&channel=-1'
    open_link(chromium, site, state, 'data-network="densenet"')
    button(chromium, '载入 DenseNet').click()
    status(chromium, 'DenseNet：')
    number = number_of(*divmod(first, 10))
    assert f'测试集第 {number} 张' in one(chromium, '.lab__input figcaption').text
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    assert not chromium.find_elements(By.CSS_SELECTOR, '.lab__detail figure canvas[tabindex]')


LATE_KERNELS = """
const program = (name) => ({ taps: [name], titles: { [name]: name } })
const values = (size) => ({ shape: [1, size, size], data: new Float32Array(size * size) })
let arrive
const late = new Promise((resolve) => { arrive = resolve })
await Promise.all(['lab', 'look'].map(Living.script))
const maps = Living.createMaps(() => {}, () => {}, (name) => name === 'old' ? late : null, {})
maps.useNetwork(program('old'))
const before = maps.show({ image: values(9), old: values(5) })
maps.useNetwork(program('new'))
await maps.show({ image: values(9), new: values(3) })
arrive('kernels')
await before
return maps.element.querySelector('.lab__note').textContent
"""


def test_kernels_that_come_late_do_not_bring_back_old_maps(
    chromium: WebDriver, site: Path
) -> None:
    open_page(chromium, site, ('frame',))
    assert run_async(chromium, LATE_KERNELS).startswith('1 个通道，每个 3×3')


# ---- 读者的网络 -----------------------------------------------------------------


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(6 * 36, 10),
    )  # fmt: skip


UNREADABLE = """
window.usual = Blob.prototype.arrayBuffer
Blob.prototype.arrayBuffer = () =>
  Promise.reject(new DOMException('The requested file could not be read', 'NotReadableError'))"""


def test_the_readers_network_stands_beside_the_six(
    chromium: WebDriver, site: Path, tmp_path: Path
) -> None:
    """遮挡图一行行算完，最低、最高的概率与 occlusion_map 的相同。"""
    data = load_dataset()
    net = tiny().eval()
    page = {'page': json.dumps(page_program(net, '我的网络', 28, data))}
    content = safetensors.torch.save(encode(net), page)
    net.load_state_dict(decode(safetensors.torch.load(content)))
    (tmp_path / 'mine.safetensors').write_bytes(content)
    (tmp_path / 'wrong.safetensors').write_bytes(b'PK\3\4' + bytes(2000))
    open_lab(chromium, site)
    files = one(chromium, '.lab__file[accept=".safetensors"]')
    files.send_keys(str(tmp_path / 'wrong.safetensors'))
    trouble = one(chromium, '.lab > .living__controls .living__failure')
    wait(chromium, lambda: '不是本书写的网络' in trouble.text)
    with (tmp_path / 'large.safetensors').open('wb') as large:
        large.truncate(200_000_000)
    files.send_keys(str(tmp_path / 'large.safetensors'))
    wait(chromium, lambda: '有 200.0 MB：网页里至多打开 100.0 MB' in trouble.text)
    chromium.execute_script(UNREADABLE)
    files.send_keys(str(tmp_path / 'wrong.safetensors'))
    wait(chromium, lambda: '读不到这个文件' in trouble.text)
    chromium.execute_script('Blob.prototype.arrayBuffer = usual')
    files.send_keys(str(tmp_path / 'mine.safetensors'))
    status(chromium, '我的网络：')
    image = data.test.images[number_of(0, 0)][None]
    assert alike(column(chromium, 2), percentages(net, image, 28))
    wait(chromium, lambda: one(chromium, '.lab__maps').is_displayed())
    expected = occlusion_map(net, image, data, 28)
    button(chromium, '算 196 次').click()
    line = chromium.find_elements(By.CSS_SELECTOR, '[aria-label=凭哪里认出] [role=status]')[0]
    low, high = (f'{100 * one:.1f}%' for one in expected.values.aminmax())
    assert high != low
    wait(chromium, lambda: '最低' in line.text)
    whole = f'{100 * expected.probability:.1f}%'
    told = f'」的概率是 {whole}；盖住一块之后，最低 {low}，最高 {high}。'
    assert alike('」' + line.text.split('」')[1], told)


def open_own(browser: WebDriver, net: nn.Module, path: Path) -> None:
    """写成文件，在打开着的实验台里打开。"""
    page = {'page': json.dumps(page_program(net.eval(), '我的网络', 28, load_dataset()))}
    path.write_bytes(safetensors.torch.save(encode(net), page))
    one(browser, '.lab__file[accept=".safetensors"]').send_keys(str(path))


class Listed(nn.Module):
    """层都在一个 ModuleList 里：没有哪个子模块被整个调用，只有最后的输出可看。"""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Flatten(), nn.Linear(784, 10)])

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            X = layer(X)
        return X


@pytest.mark.parametrize(
    ('net', 'figures'),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), 1),
        (nn.Sequential(nn.AvgPool2d(2), tiny()[0], nn.Flatten(), nn.Linear(6 * 25, 10)), 1),
        (nn.Sequential(nn.BatchNorm2d(1), *tiny()), 1),
        (tiny(), 4),
        (Listed(), 1),
    ],
    ids=['no convolution', 'pooled before', 'normalized before', 'usual', 'no stage'],
)  # fmt: skip
def test_kernels_are_shown_only_of_a_layer_that_reads_the_image(
    chromium: WebDriver, site: Path, tmp_path: Path, net: nn.Module, figures: int
) -> None:
    """别的网络照样看特征图，只是没有卷积核。"""
    open_lab(chromium, site)
    open_own(chromium, net, tmp_path / 'mine.safetensors')
    status(chromium, '我的网络：')
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    chromium.find_elements(By.CLASS_NAME, 'lab__map')[0].click()
    shown = chromium.find_elements(By.CSS_SELECTOR, '[aria-label=特征图] figure')
    assert len(shown) == figures
    assert '我的网络：' in one(chromium, '.lab__status').text


def open_densenet(chromium: WebDriver, site: Path) -> None:
    """载入 DenseNet，等到它的特征图画好。"""
    open_lab(chromium, site)
    button(chromium, '载入 DenseNet').click()
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))


def test_scores_that_are_not_numbers_are_told(
    chromium: WebDriver, site: Path, tmp_path: Path
) -> None:
    """只有一行话；里面没有可看的，先前那个网络的收起来。"""
    open_densenet(chromium, site)
    net = tiny()
    nn.init.constant_(net[-1].bias, torch.nan)
    open_own(chromium, net, tmp_path / 'mine.safetensors')
    assert status(chromium, '发散') == '这个网络算出的得分不是有限的数：多半训练时发散了'
    assert not one(chromium, '.lab__maps').is_displayed()
    assert not re.search('undefined|NaN', one(chromium, '.living__panel').text)
    networks = Select(one(chromium, '.lab > * > label > select'))
    networks.select_by_visible_text('DenseNet')
    wait(chromium, lambda: one(chromium, '.lab__maps').is_displayed())


LATE_FIRST_KERNELS = """
const lab = document.querySelector('living-lab')
const call = lab.laboratory.call
lab.laboratory.call = (name, given) => (name === 'kernels'
  ? new Promise((done) => { window.go = () => done(call(name, given)) }) : call(name, given))
window.judged = []
const { show } = lab.look.heat
lab.look.heat.show = () => { judged.push(lab.chosen); show() }"""


def test_a_finished_run_does_not_act_on_another_network(
    chromium: WebDriver, site: Path, tmp_path: Path
) -> None:
    """等卷积核的时候读者选了还没有算过的网络：来得晚的不去画它。"""
    open_densenet(chromium, site)
    chromium.execute_script(LATE_FIRST_KERNELS)
    open_own(chromium, tiny(), tmp_path / 'mine.safetensors')
    wait(chromium, lambda: chromium.execute_script('return Boolean(window.go)'))
    late = """
    const lab = document.querySelector('living-lab')
    const { laboratory } = lab
    laboratory.ask = () => new Promise(() => {})
    delete lab.networks.get('densenet').result
    lab.choose('densenet')
    go()
    await new Promise((done) => setTimeout(done, 100))
    return [judged, document.querySelector('.lab__status').textContent]"""
    judged, said = run_async(chromium, late)
    assert judged == [] and '请更新浏览器' not in said


# ---- 手机、读屏、大小、没有脚本 ------------------------------------------------------

AXE_RUN = """
const [done] = arguments
axe.run('living-lab', { resultTypes: ['violations'] }).then((report) => done(
  report.violations.map((rule) => `${rule.id}：${rule.nodes[0].html}`)))
"""


def test_the_lab_fits_a_phone_and_can_be_read_aloud(
    chromium: WebDriver, site_url: str
) -> None:
    """成品里的一页，深浅两种；从服务器打开。"""
    chromium.get(f'{site_url}/chapters/lab.html')
    wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, '.living--ready'))
    button(chromium, '载入 DenseNet').click()
    status(chromium, 'DenseNet：')
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    chromium.find_elements(By.CLASS_NAME, 'lab__map')[0].click()
    device = {'width': 375, 'height': 800, 'deviceScaleFactor': 1, 'mobile': True}
    chromium.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', device)
    try:
        wide = 'return document.scrollingElement.scrollWidth'
        assert chromium.execute_script(wide) == 375
        small = """return [...document.querySelectorAll('living-lab :is(button, select)')]
          .map((one) => one.getBoundingClientRect())
          .filter(({ height, width }) => height && Math.min(height, width) < 44).length"""
        assert chromium.execute_script(small) == 0
        chromium.execute_script(AXE)
        for theme in ('light', 'dark'):
            chromium.execute_script(
                'document.documentElement.dataset.theme = arguments[0]', theme
            )
            assert chromium.execute_async_script(AXE_RUN) == []
        media = {'media': 'print'}
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', media)
        assert not one(chromium, '.living__panel').is_displayed()
        assert one(chromium, '.living__still img').is_displayed()
    finally:
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
        chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


FORCED = {'features': [{'name': 'forced-colors', 'value': 'active'}]}
BACKGROUNDS = """return [...document.querySelectorAll('.living__controls [aria-pressed]')]
  .map((one) => [one.ariaPressed, getComputedStyle(one).backgroundColor])"""


def test_what_is_pressed_is_seen_in_forced_colours(chromium: WebDriver, site: Path) -> None:
    open_lab(chromium, site)
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', FORCED)
    try:
        (state, colour), *others = chromium.execute_script(BACKGROUNDS)
    finally:
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})
    assert state == 'true' and {one for one, _ in others} == {'false'}
    assert colour not in {other for _, other in others}


def loaded(browser: WebDriver) -> dict[str, int]:
    """活页取来的文件 → 压缩之后的字节数；从磁盘打开的页面没有这份记录。"""
    names = browser.execute_script(
        'return performance.getEntriesByType("resource").map((one) => one.name)'
    )
    paths = [
        name.split('/_static/')[1].split('?')[0] for name in names if '/living/' in name
    ]
    static = SITE / '_static'
    return {
        Path(path).name: len(gzip.compress((static / path).read_bytes(), 9))
        for path in paths
    }


def test_little_comes_before_a_click(chromium: WebDriver, site_url: str) -> None:
    """快要看到时来界面与 100 张图像，读者动手才来引擎与权重。"""
    chromium.get(f'{site_url}/chapters/lab.html')
    wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, '.living--ready'))
    before = loaded(chromium)
    assert before.keys() == {'frame.js', 'lab.js', 'picker.js', *DATA}
    button(chromium, '载入 DenseNet').click()
    status(chromium, 'DenseNet：')
    button(chromium, '自己画').click()
    wait(chromium, lambda: one(chromium, '.lab__pad').is_displayed())
    after = loaded(chromium)
    weights = {'weights-densenet-0.js', 'weights-densenet-1.js', 'program-densenet.js'}
    scripts = {'frame.js', 'lab.js', 'picker.js', 'look.js', 'laboratory.js', 'own.js'}
    assert after.keys() == {*scripts, *weights, *DATA}
    assert sum(after[name] for name in scripts) < 25_000


@pytest.mark.parametrize(
    'state', ['network=nin&stage=stages.1.1', 'network=densenet&stage=stages.2&channel=3']
)
def test_a_link_brings_no_weights_before_a_click(
    chromium: WebDriver, site_url: str, state: str
) -> None:
    chromium.get('about:blank')
    chromium.get(f'{site_url}/chapters/lab.html#lab-1?{state}')
    wait(chromium, lambda: chromium.find_elements(By.CSS_SELECTOR, '.living--ready'))
    sleep(0.5)  # 这时就取的话，已经在路上
    assert loaded(chromium).keys() == {'frame.js', 'lab.js', 'picker.js', *DATA}
    name = NIN if 'nin' in state else 'DenseNet'
    button(chromium, f'载入 {name}（').click()
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    stages = Select(one(chromium, '[aria-label=特征图] select'))
    assert f'stage={stages.first_selected_option.get_attribute("value")}' in state
    pressed = chromium.find_elements(By.CSS_SELECTOR, '.lab__map[aria-pressed=true]')
    assert len(pressed) == ('channel' in state)


def test_a_chapter_takes_its_bench_in_one_piece(
    chromium: WebDriver, site_url: str
) -> None:
    """点过之后来一个脚本，画板、引擎、特征图都在里面。"""
    chromium.get(f'{site_url}/chapters/densenet.html')
    chromium.execute_script("document.querySelector('living-lab').scrollIntoView()")
    offer = wait(
        chromium,
        lambda: chromium.find_elements(
            By.CSS_SELECTOR, 'living-lab .living__offer button'
        ),
    )[0]
    offer.send_keys(Keys.ENTER)
    wait(
        chromium,
        lambda: chromium.find_elements(By.CSS_SELECTOR, 'living-lab.living--ready'),
    )
    button(chromium, '自己画').send_keys(Keys.ENTER)
    wait(chromium, lambda: one(chromium, '.lab__pad').is_displayed())
    one(chromium, '.lab__pad').send_keys(Keys.SPACE)
    status(chromium, 'DenseNet：')
    wait(chromium, lambda: chromium.find_elements(By.CLASS_NAME, 'lab__map'))
    assert not {'lab.js', 'own.js', 'look.js', 'laboratory.js'} & loaded(chromium).keys()


def test_data_before_a_click_is_below_a_megabyte() -> None:
    data = SITE / '_static' / 'living' / 'data'
    assert sum((data / name).stat().st_size for name in DATA) < 1_000_000


def test_the_committed_samples_are_those_of_the_test_set() -> None:
    """不同的话，运行 python tools/living/write_samples.py。"""
    assert SCRIPT.read_text(encoding='utf-8') == samples(load_dataset())


def told_in(page: str) -> list[str]:
    """一页里嵌着的图画的是哪些文字。"""
    source = PICTURE.search(page)[2].removeprefix(PREFIX)
    return Image.open(io.BytesIO(base64.b64decode(source))).text[ANSWERS].splitlines()


def test_the_still_figure_shows_what_the_network_says() -> None:
    """不同的话，运行 python tools/living/draw_still.py。概率容许差 1%：各机器舍入不同。"""
    expected = [line.replace('%', '').split() for line in answers()]
    for path in PAGES:
        found = [
            line.replace('%', '').split() for line in told_in(path.read_text('utf-8'))
        ]
        assert len(found) == 10
        for told, right in zip(found, expected, strict=True):
            assert [*told[:2], told[3]] == [*right[:2], right[3]]
            assert abs(int(told[2]) - int(right[2])) <= 1


def test_the_landing_page_and_the_chapter_have_their_lab() -> None:
    index = (SITE / 'index.html').read_text(encoding='utf-8')
    assert 'data-show="scores"' in index and 'living__still' in index
    chapter = (SITE / 'chapters' / 'densenet.html').read_text(encoding='utf-8')
    assert '<living-lab' in chapter and 'data-network="densenet"' in chapter
