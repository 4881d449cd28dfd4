"""断点：换一个进程接着做，与没有中断过逐位相同；任何一样变了就不再匹配；坏的断点说一行。"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from small_data import load_digits_dataset
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.runs import History, Run, load_history
from deepcnn.training import checkpoint, loop
from deepcnn.training.checkpoint import TRAINING_CODE, Checkpoint, checkpoint_for
from deepcnn.training.loop import fit
from deepcnn.training.recipe import Recipe
from deepcnn.training.recording import Recording
from deepcnn.training.seeds import train

CPU = torch.device('cpu')
ROOT = Path(__file__).parents[2]
# 每样随机都打开：翻转、平移、擦除、丢弃法；批量归一化有滑动平均
RECIPE = Recipe(
    8, 3, 1e-2, 32, train_images=96, test_images=50, shift=1, erasing=0.5,
    precision='fp32', label_smoothing=0.1,
)  # fmt: skip
VARIED = {
    'adamw fp32': {},
    'adamw bf16': {'precision': 'bf16'},
    'sgd fp32': {'optimizer': 'sgd', 'schedule': 'constant'},
    'sgd bf16': {'optimizer': 'sgd', 'precision': 'bf16'},
}


@pytest.fixture(scope='module')
def digits() -> Dataset:
    return load_digits_dataset().first(96, 50)


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(144, 10),
    )  # fmt: skip


def same(one: object, other: object) -> bool:
    """逐位相同：张量、字典、列表，一层层比下去。"""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def without_times(state: dict) -> dict:
    curves = {k: v for k, v in state['run'].items() if 'seconds' not in k}
    return state | {'run': curves}


class Killed(Exception):
    """代替 kill -9：不留任何收拾的机会给训练循环。"""


def killed_after(epochs: int) -> Callable[..., None]:
    """第 ``epochs`` 轮存好断点之后就死掉。"""

    def save(self: Checkpoint, state: dict) -> None:
        REAL_SAVE(self, state)
        if len(state['run']['test_accuracy']) == epochs:
            raise Killed

    return save


REAL_SAVE = Checkpoint.save


# ---- 接着做 -------------------------------------------------------------------


@pytest.mark.parametrize('changes', VARIED.values(), ids=VARIED)
def test_a_killed_run_goes_on_bit_for_bit(
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict,
) -> None:
    """权重、缓冲区、优化器、调度、随机数与曲线，都与没有中断过的逐位相同。"""
    recipe = replace(RECIPE, **changes)
    whole = Checkpoint(tmp_path / 'whole.pt')
    fit(small_net(), digits, recipe, 0, CPU, whole)
    for epochs in (1, 2):
        cut = Checkpoint(tmp_path / f'{epochs}.pt')
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Checkpoint, 'save', killed_after(epochs))
            fit(small_net(), digits, recipe, 0, CPU, cut)
        before = cut.load()['run']
        assert len(before['test_accuracy']) == epochs
        torch.manual_seed(12345)  # 别人用掉的随机数不影响接着做
        run = fit(small_net(), digits, recipe, 0, CPU, cut)
        assert same(without_times(cut.load()), without_times(whole.load()))
        assert run.epoch_seconds[:epochs] == before['epoch_seconds']
        assert run.seconds > before['seconds'] >= sum(before['epoch_seconds'])
        assert run.seconds >= sum(run.epoch_seconds)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['1.pt', '2.pt', 'whole.pt']


def test_the_record_names_every_machine_that_trained_a_part(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """前两轮在甲，后一轮在乙；到丙那里只是读回，丙不算。"""
    recording = Recording(tmp_path / 'results', tmp_path / 'checkpoints')

    def trained_on(machine: str) -> str:
        monkeypatch.setattr('deepcnn.training.loop.describe_device', lambda _: machine)
        monkeypatch.setattr('deepcnn.training.seeds.describe_device', lambda _: machine)
        _, history = train(small_net, digits, RECIPE, 'quick', CPU, recording)
        return history.device

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Checkpoint, 'save', killed_after(2))
        trained_on('甲')
    assert trained_on('乙') == trained_on('丙') == '甲、乙'
    assert load_history('Sequential', recording.results).device == '甲、乙'


RECORD = (
    'import sys; sys.path.insert(0, "tests"); sys.path.insert(0, "tests/training");'
    'import test_checkpoint as t; t.record_and_die(t.Path(sys.argv[1]))'
)


def record_and_die(folder: Path) -> None:
    """在另一个进程里录制，第二轮存好断点就被杀死。"""

    def save(self: Checkpoint, state: dict) -> None:
        REAL_SAVE(self, state)
        if len(state['run']['test_accuracy']) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoint.save = save
    record(folder)


def record(folder: Path) -> History:
    data = load_digits_dataset().first(96, 50)
    return train(small_net, data, RECIPE, 'quick', CPU, Recording(folder, folder))[1]


@pytest.mark.skipif(not hasattr(signal, 'SIGKILL'), reason='只有 POSIX 能这样杀死进程')
def test_another_process_goes_on_where_one_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {**os.environ, 'PYTHONHASHSEED': '3', 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, '-c', RECORD, str(tmp_path)]
    died = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    [left] = tmp_path.iterdir()
    # 存到一半被杀死，还会留下一个临时文件；下一次存盘把它收走
    left.with_suffix('.part').write_bytes(left.read_bytes()[:1000])
    with pytest.MonkeyPatch.context() as patch:
        read, load = [], Checkpoint.load
        patch.setattr(Checkpoint, 'load', lambda self: read.append(load(self)) or read[-1])
        resumed = record(tmp_path)
    assert '接着训练：前 2 轮此前已完成' in capsys.readouterr().out
    assert len(read) == 1  # 一份断点有权重的三倍大
    whole = record(tmp_path / 'whole')
    for name in ('train_loss', 'train_accuracy', 'test_accuracy'):
        assert getattr(resumed.runs[0], name) == getattr(whole.runs[0], name)
    files = {path.suffix for path in tmp_path.iterdir() if path.is_file()}
    assert files == {'.pt', '.json'}


def test_finished_seed_is_read_back_and_announced(
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = Recording(tmp_path / 'results', tmp_path / 'checkpoints')
    recipe = replace(RECIPE, seeds=(0, 1))
    net, first = train(small_net, digits, recipe, 'quick', CPU, recording)
    with monkeypatch.context() as patched:
        patched.setattr(loop, 'train_epoch', lambda *_: pytest.fail('又训练了一遍'))
        again, second = train(small_net, digits, recipe, 'quick', CPU, recording)
    assert capsys.readouterr().out.count('读回') == 2
    assert first == second == load_history('Sequential', recording.results)
    assert len(list(recording.checkpoints.glob('Sequential-*.pt'))) == 2
    assert same(dict(net.state_dict()), dict(again.state_dict()))
    longer = replace(recipe, epochs=4)
    _, third = train(small_net, digits, longer, 'quick', CPU, recording)
    assert '读回' not in capsys.readouterr().out
    assert third.runs[0].epoch_seconds[:3] != first.runs[0].epoch_seconds


def test_what_follows_is_the_same_after_reading_back(digits: Dataset, tmp_path: Path) -> None:
    """读回的网络布局相同，得分逐位相同；之后抽的随机数也接着没有中断时的。"""
    recording = Recording(tmp_path / 'results', tmp_path / 'checkpoints')
    X = digits.test.images[:8].float()

    def deeper() -> nn.Module:  # 只有一个输入通道的卷积，两种布局没有分别
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), *small_net()[1:4],
                             nn.Dropout(0.5), nn.Linear(64, 10))  # fmt: skip

    found = []
    for _ in range(2):
        net, _ = train(deeper, digits, RECIPE, 'quick', CPU, recording)
        drawn = torch.rand(3)
        with torch.no_grad():
            found.append({'scores': net.eval()(X), 'drawn': drawn})
        layouts = [one.is_contiguous(memory_format=torch.channels_last)
                   for one in net.parameters() if one.dim() == 4]  # fmt: skip
        assert layouts and all(layouts)
        torch.manual_seed(len(found))
    assert same(*found)


# ---- 坏的断点 -----------------------------------------------------------------


@pytest.fixture(scope='module')
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    checkpoint = Checkpoint(tmp_path_factory.mktemp('saved') / 'one.pt')
    recipe = replace(RECIPE, epochs=1)
    fit(small_net(), load_digits_dataset().first(96, 50), recipe, 0, CPU, checkpoint)
    return checkpoint.path.read_bytes()


def damages(content: bytes) -> dict[str, bytes]:
    rng = random.Random(0)
    cuts = [0, 1, len(content) - 1, *rng.sample(range(len(content)), 8)]
    found = {f'cut at {at}': content[:at] for at in cuts}
    for at in rng.sample(range(len(content)), 3):
        zeros = bytes(512)  # 断电后常见：文件够长，有一块是零
        found[f'zeros at {at}'] = content[:at] + zeros + content[at + 512 :]
    return found | {'text': b'not a checkpoint', 'end missing': content[:-100]}


def test_a_damaged_checkpoint_is_noticed_and_training_starts_again(
    digits: Dataset, saved: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = replace(RECIPE, epochs=1)
    whole = fit(small_net(), digits, recipe, 0, CPU)
    one = Checkpoint(tmp_path / 'one.pt')
    for kind, content in damages(saved).items():
        one.path.write_bytes(content)
        capsys.readouterr()
        state = one.load()
        said = capsys.readouterr().out
        if state is None:
            assert said.count('\n') == 1 and '断点 one.pt 读不了' in said, kind
            assert '从头训练' in said
        else:  # 零落在填充里，内容没有变
            assert kind.startswith('zeros'), kind
            one.path.write_bytes(saved)
            assert same(state, one.load())
            continue
        assert (
            fit(small_net(), digits, recipe, 0, CPU, one).train_loss == whole.train_loss
        )
        assert one.load() is not None


@pytest.mark.parametrize(
    'error', [OSError(5, 'I/O error'), MemoryError(), RuntimeError('CUDA out of memory')]
)
def test_a_checkpoint_that_cannot_be_read_just_now_is_kept(
    saved: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    one = Checkpoint(tmp_path / 'one.pt')
    one.path.write_bytes(saved)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(checkpoint.torch, 'load', fail)
    with pytest.raises(OSError, match='断点 one.pt 这一次读不了.*文件没有动'):
        one.load()
    assert one.path.read_bytes() == saved


def test_a_full_disk_leaves_the_earlier_checkpoint(
    saved: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = Checkpoint(tmp_path / 'deep' / 'one.pt')
    assert one.load() is None
    assert capsys.readouterr().out == ''  # 第一次训练，没有什么可说的
    one.path.parent.mkdir()
    one.path.write_bytes(saved)

    def full(state: dict, path: Path) -> None:
        path.write_bytes(saved[:100])
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(OSError, match='No space'):
        one.save(one.load())
    assert [path.name for path in one.path.parent.iterdir()] == ['one.pt']
    assert one.path.read_bytes() == saved


def test_a_checkpoint_is_replaced_not_written_over(tmp_path: Path) -> None:
    """写新的一半时进程被杀死，旧的还完整：它的那一份文件从不改写。"""
    one, earlier = Checkpoint(tmp_path / 'one.pt'), tmp_path / 'earlier.pt'
    one.save({'epoch': torch.tensor(1)})
    os.link(one.path, earlier)
    one.save({'epoch': torch.tensor(2)})
    assert one.load() == {'epoch': 2}
    assert Checkpoint(earlier).load() == {'epoch': 1}


class Harmful:
    """读回时执行命令的对象。"""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_checkpoint_cannot_run_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Checkpoint(tmp_path / 'one.pt')
    one.save({'run': Harmful(tmp_path / 'touched')})
    assert one.load() is None
    assert '读不了' in capsys.readouterr().out
    assert not (tmp_path / 'touched').exists()


# ---- 断点属于谁 ---------------------------------------------------------------


def name_of(
    data: Dataset,
    net: nn.Module | None = None,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    device: torch.device = CPU,
) -> str:
    net = net or small_net()
    return checkpoint_for(Path(), net, data, recipe, seed, device).path.name


def changed(
    data: Dataset, part: str, what: str, change: Callable[[torch.Tensor], torch.Tensor]
) -> Dataset:
    """只改一部分（``train`` 或 ``test``）的 ``images`` 或 ``labels``。"""
    images = getattr(data, part)
    return replace(
        data, **{part: replace(images, **{what: change(getattr(images, what))})}
    )


def last_one(values: torch.Tensor) -> torch.Tensor:
    """改掉最后一个像素，或最后一个标签。"""
    values = values.clone()
    values.view(-1)[-1] = (values.view(-1)[-1] + 1) % 10
    return values


DATA_CHANGES = {
    **{
        f'one of {part}.{what}': partial(changed, part=part, what=what, change=last_one)
        for part in ('train', 'test')
        for what in ('images', 'labels')
    },
    'another order': lambda data: changed(data, 'train', 'images', lambda X: X.flip(0)),
    'another shape': lambda data: changed(
        data, 'train', 'images', lambda X: X.view(-1, 1, 4, 16)
    ),
    'mean': lambda data: replace(data, mean=(0.4,)),
    'std': lambda data: replace(data, std=(0.4,)),
    'name': lambda data: replace(data, name='数字'),
    'fewer images': lambda data: data.first(90, None),
}


@pytest.mark.parametrize('change', DATA_CHANGES.values(), ids=DATA_CHANGES)
def test_checkpoint_belongs_to_the_content_of_the_data(
    digits: Dataset, change: Callable[[Dataset], Dataset]
) -> None:
    assert name_of(digits) == name_of(digits)
    assert name_of(change(digits)) != name_of(digits)


@pytest.mark.parametrize('path', TRAINING_CODE, ids=lambda path: path.stem)
def test_checkpoint_belongs_to_the_code_that_computed_it(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    before = name_of(digits)
    original = checkpoint.syntax_of
    code = path.read_text(encoding='utf-8')

    def edited(source: str) -> str:
        return original(source + '\npass' * (source == code))

    monkeypatch.setattr(checkpoint, 'syntax_of', edited)
    assert name_of(digits) != before


def test_the_code_that_computes_a_training_is_listed() -> None:
    """``loop`` 所用的、能改变结果的每个文件；只管显示与存盘的不在内。"""
    assert {path.stem for path in TRAINING_CODE} == {
        'batches', 'cpu_speedups', 'evaluation', 'hardware', 'loop', 'optimization',
    }  # fmt: skip


def test_comments_and_docstrings_of_the_training_code_do_not_count() -> None:
    before = 'def f(x):\n    """甲。"""\n    return x  # 一\n'
    after = 'def f(x):\n    """乙。"""\n\n    return (x)\n'
    assert checkpoint.syntax_of(before) == checkpoint.syntax_of(after)
    assert checkpoint.syntax_of(after) != checkpoint.syntax_of(after + 'f = 1\n')
    text = 'x = "数据"'  # 不是文档字符串的文字照样算
    assert checkpoint.syntax_of(text) != checkpoint.syntax_of('x = "证据"')


@pytest.mark.parametrize(
    'change',
    [
        {'lr': 0.04}, {'epochs': 4}, {'batch_size': 4}, {'image_size': 6},
        {'optimizer': 'sgd'}, {'schedule': 'constant'}, {'weight_decay': 0.0},
        {'momentum': 0.8}, {'clip': None}, {'label_smoothing': 0.2}, {'flip': False},
        {'shift': 2}, {'erasing': 0.1}, {'precision': 'bf16'},
        {'channels_last': False},
    ],
    ids=str,
)  # fmt: skip
def test_another_recipe_has_another_checkpoint(digits: Dataset, change: dict) -> None:
    assert name_of(digits, recipe=replace(RECIPE, **change)) != name_of(digits)


def test_the_list_of_seeds_does_not_matter_but_the_seed_does(digits: Dataset) -> None:
    """多加一个种子，做完的种子不必重训。"""
    assert name_of(digits, recipe=replace(RECIPE, seeds=(0, 1))) == name_of(digits)
    assert name_of(digits, seed=1).partition('-')[2].startswith('1-')
    digests = {name_of(digits, seed=seed).rpartition('-')[2] for seed in (0, 1)}
    assert len(digests) == 2


def test_checkpoint_belongs_to_device_precision_versions_and_first_weights(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name_of(digits), name_of(digits, device=torch.device('cuda'))]
    for name in ('5.weight', '1.running_mean'):  # 缓冲区也算
        net = small_net()
        net.state_dict()[name].view(-1)[0] += 1
        names.append(name_of(digits, net))
    automatic = replace(RECIPE, precision='auto')
    for precision in ('fp32', 'bf16'):  # 文件夹搬到另一种机器上
        monkeypatch.setattr(checkpoint, 'resolve_precision', lambda *_, p=precision: p)
        names.append(name_of(digits, recipe=automatic))
    assert names.pop(-2) == names[0]  # auto 在这里就是 fp32，是同一回事
    monkeypatch.undo()
    monkeypatch.setattr(checkpoint, 'library_versions', lambda: {'torch': '9'})
    names.append(name_of(digits))
    assert len(set(names)) == len(names)


def test_a_residual_network_without_its_addition_is_trained_anew(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """层与权重都一样，只有 forward 不同：旧曲线不许当成新的。"""
    sources = ('X + self.conv(X)', 'self.conv(X)')
    curves = []
    for source in sources:
        namespace = {'nn': nn}
        exec(
            'class Block(nn.Module):\n'
            '    def __init__(self):\n'
            '        super().__init__()\n'
            '        self.conv = nn.Conv2d(1, 1, 3, padding=1)\n'
            f'    def forward(self, X):\n        return {source}\n',
            namespace,
        )

        def build(block: type[nn.Module] = namespace['Block']) -> nn.Module:
            return nn.Sequential(block(), nn.Flatten(), nn.Linear(64, 10))

        recording = Recording(tmp_path, tmp_path)
        _, history = train(build, digits, RECIPE, 'quick', CPU, recording)
        curves.append(history.runs[0].train_loss)
    assert curves[0] != curves[1]
    assert '读回' not in capsys.readouterr().out


def test_a_run_written_by_the_loop_is_a_run(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'one.pt'
    path.write_bytes(saved)
    run = Run(**Checkpoint(path).load()['run'])
    assert len(run.test_accuracy) == 1 and run.seconds > 0
    assert loop.Run is Run


def test_random_numbers_of_the_training_gpu_alone_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """断点可以在显卡块数不同的机器上接着做：只存训练用的那一块的状态。"""
    kept = {}
    gpu = torch.device('cuda', 1)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_rng_state', lambda one: f'{one} 的状态')
    monkeypatch.setattr(
        torch.cuda, 'set_rng_state', lambda state, one: kept.update({one: state})
    )
    monkeypatch.setattr(loop.Session, 'device', property(lambda self: gpu))
    net = small_net()
    optimizer = loop.make_optimizer(net, RECIPE, CPU)
    schedule = loop.make_schedule(optimizer, RECIPE, 3)
    session = loop.Session(net, optimizer, schedule, Run(0))
    state = session.state()
    assert state['random']['cuda'] == 'cuda:1 的状态'
    session.restore(state)
    assert kept == {gpu: 'cuda:1 的状态'}
