"""测试用的图像文件夹：每一类一种颜色，加上噪声，几像素到几十像素。"""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {'红花': (200, 40, 40), '绿叶': (40, 180, 50), '蓝天': (50, 60, 210)}


def photo(colour: tuple[int, ...], side: int, seed: int) -> Image.Image:
    """``side`` 高、略宽的一张彩色照片。"""
    noise = np.random.default_rng(seed).integers(-60, 60, (side, side + 4, 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype('uint8'))


def make_photos(
    root: Path, per_class: int = 8, side: int = 12, grey: bool = False
) -> Path:
    """写出三类，PNG 与 JPEG 各半，返回 ``root``。"""
    for label, (name, colour) in enumerate(COLOURS.items()):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            image = photo(colour, side, 100 * label + number)
            suffix = 'png' if number % 2 else 'jpg'
            image.convert('L' if grey else 'RGB').save(folder / f'{number}.{suffix}')
    return root
