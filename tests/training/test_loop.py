"""训练循环：给不了结果时说清楚怎么办；一轮之内不等设备。打断与断点各有自己的文件。"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.runs import Run
from deepcnn.training import loop
from deepcnn.training.fitting import require_fitting
from deepcnn.training.loop import TrainingDiverged, fit
from deepcnn.training.progress import report_epoch
from deepcnn.training.recipe import Recipe
from deepcnn.training.seeds import train

CPU = torch.device('cpu')
SHORT = Recipe(8, 2, 1e-2, 64, train_images=256, test_images=100)


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset()


def linear_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_divergence_names_step_rate_and_remedy(digits: Dataset) -> None:
    recipe = Recipe(
        8, 1, 1e30, 64, train_images=512, test_images=200, optimizer='sgd',
        schedule='constant', clip=None, precision='fp32',
    )  # fmt: skip
    with pytest.raises(TrainingDiverged, match=r'第 1 轮第 \d+ 步') as caught:
        train(linear_net, digits, recipe, 'quick', CPU)
    for part in ('学习率 1e+30', 'lr 减小', 'clip', 'fp32'):
        assert part in str(caught.value)


def test_batch_larger_than_the_data_is_refused(digits: Dataset) -> None:
    recipe = Recipe(8, 1, 1e-2, 64, train_images=10)
    with pytest.raises(ValueError, match='batch_size'):
        fit(linear_net(), digits.first(10, 10), recipe, 0, CPU)


@pytest.mark.parametrize(
    ('norm', 'features'),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4)), 4),
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)), 64),
        (nn.Sequential(nn.Conv2d(1, 4, 8), nn.InstanceNorm2d(4)), 4),
    ],
    ids=['BatchNorm2d', 'BatchNorm1d', 'InstanceNorm2d'],
)
def test_a_batch_of_one_number_per_channel_has_no_variance(
    digits: Dataset, norm: nn.Module, features: int
) -> None:
    net = nn.Sequential(norm, nn.Flatten(), nn.Linear(features, 10))
    with pytest.raises(
        ValueError, match='batch_size=1、image_size=8.*没有方差可算：请加大 batch_size'
    ):
        fit(net, digits.first(8, 8), replace(SHORT, batch_size=1), 0, CPU)


@pytest.mark.parametrize('steps', range(1, 10))
def test_any_number_of_steps_can_be_scheduled(digits: Dataset, steps: int) -> None:
    recipe = Recipe(8, 1, 1e-2, 8, train_images=8 * steps, test_images=8)
    run = fit(linear_net(), digits.first(8 * steps, 8), recipe, 0, CPU)
    assert len(run.train_loss) == 1


def test_throughput_counts_only_the_images_that_were_trained(
    digits: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """99 张、每批 50 张：每轮只训练 50 张。轮末那行与记录要一致。"""
    recipe = replace(SHORT, batch_size=50, train_images=99)
    _, history = train(linear_net, digits, recipe, 'quick', CPU)
    run = Run(0, [9.0, 1.5], [0.1, 0.25], [0.1, 0.75], [0.5, 0.25], 1.0)
    history.runs = [run]
    assert history.images_per_second == 50 / 0.375
    capsys.readouterr()
    report_epoch(run, 1, recipe, digits.first(99, 10))
    assert capsys.readouterr().out.split() == [
        '手写数字', 'digits', '第', '2/2', '轮', '损失', '1.500', '训练准确率', '0.250',
        '测试准确率', '0.750', '200', '张/秒',
    ]  # fmt: skip


def test_loss_and_accuracy_of_an_epoch_are_the_means_over_its_steps(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """四步的损失是 1、2、3、6，每批 8 张里对 0、2、4、8 张；剩下 3 张不算。"""
    values = iter([(1.0, 0), (2.0, 2), (3.0, 4), (6.0, 8)])
    monkeypatch.setattr(
        loop, 'train_step', lambda *_: tuple(map(torch.tensor, next(values)))
    )
    recipe = replace(SHORT, epochs=1, batch_size=8)
    run = fit(linear_net(), digits.first(35, 10), recipe, 0, CPU)
    assert run.train_loss == [3.0]
    assert run.train_accuracy == [14 / 32]


def test_nothing_reads_the_device_inside_an_epoch(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """每步都读一次结果，GPU 就要每步等一次：步与步之间不许出现这种读取。"""
    monkeypatch.setenv('DEEPCNN_PROGRESS', '0')
    reads: list[str] = []
    stepping = False

    def spy(name: str) -> Callable:
        original = getattr(torch.Tensor, name)

        def read(tensor: torch.Tensor, *args: object) -> object:
            if stepping:
                reads.append(name)
            return original(tensor, *args)

        return read

    for name in ('item', 'tolist', '__bool__', '__float__', '__int__', 'numpy'):
        monkeypatch.setattr(torch.Tensor, name, spy(name))
    original = loop.train_batches

    def watched(*args: object) -> object:
        nonlocal stepping
        batches = original(*args)
        first = next(batches)  # 一轮之初判断要不要增广，只读一次
        stepping = True
        yield first
        yield from batches
        stepping = False

    monkeypatch.setattr(loop, 'train_batches', watched)
    recipe = Recipe(
        8, 1, 1e-2, 32, train_images=256, test_images=100, flip=False, erasing=0.5
    )
    fit(linear_net(), digits.first(256, 100), recipe, 0, CPU)
    assert reads == []


def test_the_first_step_that_diverged_is_named_with_its_rate() -> None:
    losses = torch.tensor([1.0, 2.0, float('nan'), 3.0, float('inf')])
    with pytest.raises(TrainingDiverged, match=r'第 4 轮第 3 步.*学习率 0\.3）'):
        loop.require_finite(losses, 3, [0.1, 0.2, 0.3, 0.4, 0.5])
    loop.require_finite(losses[:2], 3, [0.1, 0.2])


def test_a_network_with_too_few_outputs_is_refused(digits: Dataset) -> None:
    two = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(ValueError, match='只有 2 个输出.*有 10 类.*num_classes=10'):
        train(lambda: two, digits, SHORT, 'quick', CPU)
    more = nn.Sequential(nn.Flatten(), nn.Linear(64, 11))
    assert train(lambda: more, digits, replace(SHORT, epochs=1), 'quick', CPU)


def test_a_shift_as_large_as_the_image_is_refused(digits: Dataset) -> None:
    """CPU 上会悄悄训练全黑的图像，别的设备上是越界。"""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    require_fitting(net, digits, replace(SHORT, shift=7))
    with pytest.raises(ValueError, match='平移要小于图像的边长 8 像素，现在 shift 是 8'):
        train(lambda: net, digits, replace(SHORT, shift=8), 'quick', CPU)


def test_what_has_no_variance_is_told_in_chinese_by_the_loop(digits: Dataset) -> None:
    one = nn.Sequential(nn.Conv2d(1, 4, 8), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(4, 10))
    with pytest.raises(ValueError, match='请加大 batch_size 或 image_size'):
        train(lambda: one, digits, SHORT, 'quick', CPU)


def test_looking_whether_a_network_fits_leaves_no_trace(digits: Dataset) -> None:
    """权重、滑动平均、方式与随机数都不变，训练才与不看时逐位相同。"""
    net = nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10)
    )
    net[1].eval()
    before = deepcopy(net.state_dict()), torch.get_rng_state()
    require_fitting(net, digits, SHORT)
    assert all(torch.equal(one, before[0][name]) for name, one in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before[1])
    assert [one.training for one in net] == [True, False, True, True]
    assert not any(one.is_inference() for one in net.parameters())


@pytest.mark.parametrize('error', [ValueError, RuntimeError])
def test_other_errors_of_a_network_keep_their_words(
    digits: Dataset, error: type[Exception]
) -> None:
    class Faulty(nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            raise error('形状不对')

    with pytest.raises(error, match='^形状不对$'):
        fit(Faulty(64, 10), digits.first(64, 32), SHORT, 0, CPU)


def test_the_processors_own_shortage_of_memory_is_recognized(digits: Dataset) -> None:
    """CPU 上没有专门的异常：真的要一块不可能有的内存，看认不认得。"""

    class Greedy(nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return super().forward(X.flatten(1)) + torch.empty(2**58)[:1]

    with pytest.raises(RuntimeError, match='内存不够：请把 batch_size 从 64 减到 32'):
        fit(Greedy(64, 10), digits.first(64, 32), SHORT, 0, CPU)
