"""活页的脚本怎样送到读者那里：几份源码接成一个文件，去掉注释与用不着的空格。

源码在 site/assets/living/，一份一件事，带着说明；读者的浏览器一次取一个部件的全部，大小约是原来
的一半。没有换名字，也没有别的改动：浏览器里看到的仍是同样的程序，一句还是一行。
"""

import re
from pathlib import Path

# 成品里的一个脚本 → 它由哪几份源码依次接成。
JOINED: dict[str, tuple[str, ...]] = {
    'frame': ('frame',),
    'structure': ('layer_arithmetic', 'layer_words', 'structure_drawing', 'structure'),
    'convolution': ('sliding', 'stepper_controls', 'convolution'),
    'window': ('window',),
    'stacked': ('stacked',),
    'mixing': ('mixing',),
    'predict': ('guess', 'predict'),
    'lab': ('colors', 'lab_input', 'lab_scores', 'lab'),
    'picker': ('lab_own',),
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
# 页面里写得的部件。
PARTS = (
    'structure', 'convolution', 'predict', 'lab', 'replay', 'train', 'compared', 'confusion',
    'disagree',
)  # fmt: skip
# 部件 → 在它自己的脚本之前还要先载入的。
FIRST: dict[str, tuple[str, ...]] = {'confusion': ('cards',), 'disagree': ('cards',)}
# 步进器的 mode → 画那一种样子的脚本。
MODES = {'window': 'window', 'stack': 'stacked', 'ones': 'mixing'}
# 几个脚本接成一个：读者点一下就全要的，一起压缩小一成。
TOGETHER: dict[str, tuple[str, ...]] = {'bench': ('lab', 'own', 'look', 'laboratory')}
# 字符串与模板（里面可以再有一层模板）照抄；注释与换行前后的空格合成一个换行，左括号与逗号之后、
# 右括号之前的不留；记号两边不留空格，除非会凑成 ++ 或 --。
INNER = r'`(?:\\.|[^`\\])*`'
BLANK = r'(?:[ \t]*(?:/\*.*?\*/|//[^\n]*)|\s*\n\s*)'
PIECE = re.compile(
    r"""(?P<kept>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*\""""
    rf'|`(?:\\.|\$\{{(?:{INNER}|[^`}}])*\}}|[^`\\])*`)'
    rf'|{BLANK}+(?:(?P<close>[)}}\]]) *)?'
    rf'|(?<![-+]) *(?P<open>[,({{\[])(?: |{BLANK})*'
    r'|(?<![-+]) *(?P<mark>[-+*/%=<>?:;!&|)}\]]) *(?![-+])',
    re.S,
)
# 只写在有部件的每页都先取的 frame 里。
HEADING = '/* 源码连同说明：仓库的 site/assets/living/ */\n'


def needed(part: str, options: dict[str, str]) -> list[str]:
    """写着 ``options`` 的部件 ``part`` 快要看到、或读者点过之后载入的脚本，依次。

    没有这个部件，或步进器没有这种 mode 时，抛出 KeyError。
    """
    if part not in PARTS:
        raise KeyError(part)
    if part == 'lab' and 'open' in options:
        return ['bench']
    if part == 'convolution':
        return ['convolution', MODES[options.get('mode', 'window')]]
    return [*FIRST.get(part, ()), part]


def sources_of(script: str) -> tuple[str, ...]:
    """成品里的一个脚本由哪几份源码接成。"""
    return sum((JOINED[one] for one in TOGETHER.get(script, (script,))), ())


def without_comments(source: str) -> str:
    """去掉注释与用不着的空格。源码的正则表达式里不能有引号、空格与 //。"""

    def plain(match: re.Match[str]) -> str:
        return next(filter(None, match.groups()), '\n' * ('\n' in match[0]))

    return PIECE.sub(plain, source)


def write_scripts(source: Path, folder: Path) -> None:
    """由文件夹 ``source`` 写进 ``folder``；那里别的脚本（抄来的源码）删去。

    各份源码都是一个立即执行的函数，接起来要有分号，否则前一个的结果会被当作函数调用。
    """
    for old in folder.glob('*.js'):
        old.unlink()
    for name in (*JOINED, *TOGETHER):
        holds = ''.join(f"Living.holds('{one}');\n" for one in TOGETHER.get(name, ()))
        texts = [(source / f'{one}.js').read_text('utf-8') for one in sources_of(name)]
        heading = HEADING if name == 'frame' else ''
        joined = heading + holds + without_comments(';\n'.join(texts)).lstrip()
        (folder / f'{name}.js').write_text(joined, encoding='utf-8', newline='\n')


def write_plain(source: Path, folder: Path) -> None:
    """文件夹 ``source`` 里各页自己载入的脚本，一份是一个，同样去掉注释。"""
    for path in source.glob('*.js'):
        plain = without_comments(path.read_text('utf-8')).lstrip()
        (folder / path.name).write_text(plain, encoding='utf-8', newline='\n')
