"""「实验」一页的论断表里的数：由各实验的记录与存下的表再算一遍，并且写在那一行里。"""

from dataclasses import dataclass
from statistics import mean

import pytest
from scipy.stats import t
from test_claims_linked import CHAPTERS, ROWS
from test_printed_numbers import COUNTS, LEARNED, MADE, introduction, printed_by
from test_told_statistics import points
from trial_records import load_trial

from deepcnn.anatomy.windows import Window, view_layers
from deepcnn.models.googlenet import INCEPTIONS
from deepcnn.models.lineup import LINEUP
from deepcnn.records.attempts import load_attempts
from deepcnn.records.comparison import load_records
from deepcnn.records.spreads import Interval, interval
from deepcnn.records.store import RESULTS, read_json
from deepcnn.records.trials import FOLDER, IN_PERCENT


def where_tested(claim: str) -> str:
    """以 ``claim`` 开头的论断那一行的末格。"""
    (row,) = (row for row in ROWS if row[0].startswith(claim))
    return row[2]


@dataclass(frozen=True)
class Said:
    """一个差别：大小，以及前者减后者的区间。"""

    size: float
    ends: str


def gap(pair: str, measure: str) -> Interval:
    """``甲 > 乙`` 或 ``甲 < 乙``：甲减乙；准确率按百分点。"""
    first, order, second = pair.split()
    values = [load_trial(name).measure(measure) for name in (first, second)]
    found = interval(*(map(points, values) if measure in IN_PERCENT else values))
    assert (found.mean > 0) == (order == '>'), pair
    return found


# （论断，末格里的话，量，各对做法）；话里的数是这些差别。
COMPARED = (
    ('ReLU 使模型', '两种初始化下训练损失低 {0.size:.2f} 与 {1.size:.2f}；', 'train_loss',
     'alexnet-relu-he < alexnet-sigmoid-he', 'alexnet-relu-xavier < alexnet-sigmoid-xavier'),
    ('ReLU 使模型', '的学习率提高到 4 倍，还低 {0.size:.2f}', 'train_loss',
     'alexnet-relu-xavier < alexnet-sigmoid-faster'),
    ('去掉全连接层，有时', '训练损失高 {0.size:.3f}；', 'train_loss',
     'alexnet-short-pooled > alexnet-short-neither'),
    ('残差映射', '高 {0.size:.2f} 个百分点，区间 {0.ends} 不含 0', 'train_accuracy',
     'residual-56 > plain-56'),
    ('批量归一化', '训练准确率高 {0.size:.2f} 个百分点，有捷径时只高 {1.size:.2f} 个',
     'train_accuracy', 'twenty-normalized > twenty-neither', 'twenty-both > twenty-shortcut'),
    ('批量归一化', '没有捷径时差 {0.size:.2f} 个，区间 {0.ends} 含 0', 'test_accuracy',
     'twenty-normalized > twenty-neither'),
    ('批量归一化', '有捷径时反而低 {0.size:.2f} 个，区间 {0.ends} 勉强不含 0', 'test_accuracy',
     'twenty-both < twenty-shortcut'),
    ('连结的网络', '测试准确率高 {0.size:.2f} 个百分点，区间 {0.ends} 含 0', 'test_accuracy',
     'densenet-concatenate > densenet-add-parameters'),
    ('每一章', 'ReLU 高 {0.size:.2f} 个百分点，批量归一化高 {1.size:.2f} 个', 'test_accuracy',
     'ladder-relu > ladder-sigmoid', 'ladder-normalized > ladder-inception'),
    ('每一章', 'Inception 更省，准确率低 {0.size:.2f} 个；', 'test_accuracy',
     'ladder-inception < ladder-pooled'),
    ('每一章', '稠密高 {0.size:.2f} 个，七步一起比时区间含 0', 'test_accuracy',
     'ladder-dense > ladder-residual'),
)  # fmt: skip


@pytest.mark.parametrize('case', COMPARED, ids=lambda case: case[1])
def test_the_difference_is_the_one_recorded(case: tuple[str, ...]) -> None:
    claim, phrase, measure, *pairs = case
    found = [gap(pair, measure) for pair in pairs]
    said = (Said(abs(one.mean), one.text()) for one in found)
    assert phrase.format(*said) in where_tested(claim)
    if '.ends' in phrase:
        assert found[0].clear == ('不含 0' in phrase)


def test_accuracies_of_the_deep_networks_are_those_recorded() -> None:
    errors = [
        100 - 100 * mean(load_trial(f'plain-{n}').train_accuracy) for n in (8, 20, 56)
    ]
    words = '、'.join(f'{one:.1f}%' for one in errors)
    assert f'没有捷径的 8、20、56 层，训练误差是 {words}' in where_tested('层数加到')
    deep, plain = (
        mean(load_trial(f'{kind}-56').train_accuracy) for kind in ('residual', 'plain')
    )
    assert f'训练准确率是 {deep:.0%} 对 {plain:.1%}' in where_tested('残差映射')
    last = printed_by('experiments/degradation', 'kept').splitlines()[-1]
    plain, residual = (float(cell.split()[0]) for cell in last.split('|')[2:4])
    told = f'还能线性还原 {residual:.0%}，没有捷径的只有 {plain:.0%}'
    assert told in where_tested('残差块使数据')
    shortcut = mean(load_trial('twenty-shortcut').train_accuracy)
    assert '不用它也接近 100%' in where_tested('批量归一化') and shortcut > 0.995


def test_budgets_are_those_recorded() -> None:
    short = load_trial('alexnet-short-pooled').history
    steps = short.epochs * (short.train_images // short.recipe['batch_size'])
    slow = where_tested('去掉全连接层，有时')
    assert f'用 {short.train_images} 张图像，同样 {steps} 步' in slow
    recipe = load_records()['nin'].recipe
    steps = recipe['epochs'] * (recipe['train_images'] // recipe['batch_size'])
    rates = where_tested('NiN 一般')
    nin, alexnet = (
        [100 * run.test_accuracy[-1] for run in load_records()[name].runs]
        for name in ('nin', 'alexnet')
    )
    assert f'{steps} 步之后准确率低 {mean(alexnet) - mean(nin):.2f} 个百分点' in slow
    assert f'只训练 {steps} 步' in rates
    assert f'学习率 {2 * recipe["lr"]:g} 的 NiN 停在平台上，减到 {recipe["lr"]:g} 才离开' in rates
    joined, added = (
        load_trial(f'densenet-{one}').parameters
        for one in ('concatenate', 'add-parameters')
    )
    assert f'参数差 {abs(added / joined - 1):.0%} 时' in where_tested('连结的网络')


def test_learned_features_are_told_as_recorded() -> None:
    def lead(images: int) -> float:
        scores = introduction()['test_accuracy']
        which = COUNTS.index(images)
        return 100 * (mean(scores[LEARNED][which]) - mean(scores[MADE][which]))

    told = where_tested('特征多的深度模型')
    assert (
        f'用 {COUNTS[0]} 到 {COUNTS[-1]:,} 张图像：10,000 张起，学得的特征更准' in told
    )
    assert f'60,000 张时比手工特征高 {lead(60_000):.1f} 个百分点' in told
    assert f'3,000 张时高 {lead(3_000):.1f} 个，还不宜当真' in told
    assert all(lead(count) > 1 for count in COUNTS if count >= 10_000)


def test_counts_of_googlenet_are_computed() -> None:
    # 入口、第二模块，线路的头一层
    start = (7, 2), (3, 2), (1, 1), (3, 1), (3, 2), (1, 1)
    fields = []
    for last in (1, 3, 5):
        windows = [Window(kernel, stride, 0) for kernel, stride in (*start, (last, 1))]
        fields.append(str(view_layers(224, windows)[-1].receptive_field))
    assert f'感受野是 {"、".join(fields)} 像素' in where_tested('三种窗口')
    channels = sum(
        2 + len(second) + len(third) for _, second, third, _ in INCEPTIONS.values()
    )
    assert f'四个块数，对 {channels} 个通道数' in where_tested('ResNet 的结构')


def test_the_faster_sigmoid_learned_at_four_times_the_rate() -> None:
    usual, faster = (
        load_trial(f'alexnet-sigmoid-{name}').history.recipe['lr']
        for name in ('xavier', 'faster')
    )
    assert f'学习率提高到 {faster / usual:g} 倍' in where_tested('ReLU 使模型')


def test_seeds_are_as_many_as_told() -> None:
    """五个种子才比高低；只有点了名的几处是三个。"""
    page = (CHAPTERS / 'experiments.md').read_text(encoding='utf-8')
    named = page.split('五个种子才比高低')[1].split('只有三个，区间因此宽些')[0]
    assert '六网对比' in named
    trials = [
        one for one in (RESULTS / FOLDER).glob('*.json') if one.stem[:6] != 'rates-'
    ]
    seeds = {path.stem: len(load_trial(path.stem).history.runs) for path in trials}
    assert set(seeds.values()) == {5}
    for network in LINEUP:
        tried = load_attempts(RESULTS / FOLDER / f'rates-{network}.json')
        assert {seed for one in tried for seed in one.recipe['seeds']} == {0, 1, 2, 3, 4}
        rates = {'alexnet': 6, 'resnet18': 5, 'densenet': 6}.get(network, 4)
        assert len({one.recipe['lr'] for one in tried}) == rates
    assert '四种或六种学习率、五个种子' in where_tested('NiN 一般')
    assert {len(one.runs) for one in load_records().values()} == {3}
    tuned = read_json(RESULTS / 'own_images.json')['fine_tuning'].values()
    assert {len(values) for found in tuned for values in found.values()} == {5}


def test_how_large_a_clear_difference_of_three_seeds_is() -> None:
    page = (CHAPTERS / 'experiments.md').read_text(encoding='utf-8')
    half = t.ppf(0.975, 4) * (2 / 3) ** 0.5
    assert f'标准差都是 1 个百分点时，差别要超过 {half:.1f} 个百分点' in page
