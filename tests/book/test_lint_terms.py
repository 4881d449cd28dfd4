"""用语检查：每条规则都会命中，代码、公式、链接与文献不是文字，全书已经干净。"""

import re
from pathlib import Path

import lint_terms
import nbformat
import prose
import pytest
from book_source import chapter_files
from glossary_terms import all_terms

ROOT = Path(__file__).resolve().parents[2]


def faults(source: str) -> list[str]:
    """一页 Markdown 里的问题。"""
    return lint_terms.lint(list(prose.read_markdown(source, 'page.md')))


def rule_faults(rule: lint_terms.Rule, source: str) -> list[str]:
    passages = prose.read_markdown(source, 'page.md')
    return [found for p in passages for _, found, _ in rule.faults(p.text)]


EXAMPLES = [rule for rule in lint_terms.rules() if rule.hits]


@pytest.mark.parametrize('rule', EXAMPLES, ids=lambda rule: rule.wrong.pattern)
def test_every_rule_hits_and_spares_its_examples(rule: lint_terms.Rule) -> None:
    assert rule.misses
    assert [text for text in rule.hits if not rule_faults(rule, text)] == []
    assert [text for text in rule.misses if rule_faults(rule, text)] == []


NAMES = [rule.right for rule in lint_terms.rules() if not rule.hits]


@pytest.mark.parametrize('name', NAMES)
def test_every_name_has_one_spelling(name: str) -> None:
    (line,) = faults(f'用 {name.swapcase()} 来试。')
    assert line.endswith(f'应写作「{name}」')


@pytest.mark.parametrize(
    ('wrong', 'right'),
    [
        ('Alexnet', 'AlexNet'),
        ('GoogleNet', 'GoogLeNet'),
        ('Googlenet', 'GoogLeNet'),
        ('Densenet-121', 'DenseNet'),
        ('Resnet', 'ResNet'),
        ('Nin', 'NiN'),
        ('relu', 'ReLU'),
        ('Pytorch', 'PyTorch'),
        ('gpu', 'GPU'),
        ('Fashion-Mnist', 'Fashion-MNIST'),
    ],
)
def test_usual_misspellings_of_names_hit(wrong: str, right: str) -> None:
    (line,) = faults(f'用 {wrong} 来试。')
    assert line.endswith(f'应写作「{right}」')


@pytest.mark.parametrize(
    'text',
    [
        'training 里没有别的词',
        'cuda-convnet 是当年的代码',
        '`relu`、`alexnet.py` 是代码',
        '文件 alexnet.ipynb',
        'PyTorch、torchvision 与 scikit-learn',
        'VGG-11、ResNet-18、NiN',
        '[网页](https://example.org/pytorch/googlenet)',
        '<https://example.org/pytorch>',
    ],
)
def test_other_words_and_addresses_are_left_alone(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    'source',
    [
        '代码 `1x1, 批量规范化` 之后。',
        '公式 $1x1 * Alexnet$ 之后。',
        '文献 [[Alexnet 等，2012]](https://doi.org/10.1/x)之后。',
        '[Alexnet 等（2012）](https://doi.org/10.1/x) 之后。',
        '```python\n# 批量规范化,Alexnet\n```',
        '$$\n批量规范化,Alexnet\n\\tag{7.1}\n$$',
        '<a id="sec-x"></a>\n## 参考文献\n\n- Alexnet,批量规范化',
        '<!-- 网站：include ../Alexnet.md\n-->\n*（更新记录。）*',
        '<!-- 批量规范化,Alexnet -->',
        '<a id="sec-Alexnet"></a>\n# 标题',
        '见[小结](x.ipynb#sec-Alexnet)与 [图 7.1](#fig-1x1)。',
    ],
)
def test_what_is_not_prose_is_not_read(source: str) -> None:
    assert faults(source) == []


@pytest.mark.parametrize(
    'source',
    [
        '# 批量规范化',
        '- 批量规范化',
        '> 批量规范化',
        '**批量规范化**',
        '[批量规范化](https://example.org/)',
        '见[批量规范化](#sec-x)。',
        '[我们（批量规范化，2012）](#sec-x)',
        '|甲|\n|---|\n|批量规范化|',
        '> **批量规范化**\n>\n> 正文',
        '> **题**\n>\n> 批量规范化',
        '<a id="fig-x"></a><!-- img/x.svg -->\n<img alt="批量规范化" src="x">\n\n图题',
        '<a id="fig-x"></a>**图 7.1**　批量规范化',
        '<details>\n<summary>批量规范化</summary>\n\n正文\n\n</details>',
        '1. 一\n\n   <details>\n   <summary>提示</summary>\n\n   批量规范化\n\n   </details>',
    ],
)
def test_prose_is_read_wherever_it_stands(source: str) -> None:
    assert len(faults(source)) == 1
    assert '「批量规范化」应写作「批量归一化」' in faults(source)[0]


@pytest.mark.parametrize(
    ('name', 'term'), [(name, term) for term in all_terms() for name in term.banned]
)
def test_other_names_are_only_for_the_first_note(
    name: str, term: lint_terms.Term
) -> None:
    said = f'「{name}」应写作「{term.term}」'
    note = f'{term.term}（{name}）'
    assert any(said in line for line in faults(f'先看 {name}。'))
    assert faults(note) == []
    assert faults(f'{term.term}（{name}，{term.english[0]}）') == []
    assert any('前面已经注明过' in line for line in faults(f'{note}\n\n{note}'))


def test_a_note_stands_right_behind_its_own_term() -> None:
    assert faults('最大池化层（最大汇聚层，max pooling layer）') == []
    assert len(faults('池化要选窗口（步长也要选）')) == 1
    assert len(faults('填充（步长，stride）')) == 1
    assert len(faults('步幅（stride）就是步长')) == 1


def test_a_longer_term_does_not_contain_a_forbidden_one() -> None:
    assert faults('超参数、最大池化、批量归一化') == []
    assert len(faults('调超参')) == 1


def test_a_fault_names_the_file_the_line_and_the_wanted() -> None:
    source = '# 题\n\n第一段。\n\n用 Alexnet 来试。'
    assert faults(source) == ['page.md 第 5 行：「Alexnet」应写作「AlexNet」']


def test_a_fault_in_a_notebook_names_the_cell_and_the_line() -> None:
    notebook = prose.read_notebook(
        '{"cells": [{"cell_type": "code", "source": ["x = 1"]},'
        ' {"cell_type": "markdown", "source": ["> **题**\\n", ">\\n", "> 看 Alexnet。"]}]}',
        'chapters/x.ipynb',
    )
    assert lint_terms.lint(list(notebook)) == [
        'chapters/x.ipynb 第 2 个单元第 3 行：「Alexnet」应写作「AlexNet」'
    ]


# ---- 包里的注释与文档字符串 ----


def test_comments_and_docstrings_of_python_are_prose() -> None:
    source = (
        '"""先卷积,再池化。"""\n'
        'x = "先卷积,再池化"  # 批量规范化\n'
        'def f():\n    """``先卷积,再池化`` 与 :func:`Alexnet`。"""\n'
    )
    lines = lint_terms.lint(list(prose.read_python(source, 'a.py')))
    assert [line.split('：')[0] for line in lines] == ['a.py 第 1 行', 'a.py 第 2 行']


def test_comments_of_code_cells_use_the_terms_of_the_book() -> None:
    notebook = prose.read_notebook(
        '{"cells": [{"cell_type": "code", "source":'
        ' ["# (样本, 通道)\\n", "x = 1  # 滤波器"]}]}',
        'chapters/x.ipynb',
    )
    assert lint_terms.lint(list(notebook)) == [
        'chapters/x.ipynb 第 1 个单元第 2 行：「滤波器」应写作「卷积核」'
    ]


# ---- 命令与全书 ----


def test_the_command_fails_with_one_line_per_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint_terms, 'ROOT', tmp_path)
    bad = tmp_path / 'bad.md'
    bad.write_text('用Alexnet\n\n先卷积,再池化\n', encoding='utf-8')
    good = tmp_path / 'good.md'
    good.write_text('用 AlexNet，先卷积，再池化。\n', encoding='utf-8')
    assert lint_terms.main([str(good)]) == 0
    assert capsys.readouterr().out == ''
    assert lint_terms.main([str(bad)]) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert '共 3 处' in printed.err
    assert lint_terms.main([str(tmp_path / 'none.md')]) == 2
    assert 'none.md' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('name', 'text', 'said'),
    [
        ('Makefile', 'all:', '只查 .ipynb、.md、.py'),
        ('nin.ipynb', '<<<<<<< HEAD', 'nin.ipynb 读不懂'),
        ('nin.ipynb', '{}', 'nin.ipynb 读不懂'),
        ('nin.py', 'def', 'nin.py 读不懂'),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    name: str,
    text: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lint_terms, 'ROOT', tmp_path)
    (tmp_path / name).write_text(text, encoding='utf-8')
    assert lint_terms.main([str(tmp_path / name)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


def test_the_files_of_the_book_are_all_read() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in lint_terms.book_files()}
    assert {
        'index.md',
        'README.md',
        'docs/decisions.md',
        'chapters/alexnet.ipynb',
        'chapters/exercises.md',
        'chapters/exercises/memory.ipynb',
        'deepcnn/training/loop.py',
    } <= names
    assert not any(name.startswith('deepcnn/models/') for name in names)


@pytest.mark.parametrize(
    'path', lint_terms.book_files(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_book_is_consistent(path: Path) -> None:
    assert lint_terms.lint_file(path) == []


def test_the_glossary_is_consistent() -> None:
    passages = lint_terms.glossary_passages()
    assert len(passages) == len(all_terms())
    assert lint_terms.lint(passages) == []


# 引文放在论断的末尾，不插在中间；书名后面的除外。
INSIDE = re.compile(r'(?<!》)(?:\[\[[^\]]+\]\]\([^)\s]+\))+ ?[一-鿿A-Za-z]')


def test_no_claim_is_broken_by_a_citation() -> None:
    assert INSIDE.search('ResNet [[甲，2016]](https://a.b) 的残差块')
    assert not INSIDE.search('《某书》[[甲，2016]](https://a.b) 的读者')
    assert not INSIDE.search('残差块 [[甲，2016]](https://a.b)，见下')
    for path in chapter_files():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == 'markdown':
                lines = cell.source.splitlines()
                told = [one for one in lines if not one.startswith(('|', '<'))]
                assert not INSIDE.search('\n'.join(told)), (path.name, cell.id)
