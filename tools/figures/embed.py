"""把 img/*.svg 画成 PNG，嵌进用到它们的笔记本。

笔记本因此不靠旁边的文件：从哪一级打开、在 Colab 或 VS Code 里、单独下载一个文件，图都
在。网站仍用 SVG。PNG 里记着所画 SVG 的摘要，没有变的不重画；要画时需要 Chromium。
"""

import base64
import hashlib
import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / folder)
    for folder in ('', 'tools', 'tools/book', 'tools/site', 'site/extensions')
]

from book_pages.plain_markdown import PICTURE  # noqa: E402
from command_line import Command, run  # noqa: E402
from fill_plain import book_pages, rewrite_markdown  # noqa: E402
from headless_chromium import BrowserError, run_browser  # noqa: E402

from deepcnn.plot.chinese_font import FONT  # noqa: E402
from deepcnn.records.store import write_text  # noqa: E402

PREFIX = 'data:image/png;base64,'
SCALE = 2  # 高分屏上也清楚；显示的宽度写在 <img> 里
COLOURS = 64  # 线条图用不到更多，文件小一半以上
DIGEST = 'svg-sha256'  # PNG 里这一项记着 SVG 的摘要


def digest(svg: Path) -> str:
    return hashlib.sha256(svg.read_bytes()).hexdigest()


def size_of(svg: Path) -> tuple[int, int]:
    """SVG 写明的宽与高，像素。"""
    head = svg.read_text(encoding='utf-8')[:300]
    width, height = re.search(r'<svg [^>]*width="(\d+)" height="(\d+)"', head).groups()
    return int(width), int(height)


def drawn_from(source: str) -> str:
    """嵌着的 PNG 画的是哪一份 SVG（摘要）；还没有图时是空的。"""
    if not source.startswith(PREFIX):
        return ''
    data = base64.b64decode(source.removeprefix(PREFIX))
    return Image.open(io.BytesIO(data)).text.get(DIGEST, '')


def draw_png(svg: Path) -> bytes:
    """用随书的中文字体画；没有 Chromium 时抛出 BrowserError。"""
    width, height = size_of(svg)
    page = (
        f'<style>@font-face{{font-family:"Noto Sans CJK SC";src:url({FONT.as_uri()})}}'
        f'html,body{{margin:0}}svg{{display:block}}</style>{svg.read_text("utf-8")}'
    )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / 'figure.html', Path(folder) / 'figure.png'
        source.write_text(f'<!doctype html><meta charset="utf-8">{page}', 'utf-8')
        run_browser(
            f'--screenshot={target}', f'--force-device-scale-factor={SCALE}',
            f'--window-size={width},{height}', '--hide-scrollbars',
            '--virtual-time-budget=3000', source.as_uri(),
        )  # fmt: skip
        image = Image.open(target).convert('RGB').quantize(COLOURS)
    noted = PngInfo()
    noted.add_text(DIGEST, digest(svg))
    written = io.BytesIO()
    image.save(written, 'PNG', optimize=True, pnginfo=noted)
    return written.getvalue()


def with_picture(match: re.Match[str], root: Path = ROOT) -> str:
    """注释、<img> 两行，图是最新的。"""
    name, alt, _, source = match.groups()
    svg = root / name
    if drawn_from(source) != digest(svg):
        source = PREFIX + base64.b64encode(draw_png(svg)).decode()
    width, _ = size_of(svg)
    return f'<!-- {name} -->\n<img alt="{alt}" width="{width}" src="{source}">'


def embedded(path: Path) -> str:
    """一个笔记本嵌进最新的图之后的内容。"""
    return rewrite_markdown(path, lambda cell: re.sub(PICTURE, with_picture, cell))


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    for path in book_pages():
        if path.suffix != '.ipynb':
            continue
        try:
            text = embedded(path)
        except (BrowserError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
        if path.read_text(encoding='utf-8') != text:
            write_text(path, text)
            print(f'已嵌入 {path.relative_to(ROOT).as_posix()}')
    return 0


if __name__ == '__main__':
    run(main)
