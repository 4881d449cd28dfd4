"""「性能」一页的表格：由 results/bench-<设备>.json 算出，表里不手写数字。

用法::

    <!-- 网站：benchmark overview
    :device: cpu-bf16
    -->
    *（给别的查看器的一句说明。）*

还没有测过这种设备时，``machine`` 的位置放一句说明，别的表不出现。
"""

from book_root import ROOT
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from deepcnn.records.benchmark import (
    AGAIN,
    BASELINE,
    NOISE,
    SHARE_GOALS,
    TUNED,
    Comparison,
    Report,
    Row,
    load_report,
)
from deepcnn.records.titles import BENCHMARKED

from . import nested_markdown
from .charts import EMPTY, HALF, OURS, PLAIN, Bar, Panel
from .charts import grid as charts

# 有没有 bf16 指令，CPU 的快慢相差几倍，分开记录
DEVICES = {'cpu-bf16': '有 bf16 的 CPU', 'cpu-fp32': '没有 bf16 的 CPU', 'cuda': 'GPU'}


def grid(head: list[str], rows: list[list[str]], caption: str) -> str:
    """排成一张带标题的 MyST 表格；第一列靠左，其余靠右。"""
    lines = [head, [':--'] + ['--:'] * (len(head) - 1), *rows]
    body = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
    # 数字不断行；窄屏上整张表左右滑动。
    return f':::{{table}} {caption}\n:class: text-nowrap\n\n{body}\n:::'


def in_order(report: Report) -> list[Comparison]:
    return [report.comparisons[name] for name in BENCHMARKED if name in report.comparisons]


def measured(report: Report) -> list[Comparison]:
    """d2l 与本书的循环都测成了的网络。"""
    return [one for one in in_order(report) if one.row(BASELINE) and one.engine]


def number(value: float) -> str:
    return f'{value:,.0f}'


def times(value: float) -> str:
    return f'{value:.2f}'


def seconds_range(row: Row) -> str:
    """每轮秒数的中位数与范围。"""
    ordered = sorted(row.counted_seconds)
    middle = ordered[len(ordered) // 2]
    return f'{middle:.2f}（{ordered[0]:.2f}～{ordered[-1]:.2f}）'


def gigabytes(count: int | None) -> str:
    return '—' if count is None else f'{count / 2**30:.2f}'


def matrix_peaks(flops: dict[str, float]) -> str:
    """各精度的矩阵乘法峰值；没有 bf16 指令的机器不测 bf16。"""
    shown = {'float32': 'fp32', 'bfloat16': 'bf16'}
    return '，'.join(f'{shown[t]} {number(v / 1e9)} GFLOP/s' for t, v in flops.items())


def instructions(facts: dict) -> str:
    """CPU 上 PyTorch 用哪一种指令集的内核；旧的记录与 GPU 上没有这一项。"""
    name = facts.get('instructions')
    return f'；PyTorch 用 {name} 的内核' if name else ''


# ---- 各种表 -------------------------------------------------------------------


def machine(report: Report) -> str:
    """测量的环境，一项一行。"""
    facts, peaks = report.machine, report.machine['peaks']
    lines = [
        f'设备：{facts["device"]}；可用的核 {facts["cores"]} 个{instructions(facts)}',
        f'Python {facts["python"]}，PyTorch {facts["torch"]}，'
        f'torchvision {facts["torchvision"]}，NumPy {facts["numpy"]}',
        f'实测的峰值：矩阵乘法 {matrix_peaks(peaks["flops"])}，'
        f'复制内存 {number(peaks["bandwidth"] / 1e9)} GB/s',
        f'数据：{report.dataset}；d2l 用 4 个读取进程，调好的读取用 {facts["cores"]} 个',
    ]
    if 'cuda' in facts:
        switch = {True: '开', False: '关'}
        lines.append(
            f'CUDA {facts["cuda"]}，cuDNN {facts["cudnn"]}；TF32：'
            f'卷积{switch[facts["tf32_convolution"]]}，'
            f'矩阵乘法{switch[facts["tf32_matmul"]]}'
        )
    commits = sorted({one.commit or '未知' for one in report.comparisons.values()})
    lines.append(f'代码：{"、".join(commits)}')
    return '\n'.join(f'- {line}' for line in lines)


def overview(report: Report) -> str:
    """每个网络一行：吞吐量、倍数、（GPU 上）占极限的比例、是否达到目标。"""
    shares = ['占极限'] if report.device in SHARE_GOALS else []
    head = ['网络', 'd2l', '只调读取', '本书', '倍数（范围）', '时钟 B']
    head += [*shares, '目标']
    rows = [overview_row(one) for one in measured(report)]
    name = DEVICES[report.device]
    return grid(head, rows, f'{name} 上每秒训练的图像数（时钟 A，各轮的中位数）')


def overview_row(one: Comparison) -> list[str]:
    d2l, tuned, ours = one.row(BASELINE), one.row(TUNED), one.engine
    low, high = one.speedup_range(ours)
    goal, shares = f'{one.goal:g}', []
    if one.share_goal is not None:
        shares = [f'{one.share_of_limit(ours):.0%}']
        goal += f' 且 {one.share_goal:.0%}'
    return [
        BENCHMARKED[one.network],
        number(d2l.rate),
        number(tuned.rate) if tuned else '—',
        number(ours.rate),
        f'{times(one.speedup(ours))}（{times(low)}～{times(high)}）',
        times(one.step_speedup(ours)),
        *shares,
        f'{goal} {"达到" if one.goal_reached else "没有达到"}',
    ]


def ladders(report: Report) -> str:
    """每个网络一架梯子：每行只比上一行改一处。"""
    return '\n\n'.join(ladder(one) for one in in_order(report))


def ladder(one: Comparison) -> str:
    compiled = any(row.compile_seconds is not None for row in one.rows)
    head = ['改动', '精度', '每轮秒数', '张/秒', '倍数', '评价秒数', '内存 GiB']
    rows = [ladder_row(one, row, compiled) for row in one.rows]
    caption = f'{BENCHMARKED[one.network]}：每行只比上一行改一处'
    return f'{conditions(one)}\n\n{grid(head + ["编译秒数"] * compiled, rows, caption)}'


def conditions(one: Comparison) -> str:
    """表格前的一句话；不放进表题，长的表题会把表格撑宽。"""
    text = (
        f'**{BENCHMARKED[one.network]}**：{one.image_size} 像素，'
        f'批量 {one.rows[0].batch_size}，每轮 {number(one.images)} 张，'
        f'热身 {one.warm_up_steps} 步，测 {one.epochs} 轮'
    )
    if one.drift is None:
        return f'{text}。'
    noisy = '' if abs(one.drift) < NOISE else '，超过 5%，倍数要打折扣看'
    return f'{text}；前后两次 d2l 相差 {one.drift:+.1%}{noisy}。'


def ladder_row(one: Comparison, row: Row, compiled: bool) -> list[str]:
    if row.problem:
        blank = ['—'] * (5 + compiled)
        return [f'{row.change}（没有测成）', row.precision, *blank]
    evaluation = sorted(row.evaluation_seconds)[len(row.evaluation_seconds) // 2]
    cells = [
        row.change,
        row.precision,
        seconds_range(row),
        number(row.rate),
        times(one.speedup(row)) if one.row(BASELINE) else '—',
        f'{evaluation:.2f}',
        gigabytes(row.peak_bytes),
    ]
    seconds = row.compile_seconds
    return cells + ['—' if seconds is None else f'{seconds:.1f}'] * compiled


def limits(report: Report) -> str:
    """运算、字节与硬件的下限。"""
    head = [
        '网络', 'GFLOP/张', 'MB/张', '极限，张/秒', '本书，张/秒', '占极限',
        'GFLOP/s', '极限倍数',
    ]  # fmt: skip
    rows = []
    for one in measured(report):
        ours = one.engine
        rows.append(
            [
                BENCHMARKED[one.network],
                f'{one.flops_per_image / 1e9:.3f}',
                f'{one.bytes_per_image / 1e6:.1f}',
                number(one.limit_rate),
                number(ours.rate),
                f'{one.share_of_limit(ours):.0%}',
                number(ours.rate * one.flops_per_image / 1e9),
                times(one.speedup(ours) / one.share_of_limit(ours)),
            ]
        )
    return grid(head, rows, f'{DEVICES[report.device]} 上一步训练的运算、字节与极限')


def profiles(report: Report) -> str:
    """没有达到目标的网络：时间花在哪些算子上，字节花在哪些算子上。"""
    missed = [one for one in measured(report) if not one.goal_reached]
    if not missed:
        return '测过的网络都达到了目标，没有要解释的。'
    return '\n\n'.join(profile(one) for one in missed)


def profile(one: Comparison) -> str:
    title = BENCHMARKED[one.network]
    spent = [
        [f'`{op["name"]}`', str(op['calls']), f'{op["share"]:.1%}']
        for op in one.profile
    ]
    moved = [
        [
            f'`{op["name"]}`',
            '无' if not op['flops'] else f'{op["flops"] / 1e9:.2f}',
            f'{op["bytes"] / 1e6:.1f}',
        ]
        for op in one.costs
    ]
    return '\n\n'.join(
        [
            grid(['算子', '每步次数', '占时间'], spent, f'{title}：一步的时间花在哪里'),
            grid(['算子', 'GFLOP', 'MB'], moved, f'{title}：一步的运算与字节'),
        ]
    )


# ---- 图 ----------------------------------------------------------------------


def overview_chart(report: Report) -> nodes.raw | None:
    """各网络的 d2l、只调读取、本书，共用一把尺子。"""
    panels = []
    for one in measured(report):
        shown = [
            (one.row(BASELINE), 'd2l', PLAIN), (one.row(TUNED), '只调读取', HALF),
            (one.engine, '本书', OURS),
        ]  # fmt: skip
        bars = [rate_bar(one, row, label, colour) for row, label, colour in shown if row]
        panels.append(Panel(BENCHMARKED[one.network], bars))
    caption = '每秒训练的图像数（时钟 A），括号里是 d2l 的几倍；各网络的长短可以互相比较'
    return charts(panels, caption, shared=True)


def rate_bar(one: Comparison, row: Row, label: str, colour: str) -> Bar:
    text = number(row.rate)
    if row.name != BASELINE and one.row(BASELINE):
        text += f'（{times(one.speedup(row))} 倍）'
    return Bar(label, ((row.rate, colour),), text)


def ladders_chart(report: Report) -> nodes.raw | None:
    """一个网络一幅：各行的张/秒；d2l 是灰的，旁支浅一些。"""
    colours = {BASELINE: PLAIN, AGAIN: PLAIN, TUNED: HALF}
    panels = [
        Panel(BENCHMARKED[one.network], [
            rate_bar(one, row, row.change, colours.get(row.name, OURS))
            for row in one.rows if not row.problem
        ])
        for one in in_order(report)
    ]  # fmt: skip
    return charts(panels, '每秒训练的图像数（时钟 A），括号里是 d2l 的几倍；每个网络一把尺子')


def limits_chart(report: Report) -> nodes.raw | None:
    bars = [
        Bar(
            BENCHMARKED[one.network],
            ((share := one.share_of_limit(one.engine), OURS), (max(0, 1 - share), EMPTY)),
            f'{share:.0%}',
        )
        for one in measured(report)
    ]
    return charts([Panel('占极限的比例', bars)], '本书的循环达到硬件极限的几成')


def profiles_chart(report: Report) -> nodes.raw | None:
    """没有达到目标的网络：卷积与矩阵乘法、别的列出的算子、其余，各占一步的几成。"""
    bars = []
    for one in measured(report):
        if one.goal_reached or not one.profile:
            continue
        heavy = sum(op['share'] for op in one.profile if is_heavy(op['name']))
        listed = sum(op['share'] for op in one.profile)
        parts = ((heavy, OURS), (listed - heavy, HALF), (max(0, 1 - listed), PLAIN))
        bars.append(Bar(BENCHMARKED[one.network], parts, f'{heavy:.0%}'))
    caption = '一步的时间花在哪里：深蓝是卷积与矩阵乘法（右边的数），浅蓝是列出的别的算子，灰是其余'
    return charts([Panel('占一步的时间', bars)], caption)


def is_heavy(operator: str) -> bool:
    """处理器自己的乘加：卷积与矩阵乘法，前向和反向。"""
    return 'conv' in operator or operator.endswith(('mm', 'linear'))


CHARTS = {
    'overview': overview_chart,
    'ladders': ladders_chart,
    'limits': limits_chart,
    'profiles': profiles_chart,
}
TABLES = {
    'machine': machine,
    'overview': overview,
    'ladders': ladders,
    'limits': limits,
    'profiles': profiles,
}


class Benchmark(SphinxDirective):
    """把一份测量排成表格。"""

    required_arguments = 1
    option_spec = {'device': directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        device = self.options.get('device', 'cpu-bf16')
        kind = self.arguments[0]
        if kind not in TABLES or device not in DEVICES:
            legal = '、'.join(TABLES), '、'.join(DEVICES)
            raise self.error(f'benchmark 可以用 {legal[0]}；device 可以是 {legal[1]}')
        path = ROOT / 'results' / f'bench-{device}.json'
        self.env.note_dependency(str(path))
        report = load_report(path)
        if report and report.comparisons:
            return self.chart_and_tables(kind, report)
        if kind != 'machine':  # 一节里有几张表，说明只放一次
            return []
        return nested_markdown.parse(self, f'（{DEVICES[device]} 上还没有测过。）')

    def chart_and_tables(self, kind: str, report: Report) -> list[nodes.Node]:
        """图在前，全部的数折在后面；没有图的照排。"""
        tables = TABLES[kind](report)
        chart = CHARTS[kind](report) if kind in CHARTS else None
        if chart is None:
            return nested_markdown.parse(self, tables)
        folded = f'::::{{dropdown}} 全部的数\n:class-container: quiet\n\n{tables}\n::::'
        return [chart, *nested_markdown.parse(self, folded)]


def setup(app: Sphinx) -> None:
    app.add_directive('benchmark', Benchmark)
