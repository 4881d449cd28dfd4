"""录制之前说的时间，来自实测的速度；没有 bf16 的 CPU 另有一句。"""

from dataclasses import replace

import expected_time
import pytest
import torch

from deepcnn.models.lineup import LINEUP
from deepcnn.records.benchmark import load_report
from deepcnn.records.store import RESULTS

CPU = torch.device('cpu')
REPORT = load_report(RESULTS / 'bench-cpu-bf16.json')


def test_the_measured_size_needs_no_conversion() -> None:
    measured = REPORT.comparisons['densenet']
    recipe = replace(LINEUP['densenet'].recipes['full'], image_size=measured.image_size)
    seconds = expected_time.expected_seconds('densenet', recipe, REPORT)
    assert seconds == pytest.approx(recipe.epochs * 60_000 / measured.engine.rate)
    three = replace(recipe, seeds=(0, 1, 2), train_images=20_000)
    assert expected_time.expected_seconds('densenet', three, REPORT) == pytest.approx(
        seconds
    )


def test_a_larger_image_costs_its_macs() -> None:
    small, large = (expected_time.macs('densenet', size) for size in (48, 96))
    assert large == 129_077_168 and 3.5 < large / small < 4.5
    recipe = LINEUP['densenet'].recipes['full']
    rate = REPORT.comparisons['densenet'].engine.rate
    assert expected_time.expected_seconds('densenet', recipe, REPORT) == pytest.approx(
        recipe.epochs * 60_000 / rate * large / small
    )


@pytest.mark.parametrize(('fast', 'warned'), [(True, False), (False, True)])
def test_a_cpu_without_bf16_is_warned(
    fast: bool, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_time, 'has_fast_bf16', lambda device: fast)
    line = expected_time.expected_line('vgg', 'full', CPU)
    assert '小时' in line and ('5 到 7 倍' in line) == warned
    for page in ('toolbox', 'summary'):  # 小结只读别处训练好的
        assert expected_time.expected_line(page, 'full', CPU) is None
    assert expected_time.expected_line('vgg', 'full', torch.device('meta')) is None
    assert expected_time.expected_seconds('vgg11', None, None) is None


def test_durations() -> None:
    assert [expected_time.duration(s) for s in (20, 900, 3599, 5400)] == [
        '1 分钟', '15 分钟', '60 分钟', '1.5 小时',
    ]  # fmt: skip
