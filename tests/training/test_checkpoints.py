"""断点：接着做与没有中断过逐位相同；任何一样变了就不认；Ctrl-C 退回记录下来的权重。"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepcnn.data.dataset import Dataset, ImageSet
from deepcnn.records.runs import Run, load_history
from deepcnn.training import checkpoint, loop, seeds
from deepcnn.training.checkpoint import Checkpoint, checkpoint_for
from deepcnn.training.evaluation import evaluate
from deepcnn.training.fingerprint import code_of
from deepcnn.training.loop import fit
from deepcnn.training.progress import report_epoch
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train, train_seeds

CPU = torch.device('cpu')
ADAMW = Recipe(4, 3, 0.05, 8, shift=1, erasing=0.3, precision='fp32')
SGD = replace(ADAMW, optimizer='sgd', schedule='constant')


def image_set(count: int, seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 1, 4, 4)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(count) % 3)


DATA = Dataset(
    '乱的', image_set(35, 0), image_set(40, 1), tuple('甲乙丙'), (0.5,), (0.3,)
)


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(16, 3)
    )  # fmt: skip


def built(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build()


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(tensor, twin) for (_, tensor), twin in pairs)


def without_times(run: Run) -> Run:
    return replace(run, epoch_seconds=[], seconds=0.0)


# ---- 接着做 --------------------------------------------------------------------


@pytest.mark.parametrize('recipe', [ADAMW, SGD], ids=['adamw', 'sgd'])
def test_a_resumed_training_is_the_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    """优化器、学习率、随机数与记录都接得上：权重、曲线逐位相同。"""
    whole = built()
    expected = fit(whole, DATA, recipe, 0, CPU)
    saved = Checkpoint(tmp_path / 'one.pt')
    stop_in_epoch(2, monkeypatch)
    fit(built(), DATA, recipe, 0, CPU, saved)
    monkeypatch.undo()
    torch.rand(5)  # 重来时的随机数在别处
    resumed = built(seed=7)
    run = fit(resumed, DATA, recipe, 0, CPU, saved)
    assert without_times(run) == without_times(expected)
    assert same_weights(resumed, whole)
    assert len(run.epoch_seconds) == 3
    assert run.seconds >= sum(run.epoch_seconds)


def stop_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """第 ``number`` 轮（从 1 数）的第二步像按了 Ctrl-C 一样中断。"""
    real = loop.train_step
    steps = []

    def step(session: loop.Session, *rest: object) -> object:
        steps.append(len(session.run.train_loss))
        if steps.count(number - 1) == 2:
            raise KeyboardInterrupt
        return real(session, *rest)

    monkeypatch.setattr(loop, 'train_step', step)


@pytest.mark.parametrize('resumed', [False, True])
def test_ctrl_c_gives_back_the_weights_that_were_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    """中断时这一轮已走了一步：退回上一轮结束时的权重，也算得出记录里的准确率。"""
    saved = Checkpoint(tmp_path / 'one.pt') if resumed else None
    if resumed:
        stop_in_epoch(2, monkeypatch)
        fit(built(), DATA, ADAMW, 0, CPU, saved)
        monkeypatch.undo()
    stop_in_epoch(2, monkeypatch)
    net = built()
    run = fit(net, DATA, ADAMW, 0, CPU, saved)
    monkeypatch.undo()
    first_epoch = one_epoch_of(ADAMW)
    assert run.test_accuracy == [evaluate(net, DATA, ADAMW)]
    assert same_weights(net, first_epoch)


def one_epoch_of(recipe: Recipe) -> nn.Module:
    """三轮的训练（学习率按三轮排）走完第一轮时的网络。"""
    net, copies = built(), []
    with pytest.MonkeyPatch.context() as patch:
        real = loop.copied
        patch.setattr(loop, 'copied', lambda it: copies.append(real(it)) or copies[-1])
        fit(net, DATA, recipe, 0, CPU)
    net.load_state_dict(copies[0])
    return net


def test_no_half_written_file_is_left(tmp_path: Path) -> None:
    saved = Checkpoint(tmp_path / 'deep' / 'one.pt')
    assert saved.load(CPU) is None
    saved.save({'a': torch.ones(2)})
    assert torch.equal(saved.load(CPU)['a'], torch.ones(2))
    assert [path.name for path in saved.path.parent.iterdir()] == ['one.pt']


def test_an_unreadable_checkpoint_is_announced_and_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = Checkpoint(tmp_path / 'one.pt')
    saved.path.write_bytes(b'half')
    net = built()
    run = fit(net, DATA, ADAMW, 0, CPU, saved)
    assert 'one.pt 读不了' in capsys.readouterr().out
    assert len(run.test_accuracy) == 3
    assert len(saved.load(CPU)['run']['test_accuracy']) == 3


# ---- 认不认 ----------------------------------------------------------------------


def name_of(
    net: nn.Module | None = None,
    data: Dataset = DATA,
    recipe: Recipe = ADAMW,
    seed: int = 0,
    device: torch.device = CPU,
) -> str:
    return checkpoint_for(Path(), net or built(), data, recipe, seed, device).path.name


def with_one_other(part: ImageSet, what: str) -> ImageSet:
    """改掉最后一张图像的最后一个像素，或最后一个标签。"""
    changed = getattr(part, what).clone()
    changed.view(-1)[-1] = (changed.view(-1)[-1] + 1) % 3
    return replace(part, **{what: changed})


@pytest.mark.parametrize('part', ['train', 'test'])
@pytest.mark.parametrize('what', ['images', 'labels'])
def test_one_other_pixel_or_label_is_other_data(part: str, what: str) -> None:
    changed = replace(DATA, **{part: with_one_other(getattr(DATA, part), what)})
    assert name_of(data=changed) != name_of()


@pytest.mark.parametrize(
    'change', [{'name': '别的'}, {'mean': (0.4,)}, {'std': (0.2,)}], ids=str
)
def test_other_statistics_are_other_data(change: dict) -> None:
    assert name_of(data=replace(DATA, **change)) != name_of()


@pytest.mark.parametrize(
    'change',
    [
        {'lr': 0.04}, {'epochs': 4}, {'batch_size': 4}, {'image_size': 8},
        {'optimizer': 'sgd'}, {'schedule': 'constant'}, {'weight_decay': 0.0},
        {'momentum': 0.8}, {'clip': None}, {'label_smoothing': 0.1}, {'flip': False},
        {'shift': 2}, {'erasing': 0.1}, {'precision': 'bf16'},
        {'channels_last': False},
    ],
    ids=str,
)  # fmt: skip
def test_another_recipe_has_another_checkpoint(change: dict) -> None:
    assert name_of(recipe=replace(ADAMW, **change)) != name_of()


def test_the_list_of_seeds_does_not_matter_but_the_seed_does() -> None:
    """多加一个种子，做完的种子不必重训。"""
    assert name_of(recipe=replace(ADAMW, seeds=(0, 1))) == name_of()
    assert name_of(seed=1) != name_of()


def test_device_torch_and_first_weights_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = name_of()
    assert name_of(device=torch.device('cuda')) != plain
    assert name_of(built(seed=1)) != plain
    other = built()
    other[1].running_mean[0] = 1  # 缓冲区也算
    assert name_of(other) != plain
    monkeypatch.setattr(torch, '__version__', '0.0')
    assert name_of() != plain


def test_the_training_code_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = name_of()
    monkeypatch.setattr(checkpoint, 'TRAINING_CODE', checkpoint.TRAINING_CODE[1:])
    assert name_of() != plain


def test_comments_and_docstrings_of_the_training_code_do_not() -> None:
    bare = 'def f(x):\n    ""\n    return x'
    spoken = 'def f(x):  # 说明\n    """文档。"""\n\n    return x'
    other = 'def f(x):\n    ""\n    return -x'
    assert checkpoint.syntax_of(bare) == checkpoint.syntax_of(spoken)
    assert checkpoint.syntax_of(bare) != checkpoint.syntax_of(other)
    text = 'x = "数据"'
    assert checkpoint.syntax_of(text) != checkpoint.syntax_of(text.replace('数', '证'))


SCALE = 2


def doubled(X: Tensor) -> Tensor:
    return SCALE * X


def tripled(X: Tensor) -> Tensor:
    return 3 * X


class Plain(nn.Module):
    """一句文档。"""

    def __init__(self, function: Callable = doubled) -> None:
        super().__init__()
        self.function = function
        self.layer = nn.Linear(2, 2)

    def forward(self, X: Tensor) -> Tensor:
        return self.layer(self.function(X)) + X


def lookalike(namespace: dict) -> nn.Module:
    """一个同名的类，只有 ``namespace`` 里的几样不同。"""
    return type('Plain', (Plain,), namespace)()


def without_the_sum(self: Plain, X: Tensor) -> Tensor:
    return self.layer(self.function(X))


def scaled_by(factor: float) -> Callable:
    return lambda X: factor * X


def with_hook(net: nn.Module, hook: Callable) -> nn.Module:
    net.layer.register_forward_hook(hook)
    return net


DIFFERENT = {
    'forward': (lambda: lookalike({}), lambda: lookalike({'forward': without_the_sum})),
    'an attribute that is a function': (Plain, lambda: Plain(tripled)),
    'a closure': (lambda: Plain(scaled_by(2)), lambda: Plain(scaled_by(3))),
    'a constant of the class': (
        lambda: lookalike({'gain': 1}),
        lambda: lookalike({'gain': 2}),
    ),
    'a property': (
        lambda: lookalike({'gain': property(lambda self: 1)}),
        lambda: lookalike({'gain': property(lambda self: 2)}),
    ),
    'a static method': (
        lambda: lookalike({'gain': staticmethod(doubled)}),
        lambda: lookalike({'gain': staticmethod(tripled)}),
    ),
    'a hook': (
        lambda: with_hook(Plain(), lambda *_: None),
        lambda: with_hook(Plain(), lambda *args: -args[-1]),
    ),
    'the arguments of a partial': (
        lambda: Plain(partial(torch.mul, other=2)),
        lambda: Plain(partial(torch.mul, other=3)),
    ),
    'a default value': (
        lambda: Plain(lambda X, factor=2: factor * X),
        lambda: Plain(lambda X, factor=3: factor * X),
    ),
    'a default value after a star': (
        lambda: Plain(lambda X, *, factor=2: factor * X),
        lambda: Plain(lambda X, *, factor=3: factor * X),
    ),
    'the kind of a layer': (nn.Tanh, nn.Sigmoid),
    'the order of the layers': (
        lambda: nn.Sequential(nn.ReLU(), nn.Tanh()),
        lambda: nn.Sequential(nn.Tanh(), nn.ReLU()),
    ),
    'a setting of a layer': (lambda: nn.Dropout(0.1), lambda: nn.Dropout(0.2)),
}


@pytest.mark.parametrize('what', DIFFERENT)
def test_networks_that_compute_something_else_differ(what: str) -> None:
    one, other = DIFFERENT[what]
    assert code_of(one()) == code_of(one())
    assert code_of(one()) != code_of(other())


def test_a_network_that_computes_something_else_has_another_checkpoint() -> None:
    """起始权重、各层与名字都相同，只有 forward 不同：旧的曲线不能认领。"""
    torch.manual_seed(0)
    one, other = lookalike({}), lookalike({'forward': without_the_sum})
    other.load_state_dict(one.state_dict())
    assert str(one) == str(other)
    assert name_of(one) != name_of(other)


def test_a_global_that_forward_uses_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_of(Plain())
    monkeypatch.setitem(globals(), 'SCALE', 5)
    assert code_of(Plain()) != before


def test_weights_and_mode_are_not_code() -> None:
    assert code_of(Plain().eval()) == code_of(Plain().train())


# ---- 几个种子与记录 ---------------------------------------------------------------


def test_seeds_are_trained_in_the_order_of_the_recipe() -> None:
    recipe = replace(ADAMW, epochs=1, seeds=(5, 0, 3))
    first, history = train(build, DATA, recipe, 'quick', CPU)
    nets, again = train_seeds(build, DATA, recipe, 'quick', CPU)
    assert history.seeds == again.seeds == [5, 0, 3]
    assert same_weights(first, nets[0])
    for net, run in zip(nets, again.runs, strict=True):
        assert run.test_accuracy[-1] == evaluate(net, DATA, recipe)
        alone, one = train(
            build, DATA, replace(recipe, seeds=(run.seed,)), 'quick', CPU
        )
        assert without_times(one.runs[0]) == without_times(run)
        assert same_weights(alone, net)


def test_the_seed_fixes_first_weights_and_dropout() -> None:
    """build() 用掉多少随机数，都不影响此后的丢弃法。"""

    def wasteful() -> nn.Module:
        net = build()
        torch.rand(3)
        return net

    recipe = replace(ADAMW, epochs=1)
    torch.manual_seed(99)
    one, _ = train(build, DATA, recipe, 'quick', CPU)
    torch.manual_seed(100)
    other, _ = train(wasteful, DATA, recipe, 'quick', CPU)
    assert same_weights(one, other)


def test_recordings_are_written_and_finished_seeds_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(tmp_path / 'results', tmp_path / 'runs')
    recipe = replace(ADAMW, epochs=1, seeds=(0, 1))

    def named() -> nn.Module:
        net = build()
        net.name = 'tiny'
        return net

    net, history = train(named, DATA, recipe, 'quick', CPU, recording)
    assert load_history('tiny', recording.results) == history
    assert len(list(recording.checkpoints.glob('tiny-*.pt'))) == 2
    monkeypatch.setattr(seeds, 'fit', lambda *_: pytest.fail('又训练了一遍'))
    again, same = train(named, DATA, recipe, 'quick', CPU, recording)
    assert same == history and same_weights(again, net)


def test_an_interrupted_training_is_not_recorded_as_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(tmp_path / 'results', tmp_path / 'runs')
    stop_in_epoch(2, monkeypatch)
    _, history = train(build, DATA, ADAMW, 'quick', CPU, recording)
    assert len(history.runs[0].test_accuracy) == 1
    assert not recording.results.exists()
    assert len(list(recording.checkpoints.iterdir())) == 1
    monkeypatch.undo()
    stop_in_epoch(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(build, DATA, replace(ADAMW, lr=0.01), 'quick', CPU)


def test_every_epoch_reports_its_speed_in_trained_images(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """35 张、每批 8 张：一轮真正训练 32 张，用了两秒。"""
    run = Run(0, [9.0, 1.5], [0.1, 0.25], [0.1, 0.75], [1.0, 2.0])
    report_epoch(run, 1, ADAMW, DATA)
    assert capsys.readouterr().out.split() == [
        '乱的', '第', '2/3', '轮', '损失', '1.500', '训练准确率', '0.250',
        '测试准确率', '0.750', '16', '张/秒',
    ]  # fmt: skip


def test_history_says_what_was_trained() -> None:
    recipe = replace(ADAMW, epochs=1, train_images=24, test_images=30)
    _, history = train(build, DATA, recipe, 'quick', CPU)
    assert (history.train_images, history.test_images) == (24, 30)
    assert (history.image_size, history.epochs, history.batch_size) == (4, 1, 8)
    assert history.precision == 'fp32' and history.recipe == recipe.to_dict()
    assert len(history.runs[0].train_loss) == 1


def test_train_loss_and_accuracy_are_the_means_over_the_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """四步的损失是 1、2、3、6，每批 8 张里对 0、2、4、8 张。"""
    values = iter([(1.0, 0), (2.0, 2), (3.0, 4), (6.0, 8)])
    monkeypatch.setattr(
        loop, 'train_step', lambda *_: tuple(map(torch.tensor, next(values)))
    )
    run = fit(built(), DATA, replace(ADAMW, epochs=1), 0, CPU)
    assert run.train_loss == [3.0]
    assert run.train_accuracy == [14 / 32]
