"""把公开的仓库网址写到每个需要它的地方。

用法：python tools/set_repository.py 网址   写入（空字符串表示清除）
      python tools/set_repository.py        照 _config.yml 里现有的网址重写一遍

网址的源头是 _config.yml 的 repository.url；网站上的按钮由 _ext/repository_buttons.py
据此给出。另有几个文件要各自写明网址，都列在 PLACES 里；笔记本的第一个单元取自
tools/first_cell.py。
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
FIRST_CELL = Path('tools/first_cell.py')
ADDRESS = re.compile(
    r'https://(?P<host>github\.com|gitee\.com)/'
    r'(?P<owner>[A-Za-z0-9][A-Za-z0-9_-]*)/(?P<name>[A-Za-z0-9_.-]*[A-Za-z0-9_-])'
)

PAGES = re.compile(r'https://[a-z0-9_-]+\.github\.io/')


class SettingError(ValueError):
    """网址不能用，或某个文件里找不到该写网址的地方。"""


@dataclass(frozen=True)
class Repository:
    """一个公开的仓库；``url`` 为空表示还没有。"""

    url: str
    branch: str

    @property
    def on_github(self) -> bool:
        return self.url.startswith('https://github.com/')

    @property
    def pages(self) -> str:
        """GitHub Pages 上的网址；别处的仓库没有，是空的。"""
        found = ADDRESS.fullmatch(self.url)
        if not found or not self.on_github:
            return ''
        host = f'{found["owner"].lower()}.github.io'
        return f'https://{host}/' + ('' if found['name'] == host else f'{found["name"]}/')

    @property
    def install_source(self) -> str:
        """pip 能直接安装的地址。

        GitHub 用压缩包：不需要 git，也不下载历史。Gitee 下载压缩包有时要求登录，用 git。
        """
        if self.on_github:
            return f'{self.url}/archive/refs/heads/{self.branch}.zip'
        return f'git+{self.url}@{self.branch}' if self.url else ''

    @property
    def badges(self) -> str:
        """README 里的徽章；只有 GitHub 有这些服务。"""
        if not self.on_github:
            return f'仓库：<{self.url}>\n' if self.url else ''
        path = self.url.removeprefix('https://github.com/')
        workflow = f'{self.url}/actions/workflows/book.yml'
        binder = (
            f'https://mybinder.org/v2/gh/{path}/{self.branch}?urlpath=lab/tree/chapters'
        )
        colab = f'https://colab.research.google.com/github/{path}'
        return (
            f'[![构建与测试]({workflow}/badge.svg)]({workflow}) '
            f'[在 Colab 里运行]({colab}) · [在 Binder 里运行]({binder})\n'
        )


def parse_address(text: str) -> str:
    """返回规整的网址；不是 GitHub 或 Gitee 的仓库时抛出 SettingError。"""
    address = text.strip().removesuffix('/').removesuffix('.git')
    if address and not ADDRESS.fullmatch(address):
        raise SettingError(
            f'网址「{text}」不能用：请写成 https://github.com/用户名/仓库名'
            '（或 https://gitee.com/用户名/仓库名）'
        )
    return address


def substitute(pattern: str, value: str, text: str) -> str:
    """把唯一一处匹配里的第二组换成 ``value``。"""
    changed, count = re.subn(
        pattern,
        lambda found: found[1] + value + found[3],
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    if count != 1:
        raise SettingError(f'应当恰有一处 {pattern}，实有 {count} 处')
    return changed


def in_config(text: str, repository: Repository) -> str:
    """仓库与网站的地址；自己的服务器的地址是手写的，不动。"""
    text = substitute(
        r'^(repository:\n  url: )([^\n]*)(\n)', f"'{repository.url}'", text
    )
    baseurl = yaml.safe_load(text)['html'].get('baseurl') or ''
    if baseurl and not PAGES.match(baseurl):
        return text
    return substitute(r'^(  baseurl: )([^\n]*)(\n)', f"'{repository.pages}'", text)


def in_metadata(text: str, repository: Repository) -> str:
    line = f"Repository = '{repository.url}'\n" if repository.url else ''
    return substitute(
        r"^(\[project\.urls\]\n)((?:Repository = '[^\n]*\n)?)(\n)", line, text
    )


def in_readme(text: str, repository: Repository) -> str:
    return substitute(
        r'(<!-- repository -->\n)(.*?)(<!-- /repository -->)', repository.badges, text
    )


def in_citation(text: str, repository: Repository) -> str:
    line = f"  url: '{repository.url}'\n" if repository.url else ''
    text = substitute(r'^(  year: \d+\n)((?:  url: [^\n]*\n)?)(  languages:)', line, text)
    kept = re.sub(r'^repository-code:[^\n]*\n', '', text, flags=re.MULTILINE)
    if not repository.url:
        return kept
    return f"{kept.rstrip()}\nrepository-code: '{repository.url}'\n"


def in_about(text: str, repository: Repository) -> str:
    """BibTeX 条目的 url。"""
    line = f'  url       = {{{repository.url}}},\n' if repository.url else ''
    return substitute(
        r'^(  version   = [^\n]*\n)((?:  url       = [^\n]*\n)?)(  langid)', line, text
    )


def in_first_cell(text: str, repository: Repository) -> str:
    return substitute(r"^(SOURCE = ')([^']*)(')", repository.install_source, text)


PLACES: dict[Path, Callable[[str, Repository], str]] = {
    Path('_config.yml'): in_config,
    Path('pyproject.toml'): in_metadata,
    Path('README.md'): in_readme,
    Path('CITATION.cff'): in_citation,
    Path('chapters/about.md'): in_about,
    FIRST_CELL: in_first_cell,
}


def current(root: Path) -> Repository:
    """_config.yml 里现在写的仓库。"""
    config = yaml.safe_load((root / '_config.yml').read_text(encoding='utf-8'))
    return Repository(config['repository']['url'], config['repository']['branch'])


def rewrite(path: Path, text: str) -> bool:
    """内容有变才写；返回是否写了。"""
    if path.read_text(encoding='utf-8') == text:
        return False
    path.write_text(text, encoding='utf-8')
    return True


def with_first_cell(notebook: Path, source: str) -> str:
    """返回笔记本的新内容：名为 install 的单元换成 ``source``，其余不动。"""
    text = notebook.read_text(encoding='utf-8')
    content = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    cells = [c for c in content.cells if c.metadata.get('name') == 'install']
    if len(cells) != 1:
        raise SettingError(f'{notebook.name} 里应当恰有一个名为 install 的单元')
    if cells[0].source == source:
        return text
    cells[0].source = source
    return nbformat.writes(content) + '\n'


def apply(root: Path, repository: Repository) -> list[Path]:
    """写入全部地方，返回改动了的文件；先算好全部内容再写，出错时什么也不改。"""
    texts = {}
    for place, change in PLACES.items():
        path = root / place
        if path.exists():
            texts[path] = change(path.read_text(encoding='utf-8'), repository)
    source = texts[root / FIRST_CELL].strip()
    for notebook in sorted((root / 'chapters').rglob('*.ipynb')):
        texts[notebook] = with_first_cell(notebook, source)
    return [path for path, text in texts.items() if rewrite(path, text)]


def main(arguments: list[str], root: Path = ROOT) -> int:
    if len(arguments) > 1:
        print(
            '用法：make repository URL=https://github.com/用户名/仓库名',
            file=sys.stderr,
        )
        return 2
    try:
        before = current(root)
        url = parse_address(arguments[0] if arguments else before.url)
        repository = Repository(url, before.branch)
        changed = apply(root, repository)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 1
    for path in changed:
        print(f'已更新 {path.relative_to(root).as_posix()}')
    print(f'仓库：{url or "没有，网站上不出现与仓库有关的按钮"}')
    if url and not repository.on_github:
        print('Colab 与 Binder 只能从 GitHub 打开笔记本，所以网站上没有这两个按钮')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
