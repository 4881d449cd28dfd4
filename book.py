"""全书的命令，只用标准库，Linux、macOS 与 Windows 上都一样：python book.py 命令。

环境建在 .venv 里，依赖清单没有变就不再安装。Makefile 是它的另一种写法。
旧的 Python（3.7 起）也要读得懂这个文件，才说得出自己太旧。
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 10)
# 运行一个模块：用 UTF-8，当前文件夹里的同名模块不混进来（-I 也不看 PYTHONUTF8）。
ALONE = ('-X', 'utf8', '-I', '-m')

VARIABLES = {
    'PIP_ARGS="--index-url 地址"': '从就近的镜像安装',
    'TORCH_ARGS="--index-url 地址"': '单独指定 PyTorch 的来源，例如较小的 CPU 版',
    'CONSTRAINTS=': '不用 constraints.txt 里的确切版本',
    'DEEPCNN_PROFILE=quick|laptop|full|gpu': '训练档位（record、notebook）',
    'JOBS=1': 'test 同时用几个进程（默认 2，平分处理器的核）',
    'FULL=1': '从头构建网站（book）',
    'ARGS="参数"': '交给工具的参数；不用 make 时直接写在命令后面',
    'PORT=8888': 'JupyterLab 的端口（notebook）',
    'OFFLINE=1': '没有网络的 CUDA 机器（见 docs/gpu.md）',
    'PYTHON=python3.12': '只用于 make：用哪个 Python 建立 .venv（3.10 或更高）',
}

# 一组依赖：先装好哪一组，再装哪几份清单。
GROUPS = {
    'book': ('', ['requirements-book.txt']),
    'browser': ('book', ['requirements-browser.txt']),
    'test': ('browser', ['requirements.txt', 'requirements-d2l.txt', 'pyproject.toml']),
    'notebook': ('test', ['requirements-notebook.txt']),
}

# 只改了正文（chapters/ 与 index.md）时增量构建，这些一变就从头来。
BOOK_SETTINGS = [
    'book.py', '_config.yml', '_toc.yml', 'references.bib', 'terms', 'results', 'img',
    'site', 'deepcnn/records', 'CHANGELOG.md', '.venv/book.installed',
]  # fmt: skip
# 公开的仓库的网址；tools/book/repository.py 也用它。
ADDRESS = re.compile(r'https://git(hub|ee)\.com/[^\W_][\w-]*/[\w.-]*[\w-]', re.ASCII)
GENERATED = ['_build', 'dist', 'build', '.pytest_cache', '.ruff_cache', '*.egg-info']


class Refusal(Exception):
    """命令没有做成；消息是给读者看的一行，``code`` 是退出码。"""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def setting(name: str, default: str = '') -> str:
    return os.environ.get(name, default)


def words(text: str) -> list[str]:
    """把一行参数分成几个，引号里的空格不算；引号没有配对时抛出 Refusal。

    Windows 上反斜线是路径的一部分。
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ''
    if os.name == 'nt':
        lexer.escape = ''
    try:
        return list(lexer)
    except ValueError:
        raise Refusal(f'引号没有配对：{text}', 2) from None


def execute(*command: object, **environment: str) -> None:
    """在仓库的根里运行，文字都用 UTF-8；失败时抛出 Refusal，带着它的退出码。

    Ctrl-C 也传到了那个进程：等它存好、收拾完，再抛出 KeyboardInterrupt
    （subprocess.run 只等四分之一秒就把它杀死）。
    """
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=str(ROOT),
        env={**os.environ, 'PYTHONUTF8': '1', **environment},
    )
    interrupted, code = False, None
    while code is None:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    if code:
        raise Refusal('', code if code > 0 else 1)  # 被信号中断的，退出码是负数


# ---- 环境 -----------------------------------------------------------------------


def environment_python() -> Path:
    """.venv 里的 Python；Windows 上在 Scripts 里。"""
    folder, name = ('Scripts', 'python.exe') if os.name == 'nt' else ('bin', 'python')
    return ROOT / '.venv' / folder / name


def create_environment() -> None:
    """建立 .venv；已经有了就什么也不做，残缺的（例如所用的 Python 已卸载）从头建。"""
    if environment_python().exists():
        return
    if sys.version_info < OLDEST:
        raise Refusal(
            f'需要 Python 3.10 或更高版本，而 {sys.executable} 是 '
            f'{sys.version_info[0]}.{sys.version_info[1]}：请安装新的，再用它运行 book.py'
            '（用 make 的话，加上 PYTHON=新的 python 命令）'
        )
    if importlib.util.find_spec('ensurepip') is None:
        raise Refusal(
            f'{sys.executable} 缺少 ensurepip，建不了环境：请先安装它'
            '（Debian、Ubuntu 上是软件包 python3-venv），再运行一次'
        )
    print('建立环境 .venv ……', flush=True)
    # 另起一个进程：UTF-8 模式下，路径里的汉字在哪种语言环境里都行
    execute(sys.executable, *ALONE, 'venv', '--clear', '.venv')


def constraints() -> str:
    return setting('CONSTRAINTS', 'constraints.txt')


def pip_steps(group: str) -> list[list[str]]:
    """装一组依赖要运行的几条 pip install 的参数。"""
    mirror = words(setting('PIP_ARGS'))
    steps = []
    if group == 'test' and setting('TORCH_ARGS'):
        steps.append([*words(setting('TORCH_ARGS')), 'torch', 'torchvision'])
    for name in GROUPS[group][1]:
        if name == 'pyproject.toml':
            steps.append([*mirror, '--no-deps', '--editable', '.'])
        elif name == 'requirements-d2l.txt':
            # d2l 1.0.3 的元数据要求旧版 NumPy（1.23.5），因此不带它的依赖单独安装。
            steps.append([*mirror, '--no-deps', '-r', name])
        else:
            steps.append([*mirror, '-r', name])
    return steps


def prepare(group: str) -> Path:
    """装好一组依赖（连同它之前的各组），返回环境里的 Python；清单没有变就不再安装。"""
    before, lists = GROUPS[group]
    if before:
        prepare(before)
    else:
        create_environment()
    python = environment_python()
    stamp = ROOT / '.venv' / f'{group}.installed'
    wanted = {name: digest([name]) for name in [*lists, constraints()] if name}
    if wanted.items() <= recorded(stamp).items():
        return python
    print(f'安装 {"、".join(lists)} 里的依赖 ……', flush=True)
    pip = [python, *ALONE, 'pip', '--disable-pip-version-check', 'install']
    steps = pip_steps(group)
    try:
        for step in steps:
            execute(*pip, *(['-c', constraints()] if constraints() else []), *step)
    except Refusal as failure:
        raise Refusal(
            '依赖没有装成。连不上网时，pip 也会说找不到合适的版本：请先看看网络，'
            '或用 PIP_ARGS 换一个镜像；确实没有那个版本时，加上 CONSTRAINTS= 再试',
            failure.code,
        ) from None
    # 不用确切版本装的，清单不变，以后也不重装。
    wanted['constraints.txt'] = digest(['constraints.txt'])
    stamp.write_text(json.dumps(wanted, indent=1), encoding='utf-8')
    return python


def recorded(stamp: Path) -> dict[str, str]:
    """上次装好时各份清单的摘要；没有装过，或是别的程序写的，返回空的。"""
    try:
        content = json.loads(stamp.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def files_under(path: Path) -> Iterable[Path]:
    """一个文件，或文件夹里的全部文件；Python 的缓存不算。"""
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name != '__pycache__':
                yield from files_under(child)
    elif path.exists():
        yield path


def digest(names: Iterable[str]) -> str:
    """这些文件与文件夹的名字和内容的摘要，与修改时间无关。"""
    total = hashlib.sha256()
    for name in names:
        for path in files_under(ROOT / name):
            place = f'{name}/{path.relative_to(ROOT / name).as_posix()}'
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f'{place} {content}\n'.encode())
    return total.hexdigest()


def offline_python() -> str:
    """没有网络的机器：系统的 Python，补上 .offline/ 里的包，不建 .venv（见 docs/gpu.md）。"""
    offline = ROOT / '.offline'
    os.environ['PYTHONPATH'] = os.pathsep.join([str(offline / 'site'), str(ROOT)])
    os.environ['JUPYTER_PATH'] = str(offline / 'kernel' / 'share' / 'jupyter')
    commit = offline / 'commit'
    if commit.exists() and not setting('DEEPCNN_COMMIT'):
        os.environ['DEEPCNN_COMMIT'] = commit.read_text(encoding='utf-8').strip()
    wheels = sorted((offline / 'wheels').glob('*.whl'))
    if not wheels:
        raise Refusal('没有 .offline/wheels：请先在有网络的机器上准备，见 docs/gpu.md')
    stamp = offline / 'installed'
    wanted = {wheel.name: str(wheel.stat().st_size) for wheel in wheels}
    if recorded(stamp) != wanted:
        pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', 'install']
        execute(
            *pip, '-q', '--no-index', '--no-deps', '--no-compile', '--upgrade',
            '--target', offline / 'site', *wheels,
        )  # fmt: skip
        # Jupyter 的内核要另外登记
        execute(
            sys.executable, '-m', 'ipykernel', 'install',
            '--prefix', offline / 'kernel', '--name', 'python3',
        )  # fmt: skip
        stamp.write_text(json.dumps(wanted, indent=1), encoding='utf-8')
    return sys.executable


def engine() -> object:
    """训练与测量用的 Python。"""
    return offline_python() if setting('OFFLINE') else prepare('test')


# ---- 命令 -----------------------------------------------------------------------


def build(arguments: list[str]) -> None:
    """有警告的构建算失败，不留标记，下一次也从头来：没有改动的页里不会藏着警告。"""
    python = prepare('book')
    site, mark = ROOT / '_build', ROOT / '_build' / 'complete'
    settings = digest(BOOK_SETTINGS)
    if setting('FULL') or not mark.exists() or mark.read_text('utf-8') != settings:
        shutil.rmtree(str(site), ignore_errors=True)
    if mark.exists():
        mark.unlink()
    execute(
        python, '-c', 'from jupyter_book.cli.main import main; main()',
        'build', '-q', '-n', '-W', '--keep-going', '.',
    )  # fmt: skip
    page = site / 'html' / 'index.html'
    if not page.exists() or not page.stat().st_size:
        raise Refusal('构建没有产生 _build/html/index.html：请看上面的输出')
    mark.write_text(
        settings, encoding='utf-8'
    )  # 开始构建时的摘要：构建途中的改动下次才算
    print(f'书已建好，请用浏览器打开：{page.relative_to(ROOT)}')


def test(arguments: list[str]) -> None:
    variables = test_variables()
    build([])
    python = prepare('notebook')  # 笔记本也在真的 JupyterLab 里打开来看
    execute(python, 'tools/book/export_models.py', '--check')
    execute(python, '-m', 'ruff', 'check', '.')
    execute(
        python, '-m', 'pytest', '-n', jobs(), '--dist', 'loadscope',
        '--no-loadscope-reorder', '--nbval', '--nbval-current-env',
        '--nbval-cell-timeout=300', 'chapters', 'tests',
        **variables,
    )  # fmt: skip


def jobs() -> int:
    text = setting('JOBS', '2')
    if not text.isdecimal() or not int(text):
        raise Refusal(f'JOBS={text} 不行：请写进程的个数，例如 JOBS=1', 2)
    return int(text)


def test_variables() -> dict[str, str]:
    """测试用最快的档位，不画进度条（它写到标准错误，逐格比较输出时不要它）。

    几个进程平分处理器的核：小批量上，一个核训练一个网络比两个核合训一个快得多。
    GLIBC_TUNABLES 让 glibc 向内核要大页：训练时频繁申请几十 MB 的张量，缺页少了，
    AlexNet 与 VGG 快一些；要 glibc 2.35、内核允许 madvise，别的系统不认识它。
    """
    threads = str(max(1, (os.cpu_count() or 1) // jobs()))
    return {
        'DEEPCNN_PROFILE': 'quick',
        'DEEPCNN_PROGRESS': '0',
        'OMP_NUM_THREADS': setting('OMP_NUM_THREADS') or threads,
        'GLIBC_TUNABLES': setting('GLIBC_TUNABLES') or 'glibc.malloc.hugetlb=1',
    }


def lint(arguments: list[str]) -> None:
    python = prepare('test')
    execute(python, '-m', 'ruff', 'check', '.')
    execute(python, 'tools/book/lint_terms.py')


def pack(arguments: list[str]) -> None:
    """打包只用标准库：有 .venv 就用它的 Python，没有就用现在这个。"""
    own = environment_python()
    use_own = own.exists() and not setting('OFFLINE')
    execute(own if use_own else sys.executable, 'tools/book/pack_record.py', *arguments)


def figures(arguments: list[str]) -> None:
    python = prepare('test')
    execute(python, 'tools/figures/draw.py')
    execute(python, 'tools/figures/embed.py')


def typeset_formulas(arguments: list[str]) -> None:
    os.environ['FULL'] = '1'
    build([])
    execute(environment_python(), 'tools/site/typeset_formulas.py')


def notebook(arguments: list[str]) -> None:
    """从仓库的根提供文件，笔记本里的插图（../img/）才找得到；先打开目录（index.md）。"""
    python = prepare('notebook')
    write_lab_settings(ROOT / '.venv' / 'share' / 'jupyter' / 'lab' / 'settings')
    execute(python, '-m', 'jupyterlab', *lab_options(), *arguments)


def write_lab_settings(folder: Path) -> None:
    """Markdown 文件先显示成网页，链接才点得开；不问要不要取新闻（没有网络时白问）。"""
    settings = {
        '@jupyterlab/docmanager-extension:plugin': {
            'defaultViewers': {'markdown': 'Markdown Preview'}
        },
        '@jupyterlab/apputils-extension:notification': {'fetchNews': 'false'},
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings, indent=1)
    (folder / 'overrides.json').write_text(text, encoding='utf-8')


def lab_options() -> list[str]:
    options = [
        f'--port={setting("PORT", "8888")}',
        f'--ServerApp.root_dir={ROOT}',
        '--LabApp.default_url=/lab/tree/index.md',
    ]
    if hasattr(os, 'geteuid') and os.geteuid() == 0:
        print(
            '现在是 root（多半在容器里），因此加上 --allow-root；从容器外面打开，'
            '另加 ARGS=--ip=0.0.0.0 并映射端口',
            flush=True,
        )
        options.append('--allow-root')
    return options


def repository(arguments: list[str]) -> None:
    """网址不能用，就不装依赖。"""
    for text in arguments[:1]:
        if text.startswith('-'):  # -h：工具自己会说
            break
        try:
            parse_address(text)
        except ValueError as error:
            raise Refusal(str(error)) from None
    execute(prepare('book'), 'tools/book/repository.py', *arguments)


def parse_address(text: str) -> str:
    """返回规整的网址；不是 GitHub 或 Gitee 的仓库时抛出 ValueError。"""
    address = text.strip()
    for ending in ('/', '.git'):
        if address.endswith(ending):
            address = address[: -len(ending)]
    if address and not ADDRESS.fullmatch(address):
        raise ValueError(
            f'网址「{text}」不能用：请写成 https://github.com/用户名/仓库名'
            '（或 https://gitee.com/用户名/仓库名）'
        )
    return address


def new_chapter(arguments: list[str]) -> None:
    """写出骨架，生成它的模型文件，再按网站补齐编号：后面各章的编号也随之改变。"""
    python = prepare('test')
    execute(python, 'tools/book/new_chapter.py', *arguments)
    execute(python, 'tools/book/export_models.py')
    build([])
    execute(python, 'tools/book/fill_plain.py')


def clean(arguments: list[str]) -> None:
    for pattern in GENERATED:
        for path in ROOT.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(str(path))
            else:
                path.unlink()
    for folder, below, _ in os.walk(str(ROOT)):
        below[:] = [name for name in below if name not in ('.venv', '.git')]
        for name in {'__pycache__', '.ipynb_checkpoints'}.intersection(below):
            shutil.rmtree(os.path.join(folder, name))
            below.remove(name)


def show_help(arguments: list[str]) -> None:
    print('用法：python book.py 命令 [变量=值] [参数]')
    print('   或：make 命令 [变量=值]\n')
    for name, command in COMMANDS.items():
        print(f'  {column(name, 12)}{command.about}')
    print('\n变量（也可以是环境变量）：')
    for name, about in VARIABLES.items():
        print(f'  {column(name, 40)}{about}')


def column(text: str, width: int) -> str:
    """补上空格；终端里一个汉字占两列。"""
    wide = sum(unicodedata.east_asian_width(letter) in 'WF' for letter in text)
    return text + ' ' * (width - len(text) - wide)


def tool(script: str, group: str = '', after_build: bool = False) -> Callable:
    """先装好一组依赖（不写时是训练用的那些），或先建好网站，再运行一个工具。"""

    def command(arguments: list[str]) -> None:
        if after_build:
            build([])
        python = prepare(group) if group else engine()
        execute(python, script, *arguments)

    return command


class Command(NamedTuple):
    does: Callable
    about: str
    takes_arguments: bool = False


COMMANDS = {
    'help': Command(show_help, '列出全部命令（默认）'),
    'book': Command(build, '构建网站 _build/html（只排版，不需要 PyTorch）'),
    'test': Command(test, '单元测试、逐格重跑全部笔记本（quick 档）、检查网站'),
    'notebook': Command(notebook, '在同一环境里打开 JupyterLab', True),
    'lint': Command(lint, '只检查代码风格与用语'),
    'record': Command(
        tool('tools/book/record.py'),
        '重新训练各章，存下输出与 results/（档位见 DEEPCNN_PROFILE）',
        True,
    ),
    'compare': Command(
        tool('tools/measure/compare.py'),
        '三个种子训练六个网络，写出 results/comparison/（--laptop：results/laptop/）',
        True,
    ),
    'bench': Command(
        tool('tools/measure/bench.py'),
        '比较 d2l 的训练循环与本书的，写出 results/bench-设备.json',
        True,
    ),
    'pack': Command(pack, '把录制好的笔记本、results/ 与 weights/ 打成一个压缩包', True),
    'models': Command(
        tool('tools/book/export_models.py', 'test'),
        '从各章的 export 单元生成 deepcnn/models/',
    ),
    'new-chapter': Command(
        new_chapter, '写出新的一章的骨架：NAME=英文名（见 docs/authoring.md）', True
    ),
    'mutants': Command(
        tool('tools/measure/mutants.py', 'test'),
        '改坏 deepcnn 的代码，看测试发不发现',
        True,
    ),
    'test-faults': Command(
        tool('tools/measure/faults.py', 'test'),
        '杀死训练、改坏图像与断点，看命令行经不经得起（几分钟）',
        True,
    ),
    'figures': Command(
        figures, '由网络的配置重画 img/ 里的图，嵌进笔记本（改了图时需要 Chromium）'
    ),
    'numbers': Command(
        tool('tools/book/fill_plain.py', 'test', True),
        '补齐各页里图、表、公式的编号，书内的链接、引文与文献表',
    ),
    'formulas': Command(
        typeset_formulas, '公式有改动后，重新排成 SVG（需要 Chromium）'
    ),
    'site.zip': Command(
        tool('tools/site/pack_zip.py', 'book', True),
        '把网站装进 dist/site.zip，解压后离线阅读',
    ),
    'pdf': Command(
        tool('tools/site/make_pdf.py', 'browser', True),
        '把全书印成 dist/book.pdf（需要 Chromium）',
    ),
    'site-report': Command(
        tool('tools/site/measure_pages.py', 'browser', True),
        '量每一页要传多少字节、多久显示出来（需要 Chromium）',
        True,
    ),
    'repository': Command(
        repository,
        '记下公开的仓库：URL=https://github.com/用户名/仓库名（空的表示清除）',
        True,
    ),
    'links': Command(
        tool('tools/site/check_links.py', 'book'),
        '检查书里的外部链接（需要网络，不在 test 里）',
    ),
    'clean': Command(clean, '删除生成的文件（保留 .venv）'),
}


def read_line(line: list[str]) -> list[str]:
    """记下「变量=值」（变量是大写的），返回其余的参数。

    URL 与 NAME 只认命令行：环境里的同名变量与本书无关，它们的值是参数。
    """
    arguments = []
    for word in line:
        name, equals, value = word.partition('=')
        if not equals or not re.fullmatch('[A-Z][A-Z0-9_]*', name):
            arguments.append(word)
        elif name in ('URL', 'NAME'):
            arguments.append(value)
        else:
            os.environ[name] = value
    return arguments


def main(line: list[str]) -> int:
    name = line[0] if line else 'help'
    name = 'help' if name in ('-h', '--help') else name
    try:
        if name not in COMMANDS:
            raise Refusal(f'没有 {name} 这个命令：可以用 {"、".join(COMMANDS)}', 2)
        arguments = read_line(line[1:])
        if COMMANDS[name].takes_arguments:
            arguments = words(setting('ARGS')) + arguments
        elif arguments:
            raise Refusal(f'{name} 不带参数，不认识 {" ".join(arguments)}', 2)
        COMMANDS[name].does(arguments)
    except Refusal as refusal:
        if str(refusal):
            print(refusal, file=sys.stderr)
        return refusal.code
    except OSError as error:
        print(
            f'文件出错（{error.filename}）：{error.strerror or error}。请看磁盘满没满、'
            '这个文件写不写得了，再运行一次',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run() -> NoReturn:
    # 终端的编码写不出的字换成转义，不因此中断
    sys.stdout.reconfigure(errors='backslashreplace')
    sys.exit(main(sys.argv[1:]))


if __name__ == '__main__':
    run()
