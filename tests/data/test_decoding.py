"""一张图像文件怎样变成 uint8 的方图：各种模式、方向与大小，损坏的说原因。"""

import errno
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folders import photo
from PIL import Image
from torch import Tensor

from deepcnn.data.decoding import (
    BadImage,
    Unreachable,
    _eight_bit,
    decode_many,
    has_colour,
    read_image,
    shorter_side,
)

RED = (255, 0, 0)


def saved(folder: Path, image: Image.Image, name: str = 'a.png', **how: object) -> Path:
    image.save(folder / name, **how)
    return folder / name


def colour_at_corner(path: Path, channels: int = 3) -> list[int]:
    return read_image(path, 4, channels)[:, 0, 0].tolist()


def gradient(width: int, height: int) -> np.ndarray:
    """每个像素都不同，好看出方向与裁法。"""
    rows, columns = np.mgrid[:height, :width]
    return (8 * rows + columns).astype('uint8')


@pytest.mark.parametrize(
    ('size', 'box'), [((5, 5), (0, 5)), ((9, 5), (2, 7)), ((30, 4), (13, 17))]
)
def test_the_middle_square_is_taken(
    tmp_path: Path, size: tuple[int, int], box: tuple[int, int]
) -> None:
    values = gradient(*size)
    path = saved(tmp_path, Image.fromarray(values))
    side = size[1]
    expected = torch.from_numpy(values[:, box[0] : box[1]].copy())
    assert torch.equal(read_image(path, side, 1)[0], expected)


def test_resizing_agrees_with_pillow(tmp_path: Path) -> None:
    image = photo((90, 120, 200), 40, 0).crop((0, 0, 40, 40))
    path = saved(tmp_path, image)
    expected = np.asarray(image.resize((12, 12), Image.Resampling.BILINEAR))
    found = read_image(path, 12, 3).movedim(0, 2).numpy()
    assert np.array_equal(found, expected)


@pytest.mark.parametrize('turn', range(1, 9))
def test_photographs_are_turned_upright(tmp_path: Path, turn: int) -> None:
    """与 Pillow 的 exif_transpose 相同。"""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(tmp_path, Image.fromarray(gradient(6, 6)), exif=exif)
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(read_image(path, 6, 1)[0].numpy(), expected)


def sixteen_bit(fill: int) -> Image.Image:
    return Image.fromarray(np.full((6, 6), fill, dtype=np.uint16))


def transparent(mode: str) -> Image.Image:
    return Image.new('RGBA', (6, 6), (0, 0, 0, 0)).convert(mode)


def animated() -> dict:
    return {'save_all': True, 'append_images': [Image.new('RGB', (6, 6), 'blue')]}


@pytest.mark.parametrize(
    ('image', 'name', 'how', 'expected'),
    [
        (sixteen_bit(65535), 'a.png', {}, [255] * 3),
        (sixteen_bit(257 * 100), 'a.tif', {}, [100] * 3),
        (Image.new('1', (6, 6), 1), 'a.png', {}, [255] * 3),
        (Image.new('CMYK', (6, 6), (0, 255, 255, 0)), 'a.tif', {}, [255, 0, 0]),
        (transparent('RGBA'), 'a.png', {}, [255] * 3),
        (transparent('LA'), 'a.png', {}, [255] * 3),
        (Image.new('RGB', (6, 6), RED).convert('P'), 'a.png', {}, [255, 0, 0]),
        (Image.new('RGB', (6, 6), RED), 'a.gif', animated(), [255, 0, 0]),
        (Image.new('RGB', (6, 6), RED), 'a.bmp', {}, [255, 0, 0]),
        (Image.new('RGB', (6, 6), RED), 'a.webp', {'lossless': True}, [255, 0, 0]),
        (Image.new('RGB', (6, 6), RED), '中文 名.ppm', {}, [255, 0, 0]),
        (Image.new('RGB', (1, 1), RED), 'a.png', {}, [255, 0, 0]),
        (Image.new('RGB', (20_000, 1), RED), 'a.png', {}, [255, 0, 0]),
    ],
    ids=[
        '16-bit', '16-bit-tiff', '1-bit', 'cmyk', 'alpha', 'grey-alpha', 'palette',
        'animated', 'bmp', 'webp', 'chinese', '1x1', '20000',
    ],
)  # fmt: skip
def test_every_mode_becomes_eight_bit_colour(
    image: Image.Image, name: str, how: dict, expected: list[int], tmp_path: Path
) -> None:
    path = saved(tmp_path, image, name, **how)
    found = read_image(path, 4, 3)
    assert found.dtype == torch.uint8 and found.shape == (3, 4, 4)
    assert found[:, 0, 0].tolist() == expected
    grey = read_image(path, 4, 1)
    luminance = 0.299 * expected[0] + 0.587 * expected[1] + 0.114 * expected[2]
    assert grey.shape == (1, 4, 4) and abs(int(grey[0, 0, 0]) - luminance) <= 1


def pgm(*values: int, white: int, plain: bool = False) -> bytes:
    """2×2 的灰度图，``white`` 大于 255。"""
    if plain:
        return b'P2\n2 2\n%d\n%s' % (white, ' '.join(map(str, values)).encode())
    return b'P5\n2 2\n%d\n%s' % (white, struct.pack('>4H', *values))


def twelve_bit_tiff(*values: int) -> bytes:
    """2×2，每个像素 12 位，不压缩；Pillow 写不出来。"""
    rows = [(left << 12 | right).to_bytes(3, 'big') for left, right in pairs(values)]
    tags = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 6}
    entries = [struct.pack('<HHII', tag, 3, 1, value) for tag, value in tags.items()]
    head = b'II*\0' + struct.pack('<I', 14) + b''.join(rows)
    return head + struct.pack('<H', len(tags)) + b''.join(entries) + bytes(4)


def pairs(values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return zip(values[::2], values[1::2], strict=True)


def written(*values: int, kind: str, suffix: str) -> bytes:
    content = io.BytesIO()
    pixels = np.array(values, dtype=kind).reshape(2, 2)
    Image.fromarray(pixels).save(content, suffix)
    return content.getvalue()


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (pgm(0, 256, 600, 65535, white=65535), [0, 1, 2, 255]),
        (pgm(0, 100, 200, 255, white=65535), [0, 0, 1, 1]),
        (pgm(0, 100, 200, 255, white=65535, plain=True), [0, 0, 1, 1]),
        (pgm(0, 200, 500, 1023, white=1023), [0, 50, 125, 255]),
        (written(0, 100, 200, 255, kind='uint16', suffix='PNG'), [0, 0, 1, 1]),
        (written(0, 256, 600, 65000, kind='uint16', suffix='PNG'), [0, 1, 2, 253]),
        (written(0, 100, 200, 255, kind='uint16', suffix='TIFF'), [0, 0, 1, 1]),
        (twelve_bit_tiff(0, 100, 2048, 4095), [0, 6, 128, 255]),
        (written(0, 100, 200, 255, kind='int32', suffix='TIFF'), [0, 100, 200, 255]),
        (written(0, 256, 600, 65535, kind='int32', suffix='TIFF'), [0, 1, 2, 255]),
    ],
    ids=[
        'pgm', 'dark-pgm', 'plain-pgm', '10-bit-pgm', 'dark-png', 'png', 'dark-tiff',
        '12-bit-tiff', '8-in-32-bit-tiff', '16-in-32-bit-tiff',
    ],
)  # fmt: skip
def test_deep_grey_is_scaled_by_what_white_is_in_its_format(
    content: bytes, expected: list[int], tmp_path: Path
) -> None:
    """格式规定了白是多少的，再暗的图像也照它换算；32 位的 TIFF 没有规定，看最亮的像素。"""
    path = tmp_path / 'a'
    path.write_bytes(content)
    assert read_image(path, 2, 1).flatten().tolist() == expected


def test_deep_png_is_scaled_the_same_when_pillow_calls_it_wide() -> None:
    """较早的 Pillow 把 16 位的 PNG 读成 I，不是 I;16。"""
    image = Image.fromarray(np.array([[0, 100], [200, 255]], dtype=np.int32))
    image.format = 'PNG'
    assert np.asarray(_eight_bit(image, 1)).tolist() == [[0, 0], [1, 1]]


def test_a_large_jpeg_is_decoded_at_a_fraction(tmp_path: Path) -> None:
    image = Image.new('RGB', (2000, 1600), RED)
    path = saved(tmp_path, image, 'a.jpg', quality=95)
    red, green, blue = colour_at_corner(path)
    assert red > 250 and green < 5 and blue < 5
    cmyk = saved(tmp_path, Image.new('CMYK', (6, 6), (0, 255, 255, 0)), 'c.jpg')
    assert colour_at_corner(cmyk)[0] > 250


def broken(folder: Path) -> dict[str, Path]:
    """各种读不了的文件。"""
    good = io.BytesIO()
    photo((90, 120, 200), 40, 0).save(good, 'JPEG')
    content = good.getvalue()
    files = {
        'empty.jpg': b'',
        'text.png': '不是图像'.encode(),
        'half.jpg': content[: len(content) // 2],
        'header.jpg': content[:200],
        'page.png': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n',
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    saved(folder, Image.fromarray(np.ones((6, 6), dtype=np.float32)), 'float.tif')
    (folder / 'folder.png').mkdir()
    return {name: folder / name for name in (*files, 'float.tif', 'folder.png')}


def test_what_cannot_be_read_says_why_in_one_line(tmp_path: Path) -> None:
    files = broken(tmp_path)
    for path in (*files.values(), tmp_path / 'missing.png'):
        with pytest.raises(BadImage) as told:
            read_image(path, 8, 3)
        reason = str(told.value)
        assert reason and '\n' not in reason and len(reason) < 200
    for name, said in {
        'text.png': '不是认识的图像格式', 'half.jpg': '残缺', 'float.tif': '小数',
        'page.png': '不是认识的图像格式',
    }.items():  # fmt: skip
        with pytest.raises(BadImage, match=said) as told:
            read_image(files[name], 8, 3)
        assert not isinstance(told.value, Unreachable)


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), '没有读的权限'),
        (MemoryError(), '内存放不下'),
        (OSError(errno.EIO, os.strerror(errno.EIO)), '磁盘没有读出来'),
    ],
    ids=['permission', 'memory', 'disk'],
)
def test_what_was_not_read_this_time_is_not_called_damaged(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """文件残缺是文件的事；没有读到，下一次可能就读得到。"""
    path = saved(tmp_path, Image.new('L', (6, 6)))

    def failing(*arguments: object, **settings: object) -> None:
        raise error

    monkeypatch.setattr(Image, 'open', failing)
    with pytest.raises(Unreachable, match=said):
        read_image(path, 8, 1)


def test_too_many_pixels_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, Image.new('L', (100, 100)))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    with pytest.raises(BadImage, match='超过 2,000 个像素'):
        read_image(path, 8, 1)


def test_the_beginning_tells_size_and_colour(tmp_path: Path) -> None:
    colour = saved(tmp_path, Image.new('RGB', (30, 20)), 'c.png')
    assert (shorter_side(colour), has_colour(colour)) == (20, True)
    for mode in ('L', 'LA', '1', 'I;16'):
        grey = saved(tmp_path, Image.new(mode, (9, 20)), 'g.png')
        assert (shorter_side(grey), has_colour(grey)) == (9, False)
    assert (shorter_side(tmp_path / '无'), has_colour(tmp_path / '无')) == (0, False)


def test_many_are_decoded_in_order_and_no_further_than_asked(tmp_path: Path) -> None:
    paths = [
        str(saved(tmp_path, Image.new('L', (4, 4), number), f'{number}.png'))
        for number in range(30)
    ]
    paths[7] = str(tmp_path / '无.png')
    found = list(decode_many(paths, 4, 1, threads=3))
    assert isinstance(found[7], BadImage)
    rest = {n: image for n, image in enumerate(found) if isinstance(image, Tensor)}
    assert {n: int(image[0, 0, 0]) for n, image in rest.items()} == {
        n: n for n in range(30) if n != 7
    }
    some = decode_many(paths, 4, 1, threads=2)
    assert int(next(some)[0, 0, 0]) == 0
    some.close()
