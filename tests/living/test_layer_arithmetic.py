"""页面里的形状、参数、乘加次数、感受野与 Python 的相等：两百多种随机的配置。"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from living import describe_networks
from selenium.webdriver.chrome.webdriver import WebDriver
from torch import nn

from deepcnn.anatomy import count_parameters, layer_table, replace_modules
from deepcnn.anatomy.windows import Window, view_layers
from deepcnn.models.densenet import VARIANTS, DenseBlock, paper_densenet
from deepcnn.models.googlenet import Inception
from deepcnn.models.network import Network
from deepcnn.models.resnet import Bottleneck, ResidualBlock

ROOT = Path(__file__).resolve().parents[2]
LIVING = ROOT / 'site' / 'assets' / 'living'
# 各试几种不同的配置；一共 216 种。
TRIED = {
    'alexnet': 64, 'vgg': 36, 'nin': 56, 'googlenet': 20, 'resnet': 20, 'densenet': 20,
}  # fmt: skip
# 最深的五个量一次要几百毫秒，各试一种，不在抽的里面。
DEEP = {'resnet101', 'resnet152', (6, 12, 32, 32), (6, 12, 48, 32), (6, 12, 36, 24)}
IMAGENET = {'image_size': 224, 'in_channels': 3, 'num_classes': 1000}

MEASURE = """
const { measure, leavesOf, TooSmall } = LayerArithmetic
return arguments[0].map(([name, values]) => {
  try {
    const { parts, parameters, macs } = measure(window.described.families[name], values)
    const row = ({ path, output, parameters, macs }) =>
      [path, output.shape, parameters, macs, output.field, output.jump]
    const layers = parts.map((part) => part.layer)
    return { parts: layers.map(row), parameters, macs,
      layers: layers.flatMap(leavesOf).map(row) }
  } catch (error) {
    if (!(error instanceof TooSmall)) throw error
    return { fails: error.layer.path, side: error.side }
  }
})
"""


@pytest.fixture(autouse=True)
def no_initial_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """只看形状：在 meta 设备上填初值要花掉造网络的大半时间。"""
    for name in ('kaiming_normal_', 'kaiming_uniform_', 'uniform_'):
        monkeypatch.setattr(nn.init, name, lambda values, *_, **__: values)


@pytest.fixture
def page(chromium: WebDriver, tmp_path: Path) -> WebDriver:
    """只有描述与算术的一页，从磁盘打开。"""
    scripts = ''.join(
        f'<script src="{(LIVING / name).as_uri()}"></script>'
        for name in ('layer_arithmetic.js', 'data/structure.js')
    )
    put = '<script>window.Living = { put: (name, value) => { described = value } }</script>'
    path = tmp_path / 'page.html'
    path.write_text(f'<!doctype html><meta charset="utf-8">{put}{scripts}', 'utf-8')
    chromium.get(path.as_uri())
    return chromium


@dataclass(frozen=True)
class Tried:
    """一种配置；``values`` 是各个量，``net`` 是照它造的网络。"""

    family: str
    values: dict[str, object]

    @property
    def asked(self) -> tuple[str, dict[str, object]]:
        plain = {name: describe_networks.plain(v) for name, v in self.values.items()}
        return self.family, plain

    @property
    def shaping(self) -> tuple:
        """决定窗口的那几个量。"""
        names = (*describe_networks.SHAPING, 'first_padding')
        return self.family, *(self.values.get(name) for name in names)

    def net(self) -> Network:
        with torch.device('meta'):
            build = describe_networks.builder(self.family)
            return build(**self.values)


def random_configurations() -> Iterator[Tried]:
    """各不相同；最深的几个不在里面。"""
    draw = random.Random(21)
    for family, count in TRIED.items():
        choices = describe_networks.choices_of(family)
        found: list[Tried] = []
        while len(found) < count:
            values = {
                name: draw.choice([one for one in choice.options if one not in DEEP])
                for name, choice in choices.items()
            }
            one = Tried(family, values | {'image_size': draw.randint(71, 512)})
            if one not in found:
                found.append(one)
        yield from found


def deep_configurations() -> Iterator[Tried]:
    """ResNet-101 与 152，DenseNet-161、169 与 201，照论文的形状。"""
    for family in ('resnet', 'densenet'):
        choices = describe_networks.choices_of(family)
        usual = {name: choice.default for name, choice in choices.items()} | IMAGENET
        for name, choice in choices.items():
            for value in choice.options:
                if value in DEEP:
                    also = describe_networks.option(value).get('also', {})
                    yield Tried(family, usual | {name: value} | also)


def windows_of(module: nn.Module) -> list[Window]:
    """穿过一层时看得最远的一串窗口；激活、归一化不看邻居。"""
    if isinstance(module, nn.Conv2d):
        sizes = module.kernel_size, module.stride, module.padding
        return [Window(*(height for height, _ in sizes))]
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return [Window(module.kernel_size, module.stride, module.padding)]
    if isinstance(module, Inception | ResidualBlock | Bottleneck):
        return max(map(windows_of, module.children()), key=field_of)
    return [window for child in module.children() for window in windows_of(child)]


def field_of(windows: list[Window]) -> int:
    return view_layers(10**5, windows)[-1].receptive_field


def views(
    module: nn.Module, path: str, before: list[Window]
) -> Iterator[tuple[str, int, int]]:
    """每一层的路径、感受野与跳距，由它之前的一串窗口算出。"""
    children = [*module.named_children()]
    if not children and not isinstance(module, nn.Identity):
        last = view_layers(10**5, [*before, *windows_of(module)])[-1]
        yield path, last.receptive_field, last.spacing
    for name, child in children:
        yield from views(child, f'{path}.{name}', before)
        if not isinstance(module, Inception | ResidualBlock | Bottleneck):
            before = [*before, *windows_of(child)]


def expected_views(net: Network) -> dict[str, tuple[int, int]]:
    """到全局平均或展平为止：此后一个数看到整张图像。"""
    found, before = {}, []
    parts = [
        ('stem', net.stem),
        *((f'stages.{i}', s) for i, s in enumerate(net.stages)),
    ]
    for path, part in parts:
        found |= {name: view for name, *view in views(part, path, before)}
        before = [*before, *windows_of(part)]
    for name, *view in views(net.head, 'head', before):
        layer = net.get_submodule(name)
        if isinstance(layer, nn.Flatten | nn.AdaptiveAvgPool2d):
            break
        found[name] = view
    return found


def test_the_numbers_are_those_of_python(page: WebDriver) -> None:
    deep, known_views = [*deep_configurations()], {}
    assert len(deep) == len(DEEP)
    tried = [*random_configurations(), *deep]
    assert len({str(one.asked) for one in tried}) == len(tried) >= 200
    counts = Counter(one.family for one in tried)
    assert min(counts.values()) >= 20, counts
    measured = page.execute_script(MEASURE, [one.asked for one in tried])
    for one, found in zip(tried, measured, strict=True):
        net = replace_modules(one.net(), nn.ReLU, nn.Identity)  # 形状不变，快三成
        size, channels = one.values['image_size'], one.values['in_channels']
        table = layer_table(net, size, channels, detail=True)
        assert (found['parameters'], found['macs']) == (table.parameters, table.macs), (
            one
        )
        layers = {path: row for path, *row in found['layers']}
        for row in table.rows:
            path = row.name.partition('（')[0]
            known = [list(row.shape), row.parameters, row.macs]
            assert layers[path][:3] == known, (one, path)
        if one.shaping not in known_views:  # 通道、类别、边长不影响看得多远
            known_views[one.shaping] = expected_views(one.net())
        seen = known_views[one.shaping]
        for path, (_, _, _, field, jump) in layers.items():
            assert [field, jump] == list(seen.get(path, (None, None))), (one, path)


def test_the_parts_are_the_rows_of_the_layer_table(page: WebDriver) -> None:
    defaults = []
    for family in TRIED:
        choices = describe_networks.choices_of(family)
        values = {name: choice.default for name, choice in choices.items()}
        defaults.append(Tried(family, values))
    for one, found in zip(
        defaults, page.execute_script(MEASURE, [d.asked for d in defaults]), strict=True
    ):
        rows = layer_table(one.net(), one.values['image_size']).rows
        assert [row[:4] for row in found['parts']] == [
            [row.name, list(row.shape), row.parameters, row.macs] for row in rows
        ]


def test_choosing_a_papers_network_gives_it(page: WebDriver) -> None:
    choices = describe_networks.choices_of('densenet')
    defaults = {name: choice.default for name, choice in choices.items()}
    tried = []
    for counts, _, _ in VARIANTS.values():
        also = describe_networks.option(counts)['also']
        tried.append(Tried('densenet', defaults | {'num_convs': counts, **also}))
    found = page.execute_script(MEASURE, [one.asked for one in tried])
    with torch.device('meta'):
        wanted = [count_parameters(paper_densenet(name)) for name in VARIANTS]
    assert [one['parameters'] for one in found] == wanted


def first_failure(net: Network, side: int) -> str:
    """不经过网络自己的检查，走到哪一层 PyTorch 报错；走得完时是空的。"""
    entered: list[str] = []

    def enter(path: str) -> Callable:
        return lambda module, inputs: entered.append(path)

    X = torch.zeros(1, 1, side, side, device='meta')
    with ExitStack() as hooks:
        for path, module in net.named_modules():
            if not any(module.children()):
                hook = module.register_forward_pre_hook(enter(path))
                hooks.callback(hook.remove)
        try:
            net.eval().head(net.stages(net.stem(X)))
        except RuntimeError:
            return entered[-1]
    return ''


def test_too_small_an_input_fails_where_pytorch_does(page: WebDriver) -> None:
    failed = 0
    for family in TRIED:
        choices = describe_networks.choices_of(family)
        values = {name: choice.default for name, choice in choices.items()}
        net = Tried(family, values | {'image_size': 224}).net()
        sides = (1, 10, 16, 31, 66)
        tried = [Tried(family, values | {'image_size': side}) for side in sides]
        found = page.execute_script(MEASURE, [one.asked for one in tried])
        for side, measured in zip(sides, found, strict=True):
            wanted = first_failure(net, side)
            # 全连接层按 224 来造，边长不对时也报错；页面里它跟着边长变
            if family in ('alexnet', 'vgg') and wanted.startswith('head'):
                wanted = ''
            assert measured.get('fails', '') == wanted, (family, side)
            failed += bool(wanted)
    assert failed > 10


def test_the_committed_description_is_that_of_the_code() -> None:
    committed = describe_networks.TARGET.read_text(encoding='utf-8')
    assert committed == describe_networks.script()


def test_dense_blocks_see_as_far_as_their_deepest_layer() -> None:
    """测试自己的那一串窗口：与真的梯度看到的一样远。"""
    block = DenseBlock(3, 4, 2).double().eval()
    for parameter in block.parameters():
        nn.init.constant_(parameter, 0.1)
    X = torch.rand(1, 4, 15, 15, dtype=torch.double, requires_grad=True)
    block(X)[0, :, 7, 7].sum().backward()
    reached = int((X.grad[0].abs().sum((0, 1)) > 0).sum())
    assert field_of(windows_of(block)) == reached == 7
