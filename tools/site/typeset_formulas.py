"""用 MathJax 把全书的公式排成 SVG，存进 site/extensions/book_formulas/。

先运行 make book，它写出公式的清单。
"""

import html
import json
import re
import sys
import tempfile
from pathlib import Path

from headless_chromium import BrowserError, run_browser

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_text  # noqa: E402

LIST = ROOT / '_build' / 'formulas.json'
MATHJAX = ROOT / 'site' / 'extra' / 'mathjax' / 'tex-svg-full.js'
TARGET = ROOT / 'site' / 'extensions' / 'book_formulas' / 'formulas.json'

# fontCache 'none'：每个公式自成一体，不引用页面别处的字形。
PAGE = """<!doctype html>
<meta charset="utf-8">
<body><pre id="result"></pre>
<script>
window.MathJax = {
  svg: {fontCache: 'none'},
  options: {enableMenu: false},
  startup: {typeset: false, ready() {
    MathJax.startup.defaultReady();
    const keys = JSON.parse(document.getElementById('keys').textContent);
    const rendered = keys.map((key) => {
      const box = MathJax.tex2svg(key.slice(2), {display: key.startsWith('D')});
      return box.outerHTML;
    });
    document.getElementById('result').textContent = JSON.stringify(rendered);
  }},
};
</script>
<script type="application/json" id="keys">KEYS</script>
<script src="MATHJAX"></script>
"""
RESULT = re.compile(r'<pre id="result">(.*?)</pre>', re.DOTALL)
INTERNAL = re.compile(
    r' (?:tabindex|ctxtmenu_counter|data-c|data-mml-node|data-mjx-texclass|focusable'
    r'|stroke|stroke-width|xmlns)="[^"]*"'
)
OUTLINE = re.compile(r'\bd="([^"@]+)"')
DIGITS = re.compile(r'-?\d+\.\d{4,}')


def render(keys: list[str]) -> dict[str, str]:
    """返回 {键: SVG}；MathJax 排不了的公式会报错。"""
    listed = json.dumps(keys, ensure_ascii=False).replace('</', '<\\/')
    page = PAGE.replace('KEYS', listed).replace('MATHJAX', MATHJAX.as_uri())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'formulas.html'
        path.write_text(page, encoding='utf-8')
        dom = run_browser('--virtual-time-budget=60000', '--dump-dom', path.as_uri())
    found = RESULT.search(dom)
    if not found or not found[1]:
        raise BrowserError('MathJax 没有排出公式')
    rendered = dict(zip(keys, json.loads(html.unescape(found[1])), strict=True))
    for key, svg in rendered.items():
        if 'data-mjx-error' in svg:
            raise BrowserError(f'MathJax 不认得这个公式：{key[2:]}')
    return {key: tidy(svg) for key, svg in sorted(rendered.items())}


def tidy(svg: str) -> str:
    """去掉只供 MathJax 自己的脚本用的属性，小数留三位。"""
    svg = INTERNAL.sub('', svg).replace('></path>', '/>')
    return DIGITS.sub(lambda match: f'{float(match[0]):.3f}', svg)


def compact(rendered: dict[str, str]) -> dict[str, dict[str, str] | list[str]]:
    """同一个字形只存一次：公式里写 ``d="@序号"``，book_formulas 再换回来。"""
    glyphs: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f'd="@{glyphs.setdefault(match[1], len(glyphs))}"'

    formulas = {key: OUTLINE.sub(number, svg) for key, svg in rendered.items()}
    return {'formulas': formulas, 'glyphs': list(glyphs)}


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    if not LIST.exists():
        print('没有公式清单：请先运行 make book', file=sys.stderr)
        return 1
    try:
        rendered = render(json.loads(LIST.read_text(encoding='utf-8')))
    except BrowserError as error:
        print(error, file=sys.stderr)
        return 1
    text = json.dumps(compact(rendered), ensure_ascii=False, indent=0)
    write_text(TARGET, text + '\n')
    print(f'已排好 {len(rendered)} 个公式，写入 {TARGET.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    run(main)
