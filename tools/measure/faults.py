"""长训练与命令行经不经得起折腾：杀死、损坏的图像与断点、死掉的进程。

用法：python tools/measure/faults.py [--kills 20] [--images 1500] [--checkpoints 500] [--seed 0]

四样，每一样都要么做成，要么以一行中文拒绝，不许有 Traceback，不许卡住：
1. 命令行的训练在随机的时刻被 SIGKILL，再 --resume，直到做完；最后的权重与没有中断过的逐字节
   相同。
2. 各种格式的图像随机改坏（改字节、截断、插入、调换），逐张交给 predict。
3. 训练好的权重与断点随机改坏：要么拒绝，要么与没有改过的内容完全相同。
4. torchrun 的两个进程，一个被杀死之后重启，曲线与一个进程的相同。

只用临时文件夹，只在 Linux 上运行；有一样没有通过，就以 1 退出。不在 make test 里：要几分钟。
"""

import csv
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from command_line import Command, run  # noqa: E402
from PIL import Image  # noqa: E402

from deepcnn.own.checkpoints import Checkpoints  # noqa: E402
from deepcnn.own.commands import main as deepcnn  # noqa: E402

CHILDREN = Path('/proc/self/task')  # 有它的系统查得到进程的子进程
SECONDS, TRAINING = 60, 600  # 一件事、一次训练最多做多久，再久算卡住
LINE = ['densenet', '--epochs', '4', '--batch', '8', '--precision', 'fp32', '--quiet']
FORMATS = {
    'a.jpg': {}, 'b.png': {}, 'c.gif': {}, 'd.bmp': {}, 'e.webp': {}, 'f.tif': {},
    'g.ppm': {}, 'h.jpg': {'progressive': True}, 'i.tif': {'compression': 'tiff_lzw'},
    'j.tif': {'compression': 'tiff_deflate'}, 'k.png': {'mode': 'P'},
    'l.png': {'mode': 'RGBA'}, 'm.png': {'mode': 'I;16'}, 'n.jpg': {'mode': 'CMYK'},
}  # fmt: skip


class Hang(Exception):
    """超过了 ``SECONDS``。"""


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def told_by(line: list[str], seconds: float = SECONDS) -> tuple[int, str, str]:
    """在这个进程里运行一条命令：退出码与两种输出；意外的异常照样抛出。"""
    out, err = io.StringIO(), io.StringIO()
    with time_limit(seconds), redirect_stdout(out), redirect_stderr(err):
        code = deepcnn(line)
    return code, out.getvalue(), err.getvalue()


def in_children(count: int, work: Callable[[int], str]) -> Counter[str]:
    """在分出的进程里做 ``count`` 件事，一百件一个进程：崩溃了看得出是哪一百件。"""
    found: Counter[str] = Counter()
    for first in range(0, count, 100):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, 'w', encoding='utf-8', errors='replace') as said:
                for number in range(first, min(first + 100, count)):
                    try:
                        outcome = work(number)
                    except BaseException as error:
                        outcome = f'第 {number} 件：{type(error).__name__} {error}'
                    said.write(' '.join(outcome.split()) + '\n')
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, encoding='utf-8') as said:
            found.update(line.rstrip('\n') for line in said)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended:
            found[f'从第 {first} 件起的进程以 {ended} 结束'] += 1
    return found


def mutated(content: bytes, chance: random.Random) -> bytes:
    """改几个字节、截断、删去或重复一段、插入、清零、调换；头上与别处一样常改。"""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        limit = chance.choice((64, 512, len(data)))
        place = chance.randrange(max(1, min(limit, len(data))))
        length = chance.choice((1, 1, 2, 4, 16, 200))
        kind = chance.randrange(7)
        if kind == 0:
            data[place : place + length] = chance.randbytes(length)
        elif kind == 1 and data:
            data[min(place, len(data) - 1)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[place : place + length]
        elif kind == 3:
            data[place:place] = data[place : place + length]
        elif kind == 4:
            data[place : place + length] = bytes([chance.choice((0, 255))]) * length
        elif kind == 5:
            del data[chance.randrange(len(data) + 1) :]
        else:
            other = chance.randrange(len(data) + 1)
            data[place:place] = data[other : other + length]
    return bytes(data)


def make_images(root: Path) -> None:
    """三类，每类十二张。"""
    noise = np.random.default_rng(0)
    for name, colour in {
        '红': (200, 40, 40),
        '绿': (40, 180, 50),
        '蓝': (50, 60, 210),
    }.items():
        (root / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.array(colour) + noise.integers(-60, 60, (16, 18, 3))
            image = Image.fromarray(np.clip(pixels, 0, 255).astype('uint8'))
            image.save(root / name / f'{number}.png')


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """每种格式一张完好的图像：后缀与内容。"""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 44, 3)).astype('uint8')
    found = []
    for name, how in FORMATS.items():
        how = dict(how)
        mode = how.pop('mode', 'RGB')
        image = Image.fromarray(pixels)
        if mode == 'I;16':
            image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        else:
            image = image.convert(mode)
        image.save(folder / name, **how)
        found.append((Path(name).suffix, (folder / name).read_bytes()))
    return found


# ---- 四样 ------------------------------------------------------------------------


def kills(work: Path, count: int, chance: random.Random) -> Counter[str]:
    """随机的时刻杀死训练，接着做，共 ``count`` 次。"""
    line = ['train', *LINE, '--data', str(work / '图')]
    started = time.perf_counter()
    code, _, err = told_by([*line, '--out', str(work / 'whole')], TRAINING)
    if code:
        raise SystemExit(f'没有中断的训练也没有做成：{err}')
    usual = time.perf_counter() - started
    expected = (work / 'whole' / 'last.safetensors').read_bytes()
    found: Counter[str] = Counter()
    killed = trial = 0
    while killed < count:
        trial += 1
        out = work / f'killed-{trial}'
        again = [
            *line,
            '--out',
            str(out),
            '--save-every',
            str(chance.choice((0, 0.1, 99))),
        ]
        while True:
            child = os.fork()
            if child == 0:
                with (
                    open(os.devnull, 'w', encoding='utf-8') as sys.stdout,
                    open(work / 'err', 'w', encoding='utf-8') as sys.stderr,
                ):
                    os._exit(deepcnn([*again, '--resume']))
            time.sleep(chance.uniform(0, 0.7 * usual))
            os.kill(child, signal.SIGKILL)
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if ended != -signal.SIGKILL:
                break
            killed += 1
            if killed % 4 == 0:  # 隔一阵就让它做完
                ended = told_by([*again, '--resume'], TRAINING)[0]
                break
        same = ended == 0 and (out / 'last.safetensors').read_bytes() == expected
        if not same:  # 再做也一样；也许根本没有杀成，次数永远不够
            found[f'第 {trial} 次：以 {ended} 结束或权重不同'] += 1
            break
        found['做完，逐字节相同'] += 1
        shutil.rmtree(out, ignore_errors=True)
    print(f'杀死 {killed} 次，一次训练平常 {usual:.1f} 秒')
    return found


def broken_images(work: Path, count: int, seed: int) -> Counter[str]:
    """改坏的图像逐张交给 predict。"""
    known = originals(work)
    model = str(work / 'whole')

    def one(number: int) -> str:
        chance = random.Random(f'{seed} {number}')
        suffix, content = chance.choice(known)
        path = work / f'mutated-{os.getpid()}{suffix}'
        path.write_bytes(mutated(content, chance))
        code, out, err = told_by(['predict', str(path), '--model', model])
        return outcome(code, out, err)

    return in_children(count, one)


def outcome(code: int, out: str, err: str) -> str:
    if code == 0 and len(out.splitlines()) == 1 and not err:
        return '做成'
    if code == 1 and len(err.splitlines()) == 1 and not out:
        return '拒绝，一行'
    return f'以 {code} 结束：{out} {err}'


def broken_checkpoints(work: Path, count: int, seed: int) -> Counter[str]:
    """改坏的权重交给 predict，改坏的断点交给读断点的那一段；一半一半。"""
    weights = (work / 'whole' / 'best.safetensors').read_bytes()
    newest, before = Checkpoints(work / 'whole' / 'checkpoints').found()
    points = newest.read_bytes(), before.read_bytes()
    image = str(work / '图' / '红' / '0.png')
    expected = told_by(['predict', image, '--model', str(work / 'whole')])
    whole = Checkpoints(newest.parent).newest()[0]

    def one(number: int) -> str:
        chance = random.Random(f'checkpoint {seed} {number}')
        place = work / f'c-{os.getpid()}'
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if number % 2:
            (place / 'best.safetensors').write_bytes(mutated(weights, chance))
            found = told_by(['predict', image, '--model', str(place)])
            return '与没有改过的相同' if found == expected else outcome(*found)
        (place / newest.name).write_bytes(mutated(points[0], chance))
        (place / before.name).write_bytes(points[1])
        state, damaged = Checkpoints(place).newest()
        if damaged:
            return '拒绝，用前一份' if newest.name in damaged[0] else str(damaged)
        equal = state['run'] == whole['run'] and all(
            torch.equal(one, whole['weights'][name])
            for name, one in state['weights'].items()
        )
        return '与没有改过的相同' if equal else f'第 {number} 件：内容变了却没有发现'

    found = in_children(count, one)
    if found['做成']:  # 只许「与没有改过的相同」
        found['改过的权重当作好的用了'] = found.pop('做成')
    return found


def dead_process(work: Path) -> Counter[str]:
    """torchrun 的两个进程，杀死一个，看它重启、接着做。"""
    out = work / 'team'
    command = [
        sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node=2',
        '--max-restarts=3', '-m', 'deepcnn', 'train', *LINE, '--data', str(work / '图'),
        '--out', str(out),
    ]  # fmt: skip
    environment = os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    with open(work / 'torchrun.txt', 'w', encoding='utf-8') as said:
        launcher = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + TRAINING
        while not Checkpoints(out / 'checkpoints').found():
            if launcher.poll() is not None or time.monotonic() > deadline:
                return Counter({f'torchrun 没有开始，见 {work / "torchrun.txt"}': 1})
            time.sleep(0.1)
        os.kill(workers_of(launcher.pid)[-1], signal.SIGKILL)
        code = launcher.wait(TRAINING)
    finally:
        if launcher.poll() is None:
            for process in (*workers_of(launcher.pid), launcher.pid):
                os.kill(process, signal.SIGKILL)
            launcher.wait()
    if code:
        return Counter({f'torchrun 以 {code} 结束，见 {work / "torchrun.txt"}': 1})
    alone, team = (losses(work / name / 'curves.csv') for name in ('whole', 'team'))
    gap = max(abs(one - other) for one, other in zip(alone, team, strict=True))
    # 批量归一化之前几乎没有梯度的方向上，Adam 把舍入放大，所以越往后差得越多
    return Counter({f'损失最多差 {gap:.1e}' if gap > 0.05 else '重启，曲线相同': 1})


def workers_of(launcher: int) -> list[int]:
    """torchrun 启动的进程。"""
    listed = Path(f'/proc/{launcher}/task/{launcher}/children')
    return [int(one) for one in listed.read_text('utf-8').split()]


def losses(path: Path) -> list[float]:
    with open(path, encoding='utf-8-sig', newline='') as text:
        return [float(row['训练损失']) for row in csv.DictReader(text)]


GOOD = (
    '做完，逐字节相同', '做成', '拒绝，一行', '与没有改过的相同', '拒绝，用前一份',
    '重启，曲线相同',
)  # fmt: skip


def main(line: list[str]) -> int:
    command = Command(__doc__)
    for name, default in (
        ('kills', 20),
        ('images', 1_500),
        ('checkpoints', 500),
        ('seed', 0),
    ):
        command.add_argument(f'--{name}', type=int, default=default, metavar='个')
    options = command.parse_args(line)
    if not (hasattr(os, 'fork') and CHILDREN.is_dir()):
        print('要在 Linux（或 WSL）上运行：要靠 fork 与 /proc', file=sys.stderr)
        return 1
    torch.set_num_threads(1)  # 分出的进程里不能有 OpenMP 的线程
    work = Path(tempfile.mkdtemp(prefix='deepcnn-faults-'))
    try:
        failed = all_trials(work, options)
    except KeyboardInterrupt:
        shutil.rmtree(work, ignore_errors=True)
        raise
    if failed:
        print(f'没有通过；文件留在 {work}', file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


def all_trials(work: Path, options: Namespace) -> bool:
    """四样都做，各印一段；有一样没有通过时返回 True。"""
    failed = False
    make_images(work / '图')
    chance = random.Random(options.seed)
    for title, does in {
        '杀死训练': lambda: kills(work, options.kills, chance),
        '改坏的图像': lambda: broken_images(work, options.images, options.seed),
        '改坏的权重与断点': lambda: broken_checkpoints(
            work, options.checkpoints, options.seed
        ),
        '死掉的进程': lambda: dead_process(work),
    }.items():
        started = time.perf_counter()
        try:
            found = does()
        except (Hang, subprocess.TimeoutExpired):
            found = Counter({'卡住了': 1})
        print(f'{title}（{time.perf_counter() - started:.0f} 秒）', flush=True)
        for told, count in found.most_common(12):
            bad = told not in GOOD
            failed |= bad
            print(f'  {"✗" if bad else "✓"} {count:5} {told[:300]}', flush=True)
    return failed


if __name__ == '__main__':
    run(main)
