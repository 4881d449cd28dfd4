"""先预测：每一道题的答案由代码或记录重新算出，揭晓的文字说的是同一个数。"""

import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import e, log
from pathlib import Path
from statistics import mean

import nbformat
import pytest
import torch
from book_source import chapter_files
from trial_records import half_of_welch, load_trial

from deepcnn.anatomy.configurations import Cost, cost_of
from deepcnn.anatomy.layers import LayerTable, count_parameters, layer_table
from deepcnn.anatomy.windows import Window, view_layers
from deepcnn.data.batches import prepare
from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.models.alexnet import alexnet
from deepcnn.models.densenet import (
    bottleneck_block,
    conv_block,
    densenet,
    paper_densenet,
)
from deepcnn.models.googlenet import INCEPTIONS
from deepcnn.models.lineup import LINEUP
from deepcnn.models.nin import nin_block
from deepcnn.models.published import published
from deepcnn.models.registry import create
from deepcnn.models.resnet import Bottleneck, ResidualBlock, resnet
from deepcnn.models.vgg import NUM_CONVS, vgg
from deepcnn.records.attempts import load_attempts
from deepcnn.records.comparison import load_records
from deepcnn.records.pairwise import differences
from deepcnn.records.runs import History, load_history
from deepcnn.records.spreads import Interval, interval, spread
from deepcnn.records.store import RESULTS, read_json
from deepcnn.records.titles import TITLES
from deepcnn.records.trials import compare

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'
NETWORKS = ('alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet')
# 每章的主要结果是哪一格：训练之后的曲线，没有训练的章是那张表或最后一个病人。
RESULTS_OF = dict.fromkeys(NETWORKS, 'train') | {
    'introduction': 'train', 'toolbox': 'train', 'clinic': 'again',
    'summary': 'votes', 'after_densenet': 'train',
}  # fmt: skip
QUESTION = re.compile(
    r'<!-- 活页：predict (.+) -->\n<details>\n<summary>先预测：(.+)</summary>\n\n'
    r'([\s\S]+?)\n\n</details>'
)


@dataclass(frozen=True)
class Question:
    """一道题；``options`` 是标记里的键与值，``reason`` 是揭晓的文字。"""

    page: str
    options: dict[str, str]
    reason: str

    @property
    def right(self) -> str:
        """选择题里对的选项，或滑块上真的数。"""
        answer, choices = self.options['answer'], self.options.get('choices')
        return choices.split('|')[int(answer) - 1] if choices else answer


@cache
def questions() -> dict[str, Question]:
    found = {}
    for path in chapter_files():
        page = path.relative_to(CHAPTERS).with_suffix('').as_posix()
        for text in page_text(page):
            if '活页：predict key=self-' in text:  # 自测，见 test_self_checks.py
                continue
            marks = QUESTION.findall(text)
            assert len(marks) == text.count('活页：predict'), text
            for marker, _, reason in marks:
                options = dict(pair.split('=', 1) for pair in shlex.split(marker))
                assert options['key'] not in found, options['key']
                found[options['key']] = Question(page, options, reason)
    return found


@cache
def page_text(page: str) -> list[str]:
    cells = nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == 'markdown']


def printed(page: str, pattern: str) -> float:
    """一页存下的输出里的一个数。"""
    cells = nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells
    outputs = [output for cell in cells for output in cell.get('outputs', ())]
    texts = [
        one.get('text') or one.get('data', {}).get('text/markdown', '')
        for one in outputs
    ]
    (number,) = re.findall(pattern, '\n'.join(texts), re.M)
    return float(number)


# ---- 由代码算 ----


@cache
def cost(network: str, **chosen: object) -> Cost:
    return cost_of(network, **chosen)


def share(first: Cost | LayerTable, second: Cost | LayerTable, what: str) -> float:
    """``first`` 的参数或乘加次数是 ``second`` 的几倍。"""
    tables = (getattr(one, 'parts', one) for one in (first, second))
    one, other = (getattr(table, what) for table in tables)
    return one / other


@cache
def layers(network: str, image_size: int = 224) -> LayerTable:
    builds = {'alexnet': alexnet, 'vgg': lambda: vgg('vgg11')}
    with torch.device('meta'):
        return layer_table(builds[network](), image_size, detail=True)


def largest_share(table: LayerTable) -> float:
    """参数最多的一层占几成；它应当是第一个全连接层。"""
    row = max(table.rows, key=lambda row: row.parameters)
    assert row.name.startswith('head.1')
    return row.parameters / table.parameters


def busiest_layer() -> str:
    names = {'stem.0.0': '第一个卷积层', 'stages.0.0.0': '第二个卷积层'}
    row = max(layers('alexnet').rows, key=lambda row: row.macs)
    return names[row.name.split('（')[0]]


def of_paper(build: Callable[..., torch.nn.Module], name: str) -> int:
    """论文的网络的参数：三通道，1000 类。"""
    with torch.device('meta'):
        return count_parameters(build(name, in_channels=3, num_classes=1000))


def vgg_field(name: str) -> int:
    """最后一块的感受野，逐层累加。"""
    side, spacing = 1, 1
    for count in NUM_CONVS[name]:
        side += (2 * count + 1) * spacing
        spacing *= 2
    return side


def field_of_line_3() -> int:
    steps = ((7, 2), (3, 2), (1, 1), (3, 1), (3, 2), (1, 1), (5, 1))
    windows = [Window(kernel, stride, 0) for kernel, stride in steps]
    return view_layers(224, windows)[-1].receptive_field


def ones_in_second_block() -> float:
    block = nin_block(96, 256, kernel_size=5, padding=2)
    return count_parameters(block[1:]) / count_parameters(block)


def heaviest_line() -> str:
    rows = cost('inception').parts.rows
    return f'线路 {max(range(4), key=lambda index: rows[index].parameters) + 1}'


def flattened_nin() -> int:
    """NiN 的前三个块，展平之后接三个全连接层。"""
    *blocks, _ = cost('nin').parts.rows
    sizes = (384 * 5 * 5, 4096, 4096, 10)
    dense = sum((one + 1) * other for one, other in pairwise(sizes))
    return sum(row.parameters for row in blocks) + dense


def channels_without_reduction() -> int:
    """3a 的输出通道，线路 4 只有池化，原样输出 192 个。"""
    c1, c2, c3, _ = INCEPTIONS['3a']
    return c1 + c2[1] + c3[1] + 192


def growth_doubled() -> float:
    with torch.device('meta'):
        usual, doubled = densenet(), densenet(growth_rate=64)
    return count_parameters(doubled) / count_parameters(usual)


def last_channels() -> int:
    channels = 64
    for _ in range(3):
        channels = (channels + 128) // 2
    return channels + 128


def bottleneck_saves() -> bool:
    plain, narrow = conv_block(216, 32), bottleneck_block(216, 32)
    assert count_parameters(narrow) < 1.1 * count_parameters(plain)
    return count_parameters(narrow) < count_parameters(plain)


def untrained_maps_follow_the_image() -> bool:
    """还没有训练的第一层（种子 0），有没有通道与缩小的输入很像。"""
    data = load_dataset()
    torch.manual_seed(0)
    net = alexnet(image_size=63).eval()
    X = prepare(data.test.images[:1], 63, data)
    with torch.no_grad():
        maps = net.stem(X)[0].flatten(1)
    small = torch.nn.functional.adaptive_avg_pool2d(X, 7).flatten()
    varied = maps[maps.std(dim=1) > 0]
    alike = [torch.corrcoef(torch.stack([one, small]))[0, 1] for one in varied]
    return max(map(abs, alike)) > 0.8


# ---- 由记录算 ----


def trial_gap(first: str, second: str, what: str) -> Interval:
    return compare(load_trial(first), load_trial(second), what)


def accuracy(trial: str) -> float:
    return 100 * mean(load_trial(trial).train_accuracy)


def beyond_doubt(
    found: Interval, first: str, second: str, unclear: str = '差不多'
) -> str:
    """高的一边；差别的 95% 区间含 0 就是 ``unclear``。"""
    if not found.clear:
        return unclear
    return first if found.mean > 0 else second


def introduction(first: str, second: str, images: int) -> Interval:
    record = read_json(RESULTS / 'introduction.json')
    which = record['recipe']['train_images'].index(images)
    scores = (record['test_accuracy'][name][which] for name in (first, second))
    return interval(*scores)


def what_more_images_add() -> float:
    """学得的特征：最多的图像比最少的高几个百分点。"""
    scores = read_json(RESULTS / 'introduction.json')['test_accuracy']['学得的特征']
    return 100 * (mean(scores[-1]) - mean(scores[0]))


def what_augmentation_gains_when_trained_longer() -> str:
    with_it, without = (
        load_trial(f'alexnet-small-{arm}').measure('test_accuracy')
        for arm in ('augmentation', 'neither')
    )
    found = interval(with_it, without)
    assert found.clear and 0 < found.mean < half_of_welch(with_it, without, 0.05 / 5)
    return '低的不见了，高不高说不准'


@cache
def own() -> dict:
    """「用自己的图片训练」的记录。"""
    return read_json(RESULTS / 'own_images.json')


def most_confused() -> str:
    names, counts = own()['classes'], torch.tensor(own()['confusion'])
    row, column = divmod(counts.fill_diagonal_(0).argmax().item(), len(names))
    return f'{names[row]}与 {names[column]}'


def timid_fine_tuning() -> str:
    found = own()['fine_tuning']['100']
    gap = interval(found['微调，主体慢十倍'], found['从头'])
    assert gap.clear and 4.5 < abs(100 * gap.mean) < 5.5
    return '高约五个百分点' if gap.mean > 0 else '低约五个百分点'


def fastest_of_the_six() -> str:
    cells = nbformat.read(CHAPTERS / 'own_images.ipynb', as_version=4).cells
    [text] = [
        cell.outputs[0].text for cell in cells if cell.metadata.get('name') == 'measure'
    ]
    rates = dict(re.findall(r'^(\w+) .*训练 (\d+) 张/秒', text, re.M))
    assert len(rates) == 6
    fastest = max(rates, key=lambda name: int(rates[name]))
    return {'nin': 'NiN', 'densenet': '参数最少的 DenseNet'}.get(fastest, fastest)


def colour_adds() -> float:
    with torch.device('meta'):
        grey, colour = (create('resnet18', channels, 10, 32) for channels in (1, 3))
    return 100 * (count_parameters(colour) / count_parameters(grey) - 1)


def start_of_twenty_layers() -> float:
    page = 'experiments/batch_normalization'
    first = printed(page, r'^\| 都没有 \| ([\d.]+) \| [\d.]+ \|$')
    return first / printed(page, r'^\| 都没有 \| [\d.]+ \| ([\d.]+) \|$')


def harmed_by_eight_times_the_rate() -> str:
    """学习率从 0.0005 到 0.004，哪一个网络的差别的区间整个在 0 以下。"""
    harmed = []
    for title, network in (('NiN', 'nin'), ('VGG', 'vgg11'), ('AlexNet', 'alexnet')):
        path = CHAPTERS.parent / 'results' / 'experiments' / f'rates-{network}.json'
        tried = load_attempts(path)
        large, small = (
            [one.accuracy for one in tried if one.recipe['lr'] == rate] for rate in (4e-3, 5e-4)
        )
        found = interval(large, small)
        harmed += [title] * (found.clear and found.mean < 0)
    [only] = harmed
    return only


# ---- 诊所：由存下的输出看病因 ----


def clinic(pattern: str) -> float:
    return printed('clinic', pattern)


def what_the_gradients_say() -> str:
    none = clinic(r'^权重全 0 \[([\d.]+),') == 0 < clinic(r'^随机 \[([\d.]+),')
    return '权重全是 0' if none else '学习率太小'


def what_is_left_after_the_flight() -> str:
    alive = clinic(r'不是 0 的数：病人 (\d+) 个')
    return '还在学' if alive else '坏得更彻底'


def missing_line() -> str:
    """梯度一次次加上去，补上那一行就不加。"""
    growing = clinic(r'^不清零 \[[\d.]+, ([\d.]+),')
    assert growing == 2 and clinic(r'清零 \[1.0, ([\d.]+), [\d.]+\]$') == 1
    return 'optimizer.zero_grad()'


def where_the_labels_went() -> str:
    labels = load_dataset().train.labels
    matching = (labels[1:2001] == labels[:2000]).double().mean()
    return '数据：图像与标签对不上' if matching < 0.2 else '数据：图像太少'


def how_the_answers_are_shifted() -> str:
    first = clinic(r'各自最常得到的答案： \[(\d),')
    return '两边的类别编号对不上' if first == 1 else '训练过了头'


def what_the_order_changes() -> str:
    sorted_ = clinic(r'^照原来的次序 \d+%，按类别排好 (\d+)%')
    mended = clinic(r'^照原来的次序 82.7%，按类别排好 ([\d.]+)%')
    assert mended - sorted_ > 20
    return '同一批图像的均值'


def what_the_sandals_show() -> str:
    alone = clinic(r'只送来 \d+ 张凉鞋 ([\d.]+)%')
    again = clinic(r'用训练集的统计，同样的凉鞋 ([\d.]+)%')
    return '用训练集的统计' if again > alone + 5 else '多送几张凉鞋'


def which_of_five_counts() -> str:
    ill, well = (
        clinic(rf'^测五次： {first}') for first in (r'(5\d\.\d)%、5', r'(8\d\.\d)%、8')
    )
    return '都不算' if well > ill + 20 else '五个的平均'


# ---- 小结与尾声 ----


def in_full(network: str) -> History:
    return load_history(f'full/{network}')


def parameters_at_full_size(network: str) -> int:
    with torch.device('meta'):
        return count_parameters(LINEUP[network].build(in_full(network).image_size))


def budget_accuracies() -> dict[str, list[float]]:
    return {TITLES[name]: one.accuracies for name, one in load_records().items()}


def better_than_the_residual_block() -> str:
    names = ('resnext', 'se', 'separable', 'vit', 'convnext')
    gaps = [trial_gap(f'after-{name}', 'after-residual', 'test_accuracy') for name in names]
    assert sum(gap.clear and gap.mean < 0 for gap in gaps) == 4
    return '一种也没有' if not any(gap.clear and gap.mean > 0 for gap in gaps) else '一种'


def against_the_best() -> str:
    votes = [printed('summary', rf'^种子 {seed}，六个网络一人一票：([\d.]+)%') for seed in range(3)]
    best = budget_accuracies()['ResNet-18']
    return '不如它准' if max(votes) < 100 * min(best) else '更准'


# 滑块：真的数。
NUMBERS: dict[str, Callable[[], float]] = {
    'alexnet-directions': lambda: printed('alexnet', r'^224 像素：121 个方向里的 (\d+) 个'),
    'alexnet-first-linear': lambda: 100 * largest_share(layers('alexnet')),
    'alexnet-small-input': lambda: (
        100 * share(cost('alexnet', image_size=63), cost('alexnet'), 'parameters')
    ),
    'alexnet-exercise': lambda: (
        100 * share(cost('alexnet', image_size=160), cost('alexnet'), 'macs')
    ),
    'vgg-exercise': lambda: 100 * 5 * 9 / 121,
    'introduction-grown': what_more_images_add,
    'after-resnext': lambda: 100 * (
        (2 * 256 * 128 + 9 * 4 * 128 + 2 * 512) / count_parameters(Bottleneck(256, 64)) - 1
    ),
    'after-separable': lambda: 100 * (1 / 256 + 1 / 9),
    'summary-parameters': lambda: (
        parameters_at_full_size('alexnet') / parameters_at_full_size('densenet')
    ),
    'summary-pairs': lambda: sum(one.clear for one in differences(budget_accuracies())),
    'nin-exercise': lambda: flattened_nin() / 1e6,
    'googlenet-exercise': channels_without_reduction,
    'densenet-exercise': growth_doubled,
    'vgg-seven': lambda: 100 * 3 * 9 / 49,
    'vgg-first-linear': lambda: 100 * largest_share(layers('vgg')),
    'vgg-deeper': lambda: 100 * of_paper(vgg, 'vgg19') / of_paper(vgg, 'vgg11') - 100,
    'vgg-field': lambda: vgg_field('vgg16'),
    'vgg-narrow': lambda: 100 * share(cost('vgg', width=0.25), cost('vgg'), 'parameters'),
    'vgg-first-loss': lambda: log(10),
    'nin-ones': lambda: 100 * ones_in_second_block(),
    'nin-vgg': lambda: share(cost('vgg'), cost('nin'), 'parameters'),
    'nin-macs': lambda: 100 * share(cost('nin'), cost('alexnet'), 'macs'),
    'nin-silent': lambda: printed('nin', r'He +恒为 0 的类别数：.*平均 ([\d.]+)'),
    'nin-half-width': lambda: 100 * share(cost('nin', width=0.5), cost('nin'), 'parameters'),
    'googlenet-unreduced': lambda: (
        share(cost('inception', reduce5=192), cost('inception'), 'macs')
    ),
    'googlenet-resnet': lambda: (
        100 - 100 * published('GoogLeNet')[2] / published('ResNet18')[2]
    ),
    'googlenet-field': field_of_line_3,
    'resnet-deepest': lambda: of_paper(resnet, 'resnet152') / of_paper(resnet, 'resnet18'),
    'resnet-last-stage': lambda: (
        100 * cost('resnet').parts.rows[4].parameters / cost('resnet').parts.parameters
    ),
    'resnet-activations': lambda: (
        cost('resnet', depth='resnet50').activations / cost('resnet').activations
    ),
    'densenet-macs': lambda: share(cost('resnet'), cost('densenet'), 'macs'),
    'densenet-half-growth': lambda: (
        100 * share(cost('densenet', growth_rate=16), cost('densenet'), 'parameters')
    ),
    'densenet-erase': lambda: 100 * (
        printed('densenet', r'^不动：([\d.]+)') - printed('densenet', r'^抹去卷积 4：([\d.]+)')
    ),
    'introduction-many': lambda: (
        100 * introduction('学得的特征', '手工特征', 60_000).mean
    ),
    'toolbox-five-layers': lambda: view_layers(13, [Window(3, 1, 0)] * 5)[-1].size,
    'toolbox-first-linear': lambda: (
        100 * 120 * 401 / (6 * 26 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85)
    ),
    'activation-saturated': lambda: (
        printed('experiments/activation', r'\| He × 8 \| [\d.]+ \| ([\d.]+)% \|')
    ),
    'degradation-residual': lambda: accuracy('residual-56'),
    'own-colour': colour_adds,
    'own-side': lambda: own()['by_side']['32'] / own()['by_side']['224'],
    'normalization-gain': lambda: (
        100 * trial_gap('twenty-normalized', 'twenty-neither', 'train_accuracy').mean
    ),
}  # fmt: skip

# 选择题：对的选项里应当有的字。
CHOICES: dict[str, Callable[[], str]] = {
    'alexnet-seven-sigmoids': lambda: '不到万分之一' if 0.25**7 < 1e-4 else '约千分之一',
    'alexnet-busiest': busiest_layer,
    'alexnet-untrained': lambda: (
        '看得出靴子' if untrained_maps_follow_the_image() else '一片噪声'
    ),
    'nin-many-ones': lambda: f'{view_layers(9, [Window(1, 1, 0)] * 6)[-1].receptive_field} 个像素',
    'googlenet-heaviest-line': heaviest_line,
    'googlenet-larger-input': lambda: '参数不变，乘加是 {:.1f} 倍'.format(
        share(cost('googlenet', image_size=224), cost('googlenet'), 'macs')
    ),
    'googlenet-macs': lambda: (
        '多出四成'
        if round(share(cost('googlenet', image_size=224), cost('alexnet'), 'macs'), 1) == 1.4
        else '差不多'
    ),
    'resnet-plain': lambda: '降低，到八成以下' if 70 < accuracy('plain-56') < 80 else '差不多',
    'resnet-bottleneck': lambda: (
        '差不多，略少'
        if 0.9 < count_parameters(Bottleneck(256, 64)) / count_parameters(ResidualBlock(64, 64)) < 1
        else '倍'
    ),
    'densenet-channels': lambda: f'{last_channels()} 个',
    'densenet-bottleneck': lambda: '少一' if bottleneck_saves() else '反而多一点',
    'densenet-most': lambda: 'DenseNet-' + max(
        ('161', '169', '201'), key=lambda name: of_paper(paper_densenet, f'densenet{name}')
    ),
    'introduction-hog': lambda: beyond_doubt(
        introduction('手工特征', '原始像素', 60_000), '手工特征', '原始像素'
    ),
    'introduction-few': lambda: beyond_doubt(
        introduction('学得的特征', '手工特征', 300),
        '学得的特征', '手工特征', '五个种子还说不准',
    ),
    'clinic-flatten': lambda: str(16 * 14 * 14),
    'clinic-stuck': what_the_gradients_say,
    'clinic-rate': what_is_left_after_the_flight,
    'clinic-accumulated': missing_line,
    'clinic-softmax': lambda: f'不能，最低约 {-log(e / (e + 9)):.3f}',
    'clinic-shifted': where_the_labels_went,
    'clinic-numbered': how_the_answers_are_shifted,
    'clinic-modes': what_the_order_changes,
    'clinic-statistics': what_the_sandals_show,
    'clinic-augmented': which_of_five_counts,
    'after-vit': lambda: f'{(2 * 2) ** 2} 倍',
    'after-better': better_than_the_residual_block,
    'summary-best': lambda: TITLES[max(LINEUP, key=lambda n: in_full(n).test_accuracy)],
    'summary-unsteady': lambda: max(
        (title for title in budget_accuracies()),
        key=lambda title: spread(budget_accuracies()[title]).sd,
    ).split('（')[0],
    'summary-votes': against_the_best,
    'toolbox-first-loss': lambda: f'约 {log(10):.1f}',
    'toolbox-twenty-layers': lambda: (
        '不到一百亿分之一' if (256 * 0.01**2 / 2) ** (20 / 2) < 1e-10 else '约百万分之一'
    ),
    'regularization-longer': what_augmentation_gains_when_trained_longer,
    'add-accuracy': lambda: beyond_doubt(
        trial_gap('densenet-concatenate', 'densenet-add-parameters', 'test_accuracy'),
        '连结', '相加', '五个种子说不准',
    ),
    'own-confused': most_confused,
    'own-timid': timid_fine_tuning,
    'own-fastest': fastest_of_the_six,
    'rates-eightfold': harmed_by_eight_times_the_rate,
    'normalization-start': lambda: (
        '四十几分之一' if 40 < start_of_twenty_layers() < 50 else '约四分之一'
    ),
}  # fmt: skip


def test_every_question_has_a_computed_answer() -> None:
    assert set(questions()) == NUMBERS.keys() | CHOICES.keys()
    sliders = {key for key, one in questions().items() if 'low' in one.options}
    assert sliders == set(NUMBERS)


@pytest.mark.parametrize('key', NUMBERS)
def test_the_number_is_the_computed_one(key: str) -> None:
    question = questions()[key]
    answer = question.right
    digits = len(answer.partition('.')[2])
    assert f'{NUMBERS[key]():.{digits}f}' == answer
    told = re.search(rf'(?<![\d.,]){re.escape(answer)}(?!\d|[.,]\d)', question.reason)
    assert told or f'{answer}.0' in question.reason


@pytest.mark.parametrize('key', CHOICES)
def test_the_right_choice_is_the_computed_one(key: str) -> None:
    question, wanted = questions()[key], CHOICES[key]()
    choices = question.options['choices'].split('|')
    assert [one for one in choices if one.startswith(wanted)] == [question.right]


@pytest.mark.parametrize('key', questions())
def test_marker_is_complete(key: str) -> None:
    options = questions()[key].options
    if 'choices' in options:
        choices = options['choices'].split('|')
        assert len(set(choices)) == 3 and options['answer'] in ('1', '2', '3')
        assert options.keys() == {'key', 'choices', 'answer'}
    else:
        low, answer, high = (float(options[name]) for name in ('low', 'answer', 'high'))
        assert low <= answer <= high and low < high
        assert low > 0 or 'scale' not in options
        assert options.keys() <= {
            'key',
            'answer',
            'low',
            'high',
            'unit',
            'step',
            'scale',
        }


@pytest.mark.parametrize('page', RESULTS_OF)
def test_every_chapter_asks_at_least_four_before_its_main_result(page: str) -> None:
    cells = nbformat.read(CHAPTERS / f'{page}.ipynb', as_version=4).cells
    names = [cell.metadata.get('name') for cell in cells]
    before = cells[: names.index(RESULTS_OF[page])]
    asked = [cell.source.count('<summary>先预测：') for cell in before]
    assert sum(asked) >= 4


def test_right_choices_are_not_all_in_one_place() -> None:
    chosen = [one.options for one in questions().values() if 'choices' in one.options]
    places = Counter(options['answer'] for options in chosen)
    assert max(places.values()) < 0.6 * sum(places.values()), places
