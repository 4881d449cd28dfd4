"""卷积步进器：算术与 PyTorch 相同；一步步走、改卷积核、放不下时的话、三种样子。"""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from axe import AXE
from living.convolution_data import TARGET, script
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from deepcnn.anatomy.windows import Window, seen_units
from deepcnn.data.fashion_mnist import load_dataset

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'
SCRIPTS = ('frame', 'sliding', 'stepper_controls', 'convolution')
PAGE = """<!doctype html><html lang="zh" data-content_root="./"><meta charset="utf-8">
<title>步进器</title><link rel="stylesheet" href="_static/living/living.css">
<link rel="stylesheet" href="_static/living/convolution.css"><main>
<living-convolution id="convolution-1" class="living" data-mode="{}">
<div class="living__still"><figure><img alt="" width="9" height="9"><figcaption>图注</figcaption>
</figure></div></living-convolution></main>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(LIVING, tmp_path / '_static' / 'living')
    return tmp_path


def opened(
    browser: WebDriver, site: Path, mode: str = 'window', hash_: str = ''
) -> WebDriver:
    tags = ''.join(
        f'<script src="_static/living/{name}.js"></script>' for name in SCRIPTS
    )
    (site / 'page.html').write_text(PAGE.format(mode) + tags + '</html>', 'utf-8')
    browser.get('about:blank')
    browser.get((site / 'page.html').as_uri() + hash_)
    WebDriverWait(browser, 10, poll_frequency=0.02).until(
        lambda _: browser.find_elements(By.CLASS_NAME, 'living--ready')
    )
    return browser


def text(browser: WebDriver, name: str) -> str:
    return browser.find_element(By.CLASS_NAME, f'stepper__{name}').text


def press(browser: WebDriver, label: str) -> None:
    browser.find_element(By.XPATH, f'//button[.="{label}"]').click()


def control(browser: WebDriver, label: str) -> WebElement:
    path = f'//label[starts-with(., "{label}")]/*[self::input or self::select]'
    return browser.find_element(By.XPATH, path)


def choose(browser: WebDriver, label: str, value: str) -> None:
    Select(control(browser, label)).select_by_visible_text(value)


# ---- 算术 ----


def random_window(chosen: random.Random) -> dict[str, int]:
    return {
        'size': chosen.randint(1, 14), 'kernel': chosen.randint(1, 7),
        'stride': chosen.randint(1, 4), 'padding': chosen.randint(0, 3),
        'dilation': chosen.randint(1, 5),
    }  # fmt: skip


def by_torch(case: dict) -> list[float] | None:
    """PyTorch 的输出，一串数；放不下时是 None。"""
    window = case['window']
    X = torch.tensor(case['image'], dtype=torch.float64)
    X = X.view(1, 1, window['size'], -1)
    where = {name: window[name] for name in ('stride', 'padding', 'dilation')}
    try:
        if case['kind'] == 'conv':
            weight = torch.tensor(case['weights'], dtype=torch.float64)
            Y = F.conv2d(X, weight.view(1, 1, window['kernel'], -1), **where)
        elif case['kind'] == 'max':
            Y = F.max_pool2d(X, window['kernel'], **where)
        else:
            del where['dilation']
            Y = F.avg_pool2d(X, window['kernel'], **where)
    except RuntimeError:
        return None
    return Y.flatten().clamp(min=-1e300).tolist()


COMPUTE = """
return arguments[0].map(({ image, window, kind, weights }) => {
  if (Sliding.misfit(window, kind !== 'conv')) return null
  return Array.from(Sliding.slide(image, window, kind, weights), (value) => Math.max(value, -1e300))
})
"""


def test_outputs_are_those_of_pytorch(chromium: WebDriver, site: Path) -> None:
    chosen, cases = random.Random(0), []
    for kind in ('conv', 'max', 'average') * 140:
        window = random_window(chosen)
        if kind == 'average':
            window['dilation'] = 1
        image = [chosen.randint(0, 255) for _ in range(window['size'] ** 2)]
        weights = [chosen.gauss(0, 1) for _ in range(window['kernel'] ** 2)]
        cases.append(
            {'image': image, 'window': window, 'kind': kind, 'weights': weights}
        )
    expected = [by_torch(case) for case in cases]
    found = opened(chromium, site).execute_script(COMPUTE, cases)
    assert [one is None for one in found] == [one is None for one in expected]
    assert 200 < sum(one is not None for one in expected) < len(cases)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == (theirs and pytest.approx(theirs, rel=1e-9, abs=1e-9))


def test_stacked_and_mixed_are_those_of_the_package(
    chromium: WebDriver, site: Path
) -> None:
    chosen = random.Random(1)
    stacks = [
        [
            {
                'kernel': kernel,
                'stride': chosen.randint(1, 3),
                'padding': chosen.randint(0, kernel - 1),
            }
            for kernel in (chosen.randint(1, 7) for _ in range(chosen.randint(1, 4)))
        ]
        for _ in range(60)
    ]
    maps = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    weights = [0.5, -1.25, 2.0]
    found = opened(chromium, site).execute_script(
        'const [stacks, maps, weights] = arguments; const mixed = Sliding.mix(maps, weights, 3);'
        'return [stacks.map((one) => Sliding.seenUnits(one, 4)), mixed, Sliding.mean(mixed)]',
        stacks, maps.flatten(1).tolist(), weights,
    )  # fmt: skip
    for spans, stack in zip(found[0], stacks, strict=True):
        windows = [
            Window(one['kernel'], one['stride'], one['padding']) for one in stack
        ]
        assert [tuple(span) for span in spans] == seen_units(windows, 4)
    kernel = torch.tensor(weights).double().view(1, 3, 1, 1)
    Y = F.conv2d(maps[None], kernel, torch.tensor([3.0]).double())
    assert found[1] == pytest.approx(Y.flatten().tolist())
    assert found[2] == pytest.approx(F.adaptive_avg_pool2d(Y, 1).item())


def test_presets_do_what_they_are_called(chromium: WebDriver, site: Path) -> None:
    presets = opened(chromium, site).execute_script(
        'return [3, 4, 7].map((k) => Object.entries(Sliding.PRESETS)'
        '.map(([name, make]) => [name, make(k)]))'
    )
    for k, rows in zip((3, 4, 7), presets, strict=True):
        kernels = {
            name: torch.tensor(values).view(k, k).double() for name, values in rows
        }
        assert kernels['竖的边缘'].sum() == 0 and kernels['竖的边缘'][0, -1] == 1
        assert torch.equal(kernels['横的边缘'], kernels['竖的边缘'].T)
        assert torch.allclose(kernels['模糊'], torch.full((k, k), 1 / k**2).double())
        for name in ('锐化', '原样'):
            assert kernels[name].sum() == 1 and kernels[name].argmax() == (
                k - 1
            ) // 2 * (k + 1)


def test_a_resized_kernel_keeps_its_middle(chromium: WebDriver, site: Path) -> None:
    grown, cut = opened(chromium, site).execute_script(
        'const three = [1, 2, 3, 4, 5, 6, 7, 8, 9];'
        'return [Sliding.resized(three, 3, 5), Sliding.resized(three, 3, 1)]'
    )
    wanted = F.pad(torch.arange(1, 10).view(3, 3), (1, 1, 1, 1))
    assert grown == wanted.flatten().tolist() and cut == [5]


def test_committed_data_are_those_of_the_code() -> None:
    assert TARGET.read_text(encoding='utf-8') == script()


def test_pixels_are_those_of_the_data_set(chromium: WebDriver, site: Path) -> None:
    cells = opened(chromium, site).find_elements(By.CLASS_NAME, 'stepper__cell')
    window = load_dataset().test.images[0, 0, 13:16, 13:16]
    assert [int(one.text) for one in cells] == window.flatten().tolist()


# ---- 一步步走 ----


def test_products_come_one_at_a_time(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site)
    assert chromium.execute_script('return location.hash') == ''  # 没有动过，不改网址
    press(chromium, '从头')
    chromium.find_element(By.CLASS_NAME, 'stepper__map').send_keys(
        *[Keys.ARROW_DOWN] * 11, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT
    )
    assert text(chromium, 'sum') == '第 12 行第 1 个输出：0×(−1) + 0×0 = 0'
    choose(chromium, '每步', '一个输出')
    press(chromium, '下一步')
    X = load_dataset().test.images[0].double()
    kernel = torch.tensor([-1.0, 0, 1]).double().repeat(3, 1)
    Y = F.conv2d(X, kernel.view(1, 1, 3, 3))[0]
    chromium.find_element(By.CLASS_NAME, 'stepper__map').send_keys(
        *[Keys.ARROW_RIGHT] * 13
    )
    assert text(chromium, 'sum').startswith('第 12 行第 14 个输出：')
    assert text(chromium, 'sum').endswith(f'= {int(Y[11, 13])}'.replace('-', '−'))
    figures = chromium.find_elements(By.CSS_SELECTOR, '.stepper figcaption')
    assert figures[1].text == f'输出 26×26，算好 {11 * 26 + 14} 个'


def test_playing_stops_at_the_end_and_can_be_paused(
    chromium: WebDriver, site: Path
) -> None:
    opened(chromium, site, hash_='#convolution-1?kernel=7&stride=4&dilation=4')
    assert text(chromium, 'size').startswith('输出边长 = ⌊(28 + 2×0 − 25) / 4⌋ + 1 = 1')
    choose(chromium, '每步', '一个输出')
    press(chromium, '播放')
    playing = chromium.find_elements(By.XPATH, '//button[.="暂停"]')
    WebDriverWait(chromium, 5, poll_frequency=0.02).until(
        lambda _: chromium.find_elements(By.XPATH, '//button[.="播放"]')
    )
    assert playing and '= ' in text(chromium, 'sum')
    opened(chromium, site).find_element(By.CLASS_NAME, 'stepper__map').send_keys(
        Keys.SPACE
    )
    press(chromium, '暂停')
    assert chromium.find_elements(By.XPATH, '//button[.="播放"]')


@pytest.fixture
def calm(chromium: WebDriver) -> WebDriver:
    """系统设成少动的浏览器。"""
    features = [{'name': 'prefers-reduced-motion', 'value': 'reduce'}]
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})
    yield chromium
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})


def test_a_calm_reader_sees_the_end_at_once(calm: WebDriver, site: Path) -> None:
    opened(calm, site)
    press(calm, '播放')
    assert not calm.find_elements(By.XPATH, '//button[.="暂停"]')
    figures = calm.find_elements(By.CSS_SELECTOR, '.stepper figcaption')
    assert figures[1].text == '输出 26×26，算好 676 个'
    opened(calm, site, 'stack')
    press(calm, '只看最上面')
    assert len(calm.find_elements(By.TAG_NAME, 'rect')) == 1
    press(calm, '从上往下播放')
    assert len(calm.find_elements(By.TAG_NAME, 'rect')) == 3
    assert not calm.find_elements(By.XPATH, '//button[.="暂停"]')


def test_the_kernel_can_be_edited(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site)
    weight = chromium.find_elements(By.CSS_SELECTOR, '.stepper__grid input')[4]
    weight.clear()
    weight.send_keys('很大', Keys.TAB)
    assert (
        text(chromium, 'problem') == '卷积核第 2 行第 2 个「很大」不是数，照原来的算。'
    )
    weight = chromium.find_elements(By.CSS_SELECTOR, '.stepper__grid input')[4]
    weight.clear()
    weight.send_keys('−2.5', Keys.TAB)
    press(chromium, '算完')
    press(chromium, '从头')
    chromium.find_elements(By.CLASS_NAME, 'stepper__map')[1].send_keys(Keys.END)
    assert '0×(−2.5)' in text(chromium, 'sum')
    assert Select(control(chromium, '卷积核')).first_selected_option.text == '自己填'


def test_a_changed_weight_keeps_the_focus(chromium: WebDriver, site: Path) -> None:
    """改完一个按 Tab 到下一个，不回到页首。"""
    opened(chromium, site)
    weight = chromium.find_elements(By.CSS_SELECTOR, '.stepper__grid input')[4]
    weight.clear()
    weight.send_keys('2.5', Keys.ENTER)
    assert chromium.switch_to.active_element == weight
    weight.send_keys('0', Keys.TAB)
    label = chromium.switch_to.active_element.get_attribute('aria-label')
    assert label == '第 2 行第 3 个权重'
    choose(chromium, '卷积核', '横的边缘')
    assert weight.get_attribute('value') == '0'  # 同一个框，换了数


def test_sliders_are_read_once(chromium: WebDriver, site: Path) -> None:
    """滑块旁的数不另念一遍：读屏已经念了滑块的。"""
    opened(chromium, site)
    outputs = chromium.find_elements(By.TAG_NAME, 'output')
    assert {one.get_attribute('aria-live') for one in outputs} == {'off'}


def test_what_does_not_fit_is_told_in_one_line(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site, hash_='#convolution-1?kernel=7&dilation=5')
    told = text(chromium, 'problem')
    assert told.startswith('窗口撑开之后边长 31，图连同填充只有 28，放不下')
    press(chromium, '下一步')
    assert text(chromium, 'size') == text(chromium, 'sum') == ''
    control(chromium, '填充').send_keys(Keys.END)
    assert text(chromium, 'size').endswith(
        '= 4（7×7 的窗口每隔 5 格取一个，撑开成 31×31）'
    )
    assert not chromium.find_element(By.CLASS_NAME, 'stepper__problem').is_displayed()


def test_pooling_takes_the_largest_or_the_mean(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site)
    patch = load_dataset().test.images[0, 0, 14:16, 14:16].flatten().tolist()
    for kind, told in (
        ('最大池化', f'max({"，".join(map(str, patch))}) = {max(patch)}'),
        (
            '平均池化',
            f'{" + ".join(map(str, patch))} = {sum(patch)}，除以 4，得 {sum(patch) / 4:g}',
        ),
    ):
        choose(chromium, '做什么', kind)
        chromium.find_element(By.CLASS_NAME, 'stepper__map').send_keys(
            *[Keys.ARROW_RIGHT] * 4
        )
        assert text(chromium, 'sum') == f'第 8 行第 8 个输出：{told}'
        assert text(chromium, 'size') == '输出边长 = ⌊(28 + 2×0 − 2) / 2⌋ + 1 = 14'
    assert not chromium.find_element(
        By.CSS_SELECTOR, '.stepper__grid input'
    ).is_displayed()


@pytest.mark.parametrize('kernel', ['学得的 #36', '横的边缘'])
def test_the_kernel_is_still_there_after_pooling(
    chromium: WebDriver, site: Path, kernel: str
) -> None:
    opened(chromium, site)
    choose(chromium, '卷积核', kernel)
    before = [text(chromium, part) for part in ('size', 'sum')]
    choose(chromium, '做什么', '最大池化')
    control(chromium, '窗口').send_keys(Keys.ARROW_RIGHT)
    assert text(chromium, 'size').startswith('输出边长 = ⌊(28 + 2×0 − 3) / 2⌋')
    opened(chromium, site, hash_=chromium.execute_script('return location.hash'))
    assert text(chromium, 'size').startswith('输出边长 = ⌊(28 + 2×0 − 3) / 2⌋')
    choose(chromium, '做什么', '卷积')
    assert Select(control(chromium, '卷积核')).first_selected_option.text == kernel
    assert [text(chromium, part) for part in ('size', 'sum')] == before


def test_weights_are_named_by_their_place(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site, hash_='#convolution-1?kind=max')
    choose(chromium, '做什么', '卷积')
    cells = chromium.find_elements(By.CSS_SELECTOR, '.stepper__grid input')
    assert cells[4].get_attribute('aria-label') == '第 2 行第 2 个权重'


def test_up_and_down_stop_at_the_edges(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site)
    picture = chromium.find_element(By.CLASS_NAME, 'stepper__map')
    picture.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert text(chromium, 'sum').startswith('第 1 行第 1 个输出')
    picture.send_keys(*[Keys.ARROW_DOWN] * 30)
    assert text(chromium, 'sum').startswith('第 26 行第 1 个输出')


def test_a_click_on_the_input_brings_the_window_near(
    chromium: WebDriver, site: Path
) -> None:
    """步幅 4：第 4 行离第 5 行开始的窗口近，最末一行够不着，停在最后一个。"""
    opened(chromium, site, hash_='#convolution-1?stride=4')
    box = chromium.find_element(By.CLASS_NAME, 'stepper__map')
    cell = box.size['width'] / 28
    for row, column, told in ((3, 5, (2, 2)), (27, 1, (7, 1))):
        place = ((column + 0.5 - 14) * cell, (row + 0.5 - 14) * cell)
        ActionChains(chromium).move_to_element_with_offset(box, *place).click().perform()
        assert text(chromium, 'sum').startswith(f'第 {told[0]} 行第 {told[1]} 个输出：')


def test_what_does_not_fit_does_not_play(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site, hash_='#convolution-1?kernel=7&dilation=5')
    press(chromium, '播放')
    assert '暂停' not in chromium.find_element(By.CLASS_NAME, 'living__panel').text


def test_a_link_brings_the_settings_back(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site)
    choose(chromium, '图像', '包')
    choose(chromium, '卷积核', '学得的 #36')
    control(chromium, '步幅').send_keys(Keys.ARROW_RIGHT)
    before = text(chromium, 'size')
    link = chromium.execute_script('return location.hash')
    opened(chromium, site, hash_=link)
    assert (
        text(chromium, 'size') == before == '输出边长 = ⌊(28 + 2×0 − 7) / 2⌋ + 1 = 11'
    )
    assert Select(control(chromium, '图像')).first_selected_option.text == '包'
    assert (
        Select(control(chromium, '卷积核')).first_selected_option.text == '学得的 #36'
    )


@pytest.mark.parametrize('mode', ['window', 'stack', 'ones'])
def test_a_link_brings_the_reader_to_the_same_place(
    chromium: WebDriver, site: Path, mode: str
) -> None:
    """自己填的卷积核、走到第几步、选中的单元与像素都在网址里。"""
    opened(chromium, site, mode)
    if mode == 'window':
        cell = chromium.find_element(By.CSS_SELECTOR, '.stepper__grid input')
        cell.clear()
        cell.send_keys('2.5', Keys.ENTER)
        for _ in range(3):
            press(chromium, '下一步')
    maps = chromium.find_elements(By.CLASS_NAME, 'stepper__map--pickable')
    maps[-1].send_keys(Keys.ARROW_UP)
    if mode == 'stack':
        press(chromium, '只看最上面')
        press(chromium, '再往下一层')
    here = "return document.querySelector('.living__panel').innerText"
    drawn = "return [...document.querySelectorAll('rect')].map((one) => one.outerHTML)"
    before = [chromium.execute_script(one) for one in (here, drawn)]
    link = chromium.execute_script('return location.hash')
    opened(chromium, site, mode)
    assert chromium.execute_script(here) != before[0]
    opened(chromium, site, mode, link)
    assert [chromium.execute_script(one) for one in (here, drawn)] == before


@pytest.mark.parametrize(
    'hash_',
    (
        '?kernel=99&stride=x&image=-3', '?preset=没有&kind=1',
        '?preset=自己填&weights=1+x', '?at=-5&done=999',
    ),
)
def test_a_wrong_link_falls_back_to_the_usual(
    chromium: WebDriver, site: Path, hash_: str
) -> None:
    opened(chromium, site, hash_=f'#convolution-1{hash_}')
    assert text(chromium, 'size') == '输出边长 = ⌊(28 + 2×0 − 3) / 1⌋ + 1 = 26'


# ---- 另外两种样子 ----


def test_stacked_windows_grow(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site, 'stack')
    assert text(chromium, 'sum').startswith(
        '感受野的边长 = 1 + 2 + 2 = 5，与一个 5×5 的窗口相同'
    )
    assert '18c² 对 25c²，前者是后者的 72%' in text(chromium, 'sum')
    control(chromium, '层数').send_keys(Keys.ARROW_RIGHT)
    assert '= 7，与一个 7×7' in text(chromium, 'sum') and '55%' in text(chromium, 'sum')
    frames = (
        'return [...document.querySelectorAll("rect")]'
        '.map((one) => +one.getAttribute("width"))'
    )
    assert chromium.execute_script(frames) == [7, 5, 3, 1]
    press(chromium, '只看最上面')
    assert chromium.execute_script(frames) == [1]
    press(chromium, '再往下一层')
    assert chromium.execute_script(frames) == [3, 1]
    for label in ('窗口', '步幅'):
        control(chromium, label).send_keys(Keys.END)
    assert text(chromium, 'problem').startswith(
        '第 3 层的输入边长只有 4，放不下 5×5 的窗口'
    )


def test_the_address_follows_what_was_played(chromium: WebDriver, site: Path) -> None:
    """暂停时写进网址；放完了回到平常的样子，网址也是。"""
    opened(chromium, site, 'stack')
    play = chromium.find_element(By.XPATH, '//button[.="从上往下播放"]')
    hash_ = 'return location.hash'
    play.click()
    assert '&depth=0' in chromium.execute_script(hash_)
    WebDriverWait(chromium, 5, poll_frequency=0.02).until(
        lambda _: len(chromium.find_elements(By.TAG_NAME, 'rect')) == 2
    )
    play.click()
    assert '&depth=1' in chromium.execute_script(hash_)
    play.click()
    WebDriverWait(chromium, 5, poll_frequency=0.02).until(
        lambda _: play.text == '从上往下播放'
    )
    assert 'depth' not in chromium.execute_script(hash_)


def test_one_by_one_mixes_channels(chromium: WebDriver, site: Path) -> None:
    opened(chromium, site, 'ones')
    for label in ('竖的边缘', '横的边缘'):
        control(chromium, label).send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 20)
    control(chromium, '偏置').send_keys(Keys.ARROW_RIGHT)
    image = load_dataset().test.images[0, 0].double()
    assert f'0.5×{int(image[14, 14])}' in text(chromium, 'sum')
    assert text(chromium, 'sum').split('。')[0].endswith(f'= {image[14, 14] / 2 + 5:g}')
    mean = round(image.mean().item() / 2 + 5, 2)
    assert f'784 个数的平均是 {mean:g}，' in text(chromium, 'size')
    chromium.find_element(By.CLASS_NAME, 'stepper__map').send_keys(Keys.ARROW_UP)
    assert text(chromium, 'sum').startswith('第 14 行第 15 个像素')


def shown(browser: WebDriver, *selectors: str) -> list[bool]:
    return [
        browser.find_element(By.CSS_SELECTOR, one).is_displayed() for one in selectors
    ]


def test_the_figure_gives_way_but_not_its_caption(
    chromium: WebDriver, site: Path
) -> None:
    """打印时换回图；写了 still=keep 的，图一直都在，部件在它下面。"""
    parts = ('.living__still img', '.living__still figcaption', '.living__panel')
    opened(chromium, site)
    assert shown(chromium, *parts) == [False, True, True]
    chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    try:
        assert shown(chromium, *parts) == [True, True, False]
    finally:
        chromium.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
    opened(chromium, site, 'stack" data-still="keep')
    assert shown(chromium, *parts) == [True, True, True]
    assert (
        chromium.execute_script(
            'return document.querySelector(".living").lastElementChild.className'
        )
        == 'living__panel'
    )


@pytest.mark.parametrize('mode', ('window', 'stack', 'ones'))
def test_axe_finds_nothing(chromium: WebDriver, site: Path, mode: str) -> None:
    opened(chromium, site, mode)
    chromium.execute_script(AXE)
    found = json.loads(
        chromium.execute_async_script(
            'const done = arguments[0];'
            'axe.run().then(r => done(JSON.stringify(r.violations.map(v => v.id))))'
        )
    )
    assert set(found) <= {
        'page-has-heading-one',
        'color-contrast',
    }  # 手写的页没有主题的颜色
