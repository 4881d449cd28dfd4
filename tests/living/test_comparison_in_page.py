"""六网对比的曲线与散点：读出的数是 Python 的数；图例在三幅图里同时起作用。"""


import pytest
from axe import AXE
from browsing import set_width
from built_site import SITE
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from deepcnn.anatomy import count_parameters
from deepcnn.models.lineup import LINEUP
from deepcnn.records import spread
from deepcnn.records.comparison import load_records
from deepcnn.records.titles import TITLES

KINDS = ('curves', 'parameters', 'seconds')


@pytest.fixture
def page(chromium: WebDriver) -> WebDriver:
    """三幅图都出现了的小结。"""
    open_page(chromium, '')
    return chromium


def open_page(browser: WebDriver, hash_: str, site: str = SITE.as_uri()) -> None:
    browser.get('about:blank')
    browser.get(f'{site}/chapters/summary.html{hash_}')
    for kind in KINDS:
        find = (By.CSS_SELECTOR, f'living-compared[data-kind={kind}]')
        element = browser.find_element(*find)
        browser.execute_script('arguments[0].scrollIntoView()', element)
        WebDriverWait(browser, 30, poll_frequency=0.02).until(
            lambda _, one=element: one.find_elements(By.CLASS_NAME, 'compared__frame')
        )


def of(browser: WebDriver, kind: str, part: str) -> str:
    """一幅图的读数（readout），标记（marks）、小圆点（seeds）各有几个。"""
    find = f'document.querySelector("living-compared[data-kind={kind}]")'
    ask = {
        'readout': '.querySelector(".compared__readout").innerText',
        'marks': '.querySelectorAll("svg.chart .network__mark").length',
        'seeds': '.querySelectorAll("svg.chart .network__seed").length',
    }
    return browser.execute_script(f'return {find}{ask[part]}')


def percent(values: list[float]) -> str:
    found = spread(values)
    return f'{100 * found.mean:.2f}% ± {100 * found.sd:.2f}'


def test_every_point_reads_as_python_counts(page: WebDriver) -> None:
    words = page.execute_script(
        """
        return Object.fromEntries([...document.querySelectorAll('living-compared')].map((one) =>
          [one.dataset.kind, one.chart.targets.map((target) => target.words)]))
        """
    )
    wanted: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name, record in load_records().items():
        title, seeds = TITLES[name], record.seeds

        def each(values: list[float], seeds: list[int] = seeds) -> str:
            pairs = zip(seeds, values, strict=True)
            return '，'.join(f'种子 {seed} {100 * one:.2f}%' for seed, one in pairs)

        for epoch in range(record.recipe['epochs']):
            values = [run.test_accuracy[epoch] for run in record.runs]
            wanted['curves'].append(
                f'{title}，第 {epoch + 1} 轮：{percent(values)}（{each(values)}）'
            )
        last = f'{percent(record.accuracies)}（{each(record.accuracies)}）'
        net = LINEUP[name].build(record.recipe['image_size'])
        millions = count_parameters(net) / 1e6
        wanted['parameters'].append(f'{title}：{millions:.2f} 百万个参数，{last}')
        took = spread(record.seconds)
        where = f'一次训练 {took.mean:.0f} ± {took.sd:.0f} 秒'
        wanted['seconds'].append(f'{title}：{where}，{last}')
    assert words == wanted


BARS = """
const chart = document.querySelector(`living-compared[data-kind=${arguments[0]}]`).chart
const bars = [...chart.svg.querySelectorAll('line.network__line')]
  .map((bar) => ['x1', 'x2', 'y1', 'y2'].map((end) => Number(bar.getAttribute(end))))
const { targets } = chart
return [targets.map(({ at }) => at), bars]
"""


@pytest.mark.parametrize('kind', ['seconds', 'parameters'])
def test_error_bars_are_as_long_on_both_sides(page: WebDriver, kind: str) -> None:
    """坐标容得下误差线的两端，没有一头被截短。"""
    points, bars = page.execute_script(BARS, kind)
    middles = {((x1 + x2) / 2, (y1 + y2) / 2) for x1, x2, y1, y2 in bars if y1 != y2}
    assert len(middles) == len(points) == len(LINEUP)
    for x, y in points:
        assert any((x, y) == pytest.approx(middle, abs=0.2) for middle in middles)


def test_bands_stay_inside_the_axes(page: WebDriver) -> None:
    found = [
        spread([run.test_accuracy[epoch] for run in record.runs])
        for record in load_records().values()
        for epoch in range(record.recipe['epochs'])
    ]
    lowest = min(one.mean - one.sd for one in found)
    labels = page.execute_script(
        'return [...document.querySelectorAll("living-compared[data-kind=curves] svg.chart text")]'
        '.map((one) => one.textContent).filter((one) => one.endsWith("%"))'
    )
    assert min(float(one[:-1]) for one in labels) <= 100 * lowest


def test_the_figure_gives_way_but_its_caption_stays(page: WebDriver) -> None:
    figure = page.find_element(By.ID, 'fig-summary-curves')
    assert not figure.find_element(By.TAG_NAME, 'img').is_displayed()
    assert figure.find_element(By.TAG_NAME, 'figcaption').is_displayed()
    assert figure.find_element(By.TAG_NAME, 'svg').is_displayed()
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    try:
        assert figure.find_element(By.TAG_NAME, 'img').is_displayed()
        assert not figure.find_element(By.TAG_NAME, 'svg').is_displayed()
    finally:
        page.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})


def test_a_turned_phone_draws_the_figure_anew(page: WebDriver) -> None:
    """按新的宽度重画：一个单位还是一个像素，字不跟着缩小。"""
    try:
        set_width(page, 700)
        frame = page.find_element(By.CSS_SELECTOR, '[data-kind=curves] .compared__frame')
        frame.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        read = of(page, 'curves', 'readout')
        legend = page.find_elements(By.CSS_SELECTOR, '[data-kind=curves] .compared__toggle')
        page.execute_script('arguments[0].focus()', legend[1])
        set_width(page, 375)
        scale = """
          const svg = document.querySelector('[data-kind=curves] svg.chart')
          return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"""
        WebDriverWait(page, 10).until(lambda _: page.execute_script(scale) > 0.99)
        assert of(page, 'curves', 'readout') == read
        assert page.switch_to.active_element.text == TITLES['vgg11']
    finally:
        page.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_arrow_keys_and_the_pointer_read_a_point(page: WebDriver) -> None:
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=curves] .compared__frame')
    frame.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert of(page, 'curves', 'readout').startswith(f'{TITLES["alexnet"]}，第 2 轮')
    frame.send_keys(Keys.ARROW_DOWN, Keys.ARROW_LEFT)
    assert of(page, 'curves', 'readout').startswith(f'{TITLES["vgg11"]}，第 1 轮')

    find = '[data-kind=seconds] svg.chart .network__mark.network--4'
    mark = page.find_element(By.CSS_SELECTOR, find)
    page.execute_script('arguments[0].scrollIntoView({block: "center"})', mark)
    ActionChains(page).move_to_element(mark).perform()
    assert of(page, 'seconds', 'readout').startswith(f'{TITLES["resnet18"]}：')


RINGS = """
const described = (part) => {
  const rings = [...part.querySelectorAll('.compared__ring')]
  const places = rings.map((ring) => `${ring.getAttribute('cx')},${ring.getAttribute('cy')}`)
  const ringed = part.chart.targets.filter(({ at }) => places.includes(String(at)))
  return [ringed.map(({ words }) => words), part.querySelector('.compared__readout').innerText]
}
return Object.fromEntries([...document.querySelectorAll('living-compared')]
  .map((part) => [part.dataset.kind, described(part)]))
"""


def test_reading_one_figure_rings_the_network_in_the_others(page: WebDriver) -> None:
    """曲线上哪一轮都行；在散点上读，曲线停在最后一轮。读屏只念读者在的那一幅。"""
    title, epochs = TITLES['vgg11'], load_records()['vgg11'].recipe['epochs']
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=curves] .compared__frame')
    frame.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    for kind, (ringed, told) in page.execute_script(RINGS).items():
        place = '，第 1 轮' if kind == 'curves' else '：'
        assert ringed == [told] and told.startswith(f'{title}{place}')
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=seconds] .compared__frame')
    frame.send_keys(Keys.ARROW_LEFT)
    title = TITLES['alexnet']
    for kind, (ringed, told) in page.execute_script(RINGS).items():
        place = f'，第 {epochs} 轮' if kind == 'curves' else '：'
        assert ringed == [told] and told.startswith(f'{title}{place}')
    find = (By.CLASS_NAME, 'compared__readout')
    spoken = [one.get_attribute('aria-live') for one in page.find_elements(*find)]
    assert sorted(spoken) == ['off', 'off', 'polite']


def test_the_keys_stop_at_the_ends(page: WebDriver) -> None:
    """左右只换轮，上下只换网络：到了头就停。"""
    records = load_records()
    titles = [TITLES[name] for name in records]
    last = next(iter(records.values())).recipe['epochs']
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=curves] .compared__frame')
    frame.send_keys(Keys.ARROW_RIGHT)  # 头一点
    for keys, title, epoch in (
        ([Keys.ARROW_LEFT, Keys.ARROW_UP], titles[0], 1),
        ([Keys.ARROW_RIGHT] * (last + 3), titles[0], last),
        ([Keys.ARROW_DOWN] * 9, titles[-1], last),
        ([Keys.ARROW_LEFT] * 2 + [Keys.ARROW_DOWN], titles[-1], last - 2),
        ([Keys.ARROW_UP], titles[-2], last - 2),
        ([Keys.ARROW_LEFT] * last, titles[-2], 1),
    ):
        frame.send_keys(*keys)
        assert of(page, 'curves', 'readout').startswith(f'{title}，第 {epoch} 轮：')
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=seconds] .compared__frame')
    frame.send_keys(*[Keys.ARROW_RIGHT] * 9)
    assert of(page, 'seconds', 'readout').startswith(f'{titles[-1]}：')


SHORTER = """
for (const one of document.querySelectorAll('living-compared[data-kind=curves]')) {
  one.networks[1].accuracy = one.networks[1].accuracy.map((run) => run.slice(0, 1))
  one.series = Living.comparisonSeries(one.networks, 'curves')
  one.draw()
}
"""


def test_networks_may_have_trained_for_different_numbers_of_epochs(page: WebDriver) -> None:
    """换到轮数少的网络，停在它的最后一轮；再换，还从那一轮往下。"""
    titles = [TITLES[name] for name in load_records()]
    page.execute_script(SHORTER)
    frame = page.find_element(By.CSS_SELECTOR, '[data-kind=curves] .compared__frame')
    frame.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    for key, title, epoch in (
        (Keys.ARROW_DOWN, titles[1], 1),
        (Keys.ARROW_DOWN, titles[2], 1),
        (Keys.ARROW_RIGHT, titles[2], 2),
        (Keys.ARROW_UP, titles[1], 1),
        (Keys.ARROW_UP, titles[0], 1),
    ):
        frame.send_keys(key)
        assert of(page, 'curves', 'readout').startswith(f'{title}，第 {epoch} 轮：')


ACCURACIES = """
const networks = arguments[0].map((one, i) =>
  ({ name: i, title: i, seeds: [0], parameters: 1, seconds: [1 + i], accuracy: [[one]] }))
const series = Living.comparisonSeries(networks, 'seconds')
const { svg } = Living.comparisonChart(series, 'seconds', new Set(), 600)
return [...svg.querySelectorAll('text')].map((one) => one.textContent)
  .filter((one) => one.endsWith('%'))
"""


@pytest.mark.parametrize(
    ('accuracies', 'labels'),
    [
        ([0.931, 0.938], [93, 94]),
        ([0.84, 0.93], [84, 86, 88, 90, 92, 94]),
        ([0.55, 0.93], [55, 60, 65, 70, 75, 80, 85, 90, 95]),
        ([0.1, 0.93], [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
    ],
)
def test_the_axis_of_accuracies_is_as_fine_as_fits(
    page: WebDriver, accuracies: list[float], labels: list[int]
) -> None:
    shown = page.execute_script(ACCURACIES, accuracies)
    assert sorted(int(one[:-1]) for one in shown) == labels


def test_every_seed_is_a_dot(page: WebDriver) -> None:
    records = load_records().values()
    runs = sum(len(record.runs) for record in records)
    assert runs == 18
    seeds = {kind: of(page, kind, 'seeds') for kind in KINDS}
    epochs = sum(len(record.runs) * record.recipe['epochs'] for record in records)
    assert seeds == {'curves': epochs, 'parameters': runs, 'seconds': runs}


def test_the_legend_hides_a_network_everywhere(page: WebDriver) -> None:
    before = {kind: of(page, kind, 'marks') for kind in KINDS}
    epochs = next(iter(load_records().values())).recipe['epochs']
    assert before == {'curves': 6 * epochs, 'parameters': 6, 'seconds': 6}
    find = '[data-kind=curves] .compared__toggle'
    page.find_elements(By.CSS_SELECTOR, find)[2].send_keys(Keys.ENTER)
    after = {kind: of(page, kind, 'marks') for kind in KINDS}
    assert after == {'curves': 5 * epochs, 'parameters': 5, 'seconds': 5}
    assert page.switch_to.active_element.text == TITLES['nin']  # 焦点还在按钮上
    for kind in KINDS:
        find = f'[data-kind={kind}] .compared__toggle'
        buttons = page.find_elements(By.CSS_SELECTOR, find)
        pressed = [one.get_attribute('aria-pressed') for one in buttons]
        assert pressed == ['true', 'true', 'false', 'true', 'true', 'true']
    assert page.execute_script('return location.hash') == '#compared-1?hidden=nin'


def test_a_link_hides_what_it_says(chromium: WebDriver, site_url: str) -> None:
    open_page(chromium, '#compared-2?hidden=nin-vgg11-lenet', site_url)
    assert of(chromium, 'parameters', 'marks') == 4
    chromium.execute_script(AXE)
    for theme in ('light', 'dark'):
        chromium.execute_script(f'document.documentElement.dataset.theme = "{theme}"')
        assert chromium.execute_async_script(
            'axe.run("living-compared")'
            '.then((r) => arguments[0](r.violations.map((v) => v.id)))'
        ) == []  # fmt: skip
