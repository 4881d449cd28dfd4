"""「用自己的图片训练」：正文与存下的输出说的数，都由 results/own_images.json 重新算出。"""

import re
from functools import cache
from math import ceil
from pathlib import Path
from statistics import mean

import nbformat
import pytest
import torch
from trial_records import half_of_paired

from deepcnn.models.registry import create
from deepcnn.records.spreads import Interval, paired_interval, spread
from deepcnn.records.store import RESULTS, read_json

PAGE = Path(__file__).resolve().parents[2] / 'chapters' / 'own_images.ipynb'
COUNTS = ('20', '100', '500')


@cache
def record() -> dict:
    return read_json(RESULTS / 'own_images.json')


@cache
def prose() -> str:
    cells = nbformat.read(PAGE, as_version=4).cells
    return '\n'.join(cell.source for cell in cells if cell.cell_type == 'markdown')


@cache
def printed(name: str) -> str:
    """名叫 ``name`` 的单元存下的文字。"""
    cells = nbformat.read(PAGE, as_version=4).cells
    [cell] = [one for one in cells if one.metadata.get('name') == name]
    texts = [
        one.get('text') or one.get('data', {}).get('text/markdown', '')
        for one in cell.outputs
    ]
    return ''.join(texts)


def test_what_was_trained_is_told_as_recorded() -> None:
    accuracy = f'{record()["accuracy"]:.1%}'
    assert f'第 {record()["best_epoch"]} 轮最好，{accuracy}' in printed('three-lines')
    assert f'验证准确率 {accuracy}' in printed('train')  # 命令行的与 Python 的相同
    lines = re.findall(
        r'损失 (\S+)  训练 (\S+)  验证 (\S+) .*等图像 (\d+)%', printed('train')
    )
    assert len(lines) == 12
    first, last = lines[0], lines[-1]
    assert f'损失从 {first[0]} 降到 {last[0]}' in prose()
    assert f'验证准确率从 {float(first[2]):.1%} 升到 {float(last[2]):.1%}' in prose()
    assert f'训练准确率是 {float(last[1]):.1%}，验证是 {float(last[2]):.1%}' in prose()
    lowest = sorted(range(12), key=lambda number: float(lines[number][2]))[:2]
    for number in lowest:
        told = f'第 {number + 1} 轮掉到 {float(lines[number][2]):.1%}'
        assert told in prose()
    assert max(int(one[3]) for one in lines) <= 1 and '这里至多 1%' in prose()
    assert re.search(
        rf'测试集的 1,000 张上是 {told_accuracy()}，与验证的 {accuracy}', prose()
    )


def told_accuracy() -> str:
    return re.search(r'1,000 张，准确率 (\S+)\n', printed('predict'))[1]


def test_the_confusion_is_the_recorded_one() -> None:
    names, counts = record()['classes'], torch.tensor(record()['confusion'])
    wrong = counts.clone().fill_diagonal_(0)
    assert counts.sum() == 400
    assert counts.trace() / 400 == pytest.approx(record()['accuracy'])
    assert f'一共 400 张，认错 {int(wrong.sum())} 张' in printed('confused')
    tops = [names.index(one) for one in ('T恤', '套头衫', '外套', '衬衫')]
    among = int(wrong[tops][:, tops].sum())
    assert f'认错的 {int(wrong.sum())} 张里，{among} 张是四件上衣互相认错' in prose()
    order = wrong.flatten().argsort(descending=True, stable=True)[:3].tolist()
    pairs = [divmod(cell, 10) for cell in order]
    for row, column in pairs:
        line = f'{names[row]} 认成 {names[column]}：{int(wrong[row, column])} 张'
        assert line in printed('confused')
    row, column = pairs[0]
    told = f'40 张{names[row]}里有 {int(wrong[row, column])} 张认成了 {names[column]}'
    assert int(counts[row].sum()) == 40 and told in prose()


def gaps(count: str) -> list[Interval]:
    """两种微调各减从头训练，百分点。"""
    found = {
        way: [100 * one for one in accuracies]
        for way, accuracies in record()['fine_tuning'][count].items()
    }
    alone = found.pop('从头')
    return [paired_interval(one, alone) for one in found.values()]


@pytest.mark.parametrize('count', COUNTS)
def test_fine_tuning_is_told_as_recorded(count: str) -> None:
    found = record()['fine_tuning'][count]
    assert list(found) == ['从头', '微调', '微调，主体慢十倍']
    assert {len(one) for one in found.values()} == {5}
    cells = [spread(one).text(1, percent=True) for one in found.values()]
    told = [f'{one.gap(1)} {one.text(1)}' for one in gaps(count)]
    row = ' | '.join((f'{count} 张', *cells, *told))
    assert f'| {row} |' in printed('tuned')


def test_the_first_layer_is_told_as_counted() -> None:
    with torch.device('meta'):
        nets = [create('resnet18', channels, 10, 32) for channels in (1, 3)]
    grey, colour = (sum(one.numel() for one in net.parameters()) for net in nets)
    assert f'只多 {colour / grey - 1:.2%}' in prose()


def test_the_lessons_of_fine_tuning_are_those_of_the_records() -> None:
    timid = [gaps(count)[1] for count in COUNTS]
    assert f'平均低 {"、".join(f"{-one.mean:.1f}" for one in timid)} 个百分点' in prose()
    assert '六项一起比，这三个区间都不含 0' in prose()
    for found in record()['fine_tuning'].values():
        slow, alone = ([100 * v for v in found[k]] for k in ('微调，主体慢十倍', '从头'))
        assert mean(alone) - mean(slow) > half_of_paired(slow, alone, 0.05 / 6)  # Bonferroni
        assert all(a < b for a, b in zip(slow, alone, strict=True))
    hundred = record()['fine_tuning']['100']
    means = [f'{100 * spread(hundred[way]).mean:.1f}%' for way in ('微调，主体慢十倍', '从头')]
    assert f'{means[0]} 对 {means[1]}' in prose()
    twenty, *rest = (gaps(count)[0] for count in COUNTS)
    assert f'平均高 {twenty.mean:.1f} 个百分点，区间 {twenty.text(1)}；六项一起比' in prose()
    tuned, alone = ([100 * v for v in record()['fine_tuning']['20'][k]] for k in ('微调', '从头'))
    assert all(a > b for a, b in zip(tuned, alone, strict=True))
    assert twenty.clear and twenty.mean < half_of_paired(tuned, alone, 0.05 / 6)
    assert not any(one.clear for one in rest) and '100 张与 500 张时，区间都含 0' in prose()


def test_the_costs_are_told_as_recorded() -> None:
    sides, counts = record()['by_side'], record()['by_count']
    each = {count: 1e3 * seconds / int(count) for count, seconds in counts.items()}
    for count, value in each.items():
        assert (
            f'{int(count):,} 张：{counts[count]:.2f} 秒，每张 {value:.2f}'
            in printed('counts')
        )
    assert f'500 张时每张 {each["500"]:.2f} 毫秒' in prose()
    assert f'{each["1000"]:.1f}' == f'{each["2000"]:.1f}' == '0.8'
    times = {side: sides['32'] / rate for side, rate in sides.items()}
    for side, rate in sides.items():
        assert f'| {side} 像素 | {rate:,.0f} | {times[side]:.1f} 倍 |' in printed(
            'sides'
        )
    assert f'96 像素是 32 像素的 {times["96"]:.1f} 倍' in prose()
    assert (
        f'像素是 {(224 / 96) ** 2:.1f} 倍，时间是 {sides["96"] / sides["224"]:.1f} 倍'
        in prose()
    )
    one, two = (record()['by_processes'][count] for count in '12')
    assert f'合计每秒 {two:.0f} 张，只比一个进程的 {one:.0f} 张' in prose()
    assert (
        f'效率 {two / 2 / one:.0%}' in prose()
        and f'效率 {two / 2 / one:.0%}' in printed('processes')
    )
    decoding, large = record()['decoding'], sides['224']
    told = f'一个核每秒解码 {decoding:.0f} 张，训练 ResNet-18 却只有每秒 {large:.0f} 张'
    assert told in prose()


def test_the_plan_follows_from_what_was_measured() -> None:
    """一千万张、90 轮：表里的每一格与正文的话。"""
    work, decoding = 1e7 * 90, record()['decoding']
    one, two = (record()['by_processes'][count] for count in '12')
    efficiency = round(two / 2 / one, 2)
    days = work / record()['by_side']['224'] / 86_400
    assert f'| 这里的一个核 | {days:,.1f} 天 | — | 1 个核 |' in printed('plan')
    assert f'这里的一个核要 {days:.1f} 天' in prose()
    hours = [work / (64 * 1000 * e) / 3600 for e in (1, efficiency)]
    cores, reading = ceil(64_000 / decoding), 64_000 * record()['jpeg_bytes'] / 1e6
    row = f'{hours[0]:.1f} 小时 | {hours[1]:.1f} 小时 | {cores} 个核 | {reading:,.0f} MB/秒'
    assert f'| 64 块，假定 r = 1,000 | {row} |' in printed('plan')
    told = f'效率 1 时是 {hours[0]:.1f} 小时，{efficiency} 时是 {hours[1]:.1f} 小时'
    assert told in prose()
    assert f'解码要 {cores} 个核，读盘每秒 {reading / 1e3:.1f} GB' in prose()
    copied = 3 * 224**2
    assert f'每秒要读 {64_000 * copied / 1e9:.1f} GB' in prose()
    assert 5 < copied / record()['jpeg_bytes'] < 6 and '是 JPEG 的五倍多' in prose()
    sent = 2 * 63 / 64 * 4 * 11_689_512
    assert (
        f'每步送出 {sent / 1e6:.1f} MB' in prose()
        and f'要 {sent / 1e7:.0f} 毫秒' in prose()
    )
    assert f'占 {sent / 1e10 / 0.128:.0%}' in prose()


def test_the_measured_networks_are_told_as_printed() -> None:
    found = re.findall(
        r'^(\w+) +([\d.]+) 百万个参数，训练 (\d+) 张/秒.*书里 ([\d.]+)%',
        printed('measure'),
        re.M,
    )
    assert len(found) == 6
    size, rate, right = (
        {one[0]: float(one[place]) for one in found} for place in (1, 2, 3)
    )
    assert f'参数从 {min(size.values())} 到 {max(size.values())} 百万个' in prose()
    assert 50 < max(size.values()) / min(size.values()) < 60 and '差五十多倍' in prose()
    slow, fast = min(rate.values()), max(rate.values())
    assert f'训练从每秒 {slow:.0f} 到 {fast:.0f} 张' in prose()
    assert round(fast / slow) == 10 and rate['nin'] == fast and rate['vgg11'] == slow
    assert f'准确率从 {min(right.values())}% 到 {max(right.values())}%' in prose()
    assert (
        max(right, key=right.get) == 'resnet18' and min(right, key=right.get) == 'nin'
    )
    assert (
        f'每秒 {fast:.0f} 张。DenseNet 的参数最少，每秒却只有 {rate["densenet"]:.0f} 张'
        in prose()
    )
    assert 0.9 < right['resnet18'] - right['densenet'] < 1.4
    assert '训练 3 轮时准确率比 `resnet18` 低一个百分点' in prose()
