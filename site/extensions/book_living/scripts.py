"""活页的脚本怎样送到读者那里：几份源码接成一个文件，去掉注释与行首的空格。

源码在 site/assets/living/，一份一件事，带着说明；读者的浏览器一次取一个部件的全部，大小不到原来
的三分之二。没有换名字，也没有别的改动：浏览器里看到的仍是同样的程序。
"""

import re
from pathlib import Path

# 成品里的一个脚本 → 它由哪几份源码依次接成。
JOINED: dict[str, tuple[str, ...]] = {
    'frame': ('frame',),
    'structure': ('layer_arithmetic', 'layer_words', 'structure_drawing', 'structure'),
    'convolution': ('sliding', 'stepper_controls', 'stacked', 'mixing', 'convolution'),
    'predict': ('guess', 'predict'),
    'lab': ('colors', 'lab_input', 'lab_scores', 'lab'),
    'own': ('pad', 'picture'),
    'look': ('lab_surgery', 'lab_maps', 'lab_heat'),
    'laboratory': ('kernel', 'engine', 'laboratory'),
    'replay': ('bytes', 'chart', 'film', 'replay'),
    'train': ('bytes', 'chart', 'lenet_training', 'training_pictures', 'train'),
    'compared': ('chart', 'comparison_chart', 'compared'),
    'cards': ('bytes', 'answers', 'image_cards'),
    'confusion': ('confusion',),
    'disagree': ('disagree',),
}
# 部件 → 在它自己的脚本之前还要先载入的。
FIRST: dict[str, tuple[str, ...]] = {'confusion': ('cards',), 'disagree': ('cards',)}
# 字符串、模板照抄；注释与换行前后的空格合成一个换行。
PIECE = re.compile(
    r"""(?P<kept>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)"""
    r"""|(?:[ \t]*(?:/\*.*?\*/|//[^\n]*)|\s*\n\s*)+""",
    re.S,
)
HEADING = '/* 源码连同说明：仓库的 site/assets/living/ */\n'


def needed(part: str) -> list[str]:
    """部件 ``part`` 快要看到时载入的脚本，依次。"""
    return [*FIRST.get(part, ()), part]


def without_comments(source: str) -> str:
    """去掉注释与行首的空格。源码的正则表达式里不能有引号与 //。"""

    def plain(match: re.Match[str]) -> str:
        return match['kept'] or ('\n' if '\n' in match[0] else '')

    return PIECE.sub(plain, source)


def write_scripts(source: Path, folder: Path) -> None:
    """由文件夹 ``source`` 写进 ``folder``；那里别的脚本（抄来的源码）删去。

    各份源码都是一个立即执行的函数，接起来要有分号，否则前一个的结果会被当作函数调用。
    """
    for old in folder.glob('*.js'):
        old.unlink()
    for name, files in JOINED.items():
        texts = [(source / f'{one}.js').read_text('utf-8') for one in files]
        joined = HEADING + without_comments(';\n'.join(texts)).lstrip()
        (folder / f'{name}.js').write_text(joined, encoding='utf-8', newline='\n')
