"""对 chapters/ 里全部笔记本的严格规定。

nbval 逐格重跑笔记本并比较输出；它管不到的规矩在这里检查。
单元用 ``metadata.name`` 起名。输出每次都会变的单元带 ``nbval-ignore-output``
标签，并且要列在下面的 WHITELIST 里：别的单元必须逐字重现。
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from statistics import median

import nbformat
import pytest
import yaml
from book_contents import exporting_chapters
from book_source import chapter_files
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from deepcnn.models.lineup import LINEUP

ROOT = Path(__file__).resolve().parents[2]

CHAPTERS = ROOT / 'chapters'
HAN = re.compile('[\u4e00-\u9fff]')

# 每个笔记本里都可以有的：印出设备、档位与用时。
EVERYWHERE = {'announce'}
# {章: 另外允许不比较输出的单元名}；没有列出的章一个也没有。训练结果随档位和设备而变，
# 其余应当可重现。章名是相对 chapters/ 的路径，不带扩展名。
NETWORK_CELLS = {'profile', 'data', 'train', 'results', 'compare'}
WHITELIST = {
    'introduction': {'settings', 'train', 'verdict'},
    'toolbox': {'profile', 'data', 'train', 'compare'},
    'clinic': {
        'accumulated', 'again', 'alive', 'augmented', 'batch', 'evaluated', 'healthy',
        'modes', 'numbered', 'proper', 'rate', 'shifted', 'softmax', 'statistics',
        'stuck',
    },
    'alexnet': NETWORK_CELLS,
    'vgg': NETWORK_CELLS,
    'nin': NETWORK_CELLS | {'curve'},
    'googlenet': NETWORK_CELLS,
    'resnet': NETWORK_CELLS | {'curve'},
    'densenet': NETWORK_CELLS | {'curve', 'regress'},
    'after_densenet': {'train', 'profile', 'results', 'compare', 'dots'},
    'summary': {'data'},
    'exercises/tuning': {
        'data', 'profile', 'search', 'effect', 'finalists', 'results', 'winner',
        'test',
    },
    'exercises/nin_without_1x1': {
        'profile', 'train', 'results', 'flat', 'compare', 'loss', 'start',
    },
    'exercises/inception_successors': {
        'profile', 'train', 'results', 'flat', 'compare', 'loss',
    },
    'exercises/fewer_parameters': {'train', 'flat', 'equal', 'verdict'},
    'exercises/memory': {'time', 'cuda'},
    'experiments/activation': {
        'data', 'gradients', 'saturation', 'units', 'train', 'profile', 'results',
        'compare', 'after', 'time', 'flat', 'test-intervals', 'speed',
    },
    'experiments/regularization': {
        'train', 'profile', 'results-short', 'accuracy-short', 'results', 'accuracy',
        'compare', 'results-large', 'accuracy-large', 'compare-large', 'speed',
    },
    'experiments/degradation': {
        'train', 'profile', 'flat', 'results', 'compare', 'kept', 'times',
    },
    'experiments/add_or_concatenate': {
        'train', 'profile', 'flat', 'results', 'compare', 'loss',
    },
    'experiments/batch_normalization': {
        'train', 'profile', 'flat', 'results', 'compare', 'accuracy',
    },
    'experiments/ladder': {'train', 'profile', 'flat', 'results', 'compare'},
    'experiments/learning_rates': {
        'data', 'train', 'results', 'compare', 'late-results', 'late-compare',
    },
    'own_images': {
        'confused', 'counts', 'decoding', 'measure', 'plan', 'predict', 'pretrain',
        'processes', 'sides', 'three-lines', 'train', 'tune', 'tuned',
    },
}  # fmt: skip
UNCOMPARED = 'nbval-ignore-output'
KNOWN_TAGS = {
    UNCOMPARED,
    'export',
    'train',
    'check',
    'sortable',  # 表格可以点表头排序（site/extensions/book_pages/sortable_tables.py）
    'hide-input',
    'hide-output',
    'remove-cell',
}

MAX_BYTES = 1_500_000
MAX_CELL_LINES = 30
MAX_MEDIAN_LINES = 8

ABSOLUTE_PATH = re.compile(
    r'(?<![\w.:/])/(?:home|root|Users|tmp|opt|usr|var|mnt|work|private|content)/'
    r'|(?<!\w)[A-Za-z]:\\\w'
)
MEMORY_ADDRESS = re.compile(r'\b0x[0-9a-fA-F]{6,}\b')
PACKAGE_REGISTRY = re.compile(
    r'https?://\S*(?:pypi|pythonhosted|/simple\b|/whl\b|conda)'
)


def chapter_name(path: Path) -> str:
    """相对 chapters/ 的路径，不带扩展名：``nin``、``exercises/memory``。"""
    return path.relative_to(CHAPTERS).with_suffix('').as_posix()


NOTEBOOKS = chapter_files('.ipynb')
every_notebook = pytest.mark.parametrize('path', NOTEBOOKS, ids=chapter_name)
every_text = pytest.mark.parametrize(
    'path',
    [ROOT / 'index.md', *chapter_files('.md'), *NOTEBOOKS],
    ids=lambda path: path.relative_to(ROOT).with_suffix('').as_posix(),
)


@cache
def read_notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in read_notebook(path).cells if cell.cell_type == 'code']


def markdown_sources(path: Path) -> list[str]:
    """一个 .md 文件，或一个笔记本的各个文字单元。"""
    if path.suffix == '.md':
        return [path.read_text(encoding='utf-8')]
    cells = read_notebook(path).cells
    return [cell.source for cell in cells if cell.cell_type == 'markdown']


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get('tags', ()))


def where(cell: NotebookNode) -> str:
    """出错时指明单元：名字（如果有）和第一行。"""
    first_line = cell.source.strip().split('\n', 1)[0]
    return f'[{cell.metadata.get("name", "未命名")}] {first_line}'


def line_count(cell: NotebookNode) -> int:
    return len(cell.source.strip().splitlines())


def has_image(cell: NotebookNode) -> bool:
    return any(
        kind.startswith('image/')
        for output in cell.outputs
        for kind in output.get('data', {})
    )


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """单元输出里的全部文字；图片不算。"""
    for output in cell.outputs:
        if output.output_type == 'stream':
            yield output.text
        for kind, value in output.get('data', {}).items():
            if not kind.startswith('image/'):
                yield value if isinstance(value, str) else str(value)


def chapters_of_the_contents() -> set[str]:
    toc = yaml.safe_load((ROOT / '_toc.yml').read_text(encoding='utf-8'))
    chapters = [chapter for part in toc['parts'] for chapter in part['chapters']]
    sections = [s for chapter in chapters for s in chapter.get('sections', ())]
    return {
        Path(entry['file']).relative_to(CHAPTERS.name).as_posix()
        for entry in (*chapters, *sections)
    }


def test_contents_and_folder_agree() -> None:
    files = {chapter_name(path) for path in (*NOTEBOOKS, *chapter_files('.md'))}
    assert files == chapters_of_the_contents()
    assert set(WHITELIST) <= set(map(chapter_name, NOTEBOOKS))


@every_notebook
def test_notebook_is_valid_and_small(path: Path) -> None:
    nbformat.validate(read_notebook(path))
    assert path.stat().st_size < MAX_BYTES


@every_notebook
def test_kernel_is_the_plain_python_kernel(path: Path) -> None:
    assert read_notebook(path).metadata.kernelspec.name == 'python3'


@every_notebook
def test_every_code_cell_carries_its_count(path: Path) -> None:
    cells = code_cells(path)
    assert cells
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1))


@every_notebook
def test_no_cell_stores_an_error(path: Path) -> None:
    failed = [
        where(cell)
        for cell in code_cells(path)
        if any(output.output_type == 'error' for output in cell.outputs)
    ]
    assert not failed


@every_notebook
def test_no_cell_stores_stderr(path: Path) -> None:
    """警告要消除，不要留给读者；进度条只在不比较的单元里允许。"""
    noisy = [
        where(cell)
        for cell in code_cells(path)
        if any(output.get('name') == 'stderr' for output in cell.outputs)
        and UNCOMPARED not in tags(cell)
    ]
    assert not noisy


@every_notebook
@pytest.mark.parametrize(
    'pattern',
    [ABSOLUTE_PATH, PACKAGE_REGISTRY],
    ids=['absolute path', 'package registry'],
)
def test_nothing_points_at_one_machine_or_registry(
    path: Path, pattern: re.Pattern[str]
) -> None:
    found = []
    for cell in read_notebook(path).cells:
        texts = [cell.source]
        if cell.cell_type == 'code':
            texts += output_texts(cell)
        found += [match.group() for text in texts for match in pattern.finditer(text)]
    assert not found


@every_notebook
def test_outputs_show_no_memory_address(path: Path) -> None:
    found = [
        where(cell)
        for cell in code_cells(path)
        if any(MEMORY_ADDRESS.search(text) for text in output_texts(cell))
    ]
    assert not found


@every_notebook
def test_volatile_metadata_is_removed(path: Path) -> None:
    notebook = read_notebook(path)
    assert 'widgets' not in notebook.metadata
    timed = [where(cell) for cell in notebook.cells if 'execution' in cell.metadata]
    assert not timed


@every_notebook
def test_interactive_cells_store_a_picture_and_no_widget(path: Path) -> None:
    """没有内核时控件只是一个空框；explore_* 的输出因此只存图。"""
    for cell in code_cells(path):
        kinds = {kind for output in cell.outputs for kind in output.get('data', {})}
        assert not any('widget' in kind for kind in kinds), where(cell)
        if re.search(r'^explore_\w+\(', cell.source, re.MULTILINE):
            drawn = kinds - {'image/svg+xml'}
            assert drawn == {'text/plain', 'image/png'}, where(cell)


@every_notebook
def test_code_cells_are_short(path: Path) -> None:
    cells = code_cells(path)
    long = [where(cell) for cell in cells if line_count(cell) > MAX_CELL_LINES]
    assert not long
    assert median(line_count(cell) for cell in cells) <= MAX_MEDIAN_LINES


@every_notebook
def test_tags_and_names_are_known(path: Path) -> None:
    for cell in read_notebook(path).cells:
        assert tags(cell) <= KNOWN_TAGS, where(cell)
    names = [c.metadata.name for c in code_cells(path) if 'name' in c.metadata]
    assert len(names) == len(set(names)), '单元名重复'


@every_notebook
def test_logs_folded_on_the_site_scroll_in_jupyter(path: Path) -> None:
    """几百行的记录在网页上折起；JupyterLab 不认那个标签，认 ``scrolled``。"""
    for cell in read_notebook(path).cells:
        assert ('hide-output' in tags(cell)) == cell.metadata.get('scrolled', False)


@every_notebook
def test_only_whitelisted_cells_escape_comparison(path: Path) -> None:
    escaped = {
        cell.metadata.get('name', where(cell))
        for cell in read_notebook(path).cells
        if UNCOMPARED in tags(cell)
    }
    assert escaped - EVERYWHERE == WHITELIST.get(chapter_name(path), set())
    comments = [
        where(cell)
        for cell in code_cells(path)
        if re.search(r'#\s*NBVAL|#\s*PYTEST_VALIDATE', cell.source)
    ]
    assert not comments, '请用标签，不要用 nbval 的注释标记'


# 由它们得来的量随档位、数据、设备或训练而变；别的输出每次都一样，应当逐字比较。
CHANGING = {
    'announce_training', 'choose_device', 'choose_profile', 'cuda', 'evaluate', 'fit',
    'load_dataset', 'perf_counter', 'process_time', 'recipe_of', 'run_variants', 'train',
    'train_seeds',
}  # fmt: skip


def names_in(node: ast.AST) -> set[str]:
    """用到或得到值的名字，连同点号后面的。"""
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)
    }


def given_names(statement: ast.stmt) -> set[str]:
    """得到值的名字：赋值、改写一项、循环的变量、定义的函数。"""
    found = {getattr(statement, 'name', '')}
    for node in ast.walk(statement):
        if isinstance(node, ast.Assign):
            found |= set().union(*map(names_in, node.targets))
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
            found |= names_in(node.target)
    return found


def constant_but_not_compared(cells: list[NotebookNode]) -> list[str]:
    """不比较输出、而输出其实每次都一样的单元：配方改了，存下的旧数就没有人发现。"""
    changing, found = set(CHANGING), []
    for cell in cells:
        varies = False
        for statement in ast.parse(cell.source).body:
            if changing & names_in(statement):
                varies = True
                changing |= given_names(statement)
        if UNCOMPARED in tags(cell) and not varies:
            found.append(where(cell))
    return found


@every_notebook
def test_cells_that_never_change_are_compared(path: Path) -> None:
    assert not constant_but_not_compared(code_cells(path))


@pytest.mark.parametrize(
    ('source', 'compared'),
    [
        ('print(LINEUP)', False),
        ('print(choose_profile())', True),
        ('def f():\n    return time.perf_counter()\nprint(f())', True),
        ("rows = {}\nrows['a'] = evaluate(net)\nprint(rows)", True),
        ('rows = [LINEUP]\nprint(rows)', False),
    ],
)
def test_a_constant_output_is_noticed(source: str, compared: bool) -> None:
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata.tags = ['nbval-ignore-output']
    assert (not constant_but_not_compared([cell])) == compared


def uses_a_name(statement: ast.Assert) -> bool:
    """断言里至少用到一个变量；``assert True`` 这样的断言不会失败。"""
    return any(isinstance(node, ast.Name) for node in ast.walk(statement.test))


def executed_assertions(source: str) -> list[ast.Assert]:
    """一定会执行的断言：在最外层，或直接在循环与 with 里；注释、函数与 if 里的不算。"""
    pending, found = [*ast.parse(source).body], []
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Assert):
            found.append(node)
        elif isinstance(node, ast.For | ast.With):
            pending[:0] = node.body
    return found


@every_notebook
def test_training_is_followed_by_assertions(path: Path) -> None:
    cells = code_cells(path)
    for index, cell in enumerate(cells):
        if 'train' in tags(cell):
            assert index + 1 < len(cells), where(cell)
            assert 'check' in tags(cells[index + 1]), where(cell)


@every_notebook
def test_training_notebooks_first_say_what_they_need(path: Path) -> None:
    """第一屏写明需要什么；导入各库的单元印出设备、档位与用时，别的笔记本不印。"""
    cells = read_notebook(path).cells
    kinds = [cell.cell_type for cell in cells[:3]]
    announcing = [cell for cell in cells if cell.metadata.get('name') == 'announce']
    if not any('train' in tags(cell) for cell in cells):
        assert announcing == []
        return
    assert kinds == ['markdown', 'code', 'code'] and announcing == [cells[2]]
    assert '**运行**：需要' in cells[0].source
    last = cells[2].source.splitlines()[-1]
    assert last == f'announce_training({chapter_name(path)!r})'
    [output] = cells[2].outputs
    lines = output.text.splitlines()
    assert lines[0].endswith('档') and lines[-1].startswith('数据：')
    assert any(line.startswith('用时：') for line in lines)
    widths = [sum(1 + (ord(letter) > 0x2E7F) for letter in line) for line in lines]
    assert max(widths) <= 72  # 半角字符；再宽，网页上就要横向滚动


@every_notebook
def test_check_cells_assert_something(path: Path) -> None:
    for cell in code_cells(path):
        if 'check' in tags(cell):
            asserts = executed_assertions(cell.source)
            assert asserts, where(cell)
            assert all(map(uses_a_name, asserts)), where(cell)
            assert UNCOMPARED not in tags(cell), where(cell)


@every_notebook
def test_a_profile_that_a_page_lacks_is_told(path: Path) -> None:
    """只有六个网络的章有 full 档；别的页用 recipe_of 取配方，缺了时说有哪几档。"""
    tables = {
        match[1]: match[2]
        for cell in code_cells(path)
        for match in re.finditer(r'^(RECIPES|BUDGETS) = \{(.*?)^\}', cell.source, re.M | re.S)
    }
    for name, table in tables.items():
        if "'full'" not in table:
            sources = '\n'.join(cell.source for cell in code_cells(path))
            assert f'{name}[profile]' not in sources
            assert f'recipe_of({name}' in sources


# 导出了配方的章要训练；只导出块的不必。
TRAINED = [
    name
    for name in exporting_chapters()
    if hasattr(import_module(f'deepcnn.models.{name}'), 'RECIPES')
]


def test_the_chapters_that_train_are_those_of_the_lineup() -> None:
    recipes = [import_module(f'deepcnn.models.{name}').RECIPES for name in TRAINED]
    assert recipes == [entry.recipes for entry in LINEUP.values()]


def test_every_network_chapter_trains_and_exports() -> None:
    for name in TRAINED:
        used = set().union(
            *(tags(cell) for cell in code_cells(CHAPTERS / f'{name}.ipynb'))
        )
        assert {'export', 'train', 'check'} <= used, name


LOSS_FALLS = re.compile(r'run\.train_loss\[-1\] < (0\.\d+) \* run\.train_loss\[0\]')
ACCURACY = re.compile(r'(?:history\.test_accuracy|run\.test_accuracy\[-1\]) > (0\.\d+)')


def must_learn(training: str, checking: str) -> bool:
    """训练的单元得到 history，后面的断言要求损失降到 0.8 倍以下、准确率过 0.6（猜是 0.1）。

    更严的数也可以；history 与 run 在检查里不许换成别的东西。
    """
    if not {('net, history', 'train'), ('trained, history', 'train')} & set(called(training)):
        return False
    tests = [ast.unparse(one.test) for one in executed_assertions(checking)]
    falls = [float(m[1]) for m in map(LOSS_FALLS.fullmatch, tests) if m]
    reached = [float(m[1]) for m in map(ACCURACY.fullmatch, tests) if m]
    real = bound(checking) in (['run = history.runs[0]'], ['run = history.runs'])
    return real and min(falls, default=1) <= 0.8 and max(reached, default=0) >= 0.6


def called(source: str) -> list[tuple[str, str]]:
    """最外层（与 ``if TRAIN:`` 之下）由调用得来的变量：[(变量, 函数)]。"""
    statements = []
    for node in ast.parse(source).body:
        switched = isinstance(node, ast.If) and ast.unparse(node.test) == 'TRAIN'
        statements += node.body if switched else [node]
    return [
        (ast.unparse(node.targets[0]).strip('()'), ast.unparse(node.value.func))
        for node in statements
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    ]


def bound(source: str) -> list[str]:
    """history 与 run 得到的值，循环变量写成「run = 循环的对象」。"""
    tree = ast.parse(source)
    pairs = [
        (node.target, node.iter) for node in ast.walk(tree) if isinstance(node, ast.For)
    ]
    pairs += [
        (target, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    return [
        f'{ast.unparse(target)} = {ast.unparse(value)}'
        for target, value in pairs
        if re.search(r'\b(history|run)\b', ast.unparse(target))
    ]


@pytest.mark.parametrize('name', TRAINED)
def test_every_network_must_learn_in_its_chapter(name: str) -> None:
    """每章真的训练一遍，训练之后的断言就是「学得会」的测试，不许变松。"""
    cells = code_cells(CHAPTERS / f'{name}.ipynb')
    index = next(i for i, cell in enumerate(cells) if 'train' in tags(cell))
    assert must_learn(cells[index].source, cells[index + 1].source)
    if 'if TRAIN:' in cells[index].source:  # 存下来的开关是开着的
        assert cells[index - 1].source.startswith('TRAIN = True')


TRAINING = 'net, history = train(build, data, recipe, profile)'
LEARNS = """run = history.runs[0]
assert run.train_loss[-1] < 0.8 * run.train_loss[0]
assert history.test_accuracy > 0.6
"""


def test_learning_in_a_loop_or_with_a_stricter_bound_counts() -> None:
    assert must_learn(TRAINING, LEARNS)
    assert must_learn(TRAINING, LEARNS.replace('0.6', '0.75'))
    loop = LEARNS.replace('run = history.runs[0]', 'for run in history.runs:')
    assert must_learn(TRAINING, loop.replace('assert', '    assert'))


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('assert history', '# assert history'),
        ('assert run', "'assert run'\n# assert run"),
        ('assert history', 'if False: assert history'),
        ('assert run', 'def check(): assert run'),
        ('> 0.6', '> 0.5'),
        ('> 0.6', '> 0.6 or True'),
        ('< 0.8', '< 0.9'),
        ('run = history.runs[0]', 'run = Run(0, [1, 0.1])'),
        ('run = history.runs[0]', 'run = history.runs[0]\nhistory = perfect'),
    ],
)
def test_an_assertion_that_cannot_fail_does_not_count(old: str, new: str) -> None:
    assert old in LEARNS
    assert not must_learn(TRAINING, LEARNS.replace(old, new))
    assert not must_learn(f'# {TRAINING}', LEARNS)


@every_notebook
def test_figures_are_stored_once_with_a_chinese_description(path: Path) -> None:
    """每幅有 PNG；曲线在同一个输出里另有 SVG，里面没有图像、日期与字体。"""
    descriptions = []
    for cell in filter(has_image, code_cells(path)):
        images = [
            {kind: value for kind, value in output.get('data', {}).items()
             if kind.startswith('image/')}
            for output in cell.outputs
        ]  # fmt: skip
        [image] = filter(None, images)  # 每个单元只放一幅图
        assert image.keys() <= {'image/png', 'image/svg+xml'}, where(cell)
        assert 'image/png' in image, f'{where(cell)}：JupyterLab 不信任的 SVG 不显示'
        svg = image.get('image/svg+xml', '')
        found = re.search('<image|<text|<dc:date|font-family', svg)
        assert not found, f'{where(cell)}：{found[0]}'
        alt = cell.metadata.get('mystnb', {}).get('image', {}).get('alt', '')
        assert HAN.search(alt), f'{where(cell)}：缺少 mystnb.image.alt'
        descriptions.append(alt)
    assert len(descriptions) == len(set(descriptions)), '两幅图的替代文字相同'


@cache
def markdown_parser() -> MarkdownIt:
    return MarkdownIt('commonmark').enable('table').use(dollarmath_plugin)


def prose(source: str) -> list[str]:
    """Markdown 里的文字，不含代码、公式与网址。"""
    return [
        child.content
        for token in markdown_parser().parse(source)
        if token.type == 'inline'
        for child in token.children or ()
        if child.type == 'text'
    ]


@every_text
def test_bold_is_rendered_as_bold(path: Path) -> None:
    """「**注意：**这里」这类写法不会变成粗体：标点应放在星号外面。"""
    left = [
        text
        for source in markdown_sources(path)
        for text in prose(source)
        if '**' in text
    ]
    assert not left


@every_text
def test_headings_have_a_label(path: Path) -> None:
    """中文标题的锚点会编成 id1、id2……，一移动就变；写明的锚点不会。"""
    unlabelled = []
    for source in markdown_sources(path):
        lines = source.splitlines()
        for token in markdown_parser().parse(source):
            if token.type == 'heading_open':
                start = token.map[0]
                above = next((x for x in reversed(lines[:start]) if x.strip()), '')
                if not re.fullmatch(r'<a id="(sec|ex)-[\w-]+"></a>', above):
                    unlabelled.append(lines[start])
    assert not unlabelled
