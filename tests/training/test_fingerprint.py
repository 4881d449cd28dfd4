"""网络的内容：改动任何影响训练的一处，文字都变；不影响的改动与换一个进程，文字不变。

每个例子是一段笔记本单元似的源码，定义 ``build()``；改动写成「原来 → 现在」。
"""

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from deepcnn.models import create
from deepcnn.training.fingerprint import contents_of, tensor_text

ROOT = Path(__file__).parents[2]

RESIDUAL = '''
import torch
from torch import nn
import torch.nn.functional as F

SCALE = 1.0
STEPS = {'warm': [1, 2], 'names': {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}}

def scaled(X, by=1.0, *, shift=0):
    """按比例放大。"""
    return X * by * SCALE + shift

class Residual(nn.Module):
    """残差块。"""
    gain = 1

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.rate = 0.5
        self.steps = STEPS

    @property
    def slope(self):
        return 1

    @staticmethod
    def twice(X):
        return X + X

    def merge(self, X, Y):
        return X + Y  # 相加

    def forward(self, X):
        Y = scaled(self.conv(X)) * self.gain * self.slope
        if X.dtype in {torch.float32, torch.bfloat16} and 'x' not in {'p', 'q'}:
            Y = self.twice(Y)
        return F.relu(self.merge(X, Y))

class Louder(Residual):
    pass

def build():
    return nn.Sequential(Louder(), nn.Flatten(), nn.Linear(64, 10))
'''

CHANGES = {
    'the addition goes': ('return X + Y  # 相加', 'return Y'),
    'a constant': ('X + X', 'X + 2 * X'),
    'a global constant': ('SCALE = 1.0', 'SCALE = 2.0'),
    'a default': ('by=1.0', 'by=3.0'),
    'a keyword default': ('shift=0', 'shift=1'),
    'a helper': ('X * by * SCALE', 'X * by + SCALE'),
    'a class attribute': ('gain = 1', 'gain = 2'),
    'an instance attribute': ('self.rate = 0.5', 'self.rate = 0.6'),
    'a property': ('slope(self):\n        return 1', 'slope(self):\n        return 2'),
    'a called function': ('F.relu(self', 'F.gelu(self'),
    'a set': ("{'p', 'q'}", "{'x', 'q'}"),
    'an overriding method': (
        'class Louder(Residual):\n    pass',
        'class Louder(Residual):\n    def merge(self, X, Y):\n        return X - Y',
    ),
    'another base': ('class Louder(Residual)', 'class Louder(nn.Identity)'),
    'a hook': (
        'def build():\n    return nn.Sequential(Louder()',
        'def build():\n    loud = Louder()\n'
        '    loud.register_forward_hook(lambda m, i, o: 2 * o)\n'
        '    return nn.Sequential(loud',
    ),
    'a forward of its own': (
        'def build():\n    return nn.Sequential(Louder()',
        'def build():\n    loud = Louder()\n    loud.forward = lambda X: X\n'
        '    return nn.Sequential(loud',
    ),
    'the order of layers': ('(Louder(), nn.Flatten()', '(nn.Flatten(), Louder()'),
    'the order of parameters': ('def merge(self, X, Y):', 'def merge(self, Y, X):'),
    'a layer used twice': ('(Louder(), nn', '(*2 * [Louder()], nn'),
}

HARMLESS = {
    'a comment': ('  # 相加', '  # 两者相加'),
    'a docstring': ('"""按比例放大。"""', '"""放大，再平移。"""'),
    'no docstring': ('    """按比例放大。"""\n', ''),
    'a docstring of the class': ('"""残差块。"""', '"""残差。"""'),
    'no docstring of the class': ('    """残差块。"""\n', ''),
    'a new docstring': (
        'def build():', 'def unused():\n    return SCALE\n\ndef build():',
    ),
    'a docstring where there was none': (
        'def merge(self, X, Y):', 'def merge(self, X, Y):\n        """合并。"""',
    ),
    'blank lines and layout': (
        'return F.relu(self.merge(X, Y))', '\n        return F.relu(\n   self.merge(X, Y))',
    ),
    'an annotation': ('def merge(self, X, Y):', 'def merge(self, X: int, Y) -> int:'),
}  # fmt: skip


def built(source: str, **names: object) -> nn.Module:
    """像在笔记本里那样执行 ``source``，用种子 0 造出网络。"""
    namespace = {'__name__': '__main__', **names}
    exec(textwrap.dedent(source), namespace)
    torch.manual_seed(0)
    return namespace['build']()


def edited(source: str, old: str, new: str) -> str:
    assert source.count(old) == 1
    return source.replace(old, new)


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_network_shows(change: tuple[str, str]) -> None:
    before = contents_of(built(RESIDUAL))
    assert contents_of(built(edited(RESIDUAL, *change))) != before


@pytest.mark.parametrize('change', HARMLESS.values(), ids=HARMLESS)
def test_an_edit_that_computes_the_same_does_not_show(change: tuple[str, str]) -> None:
    before = contents_of(built(RESIDUAL))
    assert contents_of(built(edited(RESIDUAL, *change))) == before


# 每一段里的 1 改成 2，网络算的就不同；改动藏在不同的地方。
HIDDEN = {
    'lambda in a module': """
        class Apply(nn.Module):
            def __init__(self, run):
                super().__init__()
                self.forward = run
        def build():
            return nn.Sequential(Apply(lambda X: X * 1))
        """,
    'closure': """
        def times(by):
            def run(X):
                return X * by
            return run
        def build():
            net = nn.Flatten()
            net.forward = times(1)
            return net
        """,
    'list of functions': """
        def build():
            net = nn.Flatten()
            net.steps = [torch.relu, lambda X: X * 1]
            return net
        """,
    'dict of functions': """
        ACTIVATIONS = {'relu': lambda X: X * 1}
        class Net(nn.Module):
            def forward(self, X):
                return ACTIVATIONS['relu'](X)
        build = Net
        """,
    'custom gradient': """
        class Halve(torch.autograd.Function):
            @staticmethod
            def forward(ctx, X):
                return X
            @staticmethod
            def backward(ctx, gradient):
                return gradient / 1
        class Net(nn.Module):
            def forward(self, X):
                return Halve.apply(X)
        build = Net
        """,
    'stored method of a custom gradient': """
        class Halve(torch.autograd.Function):
            @staticmethod
            def backward(ctx, gradient):
                return gradient / 1
        def build():
            net = nn.Flatten()
            net.activation = Halve.apply
            return net
        """,
    'partial': """
        from functools import partial
        def clipped(X, top):
            return X.clamp(max=top)
        def build():
            net = nn.Flatten()
            net.activation = partial(clipped, top=1)
            return net
        """,
    'inside a partial': """
        from functools import partial
        def clipped(X, top):
            return X.clamp(max=top) * 1
        def build():
            net = nn.Flatten()
            net.activation = partial(clipped, top=9)
            return net
        """,
    'decorator of torch': """
        class Net(nn.Module):
            @torch.no_grad()
            def forward(self, X):
                return X * 1
        build = Net
        """,
    'decorator that pretends to be torch': """
        from functools import wraps
        @wraps(torch.nn.functional.relu)
        def mine(X):
            return X * 1
        class Net(nn.Module):
            def forward(self, X):
                return mine(X)
        build = Net
        """,
    'context manager': """
        from contextlib import contextmanager
        @contextmanager
        def scaled():
            yield 1
        class Net(nn.Module):
            def forward(self, X):
                with scaled() as by:
                    return X * by
        build = Net
        """,
    'cached function': """
        from functools import cache
        @cache
        def factor():
            return 1
        class Net(nn.Module):
            def forward(self, X):
                return X * factor()
        build = Net
        """,
    'cached property': """
        from functools import cached_property
        class Net(nn.Module):
            @cached_property
            def by(self):
                return 1
        build = Net
        """,
    'class method': """
        class Net(nn.Module):
            @classmethod
            def by(cls):
                return 1
        build = Net
        """,
    'settings object': """
        from dataclasses import dataclass
        @dataclass
        class Settings:
            by: float = 1
        def build():
            net = nn.Flatten()
            net.settings = Settings()
            return net
        """,
    'settings with slots': """
        class Settings:
            __slots__ = ('by',)
            def __init__(self):
                self.by = 1
        SETTINGS = Settings()
        class Net(nn.Module):
            def forward(self, X):
                return X * SETTINGS.by
        build = Net
        """,
    'enumeration': """
        from enum import IntEnum
        class Size(IntEnum):
            SMALL = 1
        def build():
            net = nn.Flatten()
            net.size = Size.SMALL
            return net
        """,
    'callable object': """
        class Scale:
            def __call__(self, X):
                return X * 1
        def build():
            net = nn.Flatten()
            net.activation = Scale()
            return net
        """,
    'class made inside forward': """
        class Scale:
            by = 1
        class Net(nn.Module):
            def forward(self, X):
                return X * Scale().by
        build = Net
        """,
    'inner function': """
        class Net(nn.Module):
            def forward(self, X):
                def inner(Y):
                    return [y * 1 for y in Y]
                return inner(X)
        build = Net
        """,
    'global only an inner function uses': """
        BY = 1
        class Net(nn.Module):
            def forward(self, X):
                return [(lambda: y * BY)() for y in X]
        build = Net
        """,
    'tensor that is no buffer': """
        def build():
            net = nn.Flatten()
            net.mask = torch.tensor([1.0])
            return net
        """,
    'buffer that is not saved': """
        def build():
            net = nn.Flatten()
            net.register_buffer('mask', torch.tensor(1.0), persistent=False)
            return net
        """,
    'array': """
        import numpy
        KERNEL = numpy.zeros(5000)
        KERNEL[2500] = 1
        class Net(nn.Module):
            def forward(self, X):
                return X * torch.from_numpy(KERNEL)
        build = Net
        """,
    'hook before': """
        def build():
            net = nn.Linear(2, 2)
            net.register_forward_pre_hook(lambda module, inputs: inputs[0] * 1)
            return net
        """,
    'hook of a weight': """
        def build():
            net = nn.Linear(2, 2)
            net.weight.register_hook(lambda gradient: gradient * 1)
            return net
        """,
    'key of a dict': """
        def build():
            net = nn.Flatten()
            net.sizes = {1: 'small'}
            return net
        """,
    'value of a dict': """
        def build():
            net = nn.Flatten()
            net.sizes = {'small': 1}
            return net
        """,
    'attribute of a function': """
        def scaled(X):
            return X * scaled.by
        scaled.by = 1
        class Net(nn.Module):
            def forward(self, X):
                return scaled(X)
        build = Net
        """,
    'condition': """
        class Net(nn.Module):
            def forward(self, X):
                try:
                    return X * 0 if len(X) > 1 else X
                except ValueError:
                    return X
        build = Net
        """,
}


@pytest.mark.parametrize('source', HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize('name', [{'__name__': '__main__'}, {}], ids=['named', 'bare'])
def test_a_change_shows_wherever_it_hides(source: str, name: dict) -> None:
    """没有 ``__name__`` 的命名空间里，类自称来自 builtins。"""
    source = 'import torch\nfrom torch import nn\n' + textwrap.dedent(source)
    place = source.rindex('1')
    texts = []
    for code in (source, source, source[:place] + '2' + source[place + 1 :]):
        namespace = dict(name)
        exec(code, namespace)
        torch.manual_seed(0)
        texts.append(contents_of(namespace['build']()))
    assert texts[0] == texts[1] != texts[2]
    assert ' at 0x' not in texts[0]


def test_helpers_in_a_module_of_ones_own_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = """
        import my_own_helpers as helpers
        from torch import nn
        class Net(nn.Module):
            def forward(self, X):
                return helpers.scaled(X)
        build = Net
        """
    texts = []
    for by in (1, 1, 2):
        (tmp_path / 'my_own_helpers.py').write_text(
            f'unused = {len(texts)}\nBY = {by}\ndef scaled(X):\n    return X * BY\n'
        )
        monkeypatch.delitem(sys.modules, 'my_own_helpers', raising=False)
        monkeypatch.setattr(sys, 'dont_write_bytecode', True)
        texts.append(contents_of(built(source)))
    assert texts[0] == texts[1] != texts[2]


def layers(*modules: nn.Module) -> nn.Module:
    for module in modules:
        for parameter in module.parameters():
            nn.init.constant_(parameter, 0.5)
    return nn.Sequential(*modules)


def tied() -> nn.Module:
    net = layers(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    return net


def frozen() -> nn.Module:
    net = layers(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(False)
    return net


def functions(*order: int) -> nn.Module:
    """三个属性，由两个函数组成。"""
    kinds = (lambda X: X, lambda X: -X)
    net = layers(nn.Linear(2, 2))
    net.first, net.second, net.third = (kinds[one] for one in order)
    return net


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        (layers(nn.Linear(2, 2), nn.Linear(2, 2)), tied()),
        (layers(nn.Linear(2, 2), nn.Linear(2, 2)), frozen()),
        (layers(nn.Linear(2, 2)), layers(nn.Linear(2, 2).bfloat16())),
        (layers(nn.Conv2d(2, 1, 1)), layers(nn.Conv2d(1, 2, 1))),
        (layers(nn.Conv2d(1, 1, 3)), layers(nn.Conv2d(1, 1, 3, stride=2))),
        (functions(0, 1, 0), functions(0, 1, 1)),
        (layers(nn.ReLU(), nn.ReLU()), layers(*2 * [nn.ReLU()])),
        (
            layers(nn.Linear(2, 2)),
            layers(parametrizations.weight_norm(nn.Linear(2, 2))),
        ),
    ],
    ids=[
        'tied weights', 'frozen weights', 'precision', 'shape', 'stride',
        'which function where', 'one layer in two places', 'parametrization',
    ],
)  # fmt: skip
def test_networks_that_train_differently_differ(
    one: nn.Module, other: nn.Module
) -> None:
    assert contents_of(one) == contents_of(one) != contents_of(other)


def test_one_weight_shows() -> None:
    net = create('nin', image_size=96)
    before = contents_of(net)
    with torch.no_grad():
        next(net.parameters()).flatten()[7] += 1e-6
    assert contents_of(net) != before


def test_the_kind_of_a_tensor_shows_even_when_its_bytes_are_the_same() -> None:
    zeros = torch.zeros(4)
    assert tensor_text(zeros) != tensor_text(zeros.to(torch.int32))
    assert tensor_text(zeros) != tensor_text(zeros.view(2, 2))


def test_a_tensor_without_content_is_described() -> None:
    nets = [nn.Linear(2, size, device='meta') for size in (3, 3, 4)]
    texts = [contents_of(net) for net in nets]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ('one', 'other'),
    [(lambda *X: X, lambda **X: X), (lambda X: -X, lambda X: ~X)],
    ids=['how arguments are gathered', 'another operation'],
)
def test_functions_of_the_same_names_and_constants_differ(
    one: Callable, other: Callable
) -> None:
    nets = nn.Flatten(), nn.Flatten()
    nets[0].forward, nets[1].forward = one, other
    assert contents_of(nets[0]) != contents_of(nets[1])


def test_earlier_hooks_and_the_mode_do_not_show() -> None:
    """钩子的键是流水号；训练还是评价，由训练循环自己设。"""
    texts = []
    for _ in range(2):
        net = layers(nn.Linear(2, 2))
        net.register_forward_hook(lambda *a, **b: None, with_kwargs=True)
        texts += [contents_of(net), contents_of(net.eval())]
    assert len(set(texts)) == 1


IN_PROCESS = (
    'import sys, hashlib; sys.path.insert(0, "tests/training");'
    'import test_fingerprint as t; print(t.digest_of_everything())'
)


def digest_of_everything() -> str:
    sources = [RESIDUAL, *('import torch\nfrom torch import nn\n' + textwrap.dedent(one)
                           for one in HIDDEN.values())]  # fmt: skip
    texts = [contents_of(built(source)) for source in sources]
    texts += [contents_of(create(name, image_size=224)) for name in ('nin', 'resnet18')]
    return hashlib.sha256('\n'.join(texts).encode()).hexdigest()


def test_every_process_writes_the_same() -> None:
    """集合的次序、内存地址、流水号都随进程而变，不许进到文字里。"""
    torch.manual_seed(0)
    done = subprocess.run(
        [sys.executable, '-c', IN_PROCESS],
        cwd=ROOT,
        env={**os.environ, 'PYTHONHASHSEED': '7', 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        encoding='utf-8',
        check=True,
    )
    assert done.stdout.strip() == digest_of_everything()
