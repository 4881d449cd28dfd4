"""读入术语表 terms/glossary.yml：页面、搜索与用语检查共用的一份。"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

GLOSSARY = Path(__file__).resolve().parents[2] / 'terms' / 'glossary.yml'


@dataclass(frozen=True)
class Term:
    """一条术语；各字段的含义见 terms/glossary.yml 的开头。"""

    term: str
    english: tuple[str, ...]
    section: str
    line: str
    also: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """本书的叫法在前，其余是别的书的叫法和英文。"""
        return [self.term, *self.also, *self.english]

    @property
    def banned(self) -> tuple[str, ...]:
        """正文里不用的叫法。"""
        return tuple(name for name in self.also if name not in self.allowed)

    @property
    def anchor(self) -> str:
        """由英文名得来，不随条目的次序改变。"""
        plain = self.english[0].lower().replace('×', 'x')
        return 'term-' + re.sub('[^a-z0-9]+', '-', plain).strip('-')

    @property
    def order(self) -> bytes:
        """拼音的次序：GB 2312 的一级汉字按拼音编码，西文排在汉字之前。"""
        return self.term.lower().encode('gb18030')


def read_term(entry: dict) -> Term:
    known = {'term', 'english', 'section', 'line', 'also', 'allowed'}
    if unknown := set(entry) - known:
        raise ValueError(f'terms/glossary.yml：{entry} 有不认识的字段 {unknown}')
    lists = {
        key: tuple(map(str, entry.get(key, ())))
        for key in ('english', 'also', 'allowed')
    }
    if set(lists['allowed']) - set(lists['also']):
        raise ValueError(f'terms/glossary.yml：{entry["term"]} 的 allowed 不在 also 里')
    texts = {key: str(entry[key]) for key in ('term', 'section', 'line')}
    return Term(**texts, **lists)


def read_glossary(path: Path = GLOSSARY) -> dict[str, list[Term]]:
    """返回 {组名: 该组的术语}，组内按拼音排列。"""
    groups = yaml.safe_load(path.read_text(encoding='utf-8'))
    return {
        group: sorted(map(read_term, entries), key=lambda term: term.order)
        for group, entries in groups.items()
    }


def all_terms(path: Path = GLOSSARY) -> list[Term]:
    return [term for terms in read_glossary(path).values() for term in terms]


# 西文的词不与别的字母数字相连：TopReLU 里没有 ReLU。
EDGE = ('(?<![A-Za-z0-9_])', '(?![A-Za-z0-9_])')


def bounded(name: str) -> str:
    pattern = re.escape(name)
    if name[0].isascii():
        pattern = EDGE[0] + pattern
    return pattern + EDGE[1] if name[-1].isascii() else pattern


def names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """匹配这些名字中的任何一个，长的优先：「残差块」里没有「块」。"""
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.compile('|'.join(map(bounded, ordered)))
