"""基准测试的算术：吞吐量、倍数、漂移、目标；不断言任何时间。"""

from pathlib import Path

import pytest

from deepcnn.records.benchmark import Comparison, Report, Row, load_report


def row(name: str, seconds: list[float], **settings: object) -> Row:
    legal = {'change': '', 'precision': 'fp32', 'batch_size': 10, 'images': 100}
    return Row(
        name, **legal | settings, epoch_seconds=seconds, step_seconds=list(seconds)
    )


def comparison(*rows: Row, network: str = 'nin', device: str = 'cpu') -> Comparison:
    return Comparison(
        network, device, 71, 100, 50, 3, 20, None, list(rows), limit_rate=400.0
    )  # fmt: skip


def test_rate_is_the_median_of_the_epochs() -> None:
    assert row('fused', [1.0, 2.0, 50.0]).rate == 50.0


def test_short_epochs_forgive_the_start_of_the_workers() -> None:
    short = row('d2l', [3.0, 3.0], start_seconds=[1.0, 1.0])
    assert short.rate == 50.0
    whole = row('d2l', [3.0, 3.0], start_seconds=[1.0, 1.0], images=60_000)
    assert whole.rate == 20_000.0


def test_last_partial_batch_does_not_make_an_epoch_short() -> None:
    """60,000 除以批量有余数，本书的循环丢掉最后一批，那仍是完整的一轮。"""
    dropped = row('fused', [3.0], start_seconds=[1.0], images=59_904)
    assert dropped.counted_seconds == [3.0]


def test_speedup_is_measured_against_both_runs_of_d2l() -> None:
    both = comparison(
        row('d2l', [2.0, 2.0]), row('fused', [1.0, 1.0]), row('d2l-again', [4.0, 4.0])
    )
    assert both.baseline_rates == [50.0, 50.0, 25.0, 25.0]
    assert both.speedup(both.row('fused')) == pytest.approx(100 / 37.5)
    assert both.speedup_range(both.row('fused')) == (2.0, 4.0)
    assert both.drift == -0.5


def test_clock_b_compares_the_steps_alone() -> None:
    d2l, ours = row('d2l', [2.0]), row('fused', [1.0])
    d2l.step_seconds, ours.step_seconds = [1.0], [0.8]
    assert (d2l.step_rate, ours.step_rate) == (100.0, 125.0)  # 张/秒
    assert comparison(d2l, ours).step_speedup(ours) == pytest.approx(1.25)


def test_failed_rows_are_not_counted() -> None:
    failed = row('compile', [], problem='没有编译器')
    result = comparison(row('d2l', [2.0]), row('fused', [1.0]), failed)
    assert result.row('compile') is None
    assert result.engine.name == 'fused'
    assert result.drift is None


def test_headline_keeps_the_batch_of_d2l() -> None:
    """更大的批量和编译更快，但那不是同样的比较。"""
    result = comparison(
        row('d2l', [2.0]), row('fused', [1.0]), row('batch', [0.5], batch_size=512)
    )
    assert result.engine.batch_size == result.row('d2l').batch_size
    assert result.goal_reached
    assert result.share_of_limit(result.engine) == 0.25


@pytest.mark.parametrize(
    ('network', 'device', 'times'),
    [('nin', 'cpu', 2), ('nin', 'cuda', 10), ('vgg11-full', 'cuda', 4)],
)
def test_goals(network: str, device: str, times: float) -> None:
    assert comparison(network=network, device=device).goal == times


@pytest.mark.parametrize(
    ('device', 'limit', 'reached'),
    [('cuda', 2000.0, True), ('cuda', 2001.0, False), ('cpu', 9e9, True)],
)
def test_on_a_gpu_half_of_the_limit_is_asked_for_too(
    device: str, limit: float, reached: bool
) -> None:
    """1000 张/秒是 d2l 的 20 倍，但在 GPU 上还要不低于极限的一半。"""
    one = comparison(row('d2l', [2.0]), row('fused', [0.1]), device=device)
    one.limit_rate = limit
    assert one.speedup(one.engine) == pytest.approx(20)
    assert one.goal_reached is reached


def test_report_survives_json(tmp_path: Path) -> None:
    one = comparison(row('d2l', [2.0], start_seconds=[0.5]), row('fused', [1.0]))
    report = Report('cpu', {'cores': 2}, 'Fashion-MNIST', {'nin': one})
    report.save(tmp_path / 'bench-cpu-bf16.json')
    assert load_report(tmp_path / 'bench-cpu-bf16.json') == report
    assert load_report(tmp_path / 'missing.json') is None


def test_a_damaged_measurement_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'bench-cuda.json'
    for text in ('{"device": "cu', '{}', '[]'):
        path.write_text(text, encoding='utf-8')
        with pytest.raises(ValueError, match='bench-cuda.json 读不了.*make bench'):
            load_report(path)
