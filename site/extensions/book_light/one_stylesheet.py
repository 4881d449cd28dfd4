"""把页首的十来个样式表合成一个，浏览器少等一个来回就能显示页面。

样式表不到齐，浏览器什么也不画；主题的 theme.css 里还有 ``@import``，要等它到了才去取
下一个。合成之后只有一个请求。用不到的规则也一并去掉。
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit

from .icon_font import with_used_icons
from .unused_rules import Names, without_unused_rules

SHEET = re.compile(
    r'[ \t]*<link(?=[^>]*\brel="stylesheet")(?![^>]*\bmedia=)[^>]*\bhref="([^":]+)"[^>]*>\n?'
)
IMPORT = re.compile(r'@import (?:url\()?["\']?([^"\')]+)["\']?\)?;')
ADDRESS = re.compile(r'url\(\s*(["\']?)(?!data:|https?:|#|/)([^)"\']+)\1\s*\)')


def local_path(href: str) -> str:
    return urlsplit(href).path


def read_sheet(static: Path, name: str) -> str:
    """读一个样式表；``name`` 相对于 _static。导入的内容就地展开，地址改为相对于 _static。"""
    text = (static / name).read_text(encoding='utf-8')
    folder = name.rpartition('/')[0] or '.'

    def inline(match: re.Match[str]) -> str:
        return read_sheet(static, normpath(f'{folder}/{local_path(match[1])}'))

    def relative(match: re.Match[str]) -> str:
        return f'url({normpath(folder + "/" + match[2])})'

    # 先改地址再展开：展开的内容已经改过。
    return IMPORT.sub(inline, ADDRESS.sub(relative, text))


@dataclass
class Bundler:
    """把页面里的样式表换成合成的一个；同样的组合只写一次。"""

    static: Path
    used: Names  # 页面与脚本里出现过的
    written: dict[tuple[str, ...], str] = field(default_factory=dict)
    sheets: dict[str, str] = field(default_factory=dict)  # 几种组合里共有的只挑一遍

    def bundle(self, page: str, to_root: str) -> str:
        """返回只引用一个样式表的网页；``to_root`` 是从这页到网站根目录的路径。"""
        prefix = f'{to_root}_static/'
        head, separator, body = page.partition('</head>')
        links = [m for m in SHEET.finditer(head) if m[1].startswith(prefix)]
        names = tuple(normpath(local_path(m[1].removeprefix(prefix))) for m in links)
        if len(links) < 2:
            return page
        sheet = self.written.get(names) or self.write(names)
        tag = f'<link rel="stylesheet" type="text/css" href="{prefix}{sheet}" />\n'
        for index, match in enumerate(links):
            head = head.replace(match[0], tag if index == 0 else '', 1)
        return head + separator + body

    def write(self, names: tuple[str, ...]) -> str:
        css = '@charset "utf-8";\n' + '\n'.join(self.kept(name) for name in names)
        css = with_used_icons(css, self.static)
        digest = hashlib.sha256(css.encode()).hexdigest()[:12]
        name = f'book-{digest}.css'
        (self.static / name).write_text(css, encoding='utf-8')
        self.written[names] = name
        return name

    def kept(self, name: str) -> str:
        """样式表 ``name`` 里用得到的规则。"""
        if name not in self.sheets:
            css = read_sheet(self.static, name).replace('@charset "utf-8";', '')
            self.sheets[name] = without_unused_rules(css, self.used)
        return self.sheets[name]
