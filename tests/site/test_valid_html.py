"""网页是合法的 HTML：标签一一对应，段落、摘要、链接里没有放不进去的元素，锚点不重复。

浏览器会悄悄改正放错的元素，样式与读屏软件看到的就不是写下的。另用 Nu Html Checker 查过一遍。
"""

import re
from collections import Counter
from functools import cache

import pytest
from book_light.site_files import built_pages
from built_site import SITE, built_file

# 不看的：注释、脚本，和排好的公式（都是 MathJax 写的）。
SKIPPED = re.compile(
    r'<!--.*?-->|<!doctype[^>]*>|<(script|style|template|mjx-container)\b.*?</\1>',
    re.S | re.I,
)
TAG = re.compile(r'<(/?)([a-zA-Z][\w-]*)((?:[^>"\']|"[^"]*"|\'[^\']*\')*?)(/?)>')
VOID = {'area', 'base', 'br', 'col', 'hr', 'img', 'input', 'link', 'meta', 'source', 'wbr'}
BLOCKS = {
    'article', 'aside', 'details', 'div', 'dl', 'figure', 'footer', 'form', 'h1', 'h2', 'h3',
    'header', 'hr', 'main', 'nav', 'ol', 'p', 'pre', 'section', 'table', 'ul',
}  # fmt: skip
INTERACTIVE = {'a', 'button', 'details', 'input', 'select', 'textarea'}
# 元素 → 它里面（不管隔几层）不许有的。
FORBIDDEN = {
    'p': BLOCKS,
    'summary': BLOCKS - {'h1', 'h2', 'h3'},
    'h1': BLOCKS, 'h2': BLOCKS, 'h3': BLOCKS,
    'a': INTERACTIVE,
    'button': INTERACTIVE | BLOCKS,
}  # fmt: skip


def misplaced(html: str) -> list[str]:
    """标签不对应、放错了地方的；每处一句话。"""
    found: list[str] = []
    opened: list[str] = []
    for closing, name, _, empty in TAG.findall(SKIPPED.sub('', html)):
        if closing:
            if not opened or opened[-1] != name:
                return [*found, f'</{name}> 对应的是 {opened[-1:]}']
            opened.pop()
            continue
        found += [f'{name} 在 {one} 里' for one in opened if name in FORBIDDEN.get(one, ())]
        if not empty and name not in VOID:
            opened.append(name)
    return found + [f'{name} 没有关上' for name in opened]


@pytest.mark.parametrize(
    ('html', 'wrong'),
    [
        ('<div><p>甲<br>乙</p><img src="a>b"></div>', []),
        ('<svg><path d="M0"/></svg><script>if (a < b) "<p>"</script>', []),
        ('<summary><p>甲</p></summary>', ['p 在 summary 里']),
        ('<p><div></div></p>', ['div 在 p 里']),
        ('<a><span><a></a></span></a>', ['a 在 a 里']),
        ('<div><span></div>', ["</div> 对应的是 ['span']"]),
        ('<div>', ['div 没有关上']),
    ],
)
def test_misplaced_elements_are_found(html: str, wrong: list[str]) -> None:
    assert misplaced(html) == wrong


@cache
def pages() -> dict[str, str]:
    built_file()
    return {
        path.relative_to(SITE).as_posix(): path.read_text('utf-8')
        for path in built_pages(SITE)
    }


def test_every_element_is_where_it_may_be() -> None:
    wrong = {name: misplaced(html) for name, html in pages().items()}
    assert len(wrong) > 25
    assert not {name: found for name, found in wrong.items() if found}


def test_no_anchor_appears_twice() -> None:
    for name, html in pages().items():
        ids = Counter(re.findall(r'<[a-zA-Z][^<>]*? id="([^"]+)"', SKIPPED.sub('', html)))
        assert ids or name == '404.html'
        assert not ids or ids.most_common(1)[0][1] == 1, f'{name}：{ids.most_common(1)}'
