"""笔记本里的图存成什么：含图像的是密度加倍的 PNG，曲线、条形、点另有 SVG。

JupyterLab 不显示别处来的笔记本里的 SVG（没有运行过的，它不信任），所以同一个输出里也放一份
PNG；能用 SVG 的网页与界面先选 SVG。
"""

from base64 import b64encode
from io import BytesIO

import matplotlib
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image, ImageChops  # matplotlib 自己要用，总是装着

DENSITY = 2  # 每个 CSS 像素几个点
PALETTE, NOTICEABLE = 256, 8  # 用几种颜色；差这么多级（满值 255）才看得出
STEP = NOTICEABLE - 1  # 颜色太多时每个通道隔几级留一级：相邻两级还看不出
# 同一幅图每次存得一模一样：编号由内容算出，不写日期与 matplotlib 的版本。
REPEATABLE = {'svg.hashsalt': 'deepcnn', 'svg.fonttype': 'path'}
NO_METADATA = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))


def is_picture(fig: Figure) -> bool:
    """图里有没有图像：卷积核、特征图、热力图。"""
    return bool(fig.findobj(AxesImage))


def as_svg(fig: Figure) -> str:
    """放大也清楚。字画成轮廓：别人的电脑上没有随书的字体。

    写成一行：没有文字，空白都可以合并，而笔记本把每一行存成一个字符串。
    """
    with matplotlib.rc_context(REPEATABLE):
        svg = _saved(fig, format='svg', metadata=NO_METADATA)
    return ' '.join(svg.decode('utf-8').split())


def as_png(fig: Figure) -> bytes:
    """含图像的图：256 种颜色够用就用调色板，字节少一半多；照片这样的不够用，级数少一些。"""
    drawn = _drawn(fig)
    few = _with_palette(drawn)
    difference = ImageChops.difference(few.convert('RGB'), drawn)
    worst = max(high for _, high in difference.getextrema())
    return _encoded(fig, few if worst < NOTICEABLE else _rounded(drawn))


def as_small_png(fig: Figure) -> bytes:
    """只有几种颜色的图，用调色板。"""
    return _encoded(fig, _with_palette(_drawn(fig)))


def _with_palette(image: Image.Image) -> Image.Image:
    """最坏的一点差得最少：占地少的细线与小点、浅色的带也不变色。"""
    coverage = Image.Quantize.MAXCOVERAGE
    return image.quantize(PALETTE, coverage, dither=Image.Dither.NONE)


def _rounded(image: Image.Image) -> Image.Image:
    """每个通道取最近的一级，从白数起；至多差 3 级，照片的字节少四成多。"""
    return image.point(lambda level: max(0, 255 - round((255 - level) / STEP) * STEP))


def _drawn(fig: Figure) -> Image.Image:
    """画成像素；这一份不压缩，随后还要另存。"""
    fast = {'compress_level': 0}
    drawn = _saved(fig, format='png', dpi=DENSITY * fig.dpi, pil_kwargs=fast)
    return Image.open(BytesIO(drawn)).convert('RGB')


def _encoded(fig: Figure, image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, 'PNG', optimize=True, dpi=(DENSITY * fig.dpi,) * 2)
    return buffer.getvalue()


def _saved(fig: Figure, **options: object) -> bytes:
    """没有用布局引擎的图，标题可能伸出边界，所以照内容裁；用了的不必。"""
    crop = None if fig.get_layout_engine() else 'tight'
    buffer = BytesIO()
    fig.savefig(buffer, bbox_inches=crop, facecolor=fig.get_facecolor(), **options)
    return buffer.getvalue()


def bundle(fig: Figure) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """一幅图的输出与元数据，按 Jupyter 的格式；空的图什么也没有。"""
    if not fig.axes:
        return {}, {}
    data = {} if is_picture(fig) else {'image/svg+xml': as_svg(fig)}
    png = as_small_png(fig) if data else as_png(fig)
    data['image/png'] = b64encode(png).decode('ascii')
    return data, {'image/png': shown_size(png)}


def shown_size(png: bytes) -> dict[str, int]:
    """加倍的 PNG 占几个 CSS 像素；写进输出的元数据，JupyterLab 才不会把它放大一倍。"""
    places = {'width': 16, 'height': 20}  # 宽、高在 PNG 里的位置，各 4 个字节
    return {
        name: int.from_bytes(png[at : at + 4], 'big') // DENSITY
        for name, at in places.items()
    }
