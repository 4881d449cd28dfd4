"""「实验台」里手写的数：留出的图像、测试图像与引擎的大小；那张表另有测试。"""

from test_printed_numbers import CHAPTERS

from deepcnn.data.fashion_mnist import load_dataset
from deepcnn.training.shipped_weights import HELD_OUT

PAGE = (CHAPTERS / 'lab.md').read_text(encoding='utf-8')


def test_images_are_counted() -> None:
    assert f'由最后 {HELD_OUT:,} 张训练图像定' in PAGE
    assert f'下表在 {len(load_dataset().test):,} 张测试图像上比较' in PAGE


def test_the_engine_is_a_few_hundred_lines() -> None:
    engine = CHAPTERS.parent / 'site' / 'assets' / 'living' / 'engine.js'
    lines = engine.read_text(encoding='utf-8').splitlines()
    assert 200 < len(lines) < 1000 and '页面里的引擎是几百行 JavaScript' in PAGE
