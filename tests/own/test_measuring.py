"""``deepcnn models --measure``：量的是说好的那些，几个进程的速度合在一起，时间数得对。"""

import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest
import torch
from two_processes import in_two_processes, needs_fork

from deepcnn.own import measuring
from deepcnn.own.commands import main
from deepcnn.own.measuring import (
    SIX,
    Measured,
    Setup,
    book_accuracy,
    clock_of,
    measure,
    setup_for,
)
from deepcnn.own.processes import Team
from deepcnn.plot import inline_backend

CPU = torch.device('cpu')
TINY = ['--side', '32', '--batch', '4', '--seconds', '0.001']
pytestmark = pytest.mark.usefixtures('one_thread')


def test_every_line_tells_size_speed_and_the_accuracy_of_the_book(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(['models', 'densenet', '--measure', *TINY]) == 0
    device, conditions, first = capsys.readouterr().out.splitlines()
    assert device.startswith('CPU（') and '1 线程' in device
    assert conditions.startswith('32 像素，3 个通道，10 类，小批量 4 张，训练用 ')
    assert conditions.endswith('；按处理器用时算')
    line = r'(\S+) +([\d.]+) 百万个参数，训练 [\d,]+ 张/秒，认 [\d,]+ 张/秒，单张 [\d.]+ 毫秒'
    dense = re.fullmatch(rf'{line}，书里 ([\d.]+)%', first)
    assert dense[1] == 'densenet' and dense[2] == '0.8'
    assert float(dense[3]) == pytest.approx(100 * book_accuracy('densenet'), abs=0.05)


def test_the_narrow_vgg_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Measured(name, 10**6, 9, 9, 9, 0.9) for name in ('vgg11', 'resnet18')]
    monkeypatch.setattr('deepcnn.own.commands.measure', lambda *rest: rows)
    assert main(['models', 'vgg11', 'resnet18', '--measure']) == 0
    *_, vgg, resnet, note = capsys.readouterr().out.splitlines()
    assert vgg.endswith('书里 90.0%*') and resnet.endswith('书里 90.0%')
    assert note.startswith('*准确率是四分之一宽的')


def test_facts_are_json_and_rates_follow_the_clock(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """每一步走四分之一秒的钟：小批量 4 张就是每秒 16 张。"""
    ticks = iter(range(10**6))
    monkeypatch.setattr(measuring, 'clock_of', lambda device: lambda: next(ticks) / 4)
    assert main(['models', 'densenet', '--measure', '--json', *TINY]) == 0
    conditions, found = map(json.loads, capsys.readouterr().out.splitlines())
    assert (conditions['side'], conditions['batch'], conditions['processes']) == (
        32,
        4,
        1,
    )
    assert found['name'] == 'densenet' and 700_000 < found['parameters'] < 800_000
    assert found['training'] == found['predicting'] == pytest.approx(16)
    assert found['milliseconds'] == pytest.approx(250)


def test_the_six_of_the_book_are_meant_when_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(
        'deepcnn.own.commands.measure', lambda names, *rest: asked.append(names) or []
    )
    assert main(['models', '--measure', '--quiet']) == 0
    assert asked == [SIX] and len(SIX) == 6
    assert all(book_accuracy(name) > 0.8 for name in SIX)
    assert book_accuracy('resnet34') is None


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (['resnet1', '--measure'], "没有叫 'resnet1' 的网络"),
        (['resnet1'], 'resnet1'),
        (['resnet18', '--measure', '--batch', '0'], '--batch 要大于 0'),
        (['alexnet', '--measure', '--side', '32'], '63'),
        (['resnet18', '--measure', '--batch', '1', '--side', '32'], '请加大 --batch 或'),
    ],
)
def test_what_cannot_be_measured_is_refused(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['models', *line]) == 1
    out, err = capsys.readouterr()
    assert said in err and len(err.splitlines()) == 1


def test_the_side_follows_the_device_and_processes_share_the_batch() -> None:
    assert setup_for(CPU).side == 96
    assert setup_for(torch.device('cuda')).side == 224
    assert setup_for(CPU, side=48, batch=None) == Setup(48)
    for endless in (math.nan, math.inf):
        with pytest.raises(ValueError, match='--seconds 要大于 0、不是无穷'):
            setup_for(CPU, seconds=endless)
    with pytest.raises(ValueError, match='32 张不能由 3 个进程平分'):
        measure(['resnet18'], Setup(32), CPU, Team(0, 3))


def test_processor_time_is_counted_on_one_thread_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert clock_of(CPU) is measuring.process_time
    assert clock_of(torch.device('cuda')) is measuring.perf_counter
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    assert clock_of(CPU) is measuring.perf_counter


def test_a_list_of_some_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['models', 'nin', 'resnet50']) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ['nin', 'resnet50']


def test_the_report_leaves_the_figures_of_a_notebook_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = []
    monkeypatch.setattr(matplotlib, 'use', used.append)
    monkeypatch.setattr(inline_backend, 'running_kernel', SimpleNamespace)
    inline_backend.draw_without_windows()
    assert used == []
    monkeypatch.setattr(inline_backend, 'running_kernel', lambda: None)
    inline_backend.draw_without_windows()
    assert used == ['Agg']


@needs_fork
def test_under_torchrun_one_speaks_for_both(tmp_path: Path) -> None:
    """两个进程各一半小批量；0 号说话，走的步数相同，所以都结束。"""

    def one(rank: int) -> int:
        with open(tmp_path / str(rank), 'w', encoding='utf-8') as sys.stdout:
            return main(['models', 'densenet', '--measure', '--json', *TINY])

    codes = in_two_processes(one)
    assert codes == [0, 0]
    told = (tmp_path / '0').read_text('utf-8').splitlines()
    assert json.loads(told[0])['processes'] == 2 and len(told) == 2
    assert json.loads(told[1])['training'] > 0
    assert (tmp_path / '1').read_text('utf-8') == ''
