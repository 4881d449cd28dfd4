"""一步训练：裁剪、标签平滑、精度与内存布局真的用上了，命中数得对，走一步就是一步。"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.records.runs import Run
from deepcnn.training import hardware
from deepcnn.training.evaluation import evaluate
from deepcnn.training.hardware import resolve_precision, to_layout
from deepcnn.training.loop import Session, fit, train_step
from deepcnn.training.optimization import make_optimizer, make_schedule
from deepcnn.training.recipe import Recipe

CPU = torch.device('cpu')
RECIPE = Recipe(
    6, 1, 0.1, 4, optimizer='sgd', schedule='constant', momentum=0, weight_decay=0,
    clip=None, flip=False, precision='fp32', channels_last=False,
)  # fmt: skip


class Watched(nn.Module):
    """三通道的小网络；记下卷积的输入、权重的布局与输出的精度。"""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)
        self.dtypes: list[torch.dtype] = []
        self.layouts: list[tuple[bool, bool]] = []

    def forward(self, X: Tensor) -> Tensor:
        features = self.conv(X)
        self.dtypes.append(features.dtype)
        self.layouts.append((is_channels_last(X), is_channels_last(self.conv.weight)))
        return self.head(features.relu().mean((2, 3)))


def is_channels_last(tensor: Tensor) -> bool:
    """恰好是一种布局，不会两种都算。"""
    last = tensor.is_contiguous(memory_format=torch.channels_last)
    assert last != tensor.is_contiguous()
    return last


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, 6, 6, generator=generator), torch.tensor([0, 1, 2, 1])


@pytest.fixture
def data() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (8, 3, 6, 6), dtype=torch.uint8, generator=generator)
    part = ImageSet(images, torch.arange(8) % 3)
    return Dataset('彩色的', part, part, tuple('甲乙丙'), (0.5,) * 3, (0.3,) * 3)


def session_of(net: nn.Module, recipe: Recipe) -> Session:
    optimizer = make_optimizer(net, recipe, CPU)
    return Session(net, optimizer, make_schedule(optimizer, recipe, 10), Run(0))


def net_at_start() -> Watched:
    torch.manual_seed(0)
    return Watched()


def gradient_at_step(recipe: Recipe, batch: tuple[Tensor, Tensor]) -> Tensor:
    """优化器走那一步时看见的全部梯度，连成一行。"""
    net, seen = net_at_start(), []
    session = session_of(net, recipe)
    session.optimizer.register_step_pre_hook(
        lambda *_: seen.append(
            torch.cat([one.grad.flatten() for one in net.parameters()])
        )
    )
    train_step(session, *batch, recipe, CPU)
    [gradient] = seen
    return gradient


def gradient_by_hand(
    batch: tuple[Tensor, Tensor], loss: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    net = net_at_start()
    loss(net(batch[0]), batch[1]).backward()
    return torch.cat([one.grad.flatten() for one in net.parameters()])


def test_gradients_are_clipped_before_the_step(batch: tuple[Tensor, Tensor]) -> None:
    """缩到上限，方向不变；本来不到上限的不变；None 就不裁剪。"""
    whole = gradient_by_hand(batch, F.cross_entropy)
    norm = whole.norm().item()
    assert norm > 0.1
    torch.testing.assert_close(gradient_at_step(RECIPE, batch), whole)
    clipped = gradient_at_step(replace(RECIPE, clip=0.01), batch)
    assert clipped.norm().item() <= 0.01
    torch.testing.assert_close(clipped, whole * 0.01 / norm, rtol=1e-3, atol=1e-8)
    roomy = gradient_at_step(replace(RECIPE, clip=2 * norm), batch)
    torch.testing.assert_close(roomy, whole)


def smoothed(scores: Tensor, y: Tensor, amount: float) -> Tensor:
    """目标的 1 − ε 给正确的类，ε 平分给全部 K 类（Szegedy 等，2016）。"""
    target = F.one_hot(y, 3) * (1 - amount) + amount / 3
    return -(target * scores.log_softmax(1)).sum(1).mean()


@pytest.mark.parametrize('amount', [0.0, 0.1, 0.5])
def test_label_smoothing_enters_the_loss_and_the_gradient(
    batch: tuple[Tensor, Tensor], amount: float
) -> None:
    recipe, net = replace(RECIPE, label_smoothing=amount), net_at_start()
    expected = smoothed(net(batch[0]), batch[1], amount).detach()
    loss, _ = train_step(session_of(net, recipe), *batch, recipe, CPU)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        gradient_at_step(recipe, batch),
        gradient_by_hand(batch, lambda scores, y: smoothed(scores, y, amount)),
    )


def test_one_step_moves_every_weight_once(batch: tuple[Tensor, Tensor]) -> None:
    """w − ηg，g 只属于这一批：上一步的梯度不留下来。"""
    net = net_at_start()
    session = session_of(net, RECIPE)
    for _ in range(2):
        before = {name: one.detach().clone() for name, one in net.named_parameters()}
        fresh = net_at_start()
        fresh.load_state_dict(before)
        F.cross_entropy(fresh(batch[0]), batch[1]).backward()
        loss, _ = train_step(session, *batch, RECIPE, CPU)
        assert not loss.requires_grad
        for (name, one), other in zip(
            net.named_parameters(), fresh.parameters(), strict=True
        ):
            torch.testing.assert_close(one.detach(), before[name] - 0.1 * other.grad)


def test_hits_are_the_right_answers_of_the_batch(batch: tuple[Tensor, Tensor]) -> None:
    """权重还没有动的那一次前向里，得分最高的类就是标签的张数。"""

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Parameter(torch.eye(3)[[0, 1, 0, 2]])

        def forward(self, X: Tensor) -> Tensor:
            return self.scores * 1

    _, hits = train_step(session_of(Fixed(), RECIPE), *batch, RECIPE, CPU)
    assert hits == 2  # 标签是 0、1、2、1


@pytest.mark.parametrize(
    ('precision', 'dtype'), [('fp32', torch.float32), ('bf16', torch.bfloat16)]
)
def test_layers_compute_in_the_precision_of_the_recipe(
    data: Dataset, batch: tuple[Tensor, Tensor], precision: str, dtype: torch.dtype
) -> None:
    recipe, net = replace(RECIPE, precision=precision), net_at_start()
    train_step(session_of(net, recipe), *batch, recipe, CPU)
    evaluate(net, data, recipe)
    fit(net, data, recipe, 0, CPU)
    assert net.dtypes == [dtype] * (1 + 1 + 3)
    assert {one.dtype for one in net.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ('flags', 'expected'), [('fpu avx512_bf16 sse', 'bf16'), ('fpu avx512f', 'fp32')]
)
def test_auto_takes_bf16_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, flags: str, expected: str
) -> None:
    monkeypatch.setattr(
        hardware, '_cpuinfo', lambda: f'model name : x\nflags : {flags}'
    )
    assert resolve_precision(replace(RECIPE, precision='auto'), CPU) == expected
    for precision in ('fp32', 'bf16'):
        recipe = replace(RECIPE, precision=precision)
        assert resolve_precision(recipe, CPU) == precision


@pytest.mark.parametrize('channels_last', [True, False])
def test_images_and_weights_lie_in_the_layout_of_the_recipe(
    data: Dataset, channels_last: bool
) -> None:
    """训练与评价都是；交来的网络不论是哪种布局。"""
    recipe, net = replace(RECIPE, channels_last=channels_last), net_at_start()
    other = torch.contiguous_format if channels_last else torch.channels_last
    net.to(memory_format=other)
    fit(net, data, recipe, 0, CPU)
    assert net.layouts == [(channels_last, channels_last)] * 3
    evaluate(net, data, recipe)
    assert net.layouts[-1][0] == channels_last


def test_layout_does_not_change_the_numbers(batch: tuple[Tensor, Tensor]) -> None:
    for channels_last in (True, False):
        laid = to_layout(batch[0], replace(RECIPE, channels_last=channels_last))
        assert torch.equal(laid, batch[0])
