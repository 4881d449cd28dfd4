"""训练诊所与尾声：正文说的数就是存下的输出；病人有病因也有断言；每个块不超过十二行。"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from book_source import read_page
from nbformat import NotebookNode

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
