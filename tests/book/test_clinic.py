"""训练诊所与尾声：正文说的数就是存下的输出；病人有病因也有断言；每个块不超过十二行。"""

import ast
import re
from itertools import pairwise
from pathlib import Path
from statistics import mean

import nbformat
import pytest
from book_source import read_page
from nbformat import NotebookNode
from test_printed_numbers import prose_of

from deepcnn.data.fashion_mnist import load_dataset

CHAPTERS = Path(__file__).resolve().parents[2] / 'chapters'


def code_of(chapter: str) -> list[NotebookNode]:
    cells = nbformat.read(CHAPTERS / f'{chapter}.ipynb', as_version=4).cells
    return [cell for cell in cells if cell.cell_type == 'code']


def printed(name: str) -> str:
    """诊所里名叫 ``name`` 的单元印出的文字。"""
    [cell] = [c for c in code_of('clinic') if c.metadata.get('name') == name]
    return ''.join(output.text for output in cell.outputs)


# 单元 → （输出里的数，正文怎样说）
TOLD = {
    'healthy': (r'损失 (\S+) .*→ (\S+)\n.*测试准确率 (\d+%)', '从 {} 降到 {}，测试准确率 {}'),
    'batch': (r'损失 (\S+)，准确率 100%', '损失只剩 {}，32 张全对'),
    'stuck': (r'→ (\S+)\n测试准确率 (\d+%)', '损失是 {}，准确率 {}'),
    'rate': (r'最后一步 (\S+)，', '最后却回到 {}'),
    'accumulated': (r'前十步最低 (\S+)；.*→ (\S+)\n', '降到过 {}，150 步时却有 {}'),
    'softmax': (r'→ (\S+)\n训练准确率 (\d+%)', '训练准确率有 {1}，可见在学；损失却还有 {0}'),
    'shifted': (
        r'损失 (\S+) .*→ (\S+)\n.*\n测试准确率 (\d+%)',
        '损失只从 {} 降到 {}，测试准确率 {}',
    ),
    'numbered': (r'测试准确率 (\S+%)', '它却只有 {}'),
    'modes': (r'次序 (\d+%)，按类别排好 (\d+%)', '从 {} 落到 {}'),
    'proper': (r'凉鞋 (\S+%)', '同样的凉鞋再测一次，得 {}'),
    'statistics': (r'图像 (\S+%)；.* (\S+%)\n', '有 {}，没有异样；只送来凉鞋时是 {}'),
}  # fmt: skip


@pytest.mark.parametrize('cell', TOLD)
def test_the_symptom_is_told_as_printed(cell: str) -> None:
    pattern, phrase = TOLD[cell]
    found = re.search(pattern, printed(cell))
    assert found, printed(cell)
    assert phrase.format(*found.groups()) in read_page(CHAPTERS / 'clinic.ipynb')


def test_the_loss_that_flew_away_has_the_digits_told() -> None:
    losses = re.search(r'前六步的损失：(.*)\n', printed('rate'))[1].split('、')
    text = read_page(CHAPTERS / 'clinic.ipynb')
    digits = len(str(int(float(losses[5]))))
    healthy = re.search(r'→ (\S+)\n', printed('healthy'))[1]
    assert f'第六步的损失有 {digits} 位数' in text
    raw = nbformat.read(CHAPTERS / 'clinic.ipynb', as_version=4).cells
    caption = f'冲过 $10^{{{digits - 1}}}$，0.05 的一条降到 {healthy}。'
    assert any(caption in cell.source for cell in raw)


def test_other_numbers_are_told_as_printed() -> None:
    text = prose_of('clinic')
    healthy = re.search(r'→ (\S+)\n', printed('healthy'))[1]
    assert f'健康的网络此时是 {healthy}' in text
    flown = re.search(r'最后一步 (\S+)，', printed('rate'))[1]
    alone = re.search(r'凉鞋 (\S+%)', printed('statistics'))[1]
    few = re.search(r'测试准确率 (\S+%)', printed('numbered'))[1]
    for told in (
        f'损失回到 {flown}，',
        f'怎样知道这 {alone} 是',
        f'准确率只有 {few}。',
    ):
        assert told in text
    swinging = [float(one) for one in re.findall(r'→ (\S+)', printed('accumulated'))]
    assert swinging == sorted(swinging) and swinging[-1] > 50  # 第 30、60、…… 步
    assert '60 步之后损失忽上忽下，还是升到 50 以上' in text
    whole = re.search(r'图像 (\S+%)', printed('statistics'))[1]
    five = [float(one) for one in re.findall(r'([\d.]+)%', printed('augmented'))]
    assert len(five) == 5 and {whole} == {*re.findall(r'[\d.]+%', printed('again'))}
    assert f'健康的网络有 {whole}，这里五次都在 {mean(five):.0f}% 上下' in text
    assert max(abs(one - mean(five)) for one in five) < 2.5


def test_images_and_labels_are_told_as_they_are() -> None:
    text, data = prose_of('clinic'), load_dataset()
    gap = abs(data.test.images[:1000].double().mean().item() / 255 - data.mean[0])
    assert f'训练集的均值是 {data.mean[0]:.3f}，这 1,000 张的只差 {gap:.3f}' in text
    labels = [data.class_names[label] for label in data.train.labels[:6]]
    wrong = [(own, said) for own, said in pairwise(labels) if own != said]
    assert len(wrong) == 4 and '五张里有四张对不上' in text
    assert {('短靴', 'T恤'), ('连衣裙', 'T恤')} <= {*wrong}
    assert '一眼看得出的是短靴和连衣裙，都写成了 T恤' in text


def test_each_check_catches_as_many_as_told() -> None:
    """第一项抓到四个，加上自己会喊的病人一；其余五个由另外两项抓到。"""
    text = prose_of('clinic')
    tables = [
        output.data['text/markdown']
        for cell in code_of('clinic')
        for output in cell.outputs
        if '抓到' in output.get('data', {}).get('text/markdown', '')
    ]
    first, second = (table.count('**抓到**') for table in tables)
    assert (first + 1, second + 1) == (5, 5)
    assert '十个里抓得到四个，另有一个自己会报错' in text and '其余五个由它们抓到' in text
    assert all('| 标签错开一行 | 合格 |' in table for table in tables)


def test_every_patient_is_ill_told_and_mended() -> None:
    """十个病人，每个先请读者猜，再有一段病因，之后有断言。"""
    text = read_page(CHAPTERS / 'clinic.ipynb')
    cases = re.split(r'^### 病人', text, flags=re.M)[1:]
    assert [case[0] for case in cases] == list('一二三四五六七八九十')
    for case in cases:
        _, cause, mended = re.split(
            ':::{dropdown} 先预测：|^:::$', case, maxsplit=2, flags=re.M
        )
        assert cause.strip(), case[:20]
        assert 'assert ' in mended.partition('\n## ')[0], case[:20]


def code_lines(source: str) -> int:
    """一个单元里有几行代码：空行与文档字符串不算。"""
    tree = ast.parse(source)
    quoted = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(line.strip()) and number not in quoted for number, line in lines)


def test_every_block_of_the_epilogue_is_short() -> None:
    sources = [cell.source for cell in code_of('after_densenet')]
    blocks = [s for s in sources if re.search(r'^class |^def separable', s, re.M)]
    assert len(blocks) == 6  # 五种块，加上 ViT 的位置
    assert max(map(code_lines, blocks)) <= 12
