"""从主题的图标字体取出用得到的图标，写进 _ext/icons/。

用法：python tools/subset_icons.py     先运行 make book；需要 fonttools 与 brotli

只在页面用了新的图标、tests/test_weight.py 要求时运行。
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / '_ext'))

import pydata_sphinx_theme  # noqa: E402
from fontTools import subset  # noqa: E402
from fontTools.ttLib import TTFont  # noqa: E402
from icon_fonts import FONTS, ICONS, icon_points, used_icons  # noqa: E402

SITE = ROOT / '_build' / 'html'
THEME = Path(pydata_sphinx_theme.__file__).parent / 'theme/pydata_sphinx_theme/static'
# 设置了仓库地址、打开了运行按钮之后才会出现的图标。
LATER = {
    'fa-bars', 'fa-circle-question', 'fa-code-branch', 'fa-github', 'fa-gitlab',
    'fa-lightbulb', 'fa-pencil-alt', 'fa-play', 'fa-rocket', 'fa-xmark',
}  # fmt: skip


def main() -> int:
    if not (SITE / 'index.html').exists():
        print('网站还没有建：请先运行 make book', file=sys.stderr)
        return 1
    points = icon_points(SITE / '_static', used_icons(SITE) | LATER)
    ICONS.mkdir(exist_ok=True)
    covered = {}
    for name in FONTS:
        font = TTFont(THEME / 'vendor/fontawesome/webfonts' / name)
        wanted = points & font.getBestCmap().keys()
        options = subset.Options(layout_features=[], hinting=False, flavor='woff2')
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=wanted)
        subsetter.subset(font)
        font.flavor = 'woff2'
        font.save(ICONS / name)
        covered[name] = sorted(f'{point:x}' for point in wanted)
        print(f'{name}：{len(wanted)} 个图标，{(ICONS / name).stat().st_size} 字节')
    text = json.dumps(covered, indent=0)
    (ICONS / 'icons.json').write_text(text + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
