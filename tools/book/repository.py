"""把公开的仓库网址写到每个需要它的地方：make repository URL=网址。

空的网址表示清除；不写 URL= 时照 _config.yml 里现有的重写一遍。网址的源头是 _config.yml 的
repository.url，网站上的按钮据此给出；不能从那里读的文件列在 PLACES 里。
"""

import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from book_contents import MERGED, is_backup  # noqa: E402
from command_line import Command, run  # noqa: E402

from book import parse_address  # noqa: E402
from deepcnn.records.store import explaining, write_text  # noqa: E402

CONFIG, FIRST_CELL = '_config.yml', 'tools/book/first_cell.py'
GITHUB = 'https://github.com/'
PAGES = re.compile(r'https://[\w-]+\.github\.io/')
# (文件, 其中第一组是要改的文字, 新的文字)：每个恰有一处；整行的文字，没有网址就没有这一行。
PLACES = (
    (CONFIG, r'^repository:\n  url: ([^\n]*)', "'{url}'"),
    (CONFIG, r'^  baseurl: ([^\n]*)', "'{pages}'"),
    ('pyproject.toml', r'^\[project\.urls\]\n((?:Repository = [^\n]*\n)?)\n',
     "Repository = '{url}'\n"),
    ('README.md', r'<!-- repository -->\n(.*?)<!-- /repository -->', '{badges}\n'),
    ('CITATION.cff', r'^  year: \d+\n((?:  url: [^\n]*\n)?)  lang', "  url: '{url}'\n"),
    ('CITATION.cff', r'^    - zh\n((?:repository-code: [^\n]*\n)?)\Z',
     "repository-code: '{url}'\n"),
    ('chapters/about.md', r'^  version   = [^\n]*\n((?:  url  [^\n]*\n)?)  langid',
     '  url       = {{{url}}},\n'),
    (FIRST_CELL, r"^SOURCE = '([^']*)'", '{source}'),
)  # fmt: skip


class SettingError(ValueError):
    """某个文件里找不到该写网址的地方。"""


def wordings(url: str, branch: str, site: str) -> dict[str, str]:
    """PLACES 里用到的各种写法。``site`` 是网站现在的地址，自己的服务器的不动。

    pip 从 GitHub 的压缩包安装，不需要 git；Gitee 的有时要求登录，所以用 git。
    """
    own = '' if PAGES.match(site) else site
    if not url.startswith(GITHUB):
        source = url and f'git+{url}@{branch}'
        return {'url': url, 'pages': own, 'source': source, 'badges': f'仓库：<{url}>'}
    owner, name = url.removeprefix(GITHUB).split('/')
    host = f'{owner.lower()}.github.io'
    workflow = f'{url}/actions/workflows/book.yml'
    binder = f'https://mybinder.org/v2/gh/{owner}/{name}/{branch}'
    return {
        'url': url,
        'pages': own or f'https://{host}/' + ('' if name == host else f'{name}/'),
        'source': f'{url}/archive/refs/heads/{branch}.zip',
        'badges': f'[![构建与测试]({workflow}/badge.svg)]({workflow}) [在 Colab 里运行]'
        f'(https://colab.research.google.com/github/{owner}/{name}) · '
        f'[在 Binder 里运行]({binder}?urlpath=lab/tree/chapters)',
    }


def with_first_cell(notebook: Path, source: str) -> str:
    """返回笔记本的新内容：名为 install 的单元换成 ``source``，其余不动。"""
    with explaining(notebook, MERGED):
        content = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    cells = [c for c in content.cells if c.metadata.get('name') == 'install']
    if len(cells) != 1:
        raise SettingError(f'{notebook.name} 里应当恰有一个名为 install 的单元')
    if cells[0].source == source:
        return notebook.read_text(encoding='utf-8')
    cells[0].source = source
    return nbformat.writes(content) + '\n'


def rewritten(root: Path, url: str | None = None) -> dict[Path, str]:
    """要改的文件与新的内容，``None`` 指现有的网址；全部算好才写，出错时什么也不改。"""
    texts = {name: (root / name).read_text(encoding='utf-8') for name, *_ in PLACES}
    config = yaml.safe_load(texts[CONFIG])
    url = parse_address(config['repository']['url'] if url is None else url)
    words = wordings(url, config['repository']['branch'], config['html']['baseurl'])
    for name, pattern, form in PLACES:
        found = list(re.finditer(pattern, texts[name], re.MULTILINE | re.DOTALL))
        if len(found) != 1:
            raise SettingError(f'{name} 里应当恰有一处 {pattern}，实有 {len(found)} 处')
        before, after = texts[name][: found[0].start(1)], texts[name][found[0].end(1) :]
        is_left_out = form.endswith('\n') and not url
        texts[name] = before + ('' if is_left_out else form.format(**words)) + after
    changed = {root / name: text for name, text in texts.items()}
    for notebook in sorted((root / 'chapters').rglob('*.ipynb')):
        if not is_backup(notebook):
            changed[notebook] = with_first_cell(notebook, texts[FIRST_CELL].strip())
    return {p: t for p, t in changed.items() if p.read_text(encoding='utf-8') != t}


def main(arguments: list[str], root: Path = ROOT) -> int:
    command = Command(__doc__)
    command.add_argument('url', metavar='网址', nargs='?', help='GitHub 或 Gitee 的')
    try:
        changed = rewritten(root, command.parse_args(arguments).url)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in changed.items():
        write_text(path, text)
        print(f'已更新 {path.relative_to(root).as_posix()}')
    config = yaml.safe_load((root / CONFIG).read_text(encoding='utf-8'))
    url = config['repository']['url']
    print(f'仓库：{url or "没有，网站上不出现与仓库有关的按钮"}')
    if url and not url.startswith(GITHUB):
        print('Colab 与 Binder 只能从 GitHub 打开笔记本，所以网站上没有这两个按钮')
    return 0


if __name__ == '__main__':
    run(main)
