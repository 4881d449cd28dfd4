"""一张图像文件 → 网络要的 uint8 方图；什么样的文件都不会使训练中断。

次序：解码（JPEG 大得多时只解到够用的大小），16 位换成 8 位，透明处铺白，取正中最大的方块
缩放，再照 EXIF 转正。动图取第一帧。
"""

import errno
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

# 只认这些：Pillow 还认 EPS 一类要另外启动程序的格式。手机的多图 JPEG（MPO）也算 JPEG。
FORMATS = ('JPEG', 'PNG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'PPM')
MODES = {1: 'L', 3: 'RGB'}
ORIENTATION = 0x0112  # EXIF 里记着相机怎样拿的
BITS = 258  # TIFF 里每个像素几位
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# 坏掉的 EXIF、很大的图：Pillow 用英文警告，这里另有中文的说法。逐次屏蔽在线程里不安全。
warnings.filterwarnings('ignore', module=r'PIL\.')
AHEAD = 4  # 每个线程最多领先几张：内存不随文件夹变大


class BadImage(ValueError):
    """读不了的图像；消息是原因，不含文件名。"""


class Unreachable(BadImage):
    """这一次没有读到，文件未必坏：没有权限、内存不够、磁盘出错。"""


def read_image(path: Path | str, side: int, channels: int) -> Tensor:
    """uint8 (channels, side, side)；读不了时抛出 BadImage，说明原因。"""
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.draft(MODES[channels], (2 * side, 2 * side))
            image.load()
            small = _square(_eight_bit(image, channels), side)
            turned = _upright(small, image)
    except UnidentifiedImageError:
        raise BadImage('不是认识的图像格式，或开头已损坏') from None
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise BadImage(f'超过 {most:,} 个像素，请先缩小') from None
    except BadImage:
        raise
    except MemoryError:
        raise Unreachable('内存放不下，请先缩小') from None
    except PermissionError:
        raise Unreachable('没有读的权限') from None
    except Exception as error:  # 损坏的文件使 Pillow 抛出各种异常，没有共同的类
        # Pillow 自己的没有号码；残缺的文件指到很远的地方时，是 EINVAL
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise Unreachable(f'磁盘没有读出来（{error.strerror}）') from None
        raise BadImage(f'残缺或已损坏（{" ".join(str(error).split())[:80]}）') from None
    pixels = torch.from_numpy(np.array(turned))
    return pixels.view(side, side, -1).movedim(2, 0).contiguous()


def _eight_bit(image: Image.Image, channels: int) -> Image.Image:
    """8 位的灰度或彩色；透明的地方铺白。"""
    if image.mode.startswith('I'):  # 16 位的 PNG、PGM 与 TIFF
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise BadImage('每个像素超过 16 位，请先换成 8 位')
        white = _white(image, int(values.max()))
        values = (255 * values + white // 2) // white  # 四舍五入
        image = Image.fromarray(values.astype(np.uint8))
    elif image.mode == 'F':
        raise BadImage('像素是小数，请先换成 8 位')
    elif 'A' in image.mode or 'a' in image.mode or 'transparency' in image.info:
        layer = image.convert('RGBA')
        white = Image.new('RGBA', layer.size, 'white')
        image = Image.alpha_composite(white, layer)
    return image.convert(MODES[channels])


def _white(image: Image.Image, brightest: int) -> int:
    """多于 8 位的灰度图里，白是多少；``brightest`` 是最亮的像素。"""
    if image.format == 'TIFF':
        if image.tag_v2.get(BITS) == (12,):
            return 4095
        if image.mode == 'I' and brightest <= 255:  # 32 位的没有规定：8 位的数也这样存
            return 255
    return 65535  # PNG 由格式规定，PGM 由 Pillow 换算好；再暗的图像也是


def _square(image: Image.Image, side: int) -> Image.Image:
    """正中最大的方块缩放成 side × side；先裁再缩，细长的图不会先胀大。"""
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.BILINEAR, box)


def _upright(square: Image.Image, original: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(original.getexif().get(ORIENTATION))
    except Exception:  # EXIF 坏了，图像还是好的
        return square
    return square if turn is None else square.transpose(turn)


def has_colour(path: Path | str) -> bool:
    """只看文件开头：是不是彩色；读不了的当作不是。"""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.mode.split(';')[0] not in ('1', 'L', 'LA', 'La', 'I', 'F')
    except Exception:
        return False


def shorter_side(path: Path | str) -> int:
    """较短的一边，像素；读不了的是 0。"""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return min(image.size)
    except Exception:
        return 0


def decode_many(
    paths: Sequence[str], side: int, channels: int, threads: int
) -> Iterator[Tensor | BadImage]:
    """按次序逐张给出 ``read_image`` 的结果，读不了的给出 BadImage。

    解码与缩放不占着 Python 的锁，所以用线程：没有子进程要启动，也不经过 /dev/shm。
    """

    def one(path: str) -> Tensor | BadImage:
        try:
            return read_image(path, side, channels)
        except BadImage as bad:
            return bad

    with ThreadPoolExecutor(threads, thread_name_prefix='decode') as pool:
        rest = iter(paths)
        waiting = deque(
            pool.submit(one, path) for path in islice(rest, threads * AHEAD)
        )
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(one, path) for path in islice(rest, 1))
                yield done
        finally:  # 不再要了：排着队的都不必做
            for task in waiting:
                task.cancel()
