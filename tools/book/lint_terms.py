"""用语检查：术语、名字、标点与空格前后一致。

规则在 terms/glossary.yml（别的书的叫法）和 terms/spelling.yml（其余）。只查给读者看的
文字，代码、公式、引文与网址不查。每处一行：文件、单元、行、写成什么、应写作什么；有一处
就以 1 退出。术语的链接由网站的扩展加上（book_pages/linked_terms.py），这里不管。
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'site' / 'extensions')]

import prose  # noqa: E402
from book_contents import is_backup  # noqa: E402
from command_line import Command, run  # noqa: E402
from glossary_terms import GLOSSARY, Term, all_terms, names_pattern  # noqa: E402
from prose import Passage  # noqa: E402

SPELLING = ROOT / 'terms' / 'spelling.yml'
# 术语后面可以再带的字：池化层（汇聚层，pooling layer）。
SUFFIX = '(?:层|块|网络)?'


@dataclass(frozen=True)
class Rule:
    """把 ``wrong`` 换成 ``right``。"""

    wrong: re.Pattern[str]
    right: str
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()

    def faults(self, text: str) -> Iterator[tuple[int, str, str]]:
        """依次给出 ``(位置, 写成什么, 应写作什么)``。"""
        for match in self.wrong.finditer(text):
            wanted = match.expand(self.right)
            if wanted != match[0]:
                yield match.start(), match[0], wanted


def name_rule(name: str) -> Rule:
    """只认一种大小写；不是别的词的一部分。"""
    edges = rf'(?<![\w./-])(?!{re.escape(name)}(?!\w))(?i:{re.escape(name)})(?![\w/]|-[a-z])'
    # 后面跟着扩展名的是文件名。
    pattern = edges + r'(?!\.\w)'
    return Rule(re.compile(pattern, re.ASCII), name, misses=(name,))


@cache
def rules() -> list[Rule]:
    """terms/spelling.yml 里的全部规则。"""
    table = yaml.safe_load(SPELLING.read_text(encoding='utf-8'))
    names = [name_rule(name) for name in table.pop('names')]
    # 规则里的反引号代表一段行内代码或公式。
    objects = prose.CODE + prose.MATH
    return names + [
        Rule(
            re.compile(str(entry['wrong']).replace('`', objects)),
            str(entry['right']),
            tuple(entry['hits']),
            tuple(entry['misses']),
        )
        for entries in table.values()
        for entry in entries
    ]


@cache
def other_names() -> dict[str, Term]:
    """``{别的书的叫法: 术语}``；可以照常使用的不在其中。"""
    return {name: term for term in all_terms() for name in term.banned}


@cache
def any_name() -> re.Pattern[str]:
    """任何一种叫法，长的优先：「超参数」里没有「超参」。"""
    terms = all_terms()
    return names_pattern({n for term in terms for n in (term.term, *term.also)})


def is_first_note(text: str, at: int, term: Term) -> bool:
    """``at`` 在术语后面紧跟的全角括号里，例如「步幅（步长，stride）」。"""
    opened = text.rfind('（', 0, at)
    if opened < 0 or '）' in text[opened:at]:
        return False
    return bool(re.search(re.escape(term.term) + SUFFIX + '$', text[:opened]))


def name_faults(passages: Iterable[Passage]) -> Iterator[tuple[Passage, int, str]]:
    """别的书的叫法：只许在一页里注明一次。"""
    noted: set[str] = set()
    for passage in passages:
        for match in any_name().finditer(passage.text):
            name = match[0]
            term = other_names().get(name)
            if term is None:
                continue
            if not is_first_note(passage.text, match.start(), term):
                wanted = f'「{name}」应写作「{term.term}」'
            elif name in noted:
                wanted = f'「{name}」前面已经注明过，这里只写「{term.term}」'
            else:
                noted.add(name)
                continue
            yield passage, match.start(), wanted


def spelling_faults(passage: Passage) -> Iterator[tuple[Passage, int, str]]:
    for rule in rules():
        for at, found, wanted in rule.faults(passage.text):
            yield passage, at, f'「{found}」应写作「{wanted}」'


def lint(passages: list[Passage]) -> list[str]:
    """一个文件里的全部问题，一处一行，按出现的次序。"""
    faults = list(name_faults(passages))
    for passage in passages:
        # 注释里常写元组与字典，标点本来就是半角的，所以只查叫法。
        if not passage.is_comment:
            faults += spelling_faults(passage)
    order = {id(passage): number for number, passage in enumerate(passages)}
    faults.sort(key=lambda fault: (order[id(fault[0])], fault[1]))
    return [f'{passage.where(at)}：{shown(said)}' for passage, at, said in faults]


def shown(text: str) -> str:
    """占位符换成读得懂的写法，一处只占一行。"""
    for mark, form in prose.SHOWN.items():
        text = text.replace(mark, form)
    return text.replace('\n', '⏎')


def glossary_passages() -> list[Passage]:
    """术语表里的解释；各行的行号由文件里查出。"""
    lines = GLOSSARY.read_text(encoding='utf-8').splitlines()
    name = GLOSSARY.relative_to(ROOT).as_posix()
    return [
        passage
        for term in all_terms()
        for passage in prose.read_markdown(
            term.line, name, first_line=lines.index(f'  line: {term.line}') + 1
        )
    ]


def book_files() -> list[Path]:
    """给读者看的全部文件；deepcnn/models/ 由各章生成，不查。"""
    chapters = [
        p for end in ('.ipynb', '.md') for p in (ROOT / 'chapters').rglob('*' + end)
    ]
    root = ROOT / 'deepcnn'
    package = [p for p in root.rglob('*.py') if 'models' not in p.relative_to(root).parts]
    rest = [ROOT / name for name in ('index.md', 'README.md', 'CHANGELOG.md')]
    found = [*rest, *(ROOT / 'docs').glob('*.md'), *chapters, *package]
    return sorted(p for p in found if not is_backup(p))


def lint_file(path: Path) -> list[str]:
    """一个文件里的全部问题；读不懂（冲突没有解决、语法不对）时抛出 ValueError。"""
    try:
        passages = prose.read(path, ROOT)
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        name = path.relative_to(ROOT).as_posix()
        raise ValueError(f'{name} 读不懂（{error}）：请先改好它') from error
    return lint(passages)


def main(arguments: list[str]) -> int:
    command = Command(__doc__)
    command.add_argument('files', metavar='文件', nargs='*', help='不给时检查全书')
    paths = [Path(name).resolve() for name in command.parse_args(arguments).files]
    for path in paths:
        if not path.is_file() or not path.is_relative_to(ROOT):
            print(f'没有这个文件，或不在仓库里：{path}', file=sys.stderr)
            return 2
        if path.suffix not in prose.READERS:
            kinds = '、'.join(prose.READERS)
            print(f'只查 {kinds}，不查 {path.name}', file=sys.stderr)
            return 2
    try:
        faults = [line for path in paths or book_files() for line in lint_file(path)]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if not paths:
        faults += lint(glossary_passages())
    print(*faults, sep='\n', end='\n' if faults else '')
    if faults:
        print(f'共 {len(faults)} 处；规则见 terms/ 文件夹', file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    run(main)
