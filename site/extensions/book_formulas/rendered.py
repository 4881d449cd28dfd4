"""排好的公式：从 formulas.json 读入，按 LaTeX 取用。"""

import html
import json
import re
from pathlib import Path

RENDERED = Path(__file__).resolve().parent / 'formulas.json'
LATEX = re.compile(r'\\\((?P<inline>.*?)\\\)|\\\[(?P<display>.*?)\\\]', re.DOTALL)
FOCUSABLE = '<mjx-container tabindex="0" '
# 行内公式宽过这些（1ex 约 9 像素）时，最窄的手机（320 像素）上放不下。
WIDEST_INLINE = 28
WIDTH = re.compile(r'<svg[^>]*? width="([\d.]+)ex"')


def formula_key(latex: str, display: bool) -> str:
    """formulas.json 里的键：空白不影响排版，所以压成一个空格。"""
    return ('D ' if display else 'I ') + ' '.join(latex.split())


def read_rendered() -> dict[str, str]:
    """读 formulas.json；公式里的 ``d="@序号"`` 换回字形的轮廓。"""
    if not RENDERED.exists():
        return {}
    stored = json.loads(RENDERED.read_text('utf-8'))
    outlines = [f'd="{outline}"' for outline in stored['glyphs']]

    def outline(match: re.Match[str]) -> str:
        return outlines[int(match[1])]

    return {
        key: re.sub(r'd="@(\d+)"', outline, svg)
        for key, svg in stored['formulas'].items()
    }


def may_scroll(svg: str, display: bool) -> bool:
    """排好的公式在手机上是否要横向滚动。"""
    width = WIDTH.search(svg)
    return display or bool(width and float(width[1]) > WIDEST_INLINE)


class Formulas:
    """排好的公式，以及这次构建里遇到的全部公式。"""

    def __init__(self, rendered: dict[str, str]) -> None:
        self.rendered = rendered
        self.met: dict[str, None] = {}

    def typeset(self, markup: str) -> str:
        r"""把 ``\(…\)``、``\[…\]`` 换成排好的 SVG；没有排过的原样返回。"""

        def replace(match: re.Match[str]) -> str:
            display = match['inline'] is None
            latex = html.unescape(match['display'] if display else match['inline'])
            key = formula_key(latex, display)
            self.met[key] = None
            markup = self.rendered.get(key, match[0])
            # 手机上宽的公式要横向滚动：能获得焦点，键盘才滚得动它。
            if may_scroll(markup, display):
                return markup.replace('<mjx-container ', FOCUSABLE, 1)
            return markup

        return LATEX.sub(replace, markup)
