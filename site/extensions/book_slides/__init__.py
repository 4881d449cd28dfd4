"""每一章的幻灯片：_build/html/slides/章名.html，由笔记本里标着 ``slideshow`` 的单元导出。

导出用 nbconvert 的 SlidesExporter，放映用随书的 reveal.js；整个文件夹从磁盘打开也能放，
不取站外的东西。窄的屏幕、打印和没有脚本时，同一个文件是一页页接着的普通网页。
"""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
MARK = '"slide_type": "slide"'  # 有幻灯片的笔记本里都有这几个字
STATIC = ('reveal/reveal.js', 'reveal/LICENSE', 'deck.js')


def write_static(folder: Path) -> None:
    (folder / 'reveal').mkdir(parents=True, exist_ok=True)
    for name in STATIC:
        shutil.copyfile(HERE / name, folder / name)
    (folder / 'deck.css').write_text(stylesheet(), encoding='utf-8')


def stylesheet() -> str:
    """reveal.js 的样式只给宽的屏幕；本书自己的接在后面，代码的颜色由 Pygments 给。"""
    from pygments.formatters import HtmlFormatter

    reveal, own = (
        (HERE / name).read_text(encoding='utf-8')
        for name in ('reveal/reveal.css', 'deck.css')
    )
    code = HtmlFormatter(style='a11y-high-contrast-light').get_style_defs('.highlight')
    return f'@media screen and (min-width: 700px) {{\n{reveal}\n}}\n{code}\n{own}'


def is_fresh(deck: Path, notebook: Path) -> bool:
    """笔记本、本扩展与排好的公式都没有变，就不必重新导出。"""
    if not deck.exists():
        return False
    formulas = HERE.parent / 'book_formulas' / 'formulas.json'
    sources = [notebook, formulas, *HERE.rglob('*.py'), *HERE.rglob('*.j2')]
    return max(path.stat().st_mtime for path in sources) < deck.stat().st_mtime


def write_decks(root: Path, folder: Path) -> None:
    """把有幻灯片的各章写进 ``folder``；已经没有的删去。"""
    from .deck_cells import deck_of, notebooks
    from .deck_text import Writer

    found = {path.stem: path for path in notebooks(root)}
    for old in folder.glob('*.html'):
        if old.stem not in found:
            old.unlink()
    if not found:
        return
    write_static(folder)
    (folder / 'img').mkdir(exist_ok=True)
    exporter, writer = None, None
    for name, path in found.items():
        target = folder / f'{name}.html'
        if is_fresh(target, path):
            continue
        exporter, writer = exporter or make_exporter(), writer or Writer()
        page, _ = exporter.from_notebook_node(deck_of(path, writer, folder / 'img'))
        target.write_text(page + '\n', encoding='utf-8')


def make_exporter() -> object:
    from nbconvert.exporters import SlidesExporter

    return SlidesExporter(
        template_name='book', extra_template_basedirs=[str(HERE / 'template')]
    )


def slides_link(app: Sphinx, document: str) -> str:
    """一章标题下的一行里，通到它的幻灯片的链接；没有幻灯片的页是空的。"""
    notebook = Path(app.srcdir) / f'{document}.ipynb'
    if notebook.parent.name != 'chapters' or not notebook.exists():  # 见 deck_cells.notebooks
        return ''
    if MARK not in notebook.read_text(encoding='utf-8'):
        return ''
    page = app.builder.get_relative_uri(document, f'slides/{notebook.stem}')
    return f'<a class="slides-link" href="{page}">幻灯片</a>'


def when_built(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == 'html':
        write_decks(Path(app.srcdir), Path(app.outdir) / 'slides')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect('build-finished', when_built, priority=950)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
