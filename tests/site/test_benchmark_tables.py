"""「性能」一页的表格：数字都由测量记录算出，没有测成的行不会使页面排不出来。"""

import re
from html import unescape
from pathlib import Path

import pytest
from book_tables import benchmark as benchmark_tables
from book_tables import tuning as tuning_tables
from book_tables.charts import OURS, Bar, Panel, draw, grid
from built_site import built_file

from deepcnn.records.attempts import Attempt
from deepcnn.records.benchmark import Comparison, Report, Row, load_report
from deepcnn.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]

PAGE = ROOT / 'chapters' / 'performance.md'
PEAKS = {'flops': {'float32': 2e11, 'bfloat16': 4e11}, 'bandwidth': 2e10}
MACHINE = {
    'device': 'CPU（两个核）', 'cores': 2, 'threads': 2, 'python': '3.11.7',
    'torch': '2', 'torchvision': '0', 'numpy': '2', 'peaks': PEAKS,
}  # fmt: skip


def row(name: str, seconds: list[float], problem: str | None = None) -> Row:
    return Row(
        name, f'改动 {name}', 'fp32', 128, 1280, seconds, [], list(seconds), seconds,
        problem=problem,
    )  # fmt: skip


def report(*rows: Row) -> Report:
    profile = [{'name': 'aten::mm', 'calls': 2, 'share': 0.5}]
    cost = {'name': 'mm', 'dtype': 'float32', 'calls': 1, 'flops': 2e9, 'bytes': 3e6}
    one = Comparison(
        'nin', 'cpu', 71, 1280, 500, 3, 20, 'abc1234', list(rows), 1.5e9, 2.5e7, 1000.0,
        [cost], profile,
    )  # fmt: skip
    return Report('cpu-bf16', MACHINE, 'Fashion-MNIST', {'nin': one})


@pytest.fixture
def complete() -> Report:
    return report(
        row('d2l', [4.0, 5.0, 4.0]), row('d2l-tuned', [4.0]), row('fused', [2.0] * 3),
        row('d2l-again', [4.0, 4.0, 4.0]),
    )  # fmt: skip


def rows_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]


def last_line(table: str) -> list[str]:
    return rows_of(table)[-1]


def test_overview(complete: Report) -> None:
    cells = last_line(benchmark_tables.overview(complete))
    assert cells == [
        'NiN（末尾无 ReLU）', '320', '320', '640', '2.00（2.00～2.50）', '2.00', '2 达到',
    ]  # fmt: skip


def test_overview_of_a_gpu_asks_for_half_of_the_limit(complete: Report) -> None:
    complete.device = complete.comparisons['nin'].device = 'cuda'
    table = benchmark_tables.overview(complete)
    assert '| 时钟 B | 占极限 | 目标 |' in table
    assert last_line(table)[-2:] == ['64%', '10 且 50% 没有达到']


def test_limits(complete: Report) -> None:
    cells = last_line(benchmark_tables.limits(complete))
    assert cells == [
        'NiN（末尾无 ReLU）', '1.500', '25.0', '1,000', '640', '64%', '960', '3.12',
    ]  # fmt: skip


def test_ladder_names_the_conditions_and_the_drift(complete: Report) -> None:
    table = benchmark_tables.ladders(complete)
    assert '**NiN（末尾无 ReLU）**：71 像素，批量 128，每轮 1,280 张，热身 20 步，测 3 轮' in table
    assert '前后两次 d2l 相差 +0.0%' in table
    assert table.count('\n| 改动') == 5  # 表头与四行


def test_only_missed_goals_are_explained(complete: Report) -> None:
    assert '达到了目标' in benchmark_tables.profiles(complete)
    slow = report(row('d2l', [4.0]), row('fused', [3.0]))
    table = benchmark_tables.profiles(slow)
    assert '`aten::mm` | 2 | 50.0%' in table
    assert '`mm` | 2.00 | 3.0' in table


@pytest.mark.parametrize('kind', benchmark_tables.TABLES)
def test_a_row_that_failed_does_not_break_the_page(kind: str) -> None:
    failed = report(
        row('d2l', [], 'OutOfMemoryError: …'),
        row('fused', [2.0]),
        row('compile', [], '无'),
    )
    table = benchmark_tables.TABLES[kind](failed)
    if kind == 'ladders':
        assert table.count('没有测成') == 2


def test_no_measured_number_is_typed_by_hand() -> None:
    """正文里可以有目标与规矩里的数，不能有带「张/秒」「毫秒」「TFLOP」的测量值。"""
    text = PAGE.read_text(encoding='utf-8')
    assert not re.search(r'\d\s*(张/秒|毫秒|TFLOP|GFLOP|GB)', text)


@pytest.mark.parametrize('device', benchmark_tables.DEVICES)
def test_built_page_shows_the_recorded_numbers(device: str) -> None:
    recorded = load_report(ROOT / 'results' / f'bench-{device}.json')
    html = built_file('chapters/performance.html').read_text(encoding='utf-8')
    if recorded is None:
        assert '上还没有测过' in html
        return
    text = unescape(re.sub(r'<[^>]+>', ' ', html))
    shown = f' {" ".join(text.split())} '
    for table in (benchmark_tables.overview, benchmark_tables.limits):
        rows = rows_of(table(recorded))
        assert len(rows) == len(recorded.comparisons) > 0
        assert [row for row in rows if f' {" ".join(row)} ' not in shown] == []


def test_machine_without_bf16_shows_only_what_was_measured(complete: Report) -> None:
    text = benchmark_tables.machine(complete)
    assert '矩阵乘法 fp32 200 GFLOP/s，bf16 400 GFLOP/s，' in text
    flops = {'float32': 2e11}
    complete.machine = MACHINE | {'peaks': PEAKS | {'flops': flops}}
    assert 'bf16' not in benchmark_tables.machine(complete)


# ---- 图 ----


def lengths(svg: str) -> list[float]:
    return [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]


def test_bars_are_as_long_as_the_numbers() -> None:
    short = Bar('短', ((1.0, OURS), (2.0, OURS)), '3')
    panel = Panel('甲', [Bar('长', ((4.0, OURS),), '4'), short])
    long, first, second = lengths(draw(panel, 4.0))
    assert (first / long, second / long) == pytest.approx((0.25, 0.5), abs=0.01)
    assert 'aria-label="甲：长 4；短 3"' in draw(panel, 4.0)


def test_networks_are_comparable_only_on_a_shared_scale() -> None:
    panels = [Panel('甲', [Bar('', ((value, OURS),), '')]) for value in (1, 4)]
    alone, shared = (grid(panels, '说明', shared=one).astext() for one in (False, True))
    assert lengths(alone)[0] == lengths(alone)[1]
    assert lengths(shared)[1] == pytest.approx(4 * lengths(shared)[0], abs=0.3)


def test_charts_say_what_the_tables_say(complete: Report) -> None:
    overview = benchmark_tables.overview_chart(complete).astext()
    assert '：d2l 320；只调读取 320（1.00 倍）；本书 640（2.00 倍）"' in overview
    assert benchmark_tables.ladders_chart(complete).astext().count('<rect') == 4
    limits = benchmark_tables.limits_chart(complete).astext()
    assert '占极限的比例：NiN（末尾无 ReLU） 64%' in limits
    assert benchmark_tables.profiles_chart(complete) is None  # 都达到了目标


def test_the_chart_of_a_missed_goal_counts_the_heavy_operators() -> None:
    slow = report(row('d2l', [4.0]), row('fused', [3.0]))
    slow.comparisons['nin'].profile.append({'name': 'aten::relu', 'calls': 1, 'share': 0.2})
    drawn = benchmark_tables.profiles_chart(slow).astext()
    heavy, listed, rest = lengths(drawn)
    assert (listed / heavy, rest / heavy) == pytest.approx((0.4, 0.6), abs=0.01)
    assert '50%' in drawn


@pytest.mark.parametrize('kind', benchmark_tables.CHARTS)
def test_a_row_that_failed_is_left_out_of_the_chart(kind: str) -> None:
    failed = report(row('d2l', [], '内存不够'), row('fused', [2.0]))
    chart = benchmark_tables.CHARTS[kind](failed)
    bars = lengths(chart.astext()) if chart else []
    assert len(bars) == (kind == 'ladders')


def test_attempts_without_roughness_and_with_other_momenta_are_listed() -> None:
    def attempt(momentum: float, roughness: float | None) -> Attempt:
        recipe = Recipe(8, 1, 1e-2, momentum=momentum).to_dict()
        return Attempt(recipe, [1.0], [0.5], 1.0, 'CPU', {}, None, roughness)

    shown = tuning_tables.table({'nin': [attempt(0.9, None), attempt(0.5, 1.25)]}, 'full')
    head, _, first, second = [one for one in shown.splitlines() if one[:1] == '|']
    assert '| 动量 |' in head and '| 0.9 |' in first
    assert first.endswith('| — |') and second.endswith('| 1.25 |')
