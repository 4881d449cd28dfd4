"""接着训练就是没有中断过的那一次：怎样解码、从哪里出发都照上次；一个文件夹只有一个训练在用。"""

import errno
import json
import multiprocessing
import os
import shutil
import signal
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from photo_folders import make_photos
from two_processes import needs_fork

from deepcnn.data import decoding
from deepcnn.own import Order, report, train_own
from deepcnn.own.long_run import LongRun
from deepcnn.own.material import STREAMING
from deepcnn.own.run_folder import RunFolder
from deepcnn.own.stopping import Stopped
from deepcnn.own.training_command import Follower

matplotlib.use('Agg')
ORDER = Order('densenet', '花', epochs=2, batch=6, precision='fp32')
Disk = namedtuple('Disk', 'free')
pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``花`` 有一张坏的，``whole`` 是没有中断的训练。"""
    place = tmp_path_factory.mktemp('work')
    make_photos(place / '花', per_class=8)
    (place / '花' / '红花' / '1.png').write_bytes(b'not an image')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(report, 'save_figure', lambda stem, fig: None)
        train_own(replace(ORDER, out='whole'))
    return place


def stopped_at(step: int, order: Order) -> None:
    """走到第 ``step`` 步收到 SIGTERM。"""

    def preempted(watch: Follower, long_run: LongRun) -> None:
        if long_run.done_steps == step:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Follower, 'step', preempted)
        train_own(order)


def last_of(name: str) -> bytes:
    return Path(name, 'last.safetensors').read_bytes()


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('shutil.disk_usage', lambda place: Disk(0))


def test_a_finished_copy_is_used_when_the_disk_is_full(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_at(2, replace(ORDER, out='a'))
    fill_the_disk(monkeypatch)
    train_own(Order(out='a', resume=True))
    assert last_of('a') == last_of('whole')
    train_own(replace(ORDER, out='b'))  # 新的训练也用它
    assert last_of('b') == last_of('whole')


def test_how_the_images_were_read_is_kept(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """上次有副本，这次就不许边训练边解码，倒过来也一样：坏的图像、步数都会不同。"""
    stopped_at(2, replace(ORDER, out='copied'))
    for cache, said in ((STREAMING, '上次不是边训练边解码'), ('新', '现在放不下')):
        with monkeypatch.context() as patch, pytest.raises(ValueError, match=said):
            fill_the_disk(patch)
            train_own(Order(out='copied', resume=True, cache=cache))
    train_own(Order(out='copied', resume=True, cache='none'))
    assert last_of('copied') == last_of('whole')

    stopped_at(2, replace(ORDER, out='streamed', cache=STREAMING))
    with pytest.raises(ValueError, match='上次是边训练边解码'):
        train_own(Order(out='streamed', resume=True, cache='none'))
    train_own(replace(ORDER, out='unbroken', cache=STREAMING))
    train_own(Order(out='streamed', resume=True))
    assert last_of('streamed') == last_of('unbroken') != last_of('whole')


def test_the_same_command_goes_on_when_the_copy_did_not_fit(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--cache 只说副本放在哪里：放不下而边训练边解码的，同一行命令接得着，torchrun 也起得来。"""
    fill_the_disk(monkeypatch)
    order = replace(ORDER, out='small', cache='小盘')
    stopped_at(2, order)
    train_own(replace(order, resume=True))
    train_own(replace(ORDER, out='at-once', cache=STREAMING))
    assert last_of('small') == last_of('at-once')


def test_images_that_became_readable_wait_for_the_next_training(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """接着训练要用同样的图像：副本不重写；新的训练才用上。"""
    unreachable, reading = {'3.png'}, decoding.Image.open

    def opening(path: Path | str, *given: object, **named: object) -> object:
        if Path(str(path)).name in unreachable:
            raise PermissionError(13, 'Permission denied')
        return reading(path, *given, **named)

    monkeypatch.setattr(decoding.Image, 'open', opening)
    stopped_at(2, replace(ORDER, out='before', cache='副本'))
    sizes = RunFolder(Path('before')).settings()['images']
    unreachable.clear()
    train_own(Order(out='before', resume=True, cache='副本'))
    train_own(replace(ORDER, out='after', cache='副本'))
    assert sum(RunFolder(Path('after')).settings()['images']) > sum(sizes)
    stopped = replace(ORDER, out='before', resume=True, cache='副本')
    with pytest.raises(ValueError, match='请换一个 --out 从头训练'):
        train_own(stopped)


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_trained_on(
    number: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """解码的副本与训练的文件夹都在这样的盘上。"""

    def refused(*given: object, **named: object) -> None:
        raise OSError(number, 'No locks available')

    monkeypatch.setattr('filelock.FileLock.acquire', refused)
    out = f'没有锁-{number}'
    train_own(replace(ORDER, out=out, cache=f'副本-{number}'))
    assert last_of(out) == last_of('whole')


def test_what_the_data_decided_may_be_written_out_when_resuming(here: Path) -> None:
    stopped_at(2, replace(ORDER, out='原样'))
    known = RunFolder(Path('原样')).settings()['order']
    train_own(Order(**known | {'out': '原样', 'resume': True}))
    assert {'optimizer', 'precision', 'freeze', 'side', 'lr'} <= set(known)
    assert last_of('原样') == last_of('whole')


@pytest.mark.skipif(os.name == 'nt', reason='建符号链接要权限')
def test_a_name_held_by_a_broken_link_is_not_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('runs').mkdir()
    Path('runs/nin-花').symlink_to('没有')
    folder = RunFolder.new(None, 'nin', '花')
    folder.claim()
    assert folder.path == Path('runs/nin-花-2')


def test_fewer_readable_images_are_told_before_training(here: Path) -> None:
    stopped_at(2, replace(ORDER, out='fewer', cache='副本'))
    [index] = Path('副本').glob('*/index.json')
    facts = json.loads(index.read_text('utf-8'))
    facts['skipped'].append([2, '没有读的权限'])
    facts['bytes'] -= 3 * 32 * 32
    index.write_text(json.dumps(facts), encoding='utf-8')
    pixels = index.with_name('images.bin')
    os.truncate(pixels, facts['bytes'])
    with pytest.raises(ValueError, match=r'这次有 \[16, 6\] 张，上次有 \[17, 6\] 张'):
        train_own(Order(out='fewer', resume=True, cache='副本'))


def test_the_advice_for_damaged_checkpoints_works(here: Path) -> None:
    stopped_at(3, replace(ORDER, out='torn'))
    folder = RunFolder(Path('torn'))
    for path in folder.checkpoints.found():
        path.write_bytes(b'')
    with pytest.raises(ValueError, match='step-.*请删去这个文件夹，仍用 --resume'):
        train_own(Order(out='torn', resume=True))
    shutil.rmtree(folder.checkpoints.folder)
    train_own(Order(out='torn', resume=True))
    assert last_of('torn') == last_of('whole')


def test_a_run_goes_on_from_elsewhere_without_its_origin(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """出发的权重写成完整的路径；有了断点，它不在了也行。"""
    shutil.copytree('whole', 'pre')
    tuned = replace(ORDER, init=Path('pre'), body_rate=0.5)
    train_own(replace(tuned, out='tuned-whole'))
    stopped_at(2, replace(tuned, out='tuned'))
    shutil.rmtree('pre')
    with pytest.raises(ValueError, match='init 这次是'):
        train_own(Order(out='tuned', resume=True, init='whole'))
    monkeypatch.chdir(tmp_path)
    train_own(Order(out=str(here / 'tuned'), resume=True))
    monkeypatch.chdir(here)
    train_own(Order(out='tuned', resume=True, init='pre'))
    assert last_of('tuned') == last_of('tuned-whole')


@pytest.mark.parametrize(
    'wrong',
    [
        {'data': '无'}, {'freeze': '9'}, {'side': 1}, {'out': '新/里'},
        {'batch': 100, 'freeze': None}, {'shift': 40, 'freeze': None},
    ],
)  # fmt: skip
def test_a_failed_start_leaves_nothing(
    wrong: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_photos(tmp_path / '花', per_class=3)
    wrong = {'freeze': '9', 'cache': 'none'} | wrong
    with pytest.raises(ValueError):
        train_own(replace(ORDER, **wrong))
    assert [path.name for path in tmp_path.iterdir()] == ['花']


@pytest.mark.parametrize(
    ('data', 'how', 'said'),
    [
        ('.', {}, 'runs/densenet-.* 会被当成一个类别：请用 --out'),
        ('.', {'out': '结果'}, '结果 在图像文件夹'),
        ('.', {'out': '红花/结果'}, '--out'),
        ('../花', {'out': '../a', 'cache': '副本'}, '请用 --cache'),
    ],
)
def test_results_are_not_written_among_the_classes(
    data: str, how: dict, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_photos(tmp_path / '花', per_class=3)
    monkeypatch.chdir(root)
    with pytest.raises(ValueError, match=said.replace(' ', '.*')):
        train_own(replace(ORDER, data=data, **how))
    assert len(list(root.iterdir())) == 3


def test_beside_a_given_split_results_are_no_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, 'save_figure', lambda stem, fig: None)
    for part in ('train', 'val'):
        make_photos(tmp_path / part, per_class=2)
    monkeypatch.chdir(tmp_path)
    for number in ('', '-2'):
        outcome = train_own(replace(ORDER, data='.', batch=2, epochs=1))
        assert str(outcome.folder).endswith(f'{tmp_path.name}{number}')


def test_a_folder_in_use_is_left_alone(here: Path) -> None:
    stopped_at(2, replace(ORDER, out='used'))
    other = RunFolder(Path('used'))
    other.claim()
    with pytest.raises(ValueError, match='used 这个文件夹正在训练'):
        train_own(Order(out='used', resume=True))
    other.release()
    train_own(Order(out='used', resume=True))
    assert last_of('used') == last_of('whole')


def test_two_that_start_together_take_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """名字在解码之前起，文件夹在解码之后建。"""
    monkeypatch.chdir(tmp_path)
    one, other = (RunFolder.new(None, 'nin', '花') for _ in range(2))
    assert one.path == other.path and not one.path.exists()
    one.claim()
    other.claim()
    assert (one.path.name, other.path.name) == ('nin-花', 'nin-花-2')
    given = RunFolder.new(Path('给'), '', '')
    RunFolder(Path('给')).write_settings({})
    with pytest.raises(ValueError, match='不覆盖'):
        given.require_new()


@needs_fork
def test_a_killed_run_does_not_keep_its_folder(tmp_path: Path) -> None:
    def work() -> None:
        RunFolder(tmp_path).claim()
        os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context('fork').Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    folder = RunFolder(tmp_path)
    assert folder.is_unstarted()
    folder.claim()
    folder.release()
