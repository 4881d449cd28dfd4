"""网页里的引擎：六个网络的得分、每一段的特征图、遮挡、类激活与手术都与 PyTorch 相同。

随书有权重的网络用随书的，没有的用包里的写法现造一份，边长取小：形状与算子一样。
"""

import base64
import json
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
from book_living.script_files import write_script
from book_living.weight_scripts import write_weight_scripts
from living_page import alike, copy_living, open_page, pixels, put_numbers, run_async
from selenium.webdriver.chrome.webdriver import WebDriver
from small_networks import SIDES, hooks, page_weights
from torch import nn

from deepcnn.anatomy import capture, class_activation, export_page, occlusion_map
from deepcnn.anatomy.program import page_program
from deepcnn.data import load_dataset, prepare
from deepcnn.models import Network, load
from deepcnn.records.titles import NETWORKS
from deepcnn.records.weight_facts import shipped
from deepcnn.training.weight_codec import decode, encode

IMAGES = {name: 10 if name in shipped() else 2 for name in SIDES}
SCRIPTS = ('frame', 'laboratory')
CLOSE = 1e-3

# 页面里的小工具：读回 float32，与期望相差多少（除以期望的均方根）。
TOOLS = """
const floats = (text) => new Float32Array(
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer)
function largest(found, expected) {
  if (found.length !== expected.length) return `长度 ${found.length}，应是 ${expected.length}`
  let [difference, squares] = [0, 0]
  for (let i = 0; i < found.length; i++) {
    const one = Math.abs(found[i] - expected[i])
    if (!(one <= difference)) difference = one
    squares += expected[i] * expected[i]
  }
  return [difference, Math.sqrt(squares / found.length)]
}
const list = (values) => Uint8Array.from(values)
"""


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('weights')
    generator = torch.Generator().manual_seed(0)
    for name in NETWORKS:
        page_weights(name, generator, folder)
    return folder


@pytest.fixture(scope='module')
def networks(weights: Path) -> dict[str, Network]:
    return {name: load(name, weights) for name in NETWORKS}


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('site')


@pytest.fixture(scope='module')
def lab(
    chromium: WebDriver,
    weights: Path,
    networks: dict[str, Network],
    site: Path,
) -> WebDriver:
    """打开了实验室的页面；PyTorch 的答案也在里面，叫 expected-<网络>-<第几张>。"""
    data = copy_living(site)
    write_weight_scripts(data, weights)
    dataset = load_dataset()
    for name, net in networks.items():
        side = SIDES[name]
        program = page_program(net, name, side, dataset)
        write_script(data, f'program-{name}', program)
        images = dataset.test.images[: IMAGES[name]]
        X = prepare(images, side, dataset)
        with torch.inference_mode(), capture(net, *program['taps']) as maps:
            scores = net(X)
        for i in range(len(X)):
            values = {tap: found[i] for tap, found in maps.items()}
            found = {**values, 'scores': scores[i], 'image': X[i]}
            put_numbers(site, f'expected-{name}-{i}', found)
    open_page(chromium, site, SCRIPTS)
    return chromium


RUN_ALL = """
const [name, images] = [arguments[0], arguments[1]]
const laboratory = Living.laboratory()
const steps = []
const { program } = await laboratory.load(name, (part, parts) => steps.push([part, parts]))
const found = []
for (const [i, image] of images.entries()) {
  const expected = await Living.data(`expected-${name}-${i}`)
  const result = await laboratory.call('run', { name, pixels: list(image), maps: program.taps })
  const each = { scores: largest(result.scores, floats(expected.scores)) }
  for (const tap of program.taps) each[tap] = largest(result.maps[tap].data, floats(expected[tap]))
  found.push(each)
  Living.put(`expected-${name}-${i}`, null)
}
return { found, steps, kernel: (await laboratory.call('engine')).kernel }
"""


def test_how_close_the_scores_are_is_told() -> None:
    page = Path(__file__).parents[2] / 'chapters' / 'lab.md'
    assert f'算出的相差不到 {CLOSE:g}，' in page.read_text(encoding='utf-8')


@pytest.mark.parametrize('name', NETWORKS)
def test_scores_and_maps_are_those_of_pytorch(lab: WebDriver, name: str) -> None:
    images = load_dataset().test.images[: IMAGES[name]]
    result = run_async(lab, TOOLS + RUN_ALL, name, [pixels(one) for one in images])
    assert result['kernel'] is True
    steps = result['steps']
    assert [part for part, _ in steps] == [*range(steps[0][1] + 1)]
    assert len(result['found']) == IMAGES[name]
    for each in result['found']:
        scores, _ = each.pop('scores')
        assert scores < CLOSE
        assert len(each) > 3
        for tap, (difference, rms) in each.items():
            assert rms > 0 and difference < CLOSE * rms, tap


# ---- 没有 WebAssembly 时 ----------------------------------------------------------

PLAIN = """
const [name, text, images] = arguments
const program = await Living.data(`program-${name}`)
const buffer = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer
const results = [null, Living.compileKernel(Living.kernel)].map((kernel) => {
  const network = Living.createEngine(kernel).open(buffer, program)
  return images.map((image) => network.run(list(image)))
})
return results[0].map((scores, i) => largest(scores, results[1][i]))
"""


@pytest.mark.parametrize('name', ['googlenet', 'vgg11'])
def test_plain_javascript_gives_the_same(
    lab: WebDriver, weights: Path, name: str
) -> None:
    """GoogLeNet 有各种窗口，VGG 的全连接层是低秩的。"""
    text = base64.b64encode((weights / f'{name}.safetensors').read_bytes()).decode()
    images = [pixels(one) for one in load_dataset().test.images[:1]]
    for difference, rms in run_async(lab, TOOLS + PLAIN, name, text, images):
        assert rms > 0 and difference < CLOSE * rms


PRODUCTS = """
const [shapes] = arguments
const module = Living.compileKernel(Living.kernel)
const memory = new WebAssembly.Memory({ initial: 4 })
const { product } = new WebAssembly.Instance(module, { engine: { memory } }).exports
const floats32 = new Float32Array(memory.buffer)
let seed = 1
const random = () => (seed = seed * 16807 % 2147483647) / 2147483647 - 0.5
return shapes.map(([rows, depth, columns]) => {
  const [a, b, c] = [4, 8000, 20000] // 各矩阵从第几个数开始
  const [bias, panel] = [30000, 32000]
  for (let i = 0; i < 32000; i++) floats32[i] = random()
  const expected = []
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = floats32[bias + i]
      for (let k = 0; k < depth; k++) {
        sum += floats32[a + i * depth + k] * floats32[b + k * columns + j]
      }
      expected.push(sum)
    }
  }
  const around = [floats32[c - 1], floats32[c + rows * columns]]
  product(a * 4, b * 4, c * 4, bias * 4, panel * 4, rows, depth, columns)
  const found = floats32.slice(c, c + rows * columns)
  const kept = floats32[c - 1] === around[0] && floats32[c + rows * columns] === around[1]
  return [kept, ...largest(found, expected)]
})
"""


def test_the_kernel_multiplies_matrices_of_any_size(lab: WebDriver) -> None:
    """行不是 4 的倍数、列不是 8 的倍数也对，写不到矩阵外面去。"""
    sides = (1, 3, 4, 5, 8, 13)
    shapes = [(rows, 7, columns) for rows in sides for columns in (*sides, 16, 49)]
    shapes += [(9, depth, 11) for depth in (1, 2, 64, 121)]
    results = run_async(lab, TOOLS + PRODUCTS, shapes)
    assert len(results) == len(shapes) > 40
    assert all(kept and difference < 1e-5 for kept, difference, _ in results)


# ---- 图像 ----------------------------------------------------------------------

PREPARE = """
const [image, asked] = arguments
const { prepare } = Living.createEngine(null)
const { mean, std } = await Living.data('program-densenet')
const expected = await Living.data('prepared')
return asked.map((side) =>
  largest(prepare(list(image), { side, mean, std }), floats(expected[side])))
"""


def test_images_are_enlarged_as_in_training(lab: WebDriver, site: Path) -> None:
    data = load_dataset()
    image = data.test.images[3:4]
    sides = (28, 29, 32, 63, 96, 224)
    values = {str(side): prepare(image, side, data) for side in sides}
    put_numbers(site, 'prepared', values)
    for difference, _ in run_async(lab, TOOLS + PREPARE, pixels(image), sides):
        assert difference < 1e-5


# ---- 遮挡、类激活、手术 -------------------------------------------------------------

OCCLUDE = """
const [image, label, window] = arguments
const laboratory = Living.laboratory()
await laboratory.load('resnet18')
const rows = Array.from({ length: Math.ceil(28 / window.stride) }, (_, row) => row)
const given = { name: 'resnet18', pixels: list(image), label, window }
const parts = await Promise.all(rows.map((row) =>
  laboratory.call('occlude', { ...given, rows: [row] })))
return parts.flat()
"""


def test_occlusion_is_that_of_the_package(
    lab: WebDriver, networks: dict[str, Network]
) -> None:
    data = load_dataset()
    image = data.test.images[:1]
    net, size = networks['resnet18'], SIDES['resnet18']
    expected = occlusion_map(net, image, data, size, label=9, patch=7, stride=9)
    window = {'patch': 7, 'stride': 9}
    found = run_async(
        lab, OCCLUDE.replace('list(', 'Uint8Array.from('), pixels(image), 9, window
    )
    assert expected.values.std() > 0
    torch.testing.assert_close(torch.tensor(found), expected.values, atol=1e-4, rtol=0)


ACTIVATION = """
const [name, image, label] = arguments
const laboratory = Living.laboratory()
await laboratory.load(name)
const found = await laboratory.call('run', { name, pixels: Uint8Array.from(image), label })
return found.activation && { ...found.activation, values: [...found.activation.values] }
"""


@pytest.mark.parametrize('name', ['nin', 'googlenet', 'resnet18', 'densenet'])
def test_class_activation_is_that_of_the_package(
    lab: WebDriver, networks: dict[str, Network], name: str
) -> None:
    data = load_dataset()
    image = data.test.images[1:2]
    X = prepare(image, SIDES[name], data)
    expected = class_activation(networks[name], X, label=4)
    found = run_async(lab, ACTIVATION, name, pixels(image), 4)
    values = torch.tensor(found['values']).view(found['height'], found['width'])
    torch.testing.assert_close(values, expected.values, atol=2e-3, rtol=1e-3)
    assert found['bias'] == pytest.approx(expected.bias)


def test_a_network_with_large_linear_layers_has_no_activation(lab: WebDriver) -> None:
    image = pixels(load_dataset().test.images[0])
    assert run_async(lab, ACTIVATION, 'vgg11', image, 4) is None


SURGERY = """
const [name, image, changes] = arguments
const laboratory = Living.laboratory()
await laboratory.load(name)
const pixels = Uint8Array.from(image)
const [changed, after] = await Promise.all([changes, {}].map((one) =>
  laboratory.call('run', { name, pixels, changes: one })))
return { changed: [...changed.scores], after: [...after.scores] }
"""
SHORTCUT = 'stages.1.1.shortcut'  # 恒等的那一种
LINE = 'stages.1.0.0.path2'


@pytest.mark.parametrize(
    ('name', 'erased', 'unread'),
    [
        ('resnet18', {SHORTCUT: range(128)}, {}),
        ('googlenet', {f'{LINE}.1.1': range(128)}, {}),
        ('nin', {'stem.0.0': [0, 5]}, {}),
        ('densenet', {'stages.2.convs.0.2': range(32)}, {}),
        ('densenet', {}, {'stages.2.convs.3.0': range(96, 128)}),
    ],
)
def test_surgery_is_that_of_hooks(
    lab: WebDriver,
    networks: dict[str, Network],
    name: str,
    erased: dict[str, range],
    unread: dict[str, range],
) -> None:
    """关掉捷径、静音一条线路、清零通道、擦去一个来源；改完不留痕迹。"""
    data = load_dataset()
    image = data.test.images[:1]
    net, X = networks[name], prepare(image, SIDES[name], data)
    erased, unread = (
        {key: list(channels) for key, channels in given.items()}
        for given in (erased, unread)
    )
    with torch.inference_mode():
        before = net(X)[0]
        with hooks(net, erased, unread):
            expected = net(X)[0]
    if name == 'resnet18':  # 整个张量可以写成 'all'
        erased = {SHORTCUT: 'all'}
    changes = {'erased': erased, 'unread': unread}
    found = run_async(lab, SURGERY, name, pixels(image), changes)
    assert (expected - before).abs().max() > 10 * CLOSE
    torch.testing.assert_close(
        torch.tensor(found['changed']), expected, atol=CLOSE, rtol=0
    )
    torch.testing.assert_close(torch.tensor(found['after']), before, atol=CLOSE, rtol=0)


# ---- 最新的输入赢；坏文件 ----------------------------------------------------------

NEWEST = """
const laboratory = Living.laboratory()
await laboratory.load('densenet')
const image = (value) => new Uint8Array(784).fill(value)
const all = await Promise.all([0, 60, 120, 255].map((value) =>
  laboratory.ask('pad', 'run', { name: 'densenet', pixels: image(value) })))
const alone = await laboratory.ask('pad', 'run', { name: 'densenet', pixels: image(255) })
return [all.map((one) => one === null), String(all[3].scores) === String(alone.scores)]
"""


def test_the_newest_input_wins(lab: WebDriver) -> None:
    assert run_async(lab, NEWEST) == [[False, True, True, False], True]


OPEN = """
const [text] = arguments
const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
const { program } = await Living.laboratory().open('mine', bytes.buffer)
return program.title
"""


def own_file(net: nn.Module, without: str = '', **changed: object) -> bytes:
    """``net`` 写成的文件；program 里改了 ``changed``，少了 ``without``。"""
    program = page_program(net, '我的网络', 28, load_dataset()) | changed
    program.pop(without, None)
    return safetensors.torch.save(encode(net), {'page': json.dumps(program)})


def other_shape(name: str, shape: list[int]) -> bytes:
    """头里写的形状与字节数不合：别处都照旧。"""
    content = own_file(globally_pooled())
    length = int.from_bytes(content[:8], 'little')
    header = json.loads(content[8 : 8 + length])
    header[name]['shape'] = shape
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, 'little') + text + content[8 + length :]


def other_layer(place: int, without: str) -> bytes:
    """第 ``place`` 个算子少了一项。"""
    operators = page_program(globally_pooled(), '', 28, load_dataset())['operators']
    del operators[place][without]
    return own_file(globally_pooled(), operators=operators)


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * 14 * 14, 10),
    )  # fmt: skip


def globally_pooled() -> nn.Sequential:
    """收任何边长。"""
    return nn.Sequential(
        nn.Conv2d(1, 4, 5), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
    )  # fmt: skip


class Joined(nn.Module):
    """一处相连，后面的卷积读得到两份。"""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 3, 3, padding=1)
        self.third = nn.Conv2d(5, 4, 3, padding=1)
        self.pool, self.last = nn.AdaptiveAvgPool2d(1), nn.Linear(9, 10)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        X = self.first(X)
        X = torch.cat([X, self.second(X)], 1)
        X = torch.cat([X, self.third(X)], 1)
        return self.last(torch.flatten(self.pool(X), 1))


def other_cut(place: str, **changed: object) -> bytes:
    """剪断的那一处，或它的一份（parts）、一个读者（readers），改了 ``changed``。"""
    [cut] = cuts = page_program(Joined(), '', 28, load_dataset())['cuts']
    (cut[place][-1] if place else cut).update(changed)
    return own_file(Joined(), cuts=cuts)


def spoiled_page() -> bytes:
    tensors = encode(lenet())
    return safetensors.torch.save(tensors, {'page': '{"title": "我的网络", '})


WRONG_FILES = {
    'empty': (lambda: b'', '不是本书写的网络'),
    'picture': (lambda: b'\x89PNG\r\n\x1a\n' + bytes(100), '不是本书写的网络'),
    'tensors': (
        lambda: safetensors.torch.save({'a': torch.zeros(3)}), '不是本书写的网络',
    ),
    'side': (lambda: own_file(lenet(), side=32), '权重与网络对不上'),
    'classes': (lambda: own_file(lenet(), classes=['甲']), '10 个得分，类别却有 1 个'),
    'program': (lambda: own_file(lenet(), operators=[]), '个得分'),
    'cut': (lambda: own_file(lenet())[:-4000], '不完整'),
    'page': (spoiled_page, '不是本书写的网络'),
    'no operators': (lambda: own_file(lenet(), 'operators'), '不是本书写的网络'),
    'no taps': (lambda: own_file(lenet(), taps=[]), '不是本书写的网络'),
    'no titles': (lambda: own_file(lenet(), 'titles'), '不是本书写的网络'),
    'no mean': (lambda: own_file(lenet(), 'mean'), '不是本书写的网络'),
    'no stride': (lambda: other_layer(0, 'stride'), '不是本书写的网络'),
    'no source': (lambda: other_layer(2, 'from'), '不是本书写的网络'),
    'no epsilon': (lambda: other_layer(1, 'epsilon'), '不是本书写的网络'),
    'text side': (lambda: own_file(globally_pooled(), side='28'), '不是本书写的网络'),
    'huge side': (lambda: own_file(globally_pooled(), side=10**6), '内存放不下'),
    'short int8': (lambda: other_shape('0.weight', [4, 1, 5, 6]), '字节数与形状对不上'),
    'long int8': (lambda: other_shape('0.weight', [4, 1, 5, 4]), '字节数与形状对不上'),
    'short float': (lambda: other_shape('6.bias', [11]), '字节数与形状对不上'),
    'long float': (lambda: other_shape('0.bias', [3]), '字节数与形状对不上'),
    'scale': (lambda: other_shape('6.weight.scale', [9]), '字节数与形状对不上'),
    'cuts': (lambda: own_file(globally_pooled(), cuts='剪断'), '不是本书写的网络'),
    'no parts': (lambda: other_cut('', parts=None), '不是本书写的网络'),
    'strange part': (lambda: other_cut('parts', tensor='没有'), '不是本书写的网络'),
    'strange place': (lambda: other_cut('parts', at='没有'), '不是本书写的网络'),
    'strange reader': (lambda: other_cut('readers', at='没有'), '不是本书写的网络'),
    'nameless reader': (lambda: other_cut('readers', title=''), '不是本书写的网络'),
    'far reader': (lambda: other_cut('readers', sees=9), '不是本书写的网络'),
}  # fmt: skip


@pytest.mark.parametrize('name', WRONG_FILES)
def test_a_wrong_file_gets_one_line(lab: WebDriver, name: str) -> None:
    write, shown = WRONG_FILES[name]
    result = run_async(lab, OPEN, base64.b64encode(write()).decode())
    assert result.startswith('错误：') and shown in result
    assert not re.search('Error|undefined|NaN|JSON', result)


def test_cuts_that_fit_are_taken(lab: WebDriver) -> None:
    content = base64.b64encode(own_file(Joined())).decode()
    assert run_async(lab, OPEN, content) == '我的网络'


OWN = """
const [text, image] = arguments
const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
const laboratory = Living.laboratory()
const { program } = await laboratory.open('mine', bytes.buffer)
const { scores } = await laboratory.call('run', { name: 'mine', pixels: Uint8Array.from(image) })
return [program.title, [...scores]]
"""


def test_a_network_of_the_reader_runs_too(lab: WebDriver, tmp_path: Path) -> None:
    data = load_dataset()
    torch.manual_seed(0)
    net = lenet()
    path = export_page(net, tmp_path / 'mine', data, 28, '我的网络')
    content = path.read_bytes()
    image = data.test.images[:1]
    given = base64.b64encode(content).decode(), pixels(image)
    title, scores = run_async(lab, OWN, *given)
    assert title == '我的网络'
    net.load_state_dict(decode(safetensors.torch.load(content)))
    with torch.inference_mode():
        expected = net(prepare(image, 28, data))[0]
    torch.testing.assert_close(torch.tensor(scores), expected, atol=CLOSE, rtol=0)


# ---- 六个网络并排（放在最后：换了一页） ---------------------------------------------

BODY = '<living-lab id="lab-1" class="living"><div class="living__still"></div></living-lab>'
TABLE = """
await customElements.whenDefined('living-lab')
const until = async (found) => {
  while (!found()) await new Promise((resolve) => setTimeout(resolve, 20))
}
await until(() => document.querySelector('.living--ready'))
const all = [...document.querySelectorAll('.lab__loaders > button')].at(-1)
const told = [all.textContent]
const table = document.querySelector('.lab__table')
if (table.tabIndex >= 0) throw new Error('焦点停在空的表上')
document.querySelector('.lab__loader button').click()
await until(() => document.querySelector('.lab__answers td'))
told.push(all.textContent)
all.click()
await until(() => document.querySelectorAll('.lab__answers td').length === 6)
if (table.tabIndex < 0) throw new Error('键盘滚不动得分的表')
const rows = [...document.querySelectorAll('.lab__scores tr')]
return [told, rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  document.querySelector('.lab__status').textContent]
"""


def test_six_networks_stand_side_by_side(
    chromium: WebDriver,
    lab: WebDriver,
    site: Path,
    networks: dict[str, Network],
    weights: Path,
) -> None:
    open_page(chromium, site, ('frame', 'lab'), BODY)
    chromium.set_script_timeout(120)  # 六个网络都要载入，机器可能正忙
    told, rows, status = run_async(chromium, TABLE)
    sizes = [(weights / f'{name}.safetensors').stat().st_size for name in NETWORKS]
    rests = sum(sizes), sum(sizes) - sizes[0]  # 载入一个，就少那一个
    assert told == [f'全部载入（{rest / 1e6:.1f} MB）' for rest in rests]
    data = load_dataset()
    label = 0
    first = int((data.test.labels == label).nonzero()[0, 0])
    answers, columns = [], []
    for name, net in networks.items():
        X = prepare(data.test.images[first][None], SIDES[name], data)
        with torch.inference_mode():
            shares = net(X)[0].double().softmax(0)
        columns.append([f'{100 * share:.1f}%' for share in shares.tolist()])
        answers.append(int(shares.argmax()))
    marks = ['✓' if answer == label else '✗' for answer in answers]
    assert rows[1][1:] == [
        f'{data.class_names[answer]} {mark}'
        for answer, mark in zip(answers, marks, strict=True)
    ]
    expected = [' '.join(row) for row in zip(*columns, strict=True)]
    for row, right in zip(rows[2:], expected, strict=True):
        assert alike(' '.join(row[1:]), right)
    assert status.startswith(f'6 个网络里 {marks.count("✓")} 个答对')
