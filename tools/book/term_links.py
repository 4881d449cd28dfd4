"""各章里的术语：第一次出现时要链接到术语表，以后不再链接。"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prose import Passage

# 西文的词不与别的字母数字相连：TopReLU 里没有 ReLU。
EDGE = ('(?<![A-Za-z0-9_])', '(?![A-Za-z0-9_])')


def names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """匹配这些名字中的任何一个，长的优先：「残差块」里没有「块」。"""
    ordered = sorted(names, key=len, reverse=True)
    return re.compile('|'.join(map(bounded, ordered)))


def bounded(name: str) -> str:
    pattern = re.escape(name)
    if name[0].isascii():
        pattern = EDGE[0] + pattern
    return pattern + EDGE[1] if name[-1].isascii() else pattern


@dataclass(frozen=True)
class Use:
    """术语在正文里的一次出现。"""

    term: str
    passage: Passage
    start: int
    is_linked: bool


def uses(passages: Iterable[Passage], terms: Iterable[str]) -> Iterator[Use]:
    """依次给出正文里的术语；别的链接里的文字不算。"""
    pattern = names_pattern(terms)
    for passage in passages:
        if not passage.is_running:
            continue
        covered = list(passage.links)
        found = [
            Use(target, passage, start, True) for start, _, target in covered if target
        ]
        for match in pattern.finditer(passage.text):
            if not any(start < match.end() and match.start() < end
                       for start, end, _ in covered):  # fmt: skip
                found.append(Use(match[0], passage, match.start(), False))
        yield from sorted(found, key=lambda use: use.start)


def link_faults(
    passages: Iterable[Passage], terms: Iterable[str]
) -> Iterator[tuple[Use, str]]:
    """第一次出现而没有链接的，和以后重复链接的，各带一句说明。"""
    seen: set[str] = set()
    for use in uses(passages, terms):
        if use.term not in seen and not use.is_linked:
            yield use, f'「{use.term}」在本章第一次出现，应写作 {{term}}`{use.term}`'
        elif use.term in seen and use.is_linked:
            yield use, f'「{use.term}」前面已有链接，这里应写作普通的文字'
        seen.add(use.term)
