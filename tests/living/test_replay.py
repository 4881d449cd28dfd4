"""训练的影片在页面里：像素就是存下的 int8；拖动、方向键、播放；没有影片的页只有原来的图。"""

import base64
import json
import shutil
import zlib
from pathlib import Path
from types import SimpleNamespace

import book_living
import pytest
import safetensors.torch
import torch
from axe import AXE
from book_living import data_scripts
from book_living.films import replay
from book_living.script_files import write_script
from book_living.scripts import write_scripts
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from torch import Tensor

from deepcnn.data import load_dataset, prepare
from deepcnn.models import create
from deepcnn.training.film import packed, take

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'
EPOCHS = 2
RUN = {
    'train_loss': [1.5, 0.75],
    'train_accuracy': [0.4, 0.7],
    'test_accuracy': [0.5, 0.625],
}
PAGE = """<!doctype html><html lang="zh" data-content_root="./"><title>影片</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><main>
<link rel="stylesheet" href="_static/living/living.css">
<link rel="stylesheet" href="_static/living/chart.css">
<link rel="stylesheet" href="_static/living/replay.css">
<living-replay id="replay-1" class="living" data-network="densenet" data-bytes="50000"
data-scripts="replay" data-open="重放这次训练（取 49 KB）">
<div class="living__still"><figure><img alt="曲线"
src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
width="300" height="200"><figcaption>图注</figcaption></figure></div></living-replay></main>
<script src="_static/living/frame.js"></script></html>"""


@pytest.fixture(scope='module')
def tensors() -> dict[str, Tensor]:
    """三幕，各是一个刚造好的 DenseNet。"""
    data = load_dataset()
    X = prepare(data.test.images[:1], 48, data)
    frames = []
    for seed in range(EPOCHS + 1):
        torch.manual_seed(seed)
        frames.append(take(create('densenet'), X))
    return packed(frames)


def write(
    folder: Path, tensors: dict[str, Tensor], epochs: int = EPOCHS
) -> tuple[Path, Path]:
    """影片与记录，如同刚录完。"""
    film, record = folder / 'densenet.safetensors', folder / 'densenet.json'
    film.write_bytes(safetensors.torch.save(tensors))
    run = {name: values[:epochs] for name, values in RUN.items()}
    record.write_text(json.dumps({'runs': [run]}), 'utf-8')
    return film, record


def test_the_data_are_the_film(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    found = replay(*write(tmp_path, tensors))
    blocks = {'kernels': found['kernels']}
    blocks |= {f'maps.{one["place"]}': one for one in found['maps']}
    quantized = {name for name, values in tensors.items() if values.dtype == torch.int8}
    assert blocks.keys() == quantized
    for name, block in blocks.items():
        values = zlib.decompress(base64.b64decode(block['values']))
        assert values == tensors[name].numpy().tobytes()
        assert block['shape'] == list(tensors[name].shape)
        assert block['scale'] == tensors[f'{name}.scale'].tolist()
    for one in found['maps']:
        assert one['channels'] == tensors[f'maps.{one["place"]}.channels'].tolist()
    sides = [one['shape'][-1] for one in found['maps']]
    assert sides == sorted(sides, reverse=True)
    assert found['probabilities'] == tensors['probabilities'].tolist()
    assert found['test_accuracy'] == RUN['test_accuracy']


def test_a_film_of_another_training_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    with pytest.raises(ValueError, match='3 幕，记录有 1 轮'):
        replay(*write(tmp_path, tensors, epochs=1))


@pytest.fixture
def page(
    chromium: WebDriver,
    tmp_path: Path,
    tensors: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> WebDriver:
    """一幅图与它的影片，从磁盘打开，还没有点。"""
    (tmp_path / 'full').mkdir()
    film, record = write(tmp_path, tensors)
    record.rename(tmp_path / 'full' / 'densenet.json')
    monkeypatch.setattr(data_scripts, 'RESULTS', tmp_path)
    shutil.copytree(LIVING, tmp_path / '_static' / 'living')
    folder = tmp_path / '_static' / 'living' / 'data'
    write_script(folder, 'replay-densenet', data_scripts.replayed(film))
    write_scripts(LIVING, tmp_path / '_static' / 'living')
    (tmp_path / 'page.html').write_text(PAGE, 'utf-8')
    open_page(chromium, tmp_path, '')
    return chromium


def open_page(browser: WebDriver, folder: Path, hash_: str) -> None:
    browser.get('about:blank')
    browser.get((folder / 'page.html').as_uri() + hash_)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, 'living-replay button'))


def wait(browser: WebDriver, condition: object) -> object:
    return WebDriverWait(browser, 30, poll_frequency=0.02).until(lambda _: condition())


def begin(browser: WebDriver) -> None:
    browser.find_element(By.CSS_SELECTOR, 'living-replay button').send_keys(Keys.ENTER)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, '.replay__bars li'))


def said(browser: WebDriver) -> str:
    return browser.find_element(By.CSS_SELECTOR, '.replay__controls output').text


def painted(browser: WebDriver, selector: str) -> Tensor:
    """一块画布里的 int8：深浅是绝对值，红为正，蓝为负。"""
    pixels = browser.execute_script(
        """
        const canvas = document.querySelector(arguments[0])
        const context = canvas.getContext('2d')
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
        return [canvas.height, canvas.width, [...data]]
        """,
        selector,
    )
    height, width, values = pixels
    red, _, blue, alpha = torch.tensor(values).view(height, width, 4).unbind(-1)
    size = (alpha * 127 / 255).round()
    return torch.where(blue > red, -size, size).to(torch.int8)


def test_the_pixels_are_the_stored_numbers(
    page: WebDriver, tensors: dict[str, Tensor]
) -> None:
    image = page.find_element(By.TAG_NAME, 'img')
    assert image.is_displayed()
    begin(page)
    assert not image.is_displayed()
    assert page.find_element(By.TAG_NAME, 'figcaption').is_displayed()
    maps = [n for n, v in tensors.items() if n[:5] == 'maps.' and v.dtype == torch.int8]
    slider = page.find_element(By.CSS_SELECTOR, 'input[type=range]')
    for frame in (2, 1, 0):
        kernels = painted(page, '.replay__canvas')
        for index in (0, 17, 63):
            row, column = divmod(index, 16)
            one = kernels[8 * row : 8 * row + 7, 8 * column : 8 * column + 7]
            assert torch.equal(one, tensors['kernels'][frame, index, 0])
        tile = painted(page, '.replay__tiles canvas:nth-child(3)')
        widest = max(maps, key=lambda name: tensors[name].shape[-1])
        assert torch.equal(tile, tensors[widest][frame, 2])
        bars = page.find_elements(By.CSS_SELECTOR, '.replay__bars li')
        wanted = [f'{100 * p:.1f}%' for p in tensors['probabilities'][frame].tolist()]
        assert [bar.text.split()[-1] for bar in bars] == wanted
        slider.send_keys(Keys.ARROW_LEFT)


def test_places_are_called_as_in_the_lab(page: WebDriver) -> None:
    begin(page)
    text = page.find_element(By.TAG_NAME, 'living-replay').text
    assert '稠密块 1（' in text and '稠密块 2（' in text
    assert '阶段' not in text


def test_the_slider_tells_the_epoch(page: WebDriver) -> None:
    begin(page)
    assert said(page) == '第 2 轮：损失 0.750，测试准确率 62.5%'
    slider = page.find_element(By.CSS_SELECTOR, 'input[type=range]')
    slider.send_keys(Keys.ARROW_LEFT)
    assert said(page) == '第 1 轮：损失 1.500，测试准确率 50.0%'
    assert page.execute_script('return location.hash') == '#replay-1?epoch=1'
    slider.send_keys(Keys.HOME)
    assert said(page) == slider.get_attribute('aria-valuetext') == '训练之前'
    ends = page.find_elements(By.CLASS_NAME, 'replay__cursor')
    left = [one.get_attribute('x1') for one in ends]
    slider.send_keys(Keys.END)
    assert all(
        float(one.get_attribute('x1')) > float(x)
        for one, x in zip(ends, left, strict=True)
    )


def test_it_plays_only_when_asked(page: WebDriver) -> None:
    begin(page)
    play = page.find_element(By.CSS_SELECTOR, '.replay__controls button')
    assert play.text == '播放'
    play.send_keys(Keys.ENTER)
    assert (said(page), play.text) == ('训练之前', '暂停')
    wait(page, lambda: said(page).startswith('第 1 轮'))
    wait(page, lambda: said(page).startswith('第 2 轮'))
    assert play.text == '播放'
    assert page.execute_script('return location.hash') == '#replay-1?epoch=2'


def test_a_calm_reader_sees_the_end_at_once(page: WebDriver) -> None:
    """系统设成少动的：不逐轮地放，直接到最后一轮。"""
    features = [{'name': 'prefers-reduced-motion', 'value': 'reduce'}]
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})
    try:
        begin(page)
        slider = page.find_element(By.CSS_SELECTOR, 'input[type=range]')
        slider.send_keys(Keys.HOME)
        assert said(page) == '训练之前'
        play = page.find_element(By.CSS_SELECTOR, '.replay__controls button')
        play.send_keys(Keys.ENTER)
        assert said(page).startswith('第 2 轮') and play.text == '播放'
        assert page.execute_script('return location.hash') == '#replay-1?epoch=2'
    finally:
        page.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})


def test_a_link_opens_the_epoch(page: WebDriver, tmp_path: Path) -> None:
    open_page(page, tmp_path, '#replay-1?epoch=1')
    assert wait(page, lambda: said(page)).startswith('第 1 轮')
    open_page(page, tmp_path, '#replay-1?epoch=99')
    assert wait(page, lambda: said(page)).startswith('第 2 轮')


def test_a_missing_film_keeps_the_figure(page: WebDriver, tmp_path: Path) -> None:
    (tmp_path / '_static/living/data/replay-densenet.js').rename(tmp_path / 'kept.js')
    open_page(page, tmp_path, '')
    page.find_element(By.CSS_SELECTOR, 'living-replay button').send_keys(Keys.ENTER)
    failure = wait(page, lambda: page.find_elements(By.CLASS_NAME, 'living__failure'))[0]
    assert '没有取到数据 replay-densenet' in failure.text
    assert page.find_element(By.TAG_NAME, 'img').is_displayed()
    (tmp_path / 'kept.js').rename(tmp_path / '_static/living/data/replay-densenet.js')
    begin(page)


def test_it_fits_a_phone_and_axe_accepts_it(page: WebDriver) -> None:
    size = {'width': 375, 'height': 800, 'deviceScaleFactor': 1, 'mobile': True}
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    try:
        begin(page)
        assert page.execute_script('return document.documentElement.scrollWidth') <= 375
        page.execute_script(AXE)
        assert page.execute_async_script(
            'axe.run("living-replay").then((r) => arguments[0](r.violations.map((v) => v.id)))'
        ) == []  # fmt: skip
    finally:
        page.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_without_its_data_the_figure_stands_alone() -> None:
    node = book_living.Living(name='replay', options={'network': 'nin'})
    app = SimpleNamespace(living_bytes={'replay-densenet': 1})
    translator = SimpleNamespace(body=[], builder=SimpleNamespace(app=app))
    book_living.visit_living(translator, node)
    book_living.depart_living(translator, node)
    assert translator.body == []


def test_records_that_cannot_be_compared_do_not_fail_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ValueError('不能放在一起比')

    monkeypatch.setattr(data_scripts, 'load_records', refuse)
    made = {'answers': data_scripts.answers, 'good': lambda: [1]}
    monkeypatch.setattr(data_scripts, 'all_data', lambda: made)
    written = data_scripts.write_all(tmp_path)
    (only,) = tmp_path.rglob('*.js')
    assert only.read_text('utf-8') == 'Living.put("good", [1])\n'
    assert written == {'good': only.stat().st_size}
